"""Who gets what: shares, weights, guarantees, hidden agents (mesos.md, 1.2 and 1.1)."""

import json
import time

import pytest

from support.mesos_clusters import own, until
from support.mesos_contract import amounts, name_of, scalar, task

SMALL = "cpus:1;mem:512;disk:64;ports:[31000-31009]"
LONG_S = 3600.0


def capable(*kinds):
    return {"capabilities": [{"type": kind} for kind in kinds]}


def domain(region, zone="z"):
    fault = {"region": {"name": region}, "zone": {"name": zone}}
    return "--domain=" + json.dumps({"fault_domain": fault})


def operate(target, kind, **body):
    return target.post("/api/v1", {"type": kind, kind.lower(): body}).status


def guarantee(role, **scalars):
    values = {name: {"value": value} for name, value in scalars.items()}
    return {"role": role, "guarantees": values, "limits": values}


def rounds(cluster, count=3):
    """Let some rounds of offers pass, seen by a framework that declines all it gets."""
    with cluster.target.framework(role="contract-watcher") as watcher:
        for _ in range(count):
            watcher.until(lambda: watcher.offers)
            watcher.decline(*watcher.offers)
            watcher.offers.clear()


def held(mesos):
    """Return the cpus that a framework has in offers; what came is read first."""
    end = f"end-{time.monotonic_ns()}"
    mesos.call("RECONCILE", reconcile={"tasks": [{"task_id": {"value": end}}]})
    mesos.until(lambda: mesos.states(end))
    return sum(scalar(one["resources"], "cpus") for one in mesos.offers)


@pytest.fixture
def three():
    """Give three small agents, all of them active."""
    with own() as made:
        for _ in range(3):
            made.add(resources=SMALL)
        for one in made.agents:
            made.id_of(one)
        yield made


# shares: the frameworks are there first, and agents come one by one


def come(cluster, *mesos, resources):
    """Start agents, each as soon as the one before is offered."""
    for each in resources:
        before = sum(map(held, mesos))
        cluster.add(resources=each)
        until(lambda before=before: sum(map(held, mesos)) > before)


@pytest.fixture
def empty():
    """Give a cluster that has no agents yet."""
    with own() as made:
        yield made


def test_the_role_with_the_lowest_share_is_next(empty):
    target = empty.bare
    with target.framework(role="one") as one, target.framework(role="other") as other:
        come(empty, one, other, resources=[SMALL] * 4)
        assert (held(one), held(other)) == (2, 2)


def test_of_one_roles_frameworks_the_one_with_the_lowest_share_is_next(empty):
    target = empty.bare
    with target.framework(role="a") as one, target.framework(role="a") as other:
        come(empty, one, other, resources=[SMALL] * 2)
        assert (held(one), held(other)) == (1, 1)


def test_a_weight_is_worth_as_many_shares(empty):
    target = empty.bare
    assert operate(target, "UPDATE_WEIGHTS", weight_infos=[{"role": "heavy", "weight": 2.0}]) == 200
    with target.framework(role="heavy") as heavy, target.framework(role="light") as light:
        come(empty, heavy, light, resources=[SMALL] * 3)
        assert (held(heavy), held(light)) == (2, 1)


def test_what_child_roles_have_counts_for_their_parents(empty):
    target = empty.bare
    with (
        target.framework(role="eng/a") as one,
        target.framework(role="eng/b") as sibling,
        target.framework(role="ops") as other,
    ):
        come(empty, one, sibling, other, resources=[SMALL] * 4)
        assert (held(one), held(sibling), held(other)) == (1, 1, 2)
        shown = {one["name"]: one for one in target.get("/roles").json()["roles"]}
        assert shown["eng"]["resources"]["cpus"] == 2


def test_names_can_be_left_out_of_shares():
    agents = ["cpus:8;mem:64;disk:64", "cpus:0.1;mem:1024;disk:64", "cpus:0.1;mem:1024;disk:64"]
    with own("--fair_sharing_excluded_resource_names=cpus,disk") as cluster:
        target = cluster.bare
        with target.framework(role="a") as one, target.framework(role="b") as other:
            come(cluster, one, other, resources=agents)
            # By cpus the first agent's holder has far more, but only memory counts.
            assert sorted([len(one.offers), len(other.offers)]) == [1, 2]
            assert max(held(one), held(other)) == pytest.approx(8.1)


# quota


def test_guarantees_come_first_and_are_kept_free(three):
    target = three.target
    wanted = guarantee("ensured", cpus=2.0, mem=1024.0)
    assert operate(target, "UPDATE_QUOTA", quota_configs=[wanted]) == 200
    with target.framework(role="greedy") as greedy:
        # Two of three agents are kept for whom they are guaranteed to.
        until(lambda: held(greedy) == 1)
        with target.framework(role="ensured") as ensured:
            until(lambda: held(ensured) >= 2)
            assert held(greedy) <= 1


def test_after_a_failover_with_quotas_offers_wait_for_most_of_the_agents(three):
    target = three.target
    assert operate(target, "UPDATE_QUOTA", quota_configs=[guarantee("q", cpus=1.0)]) == 200
    for one in three.agents[1:]:
        one.kill()
    three.master.kill()
    three.master.start()
    three.id_of(three.agents[0])
    with target.framework(role="other") as mesos:
        mesos.call("REVIVE")
        # A heartbeat later there is still no offer: one of three agents is too few.
        seen = len(mesos.heard)
        mesos.until(lambda: any(one["type"] == "HEARTBEAT" for one in mesos.heard[seen + 1 :]))
        assert not mesos.offers
        for one in three.agents[1:]:
            one.start()
        mesos.until(lambda: mesos.offers)


