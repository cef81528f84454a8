"""Tasks arrive: commands, which the agent runs itself, and tasks for frameworks' executors."""

from comity.agent import building, checkpoints
from comity.agent.handlers import arriving, operating, outcomes, reporting
from comity.agent.handlers.speaking import send_to_executor
from comity.agent.outbox import LaunchContainer
from comity.agent.state import State, uuid_text
from comity.core.effects import Outbox
from comity.core.ids import ExecutorId, FrameworkId, TaskId
from comity.core.instants import Instant
from comity.wire.mesos import executor as wire
from comity.wire.mesos import link, v1


def run(state: State, event: link.EventRunTasks, now: Instant, out: Outbox) -> None:
    """Run tasks of one framework."""
    framework_id = arriving.remember_framework(state, event.framework_info, out)
    for info in event.tasks:
        if (framework_id, TaskId(info.task_id.value)) in state.tasks:
            continue  # the master repeats itself after a break
        if operating.lacks(state, building.held_by(info.resources)):
            arriving.refuse(state, event.framework_info, info, out)
            continue
        if info.executor is None:
            _run_command(state, event.framework_info, info, now, out)
        else:
            may_start = info.executor.executor_id not in event.running_executors
            _run_on_executor(state, event.framework_info, (info, may_start), now, out)


def _run_command(
    state: State, framework: v1.FrameworkInfo, info: v1.TaskInfo, now: Instant, out: Outbox
) -> None:
    """Start a command task; the agent is its executor."""
    assert framework.id is not None
    assert info.command is not None
    framework_id = FrameworkId(framework.id.value)
    executor_id = ExecutorId(info.task_id.value)
    container_id = uuid_text(state.new_uuid())
    sandbox = building.sandbox_of(state, framework_id, executor_id, container_id)
    held = building.held_by(info.resources)
    spec = building.for_command(state, framework, info, (container_id, sandbox, held))
    synthesised = v1.ExecutorInfo(
        executor_id=info.task_id,
        framework_id=framework.id,
        command=info.command,
        container=info.container,
        name=f"Command Executor (Task: {info.task_id.value}) (Command: sh -c '')",
        source=info.task_id.value,
    )
    executor = arriving.add_executor(state, synthesised, sandbox, (container_id, True), now)
    container = arriving.add_container(state, executor, spec)
    task = arriving.add_task(state, executor, info)
    task.container_id = container_id
    checkpoints.save_executor(state, executor, out)
    starting = outcomes.status(info, v1.TaskState.STARTING)
    reporting.report(state, executor, task, starting, now, out)
    out.launches.append(LaunchContainer(container.spec, info.command.uris))


def _run_on_executor(
    state: State,
    framework: v1.FrameworkInfo,
    what: tuple[v1.TaskInfo, bool],
    now: Instant,
    out: Outbox,
) -> None:
    """Give a task to its executor, starting that when it does not run."""
    info, may_start = what
    assert info.executor is not None
    executor = arriving.find_executor(state, framework, info.executor, may_start)
    if isinstance(executor, str):
        why = (v1.Reason.EXECUTOR_TERMINATED, executor)
        arriving.drop(state, framework, info.executor, ([info], why), now, out)
        return
    if executor is None or executor.has_exited:
        executor = arriving.start_executor(state, framework, info.executor, executor, now, out)
    task = arriving.add_task(state, executor, info)
    arriving.link_volumes(state, executor, task, out)
    if executor.stream is None:
        executor.queued.append(task.task_id)
    else:
        send_to_executor(executor, wire.EventLaunch(launch=wire.LaunchBody(task=info)), out)
    checkpoints.save_task(executor, task, out)
