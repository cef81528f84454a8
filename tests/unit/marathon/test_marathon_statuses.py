"""Statuses, back-off, lost agents, health, and what a reconnect brings."""

import pytest

from comity.marathon import inputs, views
from comity.marathon.outbox import Acknowledge, Kill, Reconcile, Resubscribe
from comity.wire.mesos import v1
from support.marathon_world import World, started

APP = {"id": "/a", "cmd": "sleep 100", "cpus": 0.1, "mem": 32.0}
HTTP = {"protocol": "HTTP", "gracePeriodSeconds": 5, "intervalSeconds": 2}


def created(instances: int = 1, agents: int = 1, **app: object) -> World:
    world = started(agents)
    assert world.post(**APP | {"instances": instances} | app)[0] == 201
    world.settle()
    return world


def finish_probes(world: World, cause: str | None) -> int:
    probes, world.probes = world.probes, []
    for probe in probes:
        world.step(inputs.ProbeFinished(probe.task_id, probe.check, cause))
    world.settle()
    return len(probes)


def test_a_status_is_acknowledged_and_a_second_one_changes_nothing() -> None:
    world = created()
    task_id = world.tasks("/a")[0].task_id
    world.effects.clear()
    before = dict(world.store)
    world.status(task_id, v1.TaskState.RUNNING)
    assert [type(one) for one in world.effects] == [Acknowledge]
    assert world.store == before


@pytest.mark.parametrize("state", [v1.TaskState.FAILED, v1.TaskState.FINISHED])
def test_tasks_that_end_by_themselves_are_delayed_more_and_more(state: v1.TaskState) -> None:
    world = created(backoffSeconds=10, backoffFactor=2.0, maxLaunchDelaySeconds=35)
    for delay_s in (10, 20, 35, 35):
        world.status(world.tasks("/a")[0].task_id, state)
        world.settle()
        assert not world.tasks("/a")
        item = views.queue(world.state, world.now, with_offers=False)["queue"][0]
        assert item["delay"] == {"timeLeftSeconds": delay_s, "overdue": False}
        world.pass_time(delay_s - 1)
        assert not world.tasks("/a")
        world.pass_time(1)
        assert world.running("/a") == 1


def test_a_killed_task_is_replaced_at_once() -> None:
    world = created(backoffSeconds=10)
    world.status(world.tasks("/a")[0].task_id, v1.TaskState.KILLED)
    world.settle()
    assert world.running("/a") == 1


def test_the_delay_ends_on_request_and_by_a_new_definition() -> None:
    world = created(backoffSeconds=100)
    world.status(world.tasks("/a")[0].task_id, v1.TaskState.FAILED)
    world.settle()
    assert world.ask(lambda to: inputs.DelayReset(to, "/a")) == (204, None)
    world.settle()
    assert world.running("/a") == 1
    status, body = world.ask(lambda to: inputs.DelayReset(to, "/a"))
    assert (status, body["message"]) == (404, "Application /a not found in tasks queue.")
    world.status(world.tasks("/a")[0].task_id, v1.TaskState.FAILED)
    world.put("/a", cmd="new")
    world.settle()
    assert world.running("/a") == 1


def test_the_last_failure_is_kept_over_a_restart() -> None:
    world = created()
    task_id = world.tasks("/a")[0].task_id
    world.status(task_id, v1.TaskState.FAILED, message="exit 3")
    world.crash()
    info = views.single_app(world.state, "/a", frozenset())["app"]
    failure = info["lastTaskFailure"]
    assert (failure["taskId"], failure["state"]) == (task_id, "TASK_FAILED")
    assert failure["message"] == "exit 3"


def test_a_task_nobody_knows_is_killed() -> None:
    world = created()
    world.effects.clear()
    world.status("b.instance-1._app.1", v1.TaskState.RUNNING)
    assert Kill("b.instance-1._app.1", "S0") in world.effects
    world.effects.clear()
    world.status("b.instance-1._app.1", v1.TaskState.KILLED)
    assert not [one for one in world.effects if isinstance(one, Kill)]


