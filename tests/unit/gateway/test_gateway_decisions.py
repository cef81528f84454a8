"""What the gateway decides without a socket: routes, services, headers, tokens."""

import base64
import json

import pytest

from comity.gateway import headers, services, tokens
from comity.gateway.routes import ROUTES, RouteTable, Target
from comity.gateway.services import Service

TABLE = RouteTable()


@pytest.mark.parametrize(
    ("path", "route", "target"),
    [
        ("/", "/", Target.OWN),
        ("/mesos", "/mesos", Target.REDIRECT),
        ("/mesos/state", "/mesos/", Target.MASTER),
        ("/mesos/master/redirect", "/mesos/master/redirect", Target.REDIRECT),
        ("/marathon/v2/apps", "/marathon/", Target.MARATHON),
        ("/service/marathon/v2/apps", "/service/marathon/", Target.MARATHON),
        ("/service/marathon-user/v2/apps", "/service/", Target.SERVICE),
        ("/service/x", "/service/", Target.SERVICE),
        ("/package/repository/list", "/package/", Target.COSMOS),
        ("/cosmos/service/describe", "/cosmos/service/", Target.COSMOS),
        ("/agent/S0/files/read", "/agent/", Target.AGENT),
        ("/slave/S0/state", "/slave/", Target.AGENT),
        ("/acs/api/v1/users", "/acs/api/v1/", Target.OWN),
        ("/acs/api/v1/auth/login", "/acs/api/v1/auth/", Target.OWN),
        ("/exhibitor/", "/exhibitor/", Target.ABSENT),
        ("/dcos-metadata/bootstrap-config.json",) * 2 + (Target.ABSENT,),
    ],
)
def test_routes(path, route, target):
    found = TABLE.find(path)
    assert found is not None
    assert (found.path, found.target) == (route, target)


@pytest.mark.parametrize("path", ["/nowhere", "/mesosphere", "/capabilities2", ""])
def test_no_route(path):
    assert TABLE.find(path) is None


def test_only_these_routes_ask_for_no_token():
    assert {route.path for route in ROUTES if not route.needs_token} == {
        "/",
        "/acs/api/v1/auth/",
        "/dcos-metadata/dcos-version.json",
        "/dcos-metadata/ui-config.json",
    }


def app(name="web", tasks=None, **labels):
    given = {
        "DCOS_SERVICE_NAME": name,
        "DCOS_SERVICE_SCHEME": "http",
        "DCOS_SERVICE_PORT_INDEX": "0",
        **labels,
    }
    running = {"state": "TASK_RUNNING", "host": "h", "ports": [1, 2]}
    labels = {key: value for key, value in given.items() if value is not None}
    return {"labels": labels, "tasks": [running] if tasks is None else tasks}


def test_a_labelled_app_is_a_service():
    assert services.from_apps([app()]) == {"web": Service("web", "http://h:1")}
    found = services.from_apps([app("/a/b/", DCOS_SERVICE_SCHEME="HTTPS")])
    assert found == {"a/b": Service("a/b", "https://h:1")}
    assert services.from_apps([app(DCOS_SERVICE_PORT_INDEX="1")])["web"].url == "http://h:2"
    rewriting = app(DCOS_SERVICE_REWRITE_REQUEST_URLS="false")
    assert services.from_apps([rewriting])["web"].strips_prefix is False


@pytest.mark.parametrize(
    "given",
    [
        app(DCOS_SERVICE_NAME=None),
        app(DCOS_SERVICE_SCHEME=None),
        app(DCOS_SERVICE_SCHEME="ftp"),
        app(DCOS_SERVICE_PORT_INDEX="x"),
        app(DCOS_SERVICE_PORT_INDEX="2"),
        app(tasks=[]),
        app(tasks=[{"state": "TASK_STAGING", "host": "h", "ports": [1]}]),
        {},
    ],
)
def test_an_app_that_is_no_service(given):
    assert services.from_apps([given]) == {}


def test_a_healthy_task_is_preferred():
    sick, well = (
        {
            "state": "TASK_RUNNING",
            "host": host,
            "ports": [1],
            "healthCheckResults": [{"alive": alive}],
        }
        for host, alive in (("sick", False), ("well", True))
    )
    assert services.from_apps([app(tasks=[sick, well])])["web"].url == "http://well:1"
    assert services.from_apps([app(tasks=[sick])])["web"].url == "http://sick:1"


