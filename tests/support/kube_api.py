"""As much of a Kubernetes API server as the controllers use: objects in a dict, lists and watches.

It decides nothing: no defaults, no validation. `refuse` lets a test answer for it.
"""

import asyncio
import itertools
import json

from comity.runtime.http import Stream
from comity.sdk.kubernetes import BY_PLURAL
from comity.wire.kubernetes import timestamps
from support.kube_world import merged
from support.upstreams import Upstream, answer


def status(code, reason, message=""):
    return answer(
        {"kind": "Status", "status": "Failure", "reason": reason, "message": message}, code
    )


class FakeKubeApi(Upstream):
    """The server; `objects[plural][namespace, name]` is what it holds."""

    def __init__(self):
        super().__init__()
        self.objects = {plural: {} for plural in BY_PLURAL}
        self.watchers: list[tuple[str, Stream]] = []
        self.history: list[tuple[int, str, dict]] = []
        self.oldest = 0
        self.versions = itertools.count(100)
        self.refuse = lambda request, plural, item: None
        self.changed = asyncio.Event()

    async def handle(self, request):
        self.requests.append(request)
        parts = request.path.strip("/").split("/")
        rest = parts[2:] if parts[0] == "api" else parts[3:]
        namespace = ""
        if rest[0] == "namespaces" and len(rest) > 2 and rest[2] != "finalize":
            namespace, rest = rest[1], rest[2:]
        plural, name, sub = rest[0], *[*rest[1:], "", ""][:2]
        body = json.loads(request.body) if request.body else None
        refusal = self.refuse(request, plural, body)
        if refusal is not None:
            return refusal
        if not name:
            return self._collection(request, plural, namespace, body)
        return self._object(request, plural, (namespace, name), sub, body)

    def _collection(self, request, plural, namespace, body):
        if request.arg("watch"):
            return self._watch(plural, int(request.arg("resourceVersion")))
        if request.method == "POST":
            return self._create(plural, namespace, body)
        items = [o for (ns, _), o in self.objects[plural].items() if namespace in ("", ns)]
        if request.method == "DELETE":
            for item in items:
                self.drop(plural, item)
            return answer({"kind": "Status", "status": "Success"})
        version = str(next(self.versions))
        return answer({"items": items, "metadata": {"resourceVersion": version}})

    def _create(self, plural, namespace, item):
        metadata = item["metadata"]
        if "name" not in metadata:
            metadata["name"] = f"{metadata['generateName']}{next(self.versions)}"
        if (namespace, metadata["name"]) in self.objects[plural]:
            return status(409, "AlreadyExists")
        return answer(self.store(plural, item), 201)

    def _object(self, request, plural, key, sub, body):
        held = self.objects[plural].get(key)
        if held is None:
            return status(404, "NotFound")
        if request.method == "GET":
            return answer(held)
        if request.method == "DELETE":
            uid = body.get("preconditions", {}).get("uid")
            if uid not in (None, held["metadata"]["uid"]):
                return status(409, "Conflict")
            self.drop(plural, held)
            return answer({"kind": "Status", "status": "Success"})
        if request.method == "PATCH":
            return answer(self.store(plural, merged(held, body)))
        if body["metadata"].get("resourceVersion") not in (
            None,
            held["metadata"]["resourceVersion"],
        ):
            return status(409, "Conflict")
        if sub == "finalize" and not body["spec"]["finalizers"]:
            self.drop(plural, held)
            return answer(body)
        return answer(self.store(plural, body))

    def _watch(self, plural, since):
        if since < self.oldest:
            return status(410, "Expired")
        stream = Stream()
        for version, kind, item in self.history:
            if version > since and kind.endswith(":" + plural):
                stream.send(self._event(kind.partition(":")[0], item))
        self.watchers.append((plural, stream))
        return stream

    @staticmethod
    def _event(kind, item):
        return json.dumps({"type": kind, "object": item}).encode() + b"\n"

    # for tests, too

    def store(self, plural, item):
        """Create or change an object, and tell the watchers."""
        resource = BY_PLURAL[plural]
        version = next(self.versions)
        metadata = {"generation": 1, **item["metadata"]}
        metadata.setdefault("uid", f"uid-{version}")
        metadata.setdefault("creationTimestamp", timestamps.render(version))
        metadata["resourceVersion"] = str(version)
        named = {"apiVersion": resource.api_version, "kind": resource.kind}
        item = {**named, **item, "metadata": metadata}
        key = (metadata.get("namespace", ""), metadata["name"])
        known = key in self.objects[plural]
        self.objects[plural][key] = item
        self._tell(plural, "MODIFIED" if known else "ADDED", item, version)
        return item

    def drop(self, plural, item):
        """Delete an object, and tell the watchers."""
        metadata = item["metadata"]
        del self.objects[plural][metadata.get("namespace", ""), metadata["name"]]
        version = next(self.versions)
        last = {**item, "metadata": {**metadata, "resourceVersion": str(version)}}
        self._tell(plural, "DELETED", last, version)

    def _tell(self, plural, kind, item, version):
        self.history.append((version, f"{kind}:{plural}", item))
        for watched, stream in self.watchers:
            if watched == plural:
                stream.send(self._event(kind, item))
        self.changed.set()

    def cut(self, *, forget=False):
        """End all watches; with `forget`, what happened so far can no longer be watched."""
        watchers, self.watchers = self.watchers, []
        for _, stream in watchers:
            stream.abort()
        if forget:
            self.oldest = next(self.versions)
            self.history.clear()

    async def until(self, check):
        """Wait until `check()` holds."""
        async with asyncio.timeout(20):
            while not check():
                self.changed.clear()
                try:
                    await asyncio.wait_for(self.changed.wait(), 0.1)
                except TimeoutError:
                    continue
