"""Tasks, executors and groups as master and agent show them in /state (src/common/http.cpp)."""

import json

import msgspec

from comity.agent import views as agent_views
from comity.agent.inputs import ContainerExited, ContainerStarted
from comity.master import documents
from comity.resources import text
from comity.wire.mesos import resources, scheduler, v1
from comity.wire.mesos.containers import LinuxInfo
from support.agent_world import AgentWorld, info
from support.master_world import MasterWorld, task

FW = v1.Id(value="M-0000")
ALONE = v1.ContainerInfo(type="MESOS", linux_info=LinuxInfo(share_cgroups=False))
LIMITS = {"cpus": v1.Scalar(value=2.0), "mem": v1.Scalar(value=v1.UNLIMITED)}


def test_the_master_shows_a_groups_executor_with_its_type():
    world = MasterWorld()
    world.agent(has="cpus:4;mem:1024;disk:100")
    world.subscribe()
    own = v1.ExecutorInfo(
        executor_id=v1.Id(value="x"),
        framework_id=FW,
        type=v1.ExecutorType.DEFAULT,
        resources=resources.write(text.parse("cpus:0.1;mem:32;disk:1")),
        labels=v1.Labels(labels=(v1.Label(key="k", value="v"),)),
    )
    group = v1.TaskGroupInfo(
        tasks=(task("a", container=ALONE, limits=LIMITS), task("b", container=ALONE))
    )
    made = v1.LaunchGroup(executor=own, task_group=group)
    [offer] = world.offers()
    body = scheduler.AcceptBody(
        offer_ids=(offer.id,), operations=(v1.Operation(type="LAUNCH_GROUP", launch_group=made),)
    )
    world.call(scheduler.Accept(framework_id=FW, accept=body))
    [framework] = documents.whole_state(world.state, documents.Show())["frameworks"]
    [shown] = framework["executors"]
    assert (shown["executor_id"], shown["type"]) == ("x", "DEFAULT")
    assert shown["resources"]["disk"] == 1.0
    assert [label.key for label in shown["labels"]] == ["k"]
    first, second = json.loads(msgspec.json.encode(framework["tasks"]))
    assert {first["executor_id"], second["executor_id"]} == {"x"}
    assert first["limits"] == {"cpus": 2.0, "mem": "Infinity"}
    assert "limits" not in second
    assert framework["used_resources"]["cpus"] == 2.1


def test_the_agent_shows_a_group_below_its_executor():
    world = AgentWorld()
    a, b = world.run_group(info("a"), info("b", container=ALONE, limits=LIMITS))
    for container in (a, b):
        world.step(ContainerStarted(container, 42))
    [framework] = agent_views.whole_state(world.agent.state)["frameworks"]
    [shown] = framework["executors"]
    assert (shown["id"], shown["type"]) == ("e", "DEFAULT")
    assert [one["id"] for one in shown["tasks"]] == ["a", "b"]
    assert shown["tasks"][1]["limits"] == {"cpus": 2.0, "mem": "Infinity"}
    assert shown["tasks"][1]["container"] == ALONE
    assert shown["resources"]["cpus"] == 2.1
    world.step(ContainerExited(a, 0))
    [framework] = agent_views.whole_state(world.agent.state)["frameworks"]
    [shown] = framework["executors"]
    assert [one["id"] for one in shown["completed_tasks"]] == ["a"]
    assert shown["resources"]["cpus"] == 1.1


def test_an_exceeded_memory_limit_says_how_much_it_was():
    world = AgentWorld()
    container = world.start()
    world.step(ContainerExited(container, 9, oom=True))
    last = world.statuses()[-1]
    assert (last.source, last.reason) == (
        v1.Source.AGENT,
        v1.Reason.CONTAINER_LIMITATION_MEMORY,
    )
    [limit] = last.limitation.resources
    assert (limit.name, limit.scalar.value) == ("mem", 64.0)
