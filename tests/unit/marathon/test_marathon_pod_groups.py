"""What a pod's definition becomes: its defaults, its group of tasks, or what is wrong with it."""

from typing import Any

import msgspec
import pytest

from comity.wire.mesos import v1
from support.marathon_pods import POD, container, created, group, only, status
from support.marathon_world import started


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
    ({"environment": {"A": {"secret": "s"}}}, "/environment/A/secret", "an undefined secret"),
    (
        {"containers": [container("a", environment={"A": {"secret": "s"}})]},
        "/containers(0)/environment/A/secret",
        "an undefined secret",
    ),
    (
        {
            "volumes": [{"name": "v", "secret": "s"}],
            "containers": [container("a", volumeMounts=[{"name": "v", "mountPath": "v"}])],
        },
        "/volumes(0)/secret",
        "volume.secret must refer to an existing secret",
    ),
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
        "pullConfig.secret must refer to an existing secret",
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


def test_a_container_network_without_a_name_is_the_default_one() -> None:
    world = started(default_network_name="dcos")
    web = container("web", endpoints=[{"name": "web", "containerPort": 80}])
    networks = [{"mode": "container"}]
    code, body = world.post_pod(**POD | {"networks": networks, "containers": [web]})
    assert (code, body["networks"]) == (201, [{"mode": "container", "name": "dcos"}])
    world.settle()
    (network,) = group(world).executor.container.network_infos
    assert (network.name, network.port_mappings) == ("dcos", ())
    assert world.post(id="/a", cmd="x", networks=networks)[0] == 201
    assert world.state.apps["/a"].networks[0].name == "dcos"
