"""Pods through their lives: each instance is a group of tasks, and one noun with an app's."""

from comity.core.ids import TaskId
from comity.marathon import views
from comity.marathon.inputs import TasksKilled
from comity.marathon.outbox import Kill
from comity.wire.mesos import v1
from support.marathon_pods import POD, container, created, only, status
from support.marathon_world import started

S = v1.TaskState


def test_its_status_says_what_instances_and_containers_do() -> None:
    world = created(2)
    found = status(world)
    assert (found["id"], found["status"], len(found["instances"])) == ("/p", "STABLE", 2)
    assert found["spec"]["scaling"] == {"kind": "fixed", "instances": 2}
    first = found["instances"][0]
    assert first["status"] == "STABLE"
    assert first["resources"] == {"cpus": 0.3, "mem": 96.0, "disk": 10.0, "gpus": 0}
    assert [one["status"] for one in first["containers"]] == ["TASK_RUNNING"] * 2
    assert first["specReference"].startswith("/v2/pods/p::versions/2")


def test_an_instance_runs_when_all_of_its_tasks_do() -> None:
    world = started()
    world.hold_starts = True
    world.post_pod(**POD)
    world.settle()
    one, two = only(world).parts
    world.status(one, S.RUNNING)
    assert only(world).condition == "Staging"
    assert status(world)["instances"][0]["status"] == "STAGING"
    assert world.state.deployments
    world.status(two, S.RUNNING)
    world.settle()
    assert only(world).condition == "Running"
    assert not world.state.deployments


def test_one_container_may_finish_and_when_all_have_the_instance_is_replaced() -> None:
    world = created()
    instance = only(world)
    one, two = instance.parts
    world.status(one, S.FINISHED)
    world.settle()
    assert only(world) is instance
    assert status(world)["status"] == "STABLE"
    assert status(world)["instances"][0]["containers"][0]["status"] == "TASK_FINISHED"
    world.status(two, S.FINISHED)
    world.settle()
    assert world.tasks("/p") == []
    world.pass_time(2)
    assert only(world).instance_id != instance.instance_id


def test_one_that_fails_ends_the_instance_which_is_replaced_and_remembered() -> None:
    world = created()
    one, two = only(world).parts
    world.status(one, S.FAILED, message="Command exited with status 3")
    assert Kill(two, only(world).agent_id) in world.effects
    world.settle()
    world.pass_time(2)
    assert world.running("/p") == 1
    assert one not in only(world).parts
    (ended,) = status(world)["terminationHistory"]
    assert ended["message"] == "Command exited with status 3"
    assert [each["lastKnownState"] for each in ended["containers"]] == [
        "TASK_FAILED",
        "TASK_KILLED",
    ]
    world.crash()
    assert len(status(world)["terminationHistory"]) == 1


def test_a_restart_of_marathon_keeps_pods_and_their_instances() -> None:
    world = created(2)
    before = {one.task_id: set(one.parts) for one in world.tasks("/p")}
    definition = world.state.pods["/p"]
    world.crash()
    world.subscribe()
    assert world.state.pods["/p"] == definition
    assert {one.task_id: set(one.parts) for one in world.tasks("/p")} == before
    assert world.running("/p") == 2
    assert status(world)["status"] == "STABLE"


def test_scaling_keeps_instances_and_any_other_change_replaces_them() -> None:
    world = created(1)
    before = only(world).instance_id
    code, body = world.put_pod("/p", **POD, scaling={"kind": "fixed", "instances": 3})
    assert (code, body["scaling"]["instances"]) == (200, 3)
    (deployment,) = world.state.deployments.values()
    shown = views.deployment_json(deployment)
    assert (shown["affectedApps"], shown["affectedPods"]) == ([], ["/p"])
    assert shown["steps"] == [{"actions": [{"action": "ScalePod", "pod": "/p"}]}]
    world.settle()
    ids = {one.instance_id for one in world.tasks("/p")}
    assert before in ids
    assert len(ids) == 3
    world.put_pod("/p", **POD | {"labels": {"a": "b"}, "scaling": {"instances": 3}})
    (deployment,) = world.state.deployments.values()
    (step,) = views.deployment_json(deployment)["steps"]
    assert step["actions"] == [{"action": "RestartPod", "pod": "/p"}]
    world.settle()
    after = {one.instance_id for one in world.tasks("/p")}
    assert len(after) == 3
    assert not after & ids
    assert len(views.pod_versions(world.state, "/p")) == 3


