"""An operator wants nothing to run here any more (Mesos: Slave::drain)."""

from comity.agent import checkpoints
from comity.agent.handlers import killing
from comity.agent.state import Executor, State, Task
from comity.core.effects import Outbox
from comity.core.instants import Instant
from comity.wire.mesos import link, v1
from comity.wire.mesos.maintenance import DrainConfig


def drain(state: State, config: DrainConfig | None, now: Instant, out: Outbox) -> None:
    """Kill everything, each task within the grace that the operator allows at most."""
    if config == state.drain:
        return
    state.drain = config
    checkpoints.save_drain(state, out)
    if config is None:
        return
    for executor in list(state.executors.values()):
        for task in list(executor.live_tasks):
            event = link.EventKillTask(
                framework_id=v1.Id(value=executor.framework_id),
                task_id=task.info.task_id,
                kill_policy=_policy(config, task),
            )
            killing.kill(state, event, now, out)
        if not _has_tasks(executor):
            killing.shut_down(state, executor, now, out)


def _has_tasks(executor: Executor) -> bool:
    return any(True for _ in executor.live_tasks)


def _policy(config: DrainConfig, task: Task) -> v1.KillPolicy | None:
    """Return the policy that overrides the task's, when that is longer than may be."""
    most = config.max_grace_period
    own = task.info.kill_policy
    grace = own.grace_period if own is not None else None
    if most is None or (grace is not None and grace.nanoseconds <= most.nanoseconds):
        return None
    return v1.KillPolicy(grace_period=most)
