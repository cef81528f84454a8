"""What schedulers do with offers: accept, decline, ask for more, ask for none."""

from comity.core.effects import Outbox
from comity.core.ids import AgentId, OfferId
from comity.core.instants import Instant
from comity.master.handlers import launching, operating, sending
from comity.master.handlers.converting import CONVERTING
from comity.master.handlers.cycles import want_cycle
from comity.master.handlers.placing import Place
from comity.master.handlers.withdrawing import forget_offer, withdraw_offers
from comity.master.state import Framework, Offer, State
from comity.policy.allocator import Refusal, expiry
from comity.resources.amounts import NOTHING, Resources
from comity.wire.mesos import scheduler, v1

REFUSE_DEFAULT_S = 5.0
REFUSE_MAX_S = 365 * 86400.0


_LAUNCHING = frozenset({"LAUNCH", "LAUNCH_GROUP"})


def unsupported(call: scheduler.Accept) -> str | None:
    """Return what an ACCEPT asks for that this master cannot do, or None."""
    for operation in call.accept.operations:
        if operation.type not in _LAUNCHING | CONVERTING:
            return (
                f"operation {operation.type or 'without type'} is not supported; "
                f"these are: {', '.join(sorted(_LAUNCHING | CONVERTING))}"
            )
    return None


def accept(
    state: State, framework: Framework, call: scheduler.Accept, now: Instant, out: Outbox
) -> str | None:
    """Run the operations on the offers' resources; refuse what is left."""
    body = call.accept
    offer_ids = [OfferId(one.value) for one in body.offer_ids]
    offers = [state.offers[one] for one in offer_ids if one in state.offers]
    fault = _fault_of(state, framework, offer_ids)
    if fault is not None:
        own = {offer.id: offer for offer in offers if offer.framework_id == framework.id}
        withdraw_offers(state, own.values(), out, tell=False)
        _drop_operations(framework, body.operations, fault, now, out)
        want_cycle(state, now, out)
        return fault
    place = Place(state.agents[offers[0].agent_id], offers[0].role, NOTHING)
    for offer in offers:
        place.remaining = place.remaining + offer.resources
        forget_offer(state, offer)
    offered = place.remaining
    framework.count("offers/accepted" if body.operations else "offers/declined", len(offers))
    for operation in body.operations:
        _run(state, framework, place, operation, now, out)
    old, new = operating.without_filter(place.remaining, offered)
    is_progress = len(place.dropped) < len(body.operations)
    refuse_s = _refusal_s(state, body.filters, now, is_progress)
    _give_back(state, framework, (place.agent.id, place.role, old), refuse_s, now)
    _give_back(state, framework, (place.agent.id, place.role, new + place.resized), 0.0, now)
    want_cycle(state, now, out)
    return "; ".join(place.dropped) or None


def _fault_of(state: State, framework: Framework, offer_ids: list[OfferId]) -> str | None:
    if not offer_ids:
        return "No offers specified"
    if len(set(offer_ids)) != len(offer_ids):
        return "Duplicate offer in offer list"
    offers: list[Offer] = []
    for offer_id in offer_ids:
        offer = state.offers.get(offer_id)
        if offer is None or offer.framework_id != framework.id:
            return f"Offer {offer_id} is no longer valid"
        offers.append(offer)
    if len({offer.agent_id for offer in offers}) > 1:
        return "Aggregated offers must belong to one single agent"
    if len({offer.role for offer in offers}) > 1:
        return "Aggregated offers must be allocated to the same role"
    if state.agents[offers[0].agent_id].link is None:
        return f"Agent {offers[0].agent_id} is disconnected"
    return None


def _drop_operations(
    framework: Framework,
    operations: tuple[v1.Operation, ...],
    fault: str,
    now: Instant,
    out: Outbox,
) -> None:
    lost = v1.TaskState.DROPPED if framework.is_partition_aware else v1.TaskState.LOST
    for operation in operations:
        if operation.type in CONVERTING:
            operating.refuse(framework, operation, f"Invalid offers: {fault}", None, out)
        for task in launching.tasks_of(operation):
            status = sending.master_status(
                task.task_id.value,
                lost,
                v1.Reason.INVALID_OFFERS,
                f"Task launched with invalid offers: {fault}",
                now,
                agent_id=task.agent_id.value,
            )
            sending.update(framework, status, out)


def _run(
    state: State,
    framework: Framework,
    place: Place,
    operation: v1.Operation,
    now: Instant,
    out: Outbox,
) -> None:
    """Run one operation on what is left."""
    if operation.type in CONVERTING:
        operating.perform(state, framework, place, operation, out)
    else:
        launching.launch(state, framework, place, operation, now, out)


def decline(
    state: State, framework: Framework, call: scheduler.Decline, now: Instant, out: Outbox
) -> str | None:
    """Refuse offers for a while; ids that are not its offers are passed over."""
    stale = []
    refuse_s = _refusal_s(state, call.decline.filters, now, is_progress=False)
    for one in call.decline.offer_ids:
        offer = framework.offers.get(OfferId(one.value))
        if offer is None:
            stale.append(one.value)
            continue
        framework.count("offers/declined")
        forget_offer(state, offer)
        what = (offer.agent_id, offer.role, offer.resources)
        _give_back(state, framework, what, refuse_s, now)
    want_cycle(state, now, out)
    return f"No longer valid: offers {', '.join(stale)}" if stale else None


def _refusal_s(state: State, filters: v1.Filters | None, now: Instant, is_progress: bool) -> float:
    """Return for how long what is left is not offered to this framework again."""
    seconds = REFUSE_DEFAULT_S if filters is None else filters.refuse_seconds
    if seconds < 0:
        seconds = REFUSE_DEFAULT_S
    if seconds > 0:
        # A filter must outlive the next cycle, or it would do nothing.
        return min(max(seconds, state.config.allocation_interval_s), REFUSE_MAX_S)
    # No filter. Who launched gets the rest at once; who only declined gets it with the next full
    # cycle, as in Mesos: at once, a framework without work would decline in an endless loop.
    return 0.0 if is_progress else state.next_cycle_at - now


def _give_back(
    state: State,
    framework: Framework,
    what: tuple[AgentId, str, Resources],
    refuse_s: float,
    now: Instant,
) -> None:
    agent_id, role, resources = what
    if not resources:
        return
    if refuse_s > 0:
        refusal = Refusal(resources, expiry(now, refuse_s))
        state.allocator.refuse(agent_id, framework.id, role, refusal)
    state.allocator.released(agent_id, framework.id, role, resources)


def revive(
    state: State, framework: Framework, call: scheduler.Revive, now: Instant, out: Outbox
) -> str | None:
    """Offer again, everything, at once. A role that is not its own drops the whole call."""
    roles = call.revive.roles or framework.roles
    fault = _foreign_role(framework, roles)
    if fault is None:
        framework.suppressed -= set(roles)
        state.allocator.revive(framework.id, roles)
        want_cycle(state, now, out)
    return fault


def _foreign_role(framework: Framework, roles: tuple[str, ...]) -> str | None:
    foreign = [role for role in roles if role not in framework.roles]
    return f"The framework is not subscribed to role '{foreign[0]}'" if foreign else None


def suppress(
    state: State, framework: Framework, call: scheduler.Suppress, now: Instant, out: Outbox
) -> str | None:
    """Offer nothing until REVIVE. A role that is not its own drops the whole call."""
    roles = call.suppress.roles or framework.roles
    fault = _foreign_role(framework, roles)
    if fault is None:
        framework.suppressed |= set(roles)
        state.allocator.suppress(framework.id, roles)
    return fault
