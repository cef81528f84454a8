"""Kubernetes events about pods. Best effort: what the API cannot take now is only logged.

A repeated event becomes a count on the one that is there, as clients expect of a kubelet.
"""

import logging
import secrets
from collections import OrderedDict

from comity.core.instants import Instant
from comity.kube.node import outbox, views
from comity.kube.node.shell.api import NodeApi
from comity.kube.node.state import Json
from comity.sdk.rest import ApiError, HttpError

_log = logging.getLogger(__name__)
_REMEMBERED = 256
_Key = tuple[str, str, str, str]


class EventRecorder:
    """Writes the events of one node."""

    def __init__(self, api: NodeApi, node: str) -> None:
        self._api = api
        self._node = node
        self._known: OrderedDict[_Key, tuple[str, int]] = OrderedDict()

    async def record(self, effect: outbox.RecordEvent, now: Instant) -> None:
        """Write an event, or count it on the same one of before."""
        key = (effect.uid, effect.reason, effect.message, effect.field_path)
        name, count = self._known.pop(key, ("", 0))
        path = f"/api/v1/namespaces/{effect.namespace}/events"
        try:
            if name:
                change = {"count": count + 1, "lastTimestamp": views.rfc3339(now)}
                await self._api.patch(f"{path}/{name}", change)
            else:
                name = f"{effect.name}.{secrets.token_hex(8)}"
                await self._api.create(path, self._event(effect, name, now))
        except ApiError as error:
            # An event expires after an hour: the next one of its kind starts anew.
            _log.warning("event %s of %s: %s", effect.reason, effect.name, error)
            return
        except HttpError as error:
            _log.warning("event %s of %s is lost: %s", effect.reason, effect.name, error)
            return
        self._known[key] = (name, count + 1)
        while len(self._known) > _REMEMBERED:
            self._known.popitem(last=False)

    def _event(self, effect: outbox.RecordEvent, name: str, now: Instant) -> Json:
        at = views.rfc3339(now)
        about: Json = {
            "kind": "Pod",
            "apiVersion": "v1",
            "namespace": effect.namespace,
            "name": effect.name,
            "uid": effect.uid,
        }
        if effect.field_path:
            about["fieldPath"] = effect.field_path
        return {
            "kind": "Event",
            "apiVersion": "v1",
            "metadata": {"name": name, "namespace": effect.namespace},
            "involvedObject": about,
            "type": effect.type,
            "reason": effect.reason,
            "message": effect.message[:1024],
            "source": {"component": "kubelet", "host": self._node},
            "reportingComponent": "kubelet",
            "reportingInstance": self._node,
            "firstTimestamp": at,
            "lastTimestamp": at,
            "count": 1,
        }
