"""What a request says: options from the query, bodies, selections."""

from comity.kube.apiserver import codecs, selectors
from comity.kube.apiserver.codecs import Form
from comity.kube.apiserver.inputs import Deletion, Options, Target
from comity.kube.apiserver.selectors import Selection
from comity.kube.apiserver.views import ListOptions
from comity.runtime.http import Request
from comity.wire.kubernetes import Json
from comity.wire.kubernetes.status import bad_request

_TRUE = ("true", "True", "1", "t", "T", "TRUE")
_VALIDATIONS = ("Ignore", "Warn", "Strict")
_PROPAGATIONS = ("Background", "Foreground", "Orphan")


def flag(request: Request, name: str) -> bool:
    """Return a boolean of the query; absent is False."""
    return (request.arg(name) or "") in _TRUE


def number(request: Request, name: str) -> int | None:
    """Return a number of the query.

    Raises:
        ApiError: 400, it is none.
    """
    text = request.arg(name)
    if not text:
        return None
    try:
        return int(text)
    except ValueError:
        raise bad_request(f"{name}: {text!r} is not a number") from None


def form(request: Request) -> Form:
    """Return the form of answer that is wanted."""
    include = request.arg("includeObject") or "Metadata"
    return codecs.negotiate(request.headers.get("accept", ""), include=include)


def options(request: Request, duplicates: list[str] | None = None) -> Options:
    """Return the options of a write.

    Raises:
        ApiError: 400 or 422 for values that there are not.
    """
    dry_run = request.query.get("dryRun", [])
    if any(each != "All" for each in dry_run):
        raise bad_request(f'dryRun: Unsupported value: {dry_run[0]!r}: supported values: "All"')
    validation = request.arg("fieldValidation") or "Warn"
    if validation not in _VALIDATIONS:
        raise bad_request(
            f"fieldValidation: Unsupported value: {validation!r}: supported values: "
            + ", ".join(f'"{each}"' for each in _VALIDATIONS)
        )
    return Options(
        is_dry_run=bool(dry_run),
        field_validation=validation,
        duplicates=tuple(duplicates or ()),
        form=form(request),
    )


def body(request: Request) -> tuple[object, list[str]]:
    """Return the body, and the fields that it names twice."""
    is_strict = request.arg("fieldValidation") != "Ignore"
    return codecs.decode_body(request.body, request.content_type, is_strict=is_strict)


def selection(request: Request, target: Target) -> Selection:
    """Return which objects of a collection are meant."""
    fields = selectors.parse_fields(target.resource, request.arg("fieldSelector") or "")
    if target.name:
        fields += selectors.parse_fields(target.resource, f"metadata.name={target.name}")
    labels = selectors.parse_labels(request.arg("labelSelector") or "")
    return Selection(target.namespace, labels, fields)


def list_options(request: Request) -> ListOptions:
    """Return the options of a list."""
    return ListOptions(
        resource_version=request.arg("resourceVersion") or "",
        match=request.arg("resourceVersionMatch") or "",
        limit=number(request, "limit") or 0,
        continuation=request.arg("continue") or "",
    )


def deletion(request: Request) -> tuple[Deletion, bool]:
    """Return DeleteOptions, from the body or the query, and whether they say dry-run.

    Raises:
        ApiError: 400 or 415 for what cannot be read.
    """
    given: Json = {}
    if request.body.strip():
        found, _ = codecs.decode_body(request.body, request.content_type, is_strict=False)
        if not isinstance(found, dict):
            raise bad_request("the body must be DeleteOptions")
        given = found
    return read_deletion(given, request), given.get("dryRun") == ["All"]


def read_deletion(given: Json, request: Request) -> Deletion:
    """Return DeleteOptions from their JSON; the query adds what it lacks."""
    grace = given.get("gracePeriodSeconds")
    if grace is None:
        grace = number(request, "gracePeriodSeconds")
    propagation = given.get("propagationPolicy") or request.arg("propagationPolicy")
    if propagation is None and given.get("orphanDependents"):
        propagation = "Orphan"
    if propagation is not None and propagation not in _PROPAGATIONS:
        raise bad_request(
            f"propagationPolicy: Unsupported value: {propagation!r}: supported values: "
            + ", ".join(f'"{each}"' for each in _PROPAGATIONS)
        )
    if grace is not None and (not isinstance(grace, int) or grace < 0):
        raise bad_request("gracePeriodSeconds must be a number, zero or more")
    conditions = given.get("preconditions") or {}
    return Deletion(
        grace_s=grace,
        propagation=propagation,
        uid=conditions.get("uid"),
        resource_version=conditions.get("resourceVersion"),
    )
