"""The program that keeps a pod's PID namespace."""

import os
import platform
import signal
import subprocess
from pathlib import Path

import pytest

from comity.runtime.containers import pause

SIGCHLD_BIT = 1 << (signal.SIGCHLD - 1)


@pytest.mark.parametrize("machine", ["x86_64", "aarch64"])
def test_it_is_an_elf_file_whose_entry_is_behind_the_headers(machine):
    made = pause.program(machine)
    assert made[:4] == b"\x7fELF"
    assert int.from_bytes(made[24:32], "little") == 0x400000 + 120
    assert len(made) < 256


@pytest.mark.skipif(platform.machine() != "x86_64", reason="runs on the machine that it is for")
def test_it_waits_and_ignores_children(tmp_path):
    pause.write(tmp_path)
    with subprocess.Popen([tmp_path / "pause"]) as process:
        status = Path(f"/proc/{process.pid}/status")

        def ignored():
            lines = dict(line.split(":", 1) for line in status.read_text().splitlines())
            return int(lines["SigIgn"], 16) & SIGCHLD_BIT

        while not ignored():
            assert process.poll() is None
            os.sched_yield()
        process.terminate()
        assert process.wait() == -signal.SIGTERM
