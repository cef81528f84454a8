"""Who may do what: credentials, principals, tokens and access control lists (mesos.md, 1.5)."""

import base64
import json

import pytest

from support.mesos_clusters import own, until
from support.mesos_contract import JSON, SCHEDULER, Stream, request
from support.mesos_executors import executor

V1 = "/api/v1"
FORM = {"Content-Type": "application/x-www-form-urlencoded"}


def basic(name, secret="secret"):
    login = base64.b64encode(f"{name}:{secret}".encode()).decode()
    return {"Authorization": f"Basic {login}"}


@pytest.fixture(scope="module")
def guarded(tmp_path_factory):
    """Give a cluster that asks everybody who they are."""
    directory = tmp_path_factory.mktemp("access")
    names = ("operator", "one", "two", "agent")
    known = [{"principal": name, "secret": "secret"} for name in names]
    credentials = directory / "credentials.json"
    credentials.write_text(json.dumps({"credentials": known}))
    own_one = directory / "agent.json"
    own_one.write_text(json.dumps({"principal": "agent", "secret": "secret"}))
    rules = {
        "teardown_frameworks": [
            {"principals": {"values": ["operator"]}, "framework_principals": {"type": "ANY"}},
            {"principals": {"type": "ANY"}, "framework_principals": {"type": "NONE"}},
        ],
        "register_frameworks": [
            {"principals": {"values": ["two"]}, "roles": {"values": ["secret"]}},
            {"principals": {"type": "ANY"}, "roles": {"values": ["*", "open"]}},
            {"principals": {"type": "ANY"}, "roles": {"type": "NONE"}},
        ],
        "view_frameworks": [
            {"principals": {"values": ["operator"]}, "users": {"type": "ANY"}},
            {"principals": {"type": "ANY"}, "users": {"type": "NONE"}},
        ],
        "update_weights": [
            {"principals": {"values": ["operator"]}, "roles": {"type": "ANY"}},
            {"principals": {"type": "ANY"}, "roles": {"type": "NONE"}},
        ],
        "get_endpoints": [
            {"principals": {"values": ["operator"]}, "paths": {"type": "ANY"}},
            {"principals": {"type": "ANY"}, "paths": {"type": "NONE"}},
        ],
        "reserve_resources": [
            {"principals": {"values": ["operator"]}, "roles": {"type": "ANY"}},
            {"principals": {"type": "ANY"}, "roles": {"type": "NONE"}},
        ],
    }
    lists = directory / "acls.json"
    lists.write_text(json.dumps(rules))
    with own(f"--credentials={credentials}", f"--acls={lists}") as cluster:
        cluster.guard = basic("operator")
        cluster.add(f"--credentials={credentials}", f"--credential={own_one}")
        yield cluster


def get(guarded, path, who=None, url=None):
    headers = {} if who is None else basic(who)
    return request(url or guarded.master.url, "GET", path, headers=headers)


def post(guarded, path, body, who=None, **headers):
    given = {**(basic(who) if who is not None else {}), **headers}
    return request(guarded.master.url, "POST", path, body, given)


def subscribe(guarded, who, **info):
    given = {"user": "root", "name": "contract", **info}
    body = {"type": "SUBSCRIBE", "subscribe": {"framework_info": given}}
    headers = {"Accept": JSON, **(basic(who) if who is not None else {})}
    return Stream(guarded.master.url, SCHEDULER, body, headers)


# who is who

REALMS = [
    ("master", "GET", "/state", "mesos-master-readonly"),
    ("master", "POST", "/api/v1", "mesos-master-readwrite"),
    ("master", "POST", "/api/v1/scheduler", "mesos-master-scheduler"),
    ("agent", "GET", "/state", "mesos-agent-readonly"),
    ("agent", "POST", "/api/v1", "mesos-agent-readwrite"),
    ("agent", "POST", "/api/v1/executor", "mesos-agent-executor"),
]


@pytest.mark.parametrize(("who", "method", "path", "realm"), REALMS)
def test_who_says_nothing_is_asked_and_told_by_which_realm(guarded, who, method, path, realm):
    url = guarded.master.url if who == "master" else guarded.agents[0].url
    body = {"type": "GET_HEALTH"} if method == "POST" else None
    answer = request(url, method, path, body)
    assert answer.status == 401
    assert realm in answer.headers["www-authenticate"]
    wrong = request(url, method, path, body, basic("operator", "wrong"))
    assert wrong.status == 401


def test_health_and_version_are_for_everybody(guarded):
    for url in (guarded.master.url, guarded.agents[0].url):
        for path in ("/health", "/version"):
            assert get(guarded, path, url=url).status == 200


