"""Executors subscribe, report and fall silent: the v1 executor API."""

from comity.agent import checkpoints
from comity.agent.handlers import ending, groups, killing, outcomes, reporting
from comity.agent.handlers.speaking import answer, refuse, send_to_executor
from comity.agent.inputs import (
    ExecutorBeatDue,
    ExecutorCalled,
    ExecutorDue,
    ExecutorSubscribed,
    StreamClosed,
)
from comity.agent.outbox import ToMaster
from comity.agent.state import Executor, State, Task
from comity.agent.table import table
from comity.core import durations
from comity.core.effects import CancelTimer, CloseStream, OpenStream, Outbox, SetTimer
from comity.core.ids import ExecutorId, FrameworkId, TaskId
from comity.core.instants import Instant
from comity.wire.mesos import executor as wire
from comity.wire.mesos import link, v1

HEARTBEAT_S = 1800.0


def _find(state: State, framework_id: v1.Id, executor_id: v1.Id) -> Executor | None:
    key = (FrameworkId(framework_id.value), ExecutorId(executor_id.value))
    executor = state.executors.get(key)
    return executor if executor is not None and not executor.has_exited else None


@table.on(ExecutorSubscribed)
def on_executor_subscribed(
    state: State, item: ExecutorSubscribed, now: Instant, out: Outbox
) -> None:
    """Open an executor's stream, take what it still had to say, and give it what waited."""
    if state.is_recovering:
        refuse(item.to, 503, "Agent is recovering", out)
        return
    executor = _find(state, item.call.framework_id, item.call.executor_id)
    if executor is None or executor.is_built_in:
        refuse(item.to, 400, "Framework or executor cannot be found", out)
        return
    # Mesos's agent takes these unseen and dies of one that it would refuse as a call of its own.
    updates = item.call.subscribe.unacknowledged_updates
    faults = (_fault_of(executor, each.status) for each in updates)
    if (fault := next(filter(None, faults), None)) is not None:
        refuse(item.to, 400, fault, out)
        return
    if executor.stream is not None:
        state.streams.pop(executor.stream, None)
        out.sends.append(CloseStream(executor.stream))
    executor.stream, executor.format = item.stream, item.format
    state.streams[item.stream] = (executor.framework_id, executor.id)
    out.sends.append(OpenStream(to=item.to, stream=item.stream, content_type=item.format.value))
    due = ExecutorDue(executor.framework_id, executor.id, executor.container_id)
    out.timers.append(CancelTimer(due))
    beat = ExecutorBeatDue(item.stream)
    out.timers.append(SetTimer(beat, Instant(now + HEARTBEAT_S)))
    _greet(state, executor, out)
    for body in updates:
        _take_update(state, executor, body.status, now, out)
    _deliver(state, executor, item.call.subscribe, now, out)


def _greet(state: State, executor: Executor, out: Outbox) -> None:
    body = wire.SubscribedBody(
        executor_info=executor.info,
        framework_info=state.frameworks[executor.framework_id],
        agent_info=state.info,
        container_id=v1.ContainerID(value=executor.container_id),
    )
    send_to_executor(executor, wire.EventSubscribed(subscribed=body), out)


def _deliver(
    state: State, executor: Executor, call: wire.SubscribeBody, now: Instant, out: Outbox
) -> None:
    """Send queued tasks; a task that was sent and that the executor does not know is lost."""
    queued, executor.queued = executor.queued, []
    kills, executor.kills = executor.kills, {}
    known = {one.task_id.value for one in call.unacknowledged_tasks}
    for task in executor.live_tasks:
        if task.task_id in queued:
            _launch(executor, task, queued, out)
            checkpoints.save_task(executor, task, out)
        elif task.state is v1.TaskState.STAGING and task.task_id not in known:
            framework = state.frameworks[executor.framework_id]
            text = "Task was launched during an agent restart and did not arrive"
            status = outcomes.dropped(framework, task.info, (v1.Reason.AGENT_RESTARTED, text))
            reporting.report(state, executor, task, status, now, out)
    checkpoints.save_executor(state, executor, out)
    if not executor.was_sent_tasks:
        killing.shut_down(state, executor, now, out)
    for task_id, policy in kills.items():
        kill = wire.KillBody(task_id=v1.Id(value=task_id), kill_policy=policy)
        send_to_executor(executor, wire.EventKill(kill=kill), out)


def _launch(executor: Executor, task: Task, queued: list[TaskId], out: Outbox) -> None:
    """Send a task that waited, or with the first of a group the whole of it."""
    if not task.group:
        event = wire.EventLaunch(launch=wire.LaunchBody(task=task.info))
        send_to_executor(executor, event, out)
        return
    group = [one for one in executor.live_tasks if one.group == task.group]
    if task is group[0]:
        groups.send(executor, group, out)


