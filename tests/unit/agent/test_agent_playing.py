"""What the agent does in the built-in executors' place: kills, time limits, health, checks."""

import pytest

from comity.agent.inputs import (
    CompletionDue,
    ContainerExited,
    ContainerStarted,
    KillDue,
    ProbeDone,
    ProbeDue,
)
from comity.agent.outbox import RunProbe, SignalContainer
from comity.wire.mesos import v1
from comity.wire.mesos.checks import (
    CheckCommand,
    CheckHttp,
    CheckTcp,
    HttpCheckInfo,
    TcpCheckInfo,
)
from comity.wire.mesos.containers import DockerInfo
from support.agent_world import AgentWorld, info

S = v1.TaskState
TERM, KILL = 15, 9
TELLING = v1.FrameworkInfo(
    user="root",
    name="f",
    id=v1.Id(value="F"),
    checkpoint=True,
    capabilities=(v1.FrameworkCapability(type="TASK_KILLING_STATE"),),
)


@pytest.fixture
def world():
    return AgentWorld()


def signals(world):
    return [each.signal for each in world.asked(SignalContainer)]


def grace(seconds):
    return v1.KillPolicy(grace_period=v1.DurationInfo(nanoseconds=int(seconds * 1e9)))


# killing


@pytest.mark.parametrize(
    ("policy", "asked", "expected"),
    [(None, None, 3.0), (grace(20), None, 20.0), (grace(20), 7, 7.0), (None, 60, 60.0)],
)
def test_the_grace_is_that_of_the_call_or_of_the_task_or_3_s(world, policy, asked, expected):
    container = world.start(kill_policy=policy)
    world.kill(grace_s=asked)
    assert signals(world) == [TERM]
    assert world.due(KillDue) == {KillDue(container): world.now + expected}


def test_the_grace_of_a_docker_container_is_that_of_executors(world):
    docker = v1.ContainerInfo(type="DOCKER", docker=DockerInfo(image="busybox"))
    container = world.start(container=docker)
    world.kill()
    assert world.due(KillDue) == {KillDue(container): world.now + 5.0}


def test_a_second_kill_may_shorten_the_grace_but_not_extend_it(world):
    container = world.start()
    world.kill(grace_s=60)
    began = world.now
    world.now += 5
    world.kill(grace_s=100)
    assert world.due(KillDue) == {KillDue(container): began + 60}
    world.kill(grace_s=10)
    assert signals(world) == []
    assert world.due(KillDue) == {KillDue(container): began + 10}
    world.kill(grace_s=2)
    assert signals(world) == [KILL]


def test_without_grace_there_is_no_sigterm(world):
    world.start()
    world.kill(grace_s=0)
    assert signals(world) == [KILL]


def test_killing_is_told_to_those_who_know_the_state_once(world):
    container = world.start(framework=TELLING)
    world.kill()
    world.kill(grace_s=1)
    assert world.states() == [S.STARTING, S.RUNNING, S.KILLING]
    world.step(ContainerExited(container, TERM))
    last = world.statuses()[-1]
    assert (last.state, last.source, last.reason) == (S.KILLED, v1.Source.EXECUTOR, None)
    assert last.message == "Command terminated with signal Terminated"


def test_killing_is_not_told_to_others(world):
    container = world.start()
    world.kill()
    world.step(ContainerExited(container, TERM))
    assert world.states() == [S.STARTING, S.RUNNING, S.KILLED]


def test_a_task_killed_before_it_runs_says_so(world):
    container = world.run()
    world.kill()
    world.step(ContainerStarted(container, 42))
    assert signals(world) == [KILL]
    world.step(ContainerExited(container, KILL))
    last = world.statuses()[-1]
    assert (last.state, last.source) == (S.KILLED, v1.Source.AGENT)
    assert last.reason is v1.Reason.TASK_KILLED_DURING_LAUNCH


# time limits


