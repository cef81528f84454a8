"""Tasks on networks of their own: addresses in statuses, mapped ports, and nothing that stays."""

import asyncio
import contextlib
import http.client
import json
import os
import signal
import socket
import time
from pathlib import Path

import pytest

from comity.resources import text
from comity.wire.mesos import resources, v1
from comity.wire.mesos.checks import HttpCheckInfo
from comity.wire.mesos.containers import DockerInfo, NetworkInfo, PortMapping
from support import networks as lab
from support.images import MARKS, busybox, image, left_behind, output, write_layout
from support.kernel import Kernel, shell

S = v1.TaskState
pytestmark = [*MARKS, *lab.MARKS]
NAME = f"cta{os.getpid() % 100000}"
PROGRAMS = [
    "sh",
    "echo",
    "cat",
    "ls",
    "sleep",
    "test",
    "true",
    "hostname",
    "httpd",
    "nslookup",
    "ip",
]
# The first process of a container is not ended by SIGTERM unless it says so.
REST = "trap 'exit 0' TERM; sleep 600 & wait"
SERVE = "echo $MESOS_CONTAINER_IP > /who; trap 'exit 0' TERM; httpd -f -p 8080 -h / & wait"


@pytest.fixture
async def kernel(tmp_path):
    layers, config = [busybox(programs=PROGRAMS)], {"Env": ["PATH=/bin"]}
    write_layout(tmp_path / "layouts" / "box", layers, config)
    before = lab.snapshot(NAME)
    args = ("--docker-registry", str(tmp_path / "layouts"))
    args += ("--network-bridge", NAME, "--network-bridge-subnet", lab.SUBNET)
    args += ("--network-cni-config-dir", str(tmp_path / "cni"))
    async with Kernel(tmp_path, *args) as made:
        yield made
    assert left_behind(tmp_path) == []
    assert lab.snapshot(NAME) == before
    assert list((tmp_path / "a/networks").iterdir()) == []


def on(*ports, name="mesos-bridge"):
    mapped = tuple(PortMapping(host_port=host, container_port=inside) for host, inside in ports)
    return {"network_infos": (NetworkInfo(name=name, port_mappings=mapped),)}


def addresses(status):
    infos = status.container_status.network_infos
    return [one.ip_address for info in infos for one in info.ip_addresses]


def ask(host, port):
    deadline = time.monotonic() + 20
    while True:
        connection = http.client.HTTPConnection(host, port, timeout=5)
        try:
            connection.request("GET", "/who")
            return connection.getresponse().read().decode().strip()
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.02)
        finally:
            connection.close()


def holding(*ports):
    return {"resources": f"cpus:0.1;mem:32;ports:[{','.join(f'{one}-{one}' for one in ports)}]"}


def has_ports(mesos):
    """Whether there is an offer with ports; it is the next one to be used."""
    mesos.offers.sort(key=lambda offer: any(one.name == "ports" for one in offer.resources))
    return mesos.offers and any(one.name == "ports" for one in mesos.offers[-1].resources)


async def test_an_image_on_the_bridge_is_reached_at_its_address_and_by_its_port(kernel):
    async with kernel.scheduler() as mesos:
        web = image("box", on((31007, 8080)), value=SERVE)
        await mesos.launch({"id": "web", **holding(31007), **web})
        running = await mesos.until_state("web", S.RUNNING)
        (address,) = addresses(running)
        (info,) = running.container_status.network_infos
        assert info.name == "mesos-bridge"
        assert info.port_mappings[0].host_port == 31007
        assert await asyncio.to_thread(ask, address, 8080) == address
        assert await asyncio.to_thread(ask, "127.0.0.1", 31007) == address
        script = "cat /etc/hosts /etc/hostname; hostname; ls /sys/class/net"
        await mesos.launch({"id": "look", **image("box", on(), value=script)})
        await mesos.until_state("look", S.FINISHED)
        said = output(kernel, "look").split()
        (own,) = addresses(mesos.last("look"))
        assert said[said.index(own) + 1] == said[-3]
        assert said[-4:-2] == [said[-3], said[-3]]
        assert said[-2:] == ["eth0", "lo"]


async def test_a_plain_process_joins_a_network_and_is_checked_there(kernel):
    command = shell("exec busybox httpd -f -p 8090 -h .")
    check = v1.HealthCheck(
        type="HTTP",
        http=HttpCheckInfo(port=8090, path="/stdout"),
        interval_seconds=0.1,
        delay_seconds=0.0,
    )
    container = v1.ContainerInfo(type="MESOS", **on((31008, 8090)))
    async with kernel.scheduler() as mesos:
        task = {"id": "plain", "container": container, "health_check": check, **command}
        await mesos.launch({**holding(31008), **task})
        await mesos.until(lambda: any(one.healthy for one in mesos.statuses))
        (address,) = addresses(mesos.last("plain"))
        assert address.startswith(lab.SUBNET.rpartition(".")[0])
        mesos.mesos.kill("plain")
        await mesos.until_state("plain", S.KILLED)


