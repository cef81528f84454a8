"""Operations on the agent's resources: stored, then done, then reported until acknowledged.

What counts is what is stored: directories of persistent volumes follow it (`KeepVolumes`), after a
restart, too.
"""

from pathlib import Path

from comity.agent import building, checkpoints
from comity.agent.inputs import OperationRetryDue
from comity.agent.outbox import EmptyDisk, KeepVolumes, ToMaster
from comity.agent.state import Operation, State
from comity.agent.table import table
from comity.core.effects import Outbox, SetTimer
from comity.core.ids import FrameworkId
from comity.core.instants import Instant
from comity.resources import operations
from comity.resources.amounts import Resources, Source
from comity.wire.mesos import link, resources, v1
from comity.wire.mesos.operations import UUID, OperationState, OperationStatus

RETRY_FIRST_S = 10.0
RETRY_MAX_S = 600.0


def apply(state: State, event: link.EventApplyOperation, now: Instant, out: Outbox) -> None:
    """Apply an operation that the master has found valid."""
    if event.operation_uuid in state.operations:
        return  # the master repeats itself after a break
    fault = _convert(state, event.info, out)
    operation = Operation(
        uuid=event.operation_uuid,
        info=event.info,
        framework_id=FrameworkId(event.framework_id.value) if event.framework_id else None,
        status=OperationStatus(
            operation_id=event.info.id,
            state=OperationState.FINISHED if fault is None else OperationState.DROPPED,
            message=fault,
            uuid=UUID(value=state.new_uuid()),
            agent_id=v1.Id(value=state.id),
        ),
    )
    state.operations[operation.uuid] = operation
    checkpoints.save_operation(operation, out)
    _forward(state, operation, now, out)


def _convert(state: State, info: v1.Operation, out: Outbox) -> str | None:
    """Change the agent's resources; return why it is not possible, if it is not."""
    conversion = resources.conversion_of(info)
    if conversion is None or not state.total.contains(conversion.consumed):
        return "The agent does not have the resources that the operation is about"
    state.total = conversion.applied_to(state.total)
    checkpoints.save_resources(state, out)
    keep_volumes(state, out)
    if info.destroy is not None:
        _empty_mounts(conversion.consumed, out)
    return None


def _empty_mounts(destroyed: Resources, out: Outbox) -> None:
    """Delete what is in mounted disks whose volume is no more; the disks themselves stay."""
    for kind, _ in destroyed:
        source = kind.disk.source if kind.disk is not None else None
        if source is not None and source.type == "MOUNT":
            out.launches.append(EmptyDisk(Path(source.root)))


def lacks(state: State, wanted: Resources) -> bool:
    """Whether something wants reservations or volumes that are not here."""
    special = operations.checkpointed(wanted)
    return bool(special) and not state.total.contains(special)


def keep_volumes(state: State, out: Outbox) -> None:
    """Let the directories of persistent volumes be what the agent's resources say."""
    sources: dict[Source | None, None] = {None: None}
    paths = []
    for kind, _ in state.total:
        source = kind.disk.source if kind.disk is not None else None
        if source is not None and source.type == "MOUNT":
            continue
        sources[source] = None
        if kind.volume:
            paths.append(building.volume_path(state, kind))
    roots = tuple(building.volumes_root(state, source) for source in sources)
    out.launches.append(KeepVolumes(roots, tuple(paths)))


def _forward(
    state: State, operation: Operation, now: Instant, out: Outbox, delay_s: float = RETRY_FIRST_S
) -> None:
    if state.is_linked:
        framework_id = operation.framework_id
        call = link.UpdateOperation(
            operation_uuid=operation.uuid,
            status=operation.status,
            framework_id=v1.Id(value=framework_id) if framework_id is not None else None,
        )
        out.launches.append(ToMaster(call))
    retry = OperationRetryDue(operation.uuid, delay_s)
    out.timers.append(SetTimer(retry, Instant(now + delay_s)))


@table.on(OperationRetryDue)
def on_operation_retry_due(
    state: State, item: OperationRetryDue, now: Instant, out: Outbox
) -> None:
    """Repeat a status that has not been acknowledged; a stale timer does nothing."""
    operation = state.operations.get(item.uuid)
    if operation is not None:
        _forward(state, operation, now, out, min(item.delay_s * 2, RETRY_MAX_S))


def acknowledge(state: State, event: link.EventAcknowledgeOperation, out: Outbox) -> None:
    """Forget an operation whose outcome is known where it was asked for."""
    operation = state.operations.get(event.operation_uuid)
    if operation is None or operation.status.uuid is None:
        return
    if operation.status.uuid.value == event.status_uuid:
        del state.operations[operation.uuid]
        checkpoints.drop_operation(operation, out)


def resend_all(state: State, now: Instant, out: Outbox) -> None:
    """Send every status again: the master may be another."""
    for operation in state.operations.values():
        _forward(state, operation, now, out)
