"""From an app and a fit to the task that Mesos is told to launch."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from comity.core.ids import AgentId, TaskId
from comity.marathon import networking, secrets
from comity.policy.placement import Fit
from comity.wire.marathon import apps, ids
from comity.wire.marathon.apps import App, Docker, EnvSecret
from comity.wire.mesos import v1
from comity.wire.mesos.base import UNLIMITED, Parameter
from comity.wire.mesos.checks import HttpCheckInfo, TcpCheckInfo
from comity.wire.mesos.containers import (
    Credential,
    DockerImage,
    DockerInfo,
    Image,
    LinuxInfo,
    MesosInfo,
    SeccompInfo,
    TTYInfo,
    Volume,
)

_LABEL_ENV_PREFIX = "MARATHON_APP_LABEL_"
_DOCKERS = {"host": "HOST", "container/bridge": "BRIDGE", "container": "USER"}
"""Docker's names of the modes of networks."""
_ENV_MAX = 512
"""Label values from this length on are not passed to tasks (EnvironmentHelper.scala)."""


def task_info(app: App, task_id: TaskId, agent: tuple[AgentId, str], fit: Fit) -> v1.TaskInfo:
    """Return the task of one new instance; `agent` is the agent's id and host name."""
    name = ids.hostname(app.id)
    grace_s = app.task_kill_grace_period_seconds
    return v1.TaskInfo(
        name=name,
        task_id=v1.Id(value=task_id),
        agent_id=v1.Id(value=agent[0]),
        resources=resources(fit),
        command=_command(app, environment(app, task_id, agent[1], fit.ports)),
        container=_container(app, fit.ports),
        limits=limits(app.resource_limits),
        health_check=_health_check(app, fit.ports),
        kill_policy=v1.KillPolicy(grace_period=v1.DurationInfo(nanoseconds=grace_s * 1_000_000_000))
        if grace_s is not None
        else None,
        labels=labels(app.labels),
        discovery=v1.DiscoveryInfo(
            visibility="FRAMEWORK", name=name, ports=networking.discovery(app, fit.ports)
        ),
    )


def resources(fit: Fit) -> tuple[v1.Resource, ...]:
    """Return a fit as Mesos resources."""
    found = [
        v1.Resource(name=name, type="SCALAR", scalar=v1.Scalar(value=amount), role=fit.role)
        for name, amount in fit.scalars.items()
    ]
    if fit.ports:
        ranges = tuple(v1.Range(begin=port, end=port) for port in sorted(fit.ports))
        ports = v1.Resource(
            name="ports", type="RANGES", ranges=v1.Ranges(range=ranges), role=fit.role
        )
        found.append(ports)
    return tuple(found)


def environment(
    app: App, task_id: str, host: str, ports: Sequence[int]
) -> dict[str, str | EnvSecret]:
    """Return a task's environment; what the app itself sets wins."""
    found: dict[str, str | EnvSecret] = {
        "MESOS_TASK_ID": task_id,
        "MARATHON_APP_ID": app.id,
        "MARATHON_APP_VERSION": app.version,
        "MARATHON_APP_RESOURCE_CPUS": str(float(app.cpus)),
        "MARATHON_APP_RESOURCE_MEM": str(float(app.mem)),
        "MARATHON_APP_RESOURCE_DISK": str(float(app.disk)),
        "MARATHON_APP_RESOURCE_GPUS": str(app.gpus),
        "MARATHON_APP_ENFORCE_GROUP_ROLE": "FALSE",
    }
    if app.container is not None and app.container.docker is not None:
        found["MARATHON_APP_DOCKER_IMAGE"] = app.container.docker.image
    found |= label_environment(app.labels)
    found |= networking.environment(app, ports)
    found["HOST"] = host
    return found | app.env


def label_environment(labels: Mapping[str, str]) -> dict[str, str]:
    """Return what a task is told of labels; long ones are left out."""
    passed = {
        re.sub("[^a-zA-Z0-9_]+", "_", key).upper(): value
        for key, value in labels.items()
        if len(key) < _ENV_MAX - len(_LABEL_ENV_PREFIX) and len(value) < _ENV_MAX
    }
    found = {f"{_LABEL_ENV_PREFIX}{key}": value for key, value in passed.items()}
    return {"MARATHON_APP_LABELS": " ".join(passed)} | found


def _command(app: App, env: Mapping[str, str | EnvSecret]) -> v1.CommandInfo:
    fields: dict[str, Any] = {
        "environment": v1.Environment(variables=secrets.variables(env, app.secrets)),
        "uris": uris(app.fetch),
        "user": app.user,
    }
    if app.args:
        has_image = app.container is not None and app.container.docker is not None
        value = None if has_image else app.args[0]
        return v1.CommandInfo(shell=False, value=value, arguments=app.args, **fields)
    return v1.CommandInfo(shell=app.cmd is not None, value=app.cmd, **fields)


