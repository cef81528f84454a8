"""The master's numbers, under the names that Mesos's dashboards know (mesos docs/monitoring.md).

Everything is counted when it happens or read off counts (`holdings`): no reader walks over tasks.
What only the shell can know (queues, durations, the machine) is added by it.
"""

from urllib.parse import quote

from comity.core.instants import Instant
from comity.master import operation_metrics
from comity.master.state import Framework, State
from comity.wire.mesos import v1
from comity.wire.mesos.v1 import TaskState

Numbers = dict[str, float]

RESOURCES = ("cpus", "mem", "disk", "gpus")

ACTIVE = tuple(
    (one, one.value.removeprefix("TASK_").lower())
    for one in (
        TaskState.STAGING,
        TaskState.STARTING,
        TaskState.RUNNING,
        TaskState.KILLING,
        TaskState.UNREACHABLE,
    )
)
"""States that tasks are in, and how metrics name them."""

COUNTERS = (
    "dropped_messages",
    "invalid_executor_to_framework_messages",
    "invalid_framework_to_executor_messages",
    "invalid_operation_status_update_acknowledgements",
    "invalid_status_update_acknowledgements",
    "invalid_status_updates",
    "messages_authenticate",
    "messages_deactivate_framework",
    "messages_decline_offers",
    "messages_executor_to_framework",
    "messages_exited_executor",
    "messages_framework_to_executor",
    "messages_kill_task",
    "messages_launch_tasks",
    "messages_operation_status_update_acknowledgement",
    "messages_reconcile_operations",
    "messages_reconcile_tasks",
    "messages_register_framework",
    "messages_register_slave",
    "messages_reregister_framework",
    "messages_reregister_slave",
    "messages_resource_request",
    "messages_revive_offers",
    "messages_status_update",
    "messages_status_update_acknowledgement",
    "messages_suppress_offers",
    "messages_unregister_framework",
    "messages_unregister_slave",
    "messages_update_slave",
    "recovery_slave_removals",
    "slave_registrations",
    "slave_removals",
    "slave_removals/reason_registered",
    "slave_removals/reason_unhealthy",
    "slave_removals/reason_unregistered",
    "slave_shutdowns_canceled",
    "slave_shutdowns_completed",
    "slave_shutdowns_scheduled",
    "slave_reregistrations",
    "slave_unreachable_canceled",
    "slave_unreachable_completed",
    "slave_unreachable_scheduled",
    "tasks_dropped",
    "tasks_error",
    "tasks_failed",
    "tasks_finished",
    "tasks_gone",
    "tasks_gone_by_operator",
    "tasks_killed",
    "tasks_lost",
    "valid_executor_to_framework_messages",
    "valid_framework_to_executor_messages",
    "valid_operation_status_update_acknowledgements",
    "valid_status_update_acknowledgements",
    "valid_status_updates",
)
"""Counters that are shown as zeros from the start: a dashboard finds every name."""


def counters(state: State) -> Numbers:
    """Return what only grows."""
    shown = {f"master/{name}": 0.0 for name in COUNTERS} | operation_metrics.zeros()
    shown.update((name, float(count)) for name, count in state.counters.items())
    if state.config.publish_per_framework_metrics:
        for one in state.frameworks.values():
            prefix = _prefix(one)
            shown.update((prefix + name, float(count)) for name, count in one.counters.items())
    return shown


def gauges(state: State, now: Instant) -> Numbers:
    """Return what goes up and down."""
    shown: Numbers = {
        "master/elected": 1.0,
        "master/uptime_secs": now - state.started_at,
        "master/outstanding_offers": float(len(state.offers)),
        "master/operator_event_stream_subscribers": float(len(state.subscribers)),
        "registrar/log/recovered": 1.0,
        "registrar/queued_operations": 0.0,
        "registrar/registry_size_agents": float(len(state.agents) + len(state.recovered_agents)),
    }
    _add_agents(state, shown)
    _add_frameworks(state, shown)
    _add_resources(state, shown)
    for role in sorted({role for one in state.frameworks.values() for role in one.roles}):
        share = state.allocator.share_of_role(role)
        shown[f"allocator/mesos/roles/{role}/shares/dominant"] = share
    _add_quotas(state, shown)
    shown.update(operation_metrics.gauges(state))
    return shown


