"""Path ids (`/group/app`) and the ids of the instances and tasks made from them.

An instance of `/a/b` is `a_b.instance-<uuid>`; an app's task is that plus `._app.<incarnation>`, a
pod's that plus the name of the container instead. A pod's executor is `instance-a_b.<uuid>`.
"""

import re

from comity.core.ids import TaskId

_PART = re.compile(r"[a-z0-9](?:[a-z0-9-]*[a-z0-9])?")
_LENGTH_MAX = 200
"""Mesos takes task ids of up to 255 characters, and an instance adds 53 to the path."""
_TASK = re.compile(
    r"(?P<instance>(?P<app>[^/\s]+)\.(instance|marathon)-[^./\s]+)\.(_app|[a-z0-9-]+)\.\d+"
)

RESERVED = frozenset({"restart", "tasks", "versions", ".", ".."})
"""Last segments that the routes of the API keep for themselves."""


def is_path(text: str) -> bool:
    """Whether `text` is a well-formed path id, absolute or relative."""
    if not text or len(text) > _LENGTH_MAX or "\n" in text:
        return False
    segments = text.removeprefix("/").removesuffix("/").split("/")
    return all(segment in ("", "..") or _is_segment(segment) for segment in segments)


def _is_segment(segment: str) -> bool:
    return all(_PART.fullmatch(part) is not None for part in segment.split("."))


def resolve(text: str, base: str = "/") -> str:
    """Return the absolute form of a path id: relative ones start at `base`, `..` goes up."""
    parts = [] if text.startswith("/") else [part for part in base.split("/") if part]
    for part in text.split("/"):
        if part == "..":
            parts = parts[:-1]
        elif part and part != ".":
            parts.append(part)
    return "/" + "/".join(parts)


def parent(path: str) -> str:
    """Return the group that holds an absolute path id."""
    return path.rpartition("/")[0] or "/"


def is_within(path: str, group: str) -> bool:
    """Whether an absolute app id lies in a group or one of its subgroups."""
    return group == "/" or path.startswith(group + "/")


def hostname(path: str) -> str:
    """Return the Mesos task name of an app: its segments from last to first, joined by dots."""
    return ".".join(reversed([part for part in path.split("/") if part]))


def instance_id(app_id: str, unique: str) -> str:
    """Return the id of a new instance; `unique` is a fresh UUID's text."""
    return f"{app_id.strip('/').replace('/', '_')}.instance-{unique}"


def task_id(instance: str, incarnation: int = 1, *, container: str = "_app") -> TaskId:
    """Return the id of an instance's task, of a pod's that of one container."""
    return TaskId(f"{instance}.{container}.{incarnation}")


def executor_id(instance: str) -> str:
    """Return the id of the executor of a pod's instance."""
    path, _, unique = instance.rpartition(".")
    return f"instance-{path}.{unique.removeprefix('instance-')}"


def instance_of(task: str) -> str | None:
    """Return the instance a task id belongs to; None when it is not one of Marathon's."""
    found = _TASK.fullmatch(task)
    return found["instance"] if found else None


def app_of(task: str) -> str | None:
    """Return the app or pod a task id belongs to; None when it is not one of Marathon's."""
    found = _TASK.fullmatch(task)
    return "/" + found["app"].replace("_", "/") if found else None


def uuid_text(bits: int) -> str:
    """Return 128 random bits in the form of a version 4 UUID."""
    bits = bits & ~(0xF << 76) & ~(0x3 << 62) | 4 << 76 | 2 << 62
    text = f"{bits:032x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"
