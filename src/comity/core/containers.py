"""What a container is made of, whichever containerizer runs it."""

from pathlib import Path

from msgspec import Struct


class Mount(Struct, frozen=True):
    """A file or directory of the host that appears in an image container."""

    source: str
    target: str
    read_only: bool = False
    make: bool = False
    """Make the source as a directory when it is not there."""


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
    working_directory: str | None = None
    image: str | None = None
    """An image reference; None for a plain process."""
    image_cached: bool = True
    mounts: tuple[Mount, ...] = ()
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
    inside: str | None = None
    """Run within this running container's namespaces and files (a DEBUG container)."""
