"""The Kubernetes scheduler's machine: offers and pods in, bindings and launches out."""

import json

import pytest
from msgspec import structs

from comity.kube.scheduler import fitting, inputs, outbox, pods
from comity.kube.scheduler.handlers import table
from comity.kube.scheduler.state import Node, task_id_of
from comity.resources.amounts import Kind, Resources
from comity.wire.mesos import resources, v1
from support.kube_scheduler_world import World, node_object, offer, pod, status


def test_every_input_has_a_handler():
    assert table.inputs == frozenset(inputs.Input.__args__)


def test_a_pod_is_bound_and_then_launched():
    world = World()
    world.put(inputs.PodSeen(pod()))
    effects = world.offer(offer())
    assert world.of(outbox.BindPod, effects) == [
        outbox.BindPod(("default", "web"), "uid-web", "node-1")
    ]
    assert not world.calls("accept", effects)
    effects = world.put(inputs.PodBound("uid-web", "node-1"))
    [accept] = world.calls("accept", effects)
    [task] = accept.tasks
    assert task.task_id.value == task_id_of(pod()) == "default.web.uid-web"
    assert json.loads(task.data)["spec"]["nodeName"] == "node-1"
    assert task.executor.executor_id.value == "kubernetes-node"
    used = resources.read(task.resources)
    assert (used.milli_of("cpus"), used.milli_of("mem")) == (100, 64000)


def test_several_pods_go_with_one_offer():
    world = World()
    for name in ("a", "b", "c"):
        world.put(inputs.PodSeen(pod(name)))
    world.offer(offer())
    [accept] = world.calls("accept", world.bind_all())
    assert len(accept.tasks) == 3
    assert len({task.executor for task in accept.tasks}) == 1


def test_no_more_is_placed_than_was_offered():
    world = World()
    for name in ("a", "b", "c"):
        world.put(inputs.PodSeen(pod(name, cpu="1")))
    effects = world.offer(offer(cpus=2.15))
    assert len(world.of(outbox.BindPod, effects)) == 2
    assert len(world.state.pending) == 1


def test_a_refused_binding_launches_nothing_and_gives_the_offer_back():
    world = World()
    world.put(inputs.PodSeen(pod()))
    world.offer(offer())
    effects = world.put(inputs.PodBound("uid-web", "node-1", error="gone"))
    assert not world.calls("accept", effects)
    assert world.calls("decline", effects)


def test_pods_spread_over_the_freest_nodes():
    world = World("node-1", "node-2")
    world.put(inputs.PodSeen(pod("a", cpu="1")))
    world.put(inputs.PodSeen(pod("b", cpu="1")))
    effects = world.offer(offer("node-1"), offer("node-2"))
    assert {each.node for each in world.of(outbox.BindPod, effects)} == {"node-1", "node-2"}


def test_an_unschedulable_pod_says_why_once():
    world = World()
    world.put(inputs.PodSeen(pod(cpu="100")))
    world.offer(offer())
    marks = world.of(outbox.MarkUnschedulable, world.advance(3.0))
    assert [each.message for each in marks] == ["0/1 nodes are available: 1 Insufficient cpu."]


def test_nothing_pending_gives_offers_back_and_asks_for_none():
    world = World()
    effects = world.offer(offer())
    assert world.calls("decline", effects)
    assert world.calls("suppress", effects)
    effects = world.put(inputs.PodSeen(pod()))
    assert world.calls("revive", effects)


def test_a_running_executor_is_not_paid_for_again():
    world = World()
    world.put(inputs.PodSeen(pod(cpu="4")))
    effects = world.offer(offer(cpus=4.0, executors=("kubernetes-node",)))
    assert world.of(outbox.BindPod, effects)
    other = World()
    other.put(inputs.PodSeen(pod(cpu="4")))
    assert not other.of(outbox.BindPod, other.offer(offer(cpus=4.0)))


def test_an_end_that_the_node_reported_is_left_to_it():
    world = World()
    world.put(inputs.PodSeen(pod(nodeName="node-1")))
    assert not world.put(status(v1.TaskState.FAILED, v1.Source.EXECUTOR))


