"""The scheduler's calls, one by one, beyond the codes (mesos.md, 1.1)."""

import time
import uuid

import pytest

from support.mesos_contract import SCHEDULER, Stream, amounts, name_of, request, scalar, task

MULTI = {"capabilities": [{"type": "MULTI_ROLE"}]}
LONG_S = 3600.0


def told(mesos, kind):
    return [one for one in mesos.heard if one["type"] == kind]


def states_of_operations(mesos):
    events = told(mesos, "UPDATE_OPERATION_STATUS")
    return {
        one["update_operation_status"]["status"]["operation_id"]["value"]: one[
            "update_operation_status"
        ]["status"]["state"]
        for one in events
    }


def reconciled(mesos, *names):
    """Ask about some tasks, or about all, and return what is answered until the answers end."""
    before = len(mesos.updates)
    asked = [{"task_id": {"value": name}} for name in names]
    mesos.call("RECONCILE", reconcile={"tasks": asked})
    # An unknown task is always answered: what was asked before it has been by then.
    end = f"end-{uuid.uuid4().hex[:8]}"
    mesos.call("RECONCILE", reconcile={"tasks": [{"task_id": {"value": end}}]})
    mesos.until(lambda: mesos.states(end))
    return [one for one in mesos.updates[before:] if one["task_id"]["value"] != end]


# subscribing


def test_heartbeats_go_on_for_schedulers_and_for_operators(target):
    watching = Stream(target.master, "/api/v1", {"type": "SUBSCRIBE"})
    with target.framework() as mesos:
        mesos.call("SUPPRESS")
        mesos.until(lambda: len(told(mesos, "HEARTBEAT")) == 2)
    beats = 0
    while beats < 2:
        beats += watching.next()["type"] == "HEARTBEAT"
    watching.close()


def test_offers_of_the_old_stream_are_void_and_nobody_says_so(target):
    with target.framework(failover_timeout=600.0) as mesos:
        offer, old = mesos.offer(), mesos.stream
        mesos.subscribe()
        kinds = []
        while (event := old.next()) is not None:
            kinds.append(event["type"])
        assert "RESCIND" not in kinds
        old.close()
        mesos.launch(made := task("t"), offer=offer)
        lost = mesos.status(name_of(made), "TASK_LOST")
        assert lost["reason"] == "REASON_INVALID_OFFERS"
        assert not told(mesos, "RESCIND")


def test_a_user_and_checkpointing_stay_whatever_a_later_subscription_says(target):
    with target.framework(failover_timeout=600.0, checkpoint=True) as mesos:
        user, old = mesos.info["user"], mesos.stream
        mesos.info = {**mesos.info, "user": "somebody-else", "checkpoint": False}
        mesos.subscribe()
        old.close()
        shown = target.get(f"/frameworks?framework_id={mesos.id}").json()["frameworks"]
        assert [(one["user"], one["checkpoint"]) for one in shown] == [(user, True)]


def test_a_framework_without_roles_gets_no_offers(target):
    with target.framework(roles=[], **MULTI) as idle, target.framework() as busy:
        for _ in range(3):
            busy.decline(busy.offer())
        assert idle.call("REVIVE").status == 202
        busy.decline(busy.offer())
        idle.call("RECONCILE", reconcile={"tasks": [{"task_id": {"value": "nobody"}}]})
        idle.until(lambda: idle.updates)
        assert not told(idle, "OFFERS")


# ACCEPT


def test_what_an_accept_leaves_is_declined_with_its_filter(target):
    with target.framework() as mesos:
        offer = mesos.offer()
        made = {**task("t"), "agent_id": offer["agent_id"]}
        mesos.accept([offer], {"type": "LAUNCH", "launch": {"task_infos": [made]}}, refuse_s=LONG_S)
        mesos.status(name_of(made), "TASK_RUNNING")
        with target.framework() as other:  # the rest is free: others get it
            other.offer()
            assert not mesos.offers
        mesos.call("REVIVE")
        mesos.offer()


def test_operations_run_in_order_on_what_the_ones_before_left(target):
    with target.framework() as mesos:
        offer = mesos.offer()
        whole = [one for one in offer["resources"] if one["name"] in ("cpus", "mem")]
        first, second = task("all", resources=whole), task("none")
        tasks = [{**one, "agent_id": offer["agent_id"]} for one in (first, second)]
        mesos.accept(
            [offer], *({"type": "LAUNCH", "launch": {"task_infos": [one]}} for one in tasks)
        )
        error = mesos.status(name_of(second), "TASK_ERROR")
        assert error["reason"] == "REASON_TASK_INVALID"
        mesos.status(name_of(first), "TASK_RUNNING")


