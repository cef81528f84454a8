"""Discovery: what is served, in the three forms that clients ask for."""

from comity.wire.kubernetes import Json
from comity.wire.kubernetes.resources import RESOURCES, Resource, Subresource, group_versions


def api_versions() -> Json:
    """Return /api."""
    return {"kind": "APIVersions", "versions": ["v1"], "serverAddressByClientCIDRs": []}


def api_groups() -> Json:
    """Return /apis."""
    groups = [_group(name) for name in _group_names() if name]
    return {"kind": "APIGroupList", "apiVersion": "v1", "groups": groups}


def group(name: str) -> Json | None:
    """Return /apis/{group}, None when it is not served."""
    if not name or name not in _group_names():
        return None
    return {"kind": "APIGroup", "apiVersion": "v1"} | _group(name)


def _group_names() -> list[str]:
    return sorted({name for name, _ in group_versions()})


def _group(name: str) -> Json:
    versions = [
        {"groupVersion": f"{name}/{version}", "version": version}
        for each, version in group_versions()
        if each == name
    ]
    return {"name": name, "versions": versions, "preferredVersion": versions[0]}


def resource_list(group_name: str, version: str) -> Json | None:
    """Return /api/v1 or /apis/{group}/{version}, None when it is not served."""
    if (group_name, version) not in group_versions():
        return None
    shown: list[Json] = []
    for resource in _of(group_name, version):
        shown.append(_resource(resource))
        shown += [_subresource(resource, each) for each in resource.subresources]
    name = f"{group_name}/{version}" if group_name else version
    body = {"kind": "APIResourceList", "groupVersion": name, "resources": shown}
    return body | ({"apiVersion": "v1"} if group_name else {})


def _of(group_name: str, version: str) -> list[Resource]:
    return [each for each in RESOURCES if (each.group, each.version) == (group_name, version)]


def _resource(resource: Resource) -> Json:
    shown: Json = {
        "name": resource.plural,
        "singularName": resource.singular,
        "namespaced": resource.is_namespaced,
        "kind": resource.kind,
        "verbs": sorted(resource.verbs),
    }
    if resource.short_names:
        shown["shortNames"] = list(resource.short_names)
    if resource.categories:
        shown["categories"] = list(resource.categories)
    return shown


def _subresource(resource: Resource, each: Subresource) -> Json:
    shown: Json = {
        "name": f"{resource.plural}/{each.name}",
        "singularName": "",
        "namespaced": resource.is_namespaced,
        "kind": each.kind or resource.kind,
        "verbs": sorted(each.verbs),
    }
    if each.version:
        shown |= {"group": each.group, "version": each.version}
    return shown


def aggregated(*, core: bool, version: str) -> Json:
    """Return the APIGroupDiscoveryList of /api (`core`) or /apis, in v2 or v2beta1."""
    names = [name for name in _group_names() if (name == "") is core]
    return {
        "kind": "APIGroupDiscoveryList",
        "apiVersion": f"apidiscovery.k8s.io/{version}",
        "metadata": {},
        "items": [_discovered_group(name) for name in names],
    }


def _discovered_group(name: str) -> Json:
    versions = [
        {
            "version": version,
            "freshness": "Current",
            "resources": [_discovered(each) for each in _of(name, version)],
        }
        for each_name, version in group_versions()
        if each_name == name
    ]
    return {"metadata": {"name": name, "creationTimestamp": None}, "versions": versions}


def _discovered(resource: Resource) -> Json:
    shown: Json = {
        "resource": resource.plural,
        "responseKind": _kind(resource.group, resource.version, resource.kind),
        "scope": "Namespaced" if resource.is_namespaced else "Cluster",
        "singularResource": resource.singular,
        "verbs": sorted(resource.verbs),
    }
    if resource.short_names:
        shown["shortNames"] = list(resource.short_names)
    if resource.categories:
        shown["categories"] = list(resource.categories)
    if resource.subresources:
        shown["subresources"] = [
            _discovered_below(resource, each) for each in resource.subresources
        ]
    return shown


def _discovered_below(resource: Resource, each: Subresource) -> Json:
    foreign = (each.group, each.version) if each.version else (resource.group, resource.version)
    return {
        "subresource": each.name,
        "responseKind": _kind(*foreign, each.kind or resource.kind),
        "verbs": sorted(each.verbs),
    }


def _kind(group_name: str, version: str, kind: str) -> Json:
    return {"group": group_name, "version": version, "kind": kind}
