"""The course of a pod: start, run, end, deletion, kill, shutdown."""

import pytest

from comity.kube.node import inputs, outbox
from comity.kube.node.handlers import table
from support.kube_node_rig import World, container, pod


@pytest.fixture
def world():
    world = World()
    yield world
    world.check()


def test_every_input_has_a_handler():
    assert table.inputs == frozenset(inputs.Input.__args__)


def test_a_pod_starts_and_becomes_ready(world):
    world.assign()
    assert world.updates() == ["TASK_STARTING", "TASK_RUNNING"]
    status = world.stored["uid-web"]
    assert status["phase"] == "Running"
    assert status["podIP"] == status["hostIP"] == "127.0.0.11"
    assert status["qosClass"] == "BestEffort"
    assert world.condition("Ready")["status"] == "True"
    web = world.status()
    assert web["ready"]
    assert web["started"]
    assert web["restartCount"] == 0
    assert web["containerID"] == "comity://uid-web-web-0"
    assert "running" in web["state"]


def test_before_its_containers_run_a_pod_is_pending(world):
    world.hold(outbox.LaunchContainer)
    world.assign()
    assert world.stored["uid-web"]["phase"] == "Pending"
    assert world.status()["state"] == {"waiting": {"reason": "ContainerCreating"}}
    assert world.condition("Ready")["status"] == "False"
    assert world.condition("Ready")["reason"] == "ContainersNotReady"
    assert world.updates() == ["TASK_STARTING"]


@pytest.mark.parametrize(
    ("policy", "code", "phase", "task"),
    [
        ("Never", 0, "Succeeded", "TASK_FINISHED"),
        ("Never", 3, "Failed", "TASK_FAILED"),
        ("OnFailure", 0, "Succeeded", "TASK_FINISHED"),
    ],
)
def test_a_pod_that_is_not_restarted_ends_with_its_task(world, policy, code, phase, task):
    world.assign(pod(restartPolicy=policy))
    world.exit("web", code)
    assert world.stored["uid-web"]["phase"] == phase
    assert world.status()["state"]["terminated"]["exitCode"] == code
    assert world.updates()[-1] == task
    assert not world.live


def test_the_task_ends_only_after_the_status_is_stored(world):
    world.assign(pod(restartPolicy="Never"))
    world.hold(outbox.PatchStatus)
    [patch] = world.of(outbox.PatchStatus, world.exit("web", 0))
    assert world.updates() == ["TASK_STARTING", "TASK_RUNNING"]
    world.put(inputs.StatusStored("uid-web", patch.seq))
    assert world.updates()[-1] == "TASK_FINISHED"


def test_a_pod_runs_until_all_its_containers_have_ended(world):
    world.assign(pod(containers=[container("a"), container("b")], restartPolicy="Never"))
    world.exit("a", 0)
    assert world.stored["uid-web"]["phase"] == "Running"
    assert world.condition("Ready")["status"] == "False"
    world.exit("b", 1)
    assert world.stored["uid-web"]["phase"] == "Failed"


def test_init_containers_run_one_after_the_other(world):
    world.assign(pod(initContainers=[container("one"), container("two")]))
    assert list(world.live.values()) == [("uid-web", "one")]
    assert world.status()["state"] == {"waiting": {"reason": "PodInitializing"}}
    assert world.condition("Initialized")["reason"] == "ContainersNotInitialized"
    world.exit("one", 0)
    assert list(world.live.values()) == [("uid-web", "two")]
    world.exit("two", 0)
    assert list(world.live.values()) == [("uid-web", "web")]
    assert world.condition("Initialized")["status"] == "True"
    assert world.status("one")["state"]["terminated"]["reason"] == "Completed"


def test_a_failed_init_container_fails_a_pod_that_never_restarts(world):
    world.assign(pod(initContainers=[container("one")], restartPolicy="Never"))
    world.exit("one", 2)
    assert world.stored["uid-web"]["phase"] == "Failed"
    assert world.updates()[-1] == "TASK_FAILED"
    assert not world.live


def test_a_failed_init_container_is_restarted_otherwise(world):
    world.assign(pod(initContainers=[container("one")]))
    world.exit("one", 2)
    assert world.status("one")["restartCount"] == 1
    world.exit("one", 0)
    assert world.stored["uid-web"]["phase"] == "Running"