def test_a_task_that_runs_for_too_long_fails_at_once_and_silently(world):
    limit = v1.DurationInfo(nanoseconds=30_000_000_000)
    container = world.start(framework=TELLING, max_completion_time=limit)
    world.fire(CompletionDue)
    assert signals(world) == [KILL]
    world.step(ContainerExited(container, KILL))
    assert world.states() == [S.STARTING, S.RUNNING, S.FAILED]
    assert world.statuses()[-1].reason is v1.Reason.MAX_COMPLETION_TIME_REACHED


def test_a_kill_ends_the_time_limit(world):
    limit = v1.DurationInfo(nanoseconds=30_000_000_000)
    container = world.start(max_completion_time=limit)
    world.kill(grace_s=60)
    assert not world.due(CompletionDue)
    world.step(CompletionDue("F", "t"))  # one that had just fired
    world.step(ContainerExited(container, TERM))
    assert world.states()[-1] is S.KILLED


def test_a_restart_does_not_extend_the_time_limit(world):
    limit = v1.DurationInfo(nanoseconds=30_000_000_000)
    container = world.start(max_completion_time=limit)
    began = world.now
    world.timers.clear()
    world.now += 20
    world.restart({container: 42})
    assert world.due(CompletionDue) == {CompletionDue("F", "t"): began + 30}


def test_a_limit_of_nothing_is_none(world):
    world.start(max_completion_time=v1.DurationInfo(nanoseconds=0))
    assert not world.due(CompletionDue)


# health checks

HEALTH = v1.HealthCheck(
    type="HTTP", http=HttpCheckInfo(port=80, path="/x"), grace_period_seconds=0.0
)


def test_the_defaults_of_a_health_check_are_mesoss(world):
    check = v1.HealthCheck(type="TCP", tcp=TcpCheckInfo(port=80))
    world.start(health_check=check)
    began = world.now
    assert world.due(ProbeDue) == {ProbeDue("F", "t", "health"): began + 15}
    asked = world.probe("health", well=True)
    assert asked.tcp == (("127.0.0.1", 80),)
    assert asked.timeout_s == 20
    assert world.due(ProbeDue) == {ProbeDue("F", "t", "health"): world.now + 10}


def test_three_failures_in_a_row_end_a_task_as_unhealthy(world):
    container = world.start(health_check=HEALTH)
    world.probe("health", well=True)
    asked = world.probe("health", well=False)
    assert asked.http == ("http://127.0.0.1:80/x",)
    world.probe("health", well=True)
    world.probe("health", well=True)
    for _ in range(3):
        world.probe("health", well=False)
    assert signals(world) == [TERM]
    assert not world.due(ProbeDue)
    world.step(ContainerExited(container, TERM))
    found = [(one.state, one.healthy) for one in world.statuses()[2:]]
    assert found == [
        (S.RUNNING, True),
        (S.RUNNING, False),
        (S.RUNNING, True),
        (S.RUNNING, False),
        (S.RUNNING, False),
        (S.RUNNING, False),
        (S.KILLED, False),
    ]
    reasons = {one.reason for one in world.statuses()[2:-1]}
    assert reasons == {v1.Reason.TASK_HEALTH_CHECK_STATUS_UPDATED}


def test_failures_in_the_grace_period_do_not_count_before_the_first_success(world):
    check = v1.HealthCheck(
        type="COMMAND",
        command=v1.CommandInfo(value="x"),
        delay_seconds=0.0,
        interval_seconds=2.0,
        consecutive_failures=1,
    )
    world.start(health_check=check)
    for _ in range(6):  # at 0, 2, ... 10 s
        world.probe("health", well=False)
    assert world.states() == [S.STARTING, S.RUNNING]
    world.probe("health", well=False)
    assert world.statuses()[-1].healthy is False
    assert signals(world) == [TERM]


