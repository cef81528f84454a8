"""CNI: what plugins are given, in which order, and what becomes of what they say."""

import asyncio
import json
from pathlib import Path

import pytest

from comity.core.networks import Joined, Network, PortMap
from comity.runtime.networks.bridge import Bridge
from comity.runtime.networks.cni import Cni
from comity.runtime.networks.errors import NetworkRefused
from comity.runtime.networks.networks import Networks
from comity.runtime.networks.subnets import Subnets

PLUGIN = """#!/bin/sh
# Notes how it was called; fails when a file says so.
given=$(cat)
echo "$CNI_COMMAND $(basename "$0") $CNI_CONTAINERID $CNI_IFNAME $CNI_NETNS $given" >> {log}
if [ -e {directory}/fail-$(basename "$0")-$CNI_COMMAND ]; then
    echo '{{"code": 7, "msg": "no luck", "details": "really"}}'; exit 1
fi
[ "$CNI_COMMAND" = ADD ] || exit 0
cat {directory}/result-$(basename "$0")
"""
RESULT = {
    "cniVersion": "0.4.0",
    "ips": [{"version": "4", "address": "10.7.0.9/24", "gateway": "10.7.0.1"}],
    "dns": {"nameservers": ["10.7.0.53"], "search": ["lab"]},
}


class Plugins:
    def __init__(self, directory):
        self.directory = directory
        self.log = directory / "log"
        self.configurations = directory / "conf"
        self.configurations.mkdir()
        for name in ("first", "second"):
            path = directory / name
            path.write_text(PLUGIN.format(log=self.log, directory=directory))
            path.chmod(0o755)
            (directory / f"result-{name}").write_text(json.dumps(RESULT))

    def configure(self, file, document):
        text = document if isinstance(document, str) else json.dumps(document)
        (self.configurations / file).write_text(text)

    def networks(self):
        cni = Cni(self.configurations, str(self.directory))
        bridge = Bridge("ct-none", Subnets.read("10.9.0.0/24"), "one", self.directory)
        return Networks(bridge, "not here", cni, self.directory / "records")

    def calls(self):
        """Return how plugins were called: verb, plugin, container, interface, netns, input."""
        if not self.log.exists():
            return []
        found = [line.split(" ", 5) for line in self.log.read_text().splitlines()]
        return [(*words[:5], json.loads(words[5])) for words in found]

    def fail(self, plugin, verb):
        (self.directory / f"fail-{plugin}-{verb}").touch()


@pytest.fixture
def plugins(tmp_path):
    made = Plugins(tmp_path)
    chain = [{"type": "first", "a": 1}, {"type": "second", "capabilities": {"portMappings": True}}]
    made.configure("10-lab.conflist", {"name": "lab", "cniVersion": "0.4.0", "plugins": chain})
    made.configure("20-single.conf", {"name": "single", "type": "first", "args": {"own": 1}})
    made.configure("90-lab.conf", {"name": "lab", "type": "never"})
    made.configure("README.md", "not one")
    return made


def attach(networks, *wanted, container="c", netns=Path("/proc/self/ns/net")):
    return asyncio.run(networks.attach(container, netns, wanted))


def test_plugins_run_in_order_with_what_the_one_before_said(plugins):
    ports = (PortMap(31000, 80), PortMap(31001, 53, "udp", "127.0.0.1"))
    found = attach(plugins.networks(), Network("lab", ports, labels={"k": "v"}))
    assert found.joined == (Joined("lab", ("10.7.0.9",), "eth0", ports, labels={"k": "v"}),)
    assert (found.nameservers, found.search) == (("10.7.0.53",), ("lab",))
    first, second = plugins.calls()
    assert first[:5] == ("ADD", "first", "c", "eth0", "/proc/self/ns/net")
    assert (first[5]["name"], first[5]["cniVersion"], first[5]["a"]) == ("lab", "0.4.0", 1)
    assert "runtimeConfig" not in first[5]
    assert "prevResult" not in first[5]
    assert second[:2] == ("ADD", "second")
    assert second[5]["prevResult"] == RESULT
    assert second[5]["runtimeConfig"]["portMappings"] == [
        {"hostPort": 31000, "containerPort": 80, "protocol": "tcp"},
        {"hostPort": 31001, "containerPort": 53, "protocol": "udp", "hostIP": "127.0.0.1"},
    ]
    info = second[5]["args"]["org.apache.mesos"]["network_info"]
    assert info["port_mappings"][0]["host_port"] == 31000
    assert info["labels"] == {"labels": [{"key": "k", "value": "v"}]}


def test_a_container_leaves_by_the_words_it_came_with(plugins):
    networks = plugins.networks()
    attach(networks, Network("single"), Network("lab"))
    plugins.configure("10-lab.conflist", {"name": "lab", "type": "never"})
    plugins.log.unlink()
    asyncio.run(plugins.networks().keep(set()))  # another agent process, after a crash
    calls = [(verb, name, interface) for verb, name, _, interface, _, _ in plugins.calls()]
    assert calls == [("DEL", "second", "eth1"), ("DEL", "first", "eth1"), ("DEL", "first", "eth0")]
    assert all(given["prevResult"] == RESULT for *_, given in plugins.calls())
    assert list((plugins.directory / "records").iterdir()) == []


