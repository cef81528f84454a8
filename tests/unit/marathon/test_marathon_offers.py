"""Filling offers: placement over agents, the task that is launched, the launch queue."""

from collections import Counter

import pytest

from comity.core.ids import AgentId, TaskId
from comity.marathon import drafts, launching, views
from comity.marathon.outbox import Accept, Decline
from comity.marathon.state import State
from comity.policy.placement import Fit
from comity.wire.marathon.app_reads import NEW_APP
from comity.wire.marathon.apps import App
from comity.wire.marathon.errors import Refused
from comity.wire.mesos import v1
from comity.wire.mesos.containers import TTYInfo
from support.marathon_world import World, read, started

APP = {"id": "/g/a", "cmd": "sleep 100", "cpus": 0.1, "mem": 32.0}


def app_of(**fields: object) -> App:
    return drafts.canonical(read(NEW_APP, APP | fields))


def task_of(app: App, *ports: int) -> v1.TaskInfo:
    fit = Fit("*", {"cpus": app.cpus, "mem": app.mem}, ports)
    return launching.task_info(app, TaskId("t"), (AgentId("S1"), "host1"), fit)


def env_of(task: v1.TaskInfo) -> dict[str, str]:
    assert task.command is not None
    assert task.command.environment is not None
    return {one.name: one.value or "" for one in task.command.environment.variables}


def test_instances_spread_over_the_offers_of_one_round() -> None:
    world = started(agents=3)
    world.post(**APP, instances=9)
    world.settle()
    assert Counter(one.host for one in world.tasks("/g/a")) == {
        agent.host: 3 for agent in world.agents
    }


def test_a_hundred_instances_take_one_accept_of_one_offer() -> None:
    world = started(agents=1)
    world.agents[0].cpus = 100
    world.agents[0].ports = set(range(31000, 31200))
    world.post(**APP, instances=100)
    accepts: list[Accept] = []
    world.hold_starts = True
    world.fire()
    world.effects.clear()
    world.offer()
    accepts = [one for one in world.effects if isinstance(one, Accept)]
    assert [len(one.tasks) for one in accepts] == [100]
    assert len({one.ports for one in world.tasks("/g/a")}) == 100


def test_more_than_one_accept_may_hold_waits_for_the_next_offer() -> None:
    world = started(agents=1, tasks_per_accept_max=3)
    world.post(**APP, instances=5)
    world.hold_starts = True
    world.fire()
    world.effects.clear()
    world.offer()
    [accept] = [one for one in world.effects if isinstance(one, Accept)]
    assert (len(accept.tasks), accept.refuse_s) == (3, 0.0)
    assert world.state.wanted == {"/g/a": 2}
    world.settle()
    assert len(world.tasks("/g/a")) == 5


def test_offers_are_refused_for_long_only_when_nothing_waits() -> None:
    world = started(agents=2)
    world.effects.clear()
    world.offer()
    [decline] = [one for one in world.effects if isinstance(one, Decline)]
    assert (len(decline.offer_ids), decline.refuse_s) == (2, 120.0)
    world.post(**APP | {"cpus": 99.0})
    world.fire()
    world.effects.clear()
    world.offer()
    [decline] = [one for one in world.effects if isinstance(one, Decline)]
    assert (len(decline.offer_ids), decline.refuse_s) == (2, 5.0)


def test_the_queue_tells_why_offers_were_not_used() -> None:
    world = World(agents=2)
    world.agents[0].values = {"rack": "r1"}
    world.subscribe()
    world.post(**APP | {"mem": 99999.0}, constraints=[["rack", "IS", "r1"]])
    world.fire()
    world.offer()
    [item] = views.queue(world.state, world.now, with_offers=True)["queue"]
    summary = item["processedOffersSummary"]
    assert (item["count"], item["delay"]) == (1, {"timeLeftSeconds": 0, "overdue": True})
    rows = {row["reason"]: row for row in summary["rejectSummaryLastOffers"]}
    assert len(rows) == 10
    assert (rows["UnfulfilledRole"]["processed"], rows["UnfulfilledRole"]["declined"]) == (2, 0)
    assert rows["UnfulfilledConstraint"]["declined"] == 1
    assert (rows["InsufficientMemory"]["processed"], rows["InsufficientMemory"]["declined"]) == (
        1,
        1,
    )
    assert len(item["lastUnusedOffers"]) == 2


IMAGE = {"type": "DOCKER", "docker": {"image": "box"}}
UNABLE = {"comity_images": "none", "comity_images_missing": "no OCI runtime is installed"}
FLAT = {"comity_network": "host", "comity_network_missing": "neither iptables nor nft"}