def test_a_sidecar_starts_first_and_stops_last(world):
    sidecar = container("proxy", restartPolicy="Always")
    world.assign(pod(initContainers=[sidecar], restartPolicy="Never"))
    assert list(world.live.values()) == [("uid-web", "proxy"), ("uid-web", "web")]
    effects = world.exit("web", 0)
    [kill] = world.of(outbox.KillContainer, effects)
    assert (kill.container_id, kill.signal) == ("uid-web-proxy-0", 15)
    assert world.stored["uid-web"]["phase"] == "Running"
    world.exit("proxy", 0)
    assert world.stored["uid-web"]["phase"] == "Succeeded"


def test_deleting_a_pod_stops_it_gracefully_and_removes_the_object(world):
    given = pod()
    world.assign(given)
    effects = world.delete(given)
    assert [(each.signal) for each in world.of(outbox.KillContainer, effects)] == [15]
    effects = world.exit("web", 0)
    kinds = [type(each) for each in effects]
    assert kinds.index(outbox.PatchStatus) < kinds.index(outbox.DeletePod)
    assert world.stored["uid-web"]["phase"] == "Succeeded"
    assert world.updates()[-1] == "TASK_KILLED"
    assert outbox.RemovePod("uid-web") in effects
    assert not world.machine.state.pods


def test_a_container_that_ignores_sigterm_is_killed_when_its_grace_is_over(world):
    given = pod()
    world.assign(given)
    world.delete(given, grace_s=10)
    assert not world.of(outbox.KillContainer, world.advance(9.9))
    effects = world.advance(0.2)
    assert [each.signal for each in world.of(outbox.KillContainer, effects)] == [9]
    assert world.updates()[-1] == "TASK_KILLED"
    assert world.stored["uid-web"]["containerStatuses"][0]["state"]["terminated"]["exitCode"] == 137


def test_a_second_deletion_shortens_the_grace(world):
    given = pod()
    world.assign(given)
    world.delete(given, grace_s=30)
    world.advance(5)
    world.delete(given, grace_s=0)
    assert not world.live
    assert world.updates()[-1] == "TASK_KILLED"


def test_a_pre_stop_hook_runs_before_sigterm_within_the_grace(world):
    hook = {"preStop": {"exec": {"command": ["drain"]}}}
    given = pod(containers=[container(lifecycle=hook)])
    world.assign(given)
    effects = world.delete(given)
    [run] = world.of(outbox.RunHook, effects)
    assert run.action == outbox.Exec(("drain",))
    assert run.timeout_s == 30
    assert not world.of(outbox.KillContainer, effects)
    effects = world.put(inputs.HookFinished("uid-web", "web", "uid-web-web-0", "preStop", "exit 1"))
    assert [each.signal for each in world.of(outbox.KillContainer, effects)] == [15]
    assert "FailedPreStopHook" in world.reasons()


def test_a_hook_that_hangs_does_not_outlast_the_grace(world):
    hook = {"preStop": {"exec": {"command": ["hang"]}}}
    given = pod(containers=[container(lifecycle=hook)])
    world.assign(given)
    world.delete(given)
    world.advance(30)
    assert not world.live


def test_a_pod_deleted_while_its_container_is_launched_is_aborted(world):
    world.hold(outbox.LaunchContainer)
    given = pod()
    [launch] = world.of(outbox.LaunchContainer, world.assign(given))
    effects = world.delete(given)
    assert [each.signal for each in world.of(outbox.KillContainer, effects)] == [9]
    world.put(inputs.LaunchFailed("uid-web", "web", launch.container_id, "aborted"))
    assert world.updates()[-1] == "TASK_KILLED"


def test_a_container_that_starts_after_the_deletion_is_stopped(world):
    world.hold(outbox.LaunchContainer)
    given = pod()
    [launch] = world.of(outbox.LaunchContainer, world.assign(given))
    world.delete(given)
    for item in world.run(launch):
        effects = world.put(item)
    assert [each.signal for each in world.of(outbox.KillContainer, effects)] == [15]
    world.exit("web", 0)
    assert world.updates()[-1] == "TASK_KILLED"


def test_a_pod_whose_object_vanished_is_stopped_quickly(world):
    world.assign()
    world.put(inputs.PodDeleted("uid-web"))
    assert world.live
    world.advance(1)
    assert not world.live
    assert world.updates()[-1] == "TASK_KILLED"
    assert not world.machine.state.pods


def test_an_assigned_pod_that_was_deleted_meanwhile_never_starts(world):
    given = pod(
        metadata={"deletionTimestamp": "2023-11-14T22:13:50Z", "deletionGracePeriodSeconds": 30}
    )
    world.assign(given)
    assert not world.of(outbox.LaunchContainer)
    assert world.updates() == ["TASK_STARTING", "TASK_KILLED"]


