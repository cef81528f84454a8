"""Mesos v1 messages about commands, containers, images and networks (mesos.proto)."""

from typing import Annotated

from comity.wire.mesos import numbers
from comity.wire.mesos.base import (
    ContainerID,
    Environment,
    Labels,
    Parameter,
    Secret,
    Wire,
    emitted,
)
from comity.wire.mesos.csi import CSIVolume


class SeccompInfo(Wire, frozen=True, kw_only=True):
    """`SeccompInfo`."""

    profile_name: Annotated[str | None, 1] = None
    unconfined: Annotated[bool | None, 2] = None


class RLimit(Wire, frozen=True, kw_only=True):
    """`RLimitInfo.RLimit`."""

    type: Annotated[str | None, 1, numbers.RLIMIT_INFO_RLIMIT_TYPE] = None
    hard: Annotated[int | None, 2] = None
    soft: Annotated[int | None, 3] = None


class RLimitInfo(Wire, frozen=True, kw_only=True):
    """`RLimitInfo`."""

    rlimits: Annotated[tuple[RLimit, ...], 1] = ()


class WindowSize(Wire, frozen=True, kw_only=True):
    """`TTYInfo.WindowSize`."""

    rows: Annotated[int, 1]
    columns: Annotated[int, 2]


class TTYInfo(Wire, frozen=True, kw_only=True):
    """`TTYInfo`."""

    window_size: Annotated[WindowSize | None, 1] = None


class Parameters(Wire, frozen=True, kw_only=True):
    """`Parameters`."""

    parameter: Annotated[tuple[Parameter, ...], 1] = ()


class DockerVolume(Wire, frozen=True, kw_only=True):
    """`Volume.Source.DockerVolume`."""

    driver: Annotated[str | None, 1] = None
    name: Annotated[str, 2]
    driver_options: Annotated[Parameters | None, 3] = None


class URI(Wire, frozen=True, kw_only=True):
    """`CommandInfo.URI`: something to fetch into the sandbox before the launch."""

    value: Annotated[str, 1]
    executable: Annotated[bool | None, 2] = None
    extract: Annotated[bool, 3] = emitted(True)
    cache: Annotated[bool | None, 4] = None
    output_file: Annotated[str | None, 5] = None


class CommandInfo(Wire, frozen=True, kw_only=True):
    """What to run: `/bin/sh -c value` when `shell`, else execvp(value, arguments).

    `working_directory` is an extension of ours for containers that the agent's API launches.
    """

    uris: Annotated[tuple[URI, ...], 1] = ()
    environment: Annotated[Environment | None, 2] = None
    shell: Annotated[bool, 6] = emitted(True)
    value: Annotated[str | None, 3] = None
    arguments: Annotated[tuple[str, ...], 7] = ()
    user: Annotated[str | None, 5] = None
    working_directory: str | None = None


class Credential(Wire, frozen=True, kw_only=True):
    """A principal and its secret."""

    principal: Annotated[str, 1]
    secret: Annotated[str | None, 2] = None


class AppcImage(Wire, frozen=True, kw_only=True):
    """`Image.Appc`."""

    name: Annotated[str, 1]
    id: Annotated[str | None, 2] = None
    labels: Annotated[Labels | None, 3] = None


class DockerImage(Wire, frozen=True, kw_only=True):
    """`Image.Docker`: a reference such as `registry/name:tag`."""

    name: Annotated[str, 1]
    credential: Annotated[Credential | None, 2] = None
    config: Annotated[Secret | None, 3] = None


class Image(Wire, frozen=True, kw_only=True):
    """`Image`; `cached` false asks for a fresh pull."""

    type: Annotated[str | None, 1, numbers.IMAGE_TYPE] = None
    appc: Annotated[AppcImage | None, 2] = None
    docker: Annotated[DockerImage | None, 3] = None
    cached: Annotated[bool, 4] = emitted(True)


class SandboxPath(Wire, frozen=True, kw_only=True):
    """`Volume.Source.SandboxPath`."""

    path: Annotated[str, 2]
    type: Annotated[str | None, 1, numbers.VOLUME_SOURCE_SANDBOX_PATH_TYPE] = None


class MountPropagation(Wire, frozen=True, kw_only=True):
    """`MountPropagation`."""

    mode: Annotated[str | None, 1, numbers.MOUNT_PROPAGATION_MODE] = None


class HostPath(Wire, frozen=True, kw_only=True):
    """`Volume.Source.HostPath`."""

    path: Annotated[str, 1]
    mount_propagation: Annotated[MountPropagation | None, 2] = None


class VolumeSource(Wire, frozen=True, kw_only=True):
    """`Volume.Source`."""

    type: Annotated[str | None, 1, numbers.VOLUME_SOURCE_TYPE] = None
    sandbox_path: Annotated[SandboxPath | None, 3] = None
    host_path: Annotated[HostPath | None, 5] = None
    docker_volume: Annotated[DockerVolume | None, 2] = None
    secret: Annotated[Secret | None, 4] = None
    csi_volume: Annotated[CSIVolume | None, 6] = None


