"""The master's numbers: every name there from the start, every count right."""

import pytest

from comity.core.instants import Instant
from comity.master import inputs, metrics
from comity.wire.mesos import scheduler, v1
from support.master_world import MasterWorld, executor, task

DASHBOARD = """
elected uptime_secs slaves_active slaves_connected slaves_disconnected slaves_inactive
slaves_unreachable frameworks_active frameworks_connected frameworks_disconnected
frameworks_inactive outstanding_offers tasks_staging tasks_starting tasks_running tasks_killing
tasks_unreachable tasks_finished tasks_failed tasks_killed tasks_lost tasks_error tasks_gone
tasks_dropped cpus_total cpus_used cpus_percent mem_total mem_used mem_percent disk_total
disk_used disk_percent gpus_total gpus_used gpus_percent dropped_messages
recovery_slave_removals slave_registrations slave_reregistrations slave_removals
messages_kill_task messages_launch_tasks messages_decline_offers messages_register_framework
messages_status_update messages_status_update_acknowledgement messages_reconcile_tasks
valid_status_updates invalid_status_updates operator_event_stream_subscribers
"""


@pytest.fixture
def world():
    return MasterWorld()


def shown(world):
    return metrics.snapshot(world.state, Instant(world.now))


def test_every_name_is_there_from_the_start_and_is_a_number(world):
    found = shown(world)
    assert {f"master/{name}" for name in DASHBOARD.split()} <= set(found)
    assert {type(value) for value in found.values()} == {float}


def test_tasks_are_counted_in_the_state_they_are_in(world):
    world.agent()
    world.subscribe()
    a, b = world.offers(), (task("a"), task("b"))
    world.accept(a, *b, refuse=0)
    assert shown(world)["master/tasks_staging"] == 2
    world.report("a", v1.TaskState.RUNNING)
    found = shown(world)
    assert (found["master/tasks_staging"], found["master/tasks_running"]) == (1, 1)
    assert found["master/cpus_used"] == 2
    world.report("a", v1.TaskState.FAILED)
    found = shown(world)
    assert (found["master/tasks_running"], found["master/tasks_failed"]) == (0, 1)
    assert found["master/cpus_used"] == 1
    assert found["master/cpus_percent"] == 0.25


def test_the_tasks_of_a_lost_agent_are_unreachable(world):
    world.agent()
    world.subscribe(can=("PARTITION_AWARE",))
    world.launch("a", "b")
    world.run(15 * 7)
    found = shown(world)
    assert (found["master/tasks_running"], found["master/tasks_unreachable"]) == (0, 2)
    assert found["master/slaves_unreachable"] == 1
    assert found["master/slave_removals/reason_unhealthy"] == 1
    assert found["master/cpus_total"] == 0


def test_a_removed_frameworks_tasks_count_as_killed(world):
    world.agent()
    world.subscribe()
    world.launch("a", "b")
    world.step(inputs.TeardownRequested(9, "M-0000"))
    found = shown(world)
    assert (found["master/tasks_running"], found["master/tasks_killed"]) == (0, 2)


def test_each_framework_has_numbers_of_its_own(world):
    world.agent()
    world.subscribe(name="a b/c")
    prefix = "master/frameworks/a%20b%2Fc/M-0000/"
    world.launch("a")
    world.report("a", v1.TaskState.FINISHED)
    unknown = scheduler.DeclineBody(offer_ids=(v1.Id(value="none"),))
    world.call(scheduler.Decline(framework_id=v1.Id(value="M-0000"), decline=unknown))
    found = shown(world)
    own = {name.removeprefix(prefix): v for name, v in found.items() if name.startswith(prefix)}
    assert own["subscribed"] == 1
    assert own["calls"] == 3
    assert (own["calls/subscribe"], own["calls/accept"], own["calls/decline"]) == (1, 1, 1)
    assert own["offers/accepted"] == 1
    assert own["offers/sent"] >= 2
    assert own["events/subscribed"] == 1
    assert own["events/update"] == 2
    assert own["operations/launch"] == 1
    assert own["tasks/active/task_running"] == 0
    assert own["tasks/terminal/task_finished"] == 1
    assert own["roles/*/suppressed"] == 0
    assert found["master/dropped_messages"] == 1
    assert found["master/messages_decline_offers"] == 1
    quiet = MasterWorld(publish_per_framework_metrics=False)
    quiet.subscribe()
    assert not any(name.startswith("master/frameworks/") for name in shown(quiet))


def test_ends_are_counted_by_source_and_reason(world):
    world.agent()
    world.subscribe()
    world.launch("a")
    world.step(inputs.AgentMarkedGone(9, "M-S0"))
    found = shown(world)
    assert found["master/task_lost/source_master/reason_slave_removed_by_operator"] == 1
    assert found["master/tasks_lost"] == 1


def test_what_a_framework_uses_is_exact_over_agents_that_use_the_same_ports(world):
    world.agent("link-a")
    world.agent("link-b")
    world.subscribe()
    offers = {one.agent_id.value: one for one in world.offers()}
    needs = "cpus:1;mem:32;ports:[31000-31000]"
    mine = executor(needs="cpus:0.5;mem:32")
    world.accept([offers["M-S0"]], task("a", needs, "M-S0", executor=mine))
    world.accept([offers["M-S1"]], task("b", needs, "M-S1"))
    framework = world.state.frameworks["M-0000"]
    assert framework.used.scalar("cpus") == 2.5
    world.report("a", v1.TaskState.FINISHED, name="link-a")
    assert framework.used.scalar("cpus") == 1.5
    assert framework.used.ranges_of("ports") == ((31000, 31000),)
    world.report("b", v1.TaskState.FINISHED, name="link-b")
    assert framework.used.ranges_of("ports") == ()
