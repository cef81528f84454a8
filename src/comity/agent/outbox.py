"""What an agent's machine asks of its shell, beyond the effects that all machines have."""

from pathlib import Path

from msgspec import Struct

from comity.core.containers import Spec
from comity.core.ids import FrameworkId, TaskId
from comity.wire.mesos import link, v1

ProbeKey = tuple[FrameworkId, TaskId, str]
"""A task of a framework, and which of its probes: health or check."""


class LaunchContainer(Struct, frozen=True):
    """Fetch, prepare and start a container; ends in ContainerStarted or ContainerFailed."""

    spec: Spec
    uris: tuple[v1.URI, ...] = ()


class MakeSandbox(Struct, frozen=True):
    """Make the sandbox of an executor that has no process of its own."""

    spec: Spec


class LimitContainer(Struct, frozen=True):
    """Set the limits of a container whose tasks share its cgroups, as they come and go."""

    container_id: str
    cpus: float
    mem_bytes: int


class SignalContainer(Struct, frozen=True):
    """Signal a container; `tree` means every process of it."""

    container_id: str
    signal: int
    tree: bool = False


class DestroyContainer(Struct, frozen=True):
    """Remove what an ended container left outside its sandbox: mounts, cgroups, exit records."""

    container_id: str
    has_image: bool


class RemoveSandbox(Struct, frozen=True):
    """Delete the sandbox of a nested container that nobody knows any more."""

    container_id: str
    path: Path


class ToMaster(Struct, frozen=True):
    """Send a call on the link; lost when there is none, the machine sends again what matters."""

    call: link.Call


class KeepVolumes(Struct, frozen=True):
    """Let there be a directory for each of these persistent volumes, and for no others."""

    roots: tuple[Path, ...]
    """Directories of volumes, one on each disk that is divided."""
    paths: tuple[Path, ...]


class EmptyDisk(Struct, frozen=True):
    """Delete what is in a mounted disk: its volume was destroyed."""

    root: Path


class LinkVolumes(Struct, frozen=True):
    """Let the volumes of a container that runs already be found in its sandbox."""

    spec: Spec


class RunProbe(Struct, frozen=True):
    """Probe a task once; ends in ProbeDone with the same `key` and `round`."""

    key: ProbeKey
    round: int
    http: tuple[str, ...] = ()
    """URLs to GET, the next one when nobody listens at the one before: 200 to 399 is well."""
    tcp: tuple[tuple[str, int], ...] = ()
    """Addresses to connect to, in the same way."""
    container: Spec | None = None
    """A command to run beside the task: exit status 0 is well."""
    timeout_s: float | None = 20.0
    """None waits for ever."""


class EndAgent(Struct, frozen=True):
    """The master wants this agent no more: end the process."""

    reason: str
