"""The machine: subscriptions, offers, tasks, failover, partitions (mesos.md, section 4)."""

import msgspec
import pytest

from comity.core.effects import Outbox
from comity.master import inputs
from comity.master.machine import HANDLERS
from comity.master.table import table
from comity.wire.mesos import link, resources, scheduler, v1
from support.master_world import MasterWorld, executor, task

FW = v1.Id(value="M-0000")
S = v1.TaskState
UUID = b"u" * 6 + b"\x40" + b"u" * 9


@pytest.fixture
def world():
    return MasterWorld()


def ready(**info):
    made = MasterWorld()
    made.agent()
    made.subscribe(**info)
    return made


def acknowledge(world, task_id, uuid=UUID):
    body = scheduler.AcknowledgeBody(
        agent_id=v1.Id(value="M-S0"), task_id=v1.Id(value=task_id), uuid=uuid
    )
    return world.call(scheduler.Acknowledge(framework_id=FW, acknowledge=body))


def reconcile(world, *asked):
    body = scheduler.ReconcileBody(
        tasks=tuple(
            scheduler.ReconcileTask(
                task_id=v1.Id(value=name), agent_id=v1.Id(value=agent) if agent else None
            )
            for name, agent in asked
        )
    )
    assert world.call(scheduler.Reconcile(framework_id=FW, reconcile=body)) == 202
    return world.updates()


def test_every_input_has_its_handler():
    assert HANDLERS
    assert table.inputs == frozenset(inputs.Input.__args__)


# subscribing


def test_subscribed_comes_first_then_a_heartbeat_and_one_every_15_s(world):
    world.subscribe()
    opened, subscribed, beat = world.said["s1"]
    assert opened == "OpenStream"
    assert subscribed.subscribed.framework_id == FW
    assert subscribed.subscribed.heartbeat_interval_seconds == 15.0
    assert isinstance(beat, scheduler.EventHeartbeat)
    world.run(30)
    assert len(world.heard("s1", scheduler.EventHeartbeat)) == 3


@pytest.mark.parametrize(
    "info",
    [
        {"role": "/bad"},
        {"role": "-x"},
        {"role": "a b"},
        {"roles": ("a",)},
        {"role": "a", "can": ("MULTI_ROLE",)},
        {"roles": ("a", "a"), "can": ("MULTI_ROLE",)},
        {"failover_timeout": 1e300},
        {"failover_timeout": -1.0},
        {"suppressed": ("other",)},
        {"framework_id": "../x"},
    ],
)
def test_a_bad_framework_gets_an_error_event_and_the_end(world, info):
    world.subscribe(**info)
    opened, error, closed = world.said["s1"]
    assert (opened, closed) == ("OpenStream", "CloseStream")
    assert error.error.message
    assert not world.state.frameworks


def test_ids_that_differ_are_400(world):
    call = scheduler.Subscribe(
        framework_id=v1.Id(value="other"),
        subscribe=scheduler.SubscribeBody(framework_info=v1.FrameworkInfo(user="u", name="n")),
    )
    world.step(inputs.SchedulerSubscribed(7, call, "s1"))
    assert world.replies[7].status == 400


def test_an_empty_id_asks_for_a_new_one(world):
    world.subscribe(framework_id="")
    assert list(world.state.frameworks) == ["M-0000"]


def test_the_second_stream_wins():
    world = ready()
    [offer] = world.offers()
    world.subscribe("s2", framework_id="M-0000")
    assert world.said["s1"][-2].error.message == "Framework failed over"
    assert world.said["s1"][-1] == "CloseStream"
    assert not world.heard("s1", scheduler.EventRescind)
    [again] = world.offers("s2")
    assert again.id != offer.id
    revive = scheduler.Revive(framework_id=FW)
    assert world.call(revive, "s1") == 400
    assert world.call(revive, "") == 400
    assert world.call(revive, "s2") == 202


