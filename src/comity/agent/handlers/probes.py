"""What a probe does, from a task's health check or check."""

from comity.agent import building, networking
from comity.agent.outbox import RunProbe
from comity.agent.state import HEALTH, Executor, Probe, State, Task
from comity.core.containers import Spec
from comity.wire.mesos import v1


def describe(state: State, executor: Executor, task: Task, probe: Probe) -> RunProbe:
    """Return the next round of a probe; the master has checked that its parts are there."""
    check = task.info.health_check if probe.kind == HEALTH else task.info.check
    assert check is not None
    key = (executor.framework_id, task.task_id, probe.kind)
    timeout_s = check.timeout_seconds if check.timeout_seconds > 0 else None
    if check.type == "HTTP" and check.http is not None:
        scheme = getattr(check.http, "scheme", None) or "http"
        path = check.http.path or "/"
        hosts = _hosts(state, task, check.http)
        urls = tuple(f"{scheme}://{host}:{check.http.port}{path}" for host in hosts)
        return RunProbe(key, probe.round, http=urls, timeout_s=timeout_s)
    if check.type == "TCP" and check.tcp is not None:
        where = tuple((host.strip("[]"), check.tcp.port) for host in _hosts(state, task, check.tcp))
        return RunProbe(key, probe.round, tcp=where, timeout_s=timeout_s)
    command = check.command if isinstance(check, v1.HealthCheck) else None
    if isinstance(check, v1.CheckInfo) and check.command is not None:
        command = check.command.command
    spec = _command(state, task, command or v1.CommandInfo(value="false"), probe)
    return RunProbe(key, probe.round, container=spec, timeout_s=timeout_s)


def _hosts(state: State, task: Task, what: object) -> tuple[str, ...]:
    """Return where a task may listen.

    Mesos asks 127.0.0.1 only. With several agents on one machine each has a loopback address of its
    own (ADR 0009): a task may listen on that one alone, and another agent's on 127.0.0.1. A task on
    a network of its own is asked at its address there.
    """
    own = networking.address_of(state.containers.get(task.container_id))
    if own:
        return (f"[{own}]" if ":" in own else own,)
    if getattr(what, "protocol", None) == "IPv6":
        return ("[::1]",)
    hosts = ("127.0.0.1", state.ip)
    return tuple(dict.fromkeys(reversed(hosts) if state.ip.startswith("127.") else hosts))


def _command(state: State, task: Task, command: v1.CommandInfo, probe: Probe) -> Spec:
    target = state.containers[task.container_id].spec
    spec_id = f"{target.id}.{probe.kind}-{probe.round}"
    sandbox = target.sandbox / "containers" / probe.kind
    return building.for_debug(spec_id, sandbox, target, command)
