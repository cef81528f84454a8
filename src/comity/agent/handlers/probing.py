"""Health checks and checks of command tasks, which the agent makes in the executor's place.

Semantics of Mesos's checkers: failures within the grace period before the first success do not
count; every unhealthy result and the first healthy one is reported; as many failures in a row as
allowed end the task as killed and unhealthy. A check only reports, when its result changes.
"""

from comity.agent import building
from comity.agent.handlers import reporting, tasks
from comity.agent.inputs import ProbeDone, ProbeDue
from comity.agent.outbox import RunProbe
from comity.agent.state import Executor, Probe, State, Task
from comity.agent.table import table
from comity.core.containers import Spec
from comity.core.effects import Outbox, SetTimer
from comity.core.instants import Instant
from comity.wire.mesos import codec, v1
from comity.wire.mesos.checks import (
    CheckCommandStatus,
    CheckHttpStatus,
    CheckTcpStatus,
)

HEALTH, CHECK = "health", "check"


def begin(executor: Executor, task: Task, now: Instant, out: Outbox) -> None:
    """Set the timers of a running task's first probes."""
    for kind, check in ((HEALTH, task.info.health_check), (CHECK, task.info.check)):
        if check is not None:
            task.probes[kind] = Probe(kind)
            _later(executor, task, kind, Instant(now + check.delay_seconds), out)


def _later(executor: Executor, task: Task, kind: str, at: Instant, out: Outbox) -> None:
    out.timers.append(SetTimer(ProbeDue(executor.framework_id, task.task_id, kind), at))


@table.on(ProbeDue)
def on_probe_due(state: State, item: ProbeDue, now: Instant, out: Outbox) -> None:
    """Probe a task that still runs."""
    executor = state.tasks.get((item.framework_id, item.task_id))
    task = executor.tasks.get(item.task_id) if executor is not None else None
    if executor is None or task is None or task.state.is_terminal or item.kind not in task.probes:
        return
    probe = task.probes[item.kind]
    probe.round += 1
    check = task.info.health_check if item.kind == HEALTH else task.info.check
    assert check is not None
    run = _describe(state, executor, task, probe)
    if run is not None:
        out.launches.append(run)


def _describe(state: State, executor: Executor, task: Task, probe: Probe) -> RunProbe | None:
    key = (executor.framework_id, task.task_id, probe.kind)
    health, check = task.info.health_check, task.info.check
    if probe.kind == HEALTH:
        assert health is not None
        timeout_s = health.timeout_seconds
        if health.http is not None:
            scheme = health.http.scheme or "http"
            url = f"{scheme}://{state.ip}:{health.http.port}{health.http.path or '/'}"
            return RunProbe(key, probe.round, http=url, timeout_s=timeout_s)
        if health.tcp is not None:
            where = (state.ip, health.tcp.port)
            return RunProbe(key, probe.round, tcp=where, timeout_s=timeout_s)
        command = health.command
    else:
        assert check is not None
        timeout_s = check.timeout_seconds
        if check.http is not None:
            url = f"http://{state.ip}:{check.http.port}{check.http.path or '/'}"
            return RunProbe(key, probe.round, http=url, timeout_s=timeout_s)
        if check.tcp is not None:
            where = (state.ip, check.tcp.port)
            return RunProbe(key, probe.round, tcp=where, timeout_s=timeout_s)
        command = check.command.command if check.command is not None else None
    if command is None:
        return None
    spec = _command(state, executor, command, probe)
    return RunProbe(key, probe.round, container=spec, timeout_s=timeout_s)


def _command(state: State, executor: Executor, command: v1.CommandInfo, probe: Probe) -> Spec:
    target = state.containers[executor.container_id].spec
    spec_id = f"{target.id}.{probe.kind}-{probe.round}"
    sandbox = target.sandbox / "containers" / probe.kind
    return building.for_debug(spec_id, sandbox, target, command)


@table.on(ProbeDone)
def on_probe_done(state: State, item: ProbeDone, now: Instant, out: Outbox) -> None:
    """Take a probe's result; one of an earlier round, or of a task that is over, is stale."""
    framework_id, task_id, kind = item.key
    executor = state.tasks.get((framework_id, task_id))
    task = executor.tasks.get(task_id) if executor is not None else None
    probe = task.probes.get(kind) if task is not None else None
    if executor is None or task is None or probe is None or task.state.is_terminal:
        return
    if probe.round != item.round:
        return
    if probe.kind == HEALTH:
        assert task.info.health_check is not None
        interval_s = task.info.health_check.interval_seconds
        _take_health(state, (executor, task, probe), item, now, out)
    else:
        assert task.info.check is not None
        interval_s = task.info.check.interval_seconds
        _take_check(state, (executor, task, probe), item, now, out)
    _later(executor, task, probe.kind, Instant(now + interval_s), out)


def _take_health(
    state: State,
    what: tuple[Executor, Task, Probe],
    item: ProbeDone,
    now: Instant,
    out: Outbox,
) -> None:
    executor, task, probe = what
    check = task.info.health_check
    assert check is not None
    if item.is_well:
        first = probe.is_healthy is not True
        probe.failures, probe.is_healthy, probe.has_been_healthy = 0, True, True
        if first:
            _report_health(state, executor, task, item, now, out)
        return
    in_grace = task.started_at is not None and now - task.started_at < check.grace_period_seconds
    if in_grace and not probe.has_been_healthy:
        return
    probe.failures += 1
    probe.is_healthy = False
    _report_health(state, executor, task, item, now, out)
    if probe.failures >= check.consecutive_failures > 0 and task.kill_state is None:
        task.kill_state = v1.TaskState.KILLED
        task.kill_message = f"Health check failed {probe.failures} times in a row: {item.detail}"
        tasks.end_command(state, executor, task, tasks.grace_of(task, None), now, out)


def _report_health(
    state: State, executor: Executor, task: Task, item: ProbeDone, now: Instant, out: Outbox
) -> None:
    status = v1.TaskStatus(
        task_id=task.info.task_id,
        state=v1.TaskState.RUNNING,
        source=v1.Source.EXECUTOR,
        reason=v1.Reason.TASK_HEALTH_CHECK_STATUS_UPDATED,
        healthy=item.is_well,
        message=None if item.is_well else item.detail,
    )
    reporting.report(state, executor, task, status, now, out)


def _take_check(
    state: State,
    what: tuple[Executor, Task, Probe],
    item: ProbeDone,
    now: Instant,
    out: Outbox,
) -> None:
    executor, task, probe = what
    check = task.info.check
    assert check is not None
    code = item.code if item.code is not None else int(item.is_well)
    if probe.last_code == code:
        return
    probe.last_code = code
    result = v1.CheckStatusInfo(type=check.type)
    if check.http is not None:
        result = codec.replace(result, http=CheckHttpStatus(status_code=item.code))
    elif check.tcp is not None:
        result = codec.replace(result, tcp=CheckTcpStatus(succeeded=item.is_well))
    else:
        result = codec.replace(result, command=CheckCommandStatus(exit_code=item.code))
    status = v1.TaskStatus(
        task_id=task.info.task_id,
        state=v1.TaskState.RUNNING,
        source=v1.Source.EXECUTOR,
        reason=v1.Reason.TASK_CHECK_STATUS_UPDATED,
        check_status=result,
    )
    reporting.report(state, executor, task, status, now, out)
