"""Where a pod is: what the agent is asked for, and what readers are told, and when."""

import msgspec
import pytest

from comity.kube.node import addresses, inputs, launches, outbox
from comity.kube.node.handlers.pods import _containers
from comity.kube.node.machine import NodeMachine
from comity.kube.node.shell.agents import _address, _at
from comity.kube.node.state import Pod, Resolved
from comity.runtime.http import Response
from support.kube_node_rig import FACTS, World, container, pod

BRIDGED = msgspec.structs.replace(FACTS, has_bridge=True)


def made(*containers, **spec):
    given = pod(containers=list(containers), **spec)
    found = Pod("uid-web", "task", given, 0.0, _containers(given["spec"]))
    found.resolved = Resolved()
    return found


@pytest.fixture
def world():
    world = World()
    world.machine = NodeMachine(BRIDGED)
    yield world
    world.check()


@pytest.mark.parametrize(
    ("images", "spec", "facts", "own"),
    [
        (["nginx"], {}, BRIDGED, True),
        (["nginx"], {}, FACTS, False),
        (["nginx"], {"hostNetwork": True}, BRIDGED, False),
        (["host"], {}, BRIDGED, False),
        (["nginx", "host"], {}, BRIDGED, False),
    ],
)
def test_who_has_an_address_of_its_own(images, spec, facts, own):
    given = made(*(container(f"c{n}", image=image) for n, image in enumerate(images)), **spec)
    assert addresses.has_own(given, facts) is own
    assert addresses.of_pod(given, facts) == ("" if own else "127.0.0.11")
    assert ("container" in launches.build_sandbox(given, facts)) is own


@pytest.mark.parametrize(
    ("given", "reasons"),
    [
        (container(image="nginx"), {"NetworkShared"}),
        (container(resources={"limits": {"memory": "1Mi"}}), {"LimitsNotHeld"}),
        (container(resources={"requests": {"memory": "1Mi"}}), set()),
    ],
)
def test_a_pod_is_told_what_its_node_cannot_do(given, reasons):
    world = World()
    world.machine = NodeMachine(
        msgspec.structs.replace(FACTS, no_bridge="neither iptables", no_limits="no cgroups")
    )
    world.assign(pod(containers=[given]))
    told = {one.reason: one.message for one in world.of(outbox.RecordEvent)}
    assert reasons == told.keys() & {"NetworkShared", "LimitsNotHeld"}
    for text in (told[one] for one in reasons):
        assert "neither iptables" in text or "no cgroups" in text


def test_host_ports_are_mapped_for_the_sandbox():
    ports = [{"containerPort": 80, "hostPort": 31080}, {"containerPort": 81}]
    dns = {"containerPort": 53, "hostPort": 31053, "protocol": "UDP", "hostIP": "0.0.0.0"}
    given = made(
        container("a", image="nginx", ports=ports), container("b", image="nginx", ports=[dns])
    )
    (info,) = launches.build_sandbox(given, BRIDGED)["container"]["network_infos"]
    assert info["name"] == "mesos-bridge"
    assert info["port_mappings"] == [
        {"host_port": 31080, "container_port": 80, "protocol": "tcp"},
        {"host_port": 31053, "container_port": 53, "protocol": "udp"},
    ]
    dns["hostIP"] = "10.0.0.1"
    (info,) = launches.build_sandbox(given, BRIDGED)["container"]["network_infos"]
    assert info["port_mappings"][1]["host_ip"] == "10.0.0.1"


def test_the_address_is_told_when_it_is_known_and_asked_for_in_probes(world):
    world.hold(outbox.LaunchContainer)
    probe = {"httpGet": {"port": 80}}
    env = [{"name": "IP", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}}]
    web = container(image="nginx", livenessProbe=probe, env=env, args=["--at=$(IP)"])
    world.assign(pod(containers=[web]))
    assert "podIP" not in world.stored["uid-web"]
    (launch,) = [one for one in world.effects if isinstance(one, outbox.LaunchContainer)]
    variables = launch.launch["command"]["environment"]["variables"]
    assert {"name": "IP", "type": "VALUE", "value": addresses.POD_IP} in variables
    world.live[launch.container_id] = ("uid-web", "web")
    world.put(inputs.ContainerLaunched("uid-web", "web", launch.container_id, "10.209.0.7"))
    status = world.stored["uid-web"]
    assert (status["podIP"], status["hostIP"]) == ("10.209.0.7", "127.0.0.11")
    world.advance(60)
    urls = {one.action.url for one in world.effects if isinstance(one, outbox.RunProbe)}
    assert urls == {"http://10.209.0.7:80/"}


def test_the_shell_puts_the_address_where_something_stands_for_it():
    payload = {"a": [f"x{addresses.POD_IP}y", 1, None], "b": {"c": addresses.POD_IP, "d": True}}
    assert _at(payload, "10.9.0.2") == {
        "a": ["x10.9.0.2y", 1, None],
        "b": {"c": "10.9.0.2", "d": True},
    }


@pytest.mark.parametrize(
    ("body", "address"),
    [
        (b"", ""),
        (
            b'{"container_status":{"network_infos":[{"ip_addresses":[{"ip_address":"1.2.3.4"}]}]}}',
            "",
        ),
        (
            b'{"container_status":{"network_infos":'
            b'[{"name":"n","ip_addresses":[{"ip_address":"1.2.3.4"}]}]}}',
            "1.2.3.4",
        ),
    ],
)
def test_only_a_network_with_a_name_gives_an_address(body, address):
    assert _address(Response(200, body)) == address
