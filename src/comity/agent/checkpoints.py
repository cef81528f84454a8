"""The agent's durable form: keys and values of its store, written and read back.

Keys: `agent`, `frameworks/F`, `executors/F/E`, `tasks/F/E/T`, `containers/C` (nested ones). Ids are
percent-encoded where they could hold a slash; user ids never do.
"""

from collections import deque
from pathlib import Path
from typing import TypeVar

import msgspec
from msgspec import Struct

from comity.agent.state import Container, Executor, PendingUpdate, State, Task
from comity.core.containers import Spec
from comity.core.effects import Outbox, Write
from comity.core.ids import ExecutorId, FrameworkId, TaskId
from comity.core.instants import Instant
from comity.wire.mesos import codec, resources, v1

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


class SavedContainer(Struct):
    """A container as it is stored, without its environment when it has ended."""

    id: str
    wire_id: v1.ContainerID
    spec: Spec
    has_image: bool
    phase: str
    status: int | None
    oom: bool


class SavedExecutor(Struct):
    """An executor as it is stored."""

    info: v1.ExecutorInfo
    container: SavedContainer
    directory: str
    is_command: bool
    started_at: float


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


def _saved(container: Container) -> SavedContainer:
    return SavedContainer(
        container.id,
        container.wire_id,
        container.spec,
        container.has_image,
        container.phase,
        container.status,
        container.oom,
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
        elif kind == "containers":
            nested.append(_decode(value, SavedContainer))
    for key, value in pairs:
        kind, _, rest = key.partition("/")
        if kind == "tasks":
            _load_task(state, rest, _decode(value, SavedTask))
    for saved in nested:
        container = _load_container(saved)
        state.containers[container.id] = container
        if container.parent is not None:
            state.children.setdefault(container.parent, set()).add(container.id)


def _load_container(saved: SavedContainer) -> Container:
    return Container(
        id=saved.id,
        wire_id=saved.wire_id,
        spec=saved.spec,
        has_image=saved.has_image,
        phase=saved.phase,
        status=saved.status,
        oom=saved.oom,
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
    )
    executor.tasks[TaskId(task_id)] = task
    state.tasks[executor.framework_id, TaskId(task_id)] = executor
    if saved.queued:
        executor.queued.append(TaskId(task_id))
