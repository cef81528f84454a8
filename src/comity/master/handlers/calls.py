"""Calls of schedulers: who may make them, and which handler answers which.

REQUEST is accepted and, as by Mesos's own allocator, ignored.
"""

from collections.abc import Callable

from comity.core.effects import Outbox
from comity.core.ids import FrameworkId
from comity.core.instants import Instant
from comity.master.handlers import (
    feedback,
    frameworks,
    inverse_offers,
    launching,
    offers,
    requests,
    sending,
    silence,
    updating,
)
from comity.master.inputs import SchedulerCalled, StreamClosed
from comity.master.state import Dropped, Framework, State
from comity.master.table import table
from comity.wire.mesos import scheduler

REASON = "Comity-Reason"
"""The header of a 202 that says what of the call was dropped, and why; Mesos only logs it."""

_ANSWERS: dict[type, Callable[..., str | None]] = {
    scheduler.Accept: offers.accept,
    scheduler.Decline: offers.decline,
    scheduler.AcceptInverseOffers: inverse_offers.accept,
    scheduler.DeclineInverseOffers: inverse_offers.decline,
    scheduler.Revive: offers.revive,
    scheduler.Suppress: offers.suppress,
    scheduler.Kill: requests.kill,
    scheduler.Shutdown: requests.shutdown,
    scheduler.Acknowledge: requests.acknowledge,
    scheduler.Reconcile: requests.reconcile,
    scheduler.Message: requests.message,
    scheduler.AcknowledgeOperationStatus: feedback.acknowledge,
    scheduler.ReconcileOperations: feedback.reconcile,
}


@table.on(SchedulerCalled)
def on_scheduler_called(state: State, item: SchedulerCalled, now: Instant, out: Outbox) -> None:
    """Check who calls, do it, answer 202: accepted, not done; `REASON` says what was not."""
    framework = _caller(state, item, out)
    if framework is None:
        return
    call = item.call
    kind = type(call).__name__
    _count(state, framework, call)
    if isinstance(call, scheduler.Teardown):
        frameworks.remove(state, framework, now, out)
    elif isinstance(call, scheduler.UpdateFramework):
        updating.update_framework(state, framework, (item.to, call), now, out)
        return
    elif type(call) in _ANSWERS:
        fault = offers.unsupported(call) if isinstance(call, scheduler.Accept) else None
        if fault is not None:
            sending.refused(item.to, 501, fault, out)
            return
        if not is_uuid(_uuid_of(call)):
            sending.refused(item.to, 400, "'uuid' is not a UUID of 16 bytes", out)
            return
        dropped = _ANSWERS[type(call)](state, framework, call, now, out)
        _count_validity(state, call, dropped is None)
        if dropped is not None:
            kind_of_call = type(call).__struct_config__.tag
            framework.dropped.append(Dropped(now, str(kind_of_call), dropped))
            state.count("master/dropped_messages")
            state.count(f"master/dropped_calls/{kind.lower()}")
            sending.accepted(item.to, out, headers=((REASON, _one_line(dropped)),))
            return
    sending.accepted(item.to, out)


_MESSAGES: dict[type, str] = {
    scheduler.Decline: "decline_offers",
    scheduler.Revive: "revive_offers",
    scheduler.Suppress: "suppress_offers",
    scheduler.Kill: "kill_task",
    scheduler.Acknowledge: "status_update_acknowledgement",
    scheduler.Reconcile: "reconcile_tasks",
    scheduler.Message: "framework_to_executor",
    scheduler.Request: "resource_request",
    scheduler.Teardown: "unregister_framework",
    scheduler.AcknowledgeOperationStatus: "operation_status_update_acknowledgement",
    scheduler.ReconcileOperations: "reconcile_operations",
}
"""How metrics name calls: as the messages of Mesos's old drivers (src/master/metrics.hpp)."""

_CHECKED: dict[type, str] = {
    scheduler.Acknowledge: "status_update_acknowledgements",
    scheduler.Message: "framework_to_executor_messages",
    scheduler.AcknowledgeOperationStatus: "operation_status_update_acknowledgements",
}
"""Calls that are counted as valid or invalid."""


def _count(state: State, framework: Framework, call: scheduler.Call) -> None:
    framework.count("calls")
    framework.count(f"calls/{str(type(call).__struct_config__.tag).lower()}")
    name = _MESSAGES.get(type(call))
    if isinstance(call, scheduler.Accept):
        launches = any(launching.tasks_of(each) for each in call.accept.operations)
        name = "launch_tasks" if launches else "decline_offers"
        for each in call.accept.operations:
            framework.count("operations")
            framework.count(f"operations/{(each.type or 'unknown').lower()}")
    if name is not None:
        state.count(f"master/messages_{name}")


def _count_validity(state: State, call: scheduler.Call, is_valid: bool) -> None:
    name = _CHECKED.get(type(call))
    if name is not None:
        state.count(f"master/{'valid' if is_valid else 'invalid'}_{name}")


def _one_line(text: str) -> str:
    """Return a text as a header may hold it."""
    return "".join(each if " " <= each <= "~" else " " for each in text)[:1000]


def _caller(state: State, item: SchedulerCalled, out: Outbox) -> Framework | None:
    """Return who calls, or answer why they may not."""
    framework_id = FrameworkId(item.call.framework_id.value)  # type: ignore[union-attr]
    framework = state.frameworks.get(framework_id)
    if framework is None:
        sending.refused(item.to, 400, "Framework cannot be found", out)
    elif item.principal is not None and framework.info.principal != item.principal:
        sending.refused(item.to, 403, "the framework belongs to another principal", out)
    elif framework.stream is None:
        sending.refused(item.to, 403, "Framework is not subscribed", out)
    elif not item.stream:
        text = "All non-subscribe calls should include the 'Mesos-Stream-Id' header"
        sending.refused(item.to, 400, text, out)
    elif item.stream != framework.stream:
        text = "The stream ID included in this request didn't match the stream ID of the framework"
        sending.refused(item.to, 400, text, out)
    else:
        return framework
    return None


def _uuid_of(call: scheduler.Call) -> bytes | None:
    if isinstance(call, scheduler.Acknowledge):
        return call.acknowledge.uuid
    if isinstance(call, scheduler.AcknowledgeOperationStatus):
        return call.acknowledge_operation_status.uuid
    return None


def is_uuid(data: bytes | None) -> bool:
    """Whether bytes, if there are any, are a UUID of a version that RFC 4122 knows (1 to 5)."""
    return data is None or (len(data) == 16 and 1 <= data[6] >> 4 <= 5)


@table.on(StreamClosed)
def on_stream_closed(state: State, item: StreamClosed, now: Instant, out: Outbox) -> None:
    """A scheduler, an agent or a watching operator is gone, or its connection is."""
    state.subscribers.pop(item.stream, None)
    framework_id = state.streams.pop(item.stream, None)
    if framework_id is not None:
        frameworks.disconnect(state, state.frameworks[framework_id], now, out)
        return
    agent_id = state.links.pop(item.stream, None)
    if agent_id is not None:
        silence.disconnect(state, state.agents[agent_id], now, out)