def test_containers_that_are_known_stay_and_are_not_added_twice(plugins):
    found = attach(plugins.networks(), Network("lab"))
    plugins.log.unlink()
    networks = plugins.networks()
    asyncio.run(networks.keep({"c"}))
    assert networks.attachment("c") == found
    assert attach(networks, Network("lab")) == found
    assert [call[:2] for call in plugins.calls()] == [("CHECK", "first"), ("CHECK", "second")]


def test_a_namespace_of_a_later_boot_is_added_anew(plugins, tmp_path):
    netns = tmp_path / "netns"
    netns.touch()
    attach(plugins.networks(), Network("single"), netns=netns)
    netns.rename(tmp_path / "old")
    netns.touch()
    plugins.log.unlink()
    attach(plugins.networks(), Network("single"), netns=netns)
    assert [call[0] for call in plugins.calls()] == ["DEL", "ADD"]


def test_after_the_end_of_the_namespace_plugins_are_told_of_none(plugins, tmp_path):
    netns = tmp_path / "netns"
    netns.touch()
    attach(plugins.networks(), Network("single"), netns=netns)
    netns.unlink()
    asyncio.run(plugins.networks().keep(set()))
    assert plugins.log.read_text().splitlines()[-1].startswith("DEL first c eth0  {")


def test_what_one_plugin_refuses_is_undone(plugins):
    plugins.fail("second", "ADD")
    networks = plugins.networks()
    with pytest.raises(NetworkRefused, match="second of network 'lab' cannot ADD: no luck: really"):
        attach(networks, Network("single"), Network("lab"))
    verbs = [(verb, name, interface) for verb, name, _, interface, _, _ in plugins.calls()]
    assert verbs[:3] == [
        ("ADD", "first", "eth0"),
        ("ADD", "first", "eth1"),
        ("ADD", "second", "eth1"),
    ]
    assert ("DEL", "first", "eth0") in verbs[3:]
    assert ("DEL", "first", "eth1") in verbs[3:]
    assert networks.attachment("c") is None
    assert list((plugins.directory / "records").iterdir()) == []


@pytest.mark.parametrize("said", ['{"ips": [{"address": "x"}]}', '{"ips": 7}', '{"ip4": []}', "[]"])
def test_a_result_that_is_none_is_refused_or_empty(plugins, said):
    (plugins.directory / "result-first").write_text(said)
    networks = plugins.networks()
    if said == "[]":
        assert attach(networks, Network("single")).addresses == ()
        return
    with pytest.raises(NetworkRefused, match="a plugin of network 'single' gave no result"):
        attach(networks, Network("single"))
    assert [call[0] for call in plugins.calls()] == ["ADD", "DEL"]


def test_a_container_that_cannot_leave_is_tried_again(plugins):
    networks = plugins.networks()
    attach(networks, Network("single"))
    plugins.fail("first", "DEL")
    asyncio.run(networks.detach("c"))
    (plugins.directory / "fail-first-DEL").unlink()
    plugins.log.unlink()
    asyncio.run(plugins.networks().keep(set()))
    assert [call[0] for call in plugins.calls()] == ["DEL"]
    assert list((plugins.directory / "records").iterdir()) == []


def test_check_asks_every_plugin(plugins):
    cni = Cni(plugins.configurations, str(plugins.directory))
    added = cni.add("c", Path("/proc/self/ns/net"), cni.find(Network("lab"), "eth0"))
    plugins.log.unlink()
    cni.check("c", Path("/proc/self/ns/net"), added)
    assert [call[:2] for call in plugins.calls()] == [("CHECK", "first"), ("CHECK", "second")]
    plugins.fail("second", "CHECK")
    with pytest.raises(NetworkRefused, match="cannot CHECK"):
        cni.check("c", Path("/proc/self/ns/net"), added)


@pytest.mark.parametrize(
    ("wanted", "reason"),
    [
        (Network("nix"), "there is no network 'nix'; networks of this agent: lab, missing"),
        (Network("single", (PortMap(1, 1),)), "cannot map ports: none of its plugins"),
        (Network(), "network 'mesos-bridge' is not available on this agent: not here"),
        (Network("missing"), "CNI plugin 'absent' is not installed"),
        (Network("outside"), "CNI plugin '../first' is not installed"),
        (Network("broken"), "there is no network 'broken'.*broken.conf is no CNI configuration"),
        (Network("listed"), "there is no network 'listed'.*listed.conf is no CNI"),
        (Network("untyped"), "there is no network 'untyped'.*untyped.conf is no CNI"),
    ],
)
def test_a_network_that_cannot_be_had_says_why(plugins, wanted, reason):
    networks = plugins.networks()
    plugins.configure("missing.conf", {"name": "missing", "type": "absent"})
    plugins.configure("outside.conf", {"name": "outside", "type": "../first"})
    plugins.configure("broken.conf", '{"name": "broken", ')
    plugins.configure("listed.conf", {"name": "listed", "type": "first", "capabilities": []})
    plugins.configure("untyped.conf", {"name": "untyped", "type": 7})
    with pytest.raises(NetworkRefused, match=reason):
        attach(networks, Network("lab"), wanted)
    assert plugins.calls() == []
    assert list((plugins.directory / "records").iterdir()) == []


def test_a_configuration_may_take_the_bridges_name(plugins):
    plugins.configure("own.conf", {"name": "mesos-bridge", "type": "first"})
    found = attach(plugins.networks(), Network())
    assert found.addresses == ("10.7.0.9",)
