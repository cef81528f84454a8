"""What access control lists keep principals from in a master."""

import json

import pytest

from comity.core import splicing
from comity.core.effects import Send
from comity.core.ids import AgentId, FrameworkId
from comity.master import documents, inputs, operator, permissions
from comity.policy.authorization.acls import ANY as EVERY
from comity.policy.authorization.acls import Acls, Action, Rule
from comity.resources import text
from comity.wire import recordio
from comity.wire.mesos import operator as wire
from comity.wire.mesos import resources, scheduler, v1
from comity.wire.mesos.quota import QuotaConfig, WeightInfo
from support.master_world import MasterWorld, executor, task

ANY = {"type": "ANY"}


def some(*names):
    return {"values": list(names)}


def world_with(**lists):
    world = MasterWorld(acls=json.dumps(lists))
    world.agent(has="cpus:4;mem:1024;disk:100")
    return world


def test_a_framework_gets_an_error_for_a_role_that_is_not_its_own():
    world = world_with(
        permissive=False, register_frameworks=[{"principals": some("ads"), "roles": some("ads")}]
    )
    world.subscribe("s1", role="ads", principal="ads")
    assert world.heard("s1", scheduler.EventSubscribed)
    world.subscribe("s2", role="web", principal="ads")
    [error] = world.heard("s2", scheduler.EventError)
    assert error.error.message == "Not authorized to use roles 'web'"
    assert len(world.state.frameworks) == 1


def test_a_task_of_a_user_that_is_not_allowed_is_an_error_and_its_sibling_runs():
    world = world_with(
        run_tasks=[
            {"principals": ANY, "users": some("guest")},
            {"principals": ANY, "users": {"type": "NONE"}},
        ]
    )
    world.subscribe(user="guest")
    root = v1.CommandInfo(value="true", user="root")
    by = executor("x", "cpus:0.1;mem:32")
    by_root = v1.ExecutorInfo(executor_id=by.executor_id, command=root, resources=by.resources)
    tasks = [task("a", command=root), task("b"), task("c", executor=by_root)]
    world.accept(world.offers(), *tasks)
    found = {one.task_id.value: one for one in world.updates()}
    assert set(found) == {"a", "c"}
    assert {one.state for one in found.values()} == {v1.TaskState.ERROR}
    assert {one.reason for one in found.values()} == {v1.Reason.TASK_UNAUTHORIZED}
    assert "root" in found["a"].message
    assert list(world.state.frameworks[FrameworkId("M-0000")].tasks) == ["b"]


def test_a_group_with_such_a_task_fails_as_a_whole():
    world = world_with(
        permissive=False,
        register_frameworks=[{"principals": ANY, "roles": ANY}],
        run_tasks=[{"principals": ANY, "users": some("guest")}],
    )
    world.subscribe(user="guest")
    [offer] = world.offers()
    group = v1.LaunchGroup(
        executor=v1.ExecutorInfo(
            executor_id=v1.Id(value="e"),
            framework_id=v1.Id(value="M-0000"),
            type=v1.ExecutorType.DEFAULT,
            resources=resources.write(text.parse("cpus:0.1;mem:32;disk:1")),
        ),
        task_group=v1.TaskGroupInfo(
            tasks=(task("a"), task("b", command=v1.CommandInfo(value="true", user="root")))
        ),
    )
    body = scheduler.AcceptBody(
        offer_ids=(offer.id,), operations=(v1.Operation(type="LAUNCH_GROUP", launch_group=group),)
    )
    world.call(scheduler.Accept(framework_id=v1.Id(value="M-0000"), accept=body))
    found = world.updates()
    assert {one.task_id.value for one in found} == {"a", "b"}
    assert {one.reason for one in found} == {v1.Reason.TASK_GROUP_UNAUTHORIZED}
    assert not world.state.frameworks[FrameworkId("M-0000")].tasks


def reserved(role="ads", principal="ads"):
    [one] = resources.write(text.parse("cpus:1"))
    info = v1.ReservationInfo(type="DYNAMIC", role=role, principal=principal)
    return v1.Resource(name="cpus", type="SCALAR", scalar=one.scalar, reservations=(info,))


def test_a_frameworks_reservation_that_is_not_allowed_is_dropped():
    world = world_with(
        permissive=False,
        register_frameworks=[{"principals": ANY, "roles": ANY}],
        reserve_resources=[{"principals": some("ads"), "roles": some("web")}],
    )
    can = ("RESERVATION_REFINEMENT",)
    world.subscribe(role="ads", principal="ads", can=can)
    [offer] = world.offers()
    reserve = v1.Operation(type="RESERVE", reserve=v1.Reserve(resources=(reserved(),)))
    body = scheduler.AcceptBody(offer_ids=(offer.id,), operations=(reserve,))
    world.call(scheduler.Accept(framework_id=v1.Id(value="M-0000"), accept=body))
    assert "Not authorized to RESERVE" in dict(world.last_reply.headers)["Comity-Reason"]
    assert not any(kind.reservations for kind, _ in world.state.agents[AgentId("M-S0")].total)


def operation(kind, **body):
    return inputs.OperationRequested(0, AgentId("M-S0"), v1.Operation(type=kind, **body))


