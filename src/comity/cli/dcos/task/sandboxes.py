"""Where a task's files are on its agent.

A command task has the sandbox of its executor. A task of a task group has a directory below it
(`tasks/<id>`). A Kubernetes pod shares the sandbox of the node's executor with other pods; each of
its containers has `containers/<pod uid>-<container>-<attempt>` there.
"""

import re
from typing import Any

from comity.cli.dcos.task.finding import Found
from comity.core.errors import UserError
from comity.sdk.gateway import Cluster
from comity.sdk.mesos import Agent
from comity.sdk.rest import ApiError
from comity.sdk.sessions import Sessions

Json = dict[str, Any]

_UID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")


def agent_of(cluster: Cluster, found: Found) -> Agent:
    """Return a client of the task's agent."""
    agent_id = found.task.get("slave_id")
    if not agent_id:
        raise UserError(f"{found.id} has not been given to an agent")
    if found.agent is None:
        raise UserError(f"the agent {agent_id} that ran {found.id} is gone, and its files with it")
    return cluster.agent(str(agent_id))


async def folder(agent: Agent, found: Found) -> str:
    """Return the task's directory."""
    executor = _executor(await agent.state(), found)
    base = str(executor["directory"])
    own = f"{base}/tasks/{found.id}"
    return own if await _exists(agent, own) else base


async def log_path(agent: Agent, found: Found, file: str) -> str:
    """Return the path of one of the task's files; `container/stdout` names a pod's container."""
    base = await folder(agent, found)
    containers = await _containers(agent, base, found)
    if not containers:
        return f"{base}/{file.strip('/')}"
    name, slash, rest = file.strip("/").partition("/")
    if slash and name in containers:
        return f"{containers[name]}/{rest}"
    if len(containers) > 1:
        names = ", ".join(f"{each}/{file}" for each in containers)
        raise UserError(f"{found.name} has several containers; name one: {names}")
    return f"{next(iter(containers.values()))}/{file.strip('/')}"


def _executor(state: Json, found: Found) -> Json:
    framework_id = found.task.get("framework_id") or found.framework["id"]
    executor_id = found.task.get("executor_id") or found.id
    for frameworks in ("frameworks", "completed_frameworks"):
        for framework in state.get(frameworks) or []:
            if framework["id"] != framework_id:
                continue
            for field in ("executors", "completed_executors"):
                for executor in framework.get(field) or []:
                    if executor["id"] == executor_id:
                        return dict(executor)
    raise UserError(f"the agent has no files of {found.id} (any more)")


async def _containers(agent: Agent, base: str, found: Found) -> dict[str, str]:
    """Return the newest directory of each container of a pod, by the container's name."""
    uids = _uids(found)
    if not uids or not await _exists(agent, f"{base}/containers"):
        return {}
    newest: dict[str, tuple[int, str]] = {}
    for entry in await agent.browse(f"{base}/containers"):
        path = str(entry["path"])
        container, attempt = _read(path.rstrip("/").rpartition("/")[2], uids)
        if container:
            newest[container] = max(newest.get(container, (-1, "")), (attempt, path))
    return {container: path for container, (_, path) in newest.items()}


async def pod_containers(sessions: Sessions, found: Found) -> dict[str, Json]:
    """Return the ids of a Kubernetes pod's running containers, by their names."""
    uids = _uids(found)
    if not uids or not found.task.get("executor_id"):
        return {}
    newest: dict[str, tuple[int, Json]] = {}
    for one in await sessions.containers():
        container_id: Json = one.get("container_id") or {}
        container, attempt = _read(str(container_id.get("value", "")), uids)
        if container and attempt > newest.get(container, (-1, {}))[0]:
            newest[container] = (attempt, container_id)
    return {container: container_id for container, (_, container_id) in newest.items()}


def _uids(found: Found) -> set[str]:
    """Return the ids of pods that a task may be."""
    labels = found.task.get("labels") or []
    texts = [found.id, *(str(label.get("value", "")) for label in labels)]
    return {uid for text in texts for uid in _UID.findall(text)}


def _read(name: str, uids: set[str]) -> tuple[str, int]:
    """Return a container's own name and its attempt, of `uid-name-attempt`; else an empty name."""
    container, _, attempt = name[37:].rpartition("-")
    if name[:36] not in uids or not attempt.isdigit():
        return "", -1
    return container, int(attempt)


async def _exists(agent: Agent, path: str) -> bool:
    try:
        await agent.browse(path)
    except ApiError as error:
        if error.status == 404:
            return False
        raise
    return True
