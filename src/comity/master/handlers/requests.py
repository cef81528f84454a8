"""Calls about tasks and executors: kill, shut down, acknowledge, reconcile, send a message."""

from comity.core.effects import Outbox
from comity.core.ids import AgentId, ExecutorId, TaskId
from comity.core.instants import Instant
from comity.master.handlers import sending
from comity.master.state import Agent, Framework, State, Task
from comity.wire.mesos import codec, link, scheduler, v1


def kill(
    state: State, framework: Framework, call: scheduler.Kill, now: Instant, out: Outbox
) -> str | None:
    """Pass a kill on; for a task that is not known, answer what reconciliation would."""
    body = call.kill
    task = framework.tasks.get(TaskId(body.task_id.value))
    if task is None:
        asked = scheduler.ReconcileTask(task_id=body.task_id, agent_id=body.agent_id)
        _reconcile_one(state, framework, asked, now, out)
        return None
    if body.agent_id is not None and body.agent_id.value != task.agent_id:
        return f"Task {task.task_id} runs on agent {task.agent_id}, not {body.agent_id.value}"
    agent = state.agents.get(task.agent_id)
    event = link.EventKillTask(
        framework_id=v1.Id(value=framework.id),
        task_id=body.task_id,
        kill_policy=body.kill_policy,
    )
    # Kept also when it is sent: the agent may be away already, and nobody knows yet.
    framework.pending_kills[task.task_id] = body.kill_policy
    if agent is not None:
        sending.to_agent(agent, event, out)
    return None


def shutdown(
    state: State, framework: Framework, call: scheduler.Shutdown, now: Instant, out: Outbox
) -> str | None:
    """Pass the end of an executor on."""
    body = call.shutdown
    agent = state.agents.get(AgentId(body.agent_id.value))
    if agent is None:
        return f"Agent {body.agent_id.value} is not registered"
    if (framework.id, ExecutorId(body.executor_id.value)) not in agent.executors:
        return f"Executor {body.executor_id.value} does not run on agent {agent.id}"
    event = link.EventShutdownExecutor(
        framework_id=v1.Id(value=framework.id), executor_id=body.executor_id
    )
    return None if sending.to_agent(agent, event, out) else _away(agent)


def message(
    state: State, framework: Framework, call: scheduler.Message, now: Instant, out: Outbox
) -> str | None:
    """Pass bytes on; they are lost when the agent is away."""
    body = call.message
    agent = state.agents.get(AgentId(body.agent_id.value))
    if agent is None:
        return f"Agent {body.agent_id.value} is not registered"
    event = link.EventMessage(
        framework_id=v1.Id(value=framework.id), executor_id=body.executor_id, data=body.data
    )
    return None if sending.to_agent(agent, event, out) else _away(agent)


def _away(agent: Agent) -> str:
    return f"Agent {agent.id} is disconnected"


def acknowledge(
    state: State, framework: Framework, call: scheduler.Acknowledge, now: Instant, out: Outbox
) -> str | None:
    """Pass an acknowledgement on; that of a terminal update lets the task be forgotten."""
    body = call.acknowledge
    agent = state.agents.get(AgentId(body.agent_id.value))
    if agent is None:
        return f"Agent {body.agent_id.value} is not registered"
    if agent.link is None:
        return f"{_away(agent)}: it will repeat the update when it is back"
    task = framework.tasks.get(TaskId(body.task_id.value))
    if task is not None and task.agent_id != agent.id:
        return f"Task {task.task_id} runs on agent {task.agent_id}, not {agent.id}"
    if task is not None and task.pending_terminal_uuid == body.uuid:
        forget(state, framework, task)
    event = link.EventAcknowledge(
        framework_id=v1.Id(value=framework.id), task_id=body.task_id, uuid=body.uuid
    )
    sending.to_agent(agent, event, out)
    return None


def forget(state: State, framework: Framework, task: Task) -> None:
    """Move a task whose resources are released to the completed ones."""
    framework.tasks.pop(task.task_id, None)
    framework.pending_kills.pop(task.task_id, None)
    agent = state.agents.get(task.agent_id)
    if agent is not None:
        agent.tasks.pop((framework.id, task.task_id), None)
    framework.completed_tasks.append(task)


def reconcile(
    state: State, framework: Framework, call: scheduler.Reconcile, now: Instant, out: Outbox
) -> None:
    """Answer with the latest states: of the tasks asked about, or of all."""
    if call.reconcile.tasks:
        for asked in call.reconcile.tasks:
            _reconcile_one(state, framework, asked, now, out)
        return
    for task in framework.tasks.values():
        sending.update(framework, _known(task, now), out)


def _known(task: Task, now: Instant) -> v1.TaskStatus:
    """Return a known task's status for reconciliation."""
    last = task.statuses.get(task.forwarded)
    base = v1.TaskStatus(
        task_id=task.info.task_id,
        state=task.forwarded,
        source=v1.Source.MASTER,
        reason=v1.Reason.RECONCILIATION,
        message="Reconciliation: Latest task state",
        agent_id=task.info.agent_id,
        executor_id=task.info.executor_id,
        timestamp=now,
    )
    if last is None:
        return base
    return codec.replace(
        base,
        healthy=last.healthy,
        check_status=last.check_status,
        container_status=last.container_status,
    )


def _reconcile_one(
    state: State,
    framework: Framework,
    asked: scheduler.ReconcileTask,
    now: Instant,
    out: Outbox,
) -> None:
    """Answer about one task, in Mesos's six cases (docs/reconciliation)."""
    task = framework.tasks.get(TaskId(asked.task_id.value))
    if task is not None:
        sending.update(framework, _known(task, now), out)
        return
    agent_id = AgentId(asked.agent_id.value) if asked.agent_id is not None else None
    if agent_id is None and asked.task_id.value in framework.unreachable_tasks:
        agent_id = framework.unreachable_tasks[TaskId(asked.task_id.value)].agent_id
    if agent_id in state.recovered_agents or (agent_id is None and state.recovered_agents):
        return  # the agent may still come back with the task: say nothing for now
    aware = framework.is_partition_aware
    found, text, since = v1.TaskState.UNKNOWN, "Task is unknown", None
    if agent_id is not None and agent_id in state.agents:
        found, text = v1.TaskState.GONE, "Task is unknown to the agent"
    elif agent_id is not None and agent_id in state.unreachable_agents:
        found, text = v1.TaskState.UNREACHABLE, "Task's agent is unreachable"
        since = state.unreachable_agents[agent_id]
    elif agent_id is not None and agent_id in state.gone_agents:
        found, text = v1.TaskState.GONE_BY_OPERATOR, "Task's agent was marked gone"
    status = sending.master_status(
        asked.task_id.value,
        found if aware else v1.TaskState.LOST,
        v1.Reason.RECONCILIATION,
        f"Reconciliation: {text}",
        now,
        agent_id=agent_id,
        unreachable_at=since,
    )
    sending.update(framework, status, out)
