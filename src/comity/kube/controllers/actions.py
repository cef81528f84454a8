"""What a controller asks for. The shell carries actions out in order, and stops at a failure."""

from typing import Any

from msgspec import Struct

from comity.core.instants import Instant
from comity.kube.controllers.objects import Key

Json = dict[str, Any]


class Create(Struct, frozen=True):
    """Create an object; that one of its name is there already is fine."""

    plural: str
    item: Json


class CreatePods(Struct, frozen=True):
    """Create pods from a template, first one, then twice as many, and so on while it works."""

    pod: Json
    count: int
    owner: Json
    """What gets the events, and whose failure it is when the API refuses."""


class Replace(Struct, frozen=True):
    """Replace an object as it was seen (`resourceVersion` inside): refused if it has changed."""

    plural: str
    item: Json


class Patch(Struct, frozen=True):
    """Merge a change into an object, or into its status."""

    plural: str
    key: Key
    change: Json
    subresource: str = ""


class Delete(Struct, frozen=True):
    """Delete an object if it still is the one with this uid."""

    plural: str
    key: Key
    uid: str
    grace_s: int | None = None
    propagation: str = "Background"


class DeleteOrphan(Struct, frozen=True):
    """Delete an object if none of its owners exists; the shell asks the API, not the view."""

    plural: str
    key: Key
    uid: str


class EmptyNamespace(Struct, frozen=True):
    """Delete everything in a namespace; when nothing is left, take its finalizer off."""

    name: str


class Event(Struct, frozen=True):
    """Tell people something about an object."""

    about: Json
    reason: str
    message: str
    is_warning: bool = False


class Again(Struct, frozen=True):
    """Look at the same key again at this instant."""

    at: Instant


Action = (
    Create | CreatePods | Replace | Patch | Delete | DeleteOrphan | EmptyNamespace | Event | Again
)
