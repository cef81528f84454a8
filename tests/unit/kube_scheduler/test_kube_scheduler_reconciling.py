"""What becomes of pods whose launch was lost with a master, an agent, an offer or the API."""

import pytest

from comity.kube.scheduler import inputs, outbox
from comity.wire.mesos import v1
from support.kube_scheduler_world import World, offer, pod, status

S, MASTER, AGENT = v1.TaskState, v1.Source.MASTER, v1.Source.AGENT
RECONCILIATION = v1.Reason.RECONCILIATION
ASKED = (("default.web.uid-web", "agent-node-1"),)
BOUND = {"startTime": "2026-01-01T00:00:00Z", "phase": "Running"}


def gone():
    return status(S.GONE, MASTER, reason=RECONCILIATION)


def unknown():
    return status(S.UNKNOWN, MASTER, reason=RECONCILIATION)


def fail_over(world):
    """Replace the master by one that has not heard from its agents yet."""
    world.put(inputs.MasterLost())
    return world.put(inputs.SubscribedToMaster())


def launched(world=None):
    """Return a world in which an ACCEPT for the pod has just been sent."""
    world = world or World()
    world.put(inputs.PodSeen(pod()))
    world.offer(offer())
    assert world.calls("accept", world.put(inputs.PodBound("uid-web", "node-1")))
    world.put(inputs.PodSeen(pod(nodeName="node-1")))
    return world


def started(**fields):
    """Return the pod as its node has reported it."""
    found = pod(nodeName="node-1")
    found["status"] = {**BOUND, **fields}
    return found


