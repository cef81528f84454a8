"""What the registry remembers, for how long; and how fast silent agents are given up."""

from comity.master.__main__ import _parser
from comity.runtime.flags import our_spelling
from comity.wire.mesos import link, scheduler, v1
from support.master_world import MasterWorld, task

DAY_S = 86400.0


def registry(world, kind):
    return sorted(key for key in world.store if key.startswith(f"{kind}/"))


def test_unreachable_and_gone_agents_are_forgotten_after_two_weeks():
    now = 1000.0
    world = MasterWorld(
        registry={"unreachable/M-S1": repr(now).encode(), "gone/M-S2": repr(now).encode()}
    )
    world.run(13 * DAY_S)
    assert registry(world, "unreachable") + registry(world, "gone") == [
        "unreachable/M-S1",
        "gone/M-S2",
    ]
    world.run(2 * DAY_S)
    assert registry(world, "unreachable") + registry(world, "gone") == []
    assert not world.state.unreachable_agents


def test_of_too_many_the_oldest_are_forgotten():
    old = {f"unreachable/M-S{n}": repr(1000.0 - n).encode() for n in range(5)}
    world = MasterWorld(registry=old, registry_max_agent_count=2)
    world.run(900.0)
    assert registry(world, "unreachable") == ["unreachable/M-S0", "unreachable/M-S1"]


def silent_agents(count, **settings):
    world = MasterWorld(ping_interval_s=15.0, pings_missed_max=5, **settings)
    for number in range(count):
        world.agent(f"link-{number}")
    return world


def test_silent_agents_are_given_up_one_at_a_time_where_there_is_a_limit():
    world = silent_agents(3, agent_removal_interval_s=600.0)
    world.run(80.0)
    assert len(registry(world, "unreachable")) == 1
    world.run(600.0)
    assert len(registry(world, "unreachable")) == 2
    world.run(600.0)
    assert len(registry(world, "unreachable")) == 3
    assert world.state.counters["master/slave_unreachable_scheduled"] == 3


def test_an_agent_that_answers_while_it_waits_is_kept():
    world = silent_agents(2, agent_removal_interval_s=600.0)
    world.run(80.0)
    [left] = world.state.agents.values()
    assert world.agent_says(link.Pong(), name=left.link) == 202
    world.run(15.0)
    assert not world.state.removals
    assert world.state.counters["master/slave_unreachable_canceled"] == 1
    world.run(60.0)
    assert left.id in world.state.agents


def test_an_agent_that_registers_while_it_waits_is_kept():
    registered = {f"agents/M-S{n}": b'{"hostname": "h"}' for n in range(2)}
    world = MasterWorld(registry=registered, agent_removal_interval_s=600.0)
    world.run(601.0)
    assert len(registry(world, "unreachable")) == 1
    world.agent("link-b", agent_id=registry(world, "agents")[0].partition("/")[2])
    assert not world.state.removals
    world.run(10.0)
    assert len(registry(world, "unreachable")) == 1


def test_without_a_limit_all_silent_agents_are_given_up_at_once():
    world = silent_agents(3)
    world.run(80.0)
    assert len(registry(world, "unreachable")) == 3


def test_a_registration_that_changes_nothing_writes_nothing():
    world = MasterWorld()
    world.agent("link-a")
    [key] = registry(world, "agents")
    stored = world.store[key]
    later = MasterWorld(registry=world.store)
    later.store = {}
    later.agent("link-b", agent_id=key.partition("/")[2])
    assert key in later.store  # another host name: link-b
    again = MasterWorld(registry={key: stored})
    again.store = {}
    again.agent("link-a", agent_id=key.partition("/")[2])
    assert again.store == {}


def test_ended_frameworks_and_tasks_are_kept_up_to_a_number():
    world = MasterWorld(max_completed_frameworks=1, max_completed_tasks_per_framework=2)
    world.agent()
    world.subscribe()
    world.launch("t1", "t2", "t3")
    for name in ("t1", "t2", "t3"):
        world.report(name, v1.TaskState.FINISHED, uuid=None)
    framework = world.state.frameworks["M-0000"]
    assert [one.task_id for one in framework.completed_tasks] == ["t2", "t3"]
    for stream in ("s2", "s3"):
        world.subscribe(stream)
    for number in (0, 1):
        teardown = scheduler.Teardown(framework_id=v1.Id(value=f"M-000{number}"))
        assert world.call(teardown, f"s{number + 1}") == 202
    assert list(world.state.completed_frameworks) == ["M-0001"]


def test_unreachable_tasks_are_kept_up_to_a_number():
    world = MasterWorld(max_unreachable_tasks_per_framework=1)
    world.agent()
    world.subscribe(can=("PARTITION_AWARE",), checkpoint=True)
    assert world.accept(world.offers(), task("t1"), task("t2"), refuse=0) == 202
    world.run(100.0)
    assert list(world.state.frameworks["M-0000"].unreachable_tasks) == ["t2"]


def test_flags_take_the_rates_and_names_of_mesos():
    argv = ["--agent_removal_rate_limit=2/20mins", "--registry_max_agent_age", "1days"]
    args = _parser().parse_args(our_spelling(argv))
    assert args.agent_removal_rate_limit == 600.0
    assert args.registry_max_agent_age == DAY_S
    assert our_spelling(["--work_dir", "/a_b"]) == ["--work-dir", "/a_b"]
