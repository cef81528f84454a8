"""What only pods have: binding and eviction."""

from comity.core.effects import Outbox
from comity.core.instants import Instant
from comity.kube.apiserver import objects, storing
from comity.kube.apiserver.codecs import encode
from comity.kube.apiserver.handlers import answer, table
from comity.kube.apiserver.handlers.deletes import delete
from comity.kube.apiserver.inputs import PodBound, PodEvicted
from comity.kube.apiserver.state import State
from comity.wire.kubernetes import Json, timestamps
from comity.wire.kubernetes.resources import BY_PATH
from comity.wire.kubernetes.status import FieldError, bad_request, conflict, invalid, success

_PODS = BY_PATH["", "v1", "pods"]
_BINDING = "io.k8s.api.core.v1.Binding"
_EVICTION = "io.k8s.api.policy.v1.Eviction"


@table.on(PodBound)
def on_pod_bound(state: State, item: PodBound, now: Instant, out: Outbox) -> None:
    """Bind a pod to a node, once."""
    target = item.target
    collection = state.collections[target.resource]
    stored = collection.need((target.namespace, target.name))
    binding, _, warnings = objects.decode(_BINDING, "Binding", "v1", item.body, item.options)
    node = (binding.get("target") or {}).get("name")
    if not node:
        raise invalid("Binding", "", target.name, [FieldError.required("target.name")])
    metadata = binding.get("metadata") or {}
    objects.check_preconditions(
        target.resource, stored.obj, metadata.get("uid"), metadata.get("resourceVersion")
    )
    obj = _bound(stored.obj, node, metadata, now)
    if not item.options.is_dry_run:
        key = (target.namespace, target.name)
        storing.put(state, collection, key, obj, now, out)
    answer(out, item.to, encode(success(code=201)), status=201, warnings=warnings)


def _bound(pod: Json, node: str, binding: Json, now: Instant) -> Json:
    resource, name = _PODS, pod["metadata"]["name"]
    if "deletionTimestamp" in pod["metadata"]:
        raise conflict(resource, name, f"pod {name} is being deleted, cannot be assigned to a host")
    held = pod["spec"].get("nodeName")
    if held:
        raise conflict(resource, name, f'pod {name} is already assigned to node "{held}"')
    if pod["spec"].get("schedulingGates"):
        raise conflict(resource, name, f"pod {name} has non-empty .spec.schedulingGates")
    metadata = dict(pod["metadata"])
    for part in ("annotations", "labels"):
        if binding.get(part):
            metadata[part] = (metadata.get(part) or {}) | binding[part]
    status = _scheduled(pod.get("status") or {}, timestamps.render(now))
    spec = pod["spec"] | {"nodeName": node}
    return pod | {"metadata": metadata, "spec": spec, "status": status}


def _scheduled(status: Json, at: str) -> Json:
    held = [each for each in status.get("conditions") or [] if each["type"] != "PodScheduled"]
    condition = {
        "type": "PodScheduled",
        "status": "True",
        "lastTransitionTime": at,
    }
    return status | {"conditions": [*held, condition]}


@table.on(PodEvicted)
def on_pod_evicted(state: State, item: PodEvicted, now: Instant, out: Outbox) -> None:
    """Evict a pod: delete it gracefully. Disruption budgets are not served yet."""
    target = item.target
    collection = state.collections[target.resource]
    stored = collection.need((target.namespace, target.name))
    body, _, warnings = objects.decode(_EVICTION, "Eviction", "policy/v1", item.body, item.options)
    if (body.get("metadata") or {}).get("name", target.name) != target.name:
        raise bad_request("name in URL does not match name in Eviction object")
    delete(state, collection, stored, item.deletion, item.options, now, out)
    answer(out, item.to, encode(success(code=201)), status=201, warnings=warnings)
