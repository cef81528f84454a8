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
    """Tell an agent that is back to end what was given up; return what else it brought."""
    strays: dict[tuple[FrameworkId, ExecutorId], None] = {}
    tasks = []
    for task in brought.tasks:
        framework_id = FrameworkId(task.framework_id.value)
        is_known = (framework_id, TaskId(task.task_id.value)) in agent.tasks
        if is_known or task.state.is_terminal or not _is_unsaved(state, framework_id):
            tasks.append(task)
            continue
        # A command task's executor, which the agent plays, has the id of the task.
        name = task.executor_id or task.task_id
        strays[framework_id, ExecutorId(name.value)] = None
    executors = []
    for one in brought.executors:
        framework_id = FrameworkId(one.framework_id.value)
        key = (framework_id, ExecutorId(one.executor_info.executor_id.value))
        if key in agent.executors or not _is_unsaved(state, framework_id):
            executors.append(one)
        else:
            strays[key] = None
    for framework_id, executor_id in strays:
        event = link.EventShutdownExecutor(
            framework_id=v1.Id(value=framework_id), executor_id=v1.Id(value=executor_id)
        )
        sending.to_agent(agent, event, out)
    return codec.replace(brought, tasks=tuple(tasks), executors=tuple(executors))


def _is_unsaved(state: State, framework_id: FrameworkId) -> bool:
    framework = state.frameworks.get(framework_id)
    return framework is not None and not framework.info.checkpoint
