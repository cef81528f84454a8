"""What the controllers know of the cluster: objects by kind, kept by watches and by own writes.

Every object carries a resourceVersion, a number that only grows: of two states of an object the
one with the larger number is kept, whichever way it came. What was deleted is remembered until the
watch says so too, so that a late message does not bring it back.
"""

from collections.abc import Iterator
from typing import Any, NamedTuple

from comity.kube.controllers.objects import Key, controller_of, key_of, owners, uid_of

Json = dict[str, Any]


class Place(NamedTuple):
    """Where an object is: kind and key."""

    plural: str
    key: Key


class View:
    """All objects that are watched."""

    def __init__(self) -> None:
        self._objects: dict[str, dict[Key, Json]] = {}
        self._by_namespace: dict[tuple[str, str], set[Key]] = {}
        self._by_owner: dict[str, set[Place]] = {}
        self._by_uid: dict[str, Place] = {}
        self._gone: set[str] = set()
        self.failures: dict[str, str] = {}
        """Why the API refused to create pods, by the uid of their owner."""

    def get(self, plural: str, key: Key) -> Json | None:
        """Return one object."""
        return self._objects.get(plural, {}).get(key)

    def all(self, plural: str) -> Iterator[Json]:
        """Yield the objects of a kind."""
        yield from self._objects.get(plural, {}).values()

    def within(self, plural: str, namespace: str) -> list[Json]:
        """Return the objects of a kind in a namespace, by name."""
        keys = sorted(self._by_namespace.get((plural, namespace), ()))
        held = self._objects.get(plural, {})
        return [held[key] for key in keys]

    def dependents(self, uid: str) -> list[tuple[str, Json]]:
        """Return what names an object as its owner, with its kind."""
        places = sorted(self._by_owner.get(uid, ()))
        return [(place.plural, self._objects[place.plural][place.key]) for place in places]

    def controlled(self, plural: str, uid: str) -> list[Json]:
        """Return the objects of a kind whose controller has this uid."""
        return [
            item
            for kind, item in self.dependents(uid)
            if kind == plural and (controller_of(item) or {}).get("uid") == uid
        ]

    def knows(self, uid: str) -> bool:
        """Whether an object with this uid exists."""
        return uid in self._by_uid

    def place(self, uid: str) -> Place | None:
        """Return where the object with this uid is."""
        return self._by_uid.get(uid)

    def put(self, plural: str, item: Json) -> bool:
        """Take a state of an object; False when it is no news."""
        key, uid = key_of(item), uid_of(item)
        held = self.get(plural, key)
        if uid in self._gone or (held is not None and _version(held) >= _version(item)):
            return False
        if held is not None:
            self._drop(plural, key, held)
        self._objects.setdefault(plural, {})[key] = item
        self._by_namespace.setdefault((plural, key[0]), set()).add(key)
        self._by_uid[uid] = Place(plural, key)
        for owner in owners(item):
            self._by_owner.setdefault(owner["uid"], set()).add(Place(plural, key))
        return True

    def remove(self, plural: str, item: Json) -> None:
        """Forget an object that we deleted; its watch has yet to say so."""
        key, uid = key_of(item), uid_of(item)
        held = self.get(plural, key)
        if held is not None and uid_of(held) == uid:
            self._gone.add(uid)
            self._drop(plural, key, held)

    def removed(self, plural: str, item: Json) -> None:
        """Forget an object that the watch says is deleted."""
        key, uid = key_of(item), uid_of(item)
        self._gone.discard(uid)
        self.failures.pop(uid, None)
        held = self.get(plural, key)
        if held is not None and uid_of(held) == uid:
            self._drop(plural, key, held)

    def missing(self, plural: str, items: list[Json]) -> list[Json]:
        """Return the objects that are known here and not in a whole list."""
        listed = {uid_of(item) for item in items}
        return [item for item in self.all(plural) if uid_of(item) not in listed]

    def _drop(self, plural: str, key: Key, held: Json) -> None:
        del self._objects[plural][key]
        self._by_namespace[plural, key[0]].discard(key)
        self._by_uid.pop(uid_of(held), None)
        for owner in owners(held):
            places = self._by_owner.get(owner["uid"])
            if places is not None:
                places.discard(Place(plural, key))
                if not places:
                    del self._by_owner[owner["uid"]]


def _version(item: Json) -> int:
    text = item["metadata"].get("resourceVersion", "0")
    return int(text) if str(text).isdigit() else 0
