"""Scaling: a write to the scale subresource is a write of spec.replicas."""

from comity.core.effects import Outbox
from comity.core.instants import Instant
from comity.kube.apiserver import objects, patching, scales, strategies
from comity.kube.apiserver.codecs import encode
from comity.kube.apiserver.handlers import answer, table
from comity.kube.apiserver.handlers.writes import replace
from comity.kube.apiserver.inputs import Options, ScalePatched, ScalePut, Target
from comity.kube.apiserver.state import State, Stored
from comity.wire.kubernetes.status import FieldError, invalid


@table.on(ScalePut)
def on_scale_put(state: State, item: ScalePut, now: Instant, out: Outbox) -> None:
    """Set the replicas that a Scale asks for."""
    stored = _need(state, item.target)
    result, warnings = _scale(state, item.target, stored, item.body, item.options, now, out)
    answer(out, item.to, encode(scales.of(result.obj)), warnings=warnings)


@table.on(ScalePatched)
def on_scale_patched(state: State, item: ScalePatched, now: Instant, out: Outbox) -> None:
    """Set the replicas that a patched Scale asks for."""
    stored = _need(state, item.target)
    body = patching.apply(item.media_type, scales.of(stored.obj), item.patch, scales.DEFINITION)
    result, warnings = _scale(state, item.target, stored, body, item.options, now, out)
    answer(out, item.to, encode(scales.of(result.obj)), warnings=warnings)


def _need(state: State, target: Target) -> Stored:
    return state.collections[target.resource].need((target.namespace, target.name))


def _scale(
    state: State,
    target: Target,
    stored: Stored,
    body: object,
    options: Options,
    now: Instant,
    out: Outbox,
) -> tuple[Stored, tuple[str, ...]]:
    scale, _, warnings = objects.decode(
        scales.DEFINITION, scales.KIND, scales.API_VERSION, body, options
    )
    metadata = scale.get("metadata") or {}
    resource, old = target.resource, stored.obj
    objects.check_preconditions(resource, old, metadata.get("uid"), metadata.get("resourceVersion"))
    replicas = (scale.get("spec") or {}).get("replicas", 0)
    if replicas < 0:
        text = "must be greater than or equal to 0"
        error = FieldError.invalid("spec.replicas", replicas, text)
        raise invalid(scales.KIND, "autoscaling", target.name, [error])
    obj = old | {
        "metadata": dict(old["metadata"]),
        "spec": old["spec"] | {"replicas": replicas},
    }
    obj = strategies.prepare_update(resource, old, obj)
    collection = state.collections[resource]
    return replace(state, collection, stored, obj, options, now, out), warnings
