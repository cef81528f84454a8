"""Executors, of either operation.

Mesos also refuses an explicit `share_cgroups: true` on an executor; our wire types do not tell it
from the default, which has the same value.
"""

from comity.core.ids import ExecutorId
from comity.master.handlers.placing import Place
from comity.master.handlers.validation import bundles, commands
from comity.master.handlers.validation.faults import Invalid, check_id, within
from comity.master.state import Framework
from comity.resources.amounts import NOTHING, Resources
from comity.wire.mesos import codec, v1


def check(framework: Framework, place: Place, executor: v1.ExecutorInfo) -> Resources:
    """Return what an executor asks for once, whether it runs already or not."""
    _check_type(executor)
    check_id(executor.executor_id.value, "Executor ID")
    grace = executor.shutdown_grace_period
    if grace is not None and grace.nanoseconds < 0:
        raise Invalid("ExecutorInfo's 'shutdown_grace_period' must be non-negative")
    if executor.command is not None:
        with within("Executor's `CommandInfo` is invalid"):
            commands.check_command(executor.command)
    if executor.container is not None:
        with within("Executor's `ContainerInfo` is invalid"):
            commands.check_container(executor.container)
            commands.check_no_parent(executor.container)
    if executor.framework_id is None:
        raise Invalid("'ExecutorInfo.framework_id' must be set")
    if executor.framework_id.value != framework.id:
        raise Invalid(
            f"ExecutorInfo has an invalid FrameworkID (Actual: {executor.framework_id.value} vs "
            f"Expected: {framework.id})"
        )
    wanted = NOTHING
    if executor.resources:
        wanted = bundles.read(executor.resources, place.role, "Executor")
    _check_same(framework, place, executor)
    if any(one.shared is not None for one in executor.resources):
        raise Invalid("Executor resources should not contain any shared resources")
    return wanted


def _check_type(executor: v1.ExecutorInfo) -> None:
    container = executor.container
    if executor.type is v1.ExecutorType.CUSTOM and executor.command is None:
        raise Invalid("'ExecutorInfo.command' must be set for 'CUSTOM' executor")
    if executor.type is not v1.ExecutorType.DEFAULT:
        return
    if executor.command is not None:
        raise Invalid("'ExecutorInfo.command' must not be set for 'DEFAULT' executor")
    if container is None:
        return
    if container.type != "MESOS":
        raise Invalid("'ExecutorInfo.container.type' must be 'MESOS' for 'DEFAULT' executor")
    if container.mesos is not None and container.mesos.image is not None:
        raise Invalid("'ExecutorInfo.container.mesos.image' must not be set for 'DEFAULT' executor")


def runs(framework: Framework, place: Place, executor: v1.ExecutorInfo) -> bool:
    """Whether the executor is on the agent already, so that it is not charged again."""
    return (place.agent.id, ExecutorId(executor.executor_id.value)) in framework.executors


def _check_same(framework: Framework, place: Place, executor: v1.ExecutorInfo) -> None:
    running = framework.executors.get((place.agent.id, ExecutorId(executor.executor_id.value)))
    if running is not None and comparable(running.info) != comparable(executor):
        raise Invalid(
            "ExecutorInfo is not compatible with existing ExecutorInfo with same ExecutorID "
            f"'{executor.executor_id.value}'"
        )


def comparable(info: v1.ExecutorInfo) -> v1.ExecutorInfo:
    """Return an ExecutorInfo without what the master or the framework may leave out."""
    plain = tuple(codec.replace(one, allocation_info=None) for one in info.resources)
    kind = info.type if info.type is v1.ExecutorType.DEFAULT else None
    return codec.replace(info, framework_id=None, type=kind, resources=plain)
