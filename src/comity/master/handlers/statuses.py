"""What agents report: task statuses, executors that ended, messages."""

from comity.core.effects import Outbox
from comity.core.ids import ExecutorId, FrameworkId, TaskId
from comity.core.instants import Instant
from comity.master.handlers import publishing, requests, sending
from comity.master.state import Agent, Framework, State, Task
from comity.wire.mesos import codec, link, scheduler, v1

Held = tuple[Agent, Framework, Task]


def on_update(state: State, agent: Agent, call: link.Update, now: Instant, out: Outbox) -> None:
    """Record a status and pass it on; the agent repeats it until the scheduler acknowledges."""
    framework_id = FrameworkId(call.framework_id.value)
    framework = state.frameworks.get(framework_id)
    if framework is None:
        if framework_id in state.completed_frameworks:
            event = link.EventShutdownFramework(framework_id=call.framework_id)
            sending.to_agent(agent, event, out)
        return
    status = call.status
    task = agent.tasks.get((framework_id, TaskId(status.task_id.value)))
    state.count(f"master/{'in' if task is None else ''}valid_status_updates")
    if task is not None:
        advance(state, (agent, framework, task), call.latest_state or status.state)
        task.forwarded = status.state
        publishing.remember_status(state, task, status, out)
        if status.state.is_terminal:
            task.pending_terminal_uuid = status.uuid
    sending.update(framework, status, out)
    if status.uuid is None and task is not None and status.state.is_terminal:
        requests.forget(state, framework, task)


def advance(state: State, held: Held, latest: v1.TaskState) -> None:
    """Take a task's latest state; the first terminal one releases its resources."""
    agent, framework, task = held
    was_terminal = task.state.is_terminal
    if was_terminal:
        return
    task.become(latest)
    if latest.is_terminal:
        agent.used = agent.used - task.resources
        state.allocator.released(agent.id, framework.id, task.role, task.resources)
        state.count(f"master/tasks_{latest.value.removeprefix('TASK_').lower()}")


def finish_by_master(state: State, held: Held, status: v1.TaskStatus, out: Outbox) -> None:
    """End a task by the master's own word, which nobody acknowledges."""
    _, framework, task = held
    advance(state, held, status.state)
    task.forwarded = status.state
    publishing.remember_status(state, task, status, out)
    sending.update(framework, status, out)
    requests.forget(state, framework, task)


def on_exited_executor(state: State, agent: Agent, call: link.ExitedExecutor, out: Outbox) -> None:
    """Release an executor's resources and tell its scheduler. Its tasks are told by statuses."""
    key = (FrameworkId(call.framework_id.value), ExecutorId(call.executor_id.value))
    if key not in agent.executors:
        return
    release_executor(state, agent, key)
    framework = state.frameworks.get(key[0])
    if framework is not None:
        failure = scheduler.FailureBody(
            agent_id=v1.Id(value=agent.id), executor_id=call.executor_id, status=call.status
        )
        sending.to_framework(framework, scheduler.EventFailure(failure=failure), out)


def release_executor(state: State, agent: Agent, key: tuple[FrameworkId, ExecutorId]) -> None:
    """Forget an executor and free what it held."""
    executor = agent.executors.pop(key)
    agent.used = agent.used - executor.resources
    state.allocator.released(agent.id, key[0], executor.role, executor.resources)
    framework = state.frameworks.get(key[0])
    if framework is not None:
        framework.executors.pop((agent.id, key[1]), None)


def on_message(state: State, agent: Agent, call: link.Message, out: Outbox) -> None:
    """Pass an executor's bytes on; they are lost when the scheduler is away."""
    framework = state.frameworks.get(FrameworkId(call.framework_id.value))
    is_lost = framework is None or framework.stream is None
    state.count(f"master/{'in' if is_lost else ''}valid_executor_to_framework_messages")
    if framework is not None:
        body = scheduler.EventMessageBody(
            agent_id=v1.Id(value=agent.id), executor_id=call.executor_id, data=call.data
        )
        sending.to_framework(framework, scheduler.EventMessage(message=body), out)


def unreachable_status(task: Task, now: Instant, *, aware: bool) -> v1.TaskStatus:
    """Return the status of a task whose agent is unreachable."""
    status = sending.master_status(
        task.task_id,
        v1.TaskState.UNREACHABLE if aware else v1.TaskState.LOST,
        v1.Reason.AGENT_REMOVED,
        "Agent became unreachable",
        now,
        agent_id=task.agent_id,
        unreachable_at=now,
    )
    return status if aware else codec.replace(status, unreachable_time=None)
