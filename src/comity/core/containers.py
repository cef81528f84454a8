"""What a container is made of, whichever containerizer runs it."""

from pathlib import Path
from typing import Annotated

from msgspec import Meta, Struct

from comity.core.networks import Network

IMAGE_FAULT = "image: "
"""How the text of a launch through the API begins that failed because of the image."""
START_FAULT = "cannot start the command: "
"""How the text of a launch begins whose container was made, but whose command cannot run."""


class Mount(Struct, frozen=True):
    """A file or directory of the host that appears in an image container."""

    source: str
    target: str
    read_only: bool = False
    make: bool = False
    """Make the source as a directory when it is not there."""
    kind: str = "bind"
    """bind; tmpfs, without a source; image, whose reference is the source; secret, its content."""
    options: tuple[str, ...] = ()
    """Options of the mount besides rw and ro."""


_RLIMITS = """
AS CORE CPU DATA FSIZE LOCKS MEMLOCK MSGQUEUE NICE NOFILE NPROC RSS RTPRIO RTTIME SIGPENDING STACK
"""
RLIMITS = frozenset(_RLIMITS.split())
"""Kinds of limits on processes (getrlimit(2)), without RLIMIT_."""


class RLimit(Struct, frozen=True):
    """A limit of the kernel's on each process: NOFILE and its kind; None is no limit."""

    kind: str
    soft: int | None = None
    hard: int | None = None


class Device(Struct, frozen=True):
    """A device of the host that a container may use."""

    path: str
    target: str
    access: str = "rwm"


class Isolation(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """How an image container is kept apart from the machine, and what it may do."""

    capabilities: tuple[str, ...] | None = None
    """Those it may ever have, without CAP_; None is Docker's default set."""
    added: tuple[str, ...] = ()
    dropped: tuple[str, ...] = ()
    """Changes of that set, or ALL; what is both stays when it is named and ALL is dropped."""
    effective: tuple[str, ...] | None = None
    """Those its first process has whoever its user is; None is what its user may have."""
    seccomp: str = ""
    """`unconfined`, or empty for the default profile."""
    no_new_privileges: bool = False
    read_only: bool = False
    """Its root cannot be written; its volumes can."""
    privileged: bool = False
    """Every capability and device, and nothing of the kernel hidden."""
    unmasked: bool = False
    """Nothing of /proc and /sys hidden."""
    rlimits: tuple[RLimit, ...] = ()
    sysctls: dict[str, str] = {}
    devices: tuple[Device, ...] = ()
    shm_bytes: int | None = None
    hostname: str = ""
    private_ipc: bool = False
    """Not even the pod's IPC namespace."""
    share_ipc: bool = False
    """The machine's IPC namespace and /dev/shm instead of its own."""
    share_pid: bool = False
    """The machine's processes, or the pod's, instead of only its own."""
    groups: tuple[int, ...] = ()
    """Groups besides those of its user."""
    non_root: bool = False
    """It must not start when its user turns out to be root."""
    hosts: tuple[str, ...] = ()
    """Further lines of /etc/hosts, of a pod."""
    memory_volumes: dict[str, int] = {}
    """Directories that a pod keeps in memory, with their sizes in bytes; 0 is the machine's."""
    pids_max: int | None = None
    oom_score_adj: int | None = None

    @property
    def restricts_capabilities(self) -> bool:
        """Whether it says anything about capabilities."""
        asked = (self.capabilities, self.effective)
        return any(one is not None for one in asked) or bool(self.added or self.dropped)


class LogLimits(Struct, frozen=True, kw_only=True):
    """How much is kept of what a container writes to stdout, and as much of stderr."""

    max_size: Annotated[int, Meta(ge=0)]
    """Bytes after which the older part becomes a file of its own; 0 is never."""
    max_files: Annotated[int, Meta(ge=2, le=1000)]
    """Files that are kept, the one that is written among them."""


class Pod(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What several containers share: namespaces, /etc/hosts, /dev/shm and a cgroup above theirs."""

    id: str
    """That of the container which it belongs to, and is removed with."""
    hostname: str = ""
    networks: tuple[Network, ...] = ()
    """Networks to be on; with none it is on the machine's own."""
    sysctls: dict[str, str] = {}
    shm_bytes: int | None = None
    share_ipc: bool = False
    """The machine's IPC namespace instead of one of its own."""
    share_pid: bool = False
    """One PID namespace for all its containers, kept by a process of its own."""
    hosts: tuple[str, ...] = ()
    """Further lines of /etc/hosts."""
    memory_volumes: dict[str, int] = {}
    """Directories that are in memory, with their sizes in bytes; 0 is the machine's default."""
    cpus: float = 0.0
    mem_bytes: int = 0
    cpu_quota: float | None = None
    """Limits of all its containers together; none when 0 or None."""


class NamedSecret(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A secret that the agent finds by its name when a container starts."""

    name: str
    key: str = ""
    place: str
    """variable, file or image: what it becomes."""
    target: str = ""
    """The variable's name, or where the file is."""


class Spec(Struct, frozen=True, kw_only=True):
    """A container to start."""

    id: str
    """Unique on this agent; nested ids join with dots."""
    sandbox: Path
    """Its directory: where plain processes run, and where stdout and stderr are."""
    arguments: tuple[str, ...] = ()
    """The command line; for image containers empty means the image's own."""
    command: str | None = None
    """What replaces the image's entry point, or the program itself; None keeps the image's."""
    shell: bool = False
    """Run `command` by /bin/sh -c."""
    environment: dict[str, str] = {}
    user: str | None = None
    """Who it runs as: of image containers a name of the image, and None the image's own."""
    machine_user: str | None = None
    """A user of the machine, by whose numbers an image container runs where `user` is None."""
    working_directory: str | None = None
    default_directory: str = "/"
    """Where it runs in an image that names no directory, if it names none itself."""
    image: str | None = None
    """An image reference; None for a plain process."""
    image_cached: bool = True
    image_login: str = ""
    """A docker config with the credentials for the image; empty uses the agent's."""
    mounts: tuple[Mount, ...] = ()
    secrets: tuple[NamedSecret, ...] = ()
    volumes: tuple[Mount, ...] = ()
    """Persistent volumes; a relative target is one in the sandbox."""
    cpus: float = 0.0
    mem_bytes: int = 0
    cpu_quota: float | None = None
    cgroup: str | None = None
    """Share the cgroups of this container; `cpus` and `mem_bytes` are then for all that do."""
    link: Path | None = None
    """A symbolic link to the sandbox that is to be made."""
    io: str = ""
    """PIPES or TTY when somebody attaches to its input and output; empty writes files."""
    window: tuple[int, int] = (24, 80)
    """Rows and columns of a terminal."""
    is_session: bool = False
    """Ends with the connection that started it."""
    isolation: Isolation = Isolation()
    logs: LogLimits | None = None
    """What is kept of its output; None is what the agent was told for all."""
    refusal: str = ""
    """What of its description cannot be had here, and what to do instead; it does not start."""
    pod: Pod | None = None
    """The sandbox whose namespaces it joins."""
    is_pod: bool = False
    """It is that sandbox, without a process of its own."""
    inside: str | None = None
    """Run within this running container's namespaces and files (a DEBUG container)."""
