"""Health checks and checks, which the agent makes in the place of Mesos's built-in executors.

Semantics of Mesos's src/checks: a health check's failures within the grace period before the first
success do not count; every failure after that and the first success are reported; as many failures
in a row as allowed end the task as killed and unhealthy. A check only reports, and only when its
result is another than before; no result, for a check that came to no end, is a result, too.
"""

import msgspec

from comity.agent.handlers import ending, outcomes, playing, probes, reporting
from comity.agent.inputs import ProbeDone, ProbeDue
from comity.agent.state import HEALTH, Ending, Executor, Probe, State, Task
from comity.agent.table import table
from comity.core.effects import Outbox, SetTimer
from comity.core.instants import Instant
from comity.wire.mesos import v1
from comity.wire.mesos.checks import (
    CheckCommandStatus,
    CheckHttpStatus,
    CheckTcpStatus,
)

Probed = tuple[Executor, Task, Probe]


@table.on(ProbeDue)
def on_probe_due(state: State, item: ProbeDue, now: Instant, out: Outbox) -> None:
    """Probe a task that still runs."""
    executor = state.tasks.get((item.framework_id, item.task_id))
    task = executor.tasks.get(item.task_id) if executor is not None else None
    if executor is None or task is None or task.state.is_terminal or item.kind not in task.probes:
        return
    probe = task.probes[item.kind]
    probe.round += 1
    out.launches.append(probes.describe(state, executor, task, probe))


@table.on(ProbeDone)
def on_probe_done(state: State, item: ProbeDone, now: Instant, out: Outbox) -> None:
    """Take a probe's result; one of an earlier round, or of a task that ends, is stale."""
    framework_id, task_id, kind = item.key
    executor = state.tasks.get((framework_id, task_id))
    task = executor.tasks.get(task_id) if executor is not None else None
    probe = task.probes.get(kind) if task is not None else None
    if executor is None or task is None or probe is None or task.state.is_terminal:
        return
    if probe.round != item.round:
        return
    if kind == HEALTH:
        check: v1.HealthCheck | v1.CheckInfo | None = task.info.health_check
        _take_health(state, (executor, task, probe), item, now, out)
    else:
        check = task.info.check
        _take_check(state, (executor, task, probe), item, now, out)
    if check is not None and kind in task.probes:
        due = ProbeDue(framework_id, task_id, kind)
        out.timers.append(SetTimer(due, Instant(now + check.interval_seconds)))


def _take_health(state: State, what: Probed, item: ProbeDone, now: Instant, out: Outbox) -> None:
    executor, task, probe = what
    check = task.info.health_check
    assert check is not None
    if item.is_well:
        first = not probe.is_healthy
        probe.failures, probe.is_healthy, probe.has_been_healthy = 0, True, True
        if first:
            reporting.report(state, executor, task, _health(task, item), now, out)
        return
    in_grace = task.started_at is not None and now - task.started_at <= check.grace_period_seconds
    if in_grace and not probe.has_been_healthy and check.grace_period_seconds > 0:
        return
    probe.failures += 1
    probe.is_healthy = False
    reporting.report(state, executor, task, _health(task, item), now, out)
    if probe.failures >= check.consecutive_failures:
        task.is_unhealthy = True
        how = (Ending(v1.TaskState.KILLED), ending.grace_of(state, task, None))
        playing.end_task(state, executor, task, how, now, out)


def _health(task: Task, item: ProbeDone) -> v1.TaskStatus:
    return msgspec.structs.replace(
        _last(task),
        reason=v1.Reason.TASK_HEALTH_CHECK_STATUS_UPDATED,
        healthy=item.is_well,
        message=None if item.is_well else item.detail,
    )


def _take_check(state: State, what: Probed, item: ProbeDone, now: Instant, out: Outbox) -> None:
    executor, task, _ = what
    check = task.info.check
    assert check is not None
    last = _last(task)
    result = _result(check, item)
    if result == (last.check_status or outcomes.no_result(check)):
        return
    status = msgspec.structs.replace(
        last, reason=v1.Reason.TASK_CHECK_STATUS_UPDATED, check_status=result, message=None
    )
    reporting.report(state, executor, task, status, now, out)


def _result(check: v1.CheckInfo, item: ProbeDone) -> v1.CheckStatusInfo:
    """Return a check's result; a connection that is refused is one of TCP, not of HTTP."""
    result = outcomes.no_result(check)
    if check.type == "TCP" and not item.is_timeout:
        return msgspec.structs.replace(result, tcp=CheckTcpStatus(succeeded=item.is_well))
    if check.type == "HTTP" and item.code is not None:
        return msgspec.structs.replace(result, http=CheckHttpStatus(status_code=item.code))
    if check.type == "COMMAND" and item.code is not None:
        return msgspec.structs.replace(result, command=CheckCommandStatus(exit_code=item.code))
    return result


def _last(task: Task) -> v1.TaskStatus:
    """Return the last status as a base for the next: it keeps the other probe's result."""
    last = reporting.last_status(task)
    assert last is not None
    return msgspec.structs.replace(last, uuid=None, timestamp=None, message=None)
