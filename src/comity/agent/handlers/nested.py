"""Nested and standalone containers, and pods, asked for through the operator API.

A container whose parent is an executor's, and one without a parent (a standalone one), has its own
sandbox, image and limits. One whose parent is itself nested, and every session, is a DEBUG
container: it runs in its parent's namespaces, files, limits and environment. Containers nested in a
pod share its sandbox.
"""

import msgspec

from comity.agent import building, checkpoints, statistics
from comity.agent.handlers import ending, remains
from comity.agent.handlers.speaking import answer, refuse
from comity.agent.inputs import (
    ContainerAsked,
    ContainerFailed,
    KillAsked,
    RemoveAsked,
    WaitAsked,
)
from comity.agent.outbox import DestroyContainer, LaunchContainer, SignalContainer
from comity.agent.state import Container, State, Waiter
from comity.agent.table import table
from comity.core.containers import IMAGE_FAULT, Spec
from comity.core.effects import Outbox
from comity.core.instants import Instant
from comity.wire.mesos import codec, v1


def flat_id(container_id: v1.ContainerID) -> str:
    """Return `executor.container.debug` for nested ids."""
    if container_id.parent is None:
        return container_id.value
    return f"{flat_id(container_id.parent)}.{container_id.value}"


@table.on(ContainerAsked)
def on_container_asked(state: State, item: ContainerAsked, now: Instant, out: Outbox) -> None:
    """Start a nested container; the answer waits until it runs."""
    if state.is_recovering:
        refuse(item.to, 503, "Agent is recovering", out)
        return
    fault = _id_fault(item.body.container_id)
    if fault is not None:
        refuse(item.to, 400, fault, out)
        return
    known = state.containers.get(item.container_id)
    if known is not None and known.spec.is_pod and known.phase == "STARTING":
        refuse(item.to, 503, "The pod is being made", out)  # and its address is not known yet
        return
    if known is not None:
        answer(item.to, 202, out, _told(state, known))
        return
    fault = _parent_fault(state, item)
    if fault is not None:
        refuse(item.to, 400, fault, out)
        return
    spec = _attachable(_describe(state, item), item)
    if not (spec.command or spec.arguments or spec.is_pod) and spec.image is None:
        refuse(item.to, 400, "a container without image needs a command", out)
        return
    keeps_pids = spec.is_pod and spec.pod is not None and spec.pod.share_pid
    container = Container(
        id=item.container_id,
        wire_id=item.body.container_id,
        spec=spec,
        has_image=spec.image not in (None, building.HOST_IMAGE) or keeps_pids,
        launch_to=item.to,
        has_process=not spec.is_pod or keeps_pids,
    )
    state.containers[container.id] = container
    if container.parent is not None:
        state.children.setdefault(container.parent, set()).add(container.id)
    checkpoints.save_nested(container, out)
    uris = item.body.command.uris if item.body.command is not None else ()
    out.launches.append(LaunchContainer(spec, uris))


def _attachable(spec: Spec, item: ContainerAsked) -> Spec:
    """Return the spec with a terminal or pipes, where a client is at the other end of them."""
    if not item.is_session:
        spec = msgspec.structs.replace(spec, logs=item.body.logs)
        has_pipes = item.body.stdin and not spec.io and not spec.is_pod
        return msgspec.structs.replace(spec, io="PIPES") if has_pipes else spec
    changes = building.terminal_of(item.body.container) or {"io": "PIPES"}
    return msgspec.structs.replace(spec, is_session=True, **changes)


def _id_fault(container_id: v1.ContainerID) -> str | None:
    """Return what is wrong with an id, which names a directory (Mesos: slave/validation.cpp)."""
    value = container_id.value
    if not 0 < len(value) <= 255:
        return "'ContainerID.value' must be of 1 to 255 characters"
    if any(each in "/\\. " or not each.isprintable() for each in value):
        return f"'ContainerID.value' {value!r} contains invalid characters"
    return _id_fault(container_id.parent) if container_id.parent is not None else None


def _parent_fault(state: State, item: ContainerAsked) -> str | None:
    if item.body.container_id.parent is None:
        if item.is_session:
            return "a session needs a container to be in: set 'container_id.parent'"
        return None
    parent = state.containers.get(item.container_id.rpartition(".")[0])
    if parent is None:
        return "the parent container is not known"
    return None if parent.phase == "RUNNING" else "the parent container does not run"


