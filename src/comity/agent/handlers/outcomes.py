"""What the end of a container means for a task of it, in the words of Mesos's executors."""

import signal

import msgspec

from comity.agent.state import Container, Executor, Task
from comity.wire.mesos import v1
from comity.wire.mesos.checks import CheckCommandStatus, CheckHttpStatus, CheckTcpStatus


def status(
    task: v1.TaskInfo,
    state: v1.TaskState,
    *,
    source: v1.Source = v1.Source.EXECUTOR,
    reason: v1.Reason | None = None,
    message: str | None = None,
    healthy: bool | None = None,
) -> v1.TaskStatus:
    """Return a task's new status; with a check, an executor's says that it has no result yet."""
    is_executors = source is v1.Source.EXECUTOR
    return v1.TaskStatus(
        task_id=task.task_id,
        state=state,
        source=source,
        reason=reason,
        message=message,
        healthy=healthy,
        check_status=no_result(task.check) if is_executors and task.check is not None else None,
    )


def no_result(check: v1.CheckInfo) -> v1.CheckStatusInfo:
    """Return the status of a check that has not run, or came to no end."""
    return v1.CheckStatusInfo(
        type=check.type,
        command=CheckCommandStatus() if check.type == "COMMAND" else None,
        http=CheckHttpStatus() if check.type == "HTTP" else None,
        tcp=CheckTcpStatus() if check.type == "TCP" else None,
    )


def of_task(executor: Executor, container: Container, task: Task) -> v1.TaskStatus:
    """Return the last status of a task whose container, or whose executor's, has ended."""
    words = _words(container.status) if executor.is_built_in else None
    ending = task.ending
    if ending is not None:
        return status(
            task.info,
            ending.state,
            source=ending.source,
            reason=ending.reason,
            message=ending.message or words,
            healthy=False if task.is_unhealthy else None,
        )
    if container.oom:
        reason = v1.Reason.CONTAINER_LIMITATION_MEMORY
        text = "Memory limit exceeded: killed by the kernel"
        return msgspec.structs.replace(
            _failed(task, reason, text, executor), limitation=_limitation(container)
        )
    if executor.failure is not None:
        return _failed(task, *executor.failure, executor)
    if container.failure is not None:
        return _failed(task, v1.Reason.CONTAINER_LAUNCH_FAILED, container.failure, executor)
    if not executor.is_built_in or container.status is None:
        text = "Lost with its launcher"
        if container.status is not None:
            text = f"Executor terminated: {_how(container.status)}"
        return _failed(task, v1.Reason.EXECUTOR_TERMINATED, text, executor)
    found = v1.TaskState.FINISHED if container.status == 0 else v1.TaskState.FAILED
    return status(task.info, found, message=words)


def _failed(task: Task, reason: v1.Reason, text: str, executor: Executor) -> v1.TaskStatus:
    """Return a failure; a default executor lives to tell it, for others the agent does."""
    source = v1.Source.EXECUTOR if executor.is_default else v1.Source.AGENT
    failed = v1.TaskState.FAILED
    return status(task.info, failed, source=source, reason=reason, message=text)


def _limitation(container: Container) -> v1.TaskResourceLimitation:
    """Return the amount of memory that was exceeded."""
    amount = v1.Scalar(value=float(container.spec.mem_bytes >> 20))
    return v1.TaskResourceLimitation(
        resources=(v1.Resource(name="mem", type="SCALAR", scalar=amount, role="*"),)
    )


def _words(wait_status: int | None) -> str | None:
    """Return what a wait(2) status means for a command."""
    return f"Command {_how(wait_status)}" if wait_status is not None else None


def _how(wait_status: int) -> str:
    signum = wait_status & 0x7F
    if signum == 0:
        return f"exited with status {wait_status >> 8}"
    return f"terminated with signal {signal.strsignal(signum) or signum}"


def dropped(
    framework: v1.FrameworkInfo, task: v1.TaskInfo, why: tuple[v1.Reason, str]
) -> v1.TaskStatus:
    """Return the status of a task that did not reach its executor."""
    aware = has_capability(framework, "PARTITION_AWARE")
    state = v1.TaskState.DROPPED if aware else v1.TaskState.LOST
    return status(task, state, source=v1.Source.AGENT, reason=why[0], message=why[1])


def has_capability(framework: v1.FrameworkInfo | None, name: str) -> bool:
    """Whether a framework says that it can do something."""
    return framework is not None and any(one.type == name for one in framework.capabilities)