async def test_tasks_of_a_group_share_the_network_of_their_executor(kernel):
    async with kernel.scheduler() as mesos:
        offer = mesos.offers.pop()
        info = v1.ExecutorInfo(
            executor_id=v1.Id(value="x"),
            type=v1.ExecutorType.DEFAULT,
            resources=resources.write(text.parse("cpus:0.1;mem:32;disk:1")),
            container=v1.ContainerInfo(type="MESOS", **on()),
        )
        infos = [
            mesos.task(offer, id="a", **image("box", value=SERVE)),
            mesos.task(offer, id="b", **image("box", value=REST)),
            mesos.task(offer, id="c", **shell("cat /proc/net/dev; exec sleep 600")),
        ]
        mesos.mesos.launch_group([offer], info, infos, refuse_seconds=0)
        found = [addresses(await mesos.until_state(task, S.RUNNING)) for task in "abc"]
        assert found[0] == found[1] == found[2]
        assert await asyncio.to_thread(ask, found[0][0], 8080) == found[0][0]
        mesos.mesos.kill("a")
        for task in "abc":
            await mesos.until_state(task, S.KILLED)


async def test_docker_containers_say_it_their_own_way(kernel):
    def docker(**fields):
        made = DockerInfo(image="box", **fields)
        return v1.ContainerInfo(type="DOCKER", docker=made)

    mapped = (PortMapping(host_port=31009, container_port=8080, protocol="tcp"),)
    async with kernel.scheduler() as mesos:
        bridged = docker(network="BRIDGE", port_mappings=mapped)
        command = v1.CommandInfo(value=SERVE)
        task = {"id": "bridged", "container": bridged, "command": command}
        await mesos.launch({**holding(31009), **task})
        (address,) = addresses(await mesos.until_state("bridged", S.RUNNING))
        assert await asyncio.to_thread(ask, "127.0.0.1", 31009) == address
        look = v1.CommandInfo(value="cat /proc/net/dev /etc/hosts; hostname")
        await mesos.launch({"id": "none", "container": docker(network="NONE"), "command": look})
        (info,) = (await mesos.until_state("none", S.FINISHED)).container_status.network_infos
        assert (info.name, info.ip_addresses) == ("none", ())
        said = output(kernel, "none")
        assert "lo:" in said
        assert "eth0:" not in said
        assert f"127.0.1.1\t{said.split()[-1]}" in said
        both = docker(network="NONE", port_mappings=mapped)
        await mesos.launch({"id": "both", "container": both, "command": look})
        refused = await mesos.until_state("both", S.FAILED)
        assert "network NONE maps no ports; use BRIDGE or USER" in refused.message


async def test_no_network_is_asked_for_by_name_too_and_checked_by_commands_only(kernel):
    container = v1.ContainerInfo(type="MESOS", **on(name="none"))
    web = v1.HealthCheck(type="HTTP", http=HttpCheckInfo(port=80), delay_seconds=0.0)
    command = v1.CommandInfo(value="! grep -q eth0 /proc/net/dev")
    alone = v1.HealthCheck(type="COMMAND", command=command, delay_seconds=0.0)
    task = {"container": container, **shell("exec sleep 600")}
    async with kernel.scheduler() as mesos:
        await mesos.launch({"id": "web", "health_check": web, **task})
        refused = await mesos.until_state("web", S.FAILED)
        assert "check of type HTTP cannot reach a task on network 'none'" in refused.message
        await mesos.launch({"id": "alone", "health_check": alone, **task})
        await mesos.until(lambda: any(one.healthy for one in mesos.statuses))
        mesos.mesos.kill("alone")
        await mesos.until_state("alone", S.KILLED)


async def test_a_plain_process_on_a_network_has_its_own_hosts_and_resolvers(kernel):
    look = shell("cat /etc/hosts /etc/resolv.conf; hostname")
    async with kernel.scheduler() as mesos:
        container = v1.ContainerInfo(type="MESOS", **on())
        await mesos.launch({"id": "look", "container": container, **look})
        await mesos.until_state("look", S.FINISHED)
        said = output(kernel, "look")
        assert f"{addresses(mesos.last('look'))[0]}\t{said.split()[-1]}" in said
        assert "nameserver 127." not in said


@pytest.fixture
def listening():
    """Give a socket that listens on a port which agents offer."""
    for port in range(31100, 31200):
        with socket.socket() as made, contextlib.suppress(OSError):
            made.bind(("127.0.0.1", port))
            made.listen()
            yield made
            return


