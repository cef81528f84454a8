"""Writes to pods: create, update, delete, and killing instances."""

from typing import Any

from comity.core.effects import Headers, Outbox
from comity.core.instants import Instant
from comity.marathon import pod_drafts, views
from comity.marathon.handlers import table
from comity.marathon.handlers.answering import answer, answer_empty, refuse
from comity.marathon.handlers.deploying import Wish, deploy
from comity.marathon.handlers.events import emit
from comity.marathon.handlers.killing import kill
from comity.marathon.inputs import PodDeleted, PodInstancesKilled, PodPosted, PodPut
from comity.marathon.state import Deployment, State
from comity.wire.marathon.errors import Refused, plain, unknown_task


@table.on(PodPosted)
def on_pod_posted(state: State, item: PodPosted, now: Instant, out: Outbox) -> None:
    """Create a pod."""
    try:
        pod = pod_drafts.canonical(item.draft, state.config.default_network_name)
        if pod.id in state.pods:
            raise plain(409, f"A pod with id [{pod.id}] already exists.")
        deployment = deploy(state, {pod.id: Wish(pod)}, now, out, force=item.force)
    except Refused as error:
        refuse(out, item.to, error)
        return
    _tell(state, item, "pod_created_event", now, out)
    headers = (("Location", f"/v2/pods{pod.id}"), *_header(deployment))
    answer(out, item.to, _shown(state, pod.id), status=201, headers=headers)


@table.on(PodPut)
def on_pod_put(state: State, item: PodPut, now: Instant, out: Outbox) -> None:
    """Replace a pod's definition; one that is not there is created, as in Marathon."""
    try:
        pod = pod_drafts.canonical(item.draft, state.config.default_network_name)
        if pod.id != item.pod_id:
            text = f"'{item.pod_id}' does not match definition's id ('{item.draft['id']}')"
            raise plain(400, text)
        deployment = deploy(state, {pod.id: Wish(pod)}, now, out, force=item.force)
    except Refused as error:
        refuse(out, item.to, error)
        return
    _tell(state, item, "pod_updated_event", now, out)
    answer(out, item.to, _shown(state, pod.id), headers=_header(deployment))


@table.on(PodDeleted)
def on_pod_deleted(state: State, item: PodDeleted, now: Instant, out: Outbox) -> None:
    """Remove a pod; its instances end as a deployment."""
    try:
        pod = views.find_pod(state, item.pod_id)
        deployment = deploy(state, {pod.id: Wish(None)}, now, out, force=item.force)
    except Refused as error:
        refuse(out, item.to, error)
        return
    _tell(state, item, "pod_deleted_event", now, out)
    headers = (("Location", f"/v2/deployments/{deployment.id}"), *_header(deployment))
    answer_empty(out, item.to, 202, headers=headers)


@table.on(PodInstancesKilled)
def on_pod_instances_killed(
    state: State, item: PodInstancesKilled, now: Instant, out: Outbox
) -> None:
    """Kill instances, to be replaced; those that are gone are passed over in a list."""
    try:
        views.find_pod(state, item.pod_id)
        present = state.of_app(item.pod_id).values()
        chosen = [one for one in present if one.parts and one.instance_id in item.instance_ids]
        if not chosen and not item.is_list:
            raise unknown_task(item.instance_ids[0])
    except Refused as error:
        refuse(out, item.to, error)
        return
    killed = views.instances_json(state, chosen)
    for one in chosen:
        kill(state, one, now, out)
    answer(out, item.to, killed if item.is_list else killed[0])


def _shown(state: State, pod_id: str) -> dict[str, Any]:
    return views.pod_json(state.pods[pod_id])


def _header(deployment: Deployment) -> Headers:
    return (("Marathon-Deployment-Id", deployment.id),)


def _tell(
    state: State, item: PodPosted | PodPut | PodDeleted, kind: str, now: Instant, out: Outbox
) -> None:
    emit(state, now, out, kind, clientIp=item.peer, uri=item.uri)
