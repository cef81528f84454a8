"""Carry out probe and hook actions: exec, HTTP GET, TCP connect, sleep."""

import asyncio
import ssl

from comity.kube.node.outbox import Action, Exec, HttpGet, Sleep, TcpConnect
from comity.kube.node.shell.agents import AgentContainers, LaunchRefused
from comity.kube.node.shell.disk import PodDisk
from comity.runtime.http import Client, HttpError

_OUTPUT_MAX = 1024


class Actor:
    """Runs actions against containers; each gives a verdict and a text for people."""

    def __init__(self, containers: AgentContainers, disk: PodDisk) -> None:
        self._containers = containers
        self._disk = disk
        # A probe asks whether something answers, not who it is: kubelets do not verify either.
        context = ssl.create_default_context()
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        self._client = Client(ssl=context, headers=(("Connection", "close"), ("Accept", "*/*")))

    async def close(self) -> None:
        """Drop the connections."""
        await self._client.close()

    async def act(self, container_id: str, action: Action, timeout_s: float) -> tuple[bool, str]:
        """Carry out one action; return whether it went well, and what it said."""
        match action:
            case Exec():
                return await self._exec(container_id, action, timeout_s)
            case HttpGet():
                return await self._http_get(action, timeout_s)
            case TcpConnect():
                return await self._tcp_connect(action, timeout_s)
            case Sleep():
                await asyncio.sleep(min(action.seconds, timeout_s))
                return True, ""

    async def _exec(self, container_id: str, action: Exec, timeout_s: float) -> tuple[bool, str]:
        if not action.command:
            return False, "exec has no command"
        try:
            code, inner = await self._containers.run_inside(container_id, action.command, timeout_s)
        except LaunchRefused as error:
            return False, str(error)
        output = self._output(container_id, inner)
        await self._containers.forget_inside(container_id, inner)
        if code is None:
            return False, f"command timed out after {timeout_s:g}s"
        return code == 0, output or f"command exited with {code}"

    def _output(self, container_id: str, inner: str) -> str:
        directory = self._disk.logs(container_id, inner)
        parts = []
        for name in ("stdout", "stderr"):
            path = directory / name
            if path.is_file():
                with path.open("rb") as file:
                    parts.append(file.read(_OUTPUT_MAX).decode(errors="replace"))
        return "".join(parts).strip()

    async def _http_get(self, action: HttpGet, timeout_s: float) -> tuple[bool, str]:
        try:
            answer = await self._client.request(
                "GET", action.url, headers=action.headers, timeout_s=timeout_s
            )
        except HttpError as error:
            return False, f"Get {action.url!r}: {error}"
        if 200 <= answer.status < 400:
            return True, ""
        return False, f"HTTP probe failed with statuscode: {answer.status}"

    async def _tcp_connect(self, action: TcpConnect, timeout_s: float) -> tuple[bool, str]:
        try:
            async with asyncio.timeout(timeout_s):
                _, writer = await asyncio.open_connection(action.host, action.port)
        except (OSError, TimeoutError) as error:
            return False, f"dial tcp {action.host}:{action.port}: {error or 'timeout'}"
        writer.close()
        return True, ""