def test_a_deployment_that_is_taken_back_brings_the_old_definition() -> None:
    world = created(1)
    world.hold_starts = True
    world.put_pod("/p", **POD | {"labels": {"a": "b"}})
    world.settle()
    (deployment_id,) = world.state.deployments
    code, _ = world.cancel(deployment_id)
    assert code == 200
    world.hold_starts = False
    world.settle()
    assert world.state.pods["/p"].labels == {}
    assert world.running("/p") == 1
    assert not world.state.deployments


def test_a_deleted_pod_is_gone_with_all_that_was_stored() -> None:
    world = created(2)
    code, _ = world.delete_pod("/p")
    assert code == 202
    world.settle()
    assert world.alive() == set()
    assert not [key for key in world.store if key != "framework"]
    assert world.delete_pod("/p")[0] == 404


def test_killed_instances_are_answered_with_and_replaced() -> None:
    world = created(2)
    first, second = (one.instance_id for one in world.tasks("/p"))
    code, body = world.kill_instances("/p", first, is_list=False)
    assert (code, body["instanceId"]) == (200, first)
    assert body["state"]["goal"] == "Running"
    code, body = world.kill_instances("/p", second, "p.instance-gone", is_list=True)
    assert (code, [one["instanceId"] for one in body]) == (200, [second])
    world.settle()
    left = {one.instance_id for one in world.tasks("/p")}
    assert len(left) == 2
    assert not left & {first, second}
    assert world.kill_instances("/p", first, is_list=False)[0] == 404


def test_an_app_a_pod_and_a_group_cannot_have_one_id() -> None:
    world = created()
    code, body = world.post(id="/p", cmd="sleep 1")
    assert (code, body["message"]) == (422, "Object is not valid")
    assert "may not share the same id" in body["details"][0]["errors"][0]
    assert world.post_pod(**POD)[1] == {"message": "A pod with id [/p] already exists."}
    world.post(id="/a", cmd="sleep 1")
    assert world.put_pod("/a", **POD | {"id": "/a"})[0] == 422
    assert world.post_pod(**POD | {"id": "/p/inner"})[0] == 422
    code, body = world.put_pod("/q", **POD)
    assert (code, body) == (400, {"message": "'/q' does not match definition's id ('/p')"})


def test_a_lost_instance_is_waited_for_and_comes_back() -> None:
    strategy = {"inactiveAfterSeconds": 60, "expungeAfterSeconds": 120}
    world = created(scheduling={"unreachableStrategy": strategy})
    lost = only(world)
    for task_id in lost.parts:
        world.status(task_id, S.UNREACHABLE)
    found = status(world)
    assert found["status"] == "DEGRADED"
    assert found["instances"][0]["message"] == "pod instance has become unreachable"
    world.pass_time(59)
    assert only(world) is lost
    world.pass_time(2)
    assert len(world.tasks("/p")) == 2
    for task_id in lost.parts:
        world.status(task_id, S.RUNNING)
    world.settle()
    assert len(world.tasks("/p")) == 1


def test_an_instance_is_healthy_when_every_check_has_passed() -> None:
    check = {"exec": {"command": {"argv": ["true"]}}, "intervalSeconds": 30}
    checked = container("one", healthCheck=check)
    world = started()
    world.listen("instance_health_changed_event")
    world.post_pod(**POD | {"containers": [checked, container("two")]})
    world.settle()
    instance = only(world)
    one = next(iter(instance.parts))
    assert world.state.deployments
    found = status(world)["instances"][0]
    assert (found["status"], found["message"]) == (
        "DEGRADED",
        "at least one container is not healthy",
    )
    (condition,) = found["containers"][0]["conditions"]
    assert (condition["value"], condition["reason"]) == ("false", "health-unreported-by-mesos")
    world.status(one, S.RUNNING, healthy=True)
    world.settle()
    assert not world.state.deployments
    assert status(world)["status"] == "STABLE"
    world.status(one, S.RUNNING, healthy=False)
    assert status(world)["status"] == "DEGRADED"
    assert [event["healthy"] for event in world.events if "healthy" in event] == [True, False]


