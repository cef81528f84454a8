"""What becomes of operations: statuses from agents, acknowledgements, reconciliation.

Only an operation to which its framework gave an id is told of. All others, and those whose
framework is over, the master acknowledges itself (Mesos: Master::updateOperationStatus).
"""

from collections.abc import Iterable

from comity.core.effects import CloseStream, Outbox
from comity.core.ids import AgentId, FrameworkId
from comity.core.instants import Instant
from comity.master import operation_metrics
from comity.master.handlers import sending
from comity.master.state import Agent, Framework, Operation, State
from comity.wire.mesos import codec, link, scheduler, v1
from comity.wire.mesos.operations import OperationRecord, OperationState, OperationStatus

CLAIM_S = 600.0
"""How long an operation waits for its framework (MIN_WAIT_BEFORE_ORPHAN_OPERATION_ADOPTION)."""


def send(framework: Framework, status: OperationStatus, out: Outbox) -> None:
    """Send an operation's status to its scheduler."""
    body = scheduler.UpdateOperationStatusBody(status=status)
    event = scheduler.EventUpdateOperationStatus(update_operation_status=body)
    sending.to_framework(framework, event, out)


# from agents


def on_update(
    state: State, agent: Agent, call: link.UpdateOperation, now: Instant, out: Outbox
) -> None:
    """Record a status and pass it on; the agent repeats it until it is acknowledged."""
    operation = agent.operations.get(call.operation_uuid)
    if operation is None:
        _acknowledge(agent, call.operation_uuid, call.status, out)
        return
    if operation.status.state is not call.status.state:
        operation_metrics.count(state, operation.info.type, call.status.state)
    operation.status = call.status
    framework = _told(state, operation)
    if framework is not None:
        send(framework, call.status, out)
    elif not _may_be_claimed(state, agent, operation, now):
        _acknowledge(agent, operation.uuid, call.status, out)
        forget(state, operation)
    if call.status.state is not OperationState.FINISHED and agent.link is not None:
        # The agent has not got what was assumed here. Registering again, it says what it has.
        out.sends.append(CloseStream(agent.link))


def _told(state: State, operation: Operation) -> Framework | None:
    """Return the framework that is told of the operation, and has to acknowledge."""
    if operation.framework_id is None or operation.info.id is None:
        return None
    return state.frameworks.get(operation.framework_id)


def _may_be_claimed(state: State, agent: Agent, operation: Operation, now: Instant) -> bool:
    """Whether its framework may yet come back and be told, as after a failover of the master."""
    if operation.info.id is None or operation.framework_id not in state.unclaimed_operations:
        return False
    since = agent.registered_at if agent.reregistered_at is None else agent.reregistered_at
    return now < since + CLAIM_S


def _acknowledge(agent: Agent, uuid: bytes, status: OperationStatus, out: Outbox) -> None:
    if status.uuid is not None:
        event = link.EventAcknowledgeOperation(operation_uuid=uuid, status_uuid=status.uuid.value)
        sending.to_agent(agent, event, out)


def forget(state: State, operation: Operation) -> None:
    """Forget an operation that is over and known to be."""
    agent = state.agents.get(operation.agent_id)
    if agent is not None:
        agent.operations.pop(operation.uuid, None)
    if operation.framework_id in state.frameworks:
        state.frameworks[operation.framework_id].operations.pop(operation.uuid, None)
    elif operation.framework_id in state.unclaimed_operations:
        unclaimed = state.unclaimed_operations[operation.framework_id]
        unclaimed.pop(operation.uuid, None)
        if not unclaimed:
            del state.unclaimed_operations[operation.framework_id]


