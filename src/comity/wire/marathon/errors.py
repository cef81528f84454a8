"""Refusals of the API: a status and Marathon's JSON body for it.

Raised while a call is read or decided on, and turned into a response at one place.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from comity.core.errors import ComityError


class Refused(ComityError):
    """A call that is answered with an error; nothing has changed."""

    def __init__(self, status: int, body: Mapping[str, Any]) -> None:
        super().__init__(body.get("message", f"status {status}"))
        self.status = status
        self.body = msgspec.json.encode(body)


def plain(status: int, message: str) -> Refused:
    """Return a refusal whose body is only a message."""
    return Refused(status, {"message": message})


def malformed(details: str) -> Refused:
    """Return the refusal of a body that is no JSON."""
    return Refused(400, {"message": "Invalid JSON", "details": details})


def mistyped(errors: Mapping[str, Sequence[str]]) -> Refused:
    """Return the refusal of JSON whose values have wrong types, by path."""
    return Refused(422, {"message": "Invalid JSON", "details": _details(errors)})


def invalid(errors: Mapping[str, Sequence[str]]) -> Refused:
    """Return the refusal of an object that breaks rules, by path."""
    return Refused(422, {"message": "Object is not valid", "details": _details(errors)})


def locked(deployments: Sequence[str]) -> Refused:
    """Return the refusal of a change to apps that deployments are still changing."""
    message = (
        "App is locked by one or more deployments. Override with the option '?force=true'. "
        "View details at '/v2/deployments/<DEPLOYMENT_ID>'."
    )
    return Refused(409, {"message": message, "deployments": [{"id": one} for one in deployments]})


def unknown_app(app_id: str, version: str | None = None) -> Refused:
    """Return the refusal of a call about an app that is not there."""
    suffix = f" in version {version}" if version else ""
    return plain(404, f"App '{app_id}' does not exist{suffix}")


def unknown_pod(pod_id: str, version: str | None = None) -> Refused:
    """Return the refusal of a call about a pod that is not there."""
    suffix = f" in version {version}" if version else ""
    return plain(404, f"Pod '{pod_id}' does not exist{suffix}")


def unknown_group(group_id: str) -> Refused:
    """Return the refusal of a call about a group that is not there."""
    return plain(404, f"Group '{group_id}' does not exist")


def unknown_task(task_id: str) -> Refused:
    """Return the refusal of a call about a task that is not there."""
    return plain(404, f"Task '{task_id}' does not exist")


def _details(errors: Mapping[str, Sequence[str]]) -> list[dict[str, Any]]:
    return [{"path": path, "errors": list(texts)} for path, texts in errors.items()]
