"""Names, labels, annotations, owners and finalizers."""

import re

from comity.wire.kubernetes import Json
from comity.wire.kubernetes.resources import Resource
from comity.wire.kubernetes.status import FieldError

ANNOTATIONS_BYTES_MAX = 256 * 1024
LABEL_VALUE_MAX = 63

_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")
_LABEL_1035 = re.compile(r"[a-z]([-a-z0-9]*[a-z0-9])?")
_SUBDOMAIN = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
_NAME_PART = re.compile(r"([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]")
_CONFIG_KEY = re.compile(r"[-._a-zA-Z0-9]{1,253}")

_LABEL_TEXT = (
    "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', "
    "and must "
    "start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for "
    "validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')"
)
_LABEL_1035_TEXT = (
    "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an "
    "alphabetic character, and end with an alphanumeric character (e.g. 'my-name',  or 'abc-123', "
    "regex used for validation is '[a-z]([-a-z0-9]*[a-z0-9])?')"
)
_SUBDOMAIN_TEXT = (
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' "
    "or '.', "
    "and must start and end with an alphanumeric character (e.g. 'example.com', regex used for "
    "validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')"
)
_KEY_TEXT = (
    "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and "
    "end with "
    "an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for "
    "validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')"
)
_VALUE_TEXT = (
    "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', "
    "and must start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or "
    "'12345', regex used for validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')"
)


def is_label(name: str) -> bool:
    """Whether a name is a DNS-1123 label."""
    return len(name) <= 63 and _LABEL.fullmatch(name) is not None


def is_config_key(key: str) -> bool:
    """Whether a key may name a piece of a ConfigMap or Secret."""
    return _CONFIG_KEY.fullmatch(key) is not None and key not in (".", "..")


def name_fault(kind: str, name: str) -> str:
    """Return what is wrong with an object's name; empty when nothing is."""
    if kind == "Namespace":
        return _fault(_LABEL, name, 63, _LABEL_TEXT)
    if kind == "Service":
        return _fault(_LABEL_1035, name, 63, _LABEL_1035_TEXT)
    return _fault(_SUBDOMAIN, name, 253, _SUBDOMAIN_TEXT)


def _fault(pattern: re.Pattern[str], name: str, limit: int, text: str) -> str:
    if len(name) > limit:
        return f"must be no more than {limit} characters"
    return "" if pattern.fullmatch(name) else text


def check(resource: Resource, new: Json, old: Json | None) -> list[FieldError]:
    """Return what is wrong with an object's metadata."""
    errors = []
    if old is None and (fault := name_fault(resource.kind, new["name"])):
        errors.append(FieldError.invalid("metadata.name", new["name"], fault))
    errors += labels(new.get("labels") or {}, "metadata.labels")
    errors += _annotations(new.get("annotations") or {})
    errors += _owners(new.get("ownerReferences") or [])
    errors += _finalizers(new, old)
    return errors


def key_fault(key: str) -> str:
    """Return what is wrong with a label's or annotation's key; empty when nothing is."""
    prefix, slash, name = key.rpartition("/")
    if slash and (not _SUBDOMAIN.fullmatch(prefix) or len(prefix) > 253):
        return f"prefix part {_SUBDOMAIN_TEXT}"
    if not name:
        return "name part must be non-empty"
    if len(name) > 63:
        return "name part must be no more than 63 characters"
    return "" if _NAME_PART.fullmatch(name) else _KEY_TEXT


def labels(given: dict[str, str], field: str) -> list[FieldError]:
    """Return what is wrong with labels."""
    errors = []
    for key, value in given.items():
        if fault := key_fault(key):
            errors.append(FieldError.invalid(field, key, fault))
        if len(value) > LABEL_VALUE_MAX:
            errors.append(FieldError.invalid(field, value, "must be no more than 63 characters"))
        elif value and not _NAME_PART.fullmatch(value):
            errors.append(FieldError.invalid(field, value, _VALUE_TEXT))
    return errors


def _annotations(given: dict[str, str]) -> list[FieldError]:
    field = "metadata.annotations"
    errors = [
        FieldError.invalid(field, key, fault) for key in given if (fault := key_fault(key.lower()))
    ]
    size = sum(len(key.encode()) + len(value.encode()) for key, value in given.items())
    if size > ANNOTATIONS_BYTES_MAX:
        errors.append(FieldError.too_long(field, ANNOTATIONS_BYTES_MAX))
    return errors


def _owners(given: list[Json]) -> list[FieldError]:
    controllers = [each.get("name", "") for each in given if each.get("controller")]
    if len(controllers) > 1:
        text = f"Only one reference can have Controller set to true. Found {', '.join(controllers)}"
        return [FieldError.invalid("metadata.ownerReferences", controllers, text)]
    return []


def _finalizers(new: Json, old: Json | None) -> list[FieldError]:
    given = new.get("finalizers") or []
    if old is not None and "deletionTimestamp" in old:
        added = [each for each in given if each not in (old.get("finalizers") or [])]
        if added:
            text = (
                "no new finalizers can be added if the object is being deleted, found new "
                f"finalizers {added}"
            )
            return [FieldError.forbidden("metadata.finalizers", text)]
    return [
        FieldError.invalid("metadata.finalizers", each, fault)
        for each in given
        if (fault := key_fault(each))
    ]
