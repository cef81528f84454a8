"""No program of ours listens beyond loopback without asking callers who they are."""

import subprocess
import sys
from pathlib import Path

import pytest

from comity.runtime.cgroups import agent_name

FLAGS = {
    "master": "--credentials",
    "agent": "--credentials",
    "marathon": "--credentials",
    "cosmos": "--credentials",
    "gateway": "--auth",
}
"""The programs, and what makes them ask. The API server and the node of Kubernetes always do."""


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
    name = agent_name(tmp_path / "work")
    assert not list(Path("/sys/fs/cgroup").glob(f"**/comity/{name}"))
    assert not (tmp_path / "work/launcher/socket").exists()  # none was started, which would stay
    help_text = subprocess.run([*argv[:3], "--help"], capture_output=True, text=True, timeout=60)
    assert flag in help_text.stdout


def test_kubernetes_shows_its_admin_port_only_to_who_has_the_bootstrap_token(tmp_path):
    argv = [sys.executable, "-m", "comity.kube", "--ip", "0.0.0.0", "--port", "0"]
    argv += ["--admin-port", "0", "--data-dir", str(tmp_path)]
    environment = {"PATH": "/usr/bin:/bin"}
    done = subprocess.run(argv, capture_output=True, text=True, timeout=60, env=environment)
    assert done.returncode not in (0, None)
    said = "refusing to listen on 0.0.0.0 without authentication: give KUBERNETES_BOOTSTRAP_TOKEN"
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "admin.kubeconfig").exists()
