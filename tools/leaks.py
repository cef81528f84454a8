"""Find what a test run left on the machine: `leaks.py snapshot FILE`, then `leaks.py compare FILE`.

It looks at processes, mounts, cgroups, network namespaces, interfaces and rules of the
firewall. `compare` exits with 1 and lists what was not there before. tests/conftest.py uses the
same functions around a session.
"""

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

PATIENCE_S = 5.0
Snapshot = dict[str, list[str]]


def take() -> Snapshot:
    """List everything that a cluster could leave behind."""
    return {
        "processes": sorted(processes()),
        "mounts": sorted(line.split()[4] for line in read("/proc/self/mountinfo").splitlines()),
        "cgroups": sorted(cgroups()),
        "netns": sorted(entries("/run/netns")),
        "interfaces": sorted(entries("/sys/class/net")),
        "rules": rules(),
    }


def processes() -> Iterator[str]:
    """Name each process that could be ours: Comity's own, and children that lost their parent.

    What else runs on a machine comes and goes, and is none of our business.
    """
    for pid in filter(str.isdigit, entries("/proc")):
        command = read(f"/proc/{pid}/cmdline").replace("\0", " ").strip()
        environment = read(f"/proc/{pid}/environ")
        if (
            "comity" in command
            or "MESOS_SANDBOX=" in environment
            or "MARATHON_APP_ID=" in environment
        ):
            yield f"{pid} {command[:200]}"


def cgroups() -> Iterator[str]:
    """Name each control group that we made."""
    for folder, _, _ in os.walk("/sys/fs/cgroup"):
        if "comity" in folder:
            yield folder


def rules() -> list[str]:
    """List the firewall's rules that are ours."""
    program = shutil.which("iptables-save")
    if program is None or os.geteuid() != 0:
        return []
    done = subprocess.run([program], capture_output=True, text=True, check=False)
    return sorted({line for line in done.stdout.splitlines() if "COMITY" in line})


def entries(folder: str) -> list[str]:
    """List a directory that need not exist."""
    return os.listdir(folder) if Path(folder).is_dir() else []


def read(path: str) -> str:
    """Read a file that may go while we look."""
    try:
        return Path(path).read_text(errors="replace")
    except OSError:
        return ""


def left_since(before: Snapshot, own: int = 0) -> list[str]:
    """List what is there now and was not, giving what is on its way out a moment to go."""
    deadline = time.monotonic() + PATIENCE_S
    while True:
        now = take()
        left = [
            f"{kind}: {item}"
            for kind, items in now.items()
            for item in items
            if item not in before[kind] and not (kind == "processes" and is_own(item, own))
        ]
        if not left or time.monotonic() > deadline:
            return left
        time.sleep(0.1)


def is_own(process: str, own: int) -> bool:
    """Say whether a process is the one that asks, or an ancestor of it."""
    pid, asked = int(process.split()[0]), own or os.getpid()
    while asked > 1:
        if asked == pid:
            return True
        stat = read(f"/proc/{asked}/stat").rpartition(")")[2].split()
        asked = int(stat[1]) if stat else 0
    return False


def main(argv: list[str]) -> int:
    """Run the command line."""
    if len(argv) != 2 or argv[0] not in ("snapshot", "compare"):
        print(__doc__, file=sys.stderr)
        return 2
    path = Path(argv[1])
    if argv[0] == "snapshot":
        path.write_text(json.dumps(take()))
        return 0
    left = left_since(json.loads(path.read_text()))
    for line in left:
        print(f"left behind: {line}", file=sys.stderr)
    return 1 if left else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
