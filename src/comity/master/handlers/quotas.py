"""Quota of roles: validated, stored, told to the allocator; offers in the way are rescinded.

The rules are Mesos's (src/master/quota.cpp, quota_handler.cpp). A request is done whole or not at
all. SET_QUOTA and REMOVE_QUOTA are the deprecated forms: one guarantee that is the limit, too.
"""

from collections.abc import Iterable, Mapping

from comity.core.effects import Outbox, Write
from comity.core.instants import Instant
from comity.master.handlers import rebalancing, sending
from comity.master.handlers.cycles import want_cycle
from comity.master.inputs import QuotaRemoved, QuotaSet, QuotaUpdated
from comity.master.state import State
from comity.master.table import table
from comity.policy import roles
from comity.resources.amounts import milli
from comity.wire.mesos import codec, v1
from comity.wire.mesos.quota import QuotaConfig, QuotaRequest

_EXABYTE_MB = 1024.0**4
_TRILLION = 1e12

Quantities = Mapping[str, int]
"""Thousandths of scalars by name."""


@table.on(QuotaUpdated)
def on_quota_updated(state: State, item: QuotaUpdated, now: Instant, out: Outbox) -> None:
    """UPDATE_QUOTA: set guarantees and limits of roles, all or none."""
    fault = _fault_of(state, item.configs, force=item.force)
    if fault is not None:
        sending.refused(item.to, 400, f"Invalid QuotaConfig: {fault}", out)
        return
    for config in item.configs:
        _apply(state, config, out)
    want_cycle(state, now, out)
    sending.refused(item.to, 200, "", out)


def _fault_of(state: State, configs: Iterable[QuotaConfig], *, force: bool) -> str | None:
    for config in configs:
        fault = _shape_fault(config)
        if fault is not None:
            return fault
    if force:
        return None
    for config in configs:
        consumed = rebalancing.consumed(state, config.role)
        if not _limits_contain(_quantities(config.limits), consumed):
            return (
                f"Role '{config.role}' is already consuming '{_shown(consumed)}'; this is more "
                f"than the requested limits '{_shown(_quantities(config.limits))}' "
                "(use 'force' flag to bypass this check)"
            )
    return _overcommit(state, configs)


def _shape_fault(config: QuotaConfig) -> str | None:
    if "/" in config.role:
        return f"Updating quota on nested role '{config.role}' is not supported yet"
    fault = roles.fault_of(config.role)
    if fault is not None:
        return f"Invalid 'QuotaConfig.role': {fault}"
    for what, amounts in (("guarantee", config.guarantees), ("limit", config.limits)):
        for name, scalar in amounts.items():
            most = _EXABYTE_MB if name in ("mem", "disk") else _TRILLION
            if not 0 <= scalar.value <= most:
                return (
                    f"Invalid {what} configuration {{'{name}': {scalar.value:g}}}: "
                    f"not an amount between 0 and {most:g}"
                )
    if not _limits_contain(_quantities(config.limits), _quantities(config.guarantees)):
        return "'QuotaConfig.guarantees' is not contained within the 'QuotaConfig.limits'"
    return None


def _overcommit(state: State, configs: Iterable[QuotaConfig]) -> str | None:
    """Return why guarantees cannot be kept: together they are more than the cluster has."""
    wanted = {**state.quotas, **{one.role: one for one in configs}}
    total: dict[str, int] = {}
    for one in wanted.values():
        for name, amount in _quantities(one.guarantees).items():
            total[name] = total.get(name, 0) + amount
    capacity = {
        name: sum(agent.total.milli_of(name) for agent in state.agents.values()) for name in total
    }
    if all(amount <= capacity[name] for name, amount in total.items()):
        return None
    return (
        f"total quota guarantees '{_shown(total)}' exceed cluster capacity '{_shown(capacity)}' "
        "(use 'force' flag to bypass this check)"
    )


def _quantities(amounts: Mapping[str, v1.Scalar]) -> dict[str, int]:
    return {name: milli(scalar.value) for name, scalar in amounts.items()}


def _limits_contain(limits: Quantities, held: Quantities) -> bool:
    """Whether what is held is within limits; names without one are not limited."""
    return all(held.get(name, 0) <= limit for name, limit in limits.items())


def _shown(amounts: Quantities) -> str:
    return "; ".join(f"{name}:{amount / 1000:g}" for name, amount in sorted(amounts.items()))


def key_of(role: str) -> str:
    """Return a role's registry key."""
    return f"quotas/{role}"


def _apply(state: State, config: QuotaConfig, out: Outbox) -> None:
    if config.guarantees or config.limits:
        state.quotas[config.role] = config
        out.writes.append(Write(key_of(config.role), codec.encode(config)))
    else:
        state.quotas.pop(config.role, None)
        out.writes.append(Write(key_of(config.role), None))
    guarantees, limits = _quantities(config.guarantees), _quantities(config.limits)
    rebalancing.set_quota(state, config.role, guarantees, limits, out)


def tell_allocator(state: State, config: QuotaConfig) -> None:
    """Let the allocator keep a role's quota."""
    state.allocator.set_quota(
        config.role, _quantities(config.guarantees), _quantities(config.limits)
    )


# the deprecated forms


@table.on(QuotaSet)
def on_quota_set(state: State, item: QuotaSet, now: Instant, out: Outbox) -> None:
    """SET_QUOTA: guarantee a role something, which is its limit, too."""
    request = item.request
    fault = _request_fault(state, request)
    if fault is not None:
        sending.refused(item.to, 400, f"Failed to validate set quota request: {fault}", out)
        return
    amounts = {one.name: one.scalar for one in request.guarantee if one.scalar is not None}
    config = QuotaConfig(role=request.role or "", guarantees=amounts, limits=amounts)
    fault = None if request.force else _overcommit(state, (config,))
    if fault is not None:
        text = f"Heuristic capacity check for set quota request failed: {fault}"
        sending.refused(item.to, 409, text, out)
        return
    _apply(state, config, out)
    want_cycle(state, now, out)
    sending.refused(item.to, 200, "", out)


def _request_fault(state: State, request: QuotaRequest) -> str | None:
    if not request.role:
        return "QuotaInfo must specify a role"
    if request.role in state.quotas:
        return f"Can not set quota for a role that already has quota: '{request.role}'"
    if not request.guarantee:
        return "QuotaInfo with empty 'guarantee'"
    names = [one.name for one in request.guarantee]
    if len(set(names)) < len(names):
        return "QuotaInfo contains duplicate resource name"
    for one in request.guarantee:
        if one.type != "SCALAR" or one.scalar is None:
            return "QuotaInfo must not include non-scalar resources"
        if one.reservation is not None or one.reservations:
            return "QuotaInfo must not contain any ReservationInfo"
        if one.disk is not None or one.revocable is not None:
            return "QuotaInfo must not contain DiskInfo or RevocableInfo"
    amounts = {one.name: one.scalar for one in request.guarantee if one.scalar is not None}
    return _shape_fault(QuotaConfig(role=request.role, guarantees=amounts, limits=amounts))


@table.on(QuotaRemoved)
def on_quota_removed(state: State, item: QuotaRemoved, now: Instant, out: Outbox) -> None:
    """REMOVE_QUOTA: let a role be without quota."""
    if item.role not in state.quotas:
        text = f"Failed to remove quota: Role '{item.role}' has no quota set"
        sending.refused(item.to, 400, text, out)
        return
    _apply(state, QuotaConfig(role=item.role), out)
    want_cycle(state, now, out)
    sending.refused(item.to, 200, "", out)
