"""Limits as they are written, on hosts of each kind; directories stand in for the kernel's."""

import os

import pytest

from comity.runtime import hierarchies
from comity.runtime.cgroups import Cgroups, Limits


def version_2(tmp_path):
    root = tmp_path / "comity" / "agent"
    root.mkdir(parents=True)
    return root, Cgroups({"": root}, root)


def version_1(tmp_path, *, hybrid=False):
    names = ("memory", "cpu", "cpuacct", "pids")
    roots = {name: tmp_path / name / "agent" for name in names}
    unified = tmp_path / "unified" / "agent" if hybrid else None
    for path in (*roots.values(), *([unified] if unified else [])):
        path.mkdir(parents=True)
    return tmp_path, Cgroups(roots, unified)


def unlimited(path):
    """Write what a version 1 kernel says of a new memory cgroup."""
    path.mkdir(parents=True)
    for name in ("memory.limit_in_bytes", "memory.memsw.limit_in_bytes"):
        (path / name).write_text(str(2**63 - 4096))


def test_limits_of_version_2(tmp_path):
    root, cgroups = version_2(tmp_path)
    join = cgroups.create("c", Limits(1.0, 64 << 20, 0.5, 7))
    assert join == [str(root / "c" / "cgroup.procs")]
    written = {path.name: path.read_text() for path in (root / "c").iterdir()}
    assert written == {
        "cpu.weight": "39",  # what an OCI runtime makes of 1024 shares
        "cpu.max": "50000 100000",
        "memory.max": str(64 << 20),
        "memory.swap.max": "0",
        "pids.max": "7",
    }
    assert cgroups.kind == "cgroups-v2"


@pytest.mark.parametrize(("cpus", "weight"), [(0.0, 1), (0.1, 4), (1000, 10_000)])
def test_weights_stay_within_what_version_2_takes(tmp_path, cpus, weight):
    root, cgroups = version_2(tmp_path)
    cgroups.create("c", Limits(cpus, 0))
    assert (root / "c" / "cpu.weight").read_text() == str(weight)


def test_a_pod_of_version_2_passes_its_controllers_on(tmp_path):
    root, cgroups = version_2(tmp_path)
    cgroups.create_pod("p", Limits(0.5, 1 << 20))
    assert (root / "p" / "cgroup.subtree_control").read_text() == "+cpu +memory +pids"
    (root / "p" / "p.c").mkdir()
    (root / "p" / "p.c" / "memory.events").write_text("oom 1\noom_kill 2\n")
    (root / "p" / "memory.events").write_text("oom 1\noom_kill 2\n")
    assert cgroups.was_oom_killed("p.c")
    assert cgroups.paths("p.c") == {"": root / "p" / "p.c"}
    assert not cgroups.was_oom_killed("p.d")


def test_limits_of_version_1(tmp_path):
    root, cgroups = version_1(tmp_path)
    unlimited(root / "memory/agent/c")
    cgroups.create("c", Limits(0.5, 1 << 20, 0.25, 7))
    shown = {
        f"{path.parent.parent.parent.name}/{path.name}": path.read_text()
        for path in root.glob("*/agent/c/*")
    }
    assert shown == {
        "cpu/cpu.shares": "512",
        "cpu/cpu.cfs_period_us": "100000",
        "cpu/cpu.cfs_quota_us": "25000",
        "memory/memory.limit_in_bytes": str(1 << 20),
        "memory/memory.memsw.limit_in_bytes": str(1 << 20),
        "pids/pids.max": "7",
    }
    assert cgroups.kind == "cgroups-v1"


def test_a_hybrid_host_kills_by_version_2_where_a_container_is_there(tmp_path):
    root, cgroups = version_1(tmp_path, hybrid=True)
    (root / "unified/agent/c").mkdir()
    assert cgroups.kill("c")
    assert (root / "unified/agent/c/cgroup.kill").read_text() == "1"
    assert not cgroups.kill("elsewhere")
    assert cgroups.kind == "cgroups-hybrid"


def root_of(tmp_path, monkeypatch, *, offered=None, mounted=()):
    """Make what looks like cgroups: of version 2 with `offered`, else of 1 with `mounted`."""
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    root = tmp_path / "cgroup"
    root.mkdir()
    if offered is not None:
        (root / "cgroup.controllers").write_text(offered)
    for name in mounted:
        (root / name).mkdir()
        (root / name / "cgroup.procs").touch()
    return root


def test_version_2_without_a_controller(tmp_path, monkeypatch):
    root = root_of(tmp_path, monkeypatch, offered="cpuset cpu memory")
    found = hierarchies.find("a", root)
    assert found.missing == f"no limits on processes: the kernel has no controller 'pids' in {root}"
    assert found.cgroups.kind == "cgroups-v2"
    found.cgroups.create("c", Limits(1.0, 1 << 20, 0.5, 7))
    assert {path.name for path in (root / "comity/a/c").iterdir()} == {
        *("cpu.weight", "cpu.max", "memory.max", "memory.swap.max")
    }


def test_version_2_with_processes_where_none_may_be(tmp_path, monkeypatch):
    root = root_of(tmp_path, monkeypatch, offered="cpu memory pids")

    def refuse(path, controllers):
        raise OSError(16, "Device or resource busy", str(path / "cgroup.subtree_control"))

    monkeypatch.setattr(hierarchies, "delegate", refuse)
    found = hierarchies.find("a", root)
    assert found.cgroups.kind == "none"
    assert found.missing.startswith(f"no limits on processors: {root}/cgroup.subtree_control: ")
    assert "no process may be in that cgroup itself" in found.missing
    found.cgroups.create("c", Limits(1.0, 1 << 20, 0.5, 7))  # it can be killed still
    assert list((root / "comity/a/c").iterdir()) == []


def test_version_1_where_a_directory_has_no_cgroups(tmp_path, monkeypatch):
    root = root_of(tmp_path, monkeypatch, mounted=("cpu", "memory", "cpuacct"))
    (root / "pids").mkdir()
    found = hierarchies.find("a", root)
    assert found.missing == f"no limits on processes: no cgroups are mounted at {root}/pids"
    assert found.cgroups.controllers == ("cpu", "memory")
    assert not (root / "pids" / "comity").exists()


def test_no_cgroups_at_all(tmp_path, monkeypatch):
    root = root_of(tmp_path, monkeypatch)
    found = hierarchies.find("a", root)
    assert found.cgroups is None
    assert found.missing.count("no cgroups are mounted at") == 3
    assert hierarchies.find("a", root / "none").missing == (
        f"no cgroups are mounted at {root}/none"
    )


def test_who_is_not_root_makes_no_cgroups(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    found = hierarchies.find("a", tmp_path)
    assert found.cgroups is None
    assert "does not run as root" in found.missing


def test_a_limit_of_memory_can_be_taken_back(tmp_path):
    root, cgroups = version_2(tmp_path)
    cgroups.create("c", Limits(1.0, 1 << 20))
    cgroups.limit("c", cpus=1.0, mem_bytes=0)
    assert (root / "c" / "memory.max").read_text() == "max"
    (tmp_path / "one").mkdir()
    root, cgroups = version_1(tmp_path / "one")
    unlimited(root / "memory/agent/c")
    cgroups.create("c", Limits(1.0, 1 << 20))
    cgroups.limit("c", cpus=1.0, mem_bytes=0)
    written = (root / "memory/agent/c/memory.limit_in_bytes").read_text()
    assert written == str(2**63 - 4096)
