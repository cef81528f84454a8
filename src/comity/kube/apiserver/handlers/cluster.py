"""What every cluster has from the start, and what leaves by its age."""

from comity.core.effects import Outbox, SetTimer
from comity.core.instants import Instant
from comity.kube.apiserver import objects, storing
from comity.kube.apiserver.handlers import table
from comity.kube.apiserver.handlers.watches import BOOKMARK_S
from comity.kube.apiserver.inputs import (
    BookmarksDue,
    ClusterStarted,
    EventsExpired,
    Options,
    Target,
)
from comity.kube.apiserver.state import State
from comity.wire.kubernetes import Json, timestamps
from comity.wire.kubernetes.resources import BY_PATH

NAMESPACES = ("default", "kube-system", "kube-public", "kube-node-lease")
EVENT_AGE_S = 3600.0
EVENTS_LOOK_S = 300.0

_NAMESPACE = BY_PATH["", "v1", "namespaces"]
_SERVICE = BY_PATH["", "v1", "services"]
_ENDPOINTS = BY_PATH["", "v1", "endpoints"]
_EVENT = BY_PATH["", "v1", "events"]


@table.on(ClusterStarted)
def on_cluster_started(state: State, item: ClusterStarted, now: Instant, out: Outbox) -> None:
    """Make what is missing of the default objects; set the timers."""
    for name in NAMESPACES:
        _ensure(state, Target(_NAMESPACE, "", name), {"metadata": {"name": name}}, now, out)
    spec = {
        "clusterIP": str(state.network[1]),
        "ports": [{"name": "https", "port": 443, "targetPort": item.port}],
    }
    labels = {"component": "apiserver", "provider": "kubernetes"}
    service = {"metadata": {"name": "kubernetes", "labels": labels}, "spec": spec}
    _ensure(state, Target(_SERVICE, "default", "kubernetes"), service, now, out)
    _point_to(state, item, now, out)
    out.timers.append(SetTimer(BookmarksDue(), Instant(now + BOOKMARK_S)))
    out.timers.append(SetTimer(EventsExpired(), Instant(now + EVENTS_LOOK_S)))


def _ensure(state: State, target: Target, body: Json, now: Instant, out: Outbox) -> None:
    collection = state.collections[target.resource]
    if collection.get((target.namespace, target.name)) is None:
        key, obj, _ = objects.create(state, target, body, Options(), now)
        storing.put(state, collection, key, obj, now, out)


def _point_to(state: State, item: ClusterStarted, now: Instant, out: Outbox) -> None:
    """Make the Endpoints of default/kubernetes lead to this API server."""
    subsets = [
        {
            "addresses": [{"ip": item.ip}],
            "ports": [{"name": "https", "port": item.port, "protocol": "TCP"}],
        }
    ]
    target = Target(_ENDPOINTS, "default", "kubernetes")
    collection = state.collections[_ENDPOINTS]
    stored = collection.get(("default", "kubernetes"))
    if stored is None:
        body = {"metadata": {"name": "kubernetes"}, "subsets": subsets}
        _ensure(state, target, body, now, out)
    elif stored.obj.get("subsets") != subsets:
        obj = stored.obj | {"subsets": subsets}
        storing.put(state, collection, ("default", "kubernetes"), obj, now, out)


@table.on(EventsExpired)
def on_events_expired(state: State, item: EventsExpired, now: Instant, out: Outbox) -> None:
    """Delete Event objects an hour after they were last seen."""
    collection = state.collections[_EVENT]
    for key, stored in list(collection.items()):
        if _last_seen(stored.obj) < now - EVENT_AGE_S:
            storing.remove(state, collection, key, stored.obj, now, out)
    out.timers.append(SetTimer(item, Instant(now + EVENTS_LOOK_S)))


def _last_seen(event: Json) -> float:
    metadata = event["metadata"]
    text = event.get("lastTimestamp") or event.get("eventTime") or metadata["creationTimestamp"]
    try:
        return timestamps.parse(text)
    except ValueError:
        return timestamps.parse(metadata["creationTimestamp"])
