"""What is served: one row per resource, with the facts that discovery publishes.

Plural names, short names and categories are Kubernetes's own (v1.32). A kind is served here only
when something acts on it, or when storing it is all that it is for.
"""

from msgspec import Struct

_ALL = ("create", "delete", "deletecollection", "get", "list", "patch", "update", "watch")
_STATUS = ("get", "patch", "update")


class Subresource(Struct, frozen=True):
    """A path below an object: its name, the kind it speaks, and what may be done."""

    name: str
    verbs: tuple[str, ...]
    kind: str = ""
    group: str = ""
    version: str = ""


class Resource(Struct, frozen=True, kw_only=True):
    """A served collection."""

    group: str = ""
    version: str = "v1"
    kind: str
    plural: str
    is_namespaced: bool = True
    short_names: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    verbs: tuple[str, ...] = _ALL
    subresources: tuple[Subresource, ...] = ()
    has_generation: bool = False
    """Whether metadata.generation counts the changes of the spec."""

    @property
    def singular(self) -> str:
        """Return the name of one, as people type it."""
        return self.kind.lower()

    @property
    def api_version(self) -> str:
        """Return `group/version`, or the bare version of the core group."""
        return f"{self.group}/{self.version}" if self.group else self.version

    @property
    def qualified(self) -> str:
        """Return `plural.group`, as messages name the resource."""
        return f"{self.plural}.{self.group}" if self.group else self.plural

    @property
    def definition(self) -> str:
        """Return the name of the kind's schema."""
        group = self.group.partition(".")[0] or "core"
        return f"io.k8s.api.{group}.{self.version}.{self.kind}"

    @property
    def has_status(self) -> bool:
        """Whether status is written through a path of its own."""
        return any(each.name == "status" for each in self.subresources)

    def subresource(self, name: str) -> Subresource | None:
        """Return the subresource called `name`."""
        return next((each for each in self.subresources if each.name == name), None)


_STATUS_ONLY = (Subresource("status", _STATUS),)
_SCALE = Subresource("scale", _STATUS, "Scale", "autoscaling", "v1")
_WORKLOAD = (_SCALE, Subresource("status", _STATUS))

RESOURCES: tuple[Resource, ...] = (
    Resource(kind="ConfigMap", plural="configmaps", short_names=("cm",)),
    Resource(kind="Endpoints", plural="endpoints", short_names=("ep",)),
    Resource(kind="Event", plural="events", short_names=("ev",)),
    Resource(
        kind="Namespace",
        plural="namespaces",
        is_namespaced=False,
        short_names=("ns",),
        verbs=tuple(verb for verb in _ALL if verb != "deletecollection"),
        subresources=(Subresource("finalize", ("update",)), *_STATUS_ONLY),
    ),
    Resource(
        kind="Node",
        plural="nodes",
        is_namespaced=False,
        short_names=("no",),
        subresources=_STATUS_ONLY,
    ),
    Resource(
        kind="Pod",
        plural="pods",
        short_names=("po",),
        categories=("all",),
        subresources=(
            Subresource("binding", ("create",), "Binding"),
            Subresource("eviction", ("create",), "Eviction", "policy", "v1"),
            Subresource("log", ("get",)),
            Subresource("exec", ("create", "get"), "PodExecOptions"),
            Subresource("attach", ("create", "get"), "PodAttachOptions"),
            Subresource("portforward", ("create", "get"), "PodPortForwardOptions"),
            *_STATUS_ONLY,
        ),
    ),
    Resource(
        kind="ReplicationController",
        plural="replicationcontrollers",
        short_names=("rc",),
        categories=("all",),
        subresources=_WORKLOAD,
        has_generation=True,
    ),
    Resource(kind="Secret", plural="secrets"),
    Resource(kind="ServiceAccount", plural="serviceaccounts", short_names=("sa",)),
    Resource(
        kind="Service",
        plural="services",
        short_names=("svc",),
        categories=("all",),
        subresources=_STATUS_ONLY,
    ),
    Resource(
        group="apps",
        kind="Deployment",
        plural="deployments",
        short_names=("deploy",),
        categories=("all",),
        subresources=_WORKLOAD,
        has_generation=True,
    ),
    Resource(
        group="apps",
        kind="ReplicaSet",
        plural="replicasets",
        short_names=("rs",),
        categories=("all",),
        subresources=_WORKLOAD,
        has_generation=True,
    ),
    Resource(group="coordination.k8s.io", kind="Lease", plural="leases"),
)

BY_PATH: dict[tuple[str, str, str], Resource] = {
    (each.group, each.version, each.plural): each for each in RESOURCES
}


def group_versions() -> list[tuple[str, str]]:
    """Return the served (group, version) pairs, the core group first."""
    return sorted({(each.group, each.version) for each in RESOURCES})
