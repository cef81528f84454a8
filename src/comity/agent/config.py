"""What an agent is told at its start."""

from pathlib import Path

import msgspec
from msgspec import Struct

from comity.wire.mesos import v1

VERSION = "1.11.0"
"""The Mesos version whose API this is."""


REREGISTRATION_MAX_S = 15.0
"""Mesos's limit: until then a restarted agent answers nothing about these executors' tasks."""


class AgentConfig(Struct, frozen=True, kw_only=True):
    """Settings of one agent."""

    master: str = "http://127.0.0.1:5050"
    """URL of the master, or of any master that redirects to the leader."""
    ip: str = "127.0.0.1"
    """Address to listen on. Beyond loopback only together with `credentials`."""
    port: int = 5051
    """Port to listen on; 0 takes a free one."""
    hostname: str = ""
    """Name that schedulers and tasks are told; the address when empty. It should resolve."""
    work_dir: Path = Path("comity-agent")
    """Directory of sandboxes, checkpoints and the launcher's socket."""
    resources: str = ""
    """Resources as `cpus:4;mem:1024`; what is not named is detected as Mesos does."""
    attributes: str = ""
    """Attributes as `rack:r1;zone:a`."""
    domain: v1.DomainInfo | None = None
    """Fault domain (region and zone). A master that has none itself refuses agents with one."""
    docker_registry: str = ""
    """Registry URL, or a directory of OCI layouts, where images without a host are looked up."""
    docker_config: str = ""
    """Credentials for registries: a docker `config.json`, or the path of one."""
    registries: Path | None = None
    """TOML file of what is said of registries: mirrors, insecure, ca."""
    secrets_dir: Path | None = None
    """Directory of files that are the secrets which containers name; None has none."""
    image_gc_headroom: float = 0.1
    """Share of the disk to keep free: with less, images that nothing uses are removed."""
    image_gc_interval_s: float = 60.0
    """Seconds between looks at that."""
    image_gc_excluded: tuple[str, ...] = ()
    """Images that are never removed."""
    allow_images: bool = True
    """Whether image containers may run here, where the machine can."""
    allow_host_image: bool = True
    """Whether the reserved image name `host` may be used here."""
    credentials: Path | None = None
    """File of the credentials that callers must show (HTTP Basic); None asks for none."""
    authenticate_http_readonly: bool | None = None
    """Whether reads ask for credentials (realm mesos-agent-readonly); None: if there are any."""
    authenticate_http_readwrite: bool | None = None
    """Whether the operator API does (realm mesos-agent-readwrite)."""
    authenticate_http_executors: bool | None = None
    """Whether executors have to show the token that they were started with; None: if there are
    `credentials` or a key."""
    jwt_secret_key: Path | None = None
    """File of the key that executors' tokens are signed with; None makes one when it is needed."""
    acls: str = ""
    """Access control lists: the JSON document itself; everything is allowed when empty."""
    credential: Path | None = None
    """File of the agent's own credential for the master."""
    log_file: Path | None = None
    """File that `/files/read?path=/slave/log` shows: where the supervisor writes our stderr."""
    journal: Path | None = None
    """File that every input is written to, for `comity debug replay`; None for none."""
    network_bridge: str = "comity0"
    """Bridge of the network `mesos-bridge`, shared by a machine's agents; empty for none."""
    network_bridge_subnet: str = "10.209.0.0/16"
    """Addresses on that bridge. Machines whose containers are to reach each other need different
    ones, and routes between them."""
    network_bridge_subnet6: str = ""
    """Addresses of IPv6 on that bridge, beside the others: at least as many, such as
    fd00:c0::/112; empty for none."""
    network_cni_config_dir: Path | None = None
    """Directory of CNI configurations, each a network by the name in it."""
    network_cni_plugins_dir: str = "/opt/cni/bin:/usr/lib/cni"
    """Directories of CNI plugins, with colons between them."""
    executor_registration_timeout_s: float = 60.0
    """Seconds that an executor has to subscribe after its start."""
    executor_reregistration_timeout_s: float = 2.0
    """Seconds that executors have to come back after a restart of the agent; at most 15."""
    executor_shutdown_grace_s: float = 5.0
    """Seconds between SHUTDOWN and the end of an executor's container."""
    executor_environment: dict[str, str] = msgspec.field(default_factory=dict)
    """Variables of executors beside those that agents set: LIBPROCESS_SSL_CA_FILE, for example."""
    recovery_timeout_s: float = 900.0
    """Seconds for which executors of checkpointing frameworks wait for an agent that is away."""
    http_executor_domain_sockets: bool = False
    """Whether executors are served on a socket of the file system, too, and told where it is
    (MESOS_DOMAIN_SOCKET)."""
    domain_socket_location: Path | None = None
    """That socket; None is `agent.sock` in the work directory."""
    reconfiguration_policy: str = "any"
    """What may differ from the last run in this work directory: `any` (as long as what is reserved
    and runs fits), `additive` (nothing may become less) or `equal` (nothing)."""
    gc_delay_s: float = 7 * 86400.0
    """Seconds for which sandboxes of ended executors are kept, while the disk is not full."""
    gc_disk_headroom: float = 0.1
    """Share of the disk that is to stay free; the fuller it is, the sooner sandboxes go."""
    disk_watch_interval_s: float = 60.0
    """Seconds between looks at how full the disk is."""
    container_log_max_size: int = 0
    """Bytes after which a container's stdout or stderr is moved to stdout.1; 0 never does. Read by
    the second, so that a file is longer for a moment."""
    container_log_max_files: int = 5
    """How many old ones of each are kept."""
    fetcher_cache_bytes: int = 2 << 30
    """Size of the cache for URIs that ask for it; in the work directory."""
    enforce_disk_quota: bool = False
    """Whether a task is killed when its sandbox, with what it changed in its image, holds more
    than its `disk` resource."""
    cgroups_enable_cfs: bool = False
    """Whether `cpus` is a hard limit of processor time besides a share of it; a task's own limit
    always is one."""
    container_pids_max: int = 0
    """Processes and threads that a container may have, unless it says otherwise; 0 is no limit."""
    container_disk_watch_interval_s: float = 15.0
    """Seconds between two measurements of the sandboxes' sizes."""

    @property
    def executor_socket(self) -> Path | None:
        """Return the socket that executors are served on, None without one."""
        if not self.http_executor_domain_sockets:
            return None
        return (self.domain_socket_location or self.work_dir / "agent.sock").absolute()
