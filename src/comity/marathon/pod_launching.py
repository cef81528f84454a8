"""From a pod and a fit to the task group that Mesos is told to launch (`TaskGroupBuilder`).

One default executor per instance, which has the ports, the networks and what they share; each
container is a task nested in it, with resources of its own.
"""

from typing import Any

from comity.core.ids import AgentId, TaskId
from comity.marathon import launching, pod_networking, secrets
from comity.marathon.pod_networking import Opened
from comity.marathon.state import Instance, Part
from comity.policy.placement import Fit
from comity.wire.marathon import ids
from comity.wire.marathon.apps import EnvSecret
from comity.wire.marathon.pods import (
    Image,
    MesosCommand,
    Pod,
    PodContainer,
    PodHealthCheck,
    PodVolume,
    VolumeMount,
)
from comity.wire.mesos import v1
from comity.wire.mesos.checks import HttpCheckInfo, TcpCheckInfo
from comity.wire.mesos.containers import (
    DockerImage,
    LinuxInfo,
    MesosInfo,
    SandboxPath,
    TTYInfo,
    Volume,
    VolumeSource,
)
from comity.wire.mesos.containers import Image as MesosImage


def parts(pod: Pod, instance_id: str, fit: Fit) -> dict[TaskId, Part]:
    """Return the parts of a new instance, by the ids of their tasks."""
    shares = pod_networking.shares(pod, fit.ports)
    return {
        ids.task_id(instance_id, container=one.name): Part(container=one.name, ports=ports)
        for one, ports in zip(pod.containers, shares, strict=True)
    }


def launch_group(pod: Pod, instance: Instance, framework_id: str | None) -> v1.LaunchGroup:
    """Return the group of one new instance."""
    opened = {
        task_id: pod_networking.opened(pod, container, part.ports)
        for container, (task_id, part) in zip(pod.containers, instance.parts.items(), strict=True)
    }
    everyone = [one for endpoints in opened.values() for one in endpoints]
    told = pod_networking.environment(everyone)
    tasks = tuple(
        _task(pod, container, (task_id, opened[task_id]), instance, told)
        for container, task_id in zip(pod.containers, opened, strict=True)
    )
    executor = _executor(pod, instance, everyone, framework_id)
    return v1.LaunchGroup(executor=executor, task_group=v1.TaskGroupInfo(tasks=tasks))


def _executor(
    pod: Pod, instance: Instance, endpoints: list[Opened], framework_id: str | None
) -> v1.ExecutorInfo:
    own = pod.executor_resources
    held = Fit(instance.role, {"cpus": own.cpus, "mem": own.mem, "disk": own.disk}, instance.ports)
    ipc = pod.linux_info.ipc_info if pod.linux_info is not None else None
    linux = LinuxInfo(
        share_cgroups=pod.legacy_shared_cgroups,
        ipc_mode=ipc.mode if ipc is not None else None,
        shm_size=ipc.shm_size if ipc is not None else None,
    )
    return v1.ExecutorInfo(
        type=v1.ExecutorType.DEFAULT,
        executor_id=v1.Id(value=ids.executor_id(instance.instance_id)),
        framework_id=v1.Id(value=framework_id) if framework_id is not None else None,
        resources=launching.resources(held),
        labels=launching.labels(pod.labels),
        container=v1.ContainerInfo(
            type="MESOS",
            linux_info=linux,
            network_infos=pod_networking.network_infos(pod, endpoints),
        ),
    )


def _task(
    pod: Pod,
    container: PodContainer,
    task: tuple[TaskId, list[Opened]],
    instance: Instance,
    told: dict[str, str],
) -> v1.TaskInfo:
    task_id, endpoints = task
    asked = container.resources
    scalars = {"cpus": asked.cpus, "mem": asked.mem, "disk": asked.disk, "gpus": float(asked.gpus)}
    used = {name: amount for name, amount in scalars.items() if amount > 0}
    grace_s = container.lifecycle.kill_grace_period_seconds if container.lifecycle else None
    env = _environment(pod, container, task_id, instance) | told
    return v1.TaskInfo(
        name=container.name,
        task_id=v1.Id(value=task_id),
        agent_id=v1.Id(value=AgentId(instance.agent_id)),
        resources=launching.resources(Fit(instance.role, used, ())),
        limits=launching.limits(container.resource_limits),
        command=_command(pod, container, env),
        container=_container(pod, container),
        health_check=_health_check(container.health_check, endpoints),
        kill_policy=v1.KillPolicy(
            grace_period=v1.DurationInfo(nanoseconds=int(grace_s * 1_000_000_000))
        )
        if grace_s is not None
        else None,
        labels=launching.labels(container.labels),
        discovery=v1.DiscoveryInfo(
            visibility="FRAMEWORK",
            name=ids.hostname(pod.id),
            ports=pod_networking.discovery(pod, endpoints),
        ),
    )


