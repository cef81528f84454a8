"""The agent's durable form: keys and values of its store, written and read back.

Keys: `agent`, `frameworks/F`, `executors/F/E`, `tasks/F/E/T`, `containers/C` (nested ones),
`resources` (what operations made of the agent's), `operations/U` (not yet acknowledged), `drain`.
Ids are percent-encoded where they could hold a slash; user ids never do.
"""

from collections import deque
from pathlib import Path
from typing import TypeVar

import msgspec
from msgspec import Struct

from comity.agent.state import (
    Container,
    Ending,
    Executor,
    Operation,
    PendingUpdate,
    State,
    Task,
)
from comity.core.containers import Spec
from comity.core.effects import Outbox, Write
from comity.core.errors import InvariantViolated, UserError
from comity.core.ids import ExecutorId, FrameworkId, TaskId
from comity.core.instants import Instant
from comity.core.networks import Joined
from comity.resources import operations
from comity.wire.mesos import codec, resources, v1
from comity.wire.mesos.maintenance import DrainConfig
from comity.wire.mesos.operations import UUID, OperationRecord

_T = TypeVar("_T")
_encoder = msgspec.json.Encoder(enc_hook=str)  # a Path is stored as its text


def _decode(value: bytes, kind: type[_T]) -> _T:
    return msgspec.json.decode(value, type=kind, dec_hook=lambda wanted, text: wanted(text))


class SavedTask(Struct):
    """A task as it is stored."""

    info: v1.TaskInfo
    state: v1.TaskState
    statuses: list[v1.TaskStatus]
    pending: list[PendingUpdate]
    queued: bool
    container_id: str = ""
    group: int = 0
    started_at: float | None = None
    ending: Ending | None = None
    is_unhealthy: bool = False


class SavedContainer(Struct):
    """A container as it is stored, without its environment when it has ended."""

    id: str
    wire_id: v1.ContainerID
    spec: Spec
    has_image: bool
    phase: str
    status: int | None
    oom: bool
    has_process: bool = True
    failure: str | None = None
    joined: tuple[Joined, ...] = ()


class SavedExecutor(Struct):
    """An executor as it is stored."""

    info: v1.ExecutorInfo
    container: SavedContainer
    directory: str
    is_command: bool
    started_at: float
    groups: int = 0
    has_reported: bool = False
    is_orphaned: bool = False


def save_framework(state: State, framework_id: FrameworkId, out: Outbox) -> None:
    """Store a framework, or forget it."""
    info = state.frameworks.get(framework_id)
    value = codec.encode(info) if info is not None else None
    out.writes.append(Write(f"frameworks/{framework_id}", value))


def save_executor(state: State, executor: Executor, out: Outbox) -> None:
    """Store an executor and its container."""
    saved = SavedExecutor(
        executor.info,
        _saved(state.containers[executor.container_id]),
        str(executor.directory),
        executor.is_command,
        executor.started_at,
        executor.groups,
        executor.has_reported,
        executor.is_orphaned,
    )
    out.writes.append(Write(_executor_key(executor), _encoder.encode(saved)))


def _executor_key(executor: Executor) -> str:
    return f"executors/{executor.framework_id}/{executor.id}"


def drop_executor(executor: Executor, out: Outbox) -> None:
    """Forget an executor."""
    out.writes.append(Write(_executor_key(executor), None))


def save_task(executor: Executor, task: Task, out: Outbox) -> None:
    """Store a task with its unacknowledged updates."""
    saved = SavedTask(
        task.info,
        task.state,
        list(task.statuses.values()),
        list(task.pending),
        task.task_id in executor.queued,
        task.container_id,
        task.group,
        task.started_at,
        task.ending,
        task.is_unhealthy,
    )
    out.writes.append(Write(_task_key(executor, task), _encoder.encode(saved)))


def _task_key(executor: Executor, task: Task) -> str:
    return f"tasks/{executor.framework_id}/{executor.id}/{task.task_id}"


def drop_task(executor: Executor, task: Task, out: Outbox) -> None:
    """Forget a task."""
    out.writes.append(Write(_task_key(executor, task), None))


def save_nested(container: Container, out: Outbox) -> None:
    """Store a nested container."""
    value = _encoder.encode(_saved(container))
    out.writes.append(Write(f"containers/{container.id}", value))


def drop_nested(container: Container, out: Outbox) -> None:
    """Forget a nested container."""
    out.writes.append(Write(f"containers/{container.id}", None))


def save_resources(state: State, out: Outbox) -> None:
    """Store the reservations and volumes."""
    kept = resources.write(operations.checkpointed(state.total), refined=True)
    out.writes.append(Write("resources", codec.encode(kept)))


def save_operation(operation: Operation, out: Outbox) -> None:
    """Store an operation until it is acknowledged."""
    value = codec.encode(record_of(operation))
    out.writes.append(Write(f"operations/{operation.uuid.hex()}", value))


