"""The way into a pod from outside of it: sessions in its containers, connections to its ports."""

from typing import Any

from comity.kube.node.http.streaming import Streams
from comity.kube.node.shell.agents import AgentContainers
from comity.kube.node.state import Json
from comity.runtime.http import Duplex, HttpError
from comity.runtime.http.duplex import connect_as
from comity.sdk.rest import ApiError
from comity.sdk.sessions import Sessions


class Inside:
    """Enters the pods of one node through its agent."""

    def __init__(self, sessions: Sessions, containers: AgentContainers) -> None:
        self.streams = Streams(sessions)
        self._sessions = sessions
        self._containers = containers

    def name(self, container_id: str) -> Json:
        """Return a container's id for the agent."""
        return self._containers.name(container_id)

    async def dial(self, container_id: str, port: int) -> Duplex:
        """Connect to a port of the pod that a container is in, from within its network.

        Raises:
            HttpError: nobody listens there, or the pod is not there any more.
        """
        name = self.name(container_id)
        try:
            listed = await self._sessions.containers()
        except ApiError as error:
            raise HttpError(f"the agent does not tell where the pod is: {error}") from error
        pids = (_pid(one) for one in listed if one.get("container_id") == name)
        pid = next((each for each in pids if each), None)
        if pid is None:
            raise HttpError("the pod's container does not run any more")
        return await connect_as(pid, port)


def _pid(container: dict[str, Any]) -> int | None:
    status = container.get("container_status") or {}
    return status.get("executor_pid")
