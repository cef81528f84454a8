"""Mesos's JSON, which is not protobuf's, and its HTTP (mesos.md, 2.1 to 2.3, 2.5, 2.7)."""

import gzip
import http.client
import json
import re
import uuid
from urllib.parse import quote, urlsplit

import pytest

from support.mesos_contract import JSON, SCHEDULER, Stream, amounts, name_of, request, scalar, task

V1 = "/api/v1"


def subscribe(**info):
    given = {"user": "root", "name": "contract", **info}
    return {"type": "SUBSCRIBE", "subscribe": {"framework_info": given}}


def shown(target, mesos):
    [found] = target.get(f"/frameworks?framework_id={mesos.id}").json()["frameworks"]
    return found


# what is read


def test_null_is_the_same_as_nothing(target):
    with target.framework(hostname=None, webui_url=None, labels=None) as mesos:
        assert shown(target, mesos)["webui_url"] == ""


def test_one_element_may_stand_for_a_list(target):
    with target.framework(roles="a", capabilities={"type": "MULTI_ROLE"}) as mesos:
        assert shown(target, mesos)["roles"] == ["a"]
        offer = mesos.offer()
        body = {"offer_ids": offer["id"], "filters": {"refuse_seconds": 0.0}}
        assert mesos.call("DECLINE", decline=body).status == 202
        mesos.offer()


def test_a_list_for_a_single_field_is_400(target):
    assert target.post(SCHEDULER, subscribe(user=["root"])).status == 400


def test_a_number_for_a_name_of_an_enumeration_is_400(target):
    assert target.post(SCHEDULER, subscribe(capabilities=[{"type": 7}])).status == 400


def test_an_unknown_name_of_an_optional_enumeration_is_passed_over(target):
    with target.framework(capabilities=[{"type": "SURPRISE"}, {"type": "GPU_RESOURCES"}]) as mesos:
        assert "GPU_RESOURCES" in shown(target, mesos)["capabilities"]


@pytest.mark.parametrize("name", ["missing", "null"])
def test_a_missing_field_is_named(target, name):
    info = {"name": "contract", **({} if name == "missing" else {"user": None})}
    answer = target.post(SCHEDULER, {"type": "SUBSCRIBE", "subscribe": {"framework_info": info}})
    assert answer.status == 400
    assert b"user" in answer.body


def test_base64_that_is_none_is_400(target):
    with target.framework() as mesos:
        body = {
            "agent_id": {"value": target.agent_id},
            "executor_id": {"value": "x"},
            "data": "%%%",
        }
        assert mesos.call("MESSAGE", message=body).status == 400


# what is written


def test_numbers_are_numbers_and_doubles_have_a_point(target):
    with target.framework(failover_timeout=60) as mesos:
        mesos.launch(made := task("t", resources=amounts(cpus=1, mem=32)))
        mesos.status(name_of(made), "TASK_RUNNING")
        for path in ("/state", "/frameworks", "/tasks"):
            text = target.get(path).body.decode()
            assert '"failover_timeout":60.0' in text or path == "/tasks"
            assert re.search(r'"cpus":1\.0[,}]', text)
        text = target.post(V1, {"type": "GET_AGENTS"}).body.decode()
        assert re.search(r'"registered_time":\{"nanoseconds":\d+\}', text)
        assert re.search(r'"cpus","type":"SCALAR","scalar":\{"value":\d+\.\d+\}', text)


def test_defaults_that_are_declared_are_written(target):
    with target.framework() as mesos:
        found = target.post(V1, {"type": "GET_FRAMEWORKS"}).json()["get_frameworks"]["frameworks"]
        [own] = [one for one in found if one["framework_info"]["id"]["value"] == mesos.id]
        assert own["framework_info"]["checkpoint"] is False
        assert own["framework_info"]["failover_timeout"] == 0.0


def test_empty_lists_are_left_out(target):
    with target.framework() as mesos:
        assert "executor_ids" not in mesos.offer()
        found = target.post(V1, {"type": "GET_FRAMEWORKS"}).json()["get_frameworks"]["frameworks"]
        [own] = [one for one in found if one["framework_info"]["id"]["value"] == mesos.id]
        assert not [name for name, value in own.items() if value == []]


def test_bytes_are_standard_base64(target):
    with target.framework() as mesos:
        mesos.launch(made := task("t", "exit 0", data="+/8="))
        mesos.status(name_of(made), "TASK_FINISHED")
        assert all(re.fullmatch(r"[A-Za-z0-9+/]{22}==", one["uuid"]) for one in mesos.updates)


def test_letters_beyond_ascii_survive(target):
    name = "größe ☃ 𝄞"
    with target.framework(name=name) as mesos:
        assert shown(target, mesos)["name"] == name


# streams and connections


