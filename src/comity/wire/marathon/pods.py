"""Pods as Marathon stores and shows them (`types/pod.raml`, `types/podContainer.raml`).

A field without a default here is always shown. What a pod has in common with an app (how many
instances, how they are placed, replaced and given up) can be asked for by the app's names: a `Spec`
is either of the two. Defaults that a caller may rely on live in `pod_reads`.
"""

from typing import Literal

import msgspec
from msgspec import field

from comity.wire.marathon.apps import (
    App,
    Artifact,
    EnvSecret,
    HealthCheck,
    LinuxInfo,
    Network,
    PullConfig,
    ResourceLimits,
    SecretSource,
    UnreachableStrategy,
    UpgradeStrategy,
    VersionInfo,
    Wire,
)


class Resources(Wire, frozen=True, kw_only=True):
    """What one container asks for."""

    cpus: float
    mem: float
    disk: float
    gpus: int


class ExecutorResources(Wire, frozen=True, kw_only=True):
    """What the executor of a pod's instance asks for itself."""

    cpus: float
    mem: float
    disk: float


class Image(Wire, frozen=True, kw_only=True):
    """The image of a container."""

    kind: Literal["DOCKER"]
    id: str
    force_pull: bool | None = None
    pull_config: PullConfig | None = None
    labels: dict[str, str] = field(default_factory=dict)


class MesosCommand(Wire, frozen=True, kw_only=True):
    """A command: a line for the shell, or a program with its arguments."""

    shell: str | None = None
    argv: tuple[str, ...] = ()


class Exec(Wire, frozen=True, kw_only=True):
    """What a container runs; with `override_entrypoint` argv[0] replaces the image's own."""

    command: MesosCommand
    override_entrypoint: bool | None = None


class Endpoint(Wire, frozen=True, kw_only=True):
    """A port of a container; `host_port` 0 is any of the offer's, None is none."""

    name: str
    container_port: int | None = None
    host_port: int | None = None
    protocol: tuple[str, ...] = ()
    labels: dict[str, str] = field(default_factory=dict)
    network_names: tuple[str, ...] = ()


class HttpCheck(Wire, frozen=True, kw_only=True):
    """A GET of an endpoint; 200 to 399 is healthy."""

    endpoint: str
    path: str | None = None
    scheme: Literal["HTTP", "HTTPS"]


class TcpCheck(Wire, frozen=True, kw_only=True):
    """A connection to an endpoint."""

    endpoint: str


class CommandCheck(Wire, frozen=True, kw_only=True):
    """A command whose exit status says whether the container is well."""

    command: MesosCommand


class PodHealthCheck(Wire, frozen=True, kw_only=True):
    """How an agent finds out whether a container is well: one of http, tcp and exec."""

    http: HttpCheck | None = None
    tcp: TcpCheck | None = None
    exec: CommandCheck | None = None
    grace_period_seconds: int
    interval_seconds: int
    max_consecutive_failures: int
    timeout_seconds: int
    delay_seconds: int


class VolumeMount(Wire, frozen=True, kw_only=True):
    """Where a container sees one of the pod's volumes."""

    name: str
    mount_path: str
    read_only: bool | None = None


class PodVolume(Wire, frozen=True, kw_only=True):
    """A directory for the pod's containers: the instance's own, or with `host` the agent's.

    With `secret` it is a file with one of the pod's secrets.
    """

    name: str
    host: str | None = None
    secret: str | None = None


class Lifecycle(Wire, frozen=True, kw_only=True):
    """How long a container has between SIGTERM and SIGKILL."""

    kill_grace_period_seconds: float | None = None


class PodContainer(Wire, frozen=True, kw_only=True):
    """One container of a pod; a task once it runs."""

    name: str
    exec: Exec | None = None
    resources: Resources
    resource_limits: ResourceLimits | None = None
    endpoints: tuple[Endpoint, ...] = ()
    linux_info: LinuxInfo | None = None
    image: Image | None = None
    environment: dict[str, str | EnvSecret] = field(default_factory=dict)
    user: str | None = None
    health_check: PodHealthCheck | None = None
    volume_mounts: tuple[VolumeMount, ...] = ()
    artifacts: tuple[Artifact, ...] = ()
    labels: dict[str, str] = field(default_factory=dict)
    lifecycle: Lifecycle | None = None
    tty: bool | None = None


