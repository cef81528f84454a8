"""Incarnations: restarts and their backoff, launch failures, exits, probes."""

import pytest

from comity.kube.node import inputs, outbox
from comity.kube.node.state import ProbeKind
from support.kube_node_rig import World, container, pod


@pytest.fixture
def world():
    world = World()
    yield world
    world.check()


def probed(**fields):
    return pod(containers=[container(ports=[{"name": "http", "containerPort": 8080}], **fields)])


def answer(world, ok, kind=None):
    """Answer the probe that was asked last (of a kind)."""
    asked = [each for each in world.of(outbox.RunProbe) if kind in (None, each.kind)][-1]
    text = "" if ok else "refused"
    return world.put(
        inputs.ProbeResult(asked.uid, asked.name, asked.container_id, asked.kind, ok, text)
    )


def test_restarts_back_off_from_ten_seconds_to_five_minutes(world):
    world.assign()
    delays = []
    for _ in range(8):
        world.exit("web", 1)
        waited = 0
        while not world.live:
            world.advance(1)
            waited += 1
        delays.append(waited)
    assert delays == [0, 10, 20, 40, 80, 160, 300, 300]
    assert world.status()["restartCount"] == 8


def test_a_container_waiting_to_restart_says_crash_loop(world):
    world.assign()
    world.exit("web", 1)
    world.exit("web", 1)
    web = world.status()
    assert web["state"]["waiting"]["reason"] == "CrashLoopBackOff"
    assert web["state"]["waiting"]["message"].startswith("back-off 10s restarting failed container")
    assert web["lastState"]["terminated"]["exitCode"] == 1
    assert world.stored["uid-web"]["phase"] == "Running"
    assert "BackOff" in world.reasons()


def test_ten_minutes_of_running_reset_the_backoff(world):
    world.assign()
    world.exit("web", 1)
    world.exit("web", 1)
    world.advance(10)
    world.advance(601)
    world.exit("web", 1)
    assert world.live
    world.exit("web", 1)
    world.advance(10)
    assert world.live


def test_an_exit_of_zero_is_restarted_too_with_policy_always(world):
    world.assign()
    world.exit("web", 0)
    assert world.live
    assert world.status()["lastState"]["terminated"]["reason"] == "Completed"


@pytest.mark.parametrize(
    ("status", "more", "code", "reason"),
    [
        (0, {}, 0, "Completed"),
        (3 << 8, {}, 3, "Error"),
        (9, {}, 137, "Error"),
        (15, {}, 143, "Error"),
        (9, {"is_out_of_memory": True}, 137, "OOMKilled"),
        (None, {}, 137, "ContainerStatusUnknown"),
    ],
)
def test_how_an_end_is_shown(world, status, more, code, reason):
    world.assign(pod(restartPolicy="Never"))
    world.put(world.exit_input("uid-web-web-0", status, **more))
    shown = world.status()["state"]["terminated"]
    assert (shown["exitCode"], shown["reason"]) == (code, reason)


def test_only_the_incarnation_before_keeps_its_sandbox(world):
    world.assign()
    world.exit("web", 1)
    assert not world.of(outbox.RemoveContainer)
    world.exit("web", 1)
    world.advance(10)
    assert world.of(outbox.RemoveContainer) == [outbox.RemoveContainer("uid-web-web-0")]
    assert world.pod().containers[0].previous_id == "uid-web-web-1"


def test_another_launch_failure_is_a_create_error(world):
    world.hold(outbox.LaunchContainer)
    [launch] = world.of(outbox.LaunchContainer, world.assign())
    world.put(inputs.LaunchFailed("uid-web", "web", launch.container_id, "no such file: sleep"))
    assert world.status()["state"]["waiting"] == {
        "reason": "CreateContainerError",
        "message": "no such file: sleep",
    }
    assert outbox.RemoveContainer(launch.container_id) in world.effects


def test_a_command_that_cannot_run_counts_as_a_run_that_failed(world):
    world.hold(outbox.LaunchContainer)
    [launch] = world.of(outbox.LaunchContainer, world.assign())
    fault = "cannot start the command: no such file: sleep"
    world.put(inputs.LaunchFailed("uid-web", "web", launch.container_id, fault))
    shown = world.status()
    assert shown["state"]["waiting"] == {"reason": "RunContainerError", "message": fault}
    last = shown["lastState"]["terminated"]
    assert (last["reason"], last["exitCode"], last["message"]) == ("StartError", 128, fault)
    assert last["startedAt"] == "1970-01-01T00:00:00Z"
    assert world.told()[-2:] == [
        ("Created", "Created container: web"),
        ("Failed", f"Error: {fault}"),
    ]
    [_, again] = world.of(outbox.LaunchContainer)
    world.put(inputs.LaunchFailed("uid-web", "web", again.container_id, fault))
    shown = world.status()
    assert (shown["state"]["waiting"]["reason"], shown["restartCount"]) == ("CrashLoopBackOff", 1)
    assert world.stored["uid-web"]["phase"] == "Running"


