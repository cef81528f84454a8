"""Frameworks without checkpoints: what they run on an agent does not outlive its connection.

Mesos's agent cannot recover such executors, so its master takes a broken connection for their end
(Master::disconnect). An agent that was only cut off still runs them: when it is back, it is told to
end what nobody counts any more.
"""

from comity.core.effects import Outbox
from comity.core.ids import ExecutorId, FrameworkId, TaskId
from comity.core.instants import Instant
from comity.master.handlers import sending, statuses
from comity.master.state import Agent, State
from comity.wire.mesos import codec, link, v1


def lose(state: State, agent: Agent, now: Instant, out: Outbox) -> None:
    """Give up what frameworks without checkpoints run on an agent that disconnected."""
    for (framework_id, _), task in list(agent.tasks.items()):
        framework = state.frameworks[framework_id]
        if framework.info.checkpoint or task.state.is_terminal:
            continue
        status = sending.master_status(
            task.task_id,
            v1.TaskState.LOST,
            v1.Reason.AGENT_DISCONNECTED,
            "Agent disconnected, and the framework does not checkpoint",
            now,
            agent_id=agent.id,
        )
        statuses.finish_by_master(state, (agent, framework, task), status, out)
    for key in list(agent.executors):
        if not state.frameworks[key[0]].info.checkpoint:
            statuses.release_executor(state, agent, key)


def end_strays(
    state: State, agent: Agent, brought: link.SubscribeBody, out: Outbox
) -> link.SubscribeBody:
    """Tell an agent that is back to end what was given up; return what to take from it.

    What it still runs is taken and counted until its end, or others would be given its resources;
    but for a task whose id its framework has used again elsewhere.
    """
    strays: dict[tuple[FrameworkId, ExecutorId], None] = {}
    tasks = []
    for task in brought.tasks:
        key = (FrameworkId(task.framework_id.value), TaskId(task.task_id.value))
        if _is_stray(state, agent, key) and not task.state.is_terminal:
            # A command task's executor, which the agent plays, has the id of the task.
            name = task.executor_id or task.task_id
            strays[key[0], ExecutorId(name.value)] = None
            if key[1] in state.frameworks[key[0]].tasks:
                continue
        tasks.append(task)
    for one in brought.executors:
        framework_id = FrameworkId(one.framework_id.value)
        place = (framework_id, ExecutorId(one.executor_info.executor_id.value))
        if place in agent.executors or not _is_unsaved(state, framework_id):
            continue
        if not _has_returning_task(state, brought, place):
            strays[place] = None
    for framework_id, executor_id in strays:
        event = link.EventShutdownExecutor(
            framework_id=v1.Id(value=framework_id), executor_id=v1.Id(value=executor_id)
        )
        sending.to_agent(agent, event, out)
    return codec.replace(brought, tasks=tuple(tasks))


def _is_stray(state: State, agent: Agent, key: tuple[FrameworkId, TaskId]) -> bool:
    """Whether its framework was told that a task is lost; an unreachable one comes back."""
    framework_id, task_id = key
    if key in agent.tasks or not _is_unsaved(state, framework_id):
        return False
    return task_id not in state.frameworks[framework_id].unreachable_tasks


def _has_returning_task(
    state: State, brought: link.SubscribeBody, place: tuple[FrameworkId, ExecutorId]
) -> bool:
    unreachable = state.frameworks[place[0]].unreachable_tasks
    return any(
        one.framework_id.value == place[0]
        and (one.executor_id or one.task_id).value == place[1]
        and TaskId(one.task_id.value) in unreachable
        for one in brought.tasks
    )


def _is_unsaved(state: State, framework_id: FrameworkId) -> bool:
    framework = state.frameworks.get(framework_id)
    return framework is not None and not framework.info.checkpoint
