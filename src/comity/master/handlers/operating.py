"""Operations on resources, from RESERVE to SHRINK_VOLUME: checked, done here, sent to the agent.

The master applies an operation before the agent has (as Mesos: "speculatively"): what it makes can
be used by the next operation of the same ACCEPT. Link messages keep their order, so the agent
applies it before it runs what uses it. An agent that registers again says what it really has.
"""

from comity.core.effects import Outbox
from comity.core.ids import AgentId
from comity.core.instants import Instant
from comity.master import operation_metrics, permissions
from comity.master.handlers import converting, feedback, sending
from comity.master.handlers.cycles import want_cycle
from comity.master.handlers.placing import Place
from comity.master.handlers.resizing import Asker, OperationInvalid
from comity.master.handlers.withdrawing import withdraw_offers
from comity.master.inputs import OperationRequested
from comity.master.state import Agent, Framework, Operation, State
from comity.master.table import table
from comity.resources.amounts import NOTHING, Resources
from comity.resources.operations import Conversion
from comity.wire.mesos import link, v1
from comity.wire.mesos.operations import OperationState, OperationStatus


def perform(
    state: State, framework: Framework, place: Place, operation: v1.Operation, out: Outbox
) -> None:
    """Perform a framework's operation on what is left of its offers."""
    asker = Asker(framework.info.principal, place.role)
    try:
        if not permissions.may_perform(state.acls, framework.info.principal, operation):
            raise OperationInvalid(f"Not authorized to {operation.type} as this principal")
        conversion = converting.conversion_of(operation, asker, place.agent.total)
        if not place.remaining.contains(conversion.consumed):
            raise OperationInvalid(
                f"Invalid {operation.type} operation: {converting.shown(place.remaining)} does not "
                f"contain {converting.shown(conversion.consumed)}"
            )
    except OperationInvalid as fault:
        refuse(framework, operation, str(fault), place.agent.id, out)
        operation_metrics.count(state, operation.type, OperationState.ERROR)
        place.dropped.append(f"{operation.type}: {fault}")
        return
    if operation.type in converting.RESIZING:
        place.remaining = place.remaining - conversion.consumed
        place.resized = place.resized + conversion.made
    else:
        place.remaining = conversion.applied_to(place.remaining)
    state.allocator.converted(place.agent.id, framework.id, place.role, conversion)
    _apply(state, place.agent, framework, (operation, conversion), out)


def refuse(
    framework: Framework, operation: v1.Operation, text: str, agent_id: AgentId | None, out: Outbox
) -> None:
    """Tell a framework that its operation is not performed, when it named the operation."""
    if operation.id is not None:
        status = OperationStatus(
            operation_id=operation.id,
            state=OperationState.ERROR,
            message=text,
            agent_id=v1.Id(value=agent_id) if agent_id is not None else None,
        )
        feedback.send(framework, status, out)


def _apply(
    state: State,
    agent: Agent,
    framework: Framework | None,
    what: tuple[v1.Operation, Conversion],
    out: Outbox,
) -> None:
    info, conversion = what
    agent.total = conversion.applied_to(agent.total)
    pending = OperationStatus(operation_id=info.id, state=OperationState.PENDING)
    operation = Operation(
        uuid=state.new_uuid(),
        info=info,
        agent_id=agent.id,
        framework_id=framework.id if framework is not None else None,
        status=pending,
    )
    agent.operations[operation.uuid] = operation
    if framework is not None:
        framework.operations[operation.uuid] = operation
    event = link.EventApplyOperation(
        operation_uuid=operation.uuid,
        info=info,
        framework_id=v1.Id(value=framework.id) if framework is not None else None,
    )
    sending.to_agent(agent, event, out)


@table.on(OperationRequested)
def on_operation_requested(
    state: State, item: OperationRequested, now: Instant, out: Outbox
) -> None:
    """Perform an operator's operation on free resources; offers are rescinded if need be."""
    agent = state.agents.get(item.agent_id)
    if agent is None:
        sending.refused(item.to, 400, "No agent found with specified ID", out)
        return
    try:
        conversion = converting.conversion_of(item.operation, Asker(item.principal), agent.total)
    except OperationInvalid as fault:
        text = f"Invalid {item.operation.type} operation on agent {agent.id}: {fault}"
        sending.refused(item.to, 400, text, out)
        return
    if agent.link is None:
        sending.refused(item.to, 409, f"Agent {agent.id} is disconnected", out)
    elif not _make_free(state, agent, conversion.consumed, out):
        text = f"Agent {agent.id} has less than that which nobody uses"
        sending.refused(item.to, 409, text, out)
    else:
        state.allocator.change_free(agent.id, conversion)
        _apply(state, agent, None, (item.operation, conversion), out)
        sending.accepted(item.to, out)
    want_cycle(state, now, out)


def _make_free(state: State, agent: Agent, wanted: Resources, out: Outbox) -> bool:
    """Rescind as many offers as it takes; none when it cannot be enough."""
    unused = agent.total.minus_what_there_is(agent.used)
    if not unused.contains(wanted):
        return False
    free = unused.minus_what_there_is(agent.offered)
    rescinded = []
    for offer in agent.offers.values():
        if free.contains(wanted):
            break
        if any(kind in dict(wanted) for kind, _ in offer.resources):
            rescinded.append(offer)
            free = free + offer.resources
    withdraw_offers(state, rescinded, out, tell=True)
    return True


def without_filter(left: Resources, offered: Resources) -> tuple[Resources, Resources]:
    """Split what an ACCEPT leaves into what was offered and what its operations made of it.

    Only the former is refused with the call's filter: what a framework reserved and did not use it
    is offered again at once (Mesos: Master::_accept, "implicitly declined").
    """
    held = {kind for kind, _ in offered}
    old = left.select(lambda kind: kind in held)
    new = left.select(lambda kind: kind not in held)
    return old, new or NOTHING