# reservations that operators make at an agent's start


def test_what_an_agent_reserves_is_for_that_role_and_below_and_stays():
    with own() as cluster:
        cluster.add(resources="cpus(ads):2;mem(ads):512;cpus:1;mem:512;disk:64")
        target = cluster.target
        with target.framework(role="other") as mesos:
            mesos.until(lambda: mesos.offers)
            assert scalar(mesos.offers[0]["resources"], "cpus") == 1
        for role in ("ads", "ads/web"):
            with target.framework(role=role, principal="p") as mesos:
                mesos.until(lambda: held(mesos) == 3)
                [offer] = mesos.offers
                own_cpus = [one for one in offer["resources"] if one.get("role") == "ads"]
                assert not any("reservation" in one for one in own_cpus)
                mesos.decline(offer)
        agent = {"value": target.agent_id}
        static = [{**one, "role": "ads"} for one in amounts(cpus=2)]
        assert operate(target, "UNRESERVE_RESOURCES", agent_id=agent, resources=static) == 400


# agents that not everybody sees


def test_agents_with_gpus_are_for_those_who_can_use_them():
    with own() as cluster:
        cluster.add(resources="cpus:1;mem:512;gpus:1")
        cluster.add(resources=SMALL)
        for one in cluster.agents:
            cluster.id_of(one)
        target = cluster.target
        with target.framework() as plain:
            until(lambda: held(plain) == 1)
            assert plain.offers[0]["agent_id"]["value"] != target.agent_id
        with target.framework(**capable("GPU_RESOURCES")) as capable_one:
            until(lambda: held(capable_one) == 2)


def test_gpus_are_for_everybody_if_the_master_says_so():
    with own("--no-filter_gpu_resources") as cluster:
        cluster.add(resources="cpus:1;mem:512;gpus:1")
        with cluster.target.framework() as mesos:
            mesos.until(lambda: mesos.offers)


def test_agents_of_other_regions_are_for_those_who_know_regions():
    with own(domain("here")) as cluster:
        cluster.add(domain("far"), resources=SMALL)
        cluster.add(domain("here", "other"), resources=SMALL)
        for one in cluster.agents:
            cluster.id_of(one)
        target = cluster.target
        with target.framework() as plain:
            until(lambda: held(plain) == 1)
            assert plain.offers[0]["domain"]["fault_domain"]["region"]["name"] == "here"
        with target.framework(**capable("REGION_AWARE")) as aware:
            until(lambda: held(aware) == 2)


def test_a_master_without_domain_refuses_agents_that_have_one():
    with own() as cluster:
        cluster.add(resources=SMALL)
        cluster.id_of(cluster.agents[0])
        agent = cluster.add(domain("far"), resources=SMALL)
        until(lambda: agent.child.poll() is not None or "domain" in agent.log.read_text())
        assert len(cluster.shown()) == 1


# offers that end


def test_offers_time_out_and_used_ones_do_not():
    with own("--offer_timeout=1secs") as cluster:
        cluster.add()
        with cluster.target.framework() as mesos:
            offer = mesos.offer()
            mesos.launch(made := task("t"), offer=offer)
            mesos.until(lambda: any(one["type"] == "RESCIND" for one in mesos.heard))
            rescinded = [
                one["rescind"]["offer_id"] for one in mesos.heard if one["type"] == "RESCIND"
            ]
            assert offer["id"] not in rescinded
            mesos.status(name_of(made), "TASK_RUNNING")
            mesos.offer()


def test_too_little_is_not_offered():
    with own("--min_allocatable_resources=cpus:2") as cluster:
        cluster.add(resources="cpus:1;mem:4096")
        cluster.id_of(cluster.agents[0])
        with cluster.target.framework() as mesos:
            mesos.call("REVIVE")
            mesos.until(lambda: len([1 for one in mesos.heard if one["type"] == "HEARTBEAT"]) > 1)
            assert not mesos.offers
            cluster.add(resources="cpus:2;mem:64")
            mesos.until(lambda: mesos.offers)


def test_a_short_refusal_lasts_until_the_next_round_at_least():
    with own("--allocation_interval=3secs") as cluster:
        cluster.add()
        with cluster.target.framework() as mesos:
            offer, at = mesos.offer(), time.monotonic()
            mesos.decline(offer, refuse_s=0.1)
            mesos.offer()
            # The filter began just before `at` at the earliest, and lasts 3 seconds.
            assert time.monotonic() - at > 2.9


def test_another_attribute_clears_filters():
    with own() as cluster:
        agent = cluster.add("--attributes=rack:a")
        with cluster.target.framework() as mesos:
            mesos.decline(mesos.offer(), refuse_s=LONG_S)
            agent.kill()
            agent.arguments[-1] = "--attributes=rack:b"
            agent.start()
            [rack] = [one for one in mesos.offer()["attributes"] if one["name"] == "rack"]
            assert rack["text"]["value"] == "b"
