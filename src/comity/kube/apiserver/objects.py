"""The way of an object from a request's body to what is stored, without storing it.

decode by schema -> defaults -> admission -> the kind's own preparation -> validation, in the order
of the Kubernetes API server. Patches are applied to the present version first and then take the way
of an update.
"""

from comity.core.instants import Instant
from comity.kube.apiserver import addresses, defaulting, names, shapes, strategies, validation
from comity.kube.apiserver.inputs import Options, Target
from comity.kube.apiserver.state import Key, State, Stored
from comity.wire.kubernetes import Json, timestamps
from comity.wire.kubernetes.resources import Resource
from comity.wire.kubernetes.status import (
    FieldError,
    bad_request,
    conflict,
    forbidden,
    invalid,
    not_found,
)

_SERVER_SET = (
    "uid",
    "resourceVersion",
    "creationTimestamp",
    "deletionTimestamp",
    "deletionGracePeriodSeconds",
    "generation",
    "selfLink",
    "managedFields",
)
_NAMED_PRIORITIES = ("system-cluster-critical", "system-node-critical")


def decode(
    definition: str, kind: str, api_version: str, body: object, options: Options
) -> tuple[Json, list[FieldError], tuple[str, ...]]:
    """Return a body as its kind has it, what it lacks, and the warnings about it.

    Raises:
        ApiError: 400, the body is of another kind, or of wrong types, or not strictly valid.
    """
    if not isinstance(body, dict):
        raise bad_request("the body must be a JSON object")
    _check_kind(kind, api_version, body)
    version = api_version.rpartition("/")[2]
    what = f'{kind} in version "{version}" cannot be handled as a {kind}'
    obj, findings = shapes.conform(definition, body, what)
    faults = tuple(
        [f'unknown field "{name}"' for name in findings.unknown]
        + [f'duplicate field "{name}"' for name in options.duplicates]
    )
    if faults and options.field_validation == "Strict":
        raise bad_request(f"{what}: strict decoding error: {', '.join(faults)}")
    missing = [each for each in findings.missing if not each.field.startswith("status.")]
    warnings = faults if options.field_validation == "Warn" else ()
    return {"kind": kind, "apiVersion": api_version} | obj, missing, warnings


def _check_kind(kind: str, api_version: str, body: Json) -> None:
    given = body.get("apiVersion") or api_version
    if given != api_version:
        raise bad_request(
            f"the API version in the data ({given}) does not match the expected API version "
            f"({api_version})"
        )
    if (body.get("kind") or kind) != kind:
        raise bad_request(
            f"the kind in the data ({body['kind']}) does not match the expected kind ({kind})"
        )


def create(
    state: State, target: Target, body: object, options: Options, now: Instant
) -> tuple[Key, Json, tuple[str, ...]]:
    """Return a new object, ready to be stored, its key, and warnings.

    Raises:
        ApiError: it is refused.
    """
    resource = target.resource
    obj, missing, warnings = decode(
        resource.definition, resource.kind, resource.api_version, body, options
    )
    obj["metadata"] = _new_metadata(state, target, obj.get("metadata") or {}, now)
    key = (target.namespace, obj["metadata"]["name"])
    _admit_to_namespace(state, resource, key)
    defaulting.apply(resource.kind, obj)
    strategies.prepare_create(resource, obj)
    _admit(resource, obj, key)
    _validate(resource, obj, None, missing)
    if resource.kind == "Service":
        addresses.allocate(state, key, obj, None)
    return key, obj, warnings


def _new_metadata(state: State, target: Target, given: Json, now: Instant) -> Json:
    _check_namespace(target, given)
    metadata = {name: each for name, each in given.items() if name not in _SERVER_SET}
    if not metadata.get("name"):
        metadata["name"] = _generate(state, target, metadata)
    if target.resource.is_namespaced:
        metadata["namespace"] = target.namespace
    metadata["uid"] = state.uid()
    metadata["creationTimestamp"] = timestamps.render(now)
    return metadata


def _check_namespace(target: Target, metadata: Json) -> None:
    given = metadata.get("namespace", "")
    if given and given != target.namespace:
        raise bad_request(
            "the namespace of the provided object does not match the namespace sent on the request"
        )


