"""The agent's container API, as the node uses it: launch, wait, kill, remove, run inside.

Below our own container each pod has one without a process, its sandbox, called by the pod's uid;
the containers of the pod are nested in that.

An agent that is away or recovering is waited for: its containers go on meanwhile, and the launcher
below it remembers how they ended.
"""

import asyncio
import contextlib
import itertools
import logging
from typing import Any

import msgspec
from msgspec import Struct

from comity.core.errors import ComityError
from comity.kube.node.addresses import POD_IP
from comity.kube.node.outbox import SANDBOX_FAULT
from comity.kube.node.state import Json
from comity.runtime.http import Client, HttpError, Response

_log = logging.getLogger(__name__)
_LAUNCH_TIMEOUT_S = 1800.0
"""A launch may have to pull an image first."""
_WAIT_TIMEOUT_S = 3600.0
_CALL_TIMEOUT_S = 30.0
_RETRY_FIRST_S = 0.2
_RETRY_MAX_S = 3.0
_OUT_OF_MEMORY = "REASON_CONTAINER_LIMITATION_MEMORY"


class LaunchRefused(ComityError):
    """The agent did not start the container: its text says why."""


class NoSuchName(ComityError):
    """No image can have a name: the text says why."""


class Ended(Struct, frozen=True):
    """How a container ended; `wait_status` None: the agent does not know."""

    wait_status: int | None
    is_out_of_memory: bool = False
    message: str = ""


