"""The agent's upkeep: how long sandboxes stay, the fetcher's cache, full disks, reboots."""

import random
import threading

import pytest

from comity.agent.config import AgentConfig
from comity.agent.inputs import ContainerStarted, DiskMeasured, LauncherFound, MasterSaid
from comity.agent.machine import Agent, check_invariants
from comity.agent.outbox import ToMaster
from comity.agent.shell.sandboxes import age_max_s, size_of
from comity.agent.state import State
from comity.core.effects import Outbox
from comity.core.instants import Instant
from comity.resources import text
from comity.runtime.fetcher import FetchFailed, fetch_all
from comity.runtime.fetcher_cache import FetcherCache
from comity.wire.mesos import link, resources, v1

HAS = text.parse("cpus:4;mem:1024;disk:1000")


def test_the_fuller_the_disk_the_sooner_sandboxes_go():
    config = AgentConfig(gc_delay_s=1000, gc_disk_headroom=0.1)
    ages = [age_max_s(config, used) for used in (0.0, 0.4, 0.9, 1.0)]
    assert ages == [900, 500, 0, 0]


def test_a_directory_is_measured_without_what_it_links_to(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "file").write_bytes(b"x" * 100_000)
    (tmp_path / "elsewhere").write_bytes(b"x" * 10_000_000)
    (tmp_path / "a" / "link").symlink_to(tmp_path / "elsewhere")
    assert 100_000 <= size_of(tmp_path / "a") < 1_000_000


# the fetcher's cache


@pytest.fixture
def cache(tmp_path):
    return FetcherCache(tmp_path / "cache", 1000)


def uri(path, **more):
    return v1.URI(value=str(path), cache=True, **more)


def test_a_file_is_fetched_once_for_two_tasks(tmp_path, cache):
    source = tmp_path / "tool"
    source.write_text("one")
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        fetch_all((uri(source, executable=True),), tmp_path / name, cache)
        source.write_text("two")
    assert (tmp_path / "b" / "tool").read_text() == "one"
    assert (tmp_path / "b" / "tool").stat().st_mode & 0o111


def test_who_asks_meanwhile_waits(cache):
    asked, go = [], threading.Event()

    def download(value, path):
        asked.append(value)
        assert go.wait(20)
        path.write_text("data")

    def use():
        with cache.file("u", "", download) as path:
            found.append(path.read_text())

    found = []
    threads = [threading.Thread(target=use) for _ in range(5)]
    for one in threads:
        one.start()
    go.set()
    for one in threads:
        one.join(20)
    assert found == ["data"] * 5
    assert asked == ["u"]


def test_old_files_make_room_and_what_is_too_large_goes_past(tmp_path, cache):
    def download(size):
        return lambda value, path: path.write_bytes(b"x" * size)

    for name in ("a", "b", "c"):
        with cache.file(name, "", download(400)) as path:
            assert path is not None
    with cache.file("a", "", download(1)) as path:
        assert path.stat().st_size == 1  # the first was evicted
    with cache.file("huge", "", download(5000)) as path:
        assert path is None
    kept = [one.stat().st_size for one in (tmp_path / "cache").iterdir()]
    assert sum(kept) <= 1000


def test_a_failed_download_is_tried_again(tmp_path, cache):
    missing = tmp_path / "missing"
    for _ in range(2):
        with pytest.raises(FetchFailed, match="missing"):
            fetch_all((uri(missing),), tmp_path, cache)
    missing.write_text("here")
    (tmp_path / "box").mkdir()
    fetch_all((uri(missing),), tmp_path / "box", cache)
    assert (tmp_path / "box" / "missing").read_text() == "here"


# full disks and reboots


class World:
    """An agent with one command task."""

    def __init__(self, tmp_path, disk="disk:10"):
        info = v1.AgentInfo(hostname="h", id=v1.Id(value="S0"))
        config = AgentConfig(work_dir=tmp_path)
        self.state = State(
            config, info, "127.0.0.1", random.Random(1), Instant(0), configured=HAS, total=HAS
        )
        self.machine = Agent(self.state)
        self.said = []
        self.step(LauncherFound({}, {}))
        self.state.is_linked = True
        framework = v1.FrameworkInfo(user="root", name="f", id=v1.Id(value="F"), checkpoint=True)
        task = v1.TaskInfo(
            name="t",
            task_id=v1.Id(value="t"),
            agent_id=v1.Id(value="S0"),
            command=v1.CommandInfo(value="sleep 600"),
            resources=resources.write(text.parse(f"cpus:1;mem:32;{disk}".rstrip(";"))),
        )
        self.step(MasterSaid(link.EventRunTasks(framework_info=framework, tasks=(task,))))
        [self.executor] = self.state.executors.values()
        self.step(ContainerStarted(self.executor.container_id, 1))

    def step(self, item):
        out = Outbox()
        self.machine.step(item, Instant(100), out)
        check_invariants(self.state)
        self.said += [one.call for one in out.launches if isinstance(one, ToMaster)]
        self.launches = out.launches

    def measured(self, mb):
        self.step(DiskMeasured(self.executor.framework_id, self.executor.id, mb << 20))
        return [type(one).__name__ for one in self.launches]


def test_a_sandbox_over_its_disk_ends_its_task(tmp_path):
    world = World(tmp_path)
    assert world.measured(10) == []
    assert "SignalContainer" in world.measured(11)
    assert world.executor.failure == (
        v1.Reason.CONTAINER_LIMITATION_DISK,
        "Disk usage (11.0MB) exceeds quota (10MB)",
    )


def test_without_a_disk_resource_there_is_no_limit(tmp_path):
    assert World(tmp_path, disk="").measured(10_000) == []


def test_after_a_reboot_tasks_are_lost_for_that_reason(tmp_path):
    world = World(tmp_path)
    world.step(LauncherFound({}, {}, rebooted=True))
    task = world.executor.tasks["t"]
    last = list(task.statuses.values())[-1]
    assert (last.state, last.reason) == (v1.TaskState.FAILED, v1.Reason.AGENT_RESTARTED)
    assert "started anew" in last.message
