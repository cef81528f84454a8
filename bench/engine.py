"""A Docker engine to compare with: started with directories of its own, and stopped again."""

import contextlib
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

IMAGE = "bench:latest"


def is_there() -> bool:
    """Whether an engine can be started here."""
    return os.geteuid() == 0 and shutil.which("dockerd") is not None


@contextlib.contextmanager
def running(directory: str) -> Iterator[list[str]]:
    """Run an engine without networks that has `bench:latest`, which is busybox alone.

    Yields the words that a command for it begins with.
    """
    address = f"unix://{directory}/docker.sock"
    argv = ["dockerd", "--host", address, "--data-root", f"{directory}/data"]
    argv += ["--exec-root", f"{directory}/exec", "--pidfile", f"{directory}/pid"]
    argv += ["--iptables=false", "--bridge=none"]
    with open(f"{directory}/log", "wb") as log:
        daemon = subprocess.Popen(argv, stdout=log, stderr=log)
    docker = ["docker", "--host", address]
    try:
        until(lambda: quiet([*docker, "info"]), "dockerd answers")
        tar = ["tar", "-C", "/bin", "-c", "busybox"]
        archive = subprocess.run(tar, check=True, capture_output=True).stdout
        load = [*docker, "import", "-", IMAGE]
        subprocess.run(load, input=archive, check=True, stdout=subprocess.DEVNULL)
        yield docker
    finally:
        daemon.terminate()
        daemon.wait()
        _unmount_below(directory)


def _unmount_below(directory: str) -> None:
    """Remove the mounts that an engine leaves in its directories."""
    targets = [line.split()[1] for line in Path("/proc/mounts").read_text().splitlines()]
    for target in sorted((one for one in targets if one.startswith(directory)), reverse=True):
        quiet(["umount", "--lazy", target])


def quiet(argv: list[str]) -> bool:
    """Run a command and return whether it succeeded."""
    return subprocess.run(argv, capture_output=True, check=False).returncode == 0


def until(condition: Callable[[], bool], what: str, timeout_s: float = 300) -> None:
    """Wait for a condition."""
    deadline = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() > deadline:
            sys.exit(f"not within {timeout_s:g} s: {what}")
        time.sleep(0.1)
