"""What the API server remembers: objects, recent events, watchers, service addresses.

One counter, `revision`, gives every change its resource version; all watchers see all changes in
its order. Objects are never changed in place: a change makes a new `Stored`, whose bytes are
encoded once and shared by the store, reads and watches.
"""

import ipaddress
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from random import Random

from msgspec import Struct

from comity.core.instants import Instant
from comity.kube.apiserver.codecs import Form
from comity.kube.apiserver.selectors import Selection
from comity.wire.kubernetes import Json
from comity.wire.kubernetes.resources import RESOURCES, Resource
from comity.wire.kubernetes.status import not_found

Key = tuple[str, str]
"""(namespace, name); the namespace of a cluster-wide object is empty."""

HISTORY_EVENTS_MIN = 10_000
HISTORY_EVENTS_MAX = 50_000
HISTORY_AGE_S = 300.0
SERVICE_CIDR = "10.96.0.0/16"
NODE_PORTS = range(30000, 32768)


class Stored(Struct, frozen=True, gc=False):
    """One version of an object, with its JSON."""

    revision: int
    obj: Json
    data: bytes


class Event(Struct, frozen=True, gc=False):
    """One change. `new` of a deletion is the last state under the deletion's revision."""

    revision: int
    kind: str
    key: Key
    new: Stored
    old: Stored | None
    at: Instant


@dataclass(slots=True)
class Watcher:
    """Somebody who is told of a collection's changes."""

    stream: str
    selection: Selection
    form: Form
    wants_bookmarks: bool
    is_first: bool = True
    """Whether the next table that is sent carries the column definitions."""


@dataclass(slots=True)
class Collection:
    """The objects of one resource, their recent changes and who watches them."""

    resource: Resource
    objects: dict[str, dict[str, Stored]] = field(default_factory=dict)
    history: deque[Event] = field(default_factory=deque)
    floor: int = 0
    """The newest revision of which the history no longer knows."""
    watchers: dict[str, Watcher] = field(default_factory=dict)

    def get(self, key: Key) -> Stored | None:
        """Return an object's present version."""
        held = self.objects.get(key[0])
        return held.get(key[1]) if held is not None else None

    def need(self, key: Key) -> Stored:
        """Return an object's present version.

        Raises:
            ApiError: 404, it is not there.
        """
        found = self.get(key)
        if found is None:
            raise not_found(self.resource, key[1])
        return found

    def put(self, key: Key, stored: Stored) -> None:
        """Make a version the present one."""
        self.objects.setdefault(key[0], {})[key[1]] = stored

    def drop(self, key: Key) -> None:
        """Forget an object."""
        held = self.objects[key[0]]
        del held[key[1]]
        if not held:
            del self.objects[key[0]]

    def items(self, namespace: str = "") -> Iterator[tuple[Key, Stored]]:
        """Yield the objects of a namespace, or of all, in the order of their keys."""
        names = [namespace] if namespace else sorted(self.objects)
        for each in names:
            held = self.objects.get(each, {})
            for name in sorted(held):
                yield (each, name), held[name]

    @property
    def size(self) -> int:
        """Return how many objects there are."""
        return sum(map(len, self.objects.values()))


@dataclass(slots=True)
class State:
    """Everything; owned by the machine."""

    rng: Random
    """Names, uids and service addresses are drawn from it."""
    revision: int = 1
    collections: dict[Resource, Collection] = field(
        default_factory=lambda: {each: Collection(each) for each in RESOURCES}
    )
    by_kind: dict[str, Collection] = field(init=False)
    streams: dict[str, Collection] = field(default_factory=dict)
    stream_count: int = 0
    addresses: dict[str, Key] = field(default_factory=dict)
    """Which Service has which cluster address."""
    node_ports: dict[int, Key] = field(default_factory=dict)
    network: ipaddress.IPv4Network = field(
        default_factory=lambda: ipaddress.IPv4Network(SERVICE_CIDR)
    )

    def __post_init__(self) -> None:
        self.by_kind = {each.resource.kind: each for each in self.collections.values()}

    def uid(self) -> str:
        """Draw a random UUID."""
        digits = f"{self.rng.getrandbits(128):032x}"
        variant = "89ab"[int(digits[16], 16) % 4]
        return (
            f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-{variant}{digits[17:20]}-{digits[20:]}"
        )


def store_key(resource: Resource, key: Key) -> str:
    """Return the key under which an object is stored."""
    return f"/registry/{resource.group or 'core'}/{resource.plural}/{key[0]}/{key[1]}"


REVISION_KEY = "/revision"