def uris(artifacts: Sequence[apps.Artifact]) -> tuple[v1.URI, ...]:
    """Return what is to be fetched into the sandbox."""
    return tuple(
        v1.URI(
            value=one.uri,
            extract=one.extract,
            executable=one.executable,
            cache=one.cache,
            output_file=one.dest_path,
        )
        for one in artifacts
    )


def _container(app: App, ports: Sequence[int]) -> v1.ContainerInfo | None:
    """Return the container; both of Marathon's engines run in the agent's own runtime."""
    given = app.container
    terminal = TTYInfo() if app.tty else None
    if given is None:
        return v1.ContainerInfo(type="MESOS", tty_info=terminal) if terminal is not None else None
    fields: dict[str, Any] = {
        "tty_info": terminal,
        "volumes": tuple(_volume(app, one) for one in given.volumes),
        "linux_info": linux_info(given.linux_info) if given.linux_info is not None else None,
        "network_infos": networking.network_infos(app, ports),
    }
    if given.type == "DOCKER" and given.docker is not None:
        return v1.ContainerInfo(type="DOCKER", docker=_docker(app, given.docker, ports), **fields)
    image = None
    if given.docker is not None:
        image = Image(
            type="DOCKER",
            docker=_docker_image(app, given.docker),
            cached=not given.docker.force_pull_image,
        )
    return v1.ContainerInfo(type="MESOS", mesos=MesosInfo(image=image), **fields)


def _volume(app: App, given: apps.Volume) -> Volume:
    if given.secret is not None:
        return secrets.volume(app.secrets, given.secret, given.container_path)
    mode = given.mode or "RW"
    return Volume(container_path=given.container_path, host_path=given.host_path, mode=mode)


def _docker_image(app: App, docker: Docker) -> DockerImage:
    """Return an image with who pulls it."""
    credential, config = docker.credential, docker.pull_config
    return DockerImage(
        name=docker.image,
        credential=Credential(principal=credential.principal, secret=credential.secret)
        if credential is not None
        else None,
        config=secrets.reference(app.secrets, config.secret) if config is not None else None,
    )


def _docker(app: App, docker: Docker, ports: Sequence[int]) -> DockerInfo:
    mapped = [one for info in networking.network_infos(app, ports) for one in info.port_mappings]
    return DockerInfo(
        port_mappings=tuple(mapped),
        image=docker.image,
        network=_DOCKERS[app.networks[0].mode],
        privileged=docker.privileged,
        parameters=tuple(Parameter(key=one.key, value=one.value) for one in docker.parameters),
        force_pull_image=docker.force_pull_image,
    )


def linux_info(given: apps.LinuxInfo | None, *, share_cgroups: bool = True) -> LinuxInfo:
    """Return what of Linux a container may use."""
    seccomp = given.seccomp if given is not None else None
    ipc = given.ipc_info if given is not None else None
    return LinuxInfo(
        share_cgroups=share_cgroups,
        seccomp=SeccompInfo(
            profile_name=seccomp.profile_name, unconfined=seccomp.unconfined or None
        )
        if seccomp is not None
        else None,
        ipc_mode=ipc.mode if ipc is not None else None,
        shm_size=ipc.shm_size if ipc is not None else None,
    )


def limits(given: apps.ResourceLimits | None) -> dict[str, v1.Scalar]:
    """Return the limits above what is asked for."""
    if given is None:
        return {}
    found = {"cpus": given.cpus, "mem": given.mem}
    return {
        name: v1.Scalar(value=UNLIMITED if isinstance(one, str) else one)
        for name, one in found.items()
        if one is not None
    }


def labels(given: Mapping[str, str]) -> v1.Labels | None:
    """Return labels as Mesos has them."""
    if not given:
        return None
    return v1.Labels(labels=tuple(v1.Label(key=key, value=one) for key, one in given.items()))


def _health_check(app: App, ports: Sequence[int]) -> v1.HealthCheck | None:
    """Return the check that the agent makes, if there is one."""
    check = next((one for one in app.health_checks if not one.is_probed), None)
    if check is None:
        return None
    timing: dict[str, Any] = {
        "delay_seconds": float(check.delay_seconds),
        "interval_seconds": float(check.interval_seconds),
        "timeout_seconds": float(check.timeout_seconds),
        "consecutive_failures": check.max_consecutive_failures,
        "grace_period_seconds": float(check.grace_period_seconds),
    }
    if check.command is not None:
        command = v1.CommandInfo(value=check.command.value)
        return v1.HealthCheck(type="COMMAND", command=command, **timing)
    port = networking.checked_inside(app, check, ports)
    if port is None:
        return None
    if check.protocol == "MESOS_TCP":
        return v1.HealthCheck(type="TCP", tcp=TcpCheckInfo(port=port), **timing)
    scheme = "https" if check.protocol == "MESOS_HTTPS" else "http"
    http = HttpCheckInfo(port=port, path=check.path, scheme=scheme)
    return v1.HealthCheck(type="HTTP", http=http, **timing)
