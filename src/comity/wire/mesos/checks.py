"""Mesos v1 messages about checks and health checks (mesos.proto: CheckInfo, HealthCheck)."""

from typing import Annotated

from comity.wire.mesos import numbers
from comity.wire.mesos.base import Wire, emitted
from comity.wire.mesos.containers import CommandInfo


class CheckCommand(Wire, frozen=True, kw_only=True):
    """A command whose exit status is the result."""

    command: Annotated[CommandInfo, 1]


class CheckHttp(Wire, frozen=True, kw_only=True):
    """A GET whose status code is the result."""

    port: Annotated[int, 1]
    path: Annotated[str | None, 2] = None


class CheckTcp(Wire, frozen=True, kw_only=True):
    """A connection attempt."""

    port: Annotated[int, 1]


class CheckInfo(Wire, frozen=True, kw_only=True):
    """A check that reports and never kills. Times are in seconds."""

    type: Annotated[str | None, 1, numbers.CHECK_INFO_TYPE] = None
    command: Annotated[CheckCommand | None, 2] = None
    http: Annotated[CheckHttp | None, 3] = None
    tcp: Annotated[CheckTcp | None, 7] = None
    delay_seconds: Annotated[float, 4] = emitted(15.0)
    interval_seconds: Annotated[float, 5] = emitted(10.0)
    timeout_seconds: Annotated[float, 6] = emitted(20.0)


class HttpCheckInfo(Wire, frozen=True, kw_only=True):
    """`HealthCheck.HTTPCheckInfo`; 200 to 399 is healthy."""

    port: Annotated[int, 1]
    protocol: Annotated[str | None, 5, numbers.NETWORK_INFO_PROTOCOL] = None
    scheme: Annotated[str | None, 3] = None
    path: Annotated[str | None, 2] = None
    statuses: Annotated[tuple[int, ...], 4] = ()


class TcpCheckInfo(Wire, frozen=True, kw_only=True):
    """`HealthCheck.TCPCheckInfo`."""

    port: Annotated[int, 1]
    protocol: Annotated[str | None, 2, numbers.NETWORK_INFO_PROTOCOL] = None


class HealthCheck(Wire, frozen=True, kw_only=True):
    """A check whose failures kill the task. Times are in seconds."""

    type: Annotated[str | None, 8, numbers.HEALTH_CHECK_TYPE] = None
    command: Annotated[CommandInfo | None, 7] = None
    http: Annotated[HttpCheckInfo | None, 1] = None
    tcp: Annotated[TcpCheckInfo | None, 9] = None
    delay_seconds: Annotated[float, 2] = emitted(15.0)
    interval_seconds: Annotated[float, 3] = emitted(10.0)
    timeout_seconds: Annotated[float, 4] = emitted(20.0)
    consecutive_failures: Annotated[int, 5] = emitted(3)
    grace_period_seconds: Annotated[float, 6] = emitted(10.0)


class CheckCommandStatus(Wire, frozen=True, kw_only=True):
    """`CheckStatusInfo.Command`."""

    exit_code: Annotated[int | None, 1] = None


class CheckHttpStatus(Wire, frozen=True, kw_only=True):
    """`CheckStatusInfo.Http`."""

    status_code: Annotated[int | None, 1] = None


class CheckTcpStatus(Wire, frozen=True, kw_only=True):
    """`CheckStatusInfo.Tcp`."""

    succeeded: Annotated[bool | None, 1] = None


class CheckStatusInfo(Wire, frozen=True, kw_only=True):
    """The last result of a check; empty inside means that it has none yet."""

    type: Annotated[str | None, 1, numbers.CHECK_INFO_TYPE] = None
    command: Annotated[CheckCommandStatus | None, 2] = None
    http: Annotated[CheckHttpStatus | None, 3] = None
    tcp: Annotated[CheckTcpStatus | None, 4] = None
