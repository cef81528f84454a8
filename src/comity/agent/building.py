"""From Mesos's messages to descriptions of containers: commands, environments, mounts, limits."""

import os.path
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from comity.agent import environments, isolating, mounting, networking, secret_references
from comity.agent.docker_options import Options, Unsupported
from comity.agent.environments import HOST_IMAGE, IMAGE_SANDBOX, image_of
from comity.agent.state import State
from comity.core.containers import Isolation, Mount, Pod, Spec
from comity.core.ids import ExecutorId, FrameworkId
from comity.core.networks import Network
from comity.resources.amounts import NOTHING, Kind, Resources, Source
from comity.wire.mesos import operator, resources, v1

__all__ = ["HOST_IMAGE", "image_of"]

COMMAND_EXECUTOR = Resources.scalars(cpus=0.1, mem=32)
"""What Mesos allows its command executor beyond the task's own; not charged to anybody."""


class Shared(NamedTuple):
    """What the tasks of a group's executor may use together; no bytes is no limit."""

    cpus: float
    mem_bytes: int


def wants_fresh_image(container: v1.ContainerInfo | None) -> bool:
    """Whether the image must be pulled even when it is here."""
    if container is None:
        return False
    if container.docker is not None:
        return bool(container.docker.force_pull_image)
    mesos = container.mesos
    return mesos is not None and mesos.image is not None and not mesos.image.cached


def login_of(state: State, container: v1.ContainerInfo | None) -> str:
    """Return the docker config that an image brings along, empty for none or one only named."""
    mesos = container.mesos if container is not None else None
    docker = mesos.image.docker if mesos is not None and mesos.image is not None else None
    if docker is not None and docker.config is None and docker.credential is not None:
        entry = {"username": docker.credential.principal, "password": docker.credential.secret}
        auths = {_registry_of(docker.name, state.config.docker_registry): entry}
        return msgspec.json.encode({"auths": auths}).decode()
    if docker is None or docker.config is None or docker.config.value is None:
        return ""
    return docker.config.value.data.decode(errors="replace")


def _registry_of(image: str, default: str) -> str:
    """Return the host of an image's registry, as in `runtime.images.references`."""
    head, slash, _ = image.partition("/")
    has_host = slash and ("." in head or ":" in head or head == "localhost")
    return head if has_host else default or "docker.io"


def sandbox_of(
    state: State, framework_id: FrameworkId, executor_id: ExecutorId, container_id: str
) -> Path:
    """Return where an executor's sandbox is, in Mesos's layout."""
    return (
        state.config.work_dir.resolve()
        / "slaves"
        / state.id
        / "frameworks"
        / framework_id
        / "executors"
        / executor_id
        / "runs"
        / container_id
    )


def volume_path(state: State, kind: Kind) -> Path:
    """Return where a persistent volume is kept, in Mesos's layout: a mounted disk is one itself."""
    source = kind.disk.source if kind.disk is not None else None
    if source is not None and source.type == "MOUNT":
        return Path(source.root)
    return volumes_root(state, source) / "roles" / kind.role.replace("/", " ") / kind.volume


def volumes_root(state: State, source: Source | None) -> Path:
    """Return the directory that volumes of a disk are in."""
    disk = Path(source.root) if source is not None else state.config.work_dir.resolve()
    return disk / "volumes"


def volumes_of(state: State, held: Resources) -> tuple[Mount, ...]:
    """Return the persistent volumes among a container's resources, where it finds them."""
    found = []
    for kind, _ in held:
        if kind.disk is not None and kind.volume:
            path = volume_path(state, kind)
            found.append(Mount(str(path), kind.disk.container_path, kind.disk.mode == "RO"))
    return tuple(found)


def for_executor(
    state: State,
    framework: v1.FrameworkInfo,
    info: v1.ExecutorInfo,
    what: tuple[str, Path, Resources],
) -> Spec:
    """Describe the container of a custom executor; `what` is its id, sandbox and resources."""
    assert info.command is not None
    environment = environments.of_executor(state, framework, info, what)
    environment |= environments.variables(info.command)
    return _spec(
        state,
        what=what,
        command=info.command,
        container=info.container,
        environment=environment,
        user=info.command.user or framework.user,
    )