def test_a_stream_is_chunked_even_if_the_request_wants_to_close(target):
    where = urlsplit(target.master)
    connection = http.client.HTTPConnection(where.hostname, where.port, timeout=30)
    headers = {"Content-Type": JSON, "Connection": "close"}
    connection.request("POST", SCHEDULER, json.dumps(subscribe()), headers)
    answer = connection.getresponse()
    assert (answer.status, answer.version) == (200, 11)
    assert answer.headers["Transfer-Encoding"] == "chunked"
    # One whole record: a length, a line's end, so many bytes, and no line's end.
    head = answer.readline()
    assert head.strip().isdigit()
    assert json.loads(answer.read(int(head)))["type"] == "SUBSCRIBED"
    assert answer.read(1).isdigit()
    answer.close()
    connection.close()


def test_calls_may_be_pipelined_on_one_connection_and_are_answered_in_order(target):
    with target.framework() as mesos:
        calls = []
        for kind in ("REVIVE", "SURPRISE", "SUPPRESS"):
            body = json.dumps({"type": kind, "framework_id": {"value": mesos.id}}).encode()
            head = (
                f"POST {SCHEDULER} HTTP/1.1\r\nHost: x\r\nContent-Type: {JSON}\r\n"
                f"mesos-stream-id: {mesos.stream_id}\r\nContent-Length: {len(body)}\r\n\r\n"
            )
            calls.append(head.encode() + body)
        where = urlsplit(target.master)
        connection = http.client.HTTPConnection(where.hostname, where.port, timeout=30)
        connection.connect()
        connection.sock.sendall(b"".join(calls))
        data = b""
        while len(re.findall(rb"HTTP/1.1 (\d+)", data)) < 3:
            part = connection.sock.recv(65536)
            assert part
            data += part
        connection.close()
        first, second, third = map(int, re.findall(rb"HTTP/1.1 (\d+)", data))
        assert (first, third) == (202, 202)
        assert second in (400, 501)


def test_a_body_may_come_in_chunks(target):
    with target.framework() as mesos:
        where = urlsplit(target.master)
        connection = http.client.HTTPConnection(where.hostname, where.port, timeout=30)
        body = json.dumps({"type": "REVIVE", "framework_id": {"value": mesos.id}}).encode()
        headers = {"Content-Type": JSON, "MESOS-STREAM-ID": mesos.stream_id}
        connection.request(
            "POST", SCHEDULER, iter([body[:9], body[9:]]), headers, encode_chunked=True
        )
        assert connection.getresponse().status == 202
        connection.close()


def test_the_type_of_a_body_may_name_its_characters(target):
    with target.framework() as mesos:
        call = {"type": "REVIVE", "framework_id": {"value": mesos.id}}
        headers = {
            "Content-Type": "application/json; charset=utf-8",
            "Mesos-Stream-Id": mesos.stream_id,
        }
        # Mesos itself says 415; being lenient harms nobody.
        assert target.post(SCHEDULER, json.dumps(call).encode(), headers).status in (202, 415)


def test_big_answers_are_packed_for_those_who_take_it(target):
    answer = target.get("/state", {"Accept-Encoding": "gzip"})
    assert answer.headers.get("content-encoding") == "gzip"
    assert "slaves" in json.loads(gzip.decompress(answer.body))
    assert "content-encoding" not in target.get("/state").headers


def test_accept_is_weighed(target):
    body = subscribe()
    for accept in ("application/json, text/plain", "text/html, */*;q=0.1"):
        stream = Stream(target.master, SCHEDULER, body, {"Accept": accept}, reads=False)
        assert stream.headers["content-type"] == JSON
        stream.close()


# paths


@pytest.mark.parametrize("prefix", ["", "/slave(1)", "/slave%281%29"])
def test_an_agents_paths_have_its_process_name_in_front_or_not(target, prefix):
    for path in ("/state", "/version", "/health", "/monitor/statistics", "/state/"):
        assert request(target.agent, "GET", prefix + path).status == 200, path
    answer = request(target.agent, "POST", f"{prefix}/api/v1", {"type": "GET_HEALTH"})
    assert answer.json() == {"type": "GET_HEALTH", "get_health": {"healthy": True}}


def test_addresses_have_the_shapes_that_tools_split(target):
    state = target.get("/state").json()
    where = urlsplit(target.master)
    assert re.fullmatch(r"master@[\d.]+:\d+", state["pid"])
    assert state["pid"].endswith(f":{where.port}")
    assert state["leader"] == state["pid"]
    [agent] = [one for one in state["slaves"] if one["id"] == target.agent_id]
    assert re.fullmatch(r"slave\(1\)@[\d.]+:\d+", agent["pid"])
    with target.framework() as mesos:
        offer = mesos.offer()
        assert re.fullmatch(r".+-\d{4}", mesos.id)
        assert re.fullmatch(r".+-O\d+", offer["id"]["value"])
        assert re.fullmatch(r".+-S\d+", offer["agent_id"]["value"])
        address = offer["url"]["address"]
        assert f"{address['ip']}:{address['port']}" == agent["pid"].partition("@")[2]


LONG = "x" * 256


