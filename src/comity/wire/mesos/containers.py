"""Mesos v1 messages about commands, containers, images and networks (mesos.proto)."""

from comity.wire.mesos.base import (
    ContainerID,
    Environment,
    Labels,
    Parameter,
    Wire,
    emitted,
)


class URI(Wire, frozen=True, kw_only=True):
    """`CommandInfo.URI`: something to fetch into the sandbox before the launch."""

    value: str
    executable: bool | None = None
    extract: bool = emitted(True)
    cache: bool | None = None
    output_file: str | None = None


class CommandInfo(Wire, frozen=True, kw_only=True):
    """What to run: `/bin/sh -c value` when `shell`, else execvp(value, arguments).

    `working_directory` is an extension of ours for containers that the agent's API launches.
    """

    uris: tuple[URI, ...] = ()
    environment: Environment | None = None
    shell: bool = emitted(True)
    value: str | None = None
    arguments: tuple[str, ...] = ()
    user: str | None = None
    working_directory: str | None = None


class Credential(Wire, frozen=True, kw_only=True):
    """A principal and its secret."""

    principal: str
    secret: str | None = None


class DockerImage(Wire, frozen=True, kw_only=True):
    """`Image.Docker`: a reference such as `registry/name:tag`."""

    name: str
    credential: Credential | None = None


class Image(Wire, frozen=True, kw_only=True):
    """`Image`; `cached` false asks for a fresh pull."""

    type: str | None = None
    docker: DockerImage | None = None
    cached: bool = emitted(True)


class SandboxPath(Wire, frozen=True, kw_only=True):
    """`Volume.Source.SandboxPath`."""

    path: str
    type: str | None = None


class HostPath(Wire, frozen=True, kw_only=True):
    """`Volume.Source.HostPath`."""

    path: str


class VolumeSource(Wire, frozen=True, kw_only=True):
    """`Volume.Source`."""

    type: str | None = None
    sandbox_path: SandboxPath | None = None
    host_path: HostPath | None = None


class Volume(Wire, frozen=True, kw_only=True):
    """A directory or file that appears at `container_path`; `mode` is RW or RO."""

    container_path: str
    mode: str = "RW"
    host_path: str | None = None
    image: Image | None = None
    source: VolumeSource | None = None


class PortMapping(Wire, frozen=True, kw_only=True):
    """A port of the host that leads to one of the container."""

    host_port: int
    container_port: int
    protocol: str | None = None


class DockerInfo(Wire, frozen=True, kw_only=True):
    """`ContainerInfo.DockerInfo`."""

    image: str
    network: str | None = None
    port_mappings: tuple[PortMapping, ...] = ()
    privileged: bool = emitted(False)
    parameters: tuple[Parameter, ...] = ()
    force_pull_image: bool | None = None


class MesosInfo(Wire, frozen=True, kw_only=True):
    """`ContainerInfo.MesosInfo`."""

    image: Image | None = None


class IPAddress(Wire, frozen=True, kw_only=True):
    """`NetworkInfo.IPAddress`."""

    ip_address: str | None = None
    protocol: str | None = None


class NetworkInfo(Wire, frozen=True, kw_only=True):
    """A network that a container is on."""

    ip_addresses: tuple[IPAddress, ...] = ()
    name: str | None = None
    groups: tuple[str, ...] = ()
    labels: Labels | None = None
    port_mappings: tuple[PortMapping, ...] = ()


class CapabilityInfo(Wire, frozen=True, kw_only=True):
    """`CapabilityInfo`."""

    capabilities: tuple[str, ...] = ()


class LinuxInfo(Wire, frozen=True, kw_only=True):
    """`LinuxInfo`: what of Linux a container may use."""

    effective_capabilities: CapabilityInfo | None = None
    bounding_capabilities: CapabilityInfo | None = None
    share_pid_namespace: bool | None = None
    share_cgroups: bool = emitted(True)


class ContainerInfo(Wire, frozen=True, kw_only=True):
    """What a task runs in; `type` is MESOS or DOCKER."""

    type: str
    volumes: tuple[Volume, ...] = ()
    hostname: str | None = None
    docker: DockerInfo | None = None
    mesos: MesosInfo | None = None
    network_infos: tuple[NetworkInfo, ...] = ()
    linux_info: LinuxInfo | None = None


class ContainerStatus(Wire, frozen=True, kw_only=True):
    """What an agent knows of a running container."""

    container_id: ContainerID | None = None
    network_infos: tuple[NetworkInfo, ...] = ()
    executor_pid: int | None = None
