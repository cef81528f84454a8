"""Tables of nodes, namespaces, services, endpoints, configuration, events and leases."""

from comity.core.instants import Instant
from comity.kube.apiserver.tables.columns import AGE, NAME, Cells, age, column, labels, name
from comity.wire.kubernetes import Json, timestamps

_ROLE = "node-role.kubernetes.io/"
_ENDPOINTS_SHOWN = 3


def _node(obj: Json, now: Instant) -> list[object]:
    status = obj.get("status") or {}
    info = status.get("nodeInfo") or {}
    addresses = {each["type"]: each["address"] for each in status.get("addresses") or []}
    held = obj["metadata"].get("labels") or {}
    roles = sorted(key[len(_ROLE) :] for key in held if key.startswith(_ROLE))
    return [
        name(obj),
        _node_status(obj),
        ",".join(roles) or "<none>",
        age(obj, now),
        info.get("kubeletVersion", ""),
        addresses.get("InternalIP", "<none>"),
        addresses.get("ExternalIP", "<none>"),
        info.get("osImage") or "<unknown>",
        info.get("kernelVersion") or "<unknown>",
        info.get("containerRuntimeVersion") or "<unknown>",
    ]


def _node_status(obj: Json) -> str:
    conditions = (obj.get("status") or {}).get("conditions") or []
    ready = next((each for each in conditions if each["type"] == "Ready"), None)
    by_status = {None: "Unknown", "True": "Ready"}
    text = by_status.get(ready["status"] if ready is not None else None, "NotReady")
    if (obj.get("spec") or {}).get("unschedulable"):
        text += ",SchedulingDisabled"
    return text


def _namespace(obj: Json, now: Instant) -> list[object]:
    return [name(obj), (obj.get("status") or {}).get("phase", ""), age(obj, now)]


def _service(obj: Json, now: Instant) -> list[object]:
    spec = obj.get("spec") or {}
    kind = spec.get("type", "ClusterIP")
    external = ",".join(spec.get("externalIPs") or []) or "<none>"
    if kind == "ExternalName":
        external = spec.get("externalName", "<none>")
    elif kind == "LoadBalancer" and external == "<none>":
        external = "<pending>"
    ports = ",".join(_port(each) for each in spec.get("ports") or []) or "<none>"
    cluster = spec.get("clusterIP") or "<none>"
    wanted = labels(spec.get("selector"))
    return [name(obj), kind, cluster, external, ports, age(obj, now), wanted]


def _port(port: Json) -> str:
    protocol = port.get("protocol", "TCP")
    if port.get("nodePort"):
        return f"{port['port']}:{port['nodePort']}/{protocol}"
    return f"{port['port']}/{protocol}"


def _endpoints(obj: Json, now: Instant) -> list[object]:
    found = []
    for subset in obj.get("subsets") or []:
        ports = [each["port"] for each in subset.get("ports") or []]
        for address in subset.get("addresses") or []:
            found += [f"{address['ip']}:{port}" for port in ports] or [address["ip"]]
    text = ",".join(found[:_ENDPOINTS_SHOWN]) or "<none>"
    if len(found) > _ENDPOINTS_SHOWN:
        text += f" + {len(found) - _ENDPOINTS_SHOWN} more..."
    return [name(obj), text, age(obj, now)]


def _config_map(obj: Json, now: Instant) -> list[object]:
    count = len(obj.get("data") or {}) + len(obj.get("binaryData") or {})
    return [name(obj), count, age(obj, now)]


def _secret(obj: Json, now: Instant) -> list[object]:
    return [name(obj), obj.get("type", ""), len(obj.get("data") or {}), age(obj, now)]


def _service_account(obj: Json, now: Instant) -> list[object]:
    return [name(obj), len(obj.get("secrets") or []), age(obj, now)]


def _event(obj: Json, now: Instant) -> list[object]:
    involved = obj.get("involvedObject") or {}
    source = obj.get("source") or {}
    first = obj.get("firstTimestamp") or obj["metadata"].get("creationTimestamp")
    last = obj.get("lastTimestamp") or obj.get("eventTime") or first
    what = f"{involved.get('kind', '').lower()}/{involved.get('name', '')}"
    parts = [source.get("component") or obj.get("reportingComponent"), source.get("host")]
    return [
        timestamps.age(last, now),
        obj.get("type", ""),
        obj.get("reason", ""),
        what,
        involved.get("fieldPath", ""),
        ", ".join(filter(None, parts)),
        (obj.get("message") or "").strip(),
        timestamps.age(first, now),
        obj.get("count", 1),
        name(obj),
    ]


def _lease(obj: Json, now: Instant) -> list[object]:
    return [name(obj), (obj.get("spec") or {}).get("holderIdentity", ""), age(obj, now)]


TABLES: dict[str, tuple[list[Json], Cells]] = {
    "Node": (
        [
            NAME,
            column("Status"),
            column("Roles"),
            AGE,
            column("Version"),
            column("Internal-IP", wide=True),
            column("External-IP", wide=True),
            column("OS-Image", wide=True),
            column("Kernel-Version", wide=True),
            column("Container-Runtime", wide=True),
        ],
        _node,
    ),
    "Namespace": ([NAME, column("Status"), AGE], _namespace),
    "Service": (
        [
            NAME,
            column("Type"),
            column("Cluster-IP"),
            column("External-IP"),
            column("Port(s)"),
            AGE,
            column("Selector", wide=True),
        ],
        _service,
    ),
    "Endpoints": ([NAME, column("Endpoints"), AGE], _endpoints),
    "ConfigMap": ([NAME, column("Data", "integer"), AGE], _config_map),
    "Secret": ([NAME, column("Type"), column("Data", "integer"), AGE], _secret),
    "ServiceAccount": ([NAME, column("Secrets", "integer"), AGE], _service_account),
    "Event": (
        [
            column("Last Seen"),
            column("Type"),
            column("Reason"),
            column("Object"),
            column("Subobject", wide=True),
            column("Source", wide=True),
            column("Message"),
            column("First Seen", wide=True),
            column("Count", "integer", wide=True),
            column("Name", wide=True, style="name"),
        ],
        _event,
    ),
    "Lease": ([NAME, column("Holder"), AGE], _lease),
}
