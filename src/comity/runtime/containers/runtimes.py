"""Which OCI runtime starts image containers here: crun before runc, which takes twice as long."""

import os
import shutil
import subprocess
from pathlib import Path
from typing import NamedTuple

_HYBRID = Path("/sys/fs/cgroup/unified")
_WITHOUT_HYBRID = 'umount /sys/fs/cgroup/unified; exec "$@"'


class Runtime(NamedTuple):
    """An OCI runtime, and the words that its command lines begin with."""

    name: str
    argv: tuple[str, ...]


def find() -> tuple[Runtime | None, str]:
    """Return the OCI runtime to use, or None and the reason why images cannot run here."""
    if os.geteuid() != 0:
        return None, "the agent does not run as root; start it as root to run images"
    crun, runc = shutil.which("crun"), shutil.which("runc")
    is_hybrid = (_HYBRID / "cgroup.procs").exists()
    if crun is not None and not is_hybrid:
        return Runtime("crun", (crun,)), ""
    if crun is not None and _can_hide_hybrid():
        # crun refuses hosts that mount both versions of cgroups: it is shown only the first.
        return Runtime("crun", (*_hiding_hybrid(), crun)), ""
    if runc is not None:
        return Runtime("runc", (runc,)), ""
    return None, "no OCI runtime is installed; install crun or runc (apt install runc)"


def _hiding_hybrid() -> tuple[str, ...]:
    """Return the command that runs another where version 2 of cgroups is not mounted."""
    return ("unshare", "--mount", "--propagation", "slave", "sh", "-c", _WITHOUT_HYBRID, "sh")


def _can_hide_hybrid() -> bool:
    argv = [*_hiding_hybrid(), "test", "!", "-e", str(_HYBRID / "cgroup.procs")]
    try:
        return subprocess.run(argv, capture_output=True, check=False, timeout=10).returncode == 0
    except (OSError, subprocess.TimeoutExpired):
        return False
