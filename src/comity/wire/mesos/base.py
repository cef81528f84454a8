"""What every Mesos message builds on, and the small messages that all others use.

Field names and defaults are those of Mesos's include/mesos/v1/mesos.proto. A field that is unset is
absent on the wire, except where the message declares a default: Mesos writes those out, and so
do we (`emitted`).
"""

from typing import Annotated, Any

from msgspec import Struct, field

from comity.wire.mesos import numbers

UNLIMITED = 1e15
"""What "Infinity" is read as: JSON has no number for it, so it could not be passed on."""


class Wire(Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """A message: immutable, unknown fields ignored, unset fields not written."""


def emitted(value: Any) -> Any:
    """Declare a default that is written out even when the field was not set."""
    return field(default_factory=lambda: value)


def filled(**lists: Any) -> dict[str, Any]:
    """Return the lists of a document that have something in them: v1's JSON has no others."""
    return {name: items for name, items in lists.items() if items}


class Id(Wire, frozen=True, kw_only=True):
    """FrameworkID, AgentID, OfferID, TaskID, ExecutorID: an object around a string."""

    value: Annotated[str, 1]


class ContainerID(Wire, frozen=True, kw_only=True):
    """A container, nested in `parent` if there is one."""

    value: Annotated[str, 1]
    parent: Annotated["ContainerID | None", 2] = None


class Label(Wire, frozen=True, kw_only=True):
    """A free-form key with an optional value."""

    key: Annotated[str, 1]
    value: Annotated[str | None, 2] = None


class Labels(Wire, frozen=True, kw_only=True):
    """Labels in order; keys may repeat."""

    labels: Annotated[tuple[Label, ...], 1] = ()


class Scalar(Wire, frozen=True, kw_only=True):
    """A number, compared at three decimals."""

    value: Annotated[float, 1]


class Range(Wire, frozen=True, kw_only=True):
    """Integers from `begin` to `end`, both included."""

    begin: Annotated[int, 1]
    end: Annotated[int, 2]


class Ranges(Wire, frozen=True, kw_only=True):
    """Ranges of integers, such as ports."""

    range: Annotated[tuple[Range, ...], 1] = ()


class SetOfItems(Wire, frozen=True, kw_only=True):
    """`Value.Set`: strings without order."""

    item: Annotated[tuple[str, ...], 1] = ()


class Text(Wire, frozen=True, kw_only=True):
    """`Value.Text`."""

    value: Annotated[str, 1]


class Duration(Wire, frozen=True, kw_only=True):
    """`google.protobuf.Duration`, in the one call that uses it (DRAIN_AGENT)."""

    seconds: Annotated[int, 1] = 0
    nanos: Annotated[int, 2] = 0


class DurationInfo(Wire, frozen=True, kw_only=True):
    """A duration in nanoseconds."""

    nanoseconds: Annotated[int, 1]


class TimeInfo(Wire, frozen=True, kw_only=True):
    """An instant in nanoseconds since the Unix epoch."""

    nanoseconds: Annotated[int, 1]


class Unavailability(Wire, frozen=True, kw_only=True):
    """`Unavailability`."""

    start: Annotated[TimeInfo, 1]
    duration: Annotated[DurationInfo | None, 2] = None


class MachineID(Wire, frozen=True, kw_only=True):
    """`MachineID`."""

    hostname: Annotated[str | None, 1] = None
    ip: Annotated[str | None, 2] = None


class Parameter(Wire, frozen=True, kw_only=True):
    """A key and a value for a containerizer."""

    key: Annotated[str, 1]
    value: Annotated[str, 2]


class SecretReference(Wire, frozen=True, kw_only=True):
    """`Secret.Reference`."""

    name: Annotated[str, 1]
    key: Annotated[str | None, 2] = None


class SecretValue(Wire, frozen=True, kw_only=True):
    """`Secret.Value`."""

    data: Annotated[bytes, 1]


class Secret(Wire, frozen=True, kw_only=True):
    """`Secret`."""

    type: Annotated[str | None, 1, numbers.SECRET_TYPE] = None
    reference: Annotated[SecretReference | None, 2] = None
    value: Annotated[SecretValue | None, 3] = None


class Variable(Wire, frozen=True, kw_only=True):
    """An environment variable; `type` is VALUE, or SECRET for one in `secret`."""

    name: Annotated[str, 1]
    type: Annotated[str | None, 3, numbers.ENVIRONMENT_VARIABLE_TYPE] = None
    value: Annotated[str | None, 2] = None
    secret: Annotated[Secret | None, 4] = None


class Environment(Wire, frozen=True, kw_only=True):
    """Environment variables; of equal names the last wins."""

    variables: Annotated[tuple[Variable, ...], 1] = ()
