"""Executors that a framework brings along, and their API (mesos.md, 1.3 and 2.7)."""

import base64
import json
from urllib.parse import urlencode

import pytest

from support.mesos_clusters import own, until
from support.mesos_contract import amounts, name_of, request, task
from support.mesos_executors import executor

KEPT = {"checkpoint": True, "failover_timeout": 600.0}


def with_executor(*words, name="own", **fields):
    return task("t", None, executor=executor(name, *words), **fields)


def started(mesos, *words, name="own", count=1):
    """Launch tasks of a custom executor, and return their ids once they run."""
    made = [with_executor(*words, name=name) for _ in range(count)]
    mesos.launch(*made, offer=mesos.offer(0.1 * count + 0.1))
    for one in made:
        mesos.status(name_of(one), "TASK_RUNNING")
    return [name_of(one) for one in made]


def tell(mesos, text, name="own"):
    body = {
        "agent_id": {"value": mesos.target.agent_id},
        "executor_id": {"value": name},
        "data": base64.b64encode(text).decode(),
    }
    assert mesos.call("MESSAGE", message=body).status == 202


def heard(mesos):
    found = [one["message"] for one in mesos.heard if one["type"] == "MESSAGE"]
    return [base64.b64decode(one["data"]) for one in found]


def noted(mesos, kind, name="own"):
    """Wait until an executor has noted events of a kind, and return them."""
    path = f"/frameworks/{mesos.id}/executors/{name}/runs/latest/events"
    query = urlencode({"path": path, "offset": 0, "length": 65000})

    def found():
        answer = request(mesos.target.agent, "GET", f"/files/read?{query}")
        if answer.status != 200:
            return []
        lines = answer.json()["data"].split("\n")[:-1]
        return [one for one in map(json.loads, lines) if one["type"] == kind]

    return until(found)


# its stream


def test_an_executor_is_told_who_it_is(target):
    with target.framework(name="custom") as mesos:
        started(mesos)
        [stream] = noted(mesos, "STREAM")
        assert stream["status"] == 200
        assert stream["headers"]["content-type"] == "application/json"
        assert stream["headers"]["transfer-encoding"] == "chunked"
        [subscribed] = noted(mesos, "SUBSCRIBED")
        body = subscribed["subscribed"]
        assert body["executor_info"]["executor_id"] == {"value": "own"}
        assert body["framework_info"]["id"] == {"value": mesos.id}
        assert body["framework_info"]["name"] == "custom"
        assert body["agent_info"]["id"] == {"value": target.agent_id}
        assert body["agent_info"]["hostname"]
        assert body["container_id"]["value"]
        [launched] = noted(mesos, "LAUNCH")
        assert launched["launch"]["task"]["executor"]["executor_id"] == {"value": "own"}


def test_what_an_executor_says_is_answered_with_202_and_its_updates_are_acknowledged(target):
    with target.framework() as mesos:
        [name] = started(mesos)
        [acknowledged] = noted(mesos, "ACKNOWLEDGED")
        assert acknowledged["acknowledged"]["task_id"] == {"value": name}
        [running] = [one for one in mesos.updates if one["state"] == "TASK_RUNNING"]
        assert acknowledged["acknowledged"]["uuid"] == running["uuid"]
        assert {one["status"] for one in noted(mesos, "ANSWER")} == {202}
        assert running["source"] == "SOURCE_EXECUTOR"
        assert running["executor_id"] == {"value": "own"}
        status = running["container_status"]
        assert status["container_id"]["value"]
        assert status["network_infos"][0]["ip_addresses"][0]["ip_address"]


def test_messages_go_both_ways_as_they_are(target):
    data = bytes(range(256))
    with target.framework() as mesos:
        started(mesos)
        tell(mesos, data)
        mesos.until(lambda: heard(mesos))
        assert heard(mesos) == [data]
        [event] = [one["message"] for one in mesos.heard if one["type"] == "MESSAGE"]
        assert event["agent_id"] == {"value": target.agent_id}
        assert event["executor_id"] == {"value": "own"}


