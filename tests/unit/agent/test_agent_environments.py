"""What executors and tasks are told by the agent (mesos.md, 2.8)."""

import msgspec
import pytest

from comity.agent.outbox import LaunchContainer
from comity.core import durations
from comity.wire.mesos import v1
from comity.wire.mesos.containers import DockerInfo
from support.agent_world import AgentWorld, custom, info

UNSAVED = v1.FrameworkInfo(user="root", name="f", id=v1.Id(value="F"))
ALWAYS = {
    "MESOS_FRAMEWORK_ID",
    "MESOS_EXECUTOR_ID",
    "MESOS_DIRECTORY",
    "MESOS_SANDBOX",
    "MESOS_SLAVE_ID",
    "MESOS_SLAVE_PID",
    "MESOS_AGENT_ENDPOINT",
    "MESOS_CHECKPOINT",
    "MESOS_EXECUTOR_SHUTDOWN_GRACE_PERIOD",
    "MESOS_HTTP_COMMAND_EXECUTOR",
    "LIBPROCESS_PORT",
}
SAVED = {"MESOS_RECOVERY_TIMEOUT", "MESOS_SUBSCRIPTION_BACKOFF_MAX"}


def environment(world):
    [launch] = world.asked(LaunchContainer)
    return launch.spec.environment


def command(**variables):
    found = tuple(v1.Variable(name=name, value=value) for name, value in variables.items())
    return v1.CommandInfo(value="run", environment=v1.Environment(variables=found))


def test_an_executor_is_told_who_and_where_it_is():
    world = AgentWorld()
    world.run(command=None, executor=custom())
    told = environment(world)
    assert told.keys() >= ALWAYS | SAVED
    [one] = world.agent.state.executors.values()
    assert told["MESOS_FRAMEWORK_ID"] == "F"
    assert told["MESOS_EXECUTOR_ID"] == "e"
    assert told["MESOS_DIRECTORY"] == told["MESOS_SANDBOX"] == str(one.directory)
    assert told["MESOS_SLAVE_ID"] == "A"
    assert told["MESOS_SLAVE_PID"] == "slave(1)@127.0.0.1:5051"
    assert told["MESOS_AGENT_ENDPOINT"] == "127.0.0.1:5051"
    assert told["MESOS_CHECKPOINT"] == "1"
    assert told["MESOS_EXECUTOR_SHUTDOWN_GRACE_PERIOD"] == "5secs"
    assert told["MESOS_RECOVERY_TIMEOUT"] == "15mins"
    assert told["MESOS_SUBSCRIPTION_BACKOFF_MAX"] == "2secs"
    assert told["LIBPROCESS_PORT"] == "0"
    assert "MESOS_TASK_ID" not in told


def test_without_checkpoints_there_is_nothing_to_wait_for():
    world = AgentWorld()
    world.run(framework=UNSAVED, command=None, executor=custom())
    told = environment(world)
    assert told["MESOS_CHECKPOINT"] == "0"
    assert not told.keys() & SAVED


def test_an_executors_own_grace_is_what_it_is_told():
    world = AgentWorld()
    own = custom(shutdown_grace_period=v1.DurationInfo(nanoseconds=90_000_000_000))
    world.run(command=None, executor=own)
    assert environment(world)["MESOS_EXECUTOR_SHUTDOWN_GRACE_PERIOD"] == "1.5mins"


def test_the_commands_own_variables_win():
    world = AgentWorld()
    own = v1.ExecutorInfo(
        executor_id=v1.Id(value="e"), framework_id=v1.Id(value="F"), command=command(PATH="/mine")
    )
    world.run(command=None, executor=own)
    assert environment(world)["PATH"] == "/mine"
    world.run("b", command=command(PATH="/its", A="1"))
    told = environment(world)
    assert (told["PATH"], told["A"]) == ("/its", "1")


@pytest.mark.parametrize(("image", "path"), [(None, "/opt/bin"), ("box", None)])
def test_where_programs_are_on_the_agent_says_nothing_of_an_image(image, path):
    world = AgentWorld()
    own = {"PATH": "/opt/bin", "HADOOP": "/opt/hadoop"}
    state = world.agent.state
    state.config = msgspec.structs.replace(state.config, executor_environment=own)
    docker = v1.ContainerInfo(type="DOCKER", docker=DockerInfo(image=image))
    world.run("t", command=command(), container=docker if image else None)
    told = environment(world)
    assert (told.get("PATH"), told["HADOOP"]) == (path, "/opt/hadoop")


def test_a_command_task_has_its_executors_environment_and_its_role():
    world = AgentWorld()
    reserved = tuple(
        v1.Resource(
            name=one.name,
            type=one.type,
            scalar=one.scalar,
            allocation_info=v1.AllocationInfo(role="web"),
        )
        for one in info().resources
    )
    made = info("t", command=command(A="1"))
    world.run("t", command=made.command)
    assert environment(world)["MESOS_ALLOCATION_ROLE"] == "*"
    told = environment(world)
    assert told.keys() >= ALWAYS | SAVED
    assert told["MESOS_EXECUTOR_ID"] == told["MESOS_TASK_ID"] == "t"
    world.run_group(
        v1.TaskInfo(
            name="g",
            task_id=v1.Id(value="g"),
            agent_id=v1.Id(value="A"),
            resources=reserved,
            command=command(A="2"),
        )
    )
    assert environment(world) == {
        "MESOS_ALLOCATION_ROLE": "web",
        "MESOS_SANDBOX": environment(world)["MESOS_SANDBOX"],
        "MESOS_CONTAINER_IP": "127.0.0.1",
        "A": "2",
    }


def test_a_container_of_type_docker_is_told_its_name():
    world = AgentWorld()
    docker = v1.ContainerInfo(type="DOCKER", docker=DockerInfo(image="busybox"))
    name = world.run(container=docker)
    assert environment(world)["MESOS_CONTAINER_NAME"] == f"mesos-{name}"
    world.run("b")
    assert "MESOS_CONTAINER_NAME" not in environment(world)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (5, "5secs"),
        (60, "1mins"),
        (90, "1.5mins"),
        (0.5, "500ms"),
        (0, "0ns"),
        (3600, "1hrs"),
        (86400, "1days"),
        (7 * 86400, "1weeks"),
        (1e-6, "1us"),
    ],
)
def test_durations_are_written_as_mesos_writes_them(seconds, text):
    assert durations.text(seconds) == text
