"""A connection to the cluster that commands go to."""

import contextlib
import os
from collections.abc import AsyncIterator

from comity.cli.dcos import settings
from comity.core.errors import UserError
from comity.runtime.http import Client
from comity.sdk.gateway import Cluster
from comity.sdk.rest import ApiError, HttpError

LOCAL_URL = "http://127.0.0.1:8000"
"""Where `comity up` has its gateway; used when no cluster was set up."""


@contextlib.asynccontextmanager
async def connected(url: str = "", token: str = "") -> AsyncIterator[Cluster]:
    """Give a client of the attached cluster, or of the one at `url`.

    Raises:
        UserError: no cluster is attached, and none answers on this machine.
    """
    client = Client()
    try:
        if url:
            yield Cluster(url, client, token)
        else:
            yield await _attached(client)
    finally:
        await client.close()


async def _attached(client: Client) -> Cluster:
    token = os.environ.get("DCOS_ACS_TOKEN", "")
    if url := os.environ.get("DCOS_URL"):
        return Cluster(url, client, token)  # without the token of whatever else is attached
    held = settings.attached()
    if held is not None and (url := held.get("core.dcos_url")):
        return Cluster(str(url), client, token or str(held.get("core.dcos_acs_token") or ""))
    cluster = Cluster(LOCAL_URL, client, token)
    try:
        await cluster.version()
    except (HttpError, ApiError) as error:
        raise UserError(
            "no cluster is attached, and none runs on this machine: start one with `comity up`, "
            "or name one with `dcos cluster setup URL`"
        ) from error
    return cluster
