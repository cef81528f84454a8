"""Task groups arrive: on the default executor, which the agent plays, or on a framework's own.

A default executor has a container without a process. Each task is a container nested in it, with a
sandbox in `containers/<id>` of the executor's and a link to that as `tasks/<task id>`; all of them
are on the host's network, and share the executor's cgroups unless they say otherwise.
"""

from comity.agent import building, checkpoints
from comity.agent.handlers import arriving, operating, outcomes, reporting
from comity.agent.handlers.speaking import send_to_executor
from comity.agent.outbox import LaunchContainer, LimitContainer, MakeSandbox
from comity.agent.state import Container, Executor, State, Task, uuid_text
from comity.core.effects import Outbox
from comity.core.ids import ExecutorId, FrameworkId, TaskId
from comity.core.instants import Instant
from comity.wire.mesos import executor as wire
from comity.wire.mesos import link, v1


def run(state: State, event: link.EventRunTaskGroup, now: Instant, out: Outbox) -> None:
    """Run the tasks of a group, all or none of them."""
    framework = event.framework_info
    framework_id = arriving.remember_framework(state, framework, out)
    infos = [
        one
        for one in event.task_group.tasks
        if (framework_id, TaskId(one.task_id.value)) not in state.tasks
    ]
    if not infos:
        return  # the master repeats itself after a break
    if any(operating.lacks(state, building.held_by(one.resources)) for one in infos):
        for one in infos:
            arriving.refuse(state, framework, one, out)
        return
    executor = _executor(state, event, now, out)
    if isinstance(executor, str):
        why = (v1.Reason.EXECUTOR_TERMINATED, executor)
        arriving.drop(state, framework, event.executor, (infos, why), now, out)
        return
    executor.groups += 1
    tasks = [arriving.add_task(state, executor, info) for info in infos]
    for task in tasks:
        task.group = executor.groups
    checkpoints.save_executor(state, executor, out)
    if executor.is_default:
        limit(executor, out)
        for task in tasks:
            _start_task(state, executor, task, now, out)
        return
    if executor.stream is None:
        executor.queued += [task.task_id for task in tasks]
    else:
        send(executor, tasks, out)
    for task in tasks:
        arriving.link_volumes(state, executor, task, out)
        checkpoints.save_task(executor, task, out)


def send(executor: Executor, tasks: list[Task], out: Outbox) -> None:
    """Give a group to an executor of the framework's."""
    group = v1.TaskGroupInfo(tasks=tuple(task.info for task in tasks))
    body = wire.LaunchGroupBody(task_group=group)
    send_to_executor(executor, wire.EventLaunchGroup(launch_group=body), out)


def _executor(
    state: State, event: link.EventRunTaskGroup, now: Instant, out: Outbox
) -> Executor | str:
    """Return the group's executor, started if need be, or why there is none."""
    found = arriving.find_executor(
        state, event.framework_info, event.executor, event.launch_executor
    )
    if isinstance(found, str):
        return found
    if found is not None and not found.has_exited:
        return found
    if event.executor.type is not v1.ExecutorType.DEFAULT:
        return arriving.start_executor(state, event.framework_info, event.executor, found, now, out)
    executor = _start_default(state, event.framework_info, event.executor, now, out)
    if found is not None:
        arriving.take_over(state, executor, found, out)
    return executor


def _start_default(
    state: State,
    framework: v1.FrameworkInfo,
    info: v1.ExecutorInfo,
    now: Instant,
    out: Outbox,
) -> Executor:
    assert framework.id is not None
    container_id = uuid_text(state.new_uuid())
    key = (FrameworkId(framework.id.value), ExecutorId(info.executor_id.value))
    sandbox = building.sandbox_of(state, *key, container_id)
    held = building.held_by(info.resources)
    spec = building.for_default_executor(state, framework, info, (container_id, sandbox, held))
    executor = arriving.add_executor(state, info, sandbox, (container_id, False), now)
    executor.resources = held
    container = arriving.add_container(state, executor, spec)
    container.phase, container.has_process = "RUNNING", False
    out.launches.append(MakeSandbox(spec))
    return executor


def _start_task(state: State, executor: Executor, task: Task, now: Instant, out: Outbox) -> None:
    parent = state.containers[executor.container_id]
    name = uuid_text(state.new_uuid())
    container = Container(
        id=f"{parent.id}.{name}",
        wire_id=v1.ContainerID(value=name, parent=parent.wire_id),
        spec=building.for_group_task(
            state, f"{parent.id}.{name}", parent.spec, task.info, shared_by(executor)
        ),
        has_image=building.image_of(task.info.container) not in (None, building.HOST_IMAGE),
        task=(executor.framework_id, task.task_id),
    )
    task.container_id = container.id
    state.containers[container.id] = container
    state.children.setdefault(parent.id, set()).add(container.id)
    checkpoints.save_nested(container, out)
    starting = outcomes.status(task.info, v1.TaskState.STARTING)
    reporting.report(state, executor, task, starting, now, out)
    uris = task.info.command.uris if task.info.command is not None else ()
    out.launches.append(LaunchContainer(container.spec, uris))


def limit(executor: Executor, out: Outbox) -> None:
    """Take from the shared cgroups what a task that ended had brought along."""
    held = shared_by(executor)
    out.launches.append(LimitContainer(executor.container_id, held.cpus, held.mem_bytes))


def shared_by(executor: Executor) -> building.Shared:
    """Return what the tasks of a default executor may use together: their limits, or requests.

    As in Mesos (`Slave::computeExecutorLimits`), one without a limit leaves all without.
    """
    cpus, mem = executor.resources.scalar("cpus"), executor.resources.scalar("mem")
    for task in executor.live_tasks:
        held, limit_of = building.held_by(task.info.resources), task.info.limits.get("mem")
        cpus += held.scalar("cpus")
        mem += held.scalar("mem") if limit_of is None else limit_of.value
    return building.Shared(cpus, 0 if mem >= v1.UNLIMITED else int(mem * (1 << 20)))