def _environment(
    pod: Pod, container: PodContainer, task_id: str, instance: Instance
) -> dict[str, str | EnvSecret]:
    """Return a container's environment; unlike an app's, what Marathon sets wins, as there."""
    asked = container.resources
    return {
        **pod.environment,
        **container.environment,
        "HOST": instance.host,
        "MESOS_TASK_ID": task_id,
        "MESOS_EXECUTOR_ID": ids.executor_id(instance.instance_id),
        "MARATHON_APP_ID": pod.id,
        "MARATHON_APP_VERSION": pod.version,
        "MARATHON_CONTAINER_ID": container.name,
        "MARATHON_APP_ENFORCE_GROUP_ROLE": "FALSE",
        "MARATHON_CONTAINER_RESOURCE_CPUS": str(float(asked.cpus)),
        "MARATHON_CONTAINER_RESOURCE_MEM": str(float(asked.mem)),
        "MARATHON_CONTAINER_RESOURCE_DISK": str(float(asked.disk)),
        "MARATHON_CONTAINER_RESOURCE_GPUS": str(asked.gpus),
        **launching.label_environment({**pod.labels, **container.labels}),
    }


def _command(pod: Pod, container: PodContainer, env: dict[str, str | EnvSecret]) -> v1.CommandInfo:
    fields: dict[str, Any] = {
        "environment": v1.Environment(variables=secrets.variables(env, pod.secrets)),
        "uris": launching.uris(container.artifacts),
        "user": container.user or pod.user,
    }
    given = container.exec
    if given is None:
        return v1.CommandInfo(shell=False, **fields)
    if given.command.shell is not None:
        return v1.CommandInfo(value=given.command.shell, **fields)
    argv = given.command.argv
    # Without an image there is no entrypoint that the arguments could be for.
    is_whole = given.override_entrypoint or container.image is None
    return v1.CommandInfo(
        shell=False, value=argv[0] if is_whole else None, arguments=argv, **fields
    )


def _container(pod: Pod, container: PodContainer) -> v1.ContainerInfo:
    known = {one.name: one for one in pod.volumes}
    volumes = tuple(_volume(pod, known[one.name], one) for one in container.volume_mounts)
    return v1.ContainerInfo(
        type="MESOS",
        mesos=MesosInfo(image=_image(pod, container.image)) if container.image else None,
        volumes=volumes,
        linux_info=launching.linux_info(
            container.linux_info, share_cgroups=pod.legacy_shared_cgroups
        ),
        tty_info=TTYInfo() if container.tty else None,
    )


def _volume(pod: Pod, given: PodVolume, mount: VolumeMount) -> Volume:
    """Return a mount: of the host's, of one that the instance's executor has, or of a secret."""
    path, mode = mount.mount_path, "RO" if mount.read_only else "RW"
    if given.secret is not None:
        return secrets.volume(pod.secrets, given.secret, path)
    if given.host is not None:
        return Volume(container_path=path, host_path=given.host, mode=mode)
    shared = SandboxPath(type="PARENT", path=f"volumes/{given.name}")
    source = VolumeSource(type="SANDBOX_PATH", sandbox_path=shared)
    return Volume(container_path=path, source=source, mode=mode)


def _image(pod: Pod, image: Image) -> MesosImage:
    login = image.pull_config
    docker = DockerImage(
        name=image.id,
        config=secrets.reference(pod.secrets, login.secret) if login is not None else None,
    )
    return MesosImage(type=image.kind, docker=docker, cached=not image.force_pull)


def _health_check(given: PodHealthCheck | None, endpoints: list[Opened]) -> v1.HealthCheck | None:
    if given is None:
        return None
    timing: dict[str, Any] = {
        "delay_seconds": float(given.delay_seconds),
        "interval_seconds": float(given.interval_seconds),
        "timeout_seconds": float(given.timeout_seconds),
        "consecutive_failures": given.max_consecutive_failures,
        "grace_period_seconds": float(given.grace_period_seconds),
    }
    ports = {one.endpoint.name: one.inside for one in endpoints}
    if given.exec is not None:
        command = _check_command(given.exec.command)
        return v1.HealthCheck(type="COMMAND", command=command, **timing)
    if given.tcp is not None:
        tcp = TcpCheckInfo(port=ports[given.tcp.endpoint])
        return v1.HealthCheck(type="TCP", tcp=tcp, **timing)
    assert given.http is not None
    http = HttpCheckInfo(
        port=ports[given.http.endpoint], path=given.http.path, scheme=given.http.scheme.lower()
    )
    return v1.HealthCheck(type="HTTP", http=http, **timing)


def _check_command(command: MesosCommand) -> v1.CommandInfo:
    if command.shell is not None:
        return v1.CommandInfo(value=command.shell)
    return v1.CommandInfo(shell=False, value=command.argv[0], arguments=command.argv)