def test_events_say_what_becomes_of_pods() -> None:
    world = started()
    world.listen()
    world.post_pod(**POD)
    world.settle()
    world.put_pod("/p", **POD | {"labels": {"a": "b"}})
    world.settle()
    world.delete_pod("/p")
    world.settle()
    kinds = [event["eventType"] for event in world.events]
    for kind in ("pod_created_event", "pod_updated_event", "pod_deleted_event"):
        assert kinds.count(kind) == 1
    created_event = next(one for one in world.events if one["eventType"] == "pod_created_event")
    assert (created_event["clientIp"], created_event["uri"]) == ("peer", "/v2/pods")
    changes = [one for one in world.events if one["eventType"] == "instance_changed_event"]
    first = [one["condition"] for one in changes if one["instanceId"] == changes[0]["instanceId"]]
    assert first == ["Starting", "Running", "Killed"]
    assert changes[0]["runSpecId"] == "/p"


def test_a_group_lists_pods_by_their_status_and_the_queue_by_their_definition() -> None:
    world = created(id="/g/p")
    root = views.group(world.state, "/", world.now, frozenset())
    (inner,) = root["groups"]
    assert (inner["id"], inner["apps"]) == ("/g", [])
    assert [(one["id"], one["status"]) for one in inner["pods"]] == [("/g/p", "STABLE")]
    world.post_pod(**POD | {"id": "/big", "containers": [container("a", resources={"cpus": 99})]})
    world.settle()
    (item,) = views.queue(world.state, world.now, with_offers=False)["queue"]
    assert (item["pod"]["id"], item["count"]) == ("/big", 1)
    assert views.all_tasks(world.state, []) == {"tasks": []}


def test_an_unknown_task_of_a_pod_is_killed() -> None:
    world = created()
    stray = TaskId("p.instance-11111111-1111-4111-8111-111111111111.one.1")
    world.status(stray, S.RUNNING)
    assert any(isinstance(one, Kill) and one.task_id == stray for one in world.effects)


def test_tasks_of_pods_are_killed_by_id_whole_instances_at_a_time() -> None:
    world = created(3)
    first, second, _ = world.tasks("/p")
    flags = {"wipe": False, "force": False}
    code, body = world.ask(
        lambda to: TasksKilled(to=to, task_ids=(list(first.parts)[1],), scale=False, **flags)
    )
    assert (code, body) == (200, {"tasks": []})  # as in Marathon, only apps' tasks are listed
    world.settle()
    left = {one.instance_id for one in world.tasks("/p")}
    assert len(left) == 3
    assert first.instance_id not in left
    code, _ = world.ask(
        lambda to: TasksKilled(to=to, task_ids=(second.task_id,), scale=True, **flags)
    )
    world.settle()
    left = {one.instance_id for one in world.tasks("/p")}
    assert (code, len(left)) == (200, 2)
    assert second.instance_id not in left


def test_an_update_keeps_to_the_upgrade_strategy() -> None:
    upgrade = {"minimumHealthCapacity": 1.0, "maximumOverCapacity": 0.5}
    scheduling = {"upgrade": upgrade}
    world = created(2, scheduling=scheduling)
    old = {one.instance_id for one in world.tasks("/p")}
    world.hold_starts = True
    world.put_pod(
        "/p",
        **POD | {"labels": {"a": "b"}, "scheduling": scheduling, "scaling": {"instances": 2}},
    )
    world.settle()
    assert len(world.tasks("/p")) == 3
    assert old <= {one.instance_id for one in world.tasks("/p")}
    world.hold_starts = False
    world.settle()
    assert len(world.tasks("/p")) == 2
    assert not old & {one.instance_id for one in world.tasks("/p")}
