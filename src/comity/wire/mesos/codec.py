"""Messages as bytes: protobuf, and JSON as Mesos reads and writes it, which is not proto3's.

Reading JSON takes the strict path first. Only when that fails is the document walked against the
declared types with Mesos's tolerances (3rdparty/stout protobuf.hpp): numbers and booleans as
strings, `null` as unset, a bare value where a list is declared, unknown enum values as unset. What
still does not fit is a `DecodeFailed` with the place of the fault.
"""

import enum
import functools
import math
import types
import typing
from typing import Any, TypeVar

import msgspec

from comity.core import ascii
from comity.core.errors import ComityError
from comity.wire.mesos import events, executor, link, numbers, operator, protobuf, scheduler
from comity.wire.mesos.base import UNLIMITED

T = TypeVar("T")

_TOO_DEEP = "Failed to parse body into JSON: nested too deeply"


class DecodeFailed(ComityError):
    """The bytes are no JSON, or no such message; the text says where."""


class UnknownType(DecodeFailed):
    """The message's `type` is one that this API does not have."""


@functools.cache
def _decoder(kind: Any) -> msgspec.json.Decoder[Any]:
    return msgspec.json.Decoder(kind)


_encoder = msgspec.json.Encoder()


class Format(enum.Enum):
    """How messages are written; the value is the media type."""

    JSON = "application/json"
    PROTOBUF = "application/x-protobuf"


def encode(message: Any, format: Format = Format.JSON) -> bytes:
    """Return a message's bytes.

    JSON is compact and only ASCII, so that a client may count characters for bytes.
    """
    if format is Format.PROTOBUF:
        return protobuf.encode(message, _UNION_OF_ARM.get(type(message)))
    return ascii.escaped(_encoder.encode(message))


def decode(kind: Any, data: bytes, format: Format = Format.JSON) -> Any:
    """Return the message of type `kind` (a Struct or a tagged union) in `data`.

    Raises:
        UnknownType: `type` names no variant of the union.
        DecodeFailed: anything else that is wrong.
    """
    if format is Format.PROTOBUF:
        return _decode_protobuf(kind, data)
    try:
        return _decoder(kind).decode(data)
    except (msgspec.ValidationError, UnicodeDecodeError):
        pass  # perhaps within Mesos's tolerances, else the walk below finds the fault again
    except msgspec.DecodeError as error:
        raise DecodeFailed(f"Failed to parse body into JSON: {error}") from error
    except RecursionError as error:
        raise DecodeFailed(_TOO_DEEP) from error
    try:
        return msgspec.convert(_lenient(msgspec.json.decode(data), kind), kind, strict=False)
    except msgspec.ValidationError as error:
        raise DecodeFailed(_explain(str(error))) from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise DecodeFailed(f"Failed to parse body into JSON: {error}") from error
    except RecursionError as error:
        raise DecodeFailed(_TOO_DEEP) from error


def _decode_protobuf(kind: Any, data: bytes) -> Any:
    try:
        return protobuf.decode(kind, data, _UNIONS.get(kind))
    except protobuf.Unknown as error:
        raise UnknownType(str(error)) from error
    except protobuf.Malformed as error:
        text = str(error)
        is_missing = text.startswith("Missing required fields")
        raise DecodeFailed(text if is_missing else f"Failed to parse body: {text}") from error


def _explain(text: str) -> str:
    if "missing required field" in text:
        return f"Missing required fields: {text}"
    return f"Failed to convert JSON into a message: {text}"