class AgentContainers:
    """The containers below our own."""

    def __init__(self, url: str, parent: str, headers: tuple[tuple[str, str], ...] = ()) -> None:
        self._url = f"{url}/api/v1"
        self._images_url = f"{url}/images"
        self._parent = {"value": parent}
        self.pods: dict[str, str] = {}
        """The pod of each container."""
        self._made: dict[str, str] = {}
        """Pods whose sandboxes are there, with the addresses of those that have their own."""
        self._making: dict[str, asyncio.Lock] = {}
        self._client = Client(headers=(("Content-Type", "application/json"), *headers))
        self._numbers = itertools.count(1)

    async def close(self) -> None:
        """Drop the connections."""
        await self._client.close()

    async def find_image(self, image: str) -> Json | None:
        """Return what the agent knows of an image that it has; None when it has it not.

        Raises:
            NoSuchName: no image can have this name.
            LaunchRefused: the agent has no images at all.
        """
        answer = await self._post(self._images_url, {"name": image, "pull": False}, _CALL_TIMEOUT_S)
        if answer.status == 400:
            raise NoSuchName(_text(answer))
        return None if answer.status == 404 else _image(answer)

    async def pull_image(self, image: str, login: str) -> Json:
        """Let the agent fetch an image; return what it knows of it then.

        Raises:
            LaunchRefused: it could not.
        """
        body = {"name": image, "docker_config": login}
        return _image(await self._post(self._images_url, body, _LAUNCH_TIMEOUT_S))

    async def launch(self, uid: str, sandbox: Json, container_id: str, payload: Json) -> str:
        """Start a container in the sandbox of a pod, which is made if it is not there.

        Returns the pod's own address, empty when it has none.

        Raises:
            LaunchRefused: the agent could not, or would not.
        """
        self.pods[container_id] = uid
        async with self._making.setdefault(uid, asyncio.Lock()):
            if uid not in self._made:
                await self._make(uid, sandbox)
            address = self._made[uid]
        await self._launch(self.name(container_id), _at(payload, address))
        return address

    async def _make(self, uid: str, sandbox: Json) -> None:
        try:
            answer = await self._launch(self._pod(uid), sandbox)
        except LaunchRefused as error:
            raise LaunchRefused(f"{SANDBOX_FAULT}{error}") from error
        self._made[uid] = _address(answer)

    async def wait(self, container_id: str) -> Ended:
        """Return when the container has ended."""
        return await self._wait(self.name(container_id))

    async def kill(self, container_id: str, signal: int) -> None:
        """Signal a container; one that has gone is fine."""
        await self._kill(self.name(container_id), signal)

    async def remove(self, container_id: str) -> None:
        """Have the agent forget an ended container and delete its sandbox."""
        await self._remove(self.name(container_id))
        self.pods.pop(container_id, None)

    async def end_pod(self, uid: str) -> None:
        """End a pod's sandbox, with whatever there still is in it."""
        if uid in self._made:
            self._made.pop(uid)
            await self._kill(self._pod(uid), 9)

    async def remove_pod(self, uid: str) -> None:
        """Have the agent forget a pod's sandbox, ended if need be."""
        await self.end_pod(uid)
        self._making.pop(uid, None)
        await self._remove(self._pod(uid))

    async def run_inside(
        self, container_id: str, command: tuple[str, ...], timeout_s: float
    ) -> tuple[int | None, str]:
        """Run a command inside a container; return its exit code (None: timed out) and its id.

        The caller reads the output, then calls `forget_inside`.

        Raises:
            LaunchRefused: the agent could not start it.
        """
        inner = f"exec-{next(self._numbers)}"
        name = self._inside(container_id, inner)
        argv = {"shell": False, "value": command[0], "arguments": list(command)}
        await self._launch(name, {"command": argv})
        try:
            async with asyncio.timeout(timeout_s):
                ended = await self._wait(name)
        except TimeoutError:
            await self._call("KILL_CONTAINER", {"container_id": name, "signal": 9}, _CALL_TIMEOUT_S)
            return None, inner
        status = 1 if ended.wait_status is None else ended.wait_status
        return (status >> 8) or (status & 0x7F and 128 + (status & 0x7F)), inner

    async def forget_inside(self, container_id: str, inner: str) -> None:
        """Remove what `run_inside` left."""
        name = self._inside(container_id, inner)
        await self._wait(name)
        await self._remove(name)

    def _pod(self, uid: str) -> Json:
        return {"value": uid, "parent": self._parent}

    def name(self, container_id: str) -> Json:
        """Return a container's id for the agent; one that was never launched is in no pod."""
        return {"value": container_id, "parent": self._pod(self.pods.get(container_id, "none"))}

    def _inside(self, container_id: str, inner: str) -> Json:
        return {"value": inner, "parent": self.name(container_id)}

    async def _kill(self, name: Json, signal: int) -> None:
        call = {"container_id": name, "signal": signal}
        await self._call("KILL_CONTAINER", call, _CALL_TIMEOUT_S)

    async def _launch(self, name: Json, payload: Json) -> Response:
        call = {"container_id": name, **payload}
        answer = await self._call("LAUNCH_CONTAINER", call, _LAUNCH_TIMEOUT_S)
        # 202: it exists already, because a first try reached the agent and its answer not us.
        if answer.status not in (200, 202):
            raise LaunchRefused(_text(answer))
        return answer

    async def _wait(self, name: Json) -> Ended:
        answer = await self._call("WAIT_CONTAINER", {"container_id": name}, _WAIT_TIMEOUT_S)
        if answer.status != 200:
            return Ended(None, message=_text(answer))
        body: Any = msgspec.json.decode(answer.body) if answer.body else {}
        found = body.get("wait_container") or {}
        is_out_of_memory = found.get("reason") == _OUT_OF_MEMORY
        return Ended(found.get("exit_status"), is_out_of_memory, found.get("message") or "")

    async def _remove(self, name: Json) -> None:
        answer = await self._call("REMOVE_CONTAINER", {"container_id": name}, _CALL_TIMEOUT_S)
        if answer.status not in (200, 404):
            _log.warning("agent did not remove %s: %s", name["value"], _text(answer))

    async def _call(self, kind: str, payload: Json, timeout_s: float) -> Response:
        return await self._post(self._url, {"type": kind, kind.lower(): payload}, timeout_s)

    async def _post(self, url: str, payload: Json, timeout_s: float) -> Response:
        """Make a request until the agent answers it with anything but 503."""
        body = msgspec.json.encode(payload)
        delay_s = _RETRY_FIRST_S
        while True:
            with contextlib.suppress(HttpError):
                answer = await self._client.request("POST", url, body, timeout_s=timeout_s)
                if answer.status != 503:
                    return answer
            await asyncio.sleep(delay_s)
            delay_s = min(2 * delay_s, _RETRY_MAX_S)


def _image(answer: Response) -> Json:
    if answer.status != 200:
        raise LaunchRefused(_text(answer))
    found: Json = msgspec.json.decode(answer.body)
    return found


def _address(answer: Response) -> str:
    """Return the address that the agent says a sandbox has, empty for the machine's."""
    body: Any = msgspec.json.decode(answer.body) if answer.body else {}
    infos = (body.get("container_status") or {}).get("network_infos") or ()
    found = [one for info in infos if info.get("name") for one in info.get("ip_addresses") or ()]
    return str(found[0]["ip_address"]) if found else ""


def _at(value: Any, address: str) -> Any:
    """Return a payload with the pod's address where something stands for it."""
    if isinstance(value, str):
        return value.replace(POD_IP, address)
    if isinstance(value, dict):
        return {key: _at(one, address) for key, one in value.items()}
    return [_at(one, address) for one in value] if isinstance(value, list) else value


def _text(answer: Response) -> str:
    return answer.body.decode(errors="replace").strip() or f"the agent answered {answer.status}"
