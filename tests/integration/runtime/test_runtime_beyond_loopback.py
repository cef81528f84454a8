"""No program of ours listens beyond loopback without asking callers who they are."""

import subprocess
import sys

import pytest

FLAGS = {
    "master": "--credentials",
    "agent": "--credentials",
    "marathon": "--credentials",
    "cosmos": "--credentials",
    "gateway": "--auth",
}


@pytest.mark.parametrize(("program", "flag"), FLAGS.items())
@pytest.mark.parametrize("address", ["0.0.0.0", "::"])
def test_a_program_refuses_and_names_its_own_flag(program, flag, address, tmp_path):
    argv = [sys.executable, "-m", f"comity.{program}", "--ip", address, "--port", "0"]
    done = subprocess.run(
        [*argv, "--work-dir", str(tmp_path / "work")], capture_output=True, text=True, timeout=60
    )
    assert done.returncode not in (0, None)
    assert f"refusing to listen on {address} without authentication: give {flag}" in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "work/launcher/socket").exists()  # none was started, which would stay
    help_text = subprocess.run([*argv[:3], "--help"], capture_output=True, text=True, timeout=60)
    assert flag in help_text.stdout
