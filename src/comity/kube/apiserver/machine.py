"""The API server's machine: every input, its handler, and how it starts from the store.

A handler raises `ApiError` before it changes anything; here that becomes the reply.
Where the story goes: `objects` is a write's way from body to stored, `storing` the one place where
a revision is drawn, `watching` who hears of it, `views` how things are read.
"""

import msgspec

from comity.core.effects import Outbox, Reply
from comity.core.instants import Instant
from comity.kube.apiserver import addresses, codecs
from comity.kube.apiserver.handlers import (  # their import fills the table
    cluster,
    deletes,
    pods,
    scales,
    table,
    watches,
    writes,
)
from comity.kube.apiserver.state import REVISION_KEY, State, Stored
from comity.wire.kubernetes.status import ApiError

HANDLERS = (cluster, deletes, pods, scales, watches, writes)


class ApiServer:
    """Steps the API server's state."""

    def __init__(self, state: State) -> None:
        self.state = state

    def step(self, item: object, now: Instant, out: Outbox) -> None:
        """Handle one input; a refusal is its reply."""
        try:
            table.step(self.state, item, now, out)
        except ApiError as error:
            to = getattr(item, "to", None)
            if to is None:
                raise
            status, body = codecs.refusal(error)
            headers = (("Retry-After", "1"),) if status == 429 else ()
            out.replies.append(Reply(to=to, status=status, body=body, headers=headers))

    def recover(self, pairs: list[tuple[str, bytes]]) -> None:
        """Take what was stored. Watches from before then are told to list again."""
        state = self.state
        by_prefix = {
            f"/registry/{each.resource.group or 'core'}/{each.resource.plural}/": each
            for each in state.collections.values()
        }
        for key, data in pairs:
            if key == REVISION_KEY:
                state.revision = int(data)
                continue
            prefix, namespace, name = key.rsplit("/", 2)
            collection = by_prefix[f"{prefix}/"]
            obj = msgspec.json.decode(data)
            stored = Stored(int(obj["metadata"]["resourceVersion"]), obj, data)
            collection.put((namespace, name), stored)
            addresses.note(state, collection.resource, (namespace, name), None, stored)
        for collection in state.collections.values():
            collection.floor = state.revision