def recover(state: State, agent: Agent, brought: Iterable[OperationRecord], out: Outbox) -> None:
    """Make the operations of an agent that registers what it says they are."""
    known = {one.uuid.value: one for one in brought}
    for operation in [one for uuid, one in agent.operations.items() if uuid not in known]:
        if not operation.status.state.is_terminal:
            _end(state, operation, OperationState.DROPPED, "The agent never had it", out)
        forget(state, operation)
    for uuid, record in known.items():
        if uuid not in agent.operations:
            framework_id = FrameworkId(record.framework_id.value) if record.framework_id else None
            operation = Operation(
                uuid, record.info, agent.id, framework_id, status=record.latest_status
            )
            agent.operations[uuid] = operation
            if framework_id in state.frameworks:
                state.frameworks[framework_id].operations[uuid] = operation
            elif framework_id is not None and framework_id not in state.completed_frameworks:
                state.unclaimed_operations.setdefault(framework_id, {})[uuid] = operation


def lose(state: State, agent: Agent, found: OperationState, out: Outbox) -> None:
    """Tell frameworks that their operations went away with an agent."""
    for operation in list(agent.operations.values()):
        if not operation.status.state.is_terminal:
            _end(state, operation, found, "The agent was lost", out)
        forget(state, operation)


def _end(state: State, operation: Operation, found: OperationState, text: str, out: Outbox) -> None:
    operation_metrics.count(state, operation.info.type, found)
    framework = _told(state, operation)
    if framework is not None:
        status = OperationStatus(
            operation_id=operation.info.id,
            state=found,
            message=text,
            agent_id=v1.Id(value=operation.agent_id),
        )
        send(framework, status, out)


# from schedulers


def acknowledge(
    state: State,
    framework: Framework,
    call: scheduler.AcknowledgeOperationStatus,
    now: Instant,
    out: Outbox,
) -> str | None:
    """Pass an acknowledgement on; that of a terminal status lets the operation be forgotten."""
    body = call.acknowledge_operation_status
    if body.resource_provider_id is not None:
        return "There are no resource providers"
    operation = _of_id(framework, body.operation_id.value)
    if operation is None:
        return f"Operation {body.operation_id.value} is unknown"
    if body.agent_id is None or body.agent_id.value != operation.agent_id:
        return f"Operation {body.operation_id.value} is one of agent {operation.agent_id}"
    if operation.status.uuid is None or operation.status.uuid.value != body.uuid:
        return f"Operation {body.operation_id.value} has no status with this uuid"
    agent = state.agents[operation.agent_id]
    if agent.link is None:
        return f"Agent {agent.id} is disconnected: it will repeat the status when it is back"
    _acknowledge(agent, operation.uuid, operation.status, out)
    if operation.status.state.is_terminal:
        forget(state, operation)
    return None


def _of_id(framework: Framework, name: str) -> Operation | None:
    for operation in framework.operations.values():
        if operation.info.id is not None and operation.info.id.value == name:
            return operation
    return None


def reconcile(
    state: State,
    framework: Framework,
    call: scheduler.ReconcileOperations,
    now: Instant,
    out: Outbox,
) -> str | None:
    """Answer with the latest states: of the operations asked about, or of all with an id."""
    asked = call.reconcile_operations.operations
    if not asked:
        for operation in framework.operations.values():
            if operation.info.id is not None:
                send(framework, codec.replace(operation.status, uuid=None), out)
    for one in asked:
        send(framework, _known(state, framework, one), out)
    return None


def _known(
    state: State, framework: Framework, asked: scheduler.ReconcileOperation
) -> OperationStatus:
    """Return what is known of one operation (Mesos: Master::reconcileOperations, seven cases)."""
    operation = _of_id(framework, asked.operation_id.value)
    if operation is not None:
        return codec.replace(operation.status, uuid=None)
    agent_id = AgentId(asked.agent_id.value) if asked.agent_id is not None else None
    found, text = OperationState.UNKNOWN, "Operation is unknown"
    if agent_id in state.recovered_agents:
        found, text = OperationState.RECOVERING, "Agent is recovered but has not re-registered"
    elif agent_id in state.unreachable_agents:
        found, text = OperationState.UNREACHABLE, "Agent is unreachable"
    elif agent_id in state.gone_agents:
        found, text = OperationState.GONE_BY_OPERATOR, "Agent is marked gone"
    return OperationStatus(
        operation_id=asked.operation_id,
        state=found,
        message=f"Reconciliation: {text}",
        agent_id=asked.agent_id,
        resource_provider_id=asked.resource_provider_id,
    )
