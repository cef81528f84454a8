"""Generated nonsense at every component's endpoints: refused, nothing changed, nobody dead."""

import http.client
import json
from urllib.parse import urlsplit

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

ENDPOINTS = {
    "master": ["/api/v1/scheduler", "/api/v1", "/internal/v1/agents", "/teardown", "/tasks"],
    "agent1": ["/api/v1", "/api/v1/executor", "/files/read", "/files/browse"],
    "marathon": [
        *("/v2/apps", "/v2/apps//x", "/v2/tasks/delete", "/v2/queue/x/delay", "/v2/groups"),
        *("/v2/pods", "/v2/pods/x", "/v2/pods/x::instances", "/v2/pods/x::instances/y"),
    ],
    "cosmos": ["/package/install", "/package/search", "/package/repository/add"],
    "gateway": ["/acs/api/v1/auth/login", "/acs/api/v1/users/x", "/service/x", "/package/list"],
}
TYPES = [
    "application/json",
    "text/plain",
    "application/x-protobuf",
    "application/vnd.dcos.package.install-request+json;charset=utf-8;version=v1",
    "application/vnd.dcos.package.search-request+json;charset=utf-8;version=v1",
]
WORDS = ["type", "SUBSCRIBE", "ACCEPT", "KILL", "framework_id", "value", "subscribe", "id", "cmd"]
WORDS += ["cpus", "constraints", "container", "packageName", "uid", "password", "accept", "kill"]
WORDS += ["containers", "resources", "name", "exec", "networks"]

nonsense = st.recursive(
    st.none() | st.booleans() | st.integers() | st.sampled_from(WORDS) | st.text(max_size=6),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(WORDS), inner, max_size=4)
    ),
    max_leaves=10,
)
where = st.sampled_from([(name, path) for name, paths in ENDPOINTS.items() for path in paths])


def call(url, method, path, body, headers):
    """Make one call; return its status, and what came of its body at once."""
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=20)
    try:
        connection.request(method, path, body, headers)
        answer = connection.getresponse()
        return answer.status, answer.read(200)
    finally:
        connection.close()


def snapshot(cluster):
    """Return what nonsense must not change."""
    apps = json.loads(call(cluster.urls["marathon"], "GET", "/v2/apps", None, {})[1] or b"{}")
    pods = json.loads(call(cluster.urls["marathon"], "GET", "/v2/pods", None, {})[1] or b"{}")
    state = cluster.get("master", "/state-summary")
    return (
        len(apps.get("apps", [])),
        len(pods),
        sorted(one["name"] for one in state["frameworks"]),
        [one["used_resources"] for one in state["slaves"]],
    )


def test_nonsense_is_refused(cluster):
    before = snapshot(cluster)

    @given(
        target=where,
        method=st.sampled_from(["GET", "POST", "PUT", "DELETE", "PATCH"]),
        body=st.binary(max_size=60) | nonsense.map(lambda value: json.dumps(value).encode()),
        kind=st.sampled_from(TYPES),
    )
    @example(target=("master", "/api/v1"), method="POST", body=b"[" * 100_000, kind=TYPES[0])
    @example(target=("agent1", "/api/v1"), method="POST", body=b'{"type":' * 9999, kind=TYPES[0])
    @example(target=("marathon", "/v2/apps"), method="POST", body=b"[" * 100_000, kind=TYPES[0])
    @settings(max_examples=400, suppress_health_check=[HealthCheck.too_slow])
    def throw(target, method, body, kind):
        name, path = target
        headers = {"Content-Type": kind, "Accept": "*/*"}
        status, text = call(cluster.urls[name], method, path, body, headers)
        assert status < 500 or status in (501, 502, 503), (name, method, path, status, text)

    throw()
    assert snapshot(cluster) == before
    report = json.loads(cluster.comity("status", "--json"))
    assert {one["restarts"] for one in report["components"]} == {0}
