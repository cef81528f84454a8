"""What an operator can set, and the timings that Marathon's own flags have as defaults."""

from pathlib import Path

from msgspec import Struct


class Config(Struct, frozen=True):
    """The whole configuration of one Marathon."""

    master: str = "http://127.0.0.1:5050"
    """Where the Mesos master is."""
    ip: str = "127.0.0.1"
    """Address to listen on. Beyond loopback, `credentials` must be given."""
    port: int = 8080
    """Port to listen on; 0 takes a free one."""
    work_dir: Path = Path("/var/lib/comity/marathon")
    """Holds `marathon.sqlite`; a copy of it is the whole state."""
    credentials: Path | None = None
    """Who may call us."""
    credential: Path | None = None
    """Who we are to the master."""
    framework_name: str = "marathon"
    """Our name among the master's frameworks."""
    user: str = "root"
    """User that tasks run as when an app names none."""
    default_network_name: str = ""
    """The network of apps and pods that ask for one of mode `container` and name none."""
    failover_timeout_s: float = 604800.0
    """How long the master keeps our tasks while we are gone: a week, as in Marathon."""
    decline_s: float = 120.0
    """How long a declined offer stays away while nothing waits for one."""
    decline_waiting_s: float = 5.0
    """The same while instances wait: their constraints may be met after somebody else's change."""
    draining_s: float = 0.0
    """How long before a machine's maintenance nothing is started there (`--draining_seconds`)."""
    tasks_per_accept_max: int = 100
    """Tasks launched by one ACCEPT. More would make one call long, fewer would cost rounds."""
    deployments_max: int = 100
    """Running deployments; one more is refused with 403."""
    staging_timeout_s: float = 300.0
    """A task that has not started to run by then is killed and replaced."""
    kill_retry_s: float = 30.0
    """A kill that has not been answered by then is sent again."""
    reconcile_s: float = 600.0
    """How often the master is asked for the states of all tasks."""
    heartbeat_s: float = 15.0
    """How often an event stream carries an empty line, so that dead readers are noticed."""
    body_size_bytes_max: int = 8 << 20
    """A larger request body is refused with 413; an app with a package's labels takes 100 KB."""
    probes_max: int = 256
    """Health probes of our own in flight at once."""