def test_a_changed_principal_is_an_error():
    world = ready(principal="one")
    world.subscribe("s2", framework_id="M-0000", principal=None, user="root")
    assert "principal" in world.heard("s2", scheduler.EventError)[0].error.message


def test_unknown_framework_is_400_and_a_disconnected_one_403():
    world = ready(failover_timeout=60.0)
    assert world.call(scheduler.Revive(framework_id=v1.Id(value="who"))) == 400
    world.step(inputs.StreamClosed("s1"))
    assert world.call(scheduler.Revive(framework_id=FW)) == 403


# offers


def test_an_agent_is_offered_whole():
    world = ready()
    [offer] = world.offers()
    assert resources.read(offer.resources) == world.state.agents["M-S0"].total
    assert offer.allocation_info is None
    assert (offer.hostname, offer.url.path) == ("link-a", "/slave(1)")


def test_refusing_for_no_time_means_until_the_next_cycle():
    world = ready()
    for _ in range(3):
        world.decline(world.offers(), refuse=0)
        assert world.offers() == []
        world.run(1)
    assert len(world.offers()) == 1


@pytest.mark.parametrize(("refuse", "least"), [(0.1, 1), (None, 5), (60, 60), (-1, 5)])
def test_a_refusal_lasts(refuse, least):
    world = ready()
    world.decline(world.offers(), refuse=refuse)
    world.run(least - 0.5)
    assert world.offers() == []
    world.run(2)
    assert len(world.offers()) == 1


def test_revive_drops_filters_and_suppress_stops_offers():
    world = ready()
    world.decline(world.offers(), refuse=3600)
    world.call(scheduler.Revive(framework_id=FW))
    [offer] = world.offers()
    world.call(scheduler.Suppress(framework_id=FW))
    world.decline([offer], refuse=0)
    world.run(60)
    assert world.offers() == []


def test_suppressing_one_of_two_roles_leaves_the_other(world):
    world.subscribe(roles=("a", "b"), can=("MULTI_ROLE",), suppressed=("a",))
    world.agent()
    assert [one.allocation_info.role for one in world.offers()] == ["b"]


def test_more_than_was_refused_is_offered_in_spite_of_the_filter():
    world = ready()
    world.accept(world.offers(), task("t"), refuse=3600)
    world.run(10)
    assert world.offers() == []
    world.report("t", S.FINISHED)
    assert len(world.offers()) == 1


def test_offers_of_an_agent_that_is_gone_are_rescinded():
    world = ready()
    [offer] = world.offers()
    world.step(inputs.StreamClosed("link-a"))
    assert [e.rescind.offer_id for e in world.heard("s1", scheduler.EventRescind)] == [offer.id]
    assert not world.state.offers


# launching


def test_a_task_runs_and_gives_its_resources_back():
    world = ready()
    world.accept(world.offers(), task("t"), refuse=0)
    [run] = world.heard("link-a", link.EventRunTasks)
    assert [one.task_id.value for one in run.tasks] == ["t"]
    assert world.state.agents["M-S0"].used.scalar("cpus") == 1
    world.report("t", S.RUNNING)
    world.report("t", S.FINISHED, uuid=UUID)
    assert [one.state for one in world.updates()] == [S.RUNNING, S.FINISHED]
    assert not world.state.agents["M-S0"].used
    framework = world.state.frameworks["M-0000"]
    assert list(framework.tasks) == ["t"], "kept until the acknowledgement"
    assert acknowledge(world, "t") == 202
    assert not framework.tasks
    assert len(framework.completed_tasks) == 1
    assert world.heard("link-a", link.EventAcknowledge)