@pytest.mark.parametrize(
    ("lists", "command"),
    [
        ({"teardown_frameworks": "framework_principals"}, "teardown"),
        ({"update_quotas": "roles"}, inputs.QuotaUpdated(0, (QuotaConfig(role="ads"),))),
        ({"update_quotas": "roles"}, inputs.QuotaRemoved(0, "ads")),
        (
            {"update_weights": "roles"},
            inputs.WeightsUpdated(0, (WeightInfo(role="ads", weight=2),)),
        ),
        (
            {"reserve_resources": "roles"},
            operation("RESERVE", reserve=v1.Reserve(resources=(reserved(),))),
        ),
        (
            {"unreserve_resources": "reserver_principals"},
            operation("UNRESERVE", unreserve=v1.Unreserve(resources=(reserved(),))),
        ),
        ({"mark_agents_gone": None}, inputs.AgentMarkedGone(0, AgentId("M-S0"))),
        ({"deactivate_agents": None}, inputs.AgentDeactivated(0, AgentId("M-S0"))),
        ({"reactivate_agents": None}, inputs.AgentReactivated(0, AgentId("M-S0"))),
        ({"start_maintenances": None}, inputs.MaintenanceStarted(0, ())),
    ],
)
def test_operators_commands(lists, command):
    [(name, about)] = lists.items()
    objects = {"agents": ANY} if name.endswith(("gone", "agents")) else {"machines": ANY}
    if about is not None:
        objects = {about: some("ads")}
    world = world_with(**{name: [{"principals": some("ops"), **objects}], "permissive": False})
    if command == "teardown":
        world.state.acls = Acls()
        world.subscribe(principal="ads")
        world.state.acls = world_with(
            **{name: [{"principals": some("ops"), **objects}], "permissive": False}
        ).state.acls
        command = inputs.TeardownRequested(0, FrameworkId("M-0000"))
    assert not permissions.refused(world.state, command, "ops")
    assert permissions.refused(world.state, command, "ads")
    assert permissions.refused(world.state, command, None)


def seen_by(world, principal):
    show = permissions.show_for(world.state, principal)
    shown = documents.whole_state(world.state, show)
    whole = json.loads(b"".join(splicing.joined(splicing.pieces(splicing.skeleton(shown), show))))
    v1_tasks = operator.answer(world.state, wire.GetTasks(), show)
    listed = json.loads(
        b"".join(splicing.joined(splicing.pieces(splicing.skeleton(v1_tasks), show)))
    )
    return whole, listed["get_tasks"].get("tasks", [])


def test_readers_see_what_they_may():
    world = world_with(
        permissive=False,
        register_frameworks=[{"principals": ANY, "roles": ANY}],
        run_tasks=[{"principals": ANY, "users": ANY}],
        view_frameworks=[
            {"principals": some("ops"), "users": ANY},
            {"principals": some("ads"), "users": some("guest")},
        ],
        view_tasks=[
            {"principals": some("ops"), "users": ANY},
            {"principals": some("ads"), "users": some("guest")},
        ],
        view_flags=[{"principals": some("ops"), "flags": ANY}],
    )
    world.subscribe("s1", user="guest")
    by_root = v1.CommandInfo(value="true", user="root")
    world.accept(world.offers("s1"), task("a"), task("b", command=by_root), stream="s1")
    world.subscribe("s2", user="root")
    whole, tasks = seen_by(world, "ops")
    assert len(whole["frameworks"]) == 2
    assert len(tasks) == 2
    assert "flags" in whole
    whole, tasks = seen_by(world, "ads")
    [framework] = whole["frameworks"]
    assert [one["id"] for one in framework["tasks"]] == ["a"]
    assert [one["task_id"]["value"] for one in tasks] == ["a"]
    assert "flags" not in whole
    whole, tasks = seen_by(world, None)
    assert (whole["frameworks"], tasks) == ([], [])
    assert len(whole["slaves"]) == 1


def test_watchers_hear_what_they_may_see():
    world = world_with(
        view_frameworks=[{"principals": some("ops"), "users": ANY}], permissive=False
    )
    world.state.acls = Acls(False, {**world.state.acls.rules, **_open("register_frameworks")})
    heard = {"ops": [], "ads": []}
    take = world._take

    def watched(out):
        for send in [one for one in out.sends if one.stream in heard]:
            out.sends.remove(send)
            if isinstance(send, Send):
                [record] = recordio.Decoder().feed(send.data)
                heard[send.stream].append(json.loads(record)["type"])
        take(out)

    world._take = watched
    for principal in heard:
        world.step(inputs.OperatorSubscribed(1, principal, principal=principal))
    world.subscribe()
    world.agent("link-b")
    assert heard["ops"] == ["SUBSCRIBED", "HEARTBEAT", "FRAMEWORK_ADDED", "AGENT_ADDED"]
    assert heard["ads"] == ["SUBSCRIBED", "HEARTBEAT", "AGENT_ADDED"]


def _open(name):
    return {Action(name): (Rule(EVERY, EVERY),)}


def test_roles_that_one_may_not_see_are_left_out():
    world = world_with(
        view_roles=[{"principals": some("ads"), "roles": some("ads")}], permissive=False
    )
    given = {"roles": [{"name": "ads", "weight": 1.0}, {"name": "web", "weight": 2.0}]}
    found = permissions.of_visible_roles(world.state.acls, Action.VIEW_ROLE, "ads", given)
    assert found == {"roles": [{"name": "ads", "weight": 1.0}]}
    assert permissions.of_visible_roles(Acls(), Action.VIEW_ROLE, "ads", given) is given
