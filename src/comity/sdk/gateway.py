"""A client of a whole cluster through its gateway: one URL, one token, every API behind it."""

from typing import Any, cast

from comity.runtime.http import Client, Headers
from comity.sdk.cosmos import Cosmos
from comity.sdk.marathon import Marathon
from comity.sdk.mesos import Agent, Master
from comity.sdk.rest import Rest, quoted
from comity.sdk.sessions import Sessions

Json = dict[str, Any]


class Cluster:
    """One cluster."""

    def __init__(self, url: str, client: Client, token: str = "") -> None:
        self.url = url.rstrip("/")
        self.client = client
        self.headers: Headers = (("Authorization", f"token={token}"),) if token else ()
        self.rest = Rest(self.url, client, self.headers)
        self.marathon = Marathon(f"{self.url}/service/marathon", client, self.headers)
        self.master = Master(f"{self.url}/mesos", client, self.headers)
        self.packages = Cosmos(self.url, client, self.headers)

    def agent(self, agent_id: str) -> Agent:
        """Return a client of one agent."""
        return Agent(f"{self.url}/agent/{quoted(agent_id)}", self.client, self.headers)

    def sessions(self, agent_id: str) -> Sessions:
        """Return a client of the input and output of one agent's containers."""
        return Sessions(f"{self.url}/agent/{quoted(agent_id)}", self.client, self.headers)

    async def version(self) -> Json:
        """Return which DC/OS interfaces the cluster keeps; needs no token."""
        return cast("Json", await self.rest.call("GET", "/dcos-metadata/dcos-version.json"))

    async def metadata(self) -> Json:
        """Return the cluster's id."""
        return cast("Json", await self.rest.call("GET", "/metadata"))

    async def needs_login(self) -> bool:
        """Whether a call without a good token is refused."""
        answer = await self.rest.raw("HEAD", "/pkgpanda/active.buildinfo.full.json")
        return answer.status == 401

    async def providers(self) -> Json:
        """Return the ways to log in."""
        return cast("Json", await self.rest.call("GET", "/acs/api/v1/auth/providers"))

    async def login(self, uid: str, password: str) -> str:
        """Return a token."""
        found = await self.rest.call(
            "POST", "/acs/api/v1/auth/login", {"uid": uid, "password": password}
        )
        return str(found["token"])