def for_default_executor(
    state: State,
    framework: v1.FrameworkInfo,
    info: v1.ExecutorInfo,
    what: tuple[str, Path, Resources],
) -> Spec:
    """Describe the container that holds the containers of a default executor's tasks."""
    spec = _spec(
        state,
        what=what,
        command=v1.CommandInfo(shell=False),
        container=info.container,
        environment=environments.of_executor(state, framework, info, what),
        user=framework.user,
    )
    return msgspec.structs.replace(spec, command=None)


def for_command(
    state: State,
    framework: v1.FrameworkInfo,
    task: v1.TaskInfo,
    what: tuple[str, Path, Resources],
) -> Spec:
    """Describe the container of a command task."""
    assert task.command is not None
    synthesised = v1.ExecutorInfo(executor_id=task.task_id, container=task.container)
    environment = environments.of_executor(state, framework, synthesised, what)
    environment["MESOS_ALLOCATION_ROLE"] = environments.allocation_role(task)
    environment["MESOS_TASK_ID"] = task.task_id.value
    environment["MESOS_CONTAINER_IP"] = state.ip
    environment |= environments.variables(task.command)
    spec = _spec(
        state,
        what=what,
        command=task.command,
        container=task.container,
        environment=environment,
        user=task.command.user or framework.user,
    )
    return _limited(_with_checked_networks(spec, task, what[2]), task.limits)


def _with_checked_networks(spec: Spec, task: v1.TaskInfo, held: Resources) -> Spec:
    """Return the spec, refused if it maps ports that it does not hold, or cannot be checked."""
    if spec.pod is None or spec.refusal:
        return spec
    try:
        networking.check_held(spec.pod.networks, held)
        networking.check_reachable(spec.pod.networks, task)
    except Unsupported as error:
        return msgspec.structs.replace(spec, refusal=str(error))
    return spec


def for_nested(
    state: State,
    what: tuple[str, Path],
    parent: Spec,
    body: tuple[v1.CommandInfo, v1.ContainerInfo | None],
    held: tuple[Resources, dict[str, v1.Scalar]],
    isolation: Isolation | None = None,
) -> Spec:
    """Describe a container nested in an executor's; `what` is its id and sandbox."""
    spec_id, sandbox = what
    command, container = body
    image = image_of(container)
    has_root = image is not None and image != HOST_IMAGE
    environment = {
        "MESOS_SANDBOX": IMAGE_SANDBOX if has_root else str(sandbox),
        "MESOS_CONTAINER_IP": parent.environment.get("LIBPROCESS_IP", ""),
    }
    environment |= environments.variables(command)
    spec = _spec(
        state,
        what=(spec_id, sandbox, held[0]),
        command=command,
        container=container,
        environment=environment,
        user=command.user or parent.user,
        parent=parent.sandbox,
        isolation=isolation,
    )
    pod = spec.pod if spec.pod is not None else parent.pod
    return _limited(msgspec.structs.replace(spec, pod=pod), held[1])


def for_group_task(
    state: State,
    spec_id: str,
    parent: Spec,
    task: v1.TaskInfo,
    shared: Shared,
) -> Spec:
    """Describe the container of a group's task; `shared` is what all of its executor may use.

    Mesos's default executor gives its tasks a small environment, none of its own.
    """
    name = spec_id.rpartition(".")[2]
    command = task.command or v1.CommandInfo(shell=False)
    held = held_by(task.resources)
    sandbox = parent.sandbox / "containers" / name
    spec = for_nested(
        state, (spec_id, sandbox), parent, (command, task.container), (held, task.limits)
    )
    role = environments.allocation_role(task)
    environment = {"MESOS_ALLOCATION_ROLE": role, **spec.environment}
    link = parent.sandbox / "tasks" / task.task_id.value
    spec = msgspec.structs.replace(spec, environment=environment, link=link)
    pod = spec.pod
    if pod is None or pod.id == parent.id:
        pod = msgspec.structs.replace(
            pod or Pod(id=parent.id), cpus=shared.cpus, mem_bytes=shared.mem_bytes
        )
    linux = task.container.linux_info if task.container is not None else None
    shares = linux is None or linux.share_cgroups
    if spec.image not in (None, HOST_IMAGE):
        # The limit on memory is the pod's when it shares; its own cgroup tells who was killed.
        mem_bytes = 0 if shares else spec.mem_bytes
        return msgspec.structs.replace(spec, pod=pod, mem_bytes=mem_bytes)
    if not shares:
        return spec
    return msgspec.structs.replace(
        spec,
        cgroup=parent.id,
        cpus=shared.cpus,
        mem_bytes=shared.mem_bytes,
        cpu_quota=shared.cpus if state.config.cgroups_enable_cfs else None,
    )