def test_a_command_that_cannot_run_fails_a_pod_that_is_not_restarted(world):
    world.hold(outbox.LaunchContainer)
    [launch] = world.of(outbox.LaunchContainer, world.assign(pod(restartPolicy="Never")))
    fault = "cannot start the command: no such file: sleep"
    world.put(inputs.LaunchFailed("uid-web", "web", launch.container_id, fault))
    assert world.status()["state"]["terminated"]["reason"] == "StartError"
    assert world.stored["uid-web"]["phase"] == "Failed"
    [update] = [each for each in world.of(outbox.SendUpdate) if each.state == "TASK_FAILED"]
    assert update.message == f"container web: StartError, exit code 128: {fault}"


def test_a_sandbox_that_cannot_be_made_is_an_event_of_the_pod(world):
    world.hold(outbox.LaunchContainer)
    [launch] = world.of(outbox.LaunchContainer, world.assign())
    fault = f"{outbox.SANDBOX_FAULT}host port 80 is taken"
    world.put(inputs.LaunchFailed("uid-web", "web", launch.container_id, fault))
    waiting = {"reason": "ContainerCreating", "message": fault}
    assert world.status()["state"]["waiting"] == waiting
    assert ("FailedCreatePodSandBox", fault) in world.told()
    [_] = world.of(outbox.LaunchContainer, world.advance(10))


def test_a_missing_config_map_keeps_the_container_waiting_until_it_exists(world):
    source = {"name": "A", "valueFrom": {"configMapKeyRef": {"name": "cfg", "key": "a"}}}
    world.assign(pod(containers=[container(env=[source])]))
    assert world.status()["state"]["waiting"] == {
        "reason": "CreateContainerConfigError",
        "message": 'configmap "cfg" not found',
    }
    world.configmaps["cfg"] = {"data": {"a": "1"}}
    world.advance(10)
    [launch] = world.of(outbox.LaunchContainer)
    variables = launch.launch["command"]["environment"]["variables"]
    assert {"name": "A", "type": "VALUE", "value": "1"} in variables
    assert world.stored["uid-web"]["phase"] == "Running"


def test_a_waiting_container_is_retried_though_another_one_is_probed(world):
    source = {"name": "A", "valueFrom": {"configMapKeyRef": {"name": "cfg", "key": "a"}}}
    probe = {"tcpSocket": {"port": 1}, "periodSeconds": 1}
    world.assign(pod(containers=[container("b", readinessProbe=probe), container(env=[source])]))
    world.configmaps["cfg"] = {"data": {"a": "1"}}
    for _ in range(12):
        world.advance(1)
        answer(world, ok=True)
    assert world.stored["uid-web"]["phase"] == "Running"


# probes


def test_readiness_follows_the_probe(world):
    probe = {"httpGet": {"path": "/ok", "port": "http"}, "initialDelaySeconds": 5}
    world.assign(probed(readinessProbe=probe))
    assert not world.status()["ready"]
    assert not world.of(outbox.RunProbe, world.advance(4))
    [asked] = world.of(outbox.RunProbe, world.advance(1))
    assert asked.action.url == "http://127.0.0.11:8080/ok"
    answer(world, ok=True)
    assert world.status()["ready"]
    assert world.condition("Ready")["status"] == "True"
    for _ in range(2):
        world.advance(10)
        answer(world, ok=False)
        assert world.status()["ready"]
    world.advance(10)
    answer(world, ok=False)
    assert not world.status()["ready"]
    assert world.live
    assert world.reasons().count("Unhealthy") == 3


def test_a_success_threshold_counts_results_in_a_row(world):
    world.assign(probed(readinessProbe={"tcpSocket": {"port": 1}, "successThreshold": 2}))
    world.advance(0)
    answer(world, ok=True)
    world.advance(10)
    answer(world, ok=False)
    world.advance(10)
    answer(world, ok=True)
    assert not world.status()["ready"]
    world.advance(10)
    answer(world, ok=True)
    assert world.status()["ready"]


def test_failed_liveness_restarts_the_container(world):
    world.assign(probed(livenessProbe={"exec": {"command": ["check"]}, "failureThreshold": 2}))
    world.advance(0)
    answer(world, ok=False)
    assert not world.of(outbox.KillContainer)
    world.advance(10)
    effects = answer(world, ok=False)
    assert [each.signal for each in world.of(outbox.KillContainer, effects)] == [15]
    assert "Killing" in world.reasons()
    world.put(world.exit_input("uid-web-web-0", 15))
    web = world.status()
    assert web["restartCount"] == 1
    assert web["lastState"]["terminated"]["message"] == "Liveness probe failed: refused"
    assert list(world.live) == ["uid-web-web-1"]