@pytest.mark.parametrize(
    ("bad", "words"),
    [
        (task("bad", "cpus:99"), "more than available"),
        (task("good"), "duplicate"),
        (task("bad", agent_id="M-S9"), "invalid agent"),
        (
            v1.TaskInfo(
                name="n",
                task_id=FW,
                agent_id=v1.Id(value="M-S0"),
                command=v1.CommandInfo(value="x"),
            ),
            "no resources",
        ),
        (task("bad", command=None), "both"),
        (task("bad", command=v1.CommandInfo(value="x"), executor=executor()), "both"),
        (task("a/b"), "slash"),
        (task("x" * 256), "255"),
        (
            task(
                "bad", "cpus:1;ports:[31000-31001]", executor=executor(needs="ports:[31001-31002]")
            ),
            "same ports",
        ),
        (task("bad", "cpus:1;ports:[1-2]"), "more than available"),
    ],
)
def test_a_bad_task_is_an_error_and_its_sibling_runs(bad, words):
    world = ready()
    world.accept(world.offers(), task("good"), bad)
    [status] = world.updates()
    assert (status.state, status.reason) == (S.ERROR, v1.Reason.TASK_INVALID)
    assert (status.source, status.uuid) == (v1.Source.MASTER, None)
    assert words in status.message
    [run] = world.heard("link-a", link.EventRunTasks)
    assert [one.task_id.value for one in run.tasks] == ["good"]


@pytest.mark.parametrize(("can", "state"), [((), S.LOST), (("PARTITION_AWARE",), S.DROPPED)])
def test_invalid_offers_drop_the_tasks(can, state):
    world = ready(can=can)
    offers = world.offers()
    world.decline(offers, refuse=3600)
    world.accept(offers, task("t"))
    [status] = world.updates()
    assert (status.state, status.reason) == (state, v1.Reason.INVALID_OFFERS)


def test_two_agents_offers_or_one_twice_cannot_be_combined(world):
    world.agent("link-a")
    world.agent("link-b")
    world.subscribe()
    offers = world.offers()
    assert len(offers) == 2
    world.accept([offers[0], offers[0]], task("t"))
    world.accept([offers[1], offers[0]], task("u"))
    assert [one.reason for one in world.updates()] == [v1.Reason.INVALID_OFFERS] * 2


def test_two_offers_of_one_agent_serve_one_task():
    world = ready()
    world.accept(world.offers(), task("t", "cpus:3;mem:512"), refuse=0)
    first = world.offers()
    world.report("t", S.FINISHED)
    second = world.offers()
    world.accept(first + second, task("u", "cpus:4;mem:1024"))
    assert [one.state for one in world.updates()] == [S.FINISHED]
    assert world.state.agents["M-S0"].used.scalar("cpus") == 4


def test_executors_are_charged_once_and_must_stay_the_same():
    world = ready()
    one = executor(needs="cpus:0.5;mem:32")
    world.accept(world.offers(), task("a", executor=one), task("b", executor=one), refuse=0)
    assert world.state.agents["M-S0"].used.scalar("cpus") == 2.5
    world.accept(world.offers(), task("c", executor=executor(command="other")), refuse=0)
    assert "not compatible" in world.updates()[0].message
    ended = link.ExitedExecutor(framework_id=FW, executor_id=v1.Id(value="x"), status=1792)
    world.agent_says(ended)
    [failure] = world.heard("s1", scheduler.EventFailure)
    assert failure.failure.status == 1792
    assert world.state.agents["M-S0"].used.scalar("cpus") == 2


def test_an_executor_without_resources_is_known_too():
    world = ready()
    world.accept(world.offers(), task("a", executor=executor()), refuse=0)
    body = scheduler.ShutdownBody(executor_id=v1.Id(value="x"), agent_id=v1.Id(value="M-S0"))
    world.call(scheduler.Shutdown(framework_id=FW, shutdown=body))
    assert world.heard("link-a", link.EventShutdownExecutor)


def test_other_operations_are_refused_and_change_nothing():
    world = ready()
    [offer] = world.offers()
    body = scheduler.AcceptBody(
        offer_ids=(offer.id,), operations=(v1.Operation(type="CREATE_DISK"),)
    )
    assert world.call(scheduler.Accept(framework_id=FW, accept=body)) == 501
    assert offer.id.value in world.state.offers


