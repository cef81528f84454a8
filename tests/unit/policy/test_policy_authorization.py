"""Access control lists: which rule matches, and what it says (mesos docs/authorization.md)."""

import json

import pytest

from comity.core.errors import UserError
from comity.policy.authorization import acls
from comity.policy.authorization.acls import PERMISSIVE, Action
from comity.policy.authorization.deciding import allows, allows_all

ANY, NONE = {"type": "ANY"}, {"type": "NONE"}


def some(*names):
    return {"values": list(names)}


def parsed(**lists):
    return acls.parse(json.dumps(lists).encode())


def test_without_rules_everything_is_allowed():
    assert allows(PERMISSIVE, Action.RUN_TASK, "ads", "root")
    assert allows(PERMISSIVE, Action.RUN_TASK, None)
    strict = parsed(permissive=False)
    assert not allows(strict, Action.RUN_TASK, "ads", "root")


def test_the_first_rule_that_matches_decides():
    found = parsed(
        run_tasks=[
            {"principals": some("ads"), "users": some("guest")},
            {"principals": some("ads"), "users": NONE},
            {"principals": NONE, "users": some("root")},
        ]
    )
    assert allows(found, Action.RUN_TASK, "ads", "guest")
    assert not allows(found, Action.RUN_TASK, "ads", "root")
    assert not allows(found, Action.RUN_TASK, "web", "root")
    assert allows(found, Action.RUN_TASK, "web", "guest")  # none matches, and it is permissive


def test_nobody_in_particular_is_what_any_stands_for():
    found = parsed(mark_agents_gone=[{"principals": some("ops"), "agents": ANY}], permissive=False)
    assert allows(found, Action.MARK_AGENT_GONE, "ops")
    assert not allows(found, Action.MARK_AGENT_GONE, "ads")
    assert not allows(found, Action.MARK_AGENT_GONE, None)
    open_to_all = parsed(mark_agents_gone=[{"principals": ANY, "agents": ANY}], permissive=False)
    assert allows(open_to_all, Action.MARK_AGENT_GONE, None)


@pytest.mark.parametrize(
    ("role", "is_allowed"),
    [("eng", False), ("eng/ads", True), ("eng/ads/ml", True), ("engine", False), ("ops", True)],
)
def test_a_percent_sign_stands_for_all_roles_below(role, is_allowed):
    found = parsed(
        permissive=False, update_quotas=[{"principals": some("a"), "roles": some("eng/%", "ops")}]
    )
    assert allows(found, Action.UPDATE_QUOTA, "a", role) is is_allowed


def test_a_percent_sign_means_nothing_where_objects_are_no_roles():
    found = parsed(permissive=False, run_tasks=[{"principals": ANY, "users": some("a/%")}])
    assert not allows(found, Action.RUN_TASK, "x", "a/b")


def test_all_of_several_things():
    found = parsed(
        permissive=False, register_frameworks=[{"principals": ANY, "roles": some("a", "b")}]
    )
    assert allows_all(found, Action.REGISTER_FRAMEWORK, "x", ["a", "b"])
    assert not allows_all(found, Action.REGISTER_FRAMEWORK, "x", ["a", "c"])
    assert allows_all(found, Action.REGISTER_FRAMEWORK, "x", [])


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (b"[]", "invalid"),
        (b"{", "invalid"),
        (b'{"fly": []}', "unknown actions: fly"),
        (b'{"run_tasks": [{"principals": {"type": "ANY"}}]}', "lacks 'users'"),
        (b'{"run_tasks": [{"users": {"type": "ANY"}}]}', "lacks 'principals'"),
        (b'{"run_tasks": [{"principals": {"type": "ALL"}, "users": {}}]}', "invalid"),
        (b'{"permissive": "perhaps"}', "invalid"),
    ],
)
def test_a_file_that_is_not_understood_is_refused(text, says):
    with pytest.raises(UserError, match=says):
        acls.parse(text)


def test_whether_something_may_be_refused_is_known():
    assert not PERMISSIVE.has(Action.VIEW_TASK)
    found = parsed(view_tasks=[{"principals": ANY, "users": ANY}])
    assert found.has(Action.VIEW_TASK)
    assert not found.has(Action.VIEW_FRAMEWORK)
    assert parsed(permissive=False).has(Action.VIEW_FRAMEWORK)
