"""The agent's numbers, under the names that Mesos's dashboards know (mesos docs/monitoring.md).

What only the shell can know (fetches, pulls, deleted sandboxes, the machine) is added by it.
"""

from comity.agent.state import State
from comity.agent.views import used_resources
from comity.core.instants import Instant

Numbers = dict[str, float]

RESOURCES = ("cpus", "mem", "disk", "gpus")
ACTIVE = ("tasks_staging", "tasks_starting", "tasks_running", "tasks_killing")
COUNTERS = (
    "container_launch_errors",
    "executors_preempted",
    "executors_terminated",
    "invalid_framework_messages",
    "invalid_status_updates",
    "recovery_errors",
    "tasks_failed",
    "tasks_finished",
    "tasks_gone",
    "tasks_killed",
    "tasks_lost",
    "valid_framework_messages",
    "valid_status_updates",
)
"""Counters that are shown as zeros from the start: a dashboard finds every name."""


def counters(state: State) -> Numbers:
    """Return what only grows."""
    shown = {f"slave/{name}": 0.0 for name in COUNTERS}
    for name, count in state.counters.items():
        if name.removeprefix("slave/") not in ACTIVE:
            shown[name] = float(count)
    return shown


def gauges(state: State, now: Instant) -> Numbers:
    """Return what goes up and down."""
    shown = {
        "slave/uptime_secs": now - state.started_at,
        "slave/registered": float(state.is_linked),
        "slave/frameworks_active": float(len(state.frameworks)),
        **{f"slave/{name}": 0.0 for name in ACTIVE},
        **_executors(state),
        **_resources(state),
    }
    if state.recovered_at is not None:
        shown["slave/recovery_time_secs"] = state.recovered_at - state.started_at
    for executor in state.executors.values():
        for task in executor.tasks.values():
            if not task.state.is_terminal:
                shown[f"slave/tasks_{task.state.value.removeprefix('TASK_').lower()}"] += 1
    return shown


def _executors(state: State) -> Numbers:
    """Return executors by what they do; those that the agent plays need not register."""
    here = [one for one in state.executors.values() if not one.has_exited]
    terminating = sum(one.is_shutting_down for one in here)
    registering = sum(
        not (one.is_shutting_down or one.is_built_in) and one.stream is None for one in here
    )
    return {
        "slave/executors_registering": float(registering),
        "slave/executors_running": float(len(here) - terminating - registering),
        "slave/executors_terminating": float(terminating),
    }


def _resources(state: State) -> Numbers:
    """Return what there is and what is used; nothing is revocable."""
    shown, used = {}, used_resources(state)
    for name in RESOURCES:
        total, taken = state.total.scalar(name), used.scalar(name)
        shown[f"slave/{name}_total"] = total
        shown[f"slave/{name}_used"] = taken
        shown[f"slave/{name}_percent"] = taken / total if total else 0.0
        for part in ("total", "used", "percent"):
            shown[f"slave/{name}_revocable_{part}"] = 0.0
    return shown
