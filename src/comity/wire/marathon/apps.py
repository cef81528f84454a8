"""Apps as Marathon stores and shows them (`types/app.raml` and the documents it uses).

A field without a default here is always shown, also at its default value; one with a default is
left out while it has it. Defaults that a caller may rely on live in `app_reads`.
"""

from typing import Literal

import msgspec
from msgspec import Struct, field


class Wire(Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel", gc=False):
    """What all of Marathon's types share."""


class UpgradeStrategy(Wire, frozen=True, kw_only=True, gc=False):
    """How many instances a rolling restart may add, and how many it must leave healthy."""

    maximum_over_capacity: float
    minimum_health_capacity: float


class UnreachableStrategy(Wire, frozen=True, kw_only=True, gc=False):
    """When an instance whose agent is lost is replaced, and when it is given up."""

    inactive_after_seconds: int
    expunge_after_seconds: int


class VersionInfo(Wire, frozen=True, kw_only=True, gc=False):
    """The versions in which the app was last scaled and last changed otherwise."""

    last_scaling_at: str
    last_config_change_at: str


class Artifact(Wire, frozen=True, kw_only=True, gc=False):
    """Something to fetch into the sandbox before the start."""

    uri: str
    extract: bool
    executable: bool
    cache: bool
    dest_path: str | None = None


class PortDefinition(Wire, frozen=True, kw_only=True):
    """A port on the agent's own network; `port` is a service port unless `requirePorts`."""

    port: int
    protocol: str
    name: str | None = None
    labels: dict[str, str] = field(default_factory=dict)


class Network(Wire, frozen=True, kw_only=True):
    """A network of the app: `host`, `container/bridge`, or `container` with a name."""

    mode: Literal["host", "container/bridge", "container"]
    name: str | None = None
    labels: dict[str, str] = field(default_factory=dict)


class PortMapping(Wire, frozen=True, kw_only=True):
    """A port of a container on a network of its own, and perhaps one of the host that leads there.

    `host_port` 0 is any of the offer's, None is none; `container_port` 0 is the same as the host's.
    """

    container_port: int
    host_port: int | None = None
    service_port: int
    protocol: str
    name: str | None = None
    labels: dict[str, str] = field(default_factory=dict)
    network_names: tuple[str, ...] = ()


class Parameter(Wire, frozen=True, kw_only=True):
    """An option of `docker run`, without its dashes."""

    key: str
    value: str


class Volume(Wire, frozen=True, kw_only=True):
    """A path of the agent's machine that a container sees, or one of the app's secrets as a file.

    A relative host path is in the sandbox. A secret has neither a host path nor a mode.
    """

    container_path: str
    host_path: str | None = None
    mode: Literal["RO", "RW"] | None = None
    secret: str | None = None


class Seccomp(Wire, frozen=True, kw_only=True):
    """Which system calls a container may make."""

    profile_name: str | None = None
    unconfined: bool = False


class IpcInfo(Wire, frozen=True, kw_only=True):
    """Whose IPC namespace a container is in, and the size of its /dev/shm in MB."""

    mode: Literal["PRIVATE", "SHARE_PARENT"]
    shm_size: int | None = None


class LinuxInfo(Wire, frozen=True, kw_only=True):
    """What of Linux a container may use."""

    seccomp: Seccomp | None = None
    ipc_info: IpcInfo | None = None


class ResourceLimits(Wire, frozen=True, kw_only=True):
    """Limits above what an app asks for."""

    cpus: float | Literal["unlimited"] | None = None
    mem: float | Literal["unlimited"] | None = None


class Credential(Wire, frozen=True, kw_only=True):
    """Who pulls an image; deprecated in Marathon for `pullConfig`."""

    principal: str
    secret: str | None = None


class PullConfig(Wire, frozen=True, kw_only=True):
    """The name of the app's secret that is a docker config."""

    secret: str


class EnvSecret(Wire, frozen=True, kw_only=True):
    """A variable whose value is the secret of this name."""

    secret: str


class SecretSource(Wire, frozen=True, kw_only=True):
    """Where agents find a secret."""

    source: str


class Docker(Wire, frozen=True, kw_only=True, gc=False):
    """The image of a container."""

    image: str
    force_pull_image: bool
    privileged: bool
    parameters: tuple[Parameter, ...]
    credential: Credential | None = None
    pull_config: PullConfig | None = None


class Container(Wire, frozen=True, kw_only=True):
    """A container of either engine; both run in the agent's own runtime."""

    type: Literal["MESOS", "DOCKER"]
    volumes: tuple[Volume, ...]
    docker: Docker | None = None
    linux_info: LinuxInfo | None = None
    port_mappings: tuple[PortMapping, ...] | None = None


class Command(Wire, frozen=True, kw_only=True, gc=False):
    """A shell command line of a health check."""

    value: str


class HealthCheck(Wire, frozen=True, kw_only=True, gc=False):
    """A health check: HTTP, HTTPS and TCP are probed by Marathon, the others by the agent."""

    protocol: str
    grace_period_seconds: int
    interval_seconds: int
    timeout_seconds: int
    max_consecutive_failures: int
    delay_seconds: int
    ip_protocol: str
    command: Command | None = None
    ignore_http1xx: bool | None = None
    path: str | None = None
    port: int | None = None
    port_index: int | None = None

    @property
    def is_probed(self) -> bool:
        """Whether Marathon itself makes this check."""
        return self.protocol in ("HTTP", "HTTPS", "TCP")


class App(Wire, frozen=True, kw_only=True):
    """A canonical app definition: validated, with every default filled in."""

    id: str
    cmd: str | None = None
    args: tuple[str, ...] = ()
    accepted_resource_roles: tuple[str, ...] | None = None
    backoff_factor: float
    backoff_seconds: int
    constraints: tuple[tuple[str, ...], ...] = ()
    container: Container | None = None
    resource_limits: ResourceLimits | None = None
    cpus: float
    dependencies: tuple[str, ...] = ()
    disk: float
    env: dict[str, str | EnvSecret] = field(default_factory=dict)
    executor: str
    fetch: tuple[Artifact, ...] = ()
    gpus: int
    health_checks: tuple[HealthCheck, ...] = ()
    instances: int
    kill_selection: Literal["YOUNGEST_FIRST", "OLDEST_FIRST"]
    labels: dict[str, str]
    max_launch_delay_seconds: int
    mem: float
    networks: tuple[Network, ...]
    port_definitions: tuple[PortDefinition, ...]
    require_ports: bool
    role: str
    secrets: dict[str, SecretSource] = field(default_factory=dict)
    task_kill_grace_period_seconds: int | None = None
    unreachable_strategy: UnreachableStrategy | Literal["disabled"]
    upgrade_strategy: UpgradeStrategy
    user: str | None = None
    tty: bool | None = None
    version: str
    version_info: VersionInfo | None = None

    @property
    def config_version(self) -> str:
        """The version that last changed more than the number of instances."""
        return self.version_info.last_config_change_at if self.version_info else self.version

    def scaled(self, instances: int) -> "App":
        """Return the same app with another number of instances."""
        return msgspec.structs.replace(self, instances=instances)