class Volume(Wire, frozen=True, kw_only=True):
    """A directory or file that appears at `container_path`; `mode` is RW or RO."""

    container_path: Annotated[str, 1]
    mode: Annotated[str, 3, numbers.VOLUME_MODE] = emitted("RW")
    host_path: Annotated[str | None, 2] = None
    image: Annotated[Image | None, 4] = None
    source: Annotated[VolumeSource | None, 5] = None


class PortMapping(Wire, frozen=True, kw_only=True):
    """A port of the host that leads to one of the container.

    `host_ip` is an extension of ours, in JSON only: the port is at that address of the host alone.
    """

    host_port: Annotated[int, 1]
    container_port: Annotated[int, 2]
    protocol: Annotated[str | None, 3] = None
    host_ip: str | None = None


class DockerInfo(Wire, frozen=True, kw_only=True):
    """`ContainerInfo.DockerInfo`."""

    image: Annotated[str, 1]
    network: Annotated[str | None, 2, numbers.CONTAINER_INFO_DOCKER_INFO_NETWORK] = None
    port_mappings: Annotated[tuple[PortMapping, ...], 3] = ()
    privileged: Annotated[bool, 4] = emitted(False)
    parameters: Annotated[tuple[Parameter, ...], 5] = ()
    force_pull_image: Annotated[bool | None, 6] = None
    volume_driver: Annotated[str | None, 7] = None


class MesosInfo(Wire, frozen=True, kw_only=True):
    """`ContainerInfo.MesosInfo`."""

    image: Annotated[Image | None, 1] = None


class IPAddress(Wire, frozen=True, kw_only=True):
    """`NetworkInfo.IPAddress`."""

    ip_address: Annotated[str | None, 2] = None
    protocol: Annotated[str | None, 1, numbers.NETWORK_INFO_PROTOCOL] = None


class NetworkInfo(Wire, frozen=True, kw_only=True):
    """A network that a container is on."""

    ip_addresses: Annotated[tuple[IPAddress, ...], 5] = ()
    name: Annotated[str | None, 6] = None
    groups: Annotated[tuple[str, ...], 3] = ()
    labels: Annotated[Labels | None, 4] = None
    port_mappings: Annotated[tuple[PortMapping, ...], 7] = ()


class CapabilityInfo(Wire, frozen=True, kw_only=True):
    """`CapabilityInfo`."""

    capabilities: Annotated[tuple[str, ...], 1, numbers.CAPABILITY_INFO_CAPABILITY] = ()


class LinuxInfo(Wire, frozen=True, kw_only=True):
    """`LinuxInfo`: what of Linux a container may use."""

    effective_capabilities: Annotated[CapabilityInfo | None, 3] = None
    bounding_capabilities: Annotated[CapabilityInfo | None, 2] = None
    share_pid_namespace: Annotated[bool | None, 4] = None
    share_cgroups: Annotated[bool, 8] = emitted(True)
    capability_info: Annotated[CapabilityInfo | None, 1] = None
    seccomp: Annotated[SeccompInfo | None, 5] = None
    ipc_mode: Annotated[str | None, 6, numbers.LINUX_INFO_IPC_MODE] = None
    shm_size: Annotated[int | None, 7] = None


class ContainerInfo(Wire, frozen=True, kw_only=True):
    """What a task runs in; `type` is MESOS or DOCKER."""

    type: Annotated[str, 1, numbers.CONTAINER_INFO_TYPE]
    volumes: Annotated[tuple[Volume, ...], 2] = ()
    hostname: Annotated[str | None, 4] = None
    docker: Annotated[DockerInfo | None, 3] = None
    mesos: Annotated[MesosInfo | None, 5] = None
    network_infos: Annotated[tuple[NetworkInfo, ...], 7] = ()
    linux_info: Annotated[LinuxInfo | None, 8] = None
    rlimit_info: Annotated[RLimitInfo | None, 9] = None
    tty_info: Annotated[TTYInfo | None, 10] = None


class NetCls(Wire, frozen=True, kw_only=True):
    """`CgroupInfo.NetCls`."""

    classid: Annotated[int | None, 1] = None


class CgroupInfo(Wire, frozen=True, kw_only=True):
    """`CgroupInfo`."""

    net_cls: Annotated[NetCls | None, 1] = None


class ContainerStatus(Wire, frozen=True, kw_only=True):
    """What an agent knows of a running container."""

    container_id: Annotated[ContainerID | None, 4] = None
    network_infos: Annotated[tuple[NetworkInfo, ...], 1] = ()
    cgroup_info: Annotated[CgroupInfo | None, 2] = None
    executor_pid: Annotated[int | None, 3] = None
