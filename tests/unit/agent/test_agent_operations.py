"""Operations on the agent: stored before they are told of, repeated, found again."""

import random
from pathlib import Path

import pytest

from comity.agent import checkpoints
from comity.agent.config import AgentConfig
from comity.agent.inputs import LauncherFound, MasterSaid, OperationRetryDue
from comity.agent.machine import Agent, check_invariants
from comity.agent.outbox import EmptyDisk, KeepVolumes, ToMaster
from comity.agent.state import State
from comity.core.effects import Outbox, SetTimer
from comity.core.errors import UserError
from comity.core.instants import Instant
from comity.resources import text
from comity.resources.amounts import Disk, Kind, Reservation, Resources, Source
from comity.wire.mesos import link, resources, v1
from comity.wire.mesos.operations import OperationState

HAS = text.parse("cpus:4;mem:1024;disk:1000")
STEP = (Reservation("eng/ads", True, "me"),)
DISK = Resources({Kind("disk", STEP): 100_000})
VOLUME = Resources({Kind("disk", STEP, Disk("v1", container_path="data")): 100_000})
UUID = b"o" * 6 + b"\x40" + b"o" * 9


class World:
    """An agent without a shell; `store` is what it has written."""

    def __init__(self, tmp_path, has=HAS, store=()):
        info = v1.AgentInfo(hostname="h", id=v1.Id(value="S0"))
        config = AgentConfig(work_dir=tmp_path)
        self.state = State(
            config, info, "127.0.0.1", random.Random(1), Instant(0), configured=has, total=has
        )
        self.machine = Agent(self.state)
        self.store = dict(store)
        self.machine.recover(sorted(self.store.items()))
        self.out = Outbox()
        self.step(LauncherFound({}, {}))
        self.state.is_linked = True

    def step(self, item, now=100.0):
        self.out = Outbox()
        self.machine.step(item, Instant(now), self.out)
        check_invariants(self.state)
        for write in self.out.writes:
            if write.value is None:
                del self.store[write.key]
            else:
                self.store[write.key] = write.value

    def apply(self, uuid=UUID, **operation):
        info = v1.Operation(**operation)
        self.step(MasterSaid(link.EventApplyOperation(operation_uuid=uuid, info=info)))

    def told(self):
        found = [one.call for one in self.out.launches if isinstance(one, ToMaster)]
        return [one for one in found if isinstance(one, link.UpdateOperation)]


@pytest.fixture
def world(tmp_path):
    return World(tmp_path)


def reserve(bundle):
    return {"type": "RESERVE", "reserve": v1.Reserve(resources=resources.write(bundle))}


def create(bundle):
    return {"type": "CREATE", "create": v1.Create(volumes=resources.write(bundle))}


def test_a_reservation_is_stored_and_told(world):
    world.apply(**reserve(DISK))
    [update] = world.told()
    assert update.status.state is OperationState.FINISHED
    assert update.operation_uuid == UUID
    assert set(world.store) >= {"resources", f"operations/{UUID.hex()}"}
    assert world.state.total.contains(DISK)
    assert world.state.configured == HAS


def test_a_volume_has_a_directory_in_mesos_layout(world, tmp_path):
    world.apply(**reserve(DISK))
    world.apply(b"2" * 16, **create(VOLUME))
    [kept] = [one for one in world.out.launches if isinstance(one, KeepVolumes)]
    assert kept.paths == (tmp_path / "volumes/roles/eng ads/v1",)


def test_the_same_operation_twice_is_applied_once(world):
    world.apply(**reserve(DISK))
    total = world.state.total
    world.apply(**reserve(DISK))
    assert world.state.total == total
    assert world.out.writes == []


def test_what_the_agent_has_not_is_dropped(world):
    world.apply(**create(VOLUME))
    [update] = world.told()
    assert update.status.state is OperationState.DROPPED
    assert world.state.total == HAS