def snapshot(state: State, now: Instant) -> Numbers:
    """Return all of them, as /metrics/snapshot and GET_METRICS show them."""
    return {**counters(state), **gauges(state, now)}


def _add_agents(state: State, shown: Numbers) -> None:
    connected = sum(one.link is not None for one in state.agents.values())
    active = sum(
        one.link is not None and one.id not in state.deactivated for one in state.agents.values()
    )
    shown["master/slaves_connected"] = float(connected)
    shown["master/slaves_disconnected"] = float(len(state.agents) - connected)
    shown["master/slaves_active"] = float(active)
    shown["master/slaves_inactive"] = float(len(state.agents) - active)
    shown["master/slaves_unreachable"] = float(len(state.unreachable_agents))


def _add_frameworks(state: State, shown: Numbers) -> None:
    connected = sum(one.stream is not None for one in state.frameworks.values())
    shown["master/frameworks_connected"] = shown["master/frameworks_active"] = float(connected)
    away = float(len(state.frameworks) - connected)
    shown["master/frameworks_disconnected"] = shown["master/frameworks_inactive"] = away
    for each, name in ACTIVE:
        shown[f"master/tasks_{name}"] = float(
            sum(tasks_in(one, each) for one in state.frameworks.values())
        )
    if state.config.publish_per_framework_metrics:
        for one in state.frameworks.values():
            _add_framework(one, shown)


def tasks_in(framework: Framework, state: TaskState) -> int:
    """Return how many tasks of a framework are in a state that is not the end."""
    here = framework.tasks.counts.get(state, 0)
    return int(here + framework.unreachable_tasks.counts.get(state, 0))


def _add_framework(one: Framework, shown: Numbers) -> None:
    prefix = _prefix(one)
    shown[f"{prefix}subscribed"] = float(one.stream is not None)
    for each, name in ACTIVE:
        shown[f"{prefix}tasks/active/task_{name}"] = float(tasks_in(one, each))
    for role in one.roles:
        shown[f"{prefix}roles/{role}/suppressed"] = float(role in one.suppressed)


def _prefix(one: Framework) -> str:
    return f"master/frameworks/{quote(one.info.name, safe='')}/{one.id}/"


def _add_resources(state: State, shown: Numbers) -> None:
    for name in RESOURCES:
        total = used = offered = 0
        for one in state.agents.values():
            total += one.total.milli_of(name)
            used += one.used.milli_of(name)
        for offer in state.offers.values():
            offered += offer.resources.milli_of(name)
        shown[f"master/{name}_total"] = total / 1000
        shown[f"master/{name}_used"] = used / 1000
        shown[f"master/{name}_percent"] = used / total if total else 0.0
        for part in ("total", "used", "percent"):
            shown[f"master/{name}_revocable_{part}"] = 0.0
        if name != "gpus":
            prefix = f"allocator/mesos/resources/{name}"
            shown[f"{prefix}/total"] = total / 1000
            shown[f"{prefix}/offered_or_allocated"] = (used + offered) / 1000


def _add_quotas(state: State, shown: Numbers) -> None:
    for role, config in state.quotas.items():
        consumed = state.allocator.consumed(role)
        for name, scalar in config.guarantees.items():
            prefix = f"allocator/mesos/quota/roles/{role}/resources/{name}"
            shown[f"{prefix}/guarantee"] = scalar.value
            shown[f"{prefix}/offered_or_allocated"] = consumed.get(name, 0) / 1000


def count_end(state: State, framework: Framework | None, status: v1.TaskStatus) -> None:
    """Count the end of a task by its state, its reason and, if it has one, its framework."""
    name = status.state.value.lower()
    if framework is not None:
        framework.count(f"tasks/terminal/{name}")
    if status.reason is not None and status.source is not None:
        # These names keep the word "slave" (mesos src/master/metrics.cpp).
        source = status.source.value.removeprefix("SOURCE_").lower().replace("agent", "slave")
        reason = status.reason.value.removeprefix("REASON_").lower().replace("agent", "slave")
        state.count(f"master/{name}/source_{source}/reason_{reason}")