def test_a_liveness_failure_may_have_its_own_grace(world):
    probe = {"tcpSocket": {"port": 1}, "failureThreshold": 1, "terminationGracePeriodSeconds": 2}
    world.assign(probed(livenessProbe=probe))
    world.advance(0)
    answer(world, ok=False)
    assert "uid-web-web-0" in world.live
    world.advance(2)
    assert list(world.live) == ["uid-web-web-1"]


def test_the_startup_probe_gates_the_others(world):
    probe = {"tcpSocket": {"port": 1}}
    world.assign(probed(startupProbe=probe, livenessProbe=probe, readinessProbe=probe))
    world.advance(0)
    assert {each.kind for each in world.of(outbox.RunProbe)} == {ProbeKind.STARTUP}
    assert not world.status()["started"]
    answer(world, ok=True)
    assert world.status()["started"]
    world.advance(0)
    assert {each.kind for each in world.of(outbox.RunProbe)} == set(ProbeKind)


def test_a_failed_startup_probe_kills(world):
    world.assign(probed(startupProbe={"tcpSocket": {"port": 1}, "failureThreshold": 1}))
    world.advance(0)
    effects = answer(world, ok=False)
    assert world.of(outbox.KillContainer, effects)


def test_a_result_for_an_ended_incarnation_is_ignored(world):
    world.assign(probed(livenessProbe={"tcpSocket": {"port": 1}, "failureThreshold": 1}))
    world.advance(0)
    world.exit("web", 1)
    before = len(world.effects)
    answer(world, ok=False)
    assert len(world.effects) == before


def test_probes_stop_when_the_pod_is_deleted(world):
    given = probed(livenessProbe={"tcpSocket": {"port": 1}})
    world.assign(given)
    world.delete(given)
    assert not world.of(outbox.RunProbe, world.advance(20))


def test_a_probe_that_we_lack_is_a_config_error(world):
    world.assign(probed(livenessProbe={"grpc": {"port": 1}}))
    waiting = world.status()["state"]["waiting"]
    assert waiting["reason"] == "CreateContainerConfigError"
    assert "use exec, httpGet or tcpSocket" in waiting["message"]


def test_a_failed_post_start_hook_stops_the_container(world):
    hook = {"postStart": {"httpGet": {"port": 80}}}
    world.assign(probed(lifecycle=hook))
    [run] = world.of(outbox.RunHook)
    assert run.hook == "postStart"
    effects = world.put(inputs.HookFinished("uid-web", "web", run.container_id, "postStart", "x"))
    assert [each.signal for each in world.of(outbox.KillContainer, effects)] == [15]
    assert "FailedPostStartHook" in world.reasons()


# volumes


def test_containers_wait_for_their_volumes(world):
    volume = {"name": "cfg", "configMap": {"name": "cfg"}}
    world.assign(pod(volumes=[volume]))
    assert "FailedMount" in world.reasons()
    assert not world.live
    assert world.status()["state"]["waiting"]["reason"] == "ContainerCreating"
    world.configmaps["cfg"] = {"data": {"a": "1"}}
    world.advance(10)
    assert world.live


def test_volumes_follow_their_config_map(world):
    world.configmaps["cfg"] = {"data": {"a": "1"}}
    world.assign(pod(volumes=[{"name": "cfg", "configMap": {"name": "cfg"}}]))
    assert len(world.of(outbox.WriteVolumes)) == 1
    world.advance(60)
    assert len(world.of(outbox.WriteVolumes)) == 1
    world.configmaps["cfg"] = {"data": {"a": "2"}}
    world.advance(60)
    last = world.of(outbox.WriteVolumes)[-1]
    assert last.volumes[0].files[0].content == b"2"


def test_a_volume_keeps_what_it_has_when_its_source_is_deleted(world):
    world.configmaps["cfg"] = {"data": {"a": "1"}}
    world.assign(pod(volumes=[{"name": "cfg", "configMap": {"name": "cfg"}}]))
    world.configmaps.clear()
    world.advance(120)
    assert len(world.of(outbox.WriteVolumes)) == 1
    assert world.live


def test_labels_in_a_downward_volume_are_rewritten(world):
    item = {"path": "labels", "fieldRef": {"fieldPath": "metadata.labels"}}
    given = pod(volumes=[{"name": "info", "downwardAPI": {"items": [item]}}])
    world.assign(given)
    effects = world.change(given, labels={"app": "web"})
    [write] = world.of(outbox.WriteVolumes, effects)
    assert write.volumes[0].files[0].content == b'app="web"'


def test_an_unsupported_volume_keeps_the_pod_waiting_and_says_so(world):
    world.assign(pod(volumes=[{"name": "v", "persistentVolumeClaim": {"claimName": "x"}}]))
    [event] = [each for each in world.of(outbox.RecordEvent) if each.reason == "FailedMount"]
    assert "persistentVolumeClaim is not supported" in event.message
    assert not world.live