def test_a_bad_offer_spoils_the_good_ones_beside_it_and_every_operation(target):
    with target.framework(role="contract-void", principal="contract") as mesos:
        good, name = mesos.offer(), str(uuid.uuid4())
        bad = {"id": {"value": "nobody"}}
        made = {**task("t"), "agent_id": good["agent_id"]}
        wanted = [
            {**one, "role": "contract-void", "reservation": {"principal": "contract"}}
            for one in amounts(cpus=0.1)
        ]
        mesos.accept(
            [good, bad],
            {"type": "RESERVE", "reserve": {"resources": wanted}, "id": {"value": name}},
            {"type": "LAUNCH", "launch": {"task_infos": [made]}},
        )
        assert mesos.status(name_of(made), "TASK_LOST")["reason"] == "REASON_INVALID_OFFERS"
        mesos.until(lambda: name in states_of_operations(mesos))
        assert states_of_operations(mesos)[name] == "OPERATION_ERROR"
        # The good one is gone as well, and what it held is offered again.
        mesos.launch(again := task("u"), offer=good)
        mesos.status(name_of(again), "TASK_LOST")
        mesos.offer()


def test_an_accept_without_operations_declines(target):
    with target.framework() as mesos:
        offer = mesos.offer()
        mesos.accept([offer])
        assert mesos.offer()["id"] != offer["id"]


# REVIVE and SUPPRESS


def test_one_role_that_is_not_its_own_drops_the_whole_suppress(target):
    with target.framework(roles=["a"], **MULTI) as mesos:
        assert mesos.call("SUPPRESS", suppress={"roles": ["a", "other"]}).status == 202
        for _ in range(3):
            mesos.decline(mesos.offer())


def test_one_role_that_is_not_its_own_drops_the_whole_revive(target):
    with target.framework(subscribed=False, roles=["a"], **MULTI) as mesos:
        mesos.subscribe(suppressed_roles=["a"])
        assert mesos.call("REVIVE", revive={"roles": ["a", "other"]}).status == 202
        with target.framework() as busy:
            for _ in range(3):
                busy.decline(busy.offer())
        reconciled(mesos)
        assert not mesos.offers


# filters


@pytest.mark.parametrize("filters", [None, {}, {"refuse_seconds": -1.0}])
def test_an_offer_that_is_declined_without_saying_how_long_comes_back_in_five_seconds(
    target, filters
):
    with target.framework() as mesos:
        offer, at = mesos.offer(), time.monotonic()
        body = {"offer_ids": [offer["id"]]}
        if filters is not None:
            body["filters"] = filters
        assert mesos.call("DECLINE", decline=body).status == 202
        mesos.offer()
        assert time.monotonic() - at > 4


def test_filters_end_with_the_stream(target):
    with target.framework(failover_timeout=600.0) as mesos:
        mesos.decline(mesos.offer(), refuse_s=LONG_S)
        mesos.stream.close()
        disconnected(target, mesos)
        mesos.subscribe()
        mesos.offer()


def disconnected(target, mesos):
    """Wait until the master has seen that a framework's stream is closed."""
    while True:
        shown = target.get(f"/frameworks?framework_id={mesos.id}").json()["frameworks"]
        if [one["connected"] for one in shown] == [False]:
            return


def test_a_framework_that_is_away_is_shown_and_holds_no_offers(target):
    with target.framework(failover_timeout=600.0) as mesos:
        mesos.offer()
        mesos.stream.close()
        disconnected(target, mesos)
        [shown] = target.get(f"/frameworks?framework_id={mesos.id}").json()["frameworks"]
        assert (shown["active"], shown["offers"]) == (False, [])
        with target.framework() as other:
            other.offer()
        mesos.subscribe()


def test_an_offer_names_the_executors_that_the_framework_has_there(target):
    with target.framework() as mesos:
        offer = mesos.offer()
        assert "executor_ids" not in offer
        executor = {
            "executor_id": {"value": "own"},
            "command": {"value": "sleep 600"},
            "resources": amounts(cpus=0.1, mem=32),
        }
        mesos.launch(task("t", None, executor=executor), offer=offer)
        assert mesos.offer()["executor_ids"] == [{"value": "own"}]


# offer filters and constraints


def test_a_framework_may_ask_for_more_than_is_free(target):
    much = {"quantities": {"cpus": {"value": 1e6}}}
    filters = {"*": {"min_allocatable_resources": {"quantities": [much]}}}
    with target.framework(offer_filters=filters) as mesos, target.framework() as busy:
        for _ in range(3):
            busy.decline(busy.offer())
        mesos.call("RECONCILE", reconcile={"tasks": [{"task_id": {"value": "nobody"}}]})
        mesos.until(lambda: mesos.updates)
        assert not mesos.offers


