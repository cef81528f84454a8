"""What containers use: /monitor/statistics, /containers and the numbers of GET_CONTAINERS.

Limits are those that Mesos would set: for a command task with 0.1 cpus and 32 MB more, which its
command executor would have.
"""

from typing import Any
from urllib.parse import quote

from comity.agent import networking
from comity.agent.building import COMMAND_EXECUTOR
from comity.agent.state import Container, Executor, State
from comity.agent.views import held_by
from comity.wire.mesos import v1

Document = dict[str, Any]
Usage = dict[str, dict[str, float]]
"""What was measured, by container."""


def containers(state: State, usage: Usage) -> list[Document]:
    """Return /containers and /monitor/statistics: the containers of executors."""
    return [
        {
            "container_id": one.container_id,
            "executor_id": one.id,
            "executor_name": one.info.name or "",
            "framework_id": one.framework_id,
            "source": one.info.source or "",
            "statistics": of_executor(one, usage.get(one.container_id, {})),
            "status": status(state, state.containers[one.container_id]),
        }
        for one in state.executors.values()
        if not one.has_exited
    ]


def of_executor(one: Executor, measured: dict[str, float]) -> Document:
    """Return an executor's limits, and what was measured."""
    held = held_by(one) + COMMAND_EXECUTOR if one.is_command else held_by(one)
    return {
        "timestamp": 0.0,
        "cpus_limit": held.scalar("cpus"),
        "cpus_soft_limit": held.scalar("cpus"),
        "mem_limit_bytes": int(held.scalar("mem") * (1 << 20)),
        "mem_soft_limit_bytes": int(held.scalar("mem") * (1 << 20)),
        "disk_limit_bytes": int(held.scalar("disk") * (1 << 20)),
        **measured,
    }


def numbers(state: State, usage: Usage) -> dict[str, float]:
    """Return what every container uses, each number under a path that tells whose it is."""
    shown = {}
    for one in state.containers.values():
        if one.phase == "EXITED" or one.id not in usage:
            continue
        root = state.containers.get(one.id.partition(".")[0])
        executor = root.executor if root is not None and root.executor is not None else ("", "")
        place = "/".join(quote(each, safe="") for each in (*executor, one.id))
        for name, value in usage[one.id].items():
            if name != "timestamp":
                shown[f"containers/{place}/{name}"] = value
    return shown


def is_counter(name: str) -> bool:
    """Whether one of `numbers` only grows while its container lives."""
    what = name.rpartition("/")[2]
    return what.startswith(("net_", "cpus_"))


def status(state: State, one: Container) -> v1.ContainerStatus:
    """Return what is known of a container."""
    return v1.ContainerStatus(
        container_id=one.wire_id,
        executor_pid=one.pid,
        network_infos=networking.infos_of(state, one),
    )


def records(state: State, usage: Usage, *, nested: bool, standalone: bool) -> list[Document]:
    """Return GET_CONTAINERS's: those of executors, and what else was asked for."""
    shown = []
    for one in state.containers.values():
        root = state.containers.get(one.id.partition(".")[0])
        executor = None
        if root is not None and root.executor is not None:
            executor = state.executors.get(root.executor)
        is_wanted = one.executor is not None
        is_wanted = is_wanted or (nested if one.parent is not None else standalone)
        if is_wanted and one.phase != "EXITED":
            shown.append(_record(state, one, executor, usage.get(one.id)))
    return shown


def _record(
    state: State, one: Container, executor: Executor | None, measured: dict[str, float] | None
) -> Document:
    shown: Document = {
        "container_id": one.wire_id,
        "container_status": status(state, one),
    }
    if executor is not None:
        shown["framework_id"] = {"value": executor.framework_id}
        shown["executor_id"] = {"value": executor.id}
        shown["executor_name"] = executor.info.name or ""
    if one.executor is not None and executor is not None:
        shown["resource_statistics"] = of_executor(executor, measured or {})
    elif measured is not None:
        shown["resource_statistics"] = measured
    return shown
