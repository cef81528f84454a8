"""What must be true in the end: once faults have stopped, everybody comes to the same view."""

from comity.core.ids import AgentId
from comity.master.state import State
from comity.sim.agents import AgentNode
from comity.sim.masters import MasterNode
from comity.sim.schedulers import SimScheduler
from comity.wire.mesos import v1


def unsettled(
    master: MasterNode, agents: list[AgentNode], schedulers: list[SimScheduler]
) -> list[str]:
    """Return what has not converged yet, each as a sentence; empty when all has."""
    state = master.state
    if state is None:
        return ["there is no master"]
    found: list[str] = []
    for node in agents:
        found += _agent(state, node)
    known = {node.state.id for node in agents if node.state is not None}
    found += [
        f"the master knows {one}, which is no agent" for one in state.agents if one not in known
    ]
    for each in schedulers:
        found += _scheduler(state, each)
    return found


def _agent(state: State, node: AgentNode) -> list[str]:
    own = node.state
    if own is None:
        return [f"{node.name} is not running"]
    there = state.agents.get(AgentId(own.id))
    if there is None or there.link is None:
        return [f"{node.name} is not registered"]
    found = []
    if there.total != own.total:
        found.append(f"{node.name} has {own.total}, and the master thinks {there.total}")
    if there.operations:
        found.append(f"operations of {node.name} are without an end: {list(there.operations)}")
    here = {
        (key, executor.tasks[key[1]].state)
        for key, executor in own.tasks.items()
        if not executor.is_orphaned
    }
    master = {(key, task.state) for key, task in there.tasks.items()}
    found += [f"{node.name} has {key}, and the master does not" for key in sorted(here - master)]
    found += [f"the master has {key}, and {node.name} does not" for key in sorted(master - here)]
    for key, executor in own.tasks.items():
        if executor.tasks[key[1]].pending:
            found.append(f"{node.name} has unacknowledged updates of {key}")
        if executor.is_orphaned:
            found.append(f"{node.name} still has {key} of a framework that has ended")
    for container_id in node.launcher.running:
        container = own.containers.get(container_id)
        if container is None or container.phase == "EXITED":
            found.append(f"{node.name} runs container {container_id} without knowing it")
    return found


def _scheduler(state: State, each: SimScheduler) -> list[str]:
    memory = each.memory
    if memory.is_over:
        return []
    if not each.is_connected:
        return [f"{each.name} is not connected"]
    found = []
    framework = next(
        (one for one in state.frameworks.values() if one.id == memory.framework_id), None
    )
    if framework is None or framework.stream is None:
        return [f"{each.name} is not known to the master"]
    found += [
        f"{name} of {each.name} is {each.reserving.states[name]}" for name in each.reserving.open
    ]
    running = {task_id for task_id, task in framework.tasks.items() if not task.state.is_terminal}
    for job in memory.jobs.values():
        if job.state is None:
            continue
        if job.is_done or job.is_out_of_sight or job.state.is_terminal:
            if job.name in running:
                found.append(f"{job.name} runs, and {each.name} thinks it {job.state}")
        elif job.state is not v1.TaskState.RUNNING:
            found.append(f"{job.name} of {each.name} is {job.state} for ever")
        elif job.name not in running:
            found.append(f"{each.name} thinks that {job.name} runs, and it does not")
        elif job.is_unwanted:
            found.append(f"{job.name} of {each.name} was killed, and runs")
    return found