def constraints(predicate):
    group = {"attribute_constraints": [predicate]}
    return {"role_constraints": {"*": {"groups": [group]}}}


HOST = {"pseudoattribute_type": "HOSTNAME"}
MATCHING = [
    {"selector": HOST, "predicate": {"exists": {}}},
    {"selector": HOST, "predicate": {"text_matches": {"regex": ".*"}}},
    {"selector": HOST, "predicate": {"text_not_equals": {"value": "nobody"}}},
    {"selector": {"attribute_name": "nobody"}, "predicate": {"not_exists": {}}},
]
OTHERS = [
    {"selector": HOST, "predicate": {"not_exists": {}}},
    {"selector": HOST, "predicate": {"text_equals": {"value": "nobody"}}},
    {"selector": HOST, "predicate": {"text_not_matches": {"regex": ".*"}}},
    {"selector": {"attribute_name": "nobody"}, "predicate": {"exists": {}}},
]


@pytest.mark.parametrize("one", MATCHING)
def test_agents_that_fit_a_frameworks_constraints_are_offered(target, one):
    with target.framework(subscribed=False) as mesos:
        mesos.subscribe(offer_constraints=constraints(one))
        mesos.offer()


def test_agents_that_do_not_fit_a_frameworks_constraints_are_not_offered(target):
    with target.framework(subscribed=False) as mesos, target.framework() as busy:
        mesos.subscribe(offer_constraints=constraints(OTHERS[0]))
        for other in [*OTHERS[1:], None]:
            for _ in range(2):
                busy.decline(busy.offer())
            update = {
                "framework_info": {**mesos.info, "id": {"value": mesos.id}},
                **({} if other is None else {"offer_constraints": constraints(other)}),
            }
            reconciled(mesos)
            assert not mesos.offers, other
            answer = mesos.call("UPDATE_FRAMEWORK", update_framework=update)
            assert answer.status == 200, answer.body
        mesos.offer()  # without constraints


# KILL, ACKNOWLEDGE, RECONCILE


def test_a_task_is_of_the_past_when_its_end_is_acknowledged(target):
    with target.framework() as mesos:
        mesos.acknowledges = False
        mesos.launch(made := task("t", "exit 0"))
        for state in ("TASK_STARTING", "TASK_RUNNING"):
            mesos.acknowledge(mesos.status(name_of(made), state))
        last = mesos.status(name_of(made), "TASK_FINISHED")
        assert lists_of(target, mesos) == {"tasks": [name_of(made)], "completed_tasks": []}
        # What it had is free as soon as it has ended.
        mesos.offer()
        [again] = reconciled(mesos)
        assert (again["state"], again["reason"]) == ("TASK_FINISHED", "REASON_RECONCILIATION")
        mesos.acknowledge(last)
        while lists_of(target, mesos)["tasks"]:
            pass
        assert lists_of(target, mesos)["completed_tasks"] == [name_of(made)]
        assert reconciled(mesos) == []


def lists_of(target, mesos):
    [shown] = target.get(f"/frameworks?framework_id={mesos.id}").json()["frameworks"]
    return {name: [one["id"] for one in shown[name]] for name in ("tasks", "completed_tasks")}


def test_tasks_of_a_framework_that_is_torn_down_are_killed_in_the_books(target):
    with target.framework() as mesos:
        mesos.launch(made := task("t"))
        mesos.status(name_of(made), "TASK_RUNNING")
        assert mesos.call("TEARDOWN").status == 202
        while mesos.next() is not None:
            pass
    tasks = target.post("/api/v1", {"type": "GET_TASKS"}).json()["get_tasks"]["completed_tasks"]
    [found] = [one for one in tasks if one["framework_id"]["value"] == mesos.id]
    assert found["state"] == "TASK_KILLED"
    assert found["statuses"][-1]["reason"] == "REASON_FRAMEWORK_REMOVED"


def test_operations_are_reconciled_by_id_and_all(target):
    with target.framework() as mesos:
        asked = [{"operation_id": {"value": "nobody"}, "agent_id": {"value": target.agent_id}}]
        answer = mesos.call("RECONCILE_OPERATIONS", reconcile_operations={"operations": asked})
        assert answer.status == 202
        mesos.until(lambda: states_of_operations(mesos))
        assert states_of_operations(mesos) == {"nobody": "OPERATION_UNKNOWN"}
        assert mesos.call("RECONCILE_OPERATIONS", reconcile_operations={}).status == 202


# UPDATE_FRAMEWORK


