"""Objects and lists in the form that was asked for: as they are, as a table, as metadata."""

from comity.core.instants import Instant
from comity.kube.apiserver import tables
from comity.kube.apiserver.codecs import Form, encode
from comity.kube.apiserver.state import Stored
from comity.wire.kubernetes import Json
from comity.wire.kubernetes.resources import Resource


def show_one(
    resource: Resource, stored: Stored, form: Form, now: Instant, *, with_columns: bool = True
) -> bytes:
    """Return one object."""
    if form.kind == "object":
        return stored.data
    if form.kind == "metadata":
        return encode(_partial(stored, form))
    metadata = {"resourceVersion": stored.obj["metadata"]["resourceVersion"]}
    return _table(resource, [stored], form, metadata, now, with_columns)


def show_list(
    resource: Resource, items: list[Stored], form: Form, metadata: Json, now: Instant
) -> bytes:
    """Return a list; the bytes of its objects are those that we hold already."""
    if form.kind == "table":
        return _table(resource, items, form, metadata, now, True)
    if form.kind == "metadata":
        kind, version = "PartialObjectMetadataList", f"meta.k8s.io/{form.version}"
        parts = [encode(_partial(each, form)) for each in items]
    else:
        kind, version = f"{resource.kind}List", resource.api_version
        parts = [each.data for each in items]
    head = encode({"kind": kind, "apiVersion": version, "metadata": metadata})
    return b'%b,"items":[%b]}\n' % (head[:-1], b",".join(parts))


def _partial(stored: Stored, form: Form) -> Json:
    return {
        "kind": "PartialObjectMetadata",
        "apiVersion": f"meta.k8s.io/{form.version}",
        "metadata": stored.obj["metadata"],
    }


def _table(
    resource: Resource,
    items: list[Stored],
    form: Form,
    metadata: Json,
    now: Instant,
    with_columns: bool,
) -> bytes:
    columns, cells = tables.layout(resource)
    rows = []
    for each in items:
        row: Json = {"cells": cells(each.obj, now)}
        if form.include == "Object":
            row["object"] = each.obj
        elif form.include != "None":
            row["object"] = _partial(each, form)
        rows.append(row)
    return encode(
        {
            "kind": "Table",
            "apiVersion": f"meta.k8s.io/{form.version}",
            "metadata": metadata,
            "columnDefinitions": columns if with_columns else None,
            "rows": rows,
        }
    )