def test_a_status_is_repeated_until_acknowledged(world):
    world.apply(**reserve(DISK))
    [timer] = [one for one in world.out.timers if isinstance(one, SetTimer)]
    status_uuid = world.told()[0].status.uuid.value
    world.step(timer.item)
    assert len(world.told()) == 1
    [timer] = [one for one in world.out.timers if isinstance(one, SetTimer)]
    assert timer.at == 100 + 20
    world.step(MasterSaid(link.EventAcknowledgeOperation(operation_uuid=UUID, status_uuid=b"?")))
    assert UUID in world.state.operations
    event = link.EventAcknowledgeOperation(operation_uuid=UUID, status_uuid=status_uuid)
    world.step(MasterSaid(event))
    assert f"operations/{UUID.hex()}" not in world.store
    world.step(OperationRetryDue(UUID, 20.0))
    assert world.told() == []


def test_everything_is_found_again_after_a_restart(world, tmp_path):
    world.apply(**reserve(DISK))
    again = World(tmp_path, store=world.store)
    assert again.state.total == world.state.total
    [operation] = again.state.operations.values()
    assert checkpoints.record_of(operation) == checkpoints.record_of(world.state.operations[UUID])


def test_an_agent_with_less_than_is_reserved_does_not_start(world, tmp_path):
    world.apply(**reserve(DISK))
    with pytest.raises(UserError, match="give it back by --resources"):
        World(tmp_path, has=text.parse("cpus:4;disk:50"), store=world.store)


def test_a_task_that_wants_what_is_not_here_is_dropped(world):
    framework = v1.FrameworkInfo(
        user="root",
        name="f",
        id=v1.Id(value="F"),
        capabilities=(v1.FrameworkCapability(type="PARTITION_AWARE"),),
    )
    info = v1.TaskInfo(
        name="t",
        task_id=v1.Id(value="t"),
        agent_id=v1.Id(value="S0"),
        command=v1.CommandInfo(value="true"),
        resources=resources.write(VOLUME),
    )
    world.step(MasterSaid(link.EventRunTasks(framework_info=framework, tasks=(info,))))
    [call] = [one.call for one in world.out.launches if isinstance(one, ToMaster)]
    assert (call.status.state, call.status.reason) == (
        v1.TaskState.DROPPED,
        v1.Reason.RESOURCES_UNKNOWN,
    )
    assert not world.state.tasks


MOUNTED = Source("MOUNT", "/mnt/a")
DIVIDED = Source("PATH", "/mnt/b")
DISKS = Resources(
    {
        Kind("disk", disk=Disk(source=MOUNTED)): 50_000,
        Kind("disk", disk=Disk(source=DIVIDED)): 9_000,
    }
)


def of_disk(source, size, name=""):
    return Resources({Kind("disk", STEP, Disk(name, source, container_path="d")): size})


def test_volumes_are_on_the_disk_that_they_were_made_of(tmp_path):
    world = World(tmp_path, HAS + DISKS)
    whole, part = of_disk(MOUNTED, 50_000, "m"), of_disk(DIVIDED, 1_000, "p")
    plain = of_disk(MOUNTED, 50_000) + of_disk(DIVIDED, 1_000)
    world.apply(**reserve(plain))
    made = v1.Create(volumes=resources.write(whole + part))
    world.apply(uuid=UUID[:-1] + b"p", type="CREATE", create=made)
    [kept] = [one for one in world.out.launches if isinstance(one, KeepVolumes)]
    assert kept.paths == (Path("/mnt/b/volumes/roles/eng ads/p"),)
    assert set(kept.roots) == {tmp_path.resolve() / "volumes", Path("/mnt/b/volumes")}
    again = World(tmp_path, HAS + DISKS, world.store.items())
    assert again.state.total == world.state.total
    ended = v1.Destroy(volumes=resources.write(whole))
    world.apply(uuid=UUID[:-1] + b"q", type="DESTROY", destroy=ended)
    assert [one.root for one in world.out.launches if isinstance(one, EmptyDisk)] == [
        Path("/mnt/a")
    ]


def test_a_mounted_disk_is_used_whole_or_not_at_all():
    assert not DISKS.contains(of_disk(MOUNTED, 10_000))
    held = Resources({Kind("disk", disk=Disk(source=MOUNTED)): 10_000})
    assert not DISKS.contains(held)
    assert DISKS.contains(Resources({Kind("disk", disk=Disk(source=DIVIDED)): 1_000}))
