"""ReplicaSets and Deployments in a world of their own."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from comity.kube.controllers import replicas, revisions, rollouts
from comity.kube.controllers.objects import condition, is_ready
from comity.kube.controllers.rollouts import Bounds
from support.kube_world import World


def template(**labels):
    return {
        "metadata": {"labels": labels or {"app": "web"}},
        "spec": {"containers": [{"name": "c", "image": "i:1"}]},
    }


def replica_set(name="rs", count=3, **spec):
    return {
        "apiVersion": "apps/v1",
        "kind": "ReplicaSet",
        "metadata": {"name": name, "namespace": "default"},
        "spec": {
            "replicas": count,
            "selector": {"matchLabels": {"app": "web"}},
            "template": template(),
            **spec,
        },
    }


def deployment(count=3, strategy=None, image="i:1", **spec):
    made = template()
    made["spec"]["containers"][0]["image"] = image
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "web", "namespace": "default"},
        "spec": {
            "replicas": count,
            "selector": {"matchLabels": {"app": "web"}},
            "template": made,
            "strategy": strategy or {"type": "RollingUpdate"},
            "progressDeadlineSeconds": 600,
            **spec,
        },
    }


DEPLOYMENT, RS = ("default", "web"), ("default", "rs")


@pytest.fixture
def world():
    return World()


def status(world, plural="replicasets", key=RS):
    return world.view.get(plural, key)["status"]


# ReplicaSets


def test_as_many_pods_as_asked_for(world):
    world.put("replicasets", replica_set())
    world.settle()
    assert len(world.active()) == 3
    pod = world.pods()[0]
    assert pod["metadata"]["ownerReferences"][0]["controller"] is True
    assert pod["metadata"]["labels"] == {"app": "web"}
    assert status(world)["replicas"] == 3
    assert status(world)["readyReplicas"] == 0
    assert status(world)["observedGeneration"] == 1


def test_a_pod_that_is_gone_or_has_ended_is_replaced(world):
    world.put("replicasets", replica_set())
    world.run_all()
    world.delete("pods", ("default", world.pods()[0]["metadata"]["name"]))
    world.finish(world.active()[0])
    world.run_all()
    assert len(world.active()) == 3
    assert status(world)["availableReplicas"] == 3


def test_scaling_down_takes_those_that_serve_least(world):
    world.put("replicasets", replica_set(count=4))
    world.settle()
    first, second, third, _ = world.pods()
    world.start(first)
    world.start(second, ready=False)
    world.start(third)
    world.change("replicasets", RS, {"spec": {"replicas": 2}})
    world.run_all()
    left = {pod["metadata"]["name"] for pod in world.active()}
    assert left == {first["metadata"]["name"], third["metadata"]["name"]}


def test_the_order_of_deletion():
    def pod(name, *, node="n", phase="Running", ready=True, cost="0", restarts=0, since=0):
        stamp = f"2026-01-01T00:00:{since:02}Z"
        kind = {"type": "Ready", "status": str(ready), "lastTransitionTime": stamp}
        return {
            "metadata": {"name": name, "annotations": {replicas.DELETION_COST: cost}},
            "spec": {"nodeName": node} if node else {},
            "status": {
                "phase": phase,
                "conditions": [kind],
                "containerStatuses": [{"restartCount": restarts}],
            },
        }

    wanted = [
        pod("unassigned", node="", phase="Pending", ready=False),
        pod("pending", node="a", phase="Pending", ready=False),
        pod("unready", node="b", ready=False),
        pod("cheap", node="c", cost="-5"),
        pod("crowded-1", node="d", since=9),
        pod("crowded-2", node="d", since=8),
        pod("young", node="e", since=9),
        pod("restarting", node="f", since=1, restarts=3),
        pod("old", node="g", since=1),
        pod("dear", node="h", cost="10", since=20),
    ]
    found = replicas.doomed(list(reversed(wanted)), len(wanted))
    assert [each["metadata"]["name"] for each in found] == [p["metadata"]["name"] for p in wanted]


def test_orphans_are_adopted_and_strangers_released(world):
    metadata = {"name": "lone", "namespace": "default", "labels": {"app": "web"}}
    lone = {"kind": "Pod", "metadata": metadata, "spec": {}, "status": {"phase": "Pending"}}
    world.put("pods", lone)
    world.put("replicasets", replica_set(count=2))
    world.settle()
    assert len(world.active()) == 2
    lone = world.view.get("pods", ("default", "lone"))
    assert lone["metadata"]["ownerReferences"][0]["kind"] == "ReplicaSet"
    world.change("pods", ("default", "lone"), {"metadata": {"labels": {"app": "other"}}})
    world.settle()
    assert world.view.get("pods", ("default", "lone"))["metadata"]["ownerReferences"] == []
    assert len(world.active(app="web")) == 2


def test_pods_count_as_available_after_a_while(world):
    world.put("replicasets", replica_set(count=1, minReadySeconds=30))
    world.run_all()
    assert (status(world)["readyReplicas"], status(world)["availableReplicas"]) == (1, 0)
    world.pass_time(31)
    assert status(world)["availableReplicas"] == 1


def test_a_refusal_is_shown_until_it_is_over(world):
    world.refuses_pods = "exceeded quota"
    world.put("replicasets", replica_set())
    world.settle()
    failed = condition(world.view.get("replicasets", RS), "ReplicaFailure")
    assert (failed["reason"], failed["message"]) == ("FailedCreate", "exceeded quota")
    world.refuses_pods = ""
    world.change("replicasets", RS, {"spec": {"replicas": 1}})
    world.run_all()
    assert condition(world.view.get("replicasets", RS), "ReplicaFailure") is None


def test_a_replication_controller_is_the_same(world):
    made = replica_set("rc", 2, selector={"app": "web"})
    made |= {"apiVersion": "v1", "kind": "ReplicationController"}
    world.put("replicationcontrollers", made)
    world.run_all()
    assert len(world.active()) == 2
    assert status(world, "replicationcontrollers", ("default", "rc"))["availableReplicas"] == 2


def test_pods_that_keep_failing_come_slower_and_slower(world):
    world.put("replicasets", replica_set(count=2))
    world.settle()
    for _ in range(300):
        for pod in world.active():
            world.finish(pod)
        world.settle()
        world.pass_time(1)
    assert 4 < len(world.ended()) < 60
    world.pass_time(200)
    world.run_all()
    assert len(world.active()) == 2


# Deployments


def sets(world):
    found = world.view.within("replicasets", "default")
    return sorted(found, key=revisions.revision)


def sizes(world):
    return [each["spec"]["replicas"] for each in sets(world)]


def test_a_deployment_makes_a_replica_set(world):
    world.put("deployments", deployment())
    world.run_all()
    [made] = sets(world)
    assert made["metadata"]["name"].startswith("web-")
    labels = made["spec"]["template"]["metadata"]["labels"]
    assert made["spec"]["selector"]["matchLabels"] == labels
    assert set(labels) == {"app", "pod-template-hash"}
    assert made["metadata"]["annotations"][revisions.REVISION] == "1"
    held = world.view.get("deployments", DEPLOYMENT)
    assert held["metadata"]["annotations"][revisions.REVISION] == "1"
    for field in ("replicas", "updatedReplicas", "readyReplicas", "availableReplicas"):
        assert held["status"][field] == 3
    assert held["status"]["unavailableReplicas"] == 0
    assert condition(held, "Available")["status"] == "True"
    assert condition(held, "Progressing")["reason"] == "NewReplicaSetAvailable"


def watch_bounds(world, most, least):
    """Check at every change that a rollout stays within its bounds."""

    def check():
        active = world.active()
        assert len(active) <= most
        assert sum(map(is_ready, active)) >= least

    world.after_each = check


@pytest.mark.parametrize(
    ("surge", "unavailable"), [(1, 0), (0, 1), ("25%", "25%"), ("100%", 0), (0, "50%")]
)
def test_a_rolling_update_stays_within_its_bounds(world, surge, unavailable):
    rolling = {"maxSurge": surge, "maxUnavailable": unavailable}
    world.put("deployments", deployment(4, {"type": "RollingUpdate", "rollingUpdate": rolling}))
    world.run_all()
    limits = rollouts.bounds(world.view.get("deployments", DEPLOYMENT))
    watch_bounds(world, limits.most, limits.least_available)
    world.change("deployments", DEPLOYMENT, {"spec": {"template": template_of("i:2")}})
    world.run_all(200)
    assert sizes(world) == [0, 4]
    images = {pod["spec"]["containers"][0]["image"] for pod in world.active()}
    assert images == {"i:2"}
    held = world.view.get("deployments", DEPLOYMENT)
    assert held["metadata"]["annotations"][revisions.REVISION] == "2"
    assert condition(held, "Progressing")["reason"] == "NewReplicaSetAvailable"


def template_of(image):
    made = template()
    made["spec"]["containers"][0]["image"] = image
    return made


def test_a_bad_image_leaves_the_old_pods_serving(world):
    world.put("deployments", deployment(4))
    world.run_all()
    world.change("deployments", DEPLOYMENT, {"spec": {"template": template_of("bad")}})
    for _ in range(20):
        world.settle()
        for pod in world.pods():
            if (
                pod["spec"]["containers"][0]["image"] != "bad"
                and "deletionTimestamp" in pod["metadata"]
            ):
                world.remove("pods", pod)
    ready = [pod for pod in world.active() if is_ready(pod)]
    assert len(ready) == 3
    assert len(world.active()) == 5
    assert condition(world.view.get("deployments", DEPLOYMENT), "Available")["status"] == "True"
    world.pass_time(601)
    late = condition(world.view.get("deployments", DEPLOYMENT), "Progressing")
    assert (late["status"], late["reason"]) == ("False", "ProgressDeadlineExceeded")
    world.change("deployments", DEPLOYMENT, {"spec": {"template": template_of("i:1")}})
    world.run_all(200)
    assert len(world.active()) == 4
    assert all(pod["spec"]["containers"][0]["image"] == "i:1" for pod in world.active())
    assert (
        world.view.get("deployments", DEPLOYMENT)["metadata"]["annotations"][revisions.REVISION]
        == "3"
    )


def test_recreate_never_runs_old_and_new_together(world):
    world.put("deployments", deployment(2, {"type": "Recreate"}))
    world.run_all()

    def check():
        assert len({pod["spec"]["containers"][0]["image"] for pod in world.pods()}) <= 1

    world.after_each = check
    world.change("deployments", DEPLOYMENT, {"spec": {"template": template_of("i:2")}})
    world.run_all()
    assert sizes(world) == [0, 2]
    assert len(world.active()) == 2


def test_scaling(world):
    world.put("deployments", deployment(2))
    world.run_all()
    for count in (5, 1, 0, 3):
        world.change("deployments", DEPLOYMENT, {"spec": {"replicas": count}})
        world.run_all()
        assert len(world.active()) == count
        assert status(world, "deployments", DEPLOYMENT)["availableReplicas"] == count
    assert len(sets(world)) == 1


def test_a_paused_deployment_scales_and_does_not_roll(world):
    world.put("deployments", deployment(2, paused=True))
    world.run_all()
    assert sets(world) == []
    world.change("deployments", DEPLOYMENT, {"spec": {"paused": False}})
    world.run_all()
    world.change(
        "deployments", DEPLOYMENT, {"spec": {"paused": True, "template": template_of("x")}}
    )
    world.run_all()
    assert len(sets(world)) == 1
    world.change("deployments", DEPLOYMENT, {"spec": {"replicas": 4}})
    world.run_all()
    assert len(world.active()) == 4
    paused = condition(world.view.get("deployments", DEPLOYMENT), "Progressing")
    assert paused["reason"] == "DeploymentPaused"
    world.change("deployments", DEPLOYMENT, {"spec": {"paused": False}})
    world.run_all(200)
    assert sizes(world) == [0, 4]


def test_history_is_kept_short(world):
    world.put("deployments", deployment(1, revisionHistoryLimit=2))
    world.run_all()
    for number in range(2, 7):
        image = f"i:{number}"
        world.change("deployments", DEPLOYMENT, {"spec": {"template": template_of(image)}})
        world.run_all(200)
    assert len(sets(world)) == 3
    assert [revisions.revision(each) for each in sets(world)] == [4, 5, 6]


def test_annotations_do_not_start_a_rollout_but_are_copied(world):
    world.put("deployments", deployment(1))
    world.run_all()
    note = {"kubernetes.io/change-cause": "why"}
    world.change("deployments", DEPLOYMENT, {"metadata": {"annotations": note}})
    world.run_all()
    [made] = sets(world)
    assert made["metadata"]["annotations"]["kubernetes.io/change-cause"] == "why"


def test_restart_annotation_rolls(world):
    world.put("deployments", deployment(2))
    world.run_all()
    note = {"metadata": {"annotations": {"kubectl.kubernetes.io/restartedAt": "now"}}}
    world.change("deployments", DEPLOYMENT, {"spec": {"template": note}})
    world.run_all(200)
    assert sizes(world) == [0, 2]


def test_a_failing_pod_later_is_no_matter_of_the_rollout(world):
    world.put("deployments", deployment(2))
    world.run_all()
    world.pass_time(10_000)
    world.finish(world.active()[0])
    world.settle()
    held = world.view.get("deployments", DEPLOYMENT)
    assert condition(held, "Progressing")["reason"] == "NewReplicaSetAvailable"


# arithmetic


@pytest.mark.parametrize(
    ("value", "up", "expected"),
    [(2, True, 2), ("25%", True, 1), ("25%", False, 0), ("50%", False, 1), ("100%", True, 3)],
)
def test_numbers_and_percentages(value, up, expected):
    assert rollouts.resolved(value, 3, up=up) == expected


def sized(name, spec_size, available=None, most="10"):
    return {
        "metadata": {"name": name, "annotations": {rollouts.MAX: most}, "creationTimestamp": name},
        "spec": {"replicas": spec_size},
        "status": {"availableReplicas": spec_size if available is None else available},
    }


def test_proportional_scaling_keeps_shares():
    active = [sized("a", 8), sized("b", 2)]
    assert rollouts.proportional(active, Bounds(20, 0, 0)) == {"a": 16, "b": 4}
    assert rollouts.proportional(active, Bounds(5, 0, 0)) == {"a": 4, "b": 1}


@given(
    old=st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), max_size=3),
    new=st.tuples(st.integers(0, 9), st.integers(0, 9)),
    replicas_wanted=st.integers(1, 9),
    surge=st.integers(0, 4),
    unavailable=st.integers(0, 4),
)
@settings(max_examples=300)
def test_shrinking_never_goes_below_the_least(old, new, replicas_wanted, surge, unavailable):
    limits = Bounds(replicas_wanted, surge, min(unavailable, replicas_wanted))
    olds = [sized(str(i), n, min(n, a)) for i, (n, a) in enumerate(old)]
    fresh = sized("new", new[0], min(new))
    everything = [*olds, fresh]
    before = sum(rollouts.count(each, "availableReplicas") for each in everything)
    found = rollouts.shrunk(fresh, olds, limits)
    # At worst every pod that is taken away beyond the unavailable ones was available.
    lost = sum(
        max(0, rollouts.count(each, "availableReplicas") - found[each["metadata"]["name"]])
        for each in olds
    )
    assert all(0 <= found[each["metadata"]["name"]] <= rollouts.size(each) for each in olds)
    assert lost <= max(0, before - limits.least_available)


def test_hashes_tell_templates_apart():
    one, two = template_of("i:1"), template_of("i:2")
    assert revisions.template_hash(one, 0) != revisions.template_hash(two, 0)
    assert revisions.template_hash(one, 0) != revisions.template_hash(one, 1)
    reordered = {"spec": one["spec"], "metadata": one["metadata"]}
    assert revisions.template_hash(one, 0) == revisions.template_hash(reordered, 0)
