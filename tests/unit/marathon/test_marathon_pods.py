"""Pods through their lives: each instance is a group of tasks, and one noun with an app's."""

from typing import Any

import msgspec
import pytest

from comity.core.ids import TaskId
from comity.marathon import views
from comity.marathon.outbox import Kill
from comity.marathon.state import Instance
from comity.wire.mesos import v1
from support.marathon_world import World, started

S = v1.TaskState


def container(name: str, **fields: Any) -> dict[str, Any]:
    own = {"exec": {"command": {"shell": "sleep 100"}}, "resources": {"cpus": 0.1, "mem": 32}}
    return {"name": name, **own, **fields}


POD: dict[str, Any] = {"id": "/p", "containers": [container("one"), container("two")]}


def created(instances: int = 1, agents: int = 2, **pod: Any) -> World:
    world = started(agents)
    scaling = {"kind": "fixed", "instances": instances}
    status, body = world.post_pod(**POD | {"scaling": scaling} | pod)
    assert status == 201, body
    world.settle()
    assert not world.state.deployments
    return world


def status(world: World, pod_id: str = "/p") -> dict[str, Any]:
    return views.pod_status(world.state, world.state.pods[pod_id], world.now)


def only(world: World) -> Instance:
    (found,) = world.tasks("/p")
    return found


def group(world: World) -> v1.LaunchGroup:
    (found,) = world.launched[-1].groups
    return found


def test_a_pod_is_one_group_of_tasks_of_a_default_executor() -> None:
    world = created()
    launched = group(world)
    assert launched.executor.type is v1.ExecutorType.DEFAULT
    executor = launched.executor.executor_id.value
    instance = only(world)
    assert executor == "instance-p." + instance.instance_id.removeprefix("p.instance-")
    held = {one.name: one.scalar.value for one in launched.executor.resources if one.scalar}
    assert held == {"cpus": 0.1, "mem": 32.0, "disk": 10.0}
    tasks = launched.task_group.tasks
    assert [one.name for one in tasks] == ["one", "two"]
    assert [one.task_id.value for one in tasks] == [
        f"{instance.instance_id}.{name}.1" for name in ("one", "two")
    ]
    env = {one.name: one.value for one in tasks[0].command.environment.variables}
    assert env["MESOS_EXECUTOR_ID"] == executor
    assert (env["MARATHON_APP_ID"], env["MARATHON_CONTAINER_ID"]) == ("/p", "one")


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


def test_endpoints_have_ports_of_the_host_and_everybody_is_told() -> None:
    web = container("web", endpoints=[{"name": "http-api", "protocol": ["tcp"]}])
    fixed = container("db", endpoints=[{"name": "db", "hostPort": 31007, "protocol": ["tcp"]}])
    world = created(networks=[{"mode": "host"}], containers=[web, fixed])
    launched = group(world)
    first, second = only(world).ports
    assert second == 31007
    env = {
        one.name: one.value for one in launched.task_group.tasks[1].command.environment.variables
    }
    assert env["ENDPOINT_HTTP_API"] == env["EP_HOST_HTTP_API"] == str(first)
    assert env["ENDPOINT_DB"] == "31007"
    assert not any(one.name == "ports" for one in launched.task_group.tasks[0].resources)
    spans = [one.ranges.range for one in launched.executor.resources if one.ranges]
    assert {span.begin for ranges in spans for span in ranges} == {first, 31007}
    shown = status(world)["instances"][0]["containers"]
    assert shown[0]["endpoints"] == [{"name": "http-api", "allocatedHostPort": first}]
    discovery = launched.task_group.tasks[1].discovery
    assert [(port.name, port.number) for port in discovery.ports.ports] == [("db", 31007)]


def test_a_pod_on_a_bridge_maps_its_endpoints_and_is_checked_inside() -> None:
    check = {"http": {"endpoint": "web", "path": "/", "scheme": "http"}}
    endpoint = {"name": "web", "containerPort": 80, "hostPort": 0, "protocol": ["tcp", "udp"]}
    web = container("web", endpoints=[endpoint], healthCheck=check)
    world = started()
    world.post_pod(**POD | {"containers": [web], "networks": [{"mode": "container/bridge"}]})
    world.settle()
    launched = group(world)
    (network,) = launched.executor.container.network_infos
    host = only(world).ports[0]
    assert network.name == "mesos-bridge"
    assert [(one.host_port, one.container_port, one.protocol) for one in network.port_mappings] == [
        (host, 80, "tcp"),
        (host, 80, "udp"),
    ]
    (task,) = launched.task_group.tasks
    assert not task.container.network_infos
    assert (task.health_check.type, task.health_check.http.port) == ("HTTP", 80)
    env = {one.name: one.value for one in task.command.environment.variables}
    assert (env["ENDPOINT_WEB"], env["EP_HOST_WEB"], env["EP_CONTAINER_WEB"]) == (
        "80",
        str(host),
        "80",
    )
    (one, _) = task.discovery.ports.ports
    assert [(label.key, label.value) for label in one.labels.labels] == [("network-scope", "host")]


