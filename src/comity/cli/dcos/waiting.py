"""Following slow things, with a word to the person now and then."""

import asyncio
import time
from typing import Any

from comity.cli.dcos import printing
from comity.core.errors import UserError
from comity.sdk.marathon import Marathon
from comity.sdk.mesos import Master

Json = dict[str, Any]

_POLL_S = 0.3


async def until_deployed(marathon: Marathon, app_id: str, *, timeout_s: float = 600.0) -> None:
    """Wait until an app has no deployment left and all its instances run and are healthy.

    Raises:
        UserError: it takes longer than `timeout_s`, or the app went away.
    """
    shown = ""
    end = time.monotonic() + timeout_s
    while True:
        app = await marathon.find_app(app_id)
        if app is None:
            raise UserError(f"{app_id} was removed while it was being deployed")
        if _is_deployed(app):
            printing.note(f"{app_id} is deployed")
            return
        status = _status(app)
        if status != shown:
            printing.note(f"{app_id}: {status}")
            shown = status
        if time.monotonic() > end:
            raise UserError(f"{app_id} is not deployed after {timeout_s:g} s; it goes on trying")
        await asyncio.sleep(_POLL_S)


def _is_deployed(app: Json) -> bool:
    if app.get("deployments"):
        return False
    ready = app.get("tasksHealthy" if app.get("healthChecks") else "tasksRunning", 0)
    return bool(ready >= app.get("instances", 1))


def _status(app: Json) -> str:
    parts = [f"{app.get('tasksRunning', 0)}/{app.get('instances', 1)} running"]
    if app.get("healthChecks"):
        parts.append(f"{app.get('tasksHealthy', 0)} healthy")
    if app.get("tasksStaged"):
        parts.append(f"{app['tasksStaged']} starting")
    failure = app.get("lastTaskFailure")
    if failure:
        parts.append(f"last failure: {failure.get('message') or failure.get('state')}")
    return ", ".join(parts)


async def until_gone(
    marathon: Marathon, deployment_id: str, *, polls: int, interval_s: float
) -> None:
    """Wait until a deployment is over, printing its steps.

    Raises:
        UserError: it is not over after `polls` looks (0: no limit).
    """
    shown = ""
    count = 0
    while True:
        found = [each for each in await marathon.deployments() if each["id"] == deployment_id]
        if not found:
            return
        actions = ", ".join(
            f"{action['action']} {action.get('app') or action.get('pod')}"
            for action in found[0].get("currentActions", [])
        )
        status = f"step {found[0]['currentStep']} of {found[0]['totalSteps']}: {actions}"
        if status != shown:
            printing.note(status)
            shown = status
        count += 1
        if polls and count >= polls:
            raise UserError(f"the deployment {deployment_id} is still running")
        await asyncio.sleep(interval_s)


async def until_drained(master: Master, agent_id: str) -> None:
    """Wait until nothing runs on an agent that is drained; one that was marked gone is not listed.

    Raises:
        UserError: somebody has taken the agent back meanwhile.
    """
    while True:
        found = await master.operate("GET_AGENTS") or {}
        drains = {
            each["agent_info"]["id"]["value"]: (each.get("drain_info") or {}).get("state")
            for each in found.get("agents", [])
        }
        if drains.get(agent_id, "DRAINED") == "DRAINED":
            return
        if drains[agent_id] is None:
            raise UserError(f"{agent_id} is not drained any more: it was reactivated")
        await asyncio.sleep(_POLL_S)
