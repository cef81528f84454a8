"""Disks beside the work directory's: PATH is divided, MOUNT is used whole (mesos.md, 1.2)."""

import asyncio
import json

import pytest

from comity.agent.config import AgentConfig
from comity.agent.shell import detecting
from comity.core.errors import UserError
from comity.resources.amounts import Disk, Kind, Reservation, Resources, Source
from comity.wire.mesos import resources, scheduler, v1
from support.kernel import Kernel, shell

S = v1.TaskState


def disk(kind, root, size):
    source = {"type": kind, kind.lower(): {"root": str(root)}}
    return {
        "name": "disk",
        "type": "SCALAR",
        "scalar": {"value": size},
        "disk": {"source": source},
    }


def written(*disks):
    plain = [
        {"name": "cpus", "type": "SCALAR", "scalar": {"value": 4}},
        {"name": "mem", "type": "SCALAR", "scalar": {"value": 1024}},
        {"name": "disk", "type": "SCALAR", "scalar": {"value": 500}},
    ]
    return json.dumps([*plain, *disks])


def accept(mesos, offer, *operations):
    body = scheduler.AcceptBody(
        offer_ids=(offer.id,), operations=operations, filters=v1.Filters(refuse_seconds=0.0)
    )
    mesos.mesos.call(scheduler.Accept(framework_id=mesos.mesos.framework_id, accept=body))


async def test_a_volume_on_a_mounted_disk_is_the_disk(tmp_path):
    mounted = tmp_path / "mounted"
    mounted.mkdir()
    flag = ("--resources", written(disk("MOUNT", mounted, 64)))
    async with Kernel(tmp_path, *flag) as kernel, kernel.scheduler(role="ads") as mesos:
        step = (Reservation("ads", dynamic=True),)
        source = Source("MOUNT", str(mounted))
        plain = Resources({Kind("disk", step, Disk(source=source)): 64_000})
        volume = Resources({Kind("disk", step, Disk("v", source, container_path="data")): 64_000})
        offer = mesos.offers.pop()
        made = v1.TaskInfo(
            **{"name": "w", "task_id": v1.Id(value="w"), "agent_id": offer.agent_id},
            resources=(
                *resources.write(Resources.scalars(cpus=0.1, mem=32)),
                *resources.write(volume),
            ),
            **shell("echo kept > data/file"),
        )
        accept(
            mesos,
            offer,
            v1.Operation(type="RESERVE", reserve=v1.Reserve(resources=resources.write(plain))),
            v1.Operation(type="CREATE", create=v1.Create(volumes=resources.write(volume))),
            v1.Operation(type="LAUNCH", launch=v1.Launch(task_infos=(made,))),
        )
        await mesos.until_state("w", S.FINISHED)
        assert (mounted / "file").read_text() == "kept\n"

        def holds_it():
            return [one for one in mesos.offers if resources.read(one.resources).contains(volume)]

        await mesos.until(holds_it)
        ended = v1.Destroy(volumes=resources.write(volume))
        accept(mesos, holds_it()[0], v1.Operation(type="DESTROY", destroy=ended))
        while (mounted / "file").exists():
            await asyncio.sleep(0.01)
        assert mounted.is_dir()


def test_resources_may_be_in_a_file(tmp_path):
    path = tmp_path / "resources.json"
    (tmp_path / "b").mkdir()
    path.write_text(written(disk("PATH", tmp_path / "b", 64)))
    found = detecting.resources(AgentConfig(work_dir=tmp_path, resources=f"file://{path}"))
    assert (found.scalar("cpus"), found.scalar("disk")) == (4, 564)
    kinds = [kind for kind, _ in found if kind.disk is not None]
    assert [kind.disk.source for kind in kinds] == [Source("PATH", str(tmp_path / "b"))]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("[{]", "JSON"),
        (written(disk("MOUNT", "/nowhere/at/all", 1)), "absolute path of a directory"),
        (written(disk("MOUNT", "relative", 1)), "absolute path of a directory"),
        (written({**disk("PATH", "/", 1), "disk": {"source": {"type": "RAW"}}}), "plug-in|plugin"),
        (
            written({**disk("PATH", "/", 1), "disk": {"persistence": {"id": "v"}}}),
            "only operations",
        ),
        ("file:///nowhere.json", "No such file"),
    ],
)
def test_what_no_agent_can_start_with_is_said(tmp_path, given, said):
    with pytest.raises(UserError, match=said):
        detecting.resources(AgentConfig(work_dir=tmp_path, resources=given))