@pytest.mark.parametrize(
    ("values", "fields", "text"),
    [
        (UNABLE, {"container": IMAGE}, "image 'box' cannot run on this agent: no OCI runtime"),
        (
            FLAT,
            {"container": IMAGE, "networks": [{"mode": "container/bridge"}]},
            "network 'mesos-bridge' is not available on this agent: neither iptables nor nft",
        ),
        (
            {"comity_host_image": "false"},
            {"container": {"type": "MESOS", "docker": {"image": "host"}}},
            "the image name 'host' is forbidden",
        ),
    ],
)
def test_an_agent_that_cannot_run_an_app_is_passed_over_and_says_why(values, fields, text) -> None:
    world = World(agents=2)
    world.agents[0].values = values
    world.subscribe()
    world.post(**APP, **fields, instances=2)
    world.settle()
    assert {one.host for one in world.tasks("/g/a")} == {world.agents[1].host}
    world.agents[1].values = values
    world.post(**{**APP, "id": "/g/b"}, **fields)
    world.fire()
    world.offer()
    [item] = views.queue(world.state, world.now, with_offers=True)["queue"]
    assert len(item["lastUnusedOffers"]) == 2
    for entry in item["lastUnusedOffers"]:
        assert entry["reason"] == ["UnfulfilledConstraint"]
        assert text in entry["message"]


def test_unique_hosts_and_required_ports_hold() -> None:
    world = started(agents=2)
    world.agents[0].ports |= {31443}
    world.post(**APP, constraints=[["hostname", "UNIQUE"]], instances=3)
    world.settle()
    assert len({one.host for one in world.tasks("/g/a")}) == world.running("/g/a") == 2
    world.post(id="/p", cmd="x", portDefinitions=[{"port": 31443}], requirePorts=True)
    world.settle()
    assert [one.ports for one in world.tasks("/p")] == [(31443,)]
    world.put("/p", instances=2, force=True)
    world.settle()
    assert world.running("/p") == 1


def test_service_ports_are_unique_and_stay() -> None:
    world = started()
    world.post(**APP, portDefinitions=[{"port": 0}, {"port": 10001}], instances=0)
    world.post(id="/b", cmd="x", instances=0)
    assert ports_of(world.state, "/g/a") == [10000, 10001]
    assert ports_of(world.state, "/b") == [10002]
    world.put("/g/a", portDefinitions=[{"port": 0}], cmd="y", force=True)
    assert ports_of(world.state, "/g/a") == [10000]


def ports_of(state: State, app_id: str) -> list[int]:
    return [one.port for one in state.apps[app_id].port_definitions]


def test_the_environment_of_a_task() -> None:
    app = app_of(
        labels={"A-b.c": "x", "long": "y" * 512},
        env={"HOST": "mine", "K": "v"},
        portDefinitions=[{"port": 10005, "name": "web"}, {"port": 0}],
    )
    env = env_of(task_of(app, 31001, 31002))
    assert env["PORT"] == env["PORT0"] == env["PORT_10005"] == env["PORT_WEB"] == "31001"
    assert env["PORT1"] == env["PORT_31002"] == "31002"
    assert env["PORTS"] == "31001,31002"
    assert (env["HOST"], env["K"]) == ("mine", "v")
    assert env["MARATHON_APP_ID"] == "/g/a"
    assert env["MARATHON_APP_LABELS"] == "A_B_C"
    assert env["MARATHON_APP_LABEL_A_B_C"] == "x"
    assert env["MARATHON_APP_RESOURCE_MEM"] == "32.0"
    assert env["MARATHON_APP_RESOURCE_GPUS"] == "0"
    assert env["MESOS_TASK_ID"] == "t"


def test_an_app_without_ports_has_no_port_variables() -> None:
    app = app_of(portDefinitions=[])
    assert not [name for name in env_of(task_of(app)) if name.startswith("PORT")]


def test_commands_arguments_and_images() -> None:
    assert task_of(app_of(), 1).command.value == "sleep 100"  # type: ignore[union-attr]
    by_args = app_of(cmd=None, args=["echo", "hi"])
    command = task_of(by_args, 1).command
    assert command is not None
    assert (command.shell, command.value, command.arguments) == (False, "echo", ("echo", "hi"))
    image = app_of(container={"type": "MESOS", "docker": {"image": "host", "network": "HOST"}})
    container = task_of(image, 1).container
    assert container is not None
    assert container.type == "MESOS"
    assert container.mesos is not None
    assert container.mesos.image is not None
    assert container.mesos.image.docker is not None
    assert container.mesos.image.docker.name == "host"
    assert env_of(task_of(image, 1))["MARATHON_APP_DOCKER_IMAGE"] == "host"


