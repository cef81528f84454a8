"""Resource paths: from `/api/v1/namespaces/N/pods/P/log` to what is meant by it."""

from comity.kube.apiserver.inputs import Target
from comity.wire.kubernetes.resources import BY_PATH
from comity.wire.kubernetes.status import ApiError, unknown_path

_OF_NAMESPACES = ("status", "finalize")
_LATER = ("ephemeralcontainers", "proxy")


def parse(path: str) -> Target:
    """Return what a path under /api or /apis is about.

    Raises:
        ApiError: 404, nothing is served there.
    """
    parts = [part for part in path.split("/") if part]
    if parts[0] == "api":
        group, version, rest = "", parts[1] if len(parts) > 1 else "", parts[2:]
    else:
        if len(parts) < 3:
            raise unknown_path()
        group, version, rest = parts[1], parts[2], parts[3:]
    namespace = ""
    is_inside = len(rest) > 2 and rest[0] == "namespaces"
    if is_inside and not (len(rest) == 3 and rest[2] in _OF_NAMESPACES):
        namespace, rest = rest[1], rest[2:]
    if not rest or len(rest) > 3:
        raise unknown_path()
    resource = BY_PATH.get((group, version, rest[0]))
    if resource is None:
        raise unknown_path()
    name = rest[1] if len(rest) > 1 else ""
    subresource = rest[2] if len(rest) > 2 else ""
    if namespace and not resource.is_namespaced:
        raise unknown_path()
    if name and resource.is_namespaced and not namespace:
        raise unknown_path()
    if resource.kind == "Pod" and subresource in _LATER:
        raise ApiError(
            501,
            "NotImplemented",
            f"pods/{subresource} is not supported yet; `kubectl exec` and `port-forward` are",
        )
    if subresource and resource.subresource(subresource) is None:
        raise unknown_path()
    return Target(resource, namespace, name, subresource)