def _lenient(value: Any, kind: Any) -> Any:
    """Return `value` bent towards `kind` by Mesos's tolerances; misfits stay as they are."""
    origin = typing.get_origin(kind)
    if origin in (typing.Union, types.UnionType):
        return _lenient_union(
            value, [arm for arm in typing.get_args(kind) if arm is not type(None)]
        )
    if origin is tuple:
        item = typing.get_args(kind)[0]
        items = value if isinstance(value, list) else [value]
        bent = [_lenient(one, item) for one in items if one is not None]
        return [one for one in bent if one is not None]
    if origin is dict:
        if not isinstance(value, dict):
            return value
        item = typing.get_args(kind)[1]
        return {key: _lenient(one, item) for key, one in value.items()}
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        return _lenient_struct(value, kind)
    if isinstance(kind, type) and issubclass(kind, enum.Enum):
        known = isinstance(value, str) and value in kind._value2member_map_
        return value if known or not isinstance(value, str) else None
    return _lenient_scalar(value, kind)


def _lenient_union(value: Any, arms: list[Any]) -> Any:
    if len(arms) == 1:
        return _lenient(value, arms[0])
    if not isinstance(value, dict):
        return value
    tag = value.get("type")
    for arm in arms:
        if arm.__struct_config__.tag == tag:
            return _lenient_struct(value, arm)
    if not isinstance(tag, str):
        raise DecodeFailed("Missing required fields: type")
    raise UnknownType(f"Unknown type '{tag}'")


def _lenient_struct(value: Any, kind: type[msgspec.Struct]) -> Any:
    if not isinstance(value, dict):
        return value
    fields = _fields(kind)
    bent = {}
    for name, one in value.items():
        if one is None:
            continue
        result = _lenient(one, fields[name]) if name in fields else one
        if result is not None:
            bent[name] = result
    return bent


@functools.cache
def _fields(kind: type[msgspec.Struct]) -> dict[str, Any]:
    hints = typing.get_type_hints(kind)
    return {name: hints[name] for name in kind.__struct_fields__}


def _lenient_scalar(value: Any, kind: Any) -> Any:
    if kind is float and isinstance(value, str):
        try:
            number = float(value)
        except ValueError:
            return value
        if math.isnan(number):
            raise DecodeFailed("Failed to convert JSON into a message: not a number")
        return max(-UNLIMITED, min(number, UNLIMITED))
    if kind is bool and value in ("true", "false"):
        return value == "true"
    return value


def replace(message: T, **changes: Any) -> T:
    """Return a copy of a message with some fields changed."""
    return msgspec.structs.replace(message, **changes)  # type: ignore[type-var]


SCHEDULER_CALL: Any = scheduler.Call
SCHEDULER_EVENT: Any = scheduler.Event
EXECUTOR_CALL: Any = executor.Call
EXECUTOR_EVENT: Any = executor.Event
LINK_CALLS: Any = list[link.Call]
LINK_SUBSCRIBE: Any = link.Subscribe
LINK_EVENT: Any = link.Event
AGENT_CALL: Any = operator.AgentCall
MASTER_CALL: Any = operator.MasterCall
MASTER_EVENT: Any = events.Event

_UNIONS: dict[Any, protobuf.Union] = {
    SCHEDULER_CALL: protobuf.Union(scheduler.Call, 2, numbers.SCHEDULER_CALL_TYPE),
    SCHEDULER_EVENT: protobuf.Union(scheduler.Event, 1, numbers.SCHEDULER_EVENT_TYPE),
    EXECUTOR_CALL: protobuf.Union(executor.Call, 3, numbers.EXECUTOR_CALL_TYPE),
    EXECUTOR_EVENT: protobuf.Union(executor.Event, 1, numbers.EXECUTOR_EVENT_TYPE),
    MASTER_CALL: protobuf.Union(operator.MasterCall, 1, numbers.MASTER_CALL_TYPE),
    AGENT_CALL: protobuf.Union(operator.AgentCall, 1, numbers.AGENT_CALL_TYPE),
}
_UNION_OF_ARM: dict[type, protobuf.Union] = {
    arm: _UNIONS[kind]
    for kind in (SCHEDULER_CALL, SCHEDULER_EVENT, EXECUTOR_CALL, EXECUTOR_EVENT)
    for arm in typing.get_args(kind)
}
"""The unions whose arms are written; calls of operators are only read."""