def for_pod(
    state: State, what: tuple[str, Path], parent: Spec, body: operator.LaunchContainerBody
) -> Spec:
    """Describe a container without a process, whose sandbox those nested in it share."""
    held, refusal = held_by(body.resources), ""
    try:
        own = isolating.options_of(body.container, body.isolation, has_root=True).isolation
        _check_memory_volumes(own, parent.sandbox)
        networks = networking.networks_of(body.container)
    except Unsupported as error:
        own, networks, refusal = Isolation(), (), str(error)
    spec = _limited(
        Spec(
            id=what[0],
            sandbox=what[1],
            environment={"LIBPROCESS_IP": parent.environment.get("LIBPROCESS_IP", state.ip)},
            cpus=held.scalar("cpus"),
            mem_bytes=_bytes(held),
            is_pod=True,
            refusal=refusal,
        ),
        body.limits,
    )
    pod = Pod(
        id=spec.id,
        hostname=own.hostname,
        networks=networks,
        sysctls=own.sysctls,
        shm_bytes=own.shm_bytes,
        share_ipc=own.share_ipc,
        share_pid=own.share_pid,
        hosts=own.hosts,
        memory_volumes=own.memory_volumes,
        cpus=spec.cpus,
        mem_bytes=spec.mem_bytes,
        cpu_quota=spec.cpu_quota,
    )
    return msgspec.structs.replace(spec, pod=pod)


def _check_memory_volumes(own: Isolation, sandbox: Path) -> None:
    """Refuse to hide anything but directories of the parent's own."""
    for path in own.memory_volumes:
        if not os.path.normpath(path).startswith(f"{sandbox}/"):
            raise Unsupported(f"memory volume {path} is not in the sandbox {sandbox}")


def for_debug(spec_id: str, sandbox: Path, target: Spec, command: v1.CommandInfo) -> Spec:
    """Describe a command that runs inside a running container."""
    has_root = target.image is not None
    return Spec(
        id=spec_id,
        sandbox=sandbox,
        command=command.value,
        arguments=command.arguments,
        shell=command.shell and command.value is not None,
        environment=target.environment | environments.variables(command),
        secrets=secret_references.named(command, None),
        user=command.user or target.user,
        working_directory=command.working_directory
        or target.working_directory
        or (None if has_root else str(target.sandbox)),
        inside=target.id,
        image=target.image,
        cgroup=None if has_root else target.cgroup or target.id,
        pod=None if has_root else target.pod,
    )