# kill, acknowledge, reconcile


def test_kill_is_passed_on_or_waits_for_the_agent():
    world = ready(checkpoint=True)
    world.launch("t")
    kill = scheduler.Kill(framework_id=FW, kill=scheduler.KillBody(task_id=v1.Id(value="t")))
    assert world.call(kill) == 202
    assert len(world.heard("link-a", link.EventKillTask)) == 1
    world.step(inputs.StreamClosed("link-a"))
    world.call(kill)
    held = world.state.frameworks["M-0000"].tasks["t"].info
    held = msgspec.structs.replace(held, state=S.RUNNING)
    world.agent("link-b", agent_id="M-S0", tasks=(held,))
    assert isinstance(world.said["link-b"][1], link.EventRegistered)
    assert len(world.heard("link-b", link.EventKillTask)) == 1


@pytest.mark.parametrize("uuid", [b"abc", bytes(16)])
def test_a_bad_uuid_is_400(uuid):
    assert acknowledge(ready(), "t", uuid) == 400


def test_implicit_reconciliation_tells_of_every_task():
    world = ready()
    world.launch("a", "b")
    world.updates()
    told = reconcile(world)
    assert [(one.task_id.value, one.state) for one in told] == [("a", S.RUNNING), ("b", S.RUNNING)]
    assert {one.reason for one in told} == {v1.Reason.RECONCILIATION}
    assert {one.uuid for one in told} == {None}


def test_explicit_reconciliation():
    world = ready(can=("PARTITION_AWARE",))
    world.launch("a")
    world.updates()
    told = reconcile(world, ("a", None), ("b", "M-S0"), ("c", "M-S9"), ("d", None))
    assert [one.state for one in told] == [S.RUNNING, S.GONE, S.UNKNOWN, S.UNKNOWN]
    plain = ready()
    assert [one.state for one in reconcile(plain, ("b", "M-S0"), ("c", None))] == [S.LOST] * 2


def test_nothing_is_said_of_tasks_whose_agent_may_come_back():
    first = MasterWorld()
    first.agent()
    world = MasterWorld(registry=first.store)
    world.subscribe(framework_id="M-0000", can=("PARTITION_AWARE",))
    assert reconcile(world, ("a", "M-S0"), ("b", None)) == []
    world.run(601)
    assert [one.state for one in reconcile(world, ("a", "M-S0"))] == [S.UNREACHABLE]


# failover, partitions, the end


def test_a_framework_that_stays_away_ends_after_its_timeout():
    world = ready(failover_timeout=60.0, checkpoint=True)
    world.launch("t")
    world.step(inputs.StreamClosed("s1"))
    world.run(59)
    assert "M-0000" in world.state.frameworks
    world.run(2)
    assert "M-0000" in world.state.completed_frameworks
    assert world.heard("link-a", link.EventShutdownFramework)
    assert not world.state.agents["M-S0"].used
    world.subscribe("s2", framework_id="M-0000")
    message = world.heard("s2", scheduler.EventError)[0].error.message
    assert message == "Framework has been removed"


def test_teardown_ends_the_stream_and_the_tasks():
    world = ready()
    world.launch("t")
    world.updates()
    assert world.call(scheduler.Teardown(framework_id=FW)) == 202
    assert world.said["s1"][-1] == "CloseStream"
    assert world.updates() == []
    [ended] = world.state.completed_frameworks["M-0000"].completed_tasks
    assert ended.state is S.KILLED


