"""Carrying actions out, and putting every answer into the view at once."""

import asyncio
import logging
import secrets
import time
from collections.abc import Callable
from typing import Any

from comity.core.instants import Instant
from comity.kube.controllers import routing
from comity.kube.controllers.actions import (
    Action,
    Again,
    Create,
    CreatePods,
    Delete,
    DeleteOrphan,
    EmptyNamespace,
    Event,
    Patch,
    Replace,
)
from comity.kube.controllers.objects import is_deleting, key_of, owners, uid_of
from comity.kube.controllers.routing import Look
from comity.kube.controllers.shell.queue import Queue
from comity.kube.controllers.view import View
from comity.sdk.kubernetes import BY_KIND, BY_PLURAL, Api
from comity.sdk.rest import ApiError, HttpError
from comity.wire.kubernetes import timestamps

_log = logging.getLogger(__name__)

Json = dict[str, Any]

_EMPTYING_S = 1.0
"""How soon a namespace that still holds something is looked at again."""


class Hands:
    """Does what controllers ask for."""

    def __init__(self, api: Api, view: View, queue: Queue) -> None:
        self._api = api
        self._view = view
        self._queue = queue
        self._acts: dict[type, Callable[[Look, Any], Any]] = {
            Create: self._create,
            CreatePods: self._create_pods,
            Replace: self._replace,
            Patch: self._patch,
            Delete: self._delete,
            DeleteOrphan: self._delete_orphan,
            EmptyNamespace: self._empty_namespace,
            Event: self._event,
            Again: self._look_again,
        }

    async def act(self, look: Look, action: Action) -> None:
        """Carry out one action.

        Raises:
            ApiError: the API refused it, often because our view was behind.
            HttpError: no answer.
        """
        await self._acts[type(action)](look, action)

    # the view

    def seen(self, plural: str, item: Json) -> None:
        """Take a state of an object that the API told us."""
        resource = BY_PLURAL[plural]
        item = {"apiVersion": resource.api_version, "kind": resource.kind, **item}
        old = self._view.get(plural, key_of(item))
        if self._view.put(plural, item):
            for look in routing.changed(plural, old, item, self._view):
                self._queue.add(look)

    def gone(self, plural: str, item: Json, *, by_watch: bool) -> None:
        """Take note that an object was deleted."""
        if by_watch:
            self._view.removed(plural, item)
        else:
            self._view.remove(plural, item)
        for look in routing.removed(plural, item, self._view):
            self._queue.add(look)

    # actions

    async def _create(self, look: Look, action: Create) -> None:
        try:
            self.seen(action.plural, await self._api.create(action.plural, action.item))
        except ApiError as error:
            if error.status == 409:
                return  # it is there already, and its watch will show it
            if error.status in (403, 404) and self._is_ending(action.item):
                return
            raise

    def _is_ending(self, item: Json) -> bool:
        namespace = self._view.get("namespaces", ("", item["metadata"].get("namespace", "")))
        return namespace is None or is_deleting(namespace)

    async def _create_pods(self, look: Look, action: CreatePods) -> None:
        uid, left, batch = uid_of(action.owner), action.count, 1
        while left > 0:
            size = min(batch, left)
            made = await asyncio.gather(
                *(self._api.create("pods", action.pod) for _ in range(size)),
                return_exceptions=True,
            )
            failure = None
            for each in made:
                if isinstance(each, BaseException):
                    failure = each
                    continue
                self.seen("pods", each)
                text = f"Created pod: {each['metadata']['name']}"
                await self._event(look, Event(action.owner, "SuccessfulCreate", text))
            if failure is not None:
                await self._refused(look, action, failure)
                return
            left, batch = left - size, 2 * batch
        self._view.failures.pop(uid, None)

    async def _refused(self, look: Look, action: CreatePods, failure: BaseException) -> None:
        """Keep why pods cannot be created, for the owner's status, and go on trying."""
        if not isinstance(failure, ApiError):
            raise failure
        if self._is_ending(action.pod):
            return
        uid = uid_of(action.owner)
        known = self._view.failures.get(uid)
        self._view.failures[uid] = failure.message
        if known != failure.message:
            text = f"Error creating: {failure.message}"
            await self._event(look, Event(action.owner, "FailedCreate", text, is_warning=True))
        self._queue.add_after(look, 1.0 if known is None else 10.0)

    async def _replace(self, look: Look, action: Replace) -> None:
        key = key_of(action.item)
        self.seen(action.plural, await self._api.replace(action.plural, key, action.item))

    async def _patch(self, look: Look, action: Patch) -> None:
        try:
            patched = await self._api.patch(
                action.plural, action.key, action.change, action.subresource
            )
        except ApiError as error:
            if error.status == 404:
                return  # deleted meanwhile, as its watch will tell
            raise
        self.seen(action.plural, patched)

    async def _delete(self, look: Look, action: Delete) -> None:
        options: Json = {
            "preconditions": {"uid": action.uid},
            "propagationPolicy": action.propagation,
        }
        if action.grace_s is not None:
            options["gracePeriodSeconds"] = action.grace_s
        held = self._view.get(action.plural, action.key)
        try:
            answer = await self._api.delete(action.plural, action.key, options)
        except ApiError as error:
            if error.status in (404, 409):
                return  # gone, or another one of the same name
            raise
        stays = answer.get("kind") != "Status" and is_deleting(answer) and _is_waited_for(answer)
        if stays:
            self.seen(action.plural, answer)
        elif held is not None and uid_of(held) == action.uid:
            self.gone(action.plural, held, by_watch=False)

    async def _delete_orphan(self, look: Look, action: DeleteOrphan) -> None:
        item = self._view.get(action.plural, action.key)
        if item is None or uid_of(item) != action.uid:
            return
        for owner in owners(item):
            if await self._exists(owner, action.key[0]):
                return
        await self._delete(look, Delete(action.plural, action.key, action.uid))

    async def _exists(self, owner: Json, namespace: str) -> bool:
        resource = BY_KIND.get((owner["apiVersion"], owner["kind"]))
        if resource is None:
            return True  # a kind that we do not serve is not ours to judge
        within = namespace if resource.is_namespaced else ""
        try:
            found = await self._api.get(resource.plural, (within, owner["name"]))
        except ApiError as error:
            if error.status == 404:
                return False
            raise
        return uid_of(found) == str(owner["uid"])

    async def _empty_namespace(self, look: Look, action: EmptyNamespace) -> None:
        left = 0
        for resource in BY_PLURAL.values():
            if not resource.is_namespaced or "deletecollection" not in resource.verbs:
                continue
            items, _ = await self._api.list(resource.plural, action.name)
            left += len(items)
            if any(not is_deleting(item) for item in items):
                await self._api.delete_all(resource.plural, action.name)
        if left:
            self._queue.add_after(look, _EMPTYING_S)
            return
        namespace = await self._api.get("namespaces", ("", action.name))
        spec = namespace.get("spec") or {}
        kept = [each for each in spec.get("finalizers", []) if each != "kubernetes"]
        changed = {**namespace, "spec": {**spec, "finalizers": kept}}
        await self._api.replace("namespaces", ("", action.name), changed, "finalize")

    async def _event(self, look: Look, action: Event) -> None:
        """Tell it; an event that cannot be stored is no reason to do the rest again."""
        about = action.about
        namespace, name = key_of(about)
        stamp = timestamps.render(time.time())
        component = _COMPONENTS.get(about["kind"], "controller-manager")
        event = {
            "apiVersion": "v1",
            "kind": "Event",
            "metadata": {
                "name": f"{name}.{secrets.token_hex(8)}",
                "namespace": namespace or "default",
            },
            "involvedObject": {
                "apiVersion": about["apiVersion"],
                "kind": about["kind"],
                "namespace": namespace,
                "name": name,
                "uid": uid_of(about),
                "resourceVersion": about["metadata"].get("resourceVersion", ""),
            },
            "reason": action.reason,
            "message": action.message,
            "type": "Warning" if action.is_warning else "Normal",
            "source": {"component": component},
            "reportingComponent": component,
            "reportingInstance": "",
            "firstTimestamp": stamp,
            "lastTimestamp": stamp,
            "count": 1,
        }
        try:
            await self._api.create("events", event)
        except (ApiError, HttpError) as error:
            _log.warning("event %s about %s %s: %s", action.reason, about["kind"], name, error)

    async def _look_again(self, look: Look, action: Again) -> None:
        self._queue.add_after(look, action.at - time.time())


_COMPONENTS = {
    "Deployment": "deployment-controller",
    "ReplicaSet": "replicaset-controller",
    "ReplicationController": "replication-controller",
    "Node": "node-controller",
}


def _is_waited_for(item: Json) -> bool:
    """Whether a deleted object stays until somebody else has done his part."""
    metadata = item["metadata"]
    return bool(metadata.get("finalizers") or metadata.get("deletionGracePeriodSeconds"))


def now() -> Instant:
    """Return the present instant."""
    return Instant(time.time())
