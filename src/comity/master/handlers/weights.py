"""Weights of roles: how much of the cluster a role should get compared with its siblings."""

from comity.core.effects import Outbox, Write
from comity.core.instants import Instant
from comity.master.handlers import rebalancing, sending
from comity.master.handlers.cycles import want_cycle
from comity.master.inputs import WeightsUpdated
from comity.master.state import State
from comity.master.table import table
from comity.policy import roles
from comity.wire.mesos.quota import WeightInfo


@table.on(WeightsUpdated)
def on_weights_updated(state: State, item: WeightsUpdated, now: Instant, out: Outbox) -> None:
    """UPDATE_WEIGHTS: all or none; offers are rescinded so that the new shares show at once."""
    for info in item.infos:
        fault = _fault_of(info)
        if fault is not None:
            text = f"Failed to validate update weights request: {fault}"
            sending.refused(item.to, 400, text, out)
            return
    for info in item.infos:
        assert info.role is not None
        state.weights[info.role] = info.weight
        out.writes.append(Write(key_of(info.role), repr(info.weight).encode()))
    changed = {info.role: info.weight for info in item.infos if info.role is not None}
    rebalancing.set_weights(state, changed, out)
    want_cycle(state, now, out)
    sending.refused(item.to, 200, "", out)


def key_of(role: str) -> str:
    """Return a role's registry key."""
    return f"weights/{role}"


def _fault_of(info: WeightInfo) -> str | None:
    if not info.role:
        return "a weight needs a role"
    fault = roles.fault_of(info.role)
    if fault is not None:
        return f"Invalid role '{info.role}': {fault}"
    if not 0 < info.weight < float("inf"):
        return f"Invalid weight '{info.weight:g}' for role '{info.role}': Weights must be positive"
    return None