@pytest.mark.parametrize("source", [v1.Source.AGENT, v1.Source.MASTER])
def test_an_end_that_others_reported_fails_or_removes_the_pod(source):
    world = World()
    bound = pod(nodeName="node-1")
    world.put(inputs.PodSeen(bound))
    assert world.of(outbox.FailPod, world.put(status(v1.TaskState.LOST, source)))
    bound["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    assert world.of(outbox.RemovePod, world.put(status(v1.TaskState.LOST, source)))


def test_a_task_without_a_pod_is_killed():
    world = World()
    effects = world.put(status(v1.TaskState.RUNNING, v1.Source.MASTER, "default.old.uid-old"))
    assert [call.task_ids for call in world.calls("kill", effects)] == [
        (("default.old.uid-old", "agent-node-1"),)
    ]


def test_a_failed_pod_is_shown_with_its_containers_ended():
    lost = pod()
    lost["status"] = {
        "conditions": [
            {"type": "Ready", "status": "True"},
            {"type": "PodScheduled", "status": "True"},
        ],
        "containerStatuses": [{"name": "main", "ready": True, "state": {"running": {}}}],
    }
    status = pods.failed_status(lost, "ExecutorTerminated", "gone", "2026-01-01T00:00:00Z")
    assert {row["type"]: row["status"] for row in status["conditions"]} == {
        "Ready": "False",
        "PodScheduled": "True",
    }
    [main] = status["containerStatuses"]
    assert not main["ready"]
    assert main["state"]["terminated"]["exitCode"] == 137


# filters and demands


def fits(given, labels=None, **spec):
    node = Node("node-1", node_object(labels=labels, **spec))
    node.free = Resources.scalars(cpus=4, mem=4096) + Resources({Kind("ports"): ((31000, 31100),)})
    return fitting.why_not(given, pods.demand_of(given), node, Resources())


TAINT = {"key": "only", "value": "db", "effect": "NoSchedule"}


@pytest.mark.parametrize(
    ("given", "labels", "spec", "reason"),
    [
        (pod(), None, {}, None),
        (pod(nodeSelector={"disk": "ssd"}), {"disk": "ssd"}, {}, None),
        (pod(nodeSelector={"disk": "ssd"}), {"disk": "hdd"}, {}, "didn't match Pod's node"),
        (pod(), None, {"unschedulable": True}, "were unschedulable"),
        (pod(), None, {"taints": [TAINT]}, "untolerated taint {only: db}"),
        (pod(tolerations=[{"key": "only", "operator": "Exists"}]), None, {"taints": [TAINT]}, None),
        (
            pod(tolerations=[{"key": "only", "value": "x"}]),
            None,
            {"taints": [TAINT]},
            "untolerated",
        ),
        (pod(memory="8Gi"), None, {}, "Insufficient memory"),
        (pod(container={"ports": [{"hostPort": 80}]}), None, {}, "free ports"),
        (pod(container={"ports": [{"hostPort": 31001}]}), None, {}, None),
        (
            pod(container={"image": "nginx"}),
            {"node.comity.io/attribute-comity_images": "none"},
            {},
            "cannot run images",
        ),
        (pod(), {"node.comity.io/attribute-comity_host_image": "false"}, {}, "forbid the image"),
    ],
)
def test_where_a_pod_may_go(given, labels, spec, reason):
    found = fits(given, labels, **spec)
    assert found is None if reason is None else reason in (found or "")


def test_a_pod_hears_why_a_node_cannot_run_its_image():
    given = pod(container={"image": "nginx"})
    obj = node_object(labels={"node.comity.io/attribute-comity_images": "none"})
    key = "node.comity.io/attribute-comity_images_missing"
    obj["metadata"]["annotations"][key] = "no OCI runtime is installed; install one"
    node = Node("node-1", obj)
    found, sentence = fitting.choose(given, pods.demand_of(given), [(node, Resources())])
    assert found is None
    assert sentence == (
        "0/1 nodes are available: 1 node(s) cannot run images: "
        "no OCI runtime is installed; install one."
    )


def test_a_demand_counts_the_larger_of_inits_and_mains():
    given = pod(cpu="300m")
    given["spec"]["initContainers"] = [
        {"name": "i", "image": "host", "resources": {"requests": {"cpu": "1"}}}
    ]
    assert pods.demand_of(given).resources.milli_of("cpus") == 1000


def test_a_pod_without_requests_still_counts():
    given = pod()
    del given["spec"]["containers"][0]["resources"]
    found = pods.demand_of(given).resources
    assert (found.milli_of("cpus"), found.milli_of("mem")) == (10, 32000)


@pytest.mark.parametrize(
    ("operator", "values", "matches"),
    [
        ("In", ["a", "b"], True),
        ("NotIn", ["a"], False),
        ("Exists", [], True),
        ("DoesNotExist", [], False),
        ("Gt", ["1"], False),
    ],
)
def test_required_node_affinity(operator, values, matches):
    terms = [{"matchExpressions": [{"key": "zone", "operator": operator, "values": values}]}]
    required = {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": terms}}
    given = pod(affinity={"nodeAffinity": required})
    assert pods.matches_selector(given, {"zone": "a"}) is matches


def test_no_pod_goes_to_a_machine_that_is_being_maintained():
    world = World("node-1", "node-2")
    world.put(inputs.PodSeen(pod()))
    away = v1.Unavailability(start=v1.TimeInfo(nanoseconds=10**9))
    maintained = structs.replace(offer("node-1", cpus=100.0), unavailability=away)
    effects = world.offer(maintained, offer("node-2"))
    [declined] = world.calls("decline", effects)
    assert declined.offers == (maintained,)
    assert [one.node for one in world.of(outbox.BindPod, effects)] == ["node-2"]