def _describe(state: State, item: ContainerAsked) -> Spec:
    body = item.body
    command = body.command or v1.CommandInfo(shell=False)
    held = (building.held_by(body.resources), body.limits)
    if body.container_id.parent is None:
        # Standalone: of no framework, and its resources are of nobody's account.
        sandbox = state.config.work_dir.resolve() / "containers" / body.container_id.value
        outside = Spec(id="", sandbox=sandbox, environment={"LIBPROCESS_IP": state.ip})
        what = (item.container_id, sandbox)
        if body.is_pod:
            return building.for_pod(state, what, outside, body)
        return building.for_nested(
            state, what, outside, (command, body.container), held, body.isolation
        )
    parent = state.containers[item.container_id.rpartition(".")[0]]
    sandbox = parent.spec.sandbox / "containers" / body.container_id.value
    is_above = parent.executor is not None or parent.spec.is_pod
    if item.is_session or not is_above:
        return building.for_debug(item.container_id, sandbox, parent.spec, command)
    what = (item.container_id, sandbox)
    if body.is_pod:
        return building.for_pod(state, what, parent.spec, body)
    return building.for_nested(
        state, what, parent.spec, (command, body.container), held, body.isolation
    )


def started(state: State, container: Container, out: Outbox) -> None:
    """A nested container runs: answer whoever asked for it."""
    checkpoints.save_nested(container, out)
    if container.is_killed:
        ending.kill_now(state, container, out)
    if container.launch_to is not None:
        answer(container.launch_to, 200, out, _told(state, container))
        container.launch_to = None


def _told(state: State, container: Container) -> bytes:
    """Return what whoever launched a pod is told: where it is. For others Mesos has nothing."""
    if not container.spec.is_pod:
        return b""
    return codec.encode({"container_status": statistics.status(state, container)})


def failed(state: State, container: Container, item: ContainerFailed, out: Outbox) -> None:
    """A nested container could not be started: nothing of it stays."""
    if container.launch_to is not None:
        text = f"{IMAGE_FAULT}{item.message}" if item.image else item.message
        refuse(container.launch_to, 400, text, out)
        container.launch_to = None
    for waiter in container.waiters:
        refuse(waiter.to, 404, f"container {container.id} did not start", out)
    container.waiters.clear()
    out.launches.append(DestroyContainer(container.id, container.has_image))
    ending.forget_nested(state, container, out)


@table.on(WaitAsked)
def on_wait_asked(state: State, item: WaitAsked, now: Instant, out: Outbox) -> None:
    """Answer when a container has ended."""
    container = state.containers.get(item.container_id)
    if state.is_recovering:
        refuse(item.to, 503, "Agent is recovering", out)
    elif container is None:
        refuse(item.to, 404, f"Container {item.container_id} cannot be found", out)
    elif container.phase == "EXITED":
        answer(item.to, 200, out, ending.end_of(container, Waiter(item.to, item.is_old)))
    else:
        container.waiters.append(Waiter(item.to, item.is_old))


@table.on(KillAsked)
def on_kill_asked(state: State, item: KillAsked, now: Instant, out: Outbox) -> None:
    """Signal a nested container; one that does not run yet is not to start."""
    container = state.containers.get(item.container_id)
    if state.is_recovering:
        refuse(item.to, 503, "Agent is recovering", out)
        return
    if container is None:
        refuse(item.to, 404, f"Container {item.container_id} cannot be found", out)
        return
    if container.executor is not None:
        refuse(item.to, 400, "an executor's container is ended by ending its tasks", out)
        return
    if item.is_abandoned and container.spec.is_session:
        remains.abandon(state, container, out)
    if item.signal == 9 or container.spec.is_pod:  # nothing of a pod could take another signal
        ending.kill_now(state, container, out)
    elif container.phase == "STARTING":
        container.is_killed = True
    else:
        tree = not container.has_image
        out.launches.append(SignalContainer(container.id, item.signal, tree=tree))
    answer(item.to, 200, out)


@table.on(RemoveAsked)
def on_remove_asked(state: State, item: RemoveAsked, now: Instant, out: Outbox) -> None:
    """Forget an ended nested container, and delete its sandbox."""
    container = state.containers.get(item.container_id)
    if state.is_recovering:
        refuse(item.to, 503, "Agent is recovering", out)
    elif container is None:
        answer(item.to, 200, out)
    elif container.executor is not None or container.phase != "EXITED":
        refuse(item.to, 500, f"Container {item.container_id} is still in use", out)
    else:
        remains.remove(state, container, out)
        answer(item.to, 200, out)