@pytest.mark.parametrize(("can", "state"), [((), S.LOST), (("PARTITION_AWARE",), S.UNREACHABLE)])
def test_a_silent_agent_is_unreachable_and_may_return(can, state):
    world = ready(can=can, checkpoint=True)
    world.launch("t")
    world.updates()
    held = world.state.frameworks["M-0000"].tasks["t"].info
    world.run(91)  # a ping every 15 s, five without an answer
    [status] = world.updates()
    assert status.state is state
    assert (status.unreachable_time is not None) == (state is S.UNREACHABLE)
    assert world.heard("s1", scheduler.EventFailure)
    assert "unreachable/M-S0" in world.store
    back = msgspec.structs.replace(held, state=S.RUNNING)
    world.agent("link-b", agent_id="M-S0", tasks=(back,))
    [status] = world.updates()
    assert (status.state, status.reason) == (S.RUNNING, v1.Reason.AGENT_REREGISTERED)
    assert not world.heard("link-b", link.EventKillTask)
    assert list(world.store) == ["agents/M-S0"]


def test_a_new_master_learns_tasks_from_agents_and_waits_for_schedulers():
    first = ready(checkpoint=True)
    first.launch("t")
    held = first.state.frameworks["M-0000"]
    info = msgspec.structs.replace(held.tasks["t"].info, state=S.RUNNING)
    world = MasterWorld(registry=first.store)
    world.agent(agent_id="M-S0", tasks=(info,), frameworks=(held.info,))
    assert world.state.frameworks["M-0000"].recovered
    assert world.state.agents["M-S0"].used.scalar("cpus") == 1
    world.run(30)
    world.subscribe("s2", framework_id="M-0000")
    assert not world.state.frameworks["M-0000"].recovered
    assert [one.state for one in reconcile_on(world, "s2")] == [S.RUNNING]
    [offer] = world.offers("s2")
    assert resources.read(offer.resources).scalar("cpus") == 3


def reconcile_on(world, stream):
    world.call(scheduler.Reconcile(framework_id=FW), stream)
    return world.updates(stream)


def test_an_agent_that_claims_the_impossible_is_refused():
    first = ready()
    first.launch("t")
    held = first.state.frameworks["M-0000"]
    info = msgspec.structs.replace(held.tasks["t"].info, state=S.RUNNING)
    world = MasterWorld()
    to = world.agent(has="cpus:0.5", agent_id="M-S0", tasks=(info,), frameworks=(held.info,))
    assert world.replies[to].status == 400
    assert not world.state.agents


def test_a_task_the_agent_forgot_is_lost():
    world = ready(checkpoint=True)
    world.launch("t")
    world.updates()
    world.agent("link-b", agent_id="M-S0")
    [status] = world.updates()
    assert (status.state, status.reason) == (S.LOST, v1.Reason.AGENT_RESTARTED)
    assert not world.state.agents["M-S0"].used


def test_a_gone_agent_stays_gone():
    world = ready(can=("PARTITION_AWARE",))
    world.launch("t")
    world.updates()
    world.step(inputs.AgentMarkedGone(90, "M-S0"))
    assert [one.state for one in world.updates()] == [S.GONE_BY_OPERATOR]
    assert [one.state for one in reconcile(world, ("t", "M-S0"))] == [S.GONE_BY_OPERATOR]
    world.agent("link-b", agent_id="M-S0")
    assert isinstance(world.said["link-b"][1], link.EventShutdown)
    world.step(inputs.AgentMarkedGone(91, "M-S9"))
    assert (world.replies[90].status, world.replies[91].status) == (200, 404)


def test_acknowledgements_for_an_absent_agent_are_dropped():
    world = ready(checkpoint=True)
    world.launch("t")
    world.report("t", S.FINISHED)
    world.step(inputs.StreamClosed("link-a"))
    acknowledge(world, "t")
    assert "t" in world.state.frameworks["M-0000"].tasks


def test_stale_timers_do_nothing():
    world = ready()
    for item in (
        inputs.HeartbeatDue("M-0000", "old"),
        inputs.PingDue("M-S0", "old"),
        inputs.AgentReturnDue("M-S0"),
        inputs.FrameworkReturnDue("M-0000"),
        inputs.StreamClosed("old"),
    ):
        out = Outbox()
        world.machine.step(item, world.now, out)
        assert out == Outbox()