@pytest.mark.parametrize("change", [{"checkpoint": True}, {"principal": "another"}])
def test_what_cannot_be_changed_by_an_update(target, change):
    with target.framework(principal="one") as mesos:
        info = {**mesos.info, "id": {"value": mesos.id}, **change}
        assert mesos.call("UPDATE_FRAMEWORK", update_framework={"framework_info": info}).status in (
            400,
            409,
        )


def test_an_update_replaces_the_info_and_the_suppressed_roles(target):
    with target.framework(role="a") as mesos:
        info = {**mesos.info, "id": {"value": mesos.id}, "name": "renamed", "webui_url": "http://x"}
        body = {"framework_info": info, "suppressed_roles": ["a"]}
        answer = mesos.call("UPDATE_FRAMEWORK", update_framework=body)
        assert (answer.status, answer.body) == (200, b"")
        [shown] = target.get(f"/frameworks?framework_id={mesos.id}").json()["frameworks"]
        assert (shown["name"], shown["webui_url"]) == ("renamed", "http://x")
        mesos.call("REVIVE")
        mesos.offers.clear()
        mesos.offer()


def test_removing_a_role_leaves_its_tasks(target):
    with target.framework(roles=["a", "b"], **MULTI) as mesos:
        offer = mesos.offer()
        role = offer["allocation_info"]["role"]
        mesos.launch(made := task("t"), offer=offer)
        mesos.status(name_of(made), "TASK_RUNNING")
        kept = [one for one in ("a", "b") if one != role]
        info = {**mesos.info, "id": {"value": mesos.id}, "roles": kept}
        answer = mesos.call("UPDATE_FRAMEWORK", update_framework={"framework_info": info})
        assert answer.status == 200
        assert [one["state"] for one in reconciled(mesos, name_of(made))] == ["TASK_RUNNING"]


# codes


@pytest.mark.parametrize(
    ("kind", "status"), [("SURPRISE", (400, 501)), ("UNKNOWN", (501,)), (1, (400,))]
)
def test_a_call_of_no_known_type_is_refused(target, kind, status):
    with target.framework() as mesos:
        call = {"type": kind, "framework_id": {"value": mesos.id}}
        headers = {"Mesos-Stream-Id": mesos.stream_id}
        assert target.post(SCHEDULER, call, headers).status in status


def test_an_accept_that_cannot_be_served_is_no_matter_but_for_a_stream(target):
    with target.framework() as mesos:
        headers = {"Mesos-Stream-Id": mesos.stream_id, "Accept": "text/html"}
        call = {"type": "REVIVE", "framework_id": {"value": mesos.id}}
        assert target.post(SCHEDULER, call, headers).status == 202
        call = {
            "type": "RECONCILE_OPERATIONS",
            "framework_id": {"value": mesos.id},
            "reconcile_operations": {},
        }
        assert target.post(SCHEDULER, call, headers).status == 406


def test_an_unknown_path_is_404(target):
    for url in (target.master, target.agent):
        assert request(url, "GET", "/no-such-endpoint").status == 404


def test_mem_is_offered_in_megabytes(target):
    with target.framework() as mesos:
        offered = scalar(mesos.offer()["resources"], "mem")
    [shown] = [
        one for one in target.get("/slaves").json()["slaves"] if one["id"] == target.agent_id
    ]
    assert 0 < offered <= shown["resources"]["mem"]


# what is not there


def test_disks_of_storage_plugins_are_refused(target):
    if target.directory is None:
        pytest.skip("others may have it")
    with target.framework() as mesos:
        offer = mesos.offer()
        body = {"offer_ids": [offer["id"]], "operations": [{"type": "CREATE_DISK"}]}
        answer = mesos.call("ACCEPT", accept=body)
        assert answer.status == 501
        assert b"CREATE_DISK" in answer.body


REFERENCE = {"type": "REFERENCE", "reference": {"name": "x"}}
MISSING = {
    "a secret by reference": {
        "command": {
            "value": "true",
            "environment": {"variables": [{"name": "A", "type": "SECRET", "secret": REFERENCE}]},
        }
    },
    "a volume of a Docker driver": {
        "container": {
            "type": "MESOS",
            "volumes": [
                {
                    "container_path": "d",
                    "mode": "RW",
                    "source": {"type": "DOCKER_VOLUME", "docker_volume": {"name": "x"}},
                }
            ],
        }
    },
}


@pytest.mark.parametrize("fields", MISSING.values(), ids=list(MISSING))
def test_a_task_that_needs_what_is_not_there_fails_and_says_so(target, fields):
    if target.directory is None:
        pytest.skip("others may have it")
    with target.framework() as mesos:
        mesos.launch(made := task("t", **fields))
        failed = mesos.status(name_of(made), "TASK_ERROR", "TASK_FAILED")
        assert failed["message"]
