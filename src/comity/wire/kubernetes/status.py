"""Status, the API's error format, and the error that carries it.

Field names and reasons are those of meta/v1 Status; messages follow the wording that clients and
people search for.
"""

from collections.abc import Sequence

import msgspec

from comity.core.errors import ComityError
from comity.wire.kubernetes import Json
from comity.wire.kubernetes.resources import Resource


class FieldError(msgspec.Struct, frozen=True):
    """One thing wrong with one field. `reason` is the cause's, for example `FieldValueRequired`."""

    reason: str
    field: str
    message: str

    @classmethod
    def required(cls, field: str, detail: str = "") -> "FieldError":
        """Say that a field must be there."""
        return cls("FieldValueRequired", field, _join("Required value", detail))

    @classmethod
    def invalid(cls, field: str, value: object, detail: str) -> "FieldError":
        """Say that a value cannot be."""
        return cls("FieldValueInvalid", field, _join(f"Invalid value: {_shown(value)}", detail))

    @classmethod
    def unsupported(cls, field: str, value: object, known: Sequence[str]) -> "FieldError":
        """Say that a value is not one of those known."""
        names = ", ".join(f'"{name}"' for name in known)
        text = f"Unsupported value: {_shown(value)}: supported values: {names}"
        return cls("FieldValueNotSupported", field, text)

    @classmethod
    def duplicate(cls, field: str, value: object) -> "FieldError":
        """Say that a value was there before."""
        return cls("FieldValueDuplicate", field, f"Duplicate value: {_shown(value)}")

    @classmethod
    def forbidden(cls, field: str, detail: str) -> "FieldError":
        """Say that a field may not be given here."""
        return cls("FieldValueForbidden", field, f"Forbidden: {detail}")

    @classmethod
    def too_long(cls, field: str, limit: int) -> "FieldError":
        """Say that a value is over its limit of bytes."""
        text = f"Too long: may not be more than {limit} bytes"
        return cls("FieldValueTooLong", field, text)

    def __str__(self) -> str:
        return f"{self.field}: {self.message}"


def _join(text: str, detail: str) -> str:
    return f"{text}: {detail}" if detail else text


def _shown(value: object) -> str:
    return msgspec.json.encode(value).decode()


class ApiError(ComityError):
    """A refusal in the API's own format."""

    def __init__(self, code: int, reason: str, message: str, details: Json | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.reason = reason
        self.message = message
        self.details = details or {}

    def status(self) -> Json:
        """Return the Status object."""
        body: Json = {
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": {},
            "status": "Failure",
            "message": self.message,
            "reason": self.reason,
        }
        if self.details:
            body["details"] = self.details
        body["code"] = self.code
        return body


def success(details: Json | None = None, code: int | None = None) -> Json:
    """Return a Status of success."""
    body: Json = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success"}
    if details:
        body["details"] = details
    if code is not None:
        body["code"] = code
    return body


def details_of(resource: Resource, name: str) -> Json:
    """Return the details that name an object."""
    details: Json = {"name": name}
    if resource.group:
        details["group"] = resource.group
    return details | {"kind": resource.plural}


def bad_request(message: str) -> ApiError:
    """Refuse what cannot be understood."""
    return ApiError(400, "BadRequest", message)


def not_found(resource: Resource, name: str) -> ApiError:
    """Say that an object is not there."""
    text = f'{resource.qualified} "{name}" not found'
    return ApiError(404, "NotFound", text, details_of(resource, name))


def unknown_path() -> ApiError:
    """Say that nothing is served under a path."""
    return ApiError(404, "NotFound", "the server could not find the requested resource")


def not_allowed(
    message: str = "the server does not allow this method on the requested resource",
) -> ApiError:
    """Refuse a method."""
    return ApiError(405, "MethodNotAllowed", message)


def already_exists(resource: Resource, name: str) -> ApiError:
    """Refuse a second object of one name."""
    text = f'{resource.qualified} "{name}" already exists'
    return ApiError(409, "AlreadyExists", text, details_of(resource, name))


def conflict(resource: Resource, name: str, why: str = "") -> ApiError:
    """Refuse a change that was made against something else than what is there."""
    why = why or (
        "the object has been modified; "
        "please apply your changes to the latest version and try again"
    )
    text = f'Operation cannot be fulfilled on {resource.qualified} "{name}": {why}'
    return ApiError(409, "Conflict", text, details_of(resource, name))


def forbidden(
    resource: Resource, name: str, why: str, causes: list[Json] | None = None
) -> ApiError:
    """Refuse what is not permitted."""
    details = details_of(resource, name)
    if causes:
        details["causes"] = causes
    return ApiError(403, "Forbidden", f'{resource.qualified} "{name}" is forbidden: {why}', details)


def invalid(kind: str, group: str, name: str, errors: Sequence[FieldError]) -> ApiError:
    """Refuse an object whose fields are wrong, with a cause for each."""
    shown = str(errors[0]) if len(errors) == 1 else f"[{', '.join(map(str, errors))}]"
    qualified = f"{kind}.{group}" if group else kind
    details: Json = {"name": name} if name else {}
    if group:
        details["group"] = group
    details["kind"] = kind
    details["causes"] = [
        {"reason": each.reason, "message": each.message, "field": each.field} for each in errors
    ]
    return ApiError(422, "Invalid", f'{qualified} "{name}" is invalid: {shown}', details)


def expired(message: str) -> ApiError:
    """Say that a resource version is out of our memory."""
    return ApiError(410, "Expired", message)


def unsupported_media(message: str) -> ApiError:
    """Refuse a body's format."""
    return ApiError(415, "UnsupportedMediaType", message)


def not_acceptable(message: str) -> ApiError:
    """Say that no wanted format can be given."""
    return ApiError(406, "NotAcceptable", message)


def unauthorized() -> ApiError:
    """Ask who is calling."""
    return ApiError(401, "Unauthorized", "Unauthorized")