@table.on(ExecutorCalled)
def on_executor_called(state: State, item: ExecutorCalled, now: Instant, out: Outbox) -> None:
    """Handle a call of an executor."""
    call = item.call
    if state.is_recovering:
        refuse(item.to, 503, "Agent is recovering", out)
        return
    executor = _find(state, call.framework_id, call.executor_id)
    if executor is None or executor.is_built_in:
        refuse(item.to, 400, "Framework or executor cannot be found", out)
        return
    if executor.stream is None:
        refuse(item.to, 403, "Executor is not subscribed", out)
        return
    match call:
        case wire.Update():
            fault = _fault_of(executor, call.update.status)
            if fault is not None:
                state.count("slave/invalid_status_updates")
                refuse(item.to, 400, fault, out)
                return
            _take_update(state, executor, call.update.status, now, out)
        case wire.Message():
            message = link.Message(
                framework_id=call.framework_id,
                executor_id=call.executor_id,
                data=call.message.data,
            )
            out.launches.append(ToMaster(message))
            state.count("slave/valid_framework_messages")
        case wire.Heartbeat():
            pass
    answer(item.to, 202, out)


def _fault_of(executor: Executor, status: v1.TaskStatus) -> str | None:
    if status.uuid is None or len(status.uuid) != 16 or not 1 <= status.uuid[6] >> 4 <= 5:
        return "'TaskStatus.uuid' must be a UUID of 16 bytes"
    if status.source is not v1.Source.EXECUTOR:
        return "'TaskStatus.source' must be SOURCE_EXECUTOR"
    if status.state is v1.TaskState.STAGING:
        return "TASK_STAGING must not be sent by executors"
    if status.executor_id is not None and status.executor_id.value != executor.id:
        return "'TaskStatus.executor_id' is not that of the call"
    return _fault_of_check(status.check_status)


def _fault_of_check(result: v1.CheckStatusInfo | None) -> str | None:
    """Return what a check's result lacks, or None (common/validation.cpp)."""
    if result is None:
        return None
    bodies = {"COMMAND": result.command, "HTTP": result.http, "TCP": result.tcp}
    if result.type not in bodies:
        return "CheckStatusInfo must specify 'type'"
    if bodies[result.type] is None:
        return f"Expecting '{result.type.lower()}' to be set for {result.type} check's status"
    return None


def _take_update(
    state: State, executor: Executor, status: v1.TaskStatus, now: Instant, out: Outbox
) -> None:
    """Make an executor's status the task's next update, and tell the executor that it is stored."""
    task = executor.tasks.get(TaskId(status.task_id.value))
    if task is not None and not executor.has_reported:
        executor.has_reported = True
        checkpoints.save_executor(state, executor, out)
    if task is not None and not _is_known(task, status):
        reporting.report(state, executor, task, status, now, out)
    assert status.uuid is not None
    body = wire.AcknowledgedBody(task_id=status.task_id, uuid=status.uuid)
    send_to_executor(executor, wire.EventAcknowledged(acknowledged=body), out)


def _is_known(task: Task, status: v1.TaskStatus) -> bool:
    if any(one.uuid == status.uuid for one in task.pending):
        return True
    return any(one.uuid == status.uuid for one in task.statuses.values())


@table.on(StreamClosed)
def on_stream_closed(state: State, item: StreamClosed, now: Instant, out: Outbox) -> None:
    """An executor's connection broke: it comes back, or its container ends."""
    key = state.streams.pop(item.stream, None)
    executor = state.executors.get(key) if key is not None else None
    if executor is not None and executor.stream == item.stream:
        executor.stream = None


@table.on(ExecutorDue)
def on_executor_due(state: State, item: ExecutorDue, now: Instant, out: Outbox) -> None:
    """End an executor that did not subscribe in time; a stale timer does nothing."""
    executor = state.executors.get((item.framework_id, item.executor_id))
    if executor is None or executor.container_id != item.container_id:
        return
    if executor.stream is None and not executor.has_exited:
        reason, word = v1.Reason.EXECUTOR_REGISTRATION_TIMEOUT, "register"
        wait_s = state.config.executor_registration_timeout_s
        if executor.is_recovered:
            reason, word = v1.Reason.EXECUTOR_REREGISTRATION_TIMEOUT, "reregister"
            wait_s = state.config.executor_reregistration_timeout_s
        text = f"Executor did not {word} within {durations.text(wait_s)}"
        executor.failure = (reason, text)
        ending.kill_now(state, state.containers[executor.container_id], out)


@table.on(ExecutorBeatDue)
def on_executor_beat_due(state: State, item: ExecutorBeatDue, now: Instant, out: Outbox) -> None:
    """Show an executor that its agent is alive."""
    key = state.streams.get(item.stream)
    if key is not None:
        send_to_executor(state.executors[key], wire.EventHeartbeat(), out)
        out.timers.append(SetTimer(item, Instant(now + HEARTBEAT_S)))
