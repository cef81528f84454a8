"""Tables: what `kubectl get` prints. Columns and cells per kind, as Kubernetes prints them (1.32).

A column of priority above 0 is shown only with `-o wide`.
"""

from collections.abc import Callable

from comity.core.instants import Instant
from comity.kube.apiserver.tables import cluster, pods, workloads
from comity.kube.apiserver.tables.columns import AGE, NAME, Cells, age
from comity.wire.kubernetes import Json
from comity.wire.kubernetes.resources import Resource

Layout = tuple[list[Json], Callable[[Json, Instant], list[object]]]


def _plain(obj: Json, now: Instant) -> list[object]:
    return [obj["metadata"]["name"], age(obj, now)]


_BY_KIND: dict[str, tuple[list[Json], Cells]] = {
    "Pod": (pods.COLUMNS, pods.cells),
    **cluster.TABLES,
    **workloads.TABLES,
}


def layout(resource: Resource) -> Layout:
    """Return a resource's columns, and what makes an object's cells."""
    return _BY_KIND.get(resource.kind, ([NAME, AGE], _plain))
