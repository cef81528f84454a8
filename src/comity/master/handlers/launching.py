"""LAUNCH and LAUNCH_GROUP: check against what is left of the offers, record, send to the agent.

One bad task of a LAUNCH does not keep its siblings from running; a LAUNCH_GROUP is launched whole
or not at all. What makes a task or a group bad is in `validation`.
"""

from comity.core.effects import Outbox
from comity.core.ids import ExecutorId
from comity.core.instants import Instant
from comity.master import permissions
from comity.master.handlers import publishing, sending
from comity.master.handlers.placing import Place
from comity.master.handlers.validation import executors, groups, tasks
from comity.master.handlers.validation.faults import Invalid
from comity.master.state import Executor, Framework, State, Task
from comity.resources.amounts import Resources
from comity.wire.mesos import codec, link, v1


def tasks_of(operation: v1.Operation) -> tuple[v1.TaskInfo, ...]:
    """Return the tasks that an operation would launch."""
    if operation.launch is not None:
        return operation.launch.task_infos
    if operation.launch_group is not None:
        return operation.launch_group.task_group.tasks
    return ()


def launch(
    state: State,
    framework: Framework,
    place: Place,
    operation: v1.Operation,
    now: Instant,
    out: Outbox,
) -> None:
    """Launch what is valid."""
    if operation.id is not None:
        text = f"The `id` field cannot be set on {operation.type} operations"
        place.dropped.append(text)
        _refuse(state, framework, operation, text, now, out)
    elif operation.launch is not None:
        _launch_tasks(state, framework, place, operation.launch.task_infos, now, out)
    elif operation.launch_group is not None:
        _launch_group(state, framework, place, operation, now, out)


def _refuse(
    state: State,
    framework: Framework,
    operation: v1.Operation,
    text: str,
    now: Instant,
    out: Outbox,
) -> None:
    """Answer every task of an operation that none of them is launched."""
    is_group = operation.type == "LAUNCH_GROUP"
    reason = v1.Reason.TASK_GROUP_INVALID if is_group else v1.Reason.TASK_INVALID
    for info in tasks_of(operation):
        _refuse_one(state, framework, info, (reason, text), now, out)


def _refuse_one(
    state: State,
    framework: Framework,
    info: v1.TaskInfo,
    why: tuple[v1.Reason, str],
    now: Instant,
    out: Outbox,
) -> None:
    status = sending.master_status(
        info.task_id.value, v1.TaskState.ERROR, *why, now, agent_id=info.agent_id.value
    )
    sending.update(framework, status, out)
    state.count("master/tasks_error")


def _launch_tasks(
    state: State,
    framework: Framework,
    place: Place,
    infos: tuple[v1.TaskInfo, ...],
    now: Instant,
    out: Outbox,
) -> None:
    run: list[v1.TaskInfo] = []
    running = _running_executors(framework, place, infos)
    for given in infos:
        info = tasks.completed(framework, _allocated(framework, place.role, given))
        try:
            wanted, executor_wanted = tasks.check_launch(framework, place, info)
        except Invalid as fault:
            why = (v1.Reason.TASK_INVALID, str(fault))
            place.dropped.append(f"LAUNCH: task {info.task_id.value}: {fault}")
            _refuse_one(state, framework, info, why, now, out)
            continue
        user = permissions.may_run(state.acls, framework, info)
        if user is not None:
            text = _not_authorized(user)
            place.dropped.append(f"LAUNCH: task {info.task_id.value}: {text}")
            why = (v1.Reason.TASK_UNAUTHORIZED, text)
            _refuse_one(state, framework, info, why, now, out)
            continue
        if info.executor is not None:
            _record_executor(framework, place, info.executor, executor_wanted)
        task = _record_task(framework, place, info, wanted)
        publishing.task_added(state, task, out)
        run.append(info)
    if run:
        event = link.EventRunTasks(
            framework_info=framework.info, tasks=tuple(run), running_executors=running
        )
        sending.to_agent(place.agent, event, out)


def _not_authorized(user: str) -> str:
    return f"Not authorized to launch as user '{user}'"


