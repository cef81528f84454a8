"""Everything that can happen to the API server's machine.

`to` is the token of the HTTP request that waits for the reply.
"""

from typing import Any

from msgspec import Struct

from comity.kube.apiserver.codecs import OBJECT, Form
from comity.kube.apiserver.selectors import Selection
from comity.wire.kubernetes import Json
from comity.wire.kubernetes.resources import Resource


class Target(Struct, frozen=True):
    """What a request is about: a collection, an object in it, or a subresource of that."""

    resource: Resource
    namespace: str = ""
    name: str = ""
    subresource: str = ""


class Options(Struct, frozen=True, kw_only=True):
    """How a write is to be made and answered."""

    is_dry_run: bool = False
    field_validation: str = "Warn"
    duplicates: tuple[str, ...] = ()
    """Fields that the body names twice."""
    form: Form = OBJECT


class Deletion(Struct, frozen=True, kw_only=True):
    """DeleteOptions."""

    grace_s: int | None = None
    propagation: str | None = None
    uid: str | None = None
    resource_version: str | None = None


class ObjectPosted(Struct, frozen=True):
    """Somebody creates an object."""

    to: int
    target: Target
    body: Json
    options: Options


class ObjectPut(Struct, frozen=True):
    """Somebody replaces an object, or a subresource of it."""

    to: int
    target: Target
    body: Json
    options: Options


class ObjectPatched(Struct, frozen=True):
    """Somebody patches an object, or a subresource of it."""

    to: int
    target: Target
    media_type: str
    patch: Any
    options: Options


class ScalePut(Struct, frozen=True):
    """Somebody replaces the scale of a workload."""

    to: int
    target: Target
    body: Json
    options: Options


class ScalePatched(Struct, frozen=True):
    """Somebody patches the scale of a workload."""

    to: int
    target: Target
    media_type: str
    patch: Any
    options: Options


class ObjectDeleted(Struct, frozen=True):
    """Somebody deletes an object."""

    to: int
    target: Target
    deletion: Deletion
    options: Options


class CollectionDeleted(Struct, frozen=True):
    """Somebody deletes all selected objects of a collection."""

    to: int
    target: Target
    selection: Selection
    deletion: Deletion
    options: Options


class PodBound(Struct, frozen=True):
    """A scheduler binds a pod to a node."""

    to: int
    target: Target
    body: Json
    options: Options


class PodEvicted(Struct, frozen=True):
    """Somebody evicts a pod; `deletion` is what the Eviction asks for."""

    to: int
    target: Target
    body: Json
    deletion: Deletion
    options: Options


class WatchOpened(Struct, frozen=True, kw_only=True):
    """Somebody watches a collection.

    `since` None begins with the present state, as does `with_initial_events`, which also marks the
    end of that state by a bookmark.
    """

    to: int
    resource: Resource
    selection: Selection
    form: Form
    since: int | None
    with_initial_events: bool
    wants_bookmarks: bool
    timeout_s: float


class WatchClosed(Struct, frozen=True):
    """A watcher has gone."""

    stream: str


class ClusterStarted(Struct, frozen=True):
    """The API server starts; it is reached at this address."""

    ip: str
    port: int


# Timers


class WatchTimedOut(Struct, frozen=True):
    """A watch has lasted as long as it was asked for."""

    stream: str


class BookmarksDue(Struct, frozen=True):
    """Watchers are told how far they are."""


class EventsExpired(Struct, frozen=True):
    """Old Event objects leave."""


Input = (
    ObjectPosted
    | ObjectPut
    | ObjectPatched
    | ScalePut
    | ScalePatched
    | ObjectDeleted
    | CollectionDeleted
    | PodBound
    | PodEvicted
    | WatchOpened
    | WatchClosed
    | ClusterStarted
    | WatchTimedOut
    | BookmarksDue
    | EventsExpired
)