def test_who_proves_who_it_is_gets_in(guarded):
    for url in (guarded.master.url, guarded.agents[0].url):
        assert get(guarded, "/state", "operator", url).status == 200


# principals of frameworks


def shown(guarded, name):
    frameworks = get(guarded, "/frameworks", "operator").json()["frameworks"]
    return [one.get("principal") for one in frameworks if one["name"] == name]


def test_a_framework_without_principal_gets_that_of_its_credentials(guarded):
    stream = subscribe(guarded, "one", name="nameless")
    assert stream.next()["type"] == "SUBSCRIBED"
    assert shown(guarded, "nameless") == ["one"]
    stream.close()


def test_a_framework_with_another_principal_is_refused(guarded):
    stream = subscribe(guarded, "one", principal="two")
    assert stream.status in (200, 400)
    if stream.status == 200:
        assert stream.next()["type"] == "ERROR"
    stream.close()


# access control lists


def test_a_role_that_is_not_for_everybody_is_an_error_event(guarded):
    stream = subscribe(guarded, "one", role="secret")
    assert stream.status == 200
    event = stream.next()
    assert event["type"] == "ERROR"
    assert "authorized" in event["error"]["message"].lower()
    stream.close()
    stream = subscribe(guarded, "two", role="secret")
    assert stream.next()["type"] == "SUBSCRIBED"
    stream.close()


def test_what_may_not_be_seen_is_left_out(guarded):
    stream = subscribe(guarded, "one", name="hidden")
    stream.next()
    assert shown(guarded, "hidden") == ["one"]
    assert get(guarded, "/frameworks", "two").json()["frameworks"] == []
    assert get(guarded, "/state", "two").json()["frameworks"] == []
    call = {"type": "GET_FRAMEWORKS"}
    found = post(guarded, V1, call, "two").json()["get_frameworks"]
    assert found.get("frameworks", []) == []
    stream.close()


def test_what_may_not_be_done_is_403(guarded):
    stream = subscribe(guarded, "one", name="torn", failover_timeout=600.0)
    framework_id = stream.next()["subscribed"]["framework_id"]["value"]
    body = f"frameworkId={framework_id}".encode()
    assert post(guarded, "/teardown", body, None, **FORM).status == 401
    assert post(guarded, "/teardown", body, "two", **FORM).status == 403
    weights = {"type": "UPDATE_WEIGHTS", "update_weights": {"weight_infos": []}}
    weights["update_weights"]["weight_infos"] = [{"role": "w", "weight": 2.0}]
    assert post(guarded, V1, weights, "two").status == 403
    assert post(guarded, V1, weights, "operator").status == 200
    agent_id = {"value": guarded.id_of(guarded.agents[0])}
    resource = {
        "name": "cpus",
        "type": "SCALAR",
        "scalar": {"value": 0.1},
        "role": "open",
        "reservation": {"principal": "two"},
    }
    reserve = {"agent_id": agent_id, "resources": [resource]}
    call = {"type": "RESERVE_RESOURCES", "reserve_resources": reserve}
    assert post(guarded, V1, call, "two").status == 403
    assert post(guarded, "/teardown", body, "operator", **FORM).status == 200
    stream.close()


def test_some_endpoints_are_for_some(guarded):
    assert get(guarded, "/logging/toggle?level=1&duration=1secs", "two").status == 403


# tokens of executors


def test_an_executor_proves_itself_by_a_token_of_its_own(guarded):
    stream = subscribe(guarded, "one", name="tokens")
    subscribed = stream.next()["subscribed"]
    framework_id = subscribed["framework_id"]
    headers = {**basic("one"), "Mesos-Stream-Id": stream.headers["mesos-stream-id"]}

    def call(kind, **body):
        body = {"type": kind, "framework_id": framework_id, **body}
        assert request(guarded.master.url, "POST", SCHEDULER, body, headers).status == 202

    while (event := stream.next())["type"] != "OFFERS":
        pass
    [offer] = event["offers"]["offers"]
    made = {
        "name": "t",
        "task_id": {"value": "t"},
        "agent_id": offer["agent_id"],
        "executor": executor(),
        "resources": [
            {"name": "cpus", "type": "SCALAR", "scalar": {"value": 0.1}},
            {"name": "mem", "type": "SCALAR", "scalar": {"value": 32.0}},
        ],
    }
    launch = {"type": "LAUNCH", "launch": {"task_infos": [made]}}
    call("ACCEPT", accept={"offer_ids": [offer["id"]], "operations": [launch]})
    while (event := stream.next())["type"] != "UPDATE":
        pass
    assert event["update"]["status"]["state"] == "TASK_RUNNING"
    call("TEARDOWN")
    stream.close()
    until(lambda: shown(guarded, "tokens") == [])