def _spec(
    state: State,
    *,
    what: tuple[str, Path, Resources],
    command: v1.CommandInfo,
    container: v1.ContainerInfo | None,
    environment: dict[str, str],
    user: str | None,
    parent: Path | None = None,
    isolation: Isolation | None = None,
) -> Spec:
    spec_id, sandbox, held = what
    image = image_of(container)
    has_root = image is not None and image != HOST_IMAGE
    options, refusal, login = Options(), "", ""
    try:
        login = login_of(state, container)
        options = isolating.options_of(container, isolation, has_root=has_root)
        mounts = mounting.mounts_of(container, mounting.Around(sandbox, parent, has_root))
        networks = networking.networks_of(container)
    except Unsupported as error:
        mounts, networks, refusal = (), (), str(error)
    found = Spec(
        id=spec_id,
        sandbox=sandbox,
        command=command.value,
        arguments=command.arguments,
        shell=command.shell and command.value is not None,
        environment={**options.environment, **environment},
        user=(options.user or user) if not has_root else (command.user or options.user),
        machine_user=user if _is_mesos(container, isolation) and user != "root" else None,
        working_directory=command.working_directory or options.working_directory,
        default_directory=IMAGE_SANDBOX if _is_mesos(container, isolation) else "/",
        image=image,
        image_cached=not wants_fresh_image(container),
        image_login=login,
        mounts=(*mounts, *options.mounts),
        secrets=secret_references.named(command, container),
        volumes=volumes_of(state, held),
        **terminal_of(container),
        cpus=held.scalar("cpus"),
        mem_bytes=_bytes(held),
        cpu_quota=(held.scalar("cpus") or None) if state.config.cgroups_enable_cfs else None,
        isolation=_counted(state, options.isolation),
        refusal=refusal,
    )
    if networks:
        found = _connected(found, networks)
    return found if options.entrypoint is None else _entered(found, options.entrypoint)


def _counted(state: State, own: Isolation) -> Isolation:
    """Return the isolation with the agent's own limit of processes, where it says none."""
    limit = state.config.container_pids_max
    if not limit or own.pids_max is not None:
        return own
    return msgspec.structs.replace(own, pids_max=limit)


def _connected(spec: Spec, networks: tuple[Network, ...]) -> Spec:
    """Return the spec with a pod of its own, which is on networks."""
    own = spec.isolation
    pod = Pod(
        id=spec.id,
        hostname=own.hostname,
        networks=networks,
        shm_bytes=own.shm_bytes,
        share_ipc=own.share_ipc,
        hosts=own.hosts,
        cpus=spec.cpus,
        mem_bytes=spec.mem_bytes,
        cpu_quota=spec.cpu_quota,
    )
    # As Mesos has it: any address, as those of the machine are not the container's.
    environment = {**spec.environment, "LIBPROCESS_IP": "0.0.0.0"}  # noqa: S104
    return msgspec.structs.replace(spec, pod=pod, environment=environment)


def _entered(spec: Spec, entrypoint: str) -> Spec:
    """Return the spec with a program in front of its arguments, as Docker's --entrypoint."""
    argv = ("/bin/sh", "-c", spec.command or "") if spec.shell else spec.arguments
    return msgspec.structs.replace(
        spec, shell=False, command=entrypoint, arguments=(entrypoint, *argv)
    )


def terminal_of(container: v1.ContainerInfo | None) -> dict[str, Any]:
    """Return what a spec says of the terminal that a container asks for."""
    info = container.tty_info if container is not None else None
    if info is None:
        return {}
    size = info.window_size
    window = (size.rows, size.columns) if size is not None else (24, 80)
    return {"io": "TTY", "window": window}


def _limited(spec: Spec, limits: dict[str, v1.Scalar]) -> Spec:
    """Return the spec with limits above its requests: `cpus` a quota, `mem` in MB."""
    changes: dict[str, float | int | None] = {}
    if "cpus" in limits:
        cpus = limits["cpus"].value
        changes["cpu_quota"] = None if cpus >= v1.UNLIMITED else cpus
    if "mem" in limits:
        mem = limits["mem"].value
        changes["mem_bytes"] = 0 if mem >= v1.UNLIMITED else int(mem * (1 << 20))
    return msgspec.structs.replace(spec, **changes) if changes else spec


def _is_mesos(container: v1.ContainerInfo | None, isolation: Isolation | None) -> bool:
    """Whether a container is to run as in Mesos's own containerizer.

    That starts an image's process in the sandbox and as the framework's user; Docker in the root
    and as the image's. Kubernetes, whose containers are those with `isolation`, does as Docker.
    A framework of root leaves the choice to the image here, which takes no right from anybody.
    """
    return container is not None and container.type != "DOCKER" and isolation is None


def _bytes(held: Resources) -> int:
    return int(held.scalar("mem") * (1 << 20))


def held_by(written: tuple[v1.Resource, ...]) -> Resources:
    """Return resources as a bundle; none is nothing."""
    return resources.read(written) if written else NOTHING
