"""The scheduler API over HTTP: codes, headers, subscriptions (mesos.md, section 4, 1 to 18)."""

import uuid

import pytest

from support.mesos_contract import JSON, SCHEDULER, Stream, request

PROTOBUF = "application/x-protobuf"
PREFIXED = "/master/api/v1/scheduler"


def subscribe(**info):
    given = {"user": "root", "name": "contract", **info}
    return {"type": "SUBSCRIBE", "subscribe": {"framework_info": given}}


def test_a_post_without_content_type_is_400(target):
    assert target.post(SCHEDULER, b"{}").status == 400


def test_a_body_of_another_type_is_415(target):
    assert target.post(SCHEDULER, b"{}", {"Content-Type": "text/plain"}).status == 415


@pytest.mark.parametrize("kind", [JSON, PROTOBUF])
def test_a_truncated_body_is_400(target, kind):
    body = b'{"type":"SUBSCR' if kind == JSON else b"\x0a\xff"
    assert target.post(SCHEDULER, body, {"Content-Type": kind}).status == 400


@pytest.mark.parametrize(
    "call",
    [
        {"type": "SUBSCRIBE"},
        {"type": "SUBSCRIBE", "subscribe": {}},
        {"type": "SUBSCRIBE", "subscribe": {"framework_info": {"name": "no user"}}},
        {"type": "TEARDOWN"},
    ],
)
def test_a_call_without_a_required_field_is_400(target, call):
    assert target.post(SCHEDULER, call).status == 400


def test_other_methods_are_405_and_say_which_is_right(target):
    for method in ("GET", "PUT", "DELETE"):
        answer = request(target.master, method, SCHEDULER)
        assert answer.status == 405
        assert "POST" in answer.headers["allow"]


@pytest.mark.parametrize(
    ("accept", "kind"),
    [
        (None, JSON),
        ("*/*", JSON),
        (JSON, JSON),
        ("application/x-protobuf", "application/x-protobuf"),
    ],
)
def test_the_stream_is_of_the_type_that_is_accepted(target, accept, kind):
    headers = {} if accept is None else {"Accept": accept}
    stream = Stream(target.master, SCHEDULER, subscribe(), headers, reads=False)
    assert stream.status == 200
    assert stream.headers["content-type"] == kind
    assert stream.headers["transfer-encoding"] == "chunked"
    stream.close()


def test_an_accept_that_cannot_be_served_is_406(target):
    assert target.post(SCHEDULER, subscribe(), {"Accept": "text/html"}).status == 406


def test_subscribe_with_a_stream_id_is_400(target):
    headers = {"Mesos-Stream-Id": str(uuid.uuid4())}
    assert target.post(SCHEDULER, subscribe(), headers).status == 400


def test_a_subscription_starts_with_subscribed_and_a_heartbeat(target):
    with target.framework() as mesos:
        assert str(uuid.UUID(mesos.stream_id)) == mesos.stream_id
        subscribed = mesos.heard[0]["subscribed"]
        assert subscribed["framework_id"]["value"]
        assert subscribed["heartbeat_interval_seconds"] == 15.0
        assert subscribed["master_info"]["id"]
        assert mesos.next()["type"] == "HEARTBEAT"


def test_the_second_stream_of_a_framework_wins(target):
    with target.framework(failover_timeout=600.0) as mesos:
        old, old_id = mesos.stream, mesos.stream_id
        mesos.subscribe()
        assert mesos.stream_id != old_id
        kinds = []
        while (event := old.next()) is not None:
            kinds.append(event)
        assert kinds[-1] == {"type": "ERROR", "error": {"message": "Framework failed over"}}
        old.close()
        call = {"type": "REVIVE", "framework_id": {"value": mesos.id}}
        assert target.post(SCHEDULER, call, {"Mesos-Stream-Id": old_id}).status == 400
        assert target.post(SCHEDULER, call).status == 400
        answer = target.post(SCHEDULER, call, {"Mesos-Stream-Id": mesos.stream_id})
        assert (answer.status, answer.body) == (202, b"")


@pytest.mark.parametrize(
    "info",
    [
        {"role": "/bad"},
        {"role": "-x"},
        {"role": "a b"},
        {"roles": ["a"]},
        {"role": "a", "capabilities": [{"type": "MULTI_ROLE"}]},
        {"roles": ["a", "a"], "capabilities": [{"type": "MULTI_ROLE"}]},
        {"failover_timeout": 1e300},
    ],
)
def test_a_framework_that_is_not_valid_gets_an_error_event(target, info):
    stream = Stream(target.master, SCHEDULER, subscribe(**info))
    assert stream.status == 200
    event = stream.next()
    assert event["type"] == "ERROR"
    assert event["error"]["message"]
    assert stream.next() is None
    stream.close()


def test_a_suppressed_role_that_is_not_its_own_is_an_error_event(target):
    body = subscribe(role="a")
    body["subscribe"]["suppressed_roles"] = ["b"]
    stream = Stream(target.master, SCHEDULER, body)
    assert stream.next()["type"] == "ERROR"
    stream.close()


@pytest.mark.parametrize("text", ["YWJj", "AAAAAAAAAAAAAAAAAAAAAA=="])
def test_an_acknowledgement_with_a_uuid_that_is_none_is_400(target, text):
    with target.framework() as mesos:
        body = {
            "agent_id": {"value": target.agent_id},
            "task_id": {"value": "t"},
            "uuid": text,
        }
        assert mesos.call("ACKNOWLEDGE", acknowledge=body).status == 400


def test_an_unknown_framework_is_400_and_one_that_is_away_403(target):
    call = {"type": "REVIVE", "framework_id": {"value": "nobody"}}
    assert target.post(SCHEDULER, call, {"Mesos-Stream-Id": str(uuid.uuid4())}).status == 400
    with target.framework(failover_timeout=600.0) as mesos:
        stream_id = mesos.stream_id
        mesos.stream.close()
        call["framework_id"]["value"] = mesos.id
        status = 202
        while status == 202:  # until the master has seen that the connection is closed
            status = target.post(SCHEDULER, call, {"Mesos-Stream-Id": stream_id}).status
        assert status == 403
        mesos.subscribe()


def test_two_ids_that_differ_are_400(target):
    call = {**subscribe(id={"value": "one"}), "framework_id": {"value": "other"}}
    assert target.post(SCHEDULER, call).status == 400


def test_the_path_with_the_masters_name_is_the_same(target):
    assert target.post(PREFIXED, b"{}").status == 400
    assert target.post(PREFIXED, b"{}", {"Content-Type": "text/plain"}).status == 415


def test_unknown_fields_and_strings_for_numbers_are_taken(target):
    info = {"failover_timeout": "600", "checkpoint": "true", "webui_url": "", "surprise": 1}
    with target.framework(**info) as mesos:
        [found] = [
            one for one in target.get("/frameworks").json()["frameworks"] if one["id"] == mesos.id
        ]
        assert (found["failover_timeout"], found["checkpoint"]) == (600.0, True)


def test_a_framework_may_bring_an_id_of_its_own(target):
    own = f"driver-{uuid.uuid4()}"
    with target.framework(subscribed=False) as mesos:
        mesos.id = own
        mesos.subscribe()
        assert mesos.id == own