def record_of(operation: Operation) -> OperationRecord:
    """Return an operation as it is stored, and told to the master."""
    framework_id = operation.framework_id
    return OperationRecord(
        info=operation.info,
        latest_status=operation.status,
        uuid=UUID(value=operation.uuid),
        framework_id=v1.Id(value=framework_id) if framework_id is not None else None,
    )


def save_drain(state: State, out: Outbox) -> None:
    """Store that the agent drains, or that it does not."""
    value = codec.encode(state.drain) if state.drain is not None else None
    out.writes.append(Write("drain", value))


def drop_operation(operation: Operation, out: Outbox) -> None:
    """Forget an operation."""
    out.writes.append(Write(f"operations/{operation.uuid.hex()}", None))


def _saved(container: Container) -> SavedContainer:
    return SavedContainer(
        container.id,
        container.wire_id,
        container.spec,
        container.has_image,
        container.phase,
        container.status,
        container.oom,
        container.has_process,
        container.failure,
        container.joined,
    )


def load(state: State, pairs: list[tuple[str, bytes]]) -> None:
    """Fill a new state with what was stored."""
    nested: list[SavedContainer] = []
    for key, value in pairs:
        kind, _, rest = key.partition("/")
        if kind == "agent":
            state.info = codec.replace(state.info, id=v1.Id(value=value.decode()))
        elif kind == "frameworks":
            state.frameworks[FrameworkId(rest)] = codec.decode(v1.FrameworkInfo, value)
        elif kind == "executors":
            _load_executor(state, rest, _decode(value, SavedExecutor))
        elif kind == "resources":
            _load_resources(state, value)
        elif kind == "drain":
            state.drain = codec.decode(DrainConfig, value)
        elif kind == "operations":
            _load_operation(state, value)
        elif kind == "containers":
            nested.append(_decode(value, SavedContainer))
    for saved in nested:
        container = _load_container(saved)
        state.containers[container.id] = container
        if container.parent is not None:
            state.children.setdefault(container.parent, set()).add(container.id)
    for key, value in pairs:
        kind, _, rest = key.partition("/")
        if kind == "tasks":
            _load_task(state, rest, _decode(value, SavedTask))


def _load_resources(state: State, value: bytes) -> None:
    kept = resources.read(codec.decode(tuple[v1.Resource, ...], value))
    try:
        state.total = operations.with_checkpointed(state.configured, kept)
    except InvariantViolated as error:
        raise UserError(
            f"the agent was started with less than what is reserved on it: {error}; "
            "give it back by --resources, or use another --work-dir"
        ) from error


def _load_operation(state: State, value: bytes) -> None:
    record = codec.decode(OperationRecord, value)
    state.operations[record.uuid.value] = Operation(
        uuid=record.uuid.value,
        info=record.info,
        framework_id=FrameworkId(record.framework_id.value) if record.framework_id else None,
        status=record.latest_status,
    )


def _load_container(saved: SavedContainer) -> Container:
    return Container(
        id=saved.id,
        wire_id=saved.wire_id,
        spec=saved.spec,
        has_image=saved.has_image,
        phase=saved.phase,
        status=saved.status,
        oom=saved.oom,
        has_process=saved.has_process,
        failure=saved.failure,
        joined=saved.joined,
    )


def _load_executor(state: State, rest: str, saved: SavedExecutor) -> None:
    framework_id, _, executor_id = rest.partition("/")
    key = (FrameworkId(framework_id), ExecutorId(executor_id))
    container = _load_container(saved.container)
    container.executor = key
    state.containers[container.id] = container
    state.executors[key] = Executor(
        framework_id=key[0],
        id=key[1],
        info=saved.info,
        container_id=container.id,
        directory=Path(saved.directory),
        is_command=saved.is_command,
        started_at=Instant(saved.started_at),
        resources=resources.read(saved.info.resources),
        has_exited=container.phase == "EXITED",
        groups=saved.groups,
        has_reported=saved.has_reported,
        is_recovered=True,
        is_orphaned=saved.is_orphaned,
    )


def _load_task(state: State, rest: str, saved: SavedTask) -> None:
    framework_id, executor_id, task_id = rest.split("/", 2)
    executor = state.executors[FrameworkId(framework_id), ExecutorId(executor_id)]
    task = Task(
        info=saved.info,
        executor_id=executor.id,
        state=saved.state,
        statuses={one.state: one for one in saved.statuses},
        pending=deque(saved.pending),
        container_id=saved.container_id,
        group=saved.group,
        started_at=Instant(saved.started_at) if saved.started_at is not None else None,
        ending=saved.ending,
        is_unhealthy=saved.is_unhealthy,
    )
    executor.tasks[TaskId(task_id)] = task
    state.tasks[executor.framework_id, TaskId(task_id)] = executor
    container = state.containers.get(task.container_id)
    if container is not None and container.executor is None:
        container.task = (executor.framework_id, task.task_id)
    if saved.queued:
        executor.queued.append(TaskId(task_id))