def test_a_launch_on_an_offer_that_was_taken_back_is_no_failure() -> None:
    world = created()
    world.hold_starts = True
    world.put("/a", instances=2)
    world.settle()
    staged = next(one for one in world.tasks("/a") if one.condition == "Staging")
    world.status(
        staged.task_id, v1.TaskState.DROPPED, reason=v1.Reason.INVALID_OFFERS, message="gone"
    )
    world.hold_starts = False
    world.settle()
    assert world.running("/a") == 2
    assert not world.state.failures


def test_a_lost_instance_is_replaced_and_killed_when_it_returns() -> None:
    world = created(unreachableStrategy={"inactiveAfterSeconds": 30, "expungeAfterSeconds": 60})
    lost = world.tasks("/a")[0].task_id
    world.status(lost, v1.TaskState.UNREACHABLE)
    world.pass_time(29)
    assert [one.task_id for one in world.tasks("/a")] == [lost]
    world.pass_time(1)
    assert world.running("/a") == 1
    assert lost in {one.task_id for one in world.tasks("/a")}
    world.pass_time(30)
    assert lost not in {one.task_id for one in world.tasks("/a")}
    world.status(lost, v1.TaskState.RUNNING)
    assert any(isinstance(one, Kill) and one.task_id == lost for one in world.effects)


def test_a_lost_instance_that_returns_in_time_stays() -> None:
    world = created(unreachableStrategy={"inactiveAfterSeconds": 30, "expungeAfterSeconds": 60})
    lost = world.tasks("/a")[0].task_id
    world.status(lost, v1.TaskState.UNREACHABLE)
    world.pass_time(10)
    world.status(lost, v1.TaskState.RUNNING)
    world.pass_time(100)
    assert [one.task_id for one in world.tasks("/a")] == [lost]


def test_a_lost_instance_with_the_strategy_disabled_is_waited_for() -> None:
    world = created(unreachableStrategy="disabled")
    world.status(world.tasks("/a")[0].task_id, v1.TaskState.UNREACHABLE)
    world.crash()
    world.pass_time(10_000)
    assert [one.condition for one in world.tasks("/a")] == ["Unreachable"]


def test_by_default_a_lost_instance_is_replaced_at_once() -> None:
    world = created()
    lost = world.tasks("/a")[0].task_id
    world.status(lost, v1.TaskState.UNREACHABLE)
    world.settle()
    assert world.running("/a") == 1
    assert lost not in {one.task_id for one in world.tasks("/a")}


def test_a_deployment_waits_for_health() -> None:
    world = created(healthChecks=[HTTP])
    assert world.state.deployments
    counts = views.counts(world.state, "/a")
    assert (counts["tasksRunning"], counts["tasksHealthy"]) == (1, 0)
    world.pass_time(1)
    assert finish_probes(world, "refused") == 1
    assert world.state.deployments
    world.pass_time(1)
    assert finish_probes(world, None) == 1
    assert not world.state.deployments
    assert views.counts(world.state, "/a")["tasksHealthy"] == 1
    [result] = views.tasks_of(world.state, "/a")[0]["healthCheckResults"]
    assert result["alive"] is True


def test_a_sick_task_is_killed_after_its_failures_in_a_row() -> None:
    world = created(healthChecks=[HTTP | {"maxConsecutiveFailures": 3}])
    world.listen()
    sick = world.tasks("/a")[0].task_id
    world.pass_time(1)
    finish_probes(world, None)
    for failures in range(1, 4):
        assert sick in world.alive()
        world.pass_time(2)
        assert finish_probes(world, "HTTP status 500") == 1
        if failures < 3:
            health = world.state.healths[sick][0]
            assert (health.alive, health.consecutive_failures) == (False, failures)
    assert sick not in world.alive()
    assert world.running("/a") == 1
    kinds = [event["eventType"] for event in world.events]
    assert "unhealthy_instance_kill_event" in kinds
    assert "health check failed" in world.state.failures["/a"].message


def test_failures_do_not_count_in_the_grace_period_or_with_no_maximum() -> None:
    world = created(healthChecks=[HTTP | {"maxConsecutiveFailures": 1}])
    sick = world.tasks("/a")[0].task_id
    world.pass_time(1)
    finish_probes(world, "refused")
    world.pass_time(3)
    finish_probes(world, "refused")
    assert sick in world.alive()
    world.pass_time(3)
    finish_probes(world, "refused")
    assert sick not in world.alive()
    forever = created(healthChecks=[HTTP | {"maxConsecutiveFailures": 0}])
    for _ in range(20):
        forever.pass_time(10)
        finish_probes(forever, "refused")
    assert forever.running("/a") == 1