@pytest.mark.parametrize("bad", ["a/b", "a\\b", ".", "..", LONG, "a\n", ""])
def test_an_id_that_cannot_be_a_file_is_refused(target, bad):
    with target.framework() as mesos:
        made = task("t", task_id={"value": bad})
        mesos.launch(made)
        assert mesos.status(bad, "TASK_ERROR")["reason"] == "REASON_TASK_INVALID"


def test_an_id_of_255_characters_is_one(target):
    with target.framework() as mesos:
        made = task("t", "exit 0", task_id={"value": uuid.uuid4().hex.ljust(255, "x")})
        mesos.launch(made)
        mesos.status(name_of(made), "TASK_FINISHED")


def test_jsonp_wraps_whatever_is_read(target):
    for url, path in ((target.master, "/state"), (target.agent, "/state")):
        answer = request(url, "GET", f"{path}?jsonp={quote('jQuery.cb_1')}")
        assert answer.body.startswith(b"jQuery.cb_1(")
        assert answer.body.rstrip().endswith(b");")
        assert "javascript" in answer.headers["content-type"]


# resources


def test_amounts_are_of_three_decimals(target):
    with target.framework() as mesos:
        offer = mesos.offer()
        tasks = [
            task("t", resources=amounts(cpus=0.1 + 0.2, mem=32)),
            task("u", resources=amounts(cpus=0.1004, mem=32)),
        ]
        mesos.launch(*tasks, offer=offer)
        for one in tasks:
            mesos.status(name_of(one), "TASK_RUNNING")
        assert shown(target, mesos)["used_resources"]["cpus"] == 0.4
        rest = scalar(mesos.offer()["resources"], "cpus")
        assert rest == round(scalar(offer["resources"], "cpus") - 0.4, 3)


def test_ranges_are_cut_and_joined(target):
    with target.framework() as mesos:
        offer = mesos.offer()
        ports = next(one for one in offer["resources"] if one["name"] == "ports")
        [whole] = ports["ranges"]["range"]
        middle = {"begin": whole["begin"] + 5, "end": whole["begin"] + 6}
        held = {"name": "ports", "type": "RANGES", "ranges": {"range": [middle]}}
        made = task("t", resources=[*amounts(cpus=0.1, mem=32), held])
        mesos.launch(made, offer=offer)
        mesos.status(name_of(made), "TASK_RUNNING")
        offer = mesos.offer()
        ports = next(one for one in offer["resources"] if one["name"] == "ports")
        assert ports["ranges"]["range"] == [
            {"begin": whole["begin"], "end": middle["begin"] - 1},
            {"begin": middle["end"] + 1, "end": whole["end"]},
        ]
        mesos.decline(offer)
        mesos.call("KILL", kill={"task_id": made["task_id"]})
        mesos.status(name_of(made), "TASK_KILLED")

        def joined():
            found = [
                one for each in mesos.offers for one in each["resources"] if one["name"] == "ports"
            ]
            if found and found[-1]["ranges"]["range"] == [whole]:
                return True
            if mesos.offers:
                mesos.decline(*mesos.offers)
                mesos.offers.clear()
            return False

        mesos.until(joined)


def test_old_lists_have_the_four_scalars_and_ranges_as_text(target):
    [agent] = [
        one for one in target.get("/slaves").json()["slaves"] if one["id"] == target.agent_id
    ]
    for name in ("resources", "used_resources", "offered_resources", "unreserved_resources"):
        assert agent[name].keys() >= {"cpus", "gpus", "mem", "disk"}, name
    assert re.fullmatch(r"\[\d+-\d+(, \d+-\d+)*\]", agent["resources"]["ports"])
    for one in agent["unreserved_resources_full"]:
        assert (one["role"], one.get("reservations", [])) == ("*", [])
    assert isinstance(agent["attributes"], dict)


def test_allocations_may_be_left_out_of_what_is_launched(target):
    info = {"roles": ["a"], "capabilities": [{"type": "MULTI_ROLE"}]}
    with target.framework(**info) as mesos:
        made = task("t", "exit 0")
        assert not any("allocation_info" in one for one in made["resources"])
        mesos.launch(made)
        mesos.status(name_of(made), "TASK_FINISHED")


def test_an_allocation_to_another_role_is_an_error(target):
    info = {"roles": ["a"], "capabilities": [{"type": "MULTI_ROLE"}]}
    with target.framework(**info) as mesos:
        wrong = [{**one, "allocation_info": {"role": "b"}} for one in amounts(cpus=0.1, mem=32)]
        mesos.launch(made := task("t", resources=wrong))
        mesos.status(name_of(made), "TASK_ERROR")


# statuses


def test_one_status_per_state_is_kept(target):
    with target.framework() as mesos:
        mesos.launch(made := task("t", "exit 0"))
        mesos.status(name_of(made), "TASK_FINISHED")
        while True:
            [found] = target.get(f"/tasks?task_id={name_of(made)}").json()["tasks"]
            states = [one["state"] for one in found["statuses"]]
            if "TASK_FINISHED" in states:
                break
        assert states == ["TASK_STARTING", "TASK_RUNNING", "TASK_FINISHED"]
        assert not any("data" in one for one in found["statuses"])