def test_a_task_of_a_group_that_is_unhealthy_ends_its_group(world):
    a, b = world.run_group(info("a", health_check=HEALTH), info("b"))
    world.step(ContainerStarted(a, 40))
    world.step(ContainerStarted(b, 41))
    for _ in range(3):
        world.probe("health", task_id="a", well=False)
    world.step(ContainerExited(a, TERM))
    assert world.statuses("a")[-1].healthy is False
    assert [each.container_id for each in world.asked(SignalContainer)] == [b]


def test_a_command_check_runs_in_its_tasks_own_container(world):
    check = v1.HealthCheck(type="COMMAND", command=v1.CommandInfo(value="x"))
    a, b = world.run_group(info("a"), info("b", health_check=check))
    world.step(ContainerStarted(b, 41))
    asked = world.probe("health", task_id="b", well=True)
    assert asked.container.inside == b
    assert a != b


def test_after_a_restart_a_healthy_task_is_not_healthy_again(world):
    container = world.start(health_check=HEALTH)
    world.probe("health", well=True)
    world.timers.clear()
    world.restart({container: 42})
    world.probe("health", well=True)
    assert [one.healthy for one in world.statuses()].count(True) == 1


def test_a_result_of_an_earlier_round_is_stale(world):
    world.start(health_check=HEALTH)
    asked = world.probe("health", well=True)
    world.step(ProbeDone(asked.key, asked.round - 1, False, "late"))
    assert world.statuses()[-1].healthy is True
    world.kill()
    world.step(ProbeDue("F", "t", "health"))
    assert world.asked(RunProbe) == []


# checks


def kinds():
    command = CheckCommand(command=v1.CommandInfo(value="x"))
    yield v1.CheckInfo(type="COMMAND", command=command), {"code": 0}, {"code": 3}
    yield v1.CheckInfo(type="HTTP", http=CheckHttp(port=80)), {"code": 200}, {"code": 503}
    yield v1.CheckInfo(type="TCP", tcp=CheckTcp(port=80)), {}, {}


@pytest.mark.parametrize(("check", "good", "bad"), list(kinds()), ids=["command", "http", "tcp"])
def test_a_check_tells_only_changes(world, check, good, bad):
    world.start(check=check)
    empty = world.statuses()[0].check_status
    assert empty.type == check.type
    assert world.statuses()[1].check_status == empty
    world.probe("check", well=True, **good)
    world.probe("check", well=True, **good)
    world.probe("check", well=False, **bad)
    world.probe("check", well=False, **bad)
    world.probe("check", well=False, is_timeout=True)
    world.probe("check", well=False, is_timeout=True)
    told = world.statuses()[2:]
    assert len(told) == 3
    assert {one.reason for one in told} == {v1.Reason.TASK_CHECK_STATUS_UPDATED}
    assert {one.state for one in told} == {S.RUNNING}
    assert told[-1].check_status == empty
    results = {
        "COMMAND": lambda one: one.command.exit_code,
        "HTTP": lambda one: one.http.status_code,
        "TCP": lambda one: one.tcp.succeeded,
    }
    result = results[check.type]
    expected = [good["code"], bad["code"], None] if good else [True, False, None]
    assert [result(one.check_status) for one in told] == expected


def test_a_first_check_without_result_tells_nothing(world):
    world.start(check=v1.CheckInfo(type="HTTP", http=CheckHttp(port=80)))
    world.probe("check", well=False)
    assert world.states() == [S.STARTING, S.RUNNING]


def test_health_and_check_keep_each_others_results(world):
    check = v1.CheckInfo(type="TCP", tcp=CheckTcp(port=80))
    world.start(check=check, health_check=HEALTH)
    world.probe("health", well=True)
    world.probe("check", well=False)
    last = world.statuses()[-1]
    assert (last.healthy, last.check_status.tcp.succeeded) == (True, False)
    world.probe("health", well=False)
    last = world.statuses()[-1]
    assert (last.healthy, last.check_status.tcp.succeeded) == (False, False)
    assert last.message == "detail"
    assert len({one.uuid for one in world.statuses()}) == len(world.statuses())