def deleting(given):
    given["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    return given


def accepted(world, effects):
    return [task.task_id.value for call in world.calls("accept", effects) for task in call.tasks]


def asked(world, seconds):
    """Let time pass with a silent master; return when it was asked for the pod."""
    start, found = world.now, []
    while world.timers and (due := min(world.timers.values())) <= start + seconds:
        effects = world.advance(max(0.0, due - world.now))
        if any(call.task_ids == ASKED for call in world.calls("reconcile", effects)):
            found.append(round(world.now - start, 3))
    return found


def test_a_new_subscription_asks_for_what_is_bound_and_for_all_the_rest():
    world = World()
    world.put(inputs.PodSeen(started()))
    assert [call.task_ids for call in world.calls("reconcile", fail_over(world))] == [ASKED, ()]


def test_a_silent_master_is_asked_again_at_growing_intervals():
    world = World()
    world.put(inputs.PodSeen(started()))
    fail_over(world)
    assert asked(world, 200) == [1, 3, 7, 15, 31, 63, 123, 183]


def test_it_is_asked_for_no_more_once_it_has_answered_but_for_all_every_ten_minutes():
    world = launched()
    world.put(status(S.RUNNING, MASTER, reason=RECONCILIATION))
    assert asked(world, 1300) == [600, 1200]


def test_a_launch_of_which_nothing_is_heard_is_asked_for():
    assert asked(launched(), 3) == [1, 3]


@pytest.mark.parametrize("given", [pod(), pod(nodeName="node-1")])
def test_a_binding_whose_answer_was_lost_is_launched_all_the_same(given):
    world = World()
    world.put(inputs.PodSeen(pod()))
    world.offer(offer())
    world.put(inputs.PodSeen(given))
    world.put(inputs.PodBound("uid-web", "node-1", error="connection reset"))
    world.put(inputs.PodSeen(pod(nodeName="node-1")))
    assert asked(world, 1) == [1]
    world.put(gone())
    assert accepted(world, world.offer(offer(number=1))) == ["default.web.uid-web"]


def test_a_binding_that_failed_is_tried_again():
    world = World()
    world.put(inputs.PodSeen(pod()))
    world.offer(offer())
    world.put(inputs.PodBound("uid-web", "node-1", error="the API is overloaded"))
    world.advance(1)
    assert world.of(outbox.BindPod, world.offer(offer(number=1)))


def test_a_launch_that_was_lost_with_the_old_master_is_made_again():
    world = launched()
    fail_over(world)
    assert not world.of(outbox.FailPod, world.put(gone()))
    assert accepted(world, world.offer(offer(number=1))) == ["default.web.uid-web"]
    assert not world.of(outbox.BindPod)[1:]


@pytest.mark.parametrize(
    "lost",
    [
        status(S.DROPPED, MASTER, reason=v1.Reason.INVALID_OFFERS),
        status(S.DROPPED, AGENT, uuid=b"1"),
    ],
)
def test_a_launch_that_was_dropped_is_made_again_once(lost):
    world = launched()
    assert not world.of(outbox.FailPod, world.put(lost))
    assert accepted(world, world.offer(offer(number=1)))
    again = status(S.DROPPED, AGENT, uuid=b"2")
    assert world.of(outbox.FailPod, world.put(again))


def test_a_repeated_status_of_the_lost_launch_says_nothing_of_the_next():
    world = launched()
    lost = status(S.DROPPED, AGENT, uuid=b"1")
    world.put(lost)
    world.put(lost)
    world.offer(offer(number=1))
    assert not world.of(outbox.FailPod, world.put(lost))
    assert len(world.calls("accept")) == 2


def test_an_answer_to_what_was_asked_before_the_launch_says_nothing_of_it():
    world = launched()
    fail_over(world)
    world.put(gone())
    world.offer(offer(number=1))
    assert not world.put(gone())
    assert asked(world, 1) == [1]
    world.now += 30
    assert world.of(outbox.FailPod, world.put(gone()))


def test_a_pod_that_its_node_has_started_fails_instead():
    world = launched()
    world.put(status(S.RUNNING, MASTER))
    world.put(inputs.PodSeen(started()))
    fail_over(world)
    assert world.of(outbox.FailPod, world.put(gone()))


def test_a_pod_whose_agent_is_unknown_fails():
    world = launched()
    fail_over(world)
    assert world.of(outbox.FailPod, world.put(unknown()))


@pytest.mark.parametrize("event", [inputs.OfferRescinded("offer-node-1-0"), inputs.MasterLost()])
def test_a_pod_whose_offer_went_away_while_it_was_bound_goes_with_the_next(event):
    world = World("node-1", "node-2")
    world.put(inputs.PodSeen(pod()))
    world.offer(offer())
    world.put(event)
    assert not world.of(outbox.FailPod, world.put(inputs.PodBound("uid-web", "node-1")))
    world.put(inputs.PodSeen(pod()))  # of before the binding
    world.put(inputs.PodSeen(pod(nodeName="node-1")))
    fail_over(world)
    assert not accepted(world, world.offer(offer("node-2")))
    assert accepted(world, world.offer(offer(number=1))) == ["default.web.uid-web"]


def test_a_node_that_is_full_by_then_rejects_the_pod_as_a_kubelet_does():
    world = launched()
    fail_over(world)
    world.put(gone())
    world.offer(offer(number=1, cpus=0.01))
    [failed] = world.of(outbox.FailPod, world.advance(3.0))
    assert failed.reason == "OutOfcpu"
    assert not accepted(world, world.offer(offer(number=2)))


def test_a_lost_pod_that_is_deleted_is_removed_and_not_launched():
    world = launched()
    fail_over(world)
    world.put(gone())
    assert world.of(outbox.RemovePod, world.put(inputs.PodSeen(deleting(pod(nodeName="node-1")))))
    assert not accepted(world, world.offer(offer(number=1)))


def test_a_failed_pod_that_its_node_cannot_remove_is_removed():
    world = launched()
    world.put(status(S.RUNNING, MASTER))
    world.put(inputs.PodSeen(started()))
    assert world.of(outbox.FailPod, world.put(status(S.LOST, MASTER)))
    assert world.of(outbox.RemovePod, world.put(inputs.PodSeen(deleting(started(phase="Failed")))))


def test_a_pod_that_is_gone_before_its_launch_is_not_launched():
    world = World()
    world.put(inputs.PodSeen(pod()))
    world.offer(offer())
    world.put(inputs.PodGone(pod()))
    effects = world.put(inputs.PodBound("uid-web", "node-1"))
    assert not world.calls("accept", effects)
    assert world.calls("decline", effects)