def test_the_same_update_twice_is_told_once(target):
    with target.framework() as mesos:
        [name] = started(mesos)
        tell(mesos, b"twice " + name.encode())
        tell(mesos, f"end TASK_FINISHED {name}".encode())
        mesos.status(name, "TASK_FINISHED")
        told = [one for one in mesos.updates if one.get("message") == "twice"]
        assert len(told) == 1


def test_data_of_an_update_reaches_the_scheduler_and_is_not_kept(target):
    with target.framework() as mesos:
        [name] = started(mesos)
        mesos.acknowledges = False
        tell(mesos, f"end TASK_FINISHED {name}".encode())
        ended = mesos.status(name, "TASK_FINISHED")
        assert base64.b64decode(ended["data"]) == b"\0\xff"
        mesos.call("RECONCILE", reconcile={"tasks": []})
        mesos.until(lambda: mesos.updates[-1].get("reason") == "REASON_RECONCILIATION")
        assert "data" not in mesos.updates[-1]


UUID = "RRRRRRRRRRRRRRRRRRRRRQ=="
BAD = {
    "no uuid": {"uuid": None},
    "a short uuid": {"uuid": "AAAA"},
    "no uuid at all": {"uuid": "AAAAAAAAAAAAAAAAAAAAAA=="},
    "another source": {"source": "SOURCE_MASTER"},
    "no source": {"source": None},
    "staging": {"state": "TASK_STAGING"},
    "another executor": {"executor_id": {"value": "other"}},
}


def test_an_update_that_is_not_right_is_400_and_goes_nowhere(target):
    with target.framework() as mesos:
        [name] = started(mesos)
        count = len(mesos.updates)
        right = {"task_id": {"value": name}, "state": "TASK_RUNNING", "source": "SOURCE_EXECUTOR"}
        for what, fields in BAD.items():
            status = {**right, "uuid": UUID, **fields}
            status = {key: value for key, value in status.items() if value is not None}
            before = len(heard(mesos))
            tell(mesos, b"bad " + json.dumps(status).encode())
            mesos.until(lambda before=before: len(heard(mesos)) > before)
            assert heard(mesos)[-1] == b"400", what
        assert len(mesos.updates) == count


def test_a_kill_is_the_executors_to_carry_out(target):
    with target.framework() as mesos:
        first, second = started(mesos, count=2)
        mesos.call("KILL", kill={"task_id": {"value": first}})
        killed = mesos.status(first, "TASK_KILLED")
        assert killed["source"] == "SOURCE_EXECUTOR"
        assert noted(mesos, "KILL")[0]["kill"]["task_id"] == {"value": first}
        assert mesos.states(second)[-1] == "TASK_RUNNING"


# its resources, its end


def test_an_executors_resources_are_charged_once(target):
    with target.framework() as mesos:
        started(mesos, count=2)
        [shown] = target.get(f"/frameworks?framework_id={mesos.id}").json()["frameworks"]
        assert shown["used_resources"]["cpus"] == pytest.approx(0.3)
        assert shown["used_resources"]["mem"] == 96
        started(mesos)
        [shown] = target.get(f"/frameworks?framework_id={mesos.id}").json()["frameworks"]
        assert shown["used_resources"]["cpus"] == pytest.approx(0.4)


def test_an_executor_that_was_told_to_end_is_given_its_own_grace_and_then_killed(target):
    with target.framework() as mesos:
        made = with_executor("stubborn")
        made["executor"]["shutdown_grace_period"] = {"nanoseconds": 10**8}
        mesos.launch(made, offer=mesos.offer(0.2))
        mesos.status(name_of(made), "TASK_RUNNING")
        body = {"executor_id": {"value": "own"}, "agent_id": {"value": target.agent_id}}
        mesos.call("SHUTDOWN", shutdown=body)
        mesos.until(lambda: any(one["type"] == "FAILURE" for one in mesos.heard))
        [failure] = [one["failure"] for one in mesos.heard if one["type"] == "FAILURE"]
        assert failure["status"] == 9
        mesos.status(name_of(made), "TASK_FAILED", "TASK_KILLED")


