"""What agents have and are: defaults, attributes, kinds of resources (mesos.md, 1.2)."""

import json
import os

import pytest

from support.mesos_clusters import own, until
from support.mesos_contract import amounts, name_of, request, scalar, task

V1 = "/api/v1"


@pytest.fixture(scope="module")
def cluster():
    with own() as made:
        yield made


def shown(cluster, agent):
    found = cluster.id_of(agent)
    return next(one for one in cluster.shown() if one["id"] == found)


def offered(cluster, agent, **info):
    """Return the first offer of an agent to a new framework."""
    agent_id = cluster.id_of(agent)
    with cluster.bare.framework(**info) as mesos:

        def found():
            return [one for one in mesos.offers if one["agent_id"]["value"] == agent_id]

        mesos.until(found)
        return found()[0]


def by_name(offer):
    return {one["name"]: one for one in offer["resources"]}


def test_an_agent_has_what_its_machine_has_less_what_the_machine_needs(cluster):
    agent = cluster.add(resources=None)
    found = shown(cluster, agent)["resources"]
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // (1 << 20)
    assert found["cpus"] == os.cpu_count()
    assert found["mem"] == (memory - 1024 if memory >= 2048 else memory // 2)
    assert found["disk"] > 0
    assert found["ports"] == "[31000-32000]"
    agent.end()


def test_what_is_not_named_is_found(cluster):
    agent = cluster.add(resources="cpus:1")
    found = shown(cluster, agent)["resources"]
    assert found["cpus"] == 1
    assert found["mem"] > 1
    assert found["ports"] == "[31000-32000]"
    agent.end()


def test_attributes_are_text_numbers_and_ranges(cluster):
    agent = cluster.add(
        "--attributes=rack:r 1;level:2.5;slots:[1-3,5-5]", resources="cpus:1;mem:64"
    )
    found = {one["name"]: one for one in offered(cluster, agent)["attributes"]}
    assert found["rack"]["text"] == {"value": "r 1"}
    assert found["level"]["scalar"] == {"value": 2.5}
    assert found["slots"]["ranges"]["range"] == [{"begin": 1, "end": 3}, {"begin": 5, "end": 5}]
    flat = shown(cluster, agent)["attributes"]
    assert (flat["rack"], flat["level"]) == ("r 1", 2.5)
    assert flat["slots"] == "[1-3, 5-5]"
    agent.end()


@pytest.mark.parametrize("wrong", ["rack", "rack:", "zones:{a,b}", "slots:[a-b]"])
def test_attributes_that_are_none_keep_an_agent_from_starting(cluster, wrong):
    with pytest.raises(AssertionError, match="--attributes"):
        cluster.add(f"--attributes={wrong}")
    cluster.agents = [one for one in cluster.agents if one.url]


def test_resources_may_be_of_any_name_and_kind(cluster):
    agent = cluster.add(resources="cpus:1;mem:64;bugs:3.5;zones:{a,b};slots:[1-3,7-9]")
    found = by_name(offered(cluster, agent))
    assert found["bugs"]["scalar"]["value"] == 3.5
    assert found["zones"]["type"] == "SET"
    assert sorted(found["zones"]["set"]["item"]) == ["a", "b"]
    assert len(found["slots"]["ranges"]["range"]) == 2
    agent_id = {"value": cluster.id_of(agent)}
    with cluster.bare.framework() as mesos:
        mesos.until(lambda: any(one["agent_id"] == agent_id for one in mesos.offers))
        [offer] = [one for one in mesos.offers if one["agent_id"] == agent_id]
        item = {"name": "zones", "type": "SET", "set": {"item": ["a"]}}
        made = task("t", "exit 0", resources=[*amounts(cpus=0.1, mem=32), item])
        mesos.launch(made, offer=offer)
        mesos.status(name_of(made), "TASK_FINISHED")
    agent.end()


def test_what_is_revocable_is_for_those_who_can_bear_it(cluster):
    written = [
        {"name": "cpus", "type": "SCALAR", "scalar": {"value": 1}},
        {"name": "mem", "type": "SCALAR", "scalar": {"value": 64}},
        {"name": "cpus", "type": "SCALAR", "scalar": {"value": 2}, "revocable": {}},
    ]
    agent = cluster.add(resources=json.dumps(written))
    plain = offered(cluster, agent)
    assert scalar(plain["resources"], "cpus") == 1
    assert not any("revocable" in one for one in plain["resources"])
    able = offered(cluster, agent, capabilities=[{"type": "REVOCABLE_RESOURCES"}])
    [extra] = [one for one in able["resources"] if "revocable" in one]
    assert extra["scalar"]["value"] == 2
    agent.end()


@pytest.mark.parametrize("wrong", ["cpus", "cpus:-1", "cpus:x", "ports:[1-", "[{]", "[{}]"])
def test_resources_that_are_none_keep_an_agent_from_starting(cluster, wrong):
    with pytest.raises(AssertionError, match="--resources"):
        cluster.add(resources=wrong)
    cluster.agents = [one for one in cluster.agents if one.url]


@pytest.mark.parametrize(
    ("policy", "change", "starts"),
    [
        ("equal", "cpus:2;mem:64", False),
        ("additive", "cpus:2;mem:64", True),
        ("additive", "cpus:0.5;mem:64", False),
    ],
)
def test_what_may_change_between_two_runs_is_a_policy(policy, change, starts):
    with own() as cluster:
        agent = cluster.add(resources="cpus:1;mem:64;disk:64")
        before = cluster.id_of(agent)
        agent.end()
        index = agent.arguments.index("--resources") + 1
        agent.arguments[index] = f"{change};disk:64"
        agent.arguments.append(f"--reconfiguration_policy={policy}")
        if not starts:
            with pytest.raises(AssertionError):
                agent.start()
            return
        agent.start()
        assert cluster.id_of(agent) == before
        until(lambda: shown(cluster, agent)["resources"]["cpus"] == 2)


def test_an_agent_says_who_it_is(cluster):
    agent = cluster.add(resources="cpus:1;mem:64")
    agent_id = cluster.id_of(agent)
    state = request(agent.url, "GET", "/state").json()
    assert state["id"] == agent_id
    assert state["pid"].endswith(agent.url.rpartition(":")[2])
    assert state["resources"]["cpus"] == 1
    call = request(agent.url, "POST", V1, {"type": "GET_AGENT"}).json()["get_agent"]
    assert call["agent_info"]["id"]["value"] == state["id"]
    agent.end()


@pytest.mark.parametrize(
    "flag",
    [
        "--zk=zk://localhost:2181/mesos",
        "--quorum=1",
        "--rate_limits={}",
        "--authenticators=crammd5",
        "--modules={}",
    ],
)
def test_a_master_says_which_flags_it_does_not_know(flag):
    with pytest.raises(AssertionError, match="unrecognized arguments"), own(flag):
        pass


@pytest.mark.parametrize(
    "flag",
    [
        "--resource_estimator=x",
        "--qos_controller=x",
        "--resource_provider_config_dir=/tmp",
        "--secret_resolver=x",
    ],
)
def test_an_agent_says_which_flags_it_does_not_know(cluster, flag):
    with pytest.raises(AssertionError, match="unrecognized arguments"):
        cluster.add(flag)
    cluster.agents = [one for one in cluster.agents if one.url]
