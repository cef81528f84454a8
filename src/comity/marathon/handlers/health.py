"""Health: our own probes (HTTP, HTTPS, TCP) and the agents' (COMMAND, MESOS_*), and the kill rule.

A failure before the first success does not count within the grace period. `maxConsecutiveFailures`
failures in a row end the task; zero means never, for our own probes. Until an instance has been
well for the first time it is probed sooner than its interval says (1, 2, 4 … s, at most the
interval), so that a deployment does not wait a minute for a service that starts in a second.
"""

import msgspec

from comity.core.effects import Outbox, SetTimer
from comity.core.instants import Instant
from comity.marathon import networking
from comity.marathon.handlers import table
from comity.marathon.handlers.events import emit
from comity.marathon.handlers.killing import Cause, kill, record_failure
from comity.marathon.handlers.touching import touch
from comity.marathon.inputs import ProbeDue, ProbeFinished
from comity.marathon.outbox import Probe
from comity.marathon.state import Health, Instance, State
from comity.wire.marathon.apps import App, HealthCheck
from comity.wire.mesos import v1

_FIRST_PROBE_S = 1.0


def start_probes(state: State, instance: Instance, now: Instant, out: Outbox) -> None:
    """Begin to watch an instance that runs: also after a restart of Marathon."""
    app = state.spec_of(instance)
    if app is None or not app.health_checks:
        return
    state.healths[instance.task_id] = [Health() for _ in app.health_checks]
    for index, check in enumerate(app.health_checks):
        if check.is_probed:
            first = Instant(now + min(_FIRST_PROBE_S, check.interval_seconds))
            out.timers.append(SetTimer(ProbeDue(instance.task_id, index), first))


@table.on(ProbeDue)
def on_probe_due(state: State, item: ProbeDue, now: Instant, out: Outbox) -> None:
    """Launch a probe; for a task that does not run any more there is none."""
    instance = state.instances.get(item.task_id)
    found = _watched(state, instance, item.check)
    if instance is None or found is None or instance.condition != "Running" or instance.leaving:
        return
    app, check, health = found
    at = (instance.host, instance.addresses)
    target = networking.checked(app, check, instance.ports, at)
    if health.probing or target is None:
        return
    health.probing = True
    out.launches.append(
        Probe(
            task_id=item.task_id,
            check=item.check,
            protocol=check.protocol,
            host=target.host,
            port=target.port,
            path=check.path or "/",
            timeout_s=float(check.timeout_seconds),
        )
    )


@table.on(ProbeFinished)
def on_probe_finished(state: State, item: ProbeFinished, now: Instant, out: Outbox) -> None:
    """Take in a result and set the time of the next probe; a task that has ended needs neither."""
    instance = state.instances.get(item.task_id)
    found = _watched(state, instance, item.check)
    if instance is None or found is None:
        return
    app, check, health = found
    health.probing = False
    health.probes += 1
    interval_s = max(0.1, float(check.interval_seconds))
    if health.first_success is None and item.cause is not None:
        interval_s = min(interval_s, _FIRST_PROBE_S * 2.0 ** min(health.probes - 1, 16))
    out.timers.append(SetTimer(ProbeDue(item.task_id, item.check), Instant(now + interval_s)))
    if instance.condition != "Running" or instance.leaving:
        return
    if item.cause is None:
        _passed(state, instance, health, now, out)
    else:
        _failed(state, instance, (app, check, health), item.cause, now, out)


def on_agent_health(
    state: State, instance: Instance, status: v1.TaskStatus, now: Instant, out: Outbox
) -> None:
    """Take in what an agent has found; it ends sick tasks by itself."""
    app = state.spec_of(instance)
    checks = app.health_checks if app else ()
    index = next((at for at, one in enumerate(checks) if not one.is_probed), None)
    found = _watched(state, instance, index) if index is not None else None
    if found is None:
        return
    _, check, health = found
    if status.healthy:
        _passed(state, instance, health, now, out)
        return
    _note_failure(state, instance, health, status.message or "unhealthy", now, out)
    _failed_event(state, instance, check, now, out)


def _watched(
    state: State, instance: Instance | None, index: int
) -> tuple[App, HealthCheck, Health] | None:
    """Return the definition, the check and its results, while all three exist."""
    app = state.spec_of(instance) if instance is not None else None
    if instance is None or not isinstance(app, App) or index >= len(app.health_checks):
        return None
    healths = state.healths.get(instance.task_id)
    if healths is None or index >= len(healths):
        return None
    return app, app.health_checks[index], healths[index]


def _passed(state: State, instance: Instance, health: Health, now: Instant, out: Outbox) -> None:
    was_alive = health.alive
    health.alive = True
    health.consecutive_failures = 0
    health.first_success = health.first_success or now
    health.last_success = now
    if not was_alive:
        _alive_changed(state, instance, now, out, alive=True)


def _failed(
    state: State,
    instance: Instance,
    watched: tuple[App, HealthCheck, Health],
    cause: str,
    now: Instant,
    out: Outbox,
) -> None:
    _, check, health = watched
    started = instance.started_at or now
    if health.first_success is None and now < started + check.grace_period_seconds:
        return
    _note_failure(state, instance, health, cause, now, out)
    _failed_event(state, instance, check, now, out)
    if 0 < check.max_consecutive_failures <= health.consecutive_failures:
        _end_sick(state, instance, cause, now, out)


def _note_failure(
    state: State, instance: Instance, health: Health, cause: str, now: Instant, out: Outbox
) -> None:
    was_alive = health.alive
    health.alive = False
    health.consecutive_failures += 1
    health.last_failure = now
    health.last_failure_cause = cause
    if was_alive:
        _alive_changed(state, instance, now, out, alive=False)


def _failed_event(
    state: State, instance: Instance, check: HealthCheck, now: Instant, out: Outbox
) -> None:
    emit(
        state,
        now,
        out,
        "failed_health_check_event",
        appId=instance.app_id,
        taskId=instance.instance_id,
        healthCheck=msgspec.to_builtins(check),
    )


def _alive_changed(
    state: State, instance: Instance, now: Instant, out: Outbox, *, alive: bool
) -> None:
    touch(state, instance.app_id, now, out)
    emit(
        state,
        now,
        out,
        "health_status_changed_event",
        appId=instance.app_id,
        instanceId=instance.instance_id,
        version=instance.version,
        alive=alive,
    )
    emit(
        state,
        now,
        out,
        "instance_health_changed_event",
        instanceId=instance.instance_id,
        runSpecId=instance.app_id,
        healthy=alive,
        runSpecVersion=instance.version,
    )


def _end_sick(state: State, instance: Instance, cause: str, now: Instant, out: Outbox) -> None:
    emit(
        state,
        now,
        out,
        "unhealthy_instance_kill_event",
        appId=instance.app_id,
        taskId=instance.task_id,
        instanceId=instance.instance_id,
        version=instance.version,
        reason=cause,
        host=instance.host,
        slaveId=instance.agent_id,
    )
    text = f"Task was killed since health check failed. Reason: {cause}"
    record_failure(state, instance, Cause("TASK_KILLED", text), now, out)
    kill(state, instance, now, out)
