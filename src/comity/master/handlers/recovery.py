"""What an agent brings along: its frameworks, executors and tasks, as the master sees them then."""

from comity.core.effects import Outbox
from comity.core.ids import ExecutorId, FrameworkId, TaskId
from comity.core.instants import Instant
from comity.master.handlers import feedback, frameworks, publishing, sending, statuses
from comity.master.handlers.terms import traits_of
from comity.master.state import Agent, Executor, Framework, State, Task
from comity.resources.amounts import NOTHING, Resources, total_of
from comity.wire.mesos import codec, link, resources, v1


def recover(
    state: State, agent: Agent, brought: link.SubscribeBody, now: Instant, out: Outbox
) -> None:
    """Make the master's view of the agent what the agent says it runs."""
    infos = {FrameworkId(one.id.value): one for one in brought.frameworks if one.id is not None}
    for framework_id, info in infos.items():
        if framework_id in state.completed_frameworks:
            event = link.EventShutdownFramework(framework_id=v1.Id(value=framework_id))
            sending.to_agent(agent, event, out)
        elif framework_id not in state.frameworks:
            _recover_framework(state, info, now, out)
        elif state.frameworks[framework_id].info != info:
            newer = state.frameworks[framework_id].info
            sending.to_agent(agent, link.EventUpdateFramework(framework_info=newer), out)
    _recover_executors(state, agent, brought)
    reported = _recover_tasks(state, agent, brought, now, out)
    for key, task in list(agent.tasks.items()):
        if key not in reported and not task.state.is_terminal:
            _lose(state, agent, (state.frameworks[key[0]], task), now, out)
    feedback.recover(state, agent, brought.operations, out)
    state.allocator.add_agent(agent.id, agent.total, agent.used, traits_of(agent.info))


def _recover_framework(state: State, info: v1.FrameworkInfo, now: Instant, out: Outbox) -> None:
    framework = frameworks.add_framework(state, info, now)
    framework.recovered = True
    framework.unregistered_at = now
    publishing.framework_added(state, framework, out)
    state.allocator.add_framework(framework.id, framework.roles)
    state.allocator.deactivate_framework(framework.id)
    # Its scheduler needs the time to find this master, even if it asked for no failover timeout.
    grace_s = state.config.agent_reregister_timeout_s
    frameworks.await_return(framework, now, out, at_least_s=grace_s)


def _recover_executors(state: State, agent: Agent, brought: link.SubscribeBody) -> None:
    here = set()
    for one in brought.executors:
        key = (FrameworkId(one.framework_id.value), ExecutorId(one.executor_info.executor_id.value))
        here.add(key)
        framework = state.frameworks.get(key[0])
        if framework is None or key in agent.executors:
            continue
        role = _role_of(one.executor_info.resources, framework)
        executor = Executor(one.executor_info, resources.read(one.executor_info.resources), role)
        framework.executors[agent.id, key[1]] = agent.executors[key] = executor
        agent.used = agent.used + executor.resources
        state.allocator.allocated(framework.id, role, executor.resources)
    for key in [key for key in agent.executors if key not in here]:
        statuses.release_executor(state, agent, key)


def _role_of(written: tuple[v1.Resource, ...], framework: Framework) -> str:
    roles = resources.allocation_roles(written)
    return min(roles) if roles else (framework.roles or ("*",))[0]


def _recover_tasks(
    state: State, agent: Agent, brought: link.SubscribeBody, now: Instant, out: Outbox
) -> set[tuple[FrameworkId, TaskId]]:
    reported = set()
    held: dict[tuple[FrameworkId, str], Resources] = {}
    for info in brought.tasks:
        key = (FrameworkId(info.framework_id.value), TaskId(info.task_id.value))
        framework = state.frameworks.get(key[0])
        if framework is None:
            continue
        reported.add(key)
        if key in agent.tasks:
            statuses.advance(state, (agent, framework, agent.tasks[key]), info.state)
            continue
        was_unreachable = framework.unreachable_tasks.pop(key[1], None) is not None
        task = _recover_task(agent, framework, info)
        if not task.state.is_terminal:
            holder = (framework.id, task.role)
            held[holder] = held.get(holder, NOTHING) + task.resources
        publishing.task_added(state, task, out)
        if was_unreachable:
            status = sending.master_status(
                key[1],
                info.state,
                v1.Reason.AGENT_REREGISTERED,
                "Agent re-registered; the task is still there",
                now,
                agent_id=agent.id,
            )
            sending.update(framework, status, out)
    agent.used = total_of((agent.used, *held.values()))
    for (framework_id, role), bundle in held.items():
        state.allocator.allocated(framework_id, role, bundle)
    return reported


def _recover_task(agent: Agent, framework: Framework, info: v1.Task) -> Task:
    role = _role_of(info.resources, framework)
    last_forwarded = info.status_update_state or info.state
    task = Task(
        info=codec.replace(info, statuses=()),
        state=info.state,
        forwarded=last_forwarded,
        resources=resources.read(info.resources),
        role=role,
        statuses={one.state: one for one in info.statuses},
    )
    if last_forwarded.is_terminal:
        task.pending_terminal_uuid = info.status_update_uuid
    framework.tasks[task.task_id] = agent.tasks[framework.id, task.task_id] = task
    return task


def _lose(
    state: State, agent: Agent, what: tuple[Framework, Task], now: Instant, out: Outbox
) -> None:
    """A task was sent to the agent and never arrived, or the agent has forgotten it."""
    framework, task = what
    found = v1.TaskState.DROPPED if framework.is_partition_aware else v1.TaskState.LOST
    status = sending.master_status(
        task.task_id,
        found,
        v1.Reason.AGENT_RESTARTED,
        "Task is unknown to the agent that registered again",
        now,
        agent_id=agent.id,
    )
    statuses.finish_by_master(state, (agent, framework, task), status, out)