class Backoff(Wire, frozen=True, kw_only=True):
    """How launches are delayed after failures, in seconds."""

    backoff: float
    backoff_factor: float
    max_launch_delay: float


class PodConstraint(Wire, frozen=True, kw_only=True):
    """Where instances may be."""

    field_name: str
    operator: str
    value: str | None = None


class Placement(Wire, frozen=True, kw_only=True):
    """Where instances may be, and whose resources they may use."""

    constraints: tuple[PodConstraint, ...]
    accepted_resource_roles: tuple[str, ...]


class Scheduling(Wire, frozen=True, kw_only=True):
    """How instances are placed, replaced and given up."""

    backoff: Backoff
    upgrade: UpgradeStrategy
    placement: Placement
    kill_selection: Literal["YOUNGEST_FIRST", "OLDEST_FIRST"]
    unreachable_strategy: UnreachableStrategy | Literal["disabled"]


class Scaling(Wire, frozen=True, kw_only=True):
    """How many instances there shall be."""

    kind: Literal["fixed"]
    instances: int


class Pod(Wire, frozen=True, kw_only=True):
    """A canonical pod definition: validated, with every default filled in."""

    id: str
    version: str = ""
    user: str | None = None
    containers: tuple[PodContainer, ...]
    environment: dict[str, str | EnvSecret] = field(default_factory=dict)
    labels: dict[str, str] = field(default_factory=dict)
    secrets: dict[str, SecretSource] = field(default_factory=dict)
    scaling: Scaling
    scheduling: Scheduling
    volumes: tuple[PodVolume, ...] = ()
    networks: tuple[Network, ...] = ()
    executor_resources: ExecutorResources
    role: str
    linux_info: LinuxInfo | None = None
    legacy_shared_cgroups: bool = False
    version_info: VersionInfo | None = None
    """Stored, and never shown: Marathon's pods have only a version."""

    # what apps have too, by the app's names

    @property
    def instances(self) -> int:
        """How many instances there shall be."""
        return self.scaling.instances

    @property
    def config_version(self) -> str:
        """The version that last changed anything but the number of instances."""
        return self.version_info.last_config_change_at if self.version_info else self.version

    @property
    def dependencies(self) -> tuple[str, ...]:
        """Pods depend on nothing."""
        return ()

    @property
    def health_checks(self) -> tuple[HealthCheck, ...]:
        """The checks that Marathon keeps account of: none, as agents make those of pods."""
        return ()

    @property
    def upgrade_strategy(self) -> UpgradeStrategy:
        """The bounds of a rolling restart."""
        return self.scheduling.upgrade

    @property
    def unreachable_strategy(self) -> UnreachableStrategy | Literal["disabled"]:
        """What becomes of an instance whose agent is lost."""
        return self.scheduling.unreachable_strategy

    @property
    def kill_selection(self) -> Literal["YOUNGEST_FIRST", "OLDEST_FIRST"]:
        """Which of equal instances go first."""
        return self.scheduling.kill_selection

    @property
    def constraints(self) -> tuple[tuple[str, ...], ...]:
        """The constraints as apps write them."""
        return tuple(
            (one.field_name, one.operator, *(() if one.value is None else (one.value,)))
            for one in self.scheduling.placement.constraints
        )

    @property
    def accepted_resource_roles(self) -> tuple[str, ...] | None:
        """Roles whose resources may be used."""
        return self.scheduling.placement.accepted_resource_roles or None

    @property
    def backoff_seconds(self) -> float:
        """The delay of a launch after a first failure."""
        return self.scheduling.backoff.backoff

    @property
    def backoff_factor(self) -> float:
        """What the delay grows by with each failure."""
        return self.scheduling.backoff.backoff_factor

    @property
    def max_launch_delay_seconds(self) -> float:
        """The longest delay."""
        return self.scheduling.backoff.max_launch_delay

    def scaled(self, instances: int) -> "Pod":
        """Return the same pod with another number of instances."""
        scaling = Scaling(kind="fixed", instances=instances)
        return msgspec.structs.replace(self, scaling=scaling)


Spec = App | Pod
"""What Marathon calls a run spec: apps and pods share one space of ids, and all that runs them."""