async def test_what_cannot_be_had_fails_the_task_with_the_reason(kernel, listening):
    async with kernel.scheduler() as mesos:
        holder = image("box", on((31010, 80)), value=REST)
        await mesos.launch({"id": "holder", **holding(31010), **holder})
        await mesos.until_state("holder", S.RUNNING)
        before = lab.snapshot(NAME)
        used = listening.getsockname()[1]
        for task, container, reason in (
            ("late", on((31010, 80)), "port 31010/tcp is mapped but not among the task's ports"),
            ("used", on((used, 80)), f"port {used}/tcp is already used by a process"),
            ("nix", on(name="nix"), "there is no network 'nix'; networks of this agent: mesos-br"),
            ("unnamed", on((1, 1), name=None), "give its NetworkInfo a name"),
        ):
            held = holding(used) if task == "used" else {}
            await mesos.until(lambda: has_ports(mesos))
            await mesos.launch({"id": task, **held, **image("box", container, value="true")})
            await mesos.until(lambda task=task: any(s.is_terminal for s in mesos.states(task)))
            failed = mesos.last(task)
            assert reason in failed.message
            assert failed.reason is v1.Reason.CONTAINER_LAUNCH_FAILED
        assert lab.snapshot(NAME) == before
        assert len(list((kernel.directory / "a/sandboxes").iterdir())) == 1


async def test_networks_outlive_the_agent_and_go_with_what_ended_meanwhile(kernel):
    async with kernel.scheduler() as mesos:
        for task, port in (("stays", 31011), ("ends", 31012)):
            made = image("box", on((port, 8080)), value=SERVE)
            await mesos.until(lambda: has_ports(mesos))
            await mesos.launch({"id": task, **holding(port), **made})
            await mesos.until_state(task, S.RUNNING)
        (address,) = addresses(mesos.last("stays"))
        pid = mesos.last("ends").container_status.executor_pid
        await kernel.agent.end(signal.SIGKILL)
        os.kill(pid, signal.SIGKILL)
        await kernel.start_agent()
        await mesos.until_state("ends", S.FAILED)
        assert await asyncio.to_thread(ask, "127.0.0.1", 31011) == address
        await mesos.until(lambda: len(lab.snapshot(NAME)[1]) == 1)
        mesos.mesos.kill("stays")
        killed = await mesos.until_state("stays", S.KILLED)
        assert addresses(killed) == [address]


async def test_a_cni_network_is_had_by_its_name(kernel, tmp_path):
    plugin = tmp_path / "cni" / "fixed"
    plugin.parent.mkdir()
    log = tmp_path / "cni.log"
    result = {"cniVersion": "0.4.0", "ips": [{"version": "4", "address": "10.7.0.9/24"}]}
    plugin.write_text(f"#!/bin/sh\necho $CNI_COMMAND >> {log}\necho '{json.dumps(result)}'\n")
    plugin.chmod(0o755)
    (tmp_path / "cni" / "lab.conf").write_text('{"name": "lab", "type": "fixed"}')
    kernel.agent_args += ("--network-cni-plugins-dir", str(plugin.parent))
    await kernel.restart_agent()
    async with kernel.scheduler() as mesos:
        await mesos.launch({"id": "cni", **image("box", on(name="lab"), value=REST)})
        assert addresses(await mesos.until_state("cni", S.RUNNING)) == ["10.7.0.9"]
        mesos.mesos.kill("cni")
        await mesos.until_state("cni", S.KILLED)
        await mesos.until(lambda: Path(log).read_text() == "ADD\nDEL\n")


async def test_many_that_come_and_go_with_a_killed_agent_leave_nothing(kernel):
    """The fixture compares links, rules and records; here it is the number that matters."""
    async with kernel.scheduler() as mesos:
        await mesos.until(lambda: has_ports(mesos))
        first, count = 31200, 20
        tasks = [
            {"id": f"t{n}", **holding(first + n), **image("box", on((first + n, 80)), value=REST)}
            for n in range(count)
        ]
        await mesos.launch(*tasks)
        await mesos.until(lambda: any(S.RUNNING in mesos.states(one["id"]) for one in tasks))
        await kernel.restart_agent()
        for one in tasks:
            await mesos.until(
                lambda one=one: {S.RUNNING, S.FAILED, S.LOST} & set(mesos.states(one["id"]))
            )
            mesos.mesos.kill(one["id"])
        for one in tasks:
            await mesos.until(lambda one=one: mesos.states(one["id"])[-1].is_terminal)
        await mesos.until(lambda: lab.snapshot(NAME)[1] == [])
        assert not any("--to-destination" in rule for rule in lab.snapshot(NAME)[2])
