"""Mesos's JSON: what it tolerates, what it refuses and how."""

import json

import pytest

from comity.resources.amounts import Kind, Reservation, Resources
from comity.wire.mesos import codec, resources, scheduler, v1


def subscribe(**info):
    return json.dumps(
        {"type": "SUBSCRIBE", "subscribe": {"framework_info": {"user": "u", "name": "n", **info}}}
    ).encode()


def read(**info):
    return codec.decode(codec.SCHEDULER_CALL, subscribe(**info)).subscribe.framework_info


@pytest.mark.parametrize(
    ("given", "field", "value"),
    [
        ({"failover_timeout": "256"}, "failover_timeout", 256.0),
        ({"failover_timeout": 256}, "failover_timeout", 256.0),
        ({"checkpoint": "true"}, "checkpoint", True),
        ({"role": None}, "role", None),
        ({"roles": "a"}, "roles", ("a",)),
        ({"credentials": [1], "webui_url": ""}, "webui_url", ""),
        ({"failover_timeout": "Infinity"}, "failover_timeout", codec.UNLIMITED),
        (
            {"capabilities": {"type": "MULTI_ROLE"}},
            "capabilities",
            (v1.FrameworkCapability(type="MULTI_ROLE"),),
        ),
    ],
)
def test_tolerances(given, field, value):
    assert getattr(read(**given), field) == value


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b"7",
        b'"\xff"',
        b'{"type":"SUBSCRIBE"}',
        b'{"type":7}',
        b'{"type":"SUBSCRIBE","subscribe":{"framework_info":{"user":"u"}}}',
        b'{"type":"ACCEPT","framework_id":{"value":"x"},"accept":[]}',
        b"[" * 100_000,
        b'{"type":7,',
        b'{"type":"REVIVE","framework_id":7,"x":"',
        subscribe(user=7),
        subscribe(failover_timeout="NaN"),
        subscribe(failover_timeout="soon"),
        subscribe(name=["n"]),
        b'{"type":"ACKNOWLEDGE","framework_id":{"value":"x"},"acknowledge":'
        b'{"agent_id":{"value":"x"},"task_id":{"value":"x"},"uuid":"%%"}}',
    ],
)
def test_refusals(body):
    with pytest.raises(codec.DecodeFailed):
        codec.decode(codec.SCHEDULER_CALL, body)


def test_an_unknown_type_is_told_apart():
    with pytest.raises(codec.UnknownType):
        codec.decode(codec.SCHEDULER_CALL, b'{"type":"DANCE"}')


def test_a_missing_field_is_named():
    with pytest.raises(codec.DecodeFailed, match=r"Missing required fields.*name"):
        codec.decode(codec.SCHEDULER_CALL, subscribe(name=None))


def test_defaults_are_written_and_unset_fields_are_not():
    shown = json.loads(codec.encode(v1.FrameworkInfo(user="u", name="n")))
    assert shown == {"user": "u", "name": "n", "failover_timeout": 0.0, "checkpoint": False}
    assert b'"failover_timeout":0.0' in codec.encode(v1.FrameworkInfo(user="u", name="n"))


def test_calls_without_a_body_mean_everything():
    call = codec.decode(codec.SCHEDULER_CALL, b'{"type":"REVIVE","framework_id":{"value":"x"}}')
    assert call == scheduler.Revive(framework_id=v1.Id(value="x"))


def test_only_ascii_is_written():
    data = codec.encode(v1.Label(key="naïve", value="😀"))
    assert data.isascii()
    assert json.loads(data) == {"key": "naïve", "value": "😀"}


@pytest.mark.parametrize(
    "given",
    [
        {"type": "SCALAR"},
        {"type": "SCALAR", "scalar": {"value": -1}},
        {"type": "SCALAR", "scalar": {"value": 1e300}},
        {"type": "RANGES", "ranges": {"range": [{"begin": 2, "end": 1}]}},
        {"type": "SCALAR", "scalar": {"value": 1}, "reservations": [{"role": "*"}]},
    ],
)
def test_resources_that_contradict_themselves(given):
    one = codec.decode(v1.Resource, json.dumps({"name": "x", **given}).encode())
    with pytest.raises(resources.ResourceInvalid):
        resources.read([one])


def test_one_name_with_two_types():
    scalar = v1.Resource(name="x", type="SCALAR", scalar=v1.Scalar(value=1))
    items = v1.Resource(name="x", type="SET", set=v1.SetOfItems(item=("a",)))
    with pytest.raises(resources.ResourceInvalid):
        resources.read([scalar, items])


@pytest.mark.parametrize(
    ("stack", "role", "reservation"),
    [
        ((), "*", None),
        ((Reservation("ads"),), "ads", None),
        ((Reservation("ads", True, "p"),), "ads", v1.ReservationInfo(principal="p")),
        ((Reservation("ads"), Reservation("ads/a", True)), None, None),
    ],
)
def test_reads_of_operators_show_a_reservation_in_both_ways(stack, role, reservation):
    bundle = Resources({Kind("cpus", stack): 1000})
    [shown] = resources.write_for_endpoints(bundle)
    assert len(shown.reservations) == len(stack)
    assert (shown.role, shown.reservation) == (role, reservation)
    assert resources.read([shown]) == bundle
