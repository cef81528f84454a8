"""What a master is told at its start."""

from pathlib import Path

from msgspec import Struct

from comity.policy.allocator import Settings, minimum_of
from comity.wire.mesos import v1

VERSION = "1.11.0"
"""The Mesos version whose API this is; clients parse it as dotted integers."""


class MasterConfig(Struct, frozen=True, kw_only=True):
    """Settings of one master."""

    ip: str = "127.0.0.1"
    """Address to listen on. Beyond loopback only together with `credentials`."""
    port: int = 5050
    """Port to listen on; 0 takes a free one."""
    hostname: str = ""
    """Name that others are told; the address when empty."""
    work_dir: Path = Path("comity-master")
    """Directory of the registry (`master.sqlite`)."""
    cluster: str = "comity"
    """Name of the cluster, shown by clients."""
    credentials: Path | None = None
    """File of the credentials that callers must show (HTTP Basic); None asks for none."""
    journal: Path | None = None
    """File that every input is written to, for `comity debug replay`; None for none."""
    authenticate_http_readonly: bool | None = None
    """Whether reads ask for credentials (realm mesos-master-readonly); None: if there are any."""
    authenticate_http_readwrite: bool | None = None
    """Whether the operator API and writes do (realm mesos-master-readwrite)."""
    authenticate_http_frameworks: bool | None = None
    """Whether schedulers do (realm mesos-master-scheduler)."""
    acls: str = ""
    """Access control lists: the JSON document itself; everything is allowed when empty."""
    log_file: Path | None = None
    """File that `/files/read?path=/master/log` shows: where the supervisor writes our stderr."""
    allocation_interval_s: float = 1.0
    """Seconds between full allocation cycles. Shorter reacts to expired filters sooner."""
    ping_interval_s: float = 15.0
    """Seconds between pings of an agent."""
    pings_missed_max: int = 5
    """Pings an agent may leave unanswered before it is unreachable (75 s with the defaults)."""
    agent_reregister_timeout_s: float = 600.0
    """Seconds that a disconnected or recovered agent has to come back; the flag takes no less."""
    agent_removal_interval_s: float = 0.0
    """Seconds between two agents that are given up because they are silent; 0 sets no limit.

    Against a broken switch that takes away half of the cluster. Mesos's flag is a rate: `1/20mins`.
    """
    registry_gc_interval_s: float = 900.0
    """Seconds between looks for unreachable and gone agents that are too old or too many."""
    registry_max_agent_age_s: float = 14 * 86400.0
    """Seconds for which the registry remembers an unreachable or gone agent."""
    registry_max_agent_count: int = 102400
    """Unreachable agents, and gone agents, that the registry remembers at most."""
    max_completed_frameworks: int = 50
    """Frameworks that have ended and are still shown, and known to have ended."""
    max_completed_tasks_per_framework: int = 1000
    """Tasks that have ended and are still shown."""
    max_unreachable_tasks_per_framework: int = 1000
    """Tasks of unreachable agents that are remembered, the newest."""
    heartbeat_interval_s: float = 15.0
    """Seconds between heartbeats on scheduler streams. Clients rely on 15."""
    max_operator_event_stream_subscribers: int = 1000
    """Operators that may watch at a time; one more closes the oldest stream."""
    publish_per_framework_metrics: bool = True
    """Whether metrics of each framework are shown; with many frameworks they are many."""
    min_allocatable_resources: str = "cpus:0.01|mem:32"
    """What an offer must at least have, one of these; empty offers anything, however little."""
    filter_gpu_resources: bool = True
    """Whether agents with GPUs are offered to frameworks that are GPU_RESOURCES capable only."""
    fair_sharing_excluded_resource_names: tuple[str, ...] = ()
    """Scalars that shares of roles and frameworks are not counted in, such as gpus."""
    role_sorter: str = "drf"
    """Whose turn it is among roles: `drf`, that of the lowest share, or `random`, by weight."""
    framework_sorter: str = "drf"
    """The same among the frameworks of a role."""
    offer_timeout_s: float | None = None
    """Seconds after which an unused offer is rescinded, for others to get a chance; None: never."""
    require_agent_domain: bool = False
    """Whether agents without a fault domain are kept out."""
    domain: v1.DomainInfo | None = None
    """Fault domain; agents of other regions are for frameworks that are REGION_AWARE only."""

    @property
    def allocation(self) -> Settings:
        """Return what of this the allocator goes by."""
        fault_domain = self.domain.fault_domain if self.domain is not None else None
        return Settings(
            minimum=minimum_of(self.min_allocatable_resources),
            gpus_filtered=self.filter_gpu_resources,
            region=fault_domain.region.name if fault_domain is not None else None,
            unfair_names=frozenset(self.fair_sharing_excluded_resource_names),
            roles_drawn=self.role_sorter == "random",
            frameworks_drawn=self.framework_sorter == "random",
        )
