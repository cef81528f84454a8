"""The API server's machine: writes, versions, watches, deletion, starting from the store."""

from random import Random

import msgspec
import pytest

from comity.core.effects import OpenStream, Outbox, Send
from comity.core.instants import Instant
from comity.kube.apiserver import views
from comity.kube.apiserver.codecs import OBJECT, Form
from comity.kube.apiserver.inputs import (
    ClusterStarted,
    Deletion,
    ObjectDeleted,
    ObjectPatched,
    ObjectPosted,
    ObjectPut,
    Options,
    PodBound,
    Target,
    WatchOpened,
)
from comity.kube.apiserver.machine import HANDLERS, ApiServer
from comity.kube.apiserver.selectors import Selection, parse_labels
from comity.kube.apiserver.state import State
from comity.wire.kubernetes.resources import BY_PATH
from comity.wire.kubernetes.status import ApiError

NOW = Instant(1_800_000_000.0)
PODS = BY_PATH["", "v1", "pods"]
MAPS = BY_PATH["", "v1", "configmaps"]
SERVICES = BY_PATH["", "v1", "services"]
DEPLOYMENTS = BY_PATH["apps", "v1", "deployments"]
MERGE = "application/merge-patch+json"


class Api:
    """A machine with a store of its own, asked one thing at a time."""

    def __init__(self):
        assert HANDLERS
        self.machine = ApiServer(State(Random(7)))
        self.stored = {}
        self.step(ClusterStarted("127.0.0.1", 6443))

    def step(self, item):
        out = Outbox()
        self.machine.step(item, NOW, out)
        for write in out.writes:
            if write.value is None:
                self.stored.pop(write.key, None)
            else:
                self.stored[write.key] = write.value
        return out

    def ask(self, item):
        (reply,) = self.step(item).replies
        return reply.status, msgspec.json.decode(reply.body)

    def create(self, resource, body, **options):
        target = Target(resource, "default" if resource.is_namespaced else "")
        return self.ask(ObjectPosted(1, target, body, Options(**options)))

    def patch(self, resource, name, patch, media_type=MERGE, sub="", **options):
        target = Target(resource, "default", name, sub)
        return self.ask(ObjectPatched(1, target, media_type, patch, Options(**options)))

    def delete(self, resource, name, **deletion):
        target = Target(resource, "default", name)
        return self.ask(ObjectDeleted(1, target, Deletion(**deletion), Options()))

    def list(self, resource, labels="", **options):
        selection = Selection("default", parse_labels(labels))
        what = (selection, views.ListOptions(**options))
        target = Target(resource, "default")
        return msgspec.json.decode(views.page(self.machine.state, target, what, OBJECT, NOW))

    def watch(self, resource, since=None, labels=""):
        item = WatchOpened(
            to=1,
            resource=resource,
            selection=Selection("default", parse_labels(labels)),
            form=Form(),
            since=since,
            with_initial_events=False,
            wants_bookmarks=False,
            timeout_s=60.0,
        )
        out = self.step(item)
        (opened,) = [each for each in out.sends if isinstance(each, OpenStream)]
        return opened.stream, events(out, opened.stream)


def events(out, stream):
    lines = [each.data for each in out.sends if isinstance(each, Send) and each.stream == stream]
    return [msgspec.json.decode(line) for line in lines]


@pytest.fixture
def api():
    return Api()


def config_map(name="x", **data):
    return {"metadata": {"name": name}, "data": data}


def pod(name="p", **spec):
    container = {"name": "c", "image": "busybox"}
    return {"metadata": {"name": name}, "spec": {"containers": [container], **spec}}


def test_a_created_object_has_what_the_server_gives(api):
    status, made = api.create(MAPS, config_map(a="1"))
    assert status == 201
    metadata = made["metadata"]
    assert metadata["uid"]
    assert metadata["creationTimestamp"] == "2027-01-15T08:00:00Z"
    assert int(metadata["resourceVersion"]) > 0
    status, refusal = api.create(MAPS, config_map())
    assert (status, refusal["reason"]) == (409, "AlreadyExists")
    assert refusal["message"] == 'configmaps "x" already exists'


