"""Asks tasks over the network whether they are well."""

import asyncio
import ssl
from urllib.parse import urljoin

from comity.runtime.http import Client, HttpError

_REDIRECTS_MAX = 10

Result = tuple[bool, str, int | None]
"""Whether the task is well, a sentence, and the HTTP status if there was one."""


class Prober:
    """Makes HTTP probes; a probe does not check certificates, as curl -k in Mesos's does not."""

    def __init__(self) -> None:
        context = ssl.create_default_context()
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        self._client = Client(ssl=context)

    async def get(self, urls: tuple[str, ...]) -> Result:
        """GET the first URL that anybody answers, and where it redirects to."""
        fault = ""
        for url in urls:
            try:
                return await self._follow(url)
            except HttpError as error:
                fault = fault or str(error)
        return False, fault, None

    async def _follow(self, url: str) -> Result:
        for _ in range(_REDIRECTS_MAX):
            answer = await self._client.request("GET", url)
            location = answer.header("location")
            if not 300 <= answer.status < 400 or location is None:
                well = 200 <= answer.status < 400
                return well, f"HTTP status {answer.status}", answer.status
            url = urljoin(url, location)
        return False, f"more than {_REDIRECTS_MAX} redirects", None

    async def close(self) -> None:
        """Drop connections."""
        await self._client.close()


async def connect(addresses: tuple[tuple[str, int], ...]) -> Result:
    """Connect to the first address where anybody listens."""
    fault = ""
    for host, port in addresses:
        try:
            _, writer = await asyncio.open_connection(host, port)
        except OSError as error:
            fault = fault or str(error)
            continue
        writer.close()
        return True, "connected", None
    return False, fault, None