def _launch_group(
    state: State,
    framework: Framework,
    place: Place,
    operation: v1.Operation,
    now: Instant,
    out: Outbox,
) -> None:
    assert operation.launch_group is not None
    group = _group_allocated(framework, place.role, operation.launch_group)
    try:
        wanted, executor_wanted = groups.check(framework, place, group)
    except Invalid as fault:
        place.dropped.append(f"LAUNCH_GROUP: {fault}")
        _refuse(state, framework, operation, str(fault), now, out)
        return
    for info in group.task_group.tasks:
        user = permissions.may_run(state.acls, framework, info)
        if user is not None:
            text = _not_authorized(user)
            place.dropped.append(f"LAUNCH_GROUP: {text}")
            for each in group.task_group.tasks:
                why = (v1.Reason.TASK_GROUP_UNAUTHORIZED, text)
                _refuse_one(state, framework, each, why, now, out)
            return
    starts = not executors.runs(framework, place, group.executor)
    _record_executor(framework, place, group.executor, executor_wanted)
    for info, held in zip(group.task_group.tasks, wanted, strict=True):
        publishing.task_added(state, _record_task(framework, place, info, held), out)
    event = link.EventRunTaskGroup(
        framework_info=framework.info,
        executor=group.executor,
        task_group=group.task_group,
        launch_executor=starts,
    )
    sending.to_agent(place.agent, event, out)


def _running_executors(
    framework: Framework, place: Place, infos: tuple[v1.TaskInfo, ...]
) -> tuple[v1.Id, ...]:
    """Return the tasks' executors that run already, and so are not paid for again.

    One that has just ended without this master's knowing must not be started anew: when its end is
    heard of, what it held is given back.
    """
    named = [info.executor for info in infos if info.executor is not None]
    known = {one.executor_id.value for one in named if executors.runs(framework, place, one)}
    return tuple(v1.Id(value=name) for name in sorted(known))


def _record_executor(
    framework: Framework, place: Place, info: v1.ExecutorInfo, wanted: Resources
) -> None:
    """Count an executor as running, unless it does so already."""
    key = ExecutorId(info.executor_id.value)
    if (place.agent.id, key) in framework.executors:
        return
    wanted = wanted.spelled_as(place.remaining)
    _take(place, wanted)
    executor = Executor(info, wanted, place.role)
    framework.executors[place.agent.id, key] = executor
    place.agent.executors[framework.id, key] = executor


def _record_task(framework: Framework, place: Place, info: v1.TaskInfo, wanted: Resources) -> Task:
    """Count a task as running."""
    wanted = wanted.spelled_as(place.remaining)
    _take(place, wanted)
    task = Task(
        info=as_task(framework, info),
        state=v1.TaskState.STAGING,
        forwarded=v1.TaskState.STAGING,
        resources=wanted,
        role=place.role,
    )
    framework.tasks[task.task_id] = task
    place.agent.tasks[framework.id, task.task_id] = task
    return task


def _take(place: Place, wanted: Resources) -> None:
    place.remaining = place.remaining - wanted
    place.agent.used = place.agent.used + wanted


def as_task(framework: Framework, info: v1.TaskInfo) -> v1.Task:
    """Return what master and agent remember of a task."""
    user = framework.info.user
    if info.command is not None and info.command.user:
        user = info.command.user
    return v1.Task(
        name=info.name,
        task_id=info.task_id,
        framework_id=v1.Id(value=framework.id),
        agent_id=info.agent_id,
        state=v1.TaskState.STAGING,
        executor_id=info.executor.executor_id if info.executor is not None else None,
        resources=info.resources,
        limits=info.limits,
        labels=info.labels,
        discovery=info.discovery,
        container=info.container,
        health_check=info.health_check,
        kill_policy=info.kill_policy,
        max_completion_time=info.max_completion_time,
        user=user,
    )


def _allocated(framework: Framework, role: str, info: v1.TaskInfo) -> v1.TaskInfo:
    """Say in the resources to which role they are allocated, unless it can only be `*`.

    Tasks and a later master learn it from the agent; frameworks often leave it out.
    """
    if framework.roles == ("*",):
        return info
    info = codec.replace(info, resources=_with_role(info.resources, role))
    if info.executor is None:
        return info
    charged = _with_role(info.executor.resources, role)
    return codec.replace(info, executor=codec.replace(info.executor, resources=charged))


def _group_allocated(framework: Framework, role: str, group: v1.LaunchGroup) -> v1.LaunchGroup:
    """Say the role in a group's resources, and put its executor into every task, as Mesos does."""
    executor = group.executor
    if framework.roles != ("*",):
        charged = _with_role(executor.resources, role)
        executor = codec.replace(executor, resources=charged)
    infos = tuple(
        _allocated(framework, role, codec.replace(info, executor=info.executor or executor))
        for info in group.task_group.tasks
    )
    return v1.LaunchGroup(executor=executor, task_group=v1.TaskGroupInfo(tasks=infos))


def _with_role(written: tuple[v1.Resource, ...], role: str) -> tuple[v1.Resource, ...]:
    allocation = v1.AllocationInfo(role=role)
    return tuple(
        one if one.allocation_info is not None else codec.replace(one, allocation_info=allocation)
        for one in written
    )
