"""Apps on networks of their own: their ports, what tasks are told, and where checks ask."""

import pytest

from comity.core.ids import AgentId, TaskId
from comity.marathon import drafts, launching, networking, placing, service_ports
from comity.marathon.networking import Target
from comity.policy.placement import Fit
from comity.wire.marathon.app_reads import NEW_APP, UPDATE
from support.marathon_world import read

APP = {"id": "/g/a", "cmd": "sleep 100", "cpus": 0.1, "mem": 32.0}
IMAGE = {"type": "MESOS", "docker": {"image": "box"}}
WEB = {"containerPort": 80, "name": "web", "labels": {"VIP_0": "/web:80"}}


def app_of(**fields):
    return drafts.canonical(read(NEW_APP, APP | fields))


def bridged(*mappings, **fields):
    container = {**IMAGE, "portMappings": list(mappings)}
    return app_of(networks=[{"mode": "container/bridge"}], container=container, **fields)


def task_of(app, *ports):
    fit = Fit("*", {"cpus": app.cpus, "mem": app.mem}, ports)
    return launching.task_info(app, TaskId("t"), (AgentId("S1"), "host1"), fit)


def env_of(task):
    variables = {one.name: one.value for one in task.command.environment.variables}
    return {name: value for name, value in variables.items() if name.startswith("PORT")}


def mapped(info):
    return [(one.host_port, one.container_port, one.protocol) for one in info.port_mappings]


def test_mapped_ports_come_from_the_offer():
    app = bridged(WEB, {"containerPort": 0, "hostPort": 31005, "protocol": "udp,tcp"})
    assert placing.demand_of(app).ports.ports == (0, 31005)
    task = task_of(app, 31000, 31005)
    (info,) = task.container.network_infos
    assert info.name == "mesos-bridge"
    assert mapped(info) == [
        (31000, 80, "tcp"),
        (31005, 31005, "udp"),
        (31005, 31005, "tcp"),
    ]
    assert env_of(task) == {
        "PORT": "31000",
        "PORT0": "31000",
        "PORT1": "31005",
        "PORTS": "31000,31005",
        "PORT_80": "31000",
        "PORT_WEB": "31000",
        "PORT_31005": "31005",
    }
    web = task.discovery.ports.ports[0]
    assert (web.number, web.name) == (31000, "web")
    shown = {one.key: one.value for one in web.labels.labels}
    assert shown == {"VIP_0": "/web:80", "network-scope": "host"}


def test_a_bridged_app_without_mappings_has_one_port():
    app = app_of(networks=[{"mode": "container/bridge"}])
    (one,) = networking.mappings_of(app)
    assert (one.container_port, one.host_port, one.name) == (0, 0, "default")
    assert mapped(task_of(app, 31000).container.network_infos[0]) == [(31000, 31000, "tcp")]


def test_a_container_network_maps_only_what_it_is_told():
    networks = [{"mode": "container", "name": "lab", "labels": {"k": "v"}}]
    container = {**IMAGE, "portMappings": [WEB, {"containerPort": 9000, "hostPort": 0}]}
    app = app_of(networks=networks, container=container)
    assert placing.demand_of(app).ports.ports == (0,)
    task = task_of(app, 31000)
    (info,) = task.container.network_infos
    assert (info.name, info.labels.labels[0].key) == ("lab", "k")
    assert mapped(info) == [(31000, 9000, "tcp")]
    assert env_of(task)["PORTS"] == "80,31000"
    web, other = task.discovery.ports.ports
    assert (web.number, other.number) == (80, 31000)
    assert web.labels.labels[0].value == "container"


def test_of_several_networks_each_gets_its_own_ports():
    networks = [{"mode": "container", "name": name} for name in ("one", "two")]
    mappings = [
        {"containerPort": 80, "hostPort": 0, "networkNames": ["two"]},
        {"containerPort": 81},
    ]
    task = task_of(app_of(networks=networks, container={**IMAGE, "portMappings": mappings}), 31000)
    one, two = task.container.network_infos
    assert (one.name, mapped(one)) == ("one", [])
    assert (two.name, mapped(two)) == ("two", [(31000, 80, "tcp")])


