"""Pods of any shape: refused with a path, or canonical; and what is canonical can be launched."""

import copy
import json
import random
from typing import Any

import msgspec
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from comity.core.ids import AgentId
from comity.core.instants import Instant
from comity.marathon import placing, pod_drafts, pod_launching
from comity.marathon.state import Instance
from comity.marathon.views import pod_json
from comity.policy.placement import Fit, OfferedNode, Placed, Room, fit
from comity.wire.marathon.errors import Refused
from comity.wire.marathon.pod_reads import NEW_POD
from comity.wire.marathon.pods import Pod
from comity.wire.marathon.reads import Errors

ANY = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-5, 70000),
    st.floats(-1, 5),
    st.text(max_size=4),
    st.just([]),
    st.just({}),
    st.just([{}]),
    st.just({"secret": "s"}),
)
COMMANDS = st.sampled_from([{"shell": "x"}, {"argv": ["a", "b"]}, {"shell": "a\0"}])
ENDPOINTS = st.lists(
    st.fixed_dictionaries(
        {"name": st.sampled_from(["web", "db-1"])},
        optional={
            "containerPort": st.sampled_from([0, 80]),
            "hostPort": st.sampled_from([0, 31005]),
            "protocol": st.sampled_from([[], ["tcp"], ["udp", "tcp"]]),
            "networkNames": st.sampled_from([[], ["net"]]),
        },
    ),
    max_size=2,
)
CHECKS = st.sampled_from(
    [
        {"http": {"endpoint": "web", "scheme": "https"}},
        {"tcp": {"endpoint": "db-1"}, "intervalSeconds": 30},
        {"exec": {"command": {"argv": ["true"]}}},
        {"exec": {"command": {"shell": "true"}}, "timeoutSeconds": 90},
    ]
)
CONTAINERS = st.fixed_dictionaries(
    {
        "name": st.sampled_from(["one", "two"]),
        "resources": st.sampled_from([{}, {"cpus": 0.5, "mem": 1, "disk": 2}]),
        "exec": st.fixed_dictionaries({"command": COMMANDS}),
    },
    optional={
        "endpoints": ENDPOINTS,
        "healthCheck": CHECKS,
        "image": st.just({"kind": "docker", "id": "box"}),
        "volumeMounts": st.just([{"name": "v", "mountPath": "m"}]),
        "environment": st.just({"A": "b"}),
        "resourceLimits": st.sampled_from([{"cpus": "unlimited"}, {"mem": 0.5}]),
        "lifecycle": st.just({"killGracePeriodSeconds": 1.5}),
        "tty": st.booleans(),
    },
)
NETWORKS = st.sampled_from(
    [
        [],
        [{"mode": "host"}],
        [{"mode": "container/bridge", "labels": {"a": "b"}}],
        [{"name": "net"}],
        [{"name": "net"}, {"name": "other"}],
    ]
)
PODS = st.fixed_dictionaries(
    {"id": st.just("/g/p"), "containers": st.lists(CONTAINERS, min_size=1, max_size=2)},
    optional={
        "networks": NETWORKS,
        "volumes": st.sampled_from([[{"name": "v"}], [{"name": "v", "host": "/tmp"}]]),
        "scaling": st.just({"kind": "fixed", "instances": 2}),
        "scheduling": st.sampled_from([{}, {"unreachableStrategy": "disabled"}]),
        "linuxInfo": st.just({"ipcInfo": {"mode": "PRIVATE", "shmSize": 4}}),
        "legacySharedCgroups": st.booleans(),
    },
)


def spoiled(pod: dict[str, Any], data: st.DataObject) -> dict[str, Any]:
    """Put nonsense at a random place of a pod."""
    found = copy.deepcopy(pod)
    here: Any = found
    while True:
        keys = sorted(here) if isinstance(here, dict) else list(range(len(here)))
        if not keys:
            return found
        key = data.draw(st.sampled_from(keys))
        inner = here[key]
        if not isinstance(inner, dict | list) or data.draw(st.booleans()):
            here[key] = data.draw(ANY)
            return found
        here = inner


def canonical(body: dict[str, Any]) -> Pod | None:
    errors: Errors = {}
    draft = NEW_POD(json.loads(json.dumps(body)), "", errors)
    if errors:
        assert all(path.startswith("/") and texts for path, texts in errors.items())
        return None
    found = attempt(draft)
    if isinstance(found, Pod):
        return found
    details = msgspec.json.decode(found.body)["details"]
    assert found.status == 422
    assert all(one["path"].startswith("/") and one["errors"] for one in details)
    return None


def attempt(draft: dict[str, Any]) -> Pod | Refused:
    try:
        return pod_drafts.canonical(draft)
    except Refused as refused:
        return refused


@settings(max_examples=150)
@given(body=PODS, data=st.data())
def test_nonsense_in_a_pod_is_named_or_harmless(body: dict[str, Any], data: st.DataObject) -> None:
    canonical(spoiled(body, data))


@settings(
    max_examples=100,
    suppress_health_check=[HealthCheck.filter_too_much, HealthCheck.too_slow],
)
@given(body=PODS)
def test_a_canonical_pod_stays_itself_and_its_group_asks_for_what_was_taken(
    body: dict[str, Any],
) -> None:
    pod = canonical(body)
    assume(pod is not None)
    assert pod is not None
    assert canonical(pod_json(pod)) == pod
    room = Room({"cpus": 8.0, "mem": 9999.0, "disk": 9999.0}, [(31000, 31009)])
    node = OfferedNode(values={"hostname": "h"}, rooms={"*": room})
    found = fit(placing.demand_of(pod), node, Placed([]), {}, random.Random(1))
    assert isinstance(found, Fit)
    parts = pod_launching.parts(pod, "g_p.instance-1", found)
    instance = Instance(
        task_id=next(iter(parts)),
        instance_id="g_p.instance-1",
        app_id=pod.id,
        version="1",
        config_version="1",
        agent_id=AgentId("S0"),
        host="h",
        node={},
        ports=found.ports,
        staged_at=Instant(1.0),
        parts=parts,
    )
    group = pod_launching.launch_group(pod, instance, "F")
    holders = [group.executor, *group.task_group.tasks]
    for name, amount in found.scalars.items():
        asked = sum(
            one.scalar.value
            for holder in holders
            for one in holder.resources
            if one.name == name and one.scalar is not None
        )
        assert abs(asked - amount) < 1e-9
    mapped = {
        one.host_port
        for info in group.executor.container.network_infos
        for one in info.port_mappings
    }
    assert mapped <= set(found.ports)
    checked = [task for task in group.task_group.tasks if task.health_check is not None]
    assert len(checked) == sum(one.health_check is not None for one in pod.containers)