def test_containers_of_either_engine() -> None:
    volume = {"containerPath": "/data", "hostPath": "/srv", "mode": "RO"}
    parameters = [{"key": "cap-add", "value": "NET_ADMIN"}]
    docker = {"image": "busybox", "privileged": True, "parameters": parameters}
    theirs = task_of(app_of(container={"docker": docker, "volumes": [volume]}), 1).container
    assert theirs is not None
    assert theirs.docker is not None
    assert (theirs.type, theirs.docker.privileged) == ("DOCKER", True)
    assert [(one.key, one.value) for one in theirs.docker.parameters] == [("cap-add", "NET_ADMIN")]
    assert [(one.container_path, one.host_path, one.mode) for one in theirs.volumes] == [
        ("/data", "/srv", "RO")
    ]
    linux = {"seccomp": {"unconfined": True}, "ipcInfo": {"mode": "PRIVATE", "shmSize": 8}}
    limits = {"cpus": "unlimited", "mem": 1024}
    task = task_of(
        app_of(container={"type": "MESOS", "linuxInfo": linux}, resourceLimits=limits), 1
    )
    assert task.container is not None
    info = task.container.linux_info
    assert info is not None
    assert info.seccomp is not None
    assert (info.seccomp.unconfined, info.ipc_mode, info.shm_size) == (True, "PRIVATE", 8)
    assert {name: one.value for name, one in task.limits.items()} == {"cpus": 1e15, "mem": 1024}


def test_a_terminal() -> None:
    for container in (None, {"type": "MESOS", "docker": {"image": "box"}}):
        given = {} if container is None else {"container": container}
        made = task_of(app_of(tty=True, **given), 1).container
        assert made is not None
        assert (made.type, made.tty_info) == ("MESOS", TTYInfo())
        plain = task_of(app_of(tty=False, **given), 1).container
        assert plain is None or plain.tty_info is None


def test_who_pulls_an_image() -> None:
    who = {"principal": "me", "secret": "s3cret"}
    docker = {"image": "r:5000/box", "credential": who, "forcePullImage": True}
    container = task_of(app_of(container={"type": "MESOS", "docker": docker}), 1).container
    assert container is not None
    assert container.mesos is not None
    image = container.mesos.image
    assert image is not None
    assert image.docker is not None
    assert image.docker.credential is not None
    assert (image.docker.credential.principal, image.docker.credential.secret) == ("me", "s3cret")
    assert image.cached is False
    with pytest.raises(Refused) as refused:
        app_of(container={"type": "DOCKER", "docker": docker})
    assert "/container/docker/credential" in str(refused.value.body)


def test_a_pull_config_is_a_secret_that_agents_find() -> None:
    docker = {"image": "r:5000/box", "pullConfig": {"secret": "login"}}
    container = {"type": "MESOS", "docker": docker}
    secrets = {"login": {"source": "team/login"}}
    made = task_of(app_of(container=container, secrets=secrets), 1).container
    assert made is not None
    assert made.mesos is not None
    assert made.mesos.image is not None
    assert made.mesos.image.docker is not None
    config = made.mesos.image.docker.config
    assert config is not None
    assert config.reference is not None
    assert (config.type, config.reference.name) == ("REFERENCE", "team/login")
    with pytest.raises(Refused) as refused:
        app_of(container=container)
    assert "must refer to an existing secret" in str(refused.value.body)


def test_what_else_a_task_carries() -> None:
    app = app_of(
        taskKillGracePeriodSeconds=7,
        labels={"k": "v"},
        user="nobody",
        fetch=[{"uri": "http://x/y.tgz", "destPath": "z"}],
        healthChecks=[{"protocol": "COMMAND", "command": {"value": "true"}}],
    )
    task = task_of(app, 31001)
    assert task.name == "a.g"
    assert task.kill_policy is not None
    assert task.kill_policy.grace_period == v1.DurationInfo(nanoseconds=7_000_000_000)
    assert task.labels == v1.Labels(labels=(v1.Label(key="k", value="v"),))
    assert task.command is not None
    assert task.command.user == "nobody"
    assert task.command.uris[0].output_file == "z"
    assert task.health_check is not None
    assert (task.health_check.type, task.health_check.grace_period_seconds) == ("COMMAND", 300.0)
    assert task.discovery is not None
    assert task.discovery.ports is not None
    assert [one.number for one in task.discovery.ports.ports] == [31001]


def test_agents_check_what_marathon_does_not_probe() -> None:
    app = app_of(healthChecks=[{"protocol": "MESOS_HTTP", "path": "/h", "portIndex": 0}])
    check = task_of(app, 31001).health_check
    assert check is not None
    assert check.http is not None
    assert (check.type, check.http.port, check.http.path) == ("HTTP", 31001, "/h")
    assert task_of(app_of(healthChecks=[{"protocol": "HTTP"}]), 31001).health_check is None


def test_nothing_is_started_on_a_machine_that_is_being_maintained() -> None:
    world = started(agents=2)
    start = v1.TimeInfo(nanoseconds=int(world.now * 1e9) - 10**9)
    world.agents[0].away = v1.Unavailability(start=start)
    world.post(**APP, instances=4)
    world.settle()
    assert Counter(one.host for one in world.tasks("/g/a")) == {world.agents[1].host: 4}
