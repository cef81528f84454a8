"""Reconciliation with a master that has failed over, and knows less than we do for a while."""

from comity.core.instants import Instant
from comity.marathon import inputs
from comity.marathon.outbox import Kill, Reconcile
from comity.wire.mesos import v1
from support.marathon_world import World, started

S = v1.TaskState


def failed_over(instances: int = 1, **config: float) -> World:
    """Return a world whose new master has not heard from its agents yet: it answers nothing."""
    world = started(**config)
    world.post(id="/a", cmd="sleep 100", instances=instances)
    world.settle()
    world.step(inputs.Disconnected("test"))
    world.effects.clear()
    world.step(inputs.Subscribed("F", "m"))
    return world


def asked(world: World, seconds: float) -> list[float]:
    """Let time pass with a silent master; return when it was asked about known tasks."""
    world.effects.clear()
    start, found = world.now, []
    while due := [at for at in world.timers.values() if at <= start + seconds]:
        world.now = Instant(max(world.now, min(due)))
        world.fire()
        if any(isinstance(one, Reconcile) and one.tasks for one in world.effects):
            found.append(round(world.now - start, 3))
        world.effects.clear()
    return found


def test_a_silent_master_is_asked_again_at_growing_intervals() -> None:
    assert asked(failed_over(), 70) == [1, 3, 7, 15, 31, 63]


def test_it_is_asked_for_nothing_more_once_it_has_answered() -> None:
    world = failed_over(2, reconcile_s=100.0)
    first, second = (one.task_id for one in world.tasks("/a"))
    world.status(first, S.RUNNING)
    world.effects.clear()
    world.now = Instant(world.now + 1)
    world.fire()
    assert Reconcile(((second, "S0"),)) in world.effects
    world.status(second, S.RUNNING)
    assert asked(world, 120) == [99]


def test_a_launch_that_was_lost_with_the_old_master_is_made_again() -> None:
    world = started()
    world.hold_starts = True
    world.post(id="/a", cmd="sleep 100")
    world.settle()
    lost = world.tasks("/a")[0].task_id
    world.step(inputs.Disconnected("test"))
    world.agents[0].tasks.clear()
    world.states.clear()
    world.step(inputs.Subscribed("F", "m"))
    world.effects.clear()  # its agent was not back: no answer
    world.hold_starts = False
    world.pass_time(3)
    assert world.running("/a") == 1
    assert lost not in world.alive()


def test_a_kill_that_was_lost_with_the_old_master_is_made_again() -> None:
    world = failed_over()
    world.hold_kills = True
    task_id = world.tasks("/a")[0].task_id
    world.kill("/a")
    world.effects.clear()
    world.status(task_id, S.RUNNING)
    assert Kill(task_id, "S0") not in world.effects
    world.status(task_id, S.RUNNING, reason=v1.Reason.RECONCILIATION)
    assert Kill(task_id, "S0") in world.effects
