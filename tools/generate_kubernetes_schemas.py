"""Generate src/comity/wire/kubernetes/schemas.json.gz from a published schema package.

The source is `kubernetes-validate` on PyPI (Apache-2.0), which redistributes the OpenAPI
definitions of Kubernetes (Apache-2.0). Only what the served kinds reach is kept, with the
descriptions, so that `kubectl explain` works:

    python3 -m venv /tmp/kv && /tmp/kv/bin/pip install --no-deps kubernetes-validate==1.37.0
    python tools/generate_kubernetes_schemas.py \
        /tmp/kv/lib/python3.11/site-packages/kubernetes_validate v1.32.0
"""

import argparse
import gzip
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

TARGET = Path(__file__).parent.parent / "src/comity/wire/kubernetes/schemas.json.gz"
CORE = [
    "Namespace",
    "Pod",
    "Node",
    "Service",
    "Endpoints",
    "ConfigMap",
    "Secret",
    "ServiceAccount",
    "Event",
    "ReplicationController",
]
META = ["Status", "DeleteOptions", "APIResourceList", "APIGroup", "WatchEvent", "Patch"]
ROOTS = (
    [f"io.k8s.api.core.v1.{kind}{end}" for kind in CORE for end in ("", "List")]
    + [
        f"io.k8s.api.apps.v1.{kind}{end}"
        for kind in ("Deployment", "ReplicaSet")
        for end in ("", "List")
    ]
    + ["io.k8s.api.coordination.v1.Lease", "io.k8s.api.coordination.v1.LeaseList"]
    + [
        "io.k8s.api.core.v1.Binding",
        "io.k8s.api.autoscaling.v1.Scale",
        "io.k8s.api.policy.v1.Eviction",
    ]
    + [f"io.k8s.apimachinery.pkg.apis.meta.v1.{kind}" for kind in META]
)


def references(node: Any) -> Iterator[str]:
    """Yield the names of the definitions that a schema refers to."""
    if isinstance(node, dict):
        for key, value in node.items():
            if key == "$ref":
                yield value.rsplit("/", 1)[-1]
            else:
                yield from references(value)
    elif isinstance(node, list):
        for value in node:
            yield from references(value)


def plain(node: Any) -> Any:
    """Return a schema as Kubernetes has it: no null types or kind enums, short references."""
    if isinstance(node, list):
        return [plain(value) for value in node]
    if not isinstance(node, dict):
        return node
    out = {}
    for key, value in node.items():
        if key == "type" and isinstance(value, list):
            out[key] = next(kind for kind in value if kind != "null")
        elif key == "$ref":
            out[key] = value.rsplit("/", 1)[-1]
        elif key == "properties":
            out[key] = {name: without_enum(name, plain(each)) for name, each in value.items()}
        else:
            out[key] = plain(value)
    return out


def without_enum(name: str, schema: dict[str, Any]) -> dict[str, Any]:
    """Drop the package's own enums on apiVersion and kind."""
    if name in ("apiVersion", "kind"):
        schema.pop("enum", None)
    return schema


def reachable(definitions: dict[str, Any]) -> dict[str, Any]:
    """Return the definitions that the served kinds need."""
    kept: dict[str, Any] = {}
    waiting = list(ROOTS)
    while waiting:
        name = waiting.pop()
        if name not in kept:
            kept[name] = plain(definitions[name])
            waiting.extend(references(definitions[name]))
    return dict(sorted(kept.items()))


def main() -> None:
    """Read the package's folder and write the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("package", type=Path, help="the folder of kubernetes_validate")
    parser.add_argument("version", help="for example v1.32.0")
    args = parser.parse_args()
    source = args.package / "kubernetes-json-schema" / f"{args.version}-local" / "_definitions.json"
    definitions = reachable(json.loads(source.read_bytes())["$defs"])
    text = json.dumps({"version": args.version, "definitions": definitions}, separators=(",", ":"))
    with TARGET.open("wb") as raw, gzip.GzipFile("", "wb", 9, raw, mtime=0) as packed:
        packed.write(text.encode())
    print(f"{len(definitions)} definitions, {TARGET.stat().st_size} bytes")


if __name__ == "__main__":
    main()
