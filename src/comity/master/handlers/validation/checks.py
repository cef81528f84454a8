"""Health checks and checks."""

from collections.abc import Mapping

from comity.master.handlers.validation import commands
from comity.master.handlers.validation.faults import Invalid, within
from comity.wire.mesos import v1

_SCHEMES = ("http", "https")
_KINDS = ("COMMAND", "HTTP", "TCP")


def check_health_check(check: v1.HealthCheck) -> None:
    """Refuse a health check that lacks what its type needs, or has negative times."""
    if check.type is None:
        raise Invalid("HealthCheck must specify 'type'")
    given = {"COMMAND": check.command, "HTTP": check.http, "TCP": check.tcp}
    _check_kind(check.type, given, "health check")
    if check.type == "COMMAND" and check.command is not None:
        _check_command(check.command, "health check")
    elif check.type == "HTTP" and check.http is not None:
        if check.http.scheme is not None and check.http.scheme not in _SCHEMES:
            raise Invalid(f"Unsupported HTTP health check scheme: '{check.http.scheme}'")
        _check_path(check.http.path, "health check")
    _check_times(
        delay_seconds=check.delay_seconds,
        grace_period_seconds=check.grace_period_seconds,
        interval_seconds=check.interval_seconds,
        timeout_seconds=check.timeout_seconds,
    )


def check_check(check: v1.CheckInfo) -> None:
    """Refuse a check that lacks what its type needs, or has negative times."""
    if check.type is None:
        raise Invalid("CheckInfo must specify 'type'")
    given = {"COMMAND": check.command, "HTTP": check.http, "TCP": check.tcp}
    _check_kind(check.type, given, "check")
    if check.type == "COMMAND" and check.command is not None:
        _check_command(check.command.command, "check")
    elif check.type == "HTTP" and check.http is not None:
        _check_path(check.http.path, "check")
    _check_times(
        delay_seconds=check.delay_seconds,
        interval_seconds=check.interval_seconds,
        timeout_seconds=check.timeout_seconds,
    )


def _check_kind(kind: str, given: Mapping[str, object], what: str) -> None:
    if kind not in _KINDS:
        raise Invalid(f"'{kind}' is not a valid {what} type")
    if given[kind] is None:
        raise Invalid(f"Expecting '{kind.lower()}' to be set for {kind} {what}")


def _check_command(command: v1.CommandInfo, what: str) -> None:
    if command.value is None:
        needed = "'shell command'" if command.shell else "'executable path'"
        raise Invalid(f"Command {what} must contain {needed}")
    with within(f"{what.capitalize()}'s `CommandInfo` is invalid"):
        commands.check_command(command)


def _check_path(path: str | None, what: str) -> None:
    if path is not None and not path.startswith("/"):
        raise Invalid(f"The path '{path}' of HTTP {what} must start with '/'")


def _check_times(**times: float) -> None:
    for name, seconds in times.items():
        if not seconds >= 0:  # NaN is refused, too
            raise Invalid(f"Expecting '{name}' to be non-negative")