def test_killing_the_task_fails_the_pod(world):
    world.assign()
    effects = world.put(inputs.TaskKilled("task-web", 5.0))
    assert [each.signal for each in world.of(outbox.KillContainer, effects)] == [15]
    world.advance(5)
    assert world.stored["uid-web"]["phase"] == "Failed"
    assert world.stored["uid-web"]["reason"] == "TaskKilled"
    assert world.updates()[-1] == "TASK_KILLED"
    assert world.pod()


def test_killing_an_unknown_task_says_so(world):
    world.put(inputs.TaskKilled("nobody"))
    assert world.updates() == ["TASK_LOST"]


def test_a_kill_after_the_end_needs_no_answer(world):
    world.assign()
    world.put(inputs.PodDeleted("uid-web"))
    world.advance(1)
    assert not world.put(inputs.TaskKilled("task-web"))


def test_an_active_deadline_fails_the_pod(world):
    world.assign(pod(activeDeadlineSeconds=60))
    world.advance(59)
    assert world.stored["uid-web"]["phase"] == "Running"
    world.advance(1)
    world.exit("web", 0)
    assert world.stored["uid-web"]["phase"] == "Failed"
    assert world.stored["uid-web"]["reason"] == "DeadlineExceeded"
    assert world.updates()[-1] == "TASK_FAILED"


def test_an_ended_pod_is_kept_until_its_object_is_deleted(world):
    given = pod(restartPolicy="Never")
    world.assign(given)
    world.exit("web", 0)
    effects = world.delete(given, grace_s=0)
    assert world.of(outbox.DeletePod, effects)
    assert world.updates()[-1] == "TASK_FINISHED"
    assert not world.machine.state.pods


def test_a_repeated_launch_changes_nothing(world):
    world.assign()
    before = len(world.effects)
    world.assign()
    assert len(world.effects) == before


def test_a_second_task_for_the_same_pod_fails(world):
    world.assign()
    world.put(inputs.PodAssigned("other", pod()))
    [update] = [each for each in world.of(outbox.SendUpdate) if each.task_id == "other"]
    assert update.state == "TASK_FAILED"


def test_an_older_version_of_the_object_is_ignored(world):
    given = pod()
    world.assign(given)
    old = pod(metadata={"resourceVersion": "9", "deletionTimestamp": "2023-11-14T22:13:50Z"})
    world.put(inputs.PodChanged(old))
    assert world.pod().stop is None


def test_a_list_without_our_pod_makes_us_look_for_it(world):
    world.assign()
    effects = world.put(inputs.PodsListed(("somebody-else",)))
    assert world.of(outbox.FetchPod, effects) == [outbox.FetchPod("uid-web", "default", "web")]
    assert world.live


def test_shutdown_stops_everything_in_the_time_given_and_exits(world):
    world.assign()
    world.assign(pod("api"))
    world.put(inputs.ShutdownAsked(5.0))
    world.exit("web", 0)
    assert not world.exited
    world.advance(4)
    assert world.exited
    assert world.updates().count("TASK_KILLED") == 2


def test_shutdown_without_pods_exits_at_once(world):
    world.put(inputs.ShutdownAsked(5.0))
    assert world.exited


def test_readiness_gates_keep_a_pod_from_being_ready(world):
    given = pod(readinessGates=[{"conditionType": "example.com/gate"}])
    world.assign(given)
    assert world.condition("ContainersReady")["status"] == "True"
    assert world.condition("Ready")["status"] == "False"
    given["status"] = {"conditions": [{"type": "example.com/gate", "status": "True"}]}
    world.change(given)
    assert world.condition("Ready")["status"] == "True"


def test_a_transition_time_is_that_of_the_last_change(world):
    world.assign()
    first = world.condition("Ready")["lastTransitionTime"]
    world.advance(60)
    world.exit("web", 1)
    world.advance(60)
    assert world.condition("PodScheduled")["lastTransitionTime"] == first
    assert world.condition("Initialized")["lastTransitionTime"] == first


def test_unsupported_fields_are_told_in_an_event(world):
    given = pod(containers=[container(securityContext={"seLinuxOptions": {"level": "s0"}})])
    world.assign(given)
    [event] = [each for each in world.of(outbox.RecordEvent) if each.reason == "UnsupportedFields"]
    assert "securityContext.seLinuxOptions" in event.message