def test_a_framework_with_a_page_is_a_service_by_id_and_name():
    listed = [
        {"id": "F1", "name": "fw", "webui_url": "http://h:9/", "active": True},
        {"id": "F2", "name": "none", "webui_url": ""},
        {"id": "F3", "name": "gone", "webui_url": "http://h", "active": False},
        {"id": "F4", "name": "bad", "webui_url": "javascript:1"},
    ]
    found = services.from_frameworks(listed)
    assert set(found) == {"F1", "fw"}
    assert found["fw"].url == "http://h:9"


def test_the_longest_name_is_tried_first():
    assert services.names("a/b/c") == [("a/b/c", ""), ("a/b", "/c"), ("a", "/b/c")]
    assert services.names("a/") == [("a", "/")]
    assert services.names("") == []
    assert len(services.names("/".join("abcdefghijklm"))) == services.SEGMENTS_MAX


OUR_COOKIES = f"a=1; {tokens.AUTH_COOKIE}=t; {tokens.INFO_COOKIE}=i; b=2"


def passed(given, own=(), *, is_our_token=False):
    found = headers.for_upstream(given, "10.0.0.1:5", own, is_our_token=is_our_token)
    return {name.lower(): value for name, value in found}


def test_what_an_upstream_does_not_see():
    given = {
        "host": "gateway",
        "cookie": OUR_COOKIES,
        "connection": "keep-alive, X-Private",
        "x-private": "1",
        "transfer-encoding": "chunked",
        "content-length": "5",
        "accept": "text/html",
        "mesos-stream-id": "s",
        "x-forwarded-for": "a lie",
    }
    assert passed(given) == {
        "accept": "text/html",
        "mesos-stream-id": "s",
        "cookie": "a=1; b=2",
        "x-forwarded-for": "10.0.0.1",
        "x-forwarded-proto": "http",
    }


def test_authorizations():
    given = {"authorization": "token=abc"}
    assert "authorization" not in passed(given, is_our_token=True)
    assert passed({"authorization": "Bearer theirs"})["authorization"] == "Bearer theirs"
    own = (("Authorization", "Basic own"),)
    assert passed(given, own, is_our_token=True)["authorization"] == "Basic own"


@pytest.mark.parametrize(
    ("location", "expected"),
    [
        ("http://up:1/x?q#f", "/service/web/x?q#f"),
        ("//up:1/x", "/service/web/x"),
        ("/x", "/service/web/x"),
        ("http://up:1", "/service/web/"),
        ("relative", "relative"),
        ("http://else/x", "http://else/x"),
    ],
)
def test_redirections_lead_back_through_the_gateway(location, expected):
    assert headers.located(location, "http://up:1", "/service/web") == expected


def test_headers_for_the_client():
    given = (("Content-Length", "1"), ("Set-Cookie", "a"), ("Set-Cookie", "b"), ("Server", "x"))
    assert headers.for_client(given, "http://up", "") == (("Set-Cookie", "a"), ("Set-Cookie", "b"))


KEY = b"k" * 32


def test_a_token_says_who_until_when():
    token = tokens.issue("ann", KEY, 100.0)
    assert tokens.verify(token, KEY, 99.0) == "ann"
    assert tokens.verify(token, KEY, 100.0) is None
    assert tokens.verify(token, b"other", 99.0) is None


def forged(header, claims, signature="") -> str:
    parts = (json.dumps(header).encode(), json.dumps(claims).encode())
    encoded = [base64.urlsafe_b64encode(part).rstrip(b"=").decode() for part in parts]
    return ".".join([*encoded, signature])


@pytest.mark.parametrize(
    "token",
    [
        "",
        "...",
        "a.b.c",
        "é.é.é",
        forged({"alg": "none"}, {"uid": "ann", "exp": 999}),
        forged({"alg": "HS256"}, {"uid": "ann", "exp": 999}, "AAAA"),
        tokens.issue("ann", KEY, 100.0)[:-2],
    ],
)
def test_forgeries(token):
    assert tokens.verify(token, KEY, 1.0) is None


def test_a_changed_claim_breaks_the_signature():
    header, claims, signature = tokens.issue("ann", KEY, 100.0).split(".")
    other = tokens.issue("bob", b"mine", 100.0).split(".")[1]
    assert tokens.verify(f"{header}.{other}.{signature}", KEY, 1.0) is None
    assert claims != other


@pytest.mark.parametrize(
    ("authorization", "cookies", "token"),
    [
        ("token=abc", "", "abc"),
        ('token="abc"', "", "abc"),
        ("Bearer abc", "", "abc"),
        ("bearer abc", "", "abc"),
        ("Basic abc", "", ""),
        ("", OUR_COOKIES, "t"),
        ("", "x=y", ""),
    ],
)
def test_where_a_token_is_found(authorization, cookies, token):
    assert tokens.given(authorization, cookies) == token
