"""What every Mesos message builds on, and the small messages that all others use.

Field names and defaults are those of Mesos's include/mesos/v1/mesos.proto. A field that is unset is
absent on the wire, except where the message declares a default: Mesos writes those out, and so
do we (`emitted`).
"""

from typing import Any

from msgspec import Struct, field


class Wire(Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """A message: immutable, unknown fields ignored, unset fields not written."""


def emitted(value: Any) -> Any:
    """Declare a default that is written out even when the field was not set."""
    return field(default_factory=lambda: value)


class Id(Wire, frozen=True, kw_only=True):
    """FrameworkID, AgentID, OfferID, TaskID, ExecutorID: an object around a string."""

    value: str


class ContainerID(Wire, frozen=True, kw_only=True):
    """A container, nested in `parent` if there is one."""

    value: str
    parent: "ContainerID | None" = None


class Label(Wire, frozen=True, kw_only=True):
    """A free-form key with an optional value."""

    key: str
    value: str | None = None


class Labels(Wire, frozen=True, kw_only=True):
    """Labels in order; keys may repeat."""

    labels: tuple[Label, ...] = ()


class Scalar(Wire, frozen=True, kw_only=True):
    """A number, compared at three decimals."""

    value: float


class Range(Wire, frozen=True, kw_only=True):
    """Integers from `begin` to `end`, both included."""

    begin: int
    end: int


class Ranges(Wire, frozen=True, kw_only=True):
    """Ranges of integers, such as ports."""

    range: tuple[Range, ...] = ()


class SetOfItems(Wire, frozen=True, kw_only=True):
    """`Value.Set`: strings without order."""

    item: tuple[str, ...] = ()


class Text(Wire, frozen=True, kw_only=True):
    """`Value.Text`."""

    value: str


class DurationInfo(Wire, frozen=True, kw_only=True):
    """A duration in nanoseconds."""

    nanoseconds: int


class TimeInfo(Wire, frozen=True, kw_only=True):
    """An instant in nanoseconds since the Unix epoch."""

    nanoseconds: int


class Parameter(Wire, frozen=True, kw_only=True):
    """A key and a value for a containerizer."""

    key: str
    value: str


class Variable(Wire, frozen=True, kw_only=True):
    """An environment variable. `type` SECRET is not resolved here and refused by validation."""

    name: str
    type: str | None = None
    value: str | None = None


class Environment(Wire, frozen=True, kw_only=True):
    """Environment variables; of equal names the last wins."""

    variables: tuple[Variable, ...] = ()
