"""The first input: timers for what was loaded from the store, and a look at every app."""

from comity.core.effects import Outbox, SetTimer
from comity.core.instants import Instant
from comity.marathon.handlers import table
from comity.marathon.handlers.health import start_probes
from comity.marathon.handlers.losing import arm_unreachable
from comity.marathon.handlers.touching import touch_all
from comity.marathon.inputs import KillRetryDue, StagingExpired, Started
from comity.marathon.state import State


@table.on(Started)
def on_started(state: State, item: Started, now: Instant, out: Outbox) -> None:
    """Take up where the process before us stopped."""
    for instance in state.instances.values():
        if instance.condition == "Running":
            start_probes(state, instance, now, out)
        elif instance.condition == "Unreachable":
            arm_unreachable(state, instance, out)
        else:
            expiry = Instant(now + state.config.staging_timeout_s)
            out.timers.append(SetTimer(StagingExpired(instance.task_id), expiry))
        if instance.leaving:
            retry = Instant(now + state.config.kill_retry_s)
            out.timers.append(SetTimer(KillRetryDue(instance.task_id), retry))
    touch_all(state, now, out)