def test_dry_run_changes_nothing(api):
    before = dict(api.stored)
    assert api.create(MAPS, config_map(), is_dry_run=True)[0] == 201
    assert api.stored == before


def test_a_stale_version_is_a_conflict_and_no_change_is_no_event(api):
    _, made = api.create(MAPS, config_map(a="1"))
    stream, _ = api.watch(MAPS, int(made["metadata"]["resourceVersion"]))
    target = Target(MAPS, "default", "x")
    out = api.step(ObjectPut(1, target, made, Options()))
    assert events(out, stream) == []
    changed = made | {"data": {"a": "2"}}
    out = api.step(ObjectPut(1, target, changed, Options()))
    assert [event["type"] for event in events(out, stream)] == ["MODIFIED"]
    status, refusal = api.ask(ObjectPut(1, target, changed, Options()))
    assert (status, refusal["reason"]) == (409, "Conflict")


def test_unknown_fields_by_validation(api):
    body = pod() | {"bogus": 1}
    status, refusal = api.create(PODS, body, field_validation="Strict")
    assert status == 400
    assert 'strict decoding error: unknown field "bogus"' in refusal["message"]
    assert api.create(PODS, body, field_validation="Ignore")[0] == 201


def test_what_is_missing_is_named_with_its_field(api):
    status, refusal = api.create(PODS, {"metadata": {"name": "p"}, "spec": {"containers": [{}]}})
    assert (status, refusal["reason"]) == (422, "Invalid")
    causes = {cause["field"]: cause["reason"] for cause in refusal["details"]["causes"]}
    assert causes["spec.containers[0].name"] == "FieldValueRequired"


def test_watchers_see_every_change_once_in_order(api):
    stream, first = api.watch(MAPS)
    assert first == []
    seen = []
    for number in range(5):
        out = api.step(
            ObjectPosted(1, Target(MAPS, "default"), config_map(f"m{number}"), Options())
        )
        seen += events(out, stream)
    versions = [int(event["object"]["metadata"]["resourceVersion"]) for event in seen]
    assert versions == sorted(set(versions))
    _, again = api.watch(MAPS, versions[1])
    assert [event["object"]["metadata"]["name"] for event in again] == ["m2", "m3", "m4"]


def test_entering_and_leaving_a_selection(api):
    stream, _ = api.watch(MAPS, labels="app=web")
    api.create(MAPS, config_map())
    target = Target(MAPS, "default", "x")

    def label(value):
        patch = {"metadata": {"labels": {"app": value}}}
        return events(api.step(ObjectPatched(1, target, MERGE, patch, Options())), stream)

    assert [event["type"] for event in label("web")] == ["ADDED"]
    assert label("web") == []
    (left,) = label("db")
    assert left["type"] == "DELETED"
    assert left["object"]["metadata"]["labels"] == {"app": "web"}


def test_pages_show_one_moment(api):
    for name in "abcd":
        api.create(MAPS, config_map(name))
    first = api.list(MAPS, limit=2)
    assert [item["metadata"]["name"] for item in first["items"]] == ["a", "b"]
    api.create(MAPS, config_map("c2"))
    api.delete(MAPS, "d")
    second = api.list(MAPS, limit=9, continuation=first["metadata"]["continue"])
    assert [item["metadata"]["name"] for item in second["items"]] == ["c", "d"]
    assert second["metadata"]["resourceVersion"] == first["metadata"]["resourceVersion"]


def test_a_revision_to_come_is_504(api):
    with pytest.raises(ApiError) as caught:
        api.list(MAPS, resource_version="999999")
    assert caught.value.code == 504


