"""OpenAPI documents, built from the published definitions and what is served.

kubectl validates and explains by these: every served kind's schema and operations carry
`x-kubernetes-group-version-kind`, and writes have the query parameter `fieldValidation`. Documents
are built once; their URLs hold a hash, so that clients may keep them.
"""

import hashlib
from functools import cache
from typing import Any

from comity.kube.apiserver.codecs import encode
from comity.wire.kubernetes import Json, schemas
from comity.wire.kubernetes.resources import RESOURCES, Resource, group_versions

_JSON = "application/json"
_PATCHES = (
    "application/json-patch+json",
    "application/merge-patch+json",
    "application/strategic-merge-patch+json",
)
_REF_V3 = "#/components/schemas/"
_REF_V2 = "#/definitions/"


@cache
def index() -> bytes:
    """Return /openapi/v3: the documents and their hashed URLs."""
    paths = {}
    for group, version in group_versions():
        name = f"apis/{group}/{version}" if group else f"api/{version}"
        data = document(group, version)
        assert data is not None
        digest = hashlib.sha256(data).hexdigest().upper()
        paths[name] = {"serverRelativeURL": f"/openapi/v3/{name}?hash={digest}"}
    return encode({"paths": paths})


@cache
def document(group: str, version: str) -> bytes | None:
    """Return one group-version's OpenAPI 3 document, None when it is not served."""
    served = [each for each in RESOURCES if (each.group, each.version) == (group, version)]
    if not served:
        return None
    paths: Json = {}
    for resource in served:
        paths |= _paths(resource)
    return encode(
        {
            "openapi": "3.0.0",
            "info": {"title": "Kubernetes", "version": schemas.version()},
            "paths": paths,
            "components": {"schemas": _schemas(served, _REF_V3)},
        }
    )


SWAGGER_PROTOBUF = b"\x0a\x032.0"
"""/openapi/v2 as a gnostic Document without definitions. kubectl asks for it when a manifest is of
a kind that v3 does not have, to find that there is none."""
SWAGGER_PROTOBUF_TYPE = "application/com.github.proto-openapi.spec.v2.v1.0+protobuf"


@cache
def swagger() -> bytes:
    """Return /openapi/v2 as JSON: the definitions, for tools that want no more."""
    return encode(
        {
            "swagger": "2.0",
            "info": {"title": "Kubernetes", "version": schemas.version()},
            "paths": {},
            "definitions": _schemas(list(RESOURCES), _REF_V2),
        }
    )


def _schemas(served: list[Resource], prefix: str) -> Json:
    kinds = {each.definition: each for each in served}
    roots = [*kinds, schemas.DELETE_OPTIONS, schemas.STATUS, schemas.PATCH]
    found: Json = {}
    for name in schemas.reachable(roots):
        shown = _referring(schemas.definition(name), prefix)
        if name in kinds:
            shown["x-kubernetes-group-version-kind"] = [_kind(kinds[name])]
        found[name] = shown
    for resource in served:
        found[f"{resource.definition}List"] = _list_schema(resource, prefix)
    return found


def _list_schema(resource: Resource, prefix: str) -> Json:
    kind = _kind(resource) | {"kind": f"{resource.kind}List"}
    item = {"$ref": f"{prefix}{resource.definition}"}
    return {
        "type": "object",
        "required": ["items"],
        "properties": {
            "apiVersion": {"type": "string"},
            "items": {"type": "array", "items": item},
            "kind": {"type": "string"},
            "metadata": {"type": "object"},
        },
        "x-kubernetes-group-version-kind": [kind],
    }


def _referring(node: Any, prefix: str) -> Any:
    """Return a schema whose references lead to where schemas are in this document."""
    if isinstance(node, list):
        return [_referring(each, prefix) for each in node]
    if not isinstance(node, dict):
        return node
    shown = {
        key: f"{prefix}{value}" if key == "$ref" else _referring(value, prefix)
        for key, value in node.items()
    }
    if "$ref" in shown and len(shown) > 1:
        shown["allOf"] = [{"$ref": shown.pop("$ref")}]
    return shown


def _kind(resource: Resource) -> Json:
    return {"group": resource.group, "version": resource.version, "kind": resource.kind}


def _paths(resource: Resource) -> Json:
    group = f"/apis/{resource.group}/{resource.version}"
    base = group if resource.group else f"/api/{resource.version}"
    inner = f"{base}/namespaces/{{namespace}}" if resource.is_namespaced else base
    collection = f"{inner}/{resource.plural}"
    paths: Json = {
        collection: {
            "get": _operation(resource, "list", f"{resource.definition}List"),
            "post": _operation(resource, "post", resource.definition, body=True),
            "delete": _operation(resource, "deletecollection", schemas.STATUS),
        },
        f"{collection}/{{name}}": {
            "get": _operation(resource, "get", resource.definition),
            "put": _operation(resource, "put", resource.definition, body=True),
            "patch": _operation(resource, "patch", resource.definition, body=True),
            "delete": _operation(resource, "delete", schemas.STATUS),
        },
    }
    if resource.is_namespaced:
        listing = _operation(resource, "list", f"{resource.definition}List")
        paths[f"{base}/{resource.plural}"] = {"get": listing}
    if resource.has_status:
        paths[f"{collection}/{{name}}/status"] = {
            "get": _operation(resource, "get", resource.definition),
            "put": _operation(resource, "put", resource.definition, body=True),
            "patch": _operation(resource, "patch", resource.definition, body=True),
        }
    return paths


def _operation(resource: Resource, action: str, shown: str, *, body: bool = False) -> Json:
    content = {_JSON: {"schema": {"$ref": f"{_REF_V3}{shown}"}}}
    operation: Json = {
        "description": f"{action} {resource.kind}",
        "responses": {"200": {"description": "OK", "content": content}},
        "x-kubernetes-action": action,
        "x-kubernetes-group-version-kind": _kind(resource),
    }
    if body:
        names = ["dryRun", "fieldManager", "fieldValidation"]
        names += ["force"] if action == "patch" else []
        operation["parameters"] = [_parameter(name) for name in names]
        definition = schemas.PATCH if action == "patch" else resource.definition
        kinds = _PATCHES if action == "patch" else (_JSON,)
        schema = {"schema": {"$ref": f"{_REF_V3}{definition}"}}
        operation["requestBody"] = {"content": dict.fromkeys(kinds, schema)}
    return operation


def _parameter(name: str) -> Json:
    kind = "boolean" if name == "force" else "string"
    return {"name": name, "in": "query", "schema": {"type": kind, "uniqueItems": True}}
