"""Health probes: an HTTP request or a TCP connection, a bounded number at once."""

import asyncio
import contextlib
import ssl

from comity.marathon.outbox import Probe
from comity.runtime.http import Client, HttpError

_HEADERS = (("Accept", "*/*"), ("Connection", "close"))


class Prober:
    """Makes probes; each ends with the cause of its failure, or None."""

    def __init__(self, at_once: int) -> None:
        self._places = asyncio.Semaphore(at_once)
        self._tls: ssl.SSLContext | None = None

    async def probe(self, probe: Probe) -> str | None:
        """Make one probe."""
        async with self._places:
            try:
                async with asyncio.timeout(max(0.1, probe.timeout_s)):
                    if probe.protocol != "TCP":
                        return await self._get(probe)
                    await _connect(probe)
                    return None
            except TimeoutError:
                return f"{probe.protocol} check timed out after {probe.timeout_s:g} seconds"
            except OSError as error:
                return f"cannot connect to {probe.host}:{probe.port}: {error.strerror or error}"
            except HttpError as error:
                return str(error)

    async def _get(self, probe: Probe) -> str | None:
        path = probe.path if probe.path.startswith("/") else f"/{probe.path}"
        url = f"{probe.protocol.lower()}://{probe.host}:{probe.port}{path}"
        client = Client(ssl=self._any_peer() if probe.protocol == "HTTPS" else None)
        try:
            answer = await client.request("GET", url, headers=_HEADERS, timeout_s=probe.timeout_s)
        finally:
            await client.close()
        return None if 200 <= answer.status < 400 else f"HTTP status {answer.status}"

    def _any_peer(self) -> ssl.SSLContext:
        """Return a context that trusts any certificate: a probe asks for life, not identity."""
        if self._tls is None:
            self._tls = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            self._tls.check_hostname = False
            self._tls.verify_mode = ssl.CERT_NONE
        return self._tls


async def _connect(probe: Probe) -> None:
    _, writer = await asyncio.open_connection(probe.host, probe.port)
    writer.close()
    with contextlib.suppress(OSError):  # the check passed when the connection came about
        await writer.wait_closed()
