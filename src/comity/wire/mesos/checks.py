"""Mesos v1 messages about checks and health checks (mesos.proto: CheckInfo, HealthCheck)."""

from comity.wire.mesos.base import Wire, emitted
from comity.wire.mesos.containers import CommandInfo


class CheckCommand(Wire, frozen=True, kw_only=True):
    """A command whose exit status is the result."""

    command: CommandInfo


class CheckHttp(Wire, frozen=True, kw_only=True):
    """A GET whose status code is the result."""

    port: int
    path: str | None = None


class CheckTcp(Wire, frozen=True, kw_only=True):
    """A connection attempt."""

    port: int


class CheckInfo(Wire, frozen=True, kw_only=True):
    """A check that reports and never kills. Times are in seconds."""

    type: str | None = None
    command: CheckCommand | None = None
    http: CheckHttp | None = None
    tcp: CheckTcp | None = None
    delay_seconds: float = emitted(15.0)
    interval_seconds: float = emitted(10.0)
    timeout_seconds: float = emitted(20.0)


class HttpCheckInfo(Wire, frozen=True, kw_only=True):
    """`HealthCheck.HTTPCheckInfo`; 200 to 399 is healthy."""

    port: int
    protocol: str | None = None
    scheme: str | None = None
    path: str | None = None
    statuses: tuple[int, ...] = ()


class TcpCheckInfo(Wire, frozen=True, kw_only=True):
    """`HealthCheck.TCPCheckInfo`."""

    port: int
    protocol: str | None = None


class HealthCheck(Wire, frozen=True, kw_only=True):
    """A check whose failures kill the task. Times are in seconds."""

    type: str | None = None
    command: CommandInfo | None = None
    http: HttpCheckInfo | None = None
    tcp: TcpCheckInfo | None = None
    delay_seconds: float = emitted(15.0)
    interval_seconds: float = emitted(10.0)
    timeout_seconds: float = emitted(20.0)
    consecutive_failures: int = emitted(3)
    grace_period_seconds: float = emitted(10.0)


class CheckCommandStatus(Wire, frozen=True, kw_only=True):
    """`CheckStatusInfo.Command`."""

    exit_code: int | None = None


class CheckHttpStatus(Wire, frozen=True, kw_only=True):
    """`CheckStatusInfo.Http`."""

    status_code: int | None = None


class CheckTcpStatus(Wire, frozen=True, kw_only=True):
    """`CheckStatusInfo.Tcp`."""

    succeeded: bool | None = None


class CheckStatusInfo(Wire, frozen=True, kw_only=True):
    """The last result of a check; empty inside means that it has none yet."""

    type: str | None = None
    command: CheckCommandStatus | None = None
    http: CheckHttpStatus | None = None
    tcp: CheckTcpStatus | None = None