def test_an_executor_may_have_a_group_as_well(target):
    with target.framework() as mesos:
        offer = mesos.offer(0.5)
        own_one = executor("own", type="CUSTOM", framework_id={"value": mesos.id})
        own_one["resources"] = amounts(cpus=0.1, mem=32, disk=1)
        tasks = [{**task("g", None), "agent_id": offer["agent_id"]} for _ in range(2)]
        group = {"executor": own_one, "task_group": {"tasks": tasks}}
        mesos.accept([offer], {"type": "LAUNCH_GROUP", "launch_group": group})
        for one in tasks:
            mesos.status(name_of(one), "TASK_RUNNING")
        [event] = noted(mesos, "LAUNCH_GROUP")
        told = event["launch_group"]["task_group"]["tasks"]
        assert [one["task_id"] for one in told] == [one["task_id"] for one in tasks]


# an agent that restarts, an executor that never comes


def test_an_executor_that_does_not_subscribe_in_time_is_killed():
    with own() as cluster:
        cluster.add("--executor_registration_timeout=1secs")
        with cluster.target.framework() as mesos:
            made = with_executor("silent")
            mesos.launch(made, offer=mesos.offer(0.2))
            failed = mesos.status(name_of(made), "TASK_FAILED")
            assert failed["reason"] == "REASON_EXECUTOR_REGISTRATION_TIMEOUT"
            assert failed["source"] == "SOURCE_AGENT"


def test_an_executor_that_does_not_come_back_to_a_restarted_agent_is_killed():
    with own() as cluster:
        agent = cluster.add("--executor_reregistration_timeout=1secs")
        with cluster.target.framework(**KEPT) as mesos:
            [name] = started(mesos, "stays")
            agent.kill()
            agent.start()
            failed = mesos.status(name, "TASK_FAILED", "TASK_LOST", "TASK_GONE")
            assert failed["reason"] == "REASON_EXECUTOR_REREGISTRATION_TIMEOUT"


def test_an_executor_of_an_unknown_framework_is_400_and_one_that_has_not_subscribed_403(target):
    with target.framework() as mesos:
        made = with_executor("silent")
        mesos.launch(made, offer=mesos.offer(0.2))
        noted(mesos, "ENVIRONMENT")
        status = {
            "task_id": {"value": name_of(made)},
            "state": "TASK_RUNNING",
            "source": "SOURCE_EXECUTOR",
            "uuid": UUID,
        }
        call = {
            "type": "UPDATE",
            "framework_id": {"value": mesos.id},
            "executor_id": {"value": "own"},
            "update": {"status": status},
        }
        assert request(target.agent, "POST", "/api/v1/executor", call).status == 403
        call["framework_id"] = {"value": "nobody"}
        assert request(target.agent, "POST", "/api/v1/executor", call).status == 400


def test_an_executor_may_use_a_socket_of_the_file_system(tmp_path):
    socket = tmp_path / "agent.sock"
    with own() as cluster:
        cluster.add("--http_executor_domain_sockets", f"--domain_socket_location={socket}")
        with cluster.target.framework() as mesos:
            started(mesos, "unix")
            [environment] = noted(mesos, "ENVIRONMENT")
            assert environment["variables"]["MESOS_DOMAIN_SOCKET"] == str(socket)
            tell(mesos, b"hello")
            mesos.until(lambda: heard(mesos))
            tell(mesos, b"forbidden /state")
            mesos.until(lambda: len(heard(mesos)) == 2)
            assert heard(mesos) == [b"hello", b"403"]
