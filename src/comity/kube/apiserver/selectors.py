"""Label and field selectors: parsing the query's text, and matching objects.

Label selectors know `=`, `==`, `!=`, `in`, `notin`, existence and absence; field selectors know
`=`, `==` and `!=` on the fields that a kind publishes for selection.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass

from comity.wire.kubernetes import Json
from comity.wire.kubernetes.resources import Resource
from comity.wire.kubernetes.status import bad_request

_KEY = r"(?:[A-Za-z0-9](?:[-A-Za-z0-9.]*[A-Za-z0-9])?/)?[A-Za-z0-9](?:[-A-Za-z0-9_.]*[A-Za-z0-9])?"
_VALUE = r"(?:[A-Za-z0-9](?:[-A-Za-z0-9_.]*[A-Za-z0-9])?)?"
_SET = re.compile(rf"({_KEY})\s+(in|notin)\s*\(([^()]*)\)")
_EQUALS = re.compile(rf"({_KEY})\s*(==|=|!=)\s*({_VALUE})")
_EXISTS = re.compile(rf"(!?)\s*({_KEY})")


@dataclass(frozen=True, slots=True)
class Requirement:
    """One condition on a label."""

    key: str
    operator: str
    values: tuple[str, ...] = ()

    def matches(self, labels: dict[str, str]) -> bool:
        """Whether labels meet the condition."""
        value = labels.get(self.key)
        if self.operator == "in":
            return value is not None and value in self.values
        if self.operator == "notin":
            return value is None or value not in self.values
        return (value is not None) is (self.operator == "exists")


def parse_labels(text: str) -> tuple[Requirement, ...]:
    """Return the requirements of a label selector.

    Raises:
        ApiError: 400, it is malformed.
    """
    requirements = []
    for part in _split(text):
        if found := _SET.fullmatch(part):
            values = tuple(value.strip() for value in found[3].split(","))
            requirements.append(Requirement(found[1], found[2], values))
        elif found := _EQUALS.fullmatch(part):
            operator = "notin" if found[2] == "!=" else "in"
            requirements.append(Requirement(found[1], operator, (found[3],)))
        elif found := _EXISTS.fullmatch(part):
            requirements.append(Requirement(found[2], "absent" if found[1] else "exists"))
        else:
            raise bad_request(f"unable to parse requirement: {part!r} is no label selector")
    return tuple(requirements)


def _split(text: str) -> list[str]:
    """Split at the commas outside of parentheses."""
    parts, depth, start = [], 0, 0
    for i, char in enumerate(text):
        depth += (char == "(") - (char == ")")
        if char == "," and depth == 0:
            parts.append(text[start:i].strip())
            start = i + 1
    parts.append(text[start:].strip())
    return parts if parts != [""] else []


Getter = Callable[[Json], str]


def _path(*steps: str) -> Getter:
    def get(obj: Json) -> str:
        node: object = obj
        for step in steps:
            node = node.get(step) if isinstance(node, dict) else None
        if isinstance(node, bool):
            return "true" if node else "false"
        return "" if node is None else str(node)

    return get


def _flag(*steps: str) -> Getter:
    get = _path(*steps)
    return lambda obj: get(obj) or "false"


def _paths(*names: str) -> dict[str, Getter]:
    return {name: _path(*name.split(".")) for name in names}


_ALWAYS = _paths("metadata.name", "metadata.namespace")
_BY_KIND: dict[str, dict[str, Getter]] = {
    "Pod": _paths(
        "spec.nodeName",
        "spec.restartPolicy",
        "spec.schedulerName",
        "spec.serviceAccountName",
        "status.phase",
        "status.podIP",
        "status.nominatedNodeName",
    )
    | {"spec.hostNetwork": _flag("spec", "hostNetwork")},
    "Event": _paths(
        "involvedObject.kind",
        "involvedObject.namespace",
        "involvedObject.name",
        "involvedObject.uid",
        "involvedObject.apiVersion",
        "involvedObject.resourceVersion",
        "involvedObject.fieldPath",
        "reason",
        "reportingComponent",
        "type",
    )
    | {"source": _path("source", "component")},
    "Node": {"spec.unschedulable": _flag("spec", "unschedulable")},
    "Namespace": _paths("status.phase"),
    "Secret": _paths("type"),
    "ReplicaSet": {"status.replicas": lambda obj: _path("status", "replicas")(obj) or "0"},
    "ReplicationController": {
        "status.replicas": lambda obj: _path("status", "replicas")(obj) or "0"
    },
}


@dataclass(frozen=True, slots=True)
class FieldRequirement:
    """One condition on a field."""

    field: str
    get: Getter
    wanted: str
    is_equal: bool

    def matches(self, obj: Json) -> bool:
        """Whether an object meets the condition."""
        return (self.get(obj) == self.wanted) is self.is_equal


def parse_fields(resource: Resource, text: str) -> tuple[FieldRequirement, ...]:
    """Return the requirements of a field selector on a resource.

    Raises:
        ApiError: 400, it is malformed, or names a field that cannot be selected by.
    """
    known = _ALWAYS | _BY_KIND.get(resource.kind, {})
    requirements = []
    for part in filter(None, (each.strip() for each in text.split(","))):
        name, is_equal, wanted = _field_condition(part)
        if name not in known:
            raise bad_request(
                f"Unable to find {resource.plural!r} that match field selector {text!r}: "
                f"field label not supported: {name}"
            )
        requirements.append(FieldRequirement(name, known[name], wanted, is_equal))
    return tuple(requirements)


def _field_condition(part: str) -> tuple[str, bool, str]:
    for sign, is_equal in (("!=", False), ("==", True), ("=", True)):
        name, found, wanted = part.partition(sign)
        if found:
            return name.strip(), is_equal, wanted.strip()
    raise bad_request(f"invalid field selector: {part!r}; known operators are =, ==, !=")


@dataclass(frozen=True, slots=True)
class Selection:
    """Which objects of a collection somebody asked for."""

    namespace: str = ""
    labels: tuple[Requirement, ...] = ()
    fields: tuple[FieldRequirement, ...] = ()

    @property
    def is_everything(self) -> bool:
        """Whether every object of the namespace (or of all) is asked for."""
        return not self.labels and not self.fields

    def matches(self, namespace: str, obj: Json) -> bool:
        """Whether an object is asked for."""
        if self.namespace and namespace != self.namespace:
            return False
        if self.labels:
            labels = obj["metadata"].get("labels") or {}
            if not all(each.matches(labels) for each in self.labels):
                return False
        return all(each.matches(obj) for each in self.fields)

    def equal_to(self, field: str) -> str | None:
        """Return the value that a field must have, when the selection says so."""
        for each in self.fields:
            if each.field == field and each.is_equal:
                return each.wanted
        return None
