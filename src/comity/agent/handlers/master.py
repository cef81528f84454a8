"""What the master says, and what it is told when the link opens."""

from comity.agent.handlers import draining, ending, groups, killing, operating, reporting, tasks
from comity.agent.handlers.speaking import send_to_executor
from comity.agent.inputs import LinkLost, MasterSaid
from comity.agent.outbox import EndAgent, ToMaster
from comity.agent.state import State
from comity.agent.table import table
from comity.core.effects import Outbox, Write
from comity.core.ids import ExecutorId, FrameworkId
from comity.core.instants import Instant
from comity.wire.mesos import codec, link, v1
from comity.wire.mesos import executor as wire


@table.on(MasterSaid)
def on_master_said(state: State, item: MasterSaid, now: Instant, out: Outbox) -> None:
    """Do what the master says."""
    match item.event:
        case link.EventRegistered() as event:
            _registered(state, event, now, out)
        case link.EventRunTasks() as event:
            tasks.run(state, event, now, out)
        case link.EventRunTaskGroup() as event:
            groups.run(state, event, now, out)
        case link.EventAcknowledge() as event:
            over = reporting.acknowledge(state, event, now, out)
            if over is not None:
                ending.forget_task(state, *over, now, out)
        case link.EventApplyOperation() as event:
            operating.apply(state, event, now, out)
        case link.EventAcknowledgeOperation() as event:
            operating.acknowledge(state, event, out)
        case link.EventDrain() as event:
            draining.drain(state, event.config, now, out)
        case link.EventKillTask() as event:
            killing.kill(state, event, now, out)
        case link.EventPing():
            out.launches.append(ToMaster(link.Pong()))
        case link.EventMessage() as event:
            _pass_on(state, event, out)
        case link.EventShutdownExecutor() as event:
            key = (FrameworkId(event.framework_id.value), ExecutorId(event.executor_id.value))
            if key in state.executors:
                killing.shut_down(state, state.executors[key], now, out)
        case link.EventShutdownFramework() as event:
            killing.shut_down_framework(state, FrameworkId(event.framework_id.value), now, out)
        case link.EventUpdateFramework() as event:
            _update_framework(state, event.framework_info)
        case link.EventShutdown() as event:
            for executor in list(state.executors.values()):
                killing.shut_down(state, executor, now, out)
            out.launches.append(EndAgent(event.message))


def _registered(state: State, event: link.EventRegistered, now: Instant, out: Outbox) -> None:
    agent_id = event.registered.agent_id
    if state.info.id != agent_id:
        state.info = codec.replace(state.info, id=agent_id)
        out.writes.append(Write("agent", agent_id.value.encode()))
    state.master = event.registered.master_info
    state.is_linked = True
    known = {(one.framework_id, one.executor_id) for one in event.registered.executors}
    for call in state.untold_exits:
        if (call.framework_id, call.executor_id) in known:
            out.launches.append(ToMaster(call))
    state.untold_exits.clear()
    reporting.resend_all(state, now, out)
    operating.resend_all(state, now, out)


@table.on(LinkLost)
def on_link_lost(state: State, item: LinkLost, now: Instant, out: Outbox) -> None:
    """Go on alone; updates wait for the next link."""
    state.is_linked = False


def _pass_on(state: State, event: link.EventMessage, out: Outbox) -> None:
    key = (FrameworkId(event.framework_id.value), ExecutorId(event.executor_id.value))
    executor = state.executors.get(key)
    if executor is not None:
        message = wire.EventMessage(message=wire.EventMessageBody(data=event.data))
        send_to_executor(executor, message, out)


def _update_framework(state: State, info: v1.FrameworkInfo) -> None:
    if info.id is not None and FrameworkId(info.id.value) in state.frameworks:
        state.frameworks[FrameworkId(info.id.value)] = info