def test_agents_report_health_by_status() -> None:
    world = created(healthChecks=[{"protocol": "COMMAND", "command": {"value": "true"}}])
    task_id = world.tasks("/a")[0].task_id
    assert world.state.deployments
    world.status(task_id, v1.TaskState.RUNNING, healthy=True)
    world.settle()
    assert not world.state.deployments
    world.status(task_id, v1.TaskState.RUNNING, healthy=False, message="exit 1")
    assert views.counts(world.state, "/a")["tasksUnhealthy"] == 1
    assert not world.probes


def test_probing_starts_again_after_a_crash() -> None:
    world = created(healthChecks=[HTTP])
    world.crash()
    world.subscribe()
    world.probes.clear()
    world.pass_time(1)
    assert len(world.probes) == 1


def test_a_task_that_never_starts_is_replaced() -> None:
    world = started()
    world.hold_starts = True
    world.post(**APP)
    world.settle()
    stuck = world.tasks("/a")[0].task_id
    world.pass_time(299)
    assert [one.task_id for one in world.tasks("/a")] == [stuck]
    world.pass_time(1)
    assert stuck not in {one.task_id for one in world.tasks("/a")}


def test_a_kill_is_told_again_until_it_is_heard() -> None:
    world = created()
    world.hold_kills = True
    task_id = world.tasks("/a")[0].task_id
    world.kill("/a")
    world.effects.clear()
    world.pass_time(30)
    assert Kill(task_id, "S0") in world.effects
    world.crash()
    world.effects.clear()
    world.subscribe()
    assert Kill(task_id, "S0") in world.effects
    world.hold_kills = False
    world.settle()
    assert task_id not in world.alive()


def test_a_subscription_reconciles_what_is_known_and_what_is_not() -> None:
    world = created()
    world.step(inputs.Disconnected("test"))
    task_id = world.tasks("/a")[0].task_id
    world.effects.clear()
    world.step(inputs.Subscribed("F", "m"))
    found = [one for one in world.effects if isinstance(one, Reconcile)]
    assert found == [Reconcile(((task_id, "S0"),)), Reconcile(())]


def test_tasks_that_died_while_we_were_away_are_replaced() -> None:
    world = created(2)
    gone = world.tasks("/a")[0].task_id
    world.crash()
    for agent in world.agents:
        agent.tasks.pop(gone, None)
    del world.states[gone]
    world.subscribe()
    world.pass_time(5)
    assert world.running("/a") == 2
    assert gone not in {one.task_id for one in world.tasks("/a")}


def test_a_framework_that_was_torn_down_starts_anew() -> None:
    world = created(2)
    world.states = dict.fromkeys(world.states, v1.TaskState.KILLED)
    world.agents[0].tasks.clear()
    world.effects.clear()
    world.step(inputs.FrameworkRemoved("Framework has been removed"))
    assert Resubscribe(anew=True) in world.effects
    assert "framework" not in world.store
    world.subscribe()
    assert world.running("/a") == 2


def test_events_are_filtered_by_type() -> None:
    world = started()
    world.listen("deployment_success", "status_update_event")
    world.post(**APP)
    world.settle()
    kinds = [event["eventType"] for event in world.events]
    assert set(kinds) == {"deployment_success", "status_update_event"}
    update = next(one for one in world.events if one["eventType"] == "status_update_event")
    assert update["taskStatus"] == "TASK_STARTING"
    assert all(one["timestamp"].endswith("Z") for one in world.events)
    world.step(inputs.EventsClosed("events-1"))
    assert not world.state.readers


def test_an_app_can_be_deleted_while_its_agent_is_lost() -> None:
    world = created(unreachableStrategy={"inactiveAfterSeconds": 0, "expungeAfterSeconds": 9999})
    world.status(world.tasks("/a")[0].task_id, v1.TaskState.UNREACHABLE)
    world.settle()
    assert len(world.tasks("/a")) == 2
    world.delete("/a")
    world.settle()
    assert not world.state.deployments
    assert not world.tasks("/a")
