"""What containers are told in their environments.

Of equal names the command's own variables win over Mesos's. `MESOS_TASK_ID` and
`MESOS_CONTAINER_ID` are extras of ours; Mesos sets neither.
"""

from pathlib import Path

from comity.agent.state import State
from comity.core import durations
from comity.resources.amounts import Resources
from comity.wire.mesos import resources, v1

HOST_IMAGE = "host"
IMAGE_SANDBOX = "/mnt/mesos/sandbox"


def image_of(container: v1.ContainerInfo | None) -> str | None:
    """Return the image that a container asks for, None for a plain process."""
    if container is None:
        return None
    if container.type == "DOCKER" and container.docker is not None:
        name: str | None = container.docker.image
    elif container.mesos is not None and container.mesos.image is not None:
        docker = container.mesos.image.docker
        name = docker.name if docker is not None else None
    else:
        name = None
    return name


def of_executor(
    state: State,
    framework: v1.FrameworkInfo,
    info: v1.ExecutorInfo,
    what: tuple[str, Path, Resources],
) -> dict[str, str]:
    """Return what Mesos tells an executor about itself and its agent."""
    container_id, sandbox, _ = what
    assert framework.id is not None
    image = image_of(info.container)
    has_root = image is not None and image != HOST_IMAGE
    grace_s = state.config.executor_shutdown_grace_s
    if info.shutdown_grace_period is not None:
        grace_s = info.shutdown_grace_period.nanoseconds / 1e9
    environment = {
        **_agents_own(state, has_root=has_root),
        "MESOS_FRAMEWORK_ID": framework.id.value,
        "MESOS_EXECUTOR_ID": info.executor_id.value,
        "MESOS_DIRECTORY": str(sandbox),
        "MESOS_SANDBOX": IMAGE_SANDBOX if has_root else str(sandbox),
        "MESOS_SLAVE_ID": state.id,
        "MESOS_SLAVE_PID": f"slave(1)@{state.ip}:{state.info.port}",
        "MESOS_AGENT_ENDPOINT": f"{state.ip}:{state.info.port}",
        "MESOS_CONTAINER_ID": container_id,
        "MESOS_CHECKPOINT": "1" if framework.checkpoint else "0",
        "MESOS_EXECUTOR_SHUTDOWN_GRACE_PERIOD": durations.text(grace_s),
        "MESOS_HTTP_COMMAND_EXECUTOR": "0",
        "LIBPROCESS_PORT": "0",
        "LIBPROCESS_IP": state.ip,
    }
    if state.config.executor_socket is not None:
        environment["MESOS_DOMAIN_SOCKET"] = str(state.config.executor_socket)
    if info.container is not None and info.container.type == "DOCKER":
        environment["MESOS_CONTAINER_NAME"] = f"mesos-{container_id}"
    if framework.checkpoint:
        environment["MESOS_RECOVERY_TIMEOUT"] = durations.text(state.config.recovery_timeout_s)
        environment["MESOS_SUBSCRIPTION_BACKOFF_MAX"] = durations.text(
            state.config.executor_reregistration_timeout_s
        )
    return environment


def _agents_own(state: State, *, has_root: bool) -> dict[str, str]:
    """Return what the agent was told for all; where programs are on it says nothing of an image."""
    own = state.config.executor_environment
    return {name: value for name, value in own.items() if not (has_root and name == "PATH")}


def allocation_role(task: v1.TaskInfo) -> str:
    """Return the role that a task's resources are allocated to."""
    roles = resources.allocation_roles(task.resources)
    return min(roles) if roles else "*"


def variables(command: v1.CommandInfo) -> dict[str, str]:
    """Return the variables that a command brings along."""
    if command.environment is None:
        return {}
    return {one.name: _value_of(one) for one in command.environment.variables}


def _value_of(variable: v1.Variable) -> str:
    if variable.secret is not None and variable.secret.value is not None:
        return variable.secret.value.data.decode(errors="replace")
    # One that is only named is found when the container starts (secret_references).
    return variable.value or ""
