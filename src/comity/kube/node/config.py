"""What the node executor is told: by the agent in its environment, by the framework in its data."""

from collections.abc import Mapping
from pathlib import Path

import msgspec
from msgspec import Struct

from comity.core.containers import LogLimits
from comity.core.errors import UserError


class Data(Struct, frozen=True, kw_only=True, rename="camel"):
    """`ExecutorInfo.data`: JSON written by the framework's scheduler; the only place of secrets."""

    apiserver: str
    """URL of the API server."""
    ca: str = ""
    """PEM of the certificate authority that the API server's certificate must come from."""
    token: str = ""
    """Our bearer token for the API."""
    kubelet_token: str = ""
    """The bearer token that the API server shows to us."""
    logs: LogLimits = LogLimits(max_size=10 << 20, max_files=5)
    """How much of a container's output is kept: a kubelet's containerLogMaxSize, -MaxFiles."""


class Config(Struct, frozen=True, kw_only=True):
    """The environment that an agent gives to executors."""

    agent: str
    """`ip:port` of the agent (MESOS_AGENT_ENDPOINT): its container API."""
    container_id: str
    """Our own container (MESOS_CONTAINER_ID): the parent of the pods' containers."""
    sandbox: Path
    """Our sandbox (MESOS_SANDBOX): pods' volumes and logs are below it."""
    token: str = ""
    """Our bearer token for the agent (MESOS_EXECUTOR_AUTHENTICATION_TOKEN), if it wants one."""
    shutdown_grace_s: float = 5.0
    """Time from SHUTDOWN to our end by force (MESOS_EXECUTOR_SHUTDOWN_GRACE_PERIOD)."""

    @property
    def ip(self) -> str:
        """The agent's address."""
        return self.agent.rpartition(":")[0].strip("[]")


_UNITS = {"ns": 1e-9, "us": 1e-6, "ms": 1e-3, "secs": 1.0, "mins": 60.0, "hrs": 3600.0}


def from_environment(environment: Mapping[str, str]) -> Config:
    """Read the configuration.

    Raises:
        UserError: something that agents set is missing: nobody starts this program by hand.
    """
    try:
        return Config(
            agent=environment["MESOS_AGENT_ENDPOINT"],
            container_id=environment["MESOS_CONTAINER_ID"],
            sandbox=Path(environment["MESOS_SANDBOX"]),
            token=environment.get("MESOS_EXECUTOR_AUTHENTICATION_TOKEN", ""),
            shutdown_grace_s=_seconds(
                environment.get("MESOS_EXECUTOR_SHUTDOWN_GRACE_PERIOD", "5secs")
            ),
        )
    except KeyError as error:
        raise UserError(
            f"{error.args[0]} is not set: agents start this program, as the executor of the "
            "Kubernetes framework; it is of no use by hand"
        ) from error


def decode_data(data: bytes | None) -> Data:
    """Read what the framework's scheduler gave us.

    Raises:
        UserError: it is none of its JSON.
    """
    try:
        return msgspec.json.decode(data or b"", type=Data)
    except msgspec.DecodeError as error:
        raise UserError(f"ExecutorInfo.data is not what a node executor needs: {error}") from error


def _seconds(text: str) -> float:
    """Read a Mesos duration, `5secs`; what cannot be read is the default of 5 s."""
    for unit, seconds in _UNITS.items():
        number = text.removesuffix(unit)
        if number != text and number.replace(".", "", 1).isdigit():
            return float(number) * seconds
    return 5.0