def test_a_bound_pod_is_deleted_in_two_steps_an_unbound_one_at_once(api):
    api.create(PODS, pod("loose"))
    api.delete(PODS, "loose")
    assert api.list(PODS)["items"] == []
    api.create(PODS, pod("bound"))
    target = Target(PODS, "default", "bound", "binding")
    body = {"target": {"kind": "Node", "name": "n1"}}
    assert api.ask(PodBound(1, target, body, Options()))[0] == 201
    assert api.ask(PodBound(1, target, body, Options()))[0] == 409
    _, dying = api.delete(PODS, "bound")
    assert dying["metadata"]["deletionGracePeriodSeconds"] == 30
    uid = dying["metadata"]["uid"]
    assert api.delete(PODS, "bound", grace_s=0, uid="other")[0] == 409
    api.delete(PODS, "bound", grace_s=0, uid=uid)
    assert api.list(PODS)["items"] == []


def test_finalizers_keep_an_object_until_they_are_gone(api):
    api.create(MAPS, config_map() | {"metadata": {"name": "x", "finalizers": ["a/b"]}})
    _, dying = api.delete(MAPS, "x")
    assert "deletionTimestamp" in dying["metadata"]
    api.patch(MAPS, "x", {"metadata": {"finalizers": None}})
    assert api.list(MAPS)["items"] == []


def test_strategic_merge_keeps_the_other_containers(api):
    containers = [{"name": "a", "image": "1"}, {"name": "b", "image": "1"}]
    template = {"metadata": {"labels": {"app": "x"}}, "spec": {"containers": containers}}
    spec = {"selector": {"matchLabels": {"app": "x"}}, "template": template}
    _, made = api.create(DEPLOYMENTS, {"metadata": {"name": "d"}, "spec": spec})
    assert made["spec"]["replicas"] == 1
    change = {"spec": {"template": {"spec": {"containers": [{"name": "b", "image": "2"}]}}}}
    kind = "application/strategic-merge-patch+json"
    _, patched = api.patch(DEPLOYMENTS, "d", change, kind)
    found = {c["name"]: c["image"] for c in patched["spec"]["template"]["spec"]["containers"]}
    assert found == {"a": "1", "b": "2"}
    assert patched["metadata"]["generation"] == made["metadata"]["generation"] + 1
    change = {"spec": {"selector": {"matchLabels": {"app": "y"}}}}
    assert api.patch(DEPLOYMENTS, "d", change)[0] == 422


def test_status_is_written_by_its_own_path_only(api):
    api.create(PODS, pod())
    api.patch(PODS, "p", {"status": {"phase": "Running"}})
    assert api.list(PODS)["items"][0]["status"]["phase"] == "Pending"
    api.patch(PODS, "p", {"status": {"phase": "Running"}, "spec": {"nodeName": "x"}}, sub="status")
    (item,) = api.list(PODS)["items"]
    assert item["status"]["phase"] == "Running"
    assert "nodeName" not in item["spec"]


def test_service_addresses_are_unique_and_given_back(api):
    spec = {"ports": [{"port": 80}]}
    addresses = set()
    for name in ("a", "b"):
        _, made = api.create(SERVICES, {"metadata": {"name": name}, "spec": spec})
        addresses.add(made["spec"]["clusterIP"])
    assert len(addresses) == 2
    wanted = {"metadata": {"name": "c"}, "spec": spec | {"clusterIP": min(addresses)}}
    assert api.create(SERVICES, wanted)[0] == 422
    for name in ("a", "b"):
        api.delete(SERVICES, name)
    assert api.create(SERVICES, wanted)[0] == 201


def test_a_restart_shows_the_same_and_old_watches_are_told_to_list(api):
    _, made = api.create(MAPS, config_map(a="1"))
    old = int(made["metadata"]["resourceVersion"]) - 1
    again = Api()
    again.machine = ApiServer(State(Random(8)))
    again.machine.recover(sorted(api.stored.items()))
    assert again.list(MAPS) == api.list(MAPS)
    _, (event,) = again.watch(MAPS, old)
    assert (event["type"], event["object"]["code"]) == ("ERROR", 410)
    _, newer = again.create(MAPS, config_map("y"))
    assert int(newer["metadata"]["resourceVersion"]) > int(made["metadata"]["resourceVersion"])
