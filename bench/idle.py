"""What an idle cluster costs: unshared memory of all its processes, and its share of one core.

Targets: under 250 MB, under 2 % of one core (master, 2 agents, marathon, cosmos, gateway, with the
launchers and the supervisor that belong to them).
"""

import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

SETTLE_S = 5
MEASURE_S = 20
COMITY = Path(sys.executable).parent / "comity"


def processes(work_dir: str) -> list[int]:
    """Return the processes whose command line names the work directory."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if work_dir in path.read_bytes().decode(errors="replace"):
                found.append(int(path.parent.name))
        except OSError:
            continue
    return [pid for pid in found if pid != os.getpid()]


def unshared_kb(pid: int) -> int:
    """Return a process's private memory, clean and dirty."""
    text = Path(f"/proc/{pid}/smaps_rollup").read_text()
    return sum(int(size) for size in re.findall(r"^Private_\w+:\s+(\d+) kB", text, re.MULTILINE))


def cpu_s(pid: int) -> float:
    """Return the processor time a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def main() -> None:
    """Start a cluster, let it rest, measure, stop it."""
    with tempfile.TemporaryDirectory() as directory:
        work_dir = f"{directory}/cluster"
        up = [str(COMITY), "up", "--detach", "--free-ports", "--work-dir", work_dir]
        subprocess.run(up, check=True, stdout=subprocess.DEVNULL)
        try:
            time.sleep(SETTLE_S)
            pids = processes(work_dir)
            before, start = {pid: cpu_s(pid) for pid in pids}, time.perf_counter()
            time.sleep(MEASURE_S)
            taken = time.perf_counter() - start
            used = sum(cpu_s(pid) - before[pid] for pid in pids)
            memory_mb = sum(map(unshared_kb, pids)) / 1024
        finally:
            subprocess.run([COMITY, "down", "--work-dir", work_dir], check=True)
    print(
        f"idle: {len(pids)} processes, {memory_mb:.0f} MB unshared ({memory_mb / 250:.2f} of 250)"
    )
    print(f"  {100 * used / taken:.2f} % of one core ({used / taken / 0.02:.2f} of 2 %)")


main()