def test_volumes_images_and_commands_become_mesoss() -> None:
    mounts = [
        {"name": "v", "mountPath": "shared"},
        {"name": "h", "mountPath": "etc", "readOnly": True},
    ]
    whole = container(
        "one",
        image={"kind": "DOCKER", "id": "box", "forcePull": True},
        exec={"command": {"argv": ["echo", "hi"]}, "overrideEntrypoint": True},
        volumeMounts=mounts,
        user="nobody",
        tty=True,
        lifecycle={"killGracePeriodSeconds": 2.5},
        resourceLimits={"mem": "unlimited"},
        artifacts=[{"uri": "file:///x"}],
    )
    world = created(containers=[whole], volumes=[{"name": "v"}, {"name": "h", "host": "/etc"}])
    (task,) = group(world).task_group.tasks
    shared, host = task.container.volumes
    assert (shared.container_path, shared.source.sandbox_path.path) == ("shared", "volumes/v")
    assert (host.host_path, host.mode) == ("/etc", "RO")
    assert task.container.mesos.image.docker.name == "box"
    assert task.container.mesos.image.cached is False
    assert task.container.tty_info is not None
    assert task.container.linux_info.share_cgroups is False
    assert (task.command.shell, task.command.value) == (False, "echo")
    assert task.command.arguments == ("echo", "hi")
    assert (task.command.user, task.command.uris[0].value) == ("nobody", "file:///x")
    assert task.kill_policy.grace_period.nanoseconds == 2_500_000_000
    assert set(task.limits) == {"mem"}


def test_a_pod_answers_with_its_defaults() -> None:
    world = started()
    code, body = world.post_pod(**POD)
    assert code == 201
    assert body["scaling"] == {"kind": "fixed", "instances": 1}
    assert body["executorResources"] == {"cpus": 0.1, "mem": 32.0, "disk": 10.0}
    assert body["scheduling"] == {
        "backoff": {"backoff": 1.0, "backoffFactor": 1.15, "maxLaunchDelay": 300.0},
        "upgrade": {"minimumHealthCapacity": 1.0, "maximumOverCapacity": 1.0},
        "placement": {"constraints": [], "acceptedResourceRoles": []},
        "killSelection": "YOUNGEST_FIRST",
        "unreachableStrategy": {"inactiveAfterSeconds": 0, "expungeAfterSeconds": 0},
    }
    assert body["version"] == world.state.pods["/p"].version
    assert "versionInfo" not in body
    again = msgspec.json.decode(msgspec.json.encode(body))
    assert world.put_pod("/p", **{key: one for key, one in again.items() if key != "id"})[0] == 200
    assert world.state.pods["/p"].version == body["version"]


PRIVATE = {"kind": "DOCKER", "id": "x", "pullConfig": {"secret": "s"}}
WRONG: list[tuple[dict[str, Any], str, str]] = [
    ({"id": "p"}, "/id", "Path needs to be absolute"),
    ({"secrets": {"s": {"source": "/s"}}}, "/secrets", "Feature secrets is not enabled"),
    ({"environment": {"A": {"secret": "s"}}}, "/environment/A", "Feature secrets is not enabled"),
    ({"role": "dev"}, "/role", "not available"),
    ({"volumes": [{"name": "v"}]}, "/volumes(0)", "must be referenced by at least one"),
    ({"networks": [{"mode": "container"}]}, "/networks", "Network name must be specified"),
    (
        {"networks": [{"mode": "host"}, {"mode": "container/bridge"}]},
        "/networks",
        "May specify a single",
    ),
    ({"containers": [container("a"), container("a")]}, "/containers", "names must be unique"),
    ({"containers": [{"name": "a", "resources": {}}]}, "/containers(0)/exec", "needs a command"),
    (
        {"containers": [container("a", volumeMounts=[{"name": "v", "mountPath": "v"}])]},
        "/containers(0)/volumeMounts(0)/name",
        "should exist",
    ),
    (
        {
            "containers": [
                container("a", image={"kind": "DOCKER", "id": "x", "pullConfig": {"secret": "s"}})
            ]
        },
        "/containers(0)/image/pullConfig",
        "Feature secrets is not enabled",
    ),
    (
        {"containers": [container("a", healthCheck={"tcp": {"endpoint": "web"}})]},
        "/containers(0)/healthCheck/tcp/endpoint",
        "contained in the container endpoints",
    ),
    (
        {"containers": [container("a", healthCheck={})]},
        "/containers(0)/healthCheck",
        "Only one of http, tcp, or command",
    ),
    (
        {"containers": [container("a", resourceLimits={"mem": 1})]},
        "/containers(0)/resourceLimits/mem",
        "greater than or equal",
    ),
    (
        {"scheduling": {"placement": {"constraints": [{"fieldName": "", "operator": "UNIQUE"}]}}},
        "/scheduling/placement/constraints(0)",
        "illegal constraint",
    ),
]


@pytest.mark.parametrize(("change", "path", "text"), WRONG)
def test_what_breaks_a_rule_is_named_and_changes_nothing(
    change: dict[str, Any], path: str, text: str
) -> None:
    world = started()
    code, body = world.post_pod(**POD | change)
    assert (code, body["message"]) == (422, "Object is not valid")
    found = {one["path"]: one["errors"] for one in body["details"]}
    assert any(text in each for each in found[path]), body
    assert not world.state.pods


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