def _generate(state: State, target: Target, metadata: Json) -> str:
    base = metadata.get("generateName")
    if not base:
        error = FieldError.required("metadata.name", "name or generateName is required")
        raise invalid(target.resource.kind, target.resource.group, "", [error])
    held = state.collections[target.resource].objects.get(target.namespace, {})
    return names.generate(base, held, state.rng)


def _admit_to_namespace(state: State, resource: Resource, key: Key) -> None:
    if not resource.is_namespaced:
        return
    namespaces = state.by_kind["Namespace"]
    namespace = namespaces.get(("", key[0]))
    if namespace is None:
        raise not_found(namespaces.resource, key[0])
    if "deletionTimestamp" in namespace.obj["metadata"]:
        text = f"unable to create new content in namespace {key[0]} because it is being terminated"
        cause = {
            "reason": "NamespaceTerminating",
            "message": f"namespace {key[0]} is being terminated",
            "field": "metadata.namespace",
        }
        raise forbidden(resource, key[1], text, [cause])


def _admit(resource: Resource, obj: Json, key: Key) -> None:
    if resource.kind != "Pod":
        return
    name = obj["spec"].get("priorityClassName", "")
    if name and name not in _NAMED_PRIORITIES:
        raise forbidden(resource, key[1], f"no PriorityClass with name {name} was found")


def _validate(resource: Resource, obj: Json, old: Json | None, missing: list[FieldError]) -> None:
    errors = missing + validation.check(resource, obj, old)
    unique = list({(each.reason, each.field): each for each in errors}.values())
    if unique:
        raise invalid(resource.kind, resource.group, obj["metadata"]["name"], unique)


def update(
    state: State, target: Target, stored: Stored, body: object, options: Options
) -> tuple[Json, tuple[str, ...]]:
    """Return the object that a replacement of `stored` leaves, and warnings.

    Raises:
        ApiError: it is refused.
    """
    resource, old = target.resource, stored.obj
    obj, missing, warnings = decode(
        resource.definition, resource.kind, resource.api_version, body, options
    )
    obj["metadata"] = _kept_metadata(target, old, obj.get("metadata") or {})
    defaulting.apply(resource.kind, obj)
    if target.subresource == "status":
        obj = strategies.prepare_status(resource, old, obj)
        missing = []
    elif target.subresource == "finalize":
        obj = old | {"spec": obj.get("spec") or {}}
        missing = []
    else:
        obj = strategies.prepare_update(resource, old, obj)
        if resource.kind == "Service":
            addresses.allocate(state, (target.namespace, target.name), obj, old)
    _validate(resource, obj, old, missing)
    return obj, warnings


def _kept_metadata(target: Target, old: Json, given: Json) -> Json:
    """Return the metadata of an update: what the server sets stays as it was."""
    resource, held = target.resource, old["metadata"]
    _check_namespace(target, given)
    if given.get("name", target.name) != target.name:
        raise bad_request(
            f"the name of the object ({given['name']}) does not match the name on the URL "
            f"({target.name})"
        )
    check_preconditions(resource, old, given.get("uid"), given.get("resourceVersion"))
    metadata = {name: each for name, each in given.items() if name not in _SERVER_SET}
    for name in ("name", "namespace", "generateName", *_SERVER_SET):
        if name in held:
            metadata[name] = held[name]
    return metadata


def check_preconditions(
    resource: Resource, old: Json, uid: str | None, resource_version: str | None
) -> None:
    """Refuse a change that was meant for another object, or another version of it.

    Raises:
        ApiError: 409.
    """
    held = old["metadata"]
    if uid and uid != held["uid"]:
        why = f"Precondition failed: UID in precondition: {uid}, UID in object meta: {held['uid']}"
        raise conflict(resource, held["name"], why)
    if resource_version and resource_version != held["resourceVersion"]:
        raise conflict(resource, held["name"])


def must_name_version(resource: Resource, body: object, name: str) -> None:
    """Refuse an unconditional replacement of a Lease: two holders would both believe they won.

    Raises:
        ApiError: 422.
    """
    if resource.kind != "Lease" or not isinstance(body, dict):
        return
    metadata = body.get("metadata")
    if not isinstance(metadata, dict) or not metadata.get("resourceVersion"):
        error = FieldError.invalid("metadata.resourceVersion", 0, "must be specified for an update")
        raise invalid(resource.kind, resource.group, name, [error])
