"""Marathon under random requests, failures and crashes: safe always, converged in the end."""

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from comity.marathon.state import State
from comity.wire.mesos import v1
from support.marathon_world import World, started

APPS = st.sampled_from(["/a", "/b", "/g/c"])
UPDATES = st.fixed_dictionaries(
    {},
    optional={
        "instances": st.integers(0, 4),
        "cmd": st.sampled_from(["one", "two", "three"]),
        "upgradeStrategy": st.fixed_dictionaries(
            {
                "maximumOverCapacity": st.sampled_from([0.0, 0.5, 1.0]),
                "minimumHealthCapacity": st.sampled_from([0.0, 0.5, 1.0]),
            }
        ),
        "dependencies": st.lists(st.just("/a"), max_size=1),
        "constraints": st.sampled_from([[], [["hostname", "MAX_PER", "3"]]]),
    },
)
PODS = st.sampled_from(["/p", "/g/q", "/a"])
POD_UPDATES = st.fixed_dictionaries(
    {},
    optional={
        "scaling": st.fixed_dictionaries({"instances": st.integers(0, 3)}),
        "labels": st.sampled_from([{}, {"a": "b"}]),
        "scheduling": st.fixed_dictionaries(
            {
                "upgrade": st.fixed_dictionaries(
                    {
                        "maximumOverCapacity": st.sampled_from([0.0, 1.0]),
                        "minimumHealthCapacity": st.sampled_from([0.0, 1.0]),
                    }
                )
            }
        ),
    },
)
CONTAINERS = [
    {
        "name": name,
        "exec": {"command": {"shell": "sleep 9"}},
        "resources": {"cpus": 0.1},
        "endpoints": [{"name": name}],
    }
    for name in ("one", "two")
]
STEPS = st.one_of(
    st.tuples(st.just("put pod"), PODS, POD_UPDATES, st.booleans()),
    st.tuples(st.just("delete pod"), PODS, st.booleans()),
    st.tuples(st.just("kill pod"), PODS),
    st.tuples(st.just("put"), APPS, UPDATES, st.booleans()),
    st.tuples(st.just("delete"), APPS, st.booleans()),
    st.tuples(st.just("restart"), APPS, st.booleans()),
    st.tuples(st.just("kill"), APPS, st.booleans()),
    st.tuples(st.just("cancel"), st.booleans()),
    st.tuples(st.just("end"), st.integers(0, 9), st.sampled_from(list(v1.TaskState)[4:7])),
    st.tuples(st.just("lose"), st.integers(0, 9)),
    st.tuples(st.just("hold"), st.booleans(), st.booleans()),
    st.tuples(st.just("crash")),
    st.tuples(st.just("offer")),
    st.tuples(st.just("settle")),
    st.tuples(st.just("wait"), st.integers(1, 40)),
)


def durable(state: State) -> dict[str, Any]:
    return {
        "apps": state.apps,
        "versions": state.versions,
        "pods": state.pods,
        "pod_versions": state.pod_versions,
        "terminations": state.terminations,
        "parts": set(state.by_part),
        "deployments": state.deployments,
        "locks": state.locks,
        "instances": set(state.instances),
        "leaving": {one.task_id for one in state.instances.values() if one.leaving},
        "failures": state.failures,
    }


def do(world: World, step: tuple[Any, ...]) -> None:
    kind, *args = step
    match kind:
        case "put":
            world.put(args[0], force=args[2], **{"cmd": "zero"} | args[1])
        case "put pod":
            update = {"containers": CONTAINERS} | args[1]
            world.put_pod(args[0], force=args[2], **update)
        case "delete pod":
            world.delete_pod(args[0], force=args[1])
        case "kill pod":
            ids = [one.instance_id for one in world.tasks(args[0])]
            world.kill_instances(args[0], *ids[:1], is_list=True)
        case "delete":
            world.delete(args[0], force=args[1])
        case "restart":
            world.restart(args[0], force=args[1])
        case "kill":
            tasks = world.tasks(args[0])
            if tasks:
                world.kill(args[0], tasks[0].task_id, scale=args[1])
        case "cancel":
            for deployment_id in list(world.state.deployments)[:1]:
                world.cancel(deployment_id, force=args[0])
        case "end":
            end(world, args[0], args[1])
        case "lose":
            end(world, args[0], v1.TaskState.UNREACHABLE)
        case "hold":
            world.hold_starts, world.hold_kills = args
        case "crash":
            before = durable(world.state)
            world.crash()
            assert durable(world.state) == before
            world.subscribe()
        case "offer":
            world.fire()
            if world.wants_offers:
                world.offer()
        case "settle":
            world.settle()
        case _:
            world.pass_time(args[0])


def end(world: World, index: int, state: v1.TaskState) -> None:
    alive = sorted(world.alive())
    if alive:
        world.status(alive[index % len(alive)], state)


@settings(max_examples=150)
@given(steps=st.lists(STEPS, max_size=25))
def test_whatever_happens_apps_and_pods_end_up_as_declared(steps: list[tuple[Any, ...]]) -> None:
    world = started(agents=3)
    for step in steps:
        do(world, step)
    world.hold_starts = world.hold_kills = False
    for task_id in sorted(world.alive()):
        if world.states[task_id] is v1.TaskState.UNREACHABLE:
            world.states[task_id] = v1.TaskState.RUNNING  # the lost agents come back
    world.crash()
    world.subscribe()
    world.pass_time(2000)
    state = world.state
    assert not state.deployments
    assert not state.locks
    assert not state.wanted
    for spec in state.specs().values():
        found = world.tasks(spec.id)
        assert len(found) == spec.instances
        assert all(one.condition == "Running" and one.is_active for one in found)
        assert all(bool(one.parts) is (spec.id in state.pods) for one in found)
    instances = state.instances.values()
    assert {task_id for one in instances for task_id in one.live_tasks} == world.alive()
    assert set(state.by_app) <= set(state.specs())
    assert all(agent.used("cpus") <= agent.cpus for agent in world.agents)
