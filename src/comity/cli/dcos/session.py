"""A connection to the cluster that commands go to."""

import contextlib
import os
import ssl
from collections.abc import AsyncIterator

from comity.cli.dcos import settings
from comity.core.errors import UserError
from comity.runtime import tls
from comity.runtime.http import Client
from comity.sdk.gateway import Cluster
from comity.sdk.rest import ApiError, HttpError

LOCAL_URL = "http://127.0.0.1:8000"
"""Where `comity up` has its gateway; used when no cluster was set up."""


@contextlib.asynccontextmanager
async def connected(
    url: str = "", token: str = "", verify: object = None
) -> AsyncIterator[Cluster]:
    """Give a client of the attached cluster, or of the one at `url`.

    Args:
        url: the cluster's; empty means the one in use.
        token: what proves who calls.
        verify: `core.ssl_verify` of that cluster: true, false, or a file of authorities to trust.

    Raises:
        UserError: no cluster is attached, and none answers on this machine.
    """
    held = settings.attached()
    if not url and held is not None:
        verify = held.get("core.ssl_verify")
    client = Client(ssl=_trusting(os.environ.get("DCOS_SSL_VERIFY", verify)))
    try:
        if url:
            yield Cluster(url, client, token)
        else:
            yield await _attached(client)
    finally:
        await client.close()


def _trusting(verify: object) -> ssl.SSLContext | None:
    """Return what to call https URLs with; None asks the system's authorities.

    Raises:
        UserError: the file of authorities cannot be used.
    """
    said = str(verify if verify is not None else "").lower()
    if said in ("", "true", "1"):
        return None
    if said in ("false", "0"):
        return tls.client_context(tls.Settings(verifies_servers=False))
    return tls.client_context(tls.Settings(ca_file=str(verify)))


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
            f"no cluster is attached, and none answers at {LOCAL_URL}: start one with `comity up`, "
            "or name one with `dcos cluster setup URL`"
        ) from error
    return cluster
