"""Bodies of any shape: read, refused with a path, or a canonical app that stays itself."""

import json
from collections.abc import Callable
from typing import Any, TypeVar

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from comity.marathon import drafts, labels
from comity.wire.marathon import ids, timestamps
from comity.wire.marathon.app_reads import FIELDS, NEW_APP, UPDATE
from comity.wire.marathon.apps import App
from comity.wire.marathon.errors import Refused
from comity.wire.marathon.reads import Errors

T = TypeVar("T")

SCALARS = st.one_of(
    st.none(), st.booleans(), st.integers(-5, 70000), st.floats(-1, 5), st.text(max_size=6)
)
ANY = st.recursive(
    SCALARS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=8,
)
NESTED = st.sampled_from(
    [
        {"portIndex": 0},
        {"protocol": "COMMAND", "command": {"value": "x"}},
        {"protocol": "MESOS_HTTP", "port": 80},
        {"protocol": "TCP", "portIndex": 9},
    ]
)
LIKELY: dict[str, st.SearchStrategy[Any]] = {
    "id": st.sampled_from(["/a", "a/b", "../c", "/a/tasks", "A", "/"]),
    "cmd": st.sampled_from(["x", "a\0"]),
    "args": st.lists(st.text(max_size=3), max_size=2),
    "constraints": st.lists(
        st.lists(st.sampled_from(["hostname", "UNIQUE", "like", "IS", "2", "("]), max_size=4),
        max_size=2,
    ),
    "env": st.dictionaries(st.text(max_size=3), st.text(max_size=3), max_size=2),
    "healthChecks": st.lists(NESTED, max_size=2),
    "container": st.sampled_from(
        [{"type": "MESOS"}, {"docker": {"image": "x"}}, {"docker": {"image": "x", "network": "X"}}]
    ),
    "ports": st.lists(st.integers(0, 9), max_size=3),
    "portDefinitions": st.lists(
        st.fixed_dictionaries({}, optional={"port": st.integers(0, 9), "name": st.just("n")}),
        max_size=2,
    ),
    "unreachableStrategy": st.sampled_from(["disabled", {"expungeAfterSeconds": 3}, {}]),
    "upgradeStrategy": st.just({"maximumOverCapacity": 0.5, "minimumHealthCapacity": 1}),
    "uris": st.lists(st.just("http://x"), max_size=1),
    "fetch": st.lists(st.just({"uri": "http://y"}), max_size=1),
    "instances": st.integers(0, 3),
    "dependencies": st.lists(st.sampled_from(["/a", "b", "../c"]), max_size=2),
    "acceptedResourceRoles": st.sampled_from([["*"], ["x"], []]),
}
BODIES = st.fixed_dictionaries(
    {},
    optional={
        name: st.one_of(LIKELY.get(name, st.nothing()), LIKELY.get(name, ANY), ANY)
        for name in FIELDS
    },
).map(lambda body: json.loads(json.dumps(body)))
LIKELY_BODIES = st.fixed_dictionaries(
    {"id": st.sampled_from(["/a", "a/b"])},
    optional={name: one for name, one in LIKELY.items() if name != "id"},
)


def attempt(make: Callable[[], T]) -> T | Refused:
    """Return what is made, or why it was refused; any other error is a failure."""
    try:
        return make()
    except Refused as refused:
        return refused


def canonical(draft: dict[str, Any]) -> App | None:
    found = attempt(lambda: drafts.canonical(draft))
    if isinstance(found, Refused):
        details = msgspec.json.decode(found.body)["details"]
        assert found.status == 422
        assert all(one["path"].startswith("/") and one["errors"] for one in details)
        return None
    return found


@settings(max_examples=300)
@given(body=st.one_of(BODIES, LIKELY_BODIES, ANY))
def test_any_body_is_an_app_or_refused(body: Any) -> None:
    errors: Errors = {}
    draft = NEW_APP(body, "", errors)
    assert all(path.startswith("/") and texts for path, texts in errors.items())
    app = canonical(draft) if not errors else None
    if app is not None:
        stored = msgspec.json.encode(app)
        assert msgspec.json.decode(stored, type=App) == app
        again: Errors = {}
        assert canonical(NEW_APP(json.loads(stored), "", again)) == app
        assert not again


@settings(max_examples=200)
@given(body=LIKELY_BODIES, update=st.one_of(BODIES, LIKELY_BODIES))
def test_an_update_replaces_what_it_names_and_nothing_else(
    body: dict[str, Any], update: dict[str, Any]
) -> None:
    errors: Errors = {}
    first, draft = NEW_APP(body, "", errors), UPDATE(update, "", errors)
    app = canonical(first) if not errors else None
    if app is None:
        return
    found = canonical(drafts.merged(app, draft))
    if found is None:
        return
    before, after = msgspec.to_builtins(app), msgspec.to_builtins(found)
    named = set(draft) | ({"portDefinitions"} if "ports" in draft else set())
    named |= {"fetch"} if "uris" in draft else set()
    if named & {"networks", "ipAddress", "container"}:  # which go together
        named |= {"networks", "container", "portDefinitions"}
    for name in before.keys() | after.keys():
        if name not in named | {"healthChecks"}:
            assert before.get(name) == after.get(name), name


@given(text=st.text(max_size=30))
def test_label_selectors_are_read_or_refused(text: str) -> None:
    found = attempt(lambda: labels.parse(text))
    if isinstance(found, Refused):
        assert found.status == 422
    else:
        assert len(found) <= text.count(",") + 1


@given(text=st.text(alphabet="ab/.-_A0", max_size=20), base=st.sampled_from(["/", "/g/h"]))
def test_resolved_paths_are_absolute_and_stay_themselves(text: str, base: str) -> None:
    path = ids.resolve(text, base)
    assert path.startswith("/")
    assert path == "/" or not path.endswith("/")
    assert ".." not in path.split("/")
    assert ids.resolve(path) == path
    if ids.is_path(text):
        assert ids.is_path(path)
        if path != "/":
            task = ids.task_id(ids.instance_id(path, ids.uuid_text(7)))
            assert ids.app_of(task) == path
            assert ids.instance_of(task) == task.removesuffix("._app.1")


@given(milliseconds=st.integers(0, 4_000_000_000_000))
def test_versions_round_trip(milliseconds: int) -> None:
    assert timestamps.parse_ms(timestamps.render_ms(milliseconds)) == milliseconds
