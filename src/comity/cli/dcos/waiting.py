"""Following slow things, with a word to the person now and then."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from comity.cli.dcos import printing
from comity.core.errors import UserError
from comity.sdk.marathon import Marathon
from comity.sdk.mesos import Master
from comity.sdk.rest import ApiError, HttpError

Json = dict[str, Any]
T = TypeVar("T")

_POLL_S = 0.3
_AWAY_S = 60.0
"""How long a component may be away that is being followed: it is started again, or is not."""
_AWAY = (502, 503, 504)


async def through_breaks(look: Callable[[], Awaitable[T]]) -> T:
    """Look, and again while the gateway, or what is behind it, is being started again.

    Raises:
        HttpError: it stays away.
        ApiError: the same, said by the gateway; or another answer that is none.
    """
    end: float | None = None
    while True:
        try:
            return await look()
        except (HttpError, ApiError) as error:
            if isinstance(error, ApiError) and error.status not in _AWAY:
                raise
            if end is None:
                printing.note(f"({error}; trying again for {_AWAY_S:g} s)")
                end = time.monotonic() + _AWAY_S
            elif time.monotonic() > end:
                raise
        await asyncio.sleep(_POLL_S)


async def until_deployed(marathon: Marathon, app_id: str, *, timeout_s: float = 600.0) -> None:
    """Wait until an app has no deployment left and all its instances run and are healthy.

    Raises:
        UserError: it takes longer than `timeout_s`, or the app went away.
    """
    shown = ""
    end = time.monotonic() + timeout_s
    while True:
        app = await through_breaks(lambda: marathon.find_app(app_id))
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
        deployments = await through_breaks(marathon.deployments)
        found = [each for each in deployments if each["id"] == deployment_id]
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
        found = await through_breaks(lambda: master.operate("GET_AGENTS")) or {}
        drains = {
            each["agent_info"]["id"]["value"]: (each.get("drain_info") or {}).get("state")
            for each in found.get("agents", [])
        }
        if drains.get(agent_id, "DRAINED") == "DRAINED":
            return
        if drains[agent_id] is None:
            raise UserError(f"{agent_id} is not drained any more: it was reactivated")
        await asyncio.sleep(_POLL_S)
