"""Agents that are given up: unreachable ones may come back, gone ones never do."""

from comity.core.effects import CancelTimer, CloseStream, Outbox, Write
from comity.core.ids import AgentId
from comity.core.instants import Instant
from comity.master.handlers import feedback, inverse_offers, publishing, sending, statuses
from comity.master.handlers.withdrawing import withdraw_from_agent
from comity.master.inputs import AgentReturnDue
from comity.master.state import Agent, State
from comity.wire.mesos import scheduler, v1
from comity.wire.mesos.operations import OperationState


def mark_unreachable(state: State, agent: Agent, now: Instant, out: Outbox) -> None:
    """Give up an agent for now: its tasks are unreachable and hold nothing here."""
    record_unreachable(state, agent.id, now, out)
    state.count("master/slave_unreachable_completed")
    state.count("master/slave_removals")
    state.count("master/slave_removals/reason_unhealthy")
    for (framework_id, task_id), task in list(agent.tasks.items()):
        framework = state.frameworks[framework_id]
        if task.state.is_terminal:
            continue
        status = statuses.unreachable_status(task, now, aware=framework.is_partition_aware)
        task.become(status.state)
        task.forwarded = status.state
        agent.used = agent.used - task.resources
        state.allocator.released(agent.id, framework.id, task.role, task.resources)
        publishing.remember_status(state, task, status, out)
        framework.tasks.pop(task_id, None)
        framework.pending_kills.pop(task_id, None)
        framework.unreachable_tasks[task_id] = task
        if len(framework.unreachable_tasks) > state.config.max_unreachable_tasks_per_framework:
            del framework.unreachable_tasks[next(iter(framework.unreachable_tasks))]
        sending.update(framework, status, out)
    feedback.lose(state, agent, OperationState.UNREACHABLE, out)
    _forget(state, agent, out)


def remove_agent(
    state: State,
    agent: Agent,
    now: Instant,
    out: Outbox,
    *,
    gone: bool,
    cause: str = "Agent left the cluster",
) -> None:
    """Write an agent off with its tasks; `gone` means that an operator said so."""
    for (framework_id, _), task in list(agent.tasks.items()):
        framework = state.frameworks[framework_id]
        if task.state.is_terminal:
            continue
        end = v1.TaskState.GONE_BY_OPERATOR if gone else v1.TaskState.GONE
        reason = v1.Reason.AGENT_REMOVED_BY_OPERATOR if gone else v1.Reason.AGENT_REMOVED
        status = sending.master_status(
            task.task_id,
            end if framework.is_partition_aware else v1.TaskState.LOST,
            reason,
            "Agent was marked gone" if gone else cause,
            now,
            agent_id=agent.id,
        )
        statuses.finish_by_master(state, (agent, framework, task), status, out)
    found = OperationState.GONE_BY_OPERATOR if gone else OperationState.DROPPED
    feedback.lose(state, agent, found, out)
    state.count("master/slave_removals")
    if gone:
        record_gone(state, agent.id, now, out)
    else:
        state.count("master/slave_removals/reason_unregistered")
        out.writes.append(Write(f"agents/{agent.id}", None))
    _forget(state, agent, out)


def _forget(state: State, agent: Agent, out: Outbox) -> None:
    withdraw_from_agent(state, agent, out)
    inverse_offers.forget_answers(state, agent.id)
    for key in list(agent.executors):
        statuses.release_executor(state, agent, key)
    for (framework_id, task_id), task in agent.tasks.items():
        framework = state.frameworks[framework_id]
        framework.pending_kills.pop(task_id, None)
        if framework.tasks.pop(task_id, None) is not None:
            framework.completed_tasks.append(task)  # it ended, only the acknowledgement is missing
    state.allocator.remove_agent(agent.id)
    state.removals.pop(agent.id, None)
    if agent.link is not None:
        state.links.pop(agent.link, None)
        out.sends.append(CloseStream(agent.link))
    out.timers.append(CancelTimer(AgentReturnDue(agent.id)))
    del state.agents[agent.id]
    publishing.agent_removed(state, agent.id, out)
    failure = scheduler.FailureBody(agent_id=v1.Id(value=agent.id))
    for framework in state.frameworks.values():
        sending.to_framework(framework, scheduler.EventFailure(failure=failure), out)


def record_unreachable(state: State, agent_id: AgentId, now: Instant, out: Outbox) -> None:
    """Remember durably that an agent is unreachable."""
    state.unreachable_agents[agent_id] = now
    out.writes.append(Write(f"agents/{agent_id}", None))
    out.writes.append(Write(f"unreachable/{agent_id}", repr(now).encode()))


def record_gone(state: State, agent_id: AgentId, now: Instant, out: Outbox) -> None:
    """Remember durably that an agent is gone."""
    state.gone_agents[agent_id] = now
    state.deactivated.discard(agent_id)
    state.draining.pop(agent_id, None)
    out.writes.append(Write(f"deactivated/{agent_id}", None))
    out.writes.append(Write(f"draining/{agent_id}", None))
    out.writes.append(Write(f"agents/{agent_id}", None))
    out.writes.append(Write(f"unreachable/{agent_id}", None))
    out.writes.append(Write(f"gone/{agent_id}", repr(now).encode()))