def test_docker_containers_are_told_in_dockers_words():
    app = bridged(WEB)
    docker = {"type": "DOCKER", "docker": {"image": "box"}, "portMappings": [WEB]}
    made = task_of(app_of(networks=[{"mode": "container/bridge"}], container=docker), 31000)
    assert made.container.docker.network == "BRIDGE"
    assert mapped(made.container.docker) == [(31000, 80, "tcp")]
    networks = [{"mode": "container", "name": "lab"}]
    made = task_of(app_of(networks=networks, container=docker))
    assert made.container.docker.network == "USER"
    assert made.container.network_infos[0].name == "lab"
    assert task_of(app, 31000).container.docker is None


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (
            {
                "container": {
                    "type": "DOCKER",
                    "docker": {"image": "box", "network": "BRIDGE", "portMappings": [WEB]},
                }
            },
            {
                "networks": [{"mode": "container/bridge"}],
                "container": {"type": "DOCKER", "docker": {"image": "box"}, "portMappings": [WEB]},
            },
        ),
        (
            {
                "container": {"type": "DOCKER", "docker": {"image": "box", "network": "USER"}},
                "ipAddress": {"networkName": "lab", "labels": {"a": "b"}},
            },
            {
                "networks": [{"mode": "container", "name": "lab", "labels": {"a": "b"}}],
                "container": {"type": "DOCKER", "docker": {"image": "box"}},
            },
        ),
        (
            {
                "ipAddress": {
                    "networkName": "lab",
                    "discovery": {"ports": [{"number": 80, "name": "web", "protocol": "tcp"}]},
                }
            },
            {
                "networks": [{"mode": "container", "name": "lab"}],
                "container": {
                    "type": "MESOS",
                    "portMappings": [{"containerPort": 80, "name": "web"}],
                },
            },
        ),
        (
            {"container": {"type": "DOCKER", "docker": {"image": "box", "network": "HOST"}}},
            {"container": {"type": "DOCKER", "docker": {"image": "box"}}},
        ),
    ],
)
def test_what_was_written_before_marathon_1_5_means_the_same(old, new):
    assert app_of(**old) == app_of(**new)


def test_an_update_may_leave_the_hosts_network_and_come_back():
    app = app_of(portDefinitions=[{"port": 0, "name": "web"}])
    update = {"networks": [{"mode": "container/bridge"}], "container": IMAGE}
    changed = drafts.canonical(drafts.merged(app, read(UPDATE, update)))
    assert changed.port_definitions == ()
    assert len(networking.mappings_of(changed)) == 1
    old = {"container": {"type": "DOCKER", "docker": {"image": "box", "network": "HOST"}}}
    back = drafts.canonical(drafts.merged(changed, read(UPDATE, old)))
    assert networking.is_on_host(back)


def test_service_ports_are_given_to_mappings():
    wanted = bridged(WEB, {"containerPort": 81, "servicePort": 10001})
    app = service_ports.assign(wanted, None, {10000})
    assert service_ports.of_app(app) == [10002, 10001]
    again = service_ports.assign(bridged(WEB, WEB | {"name": "b"}), app, {10000})
    assert service_ports.of_app(again) == [10002, 10001]


@pytest.mark.parametrize(
    ("fields", "check", "target", "inside"),
    [
        ({"hostPort": 0}, {"portIndex": 0}, Target("host1", 31000), 80),
        ({}, {"portIndex": 0}, Target("10.9.0.2", 80), 80),
        ({"hostPort": 0}, {"port": 8080}, Target("10.9.0.2", 8080), 8080),
    ],
)
def test_checks_ask_where_the_port_is(fields, check, target, inside):
    networks = [{"mode": "container", "name": "lab"}]
    container = {**IMAGE, "portMappings": [{"containerPort": 80, **fields}]}
    checks = [{"protocol": "TCP", **check}]
    app = app_of(networks=networks, container=container, healthChecks=checks)
    taken = (31000,) if fields else ()
    at = ("host1", ("10.9.0.2",))
    assert networking.checked(app, app.health_checks[0], taken, at) == target
    assert networking.checked_inside(app, app.health_checks[0], taken) == inside
