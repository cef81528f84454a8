"""Images from a real registry, through the whole stack: what goes well, and what cannot.

What cannot is tried in three worlds alike: a Mesos task, a Marathon app, a Kubernetes pod. Each
says precisely why, and nothing stays behind on the machine.
"""

import contextlib
import json
import re
import socket
import tarfile

import pytest

from comity.core.networks import BRIDGE
from comity.wire.mesos import v1
from comity.wire.mesos.containers import NetworkInfo, PortMapping
from support import networks
from support.clusters import eventually
from support.image_clusters import apply_pod, image_cluster, pod_status, residue
from support.images import MARKS, busybox, image, layer, write_saved
from support.kernel import Driver
from support.registries import NEEDED, Registry

pytestmark = [*MARKS, *networks.MARKS, NEEDED]
CONFIG = {"Env": ["PATH=/bin"]}
PORT = 31987


@pytest.fixture(scope="module")
def registry(tmp_path_factory):
    """Run a registry with an image that is well, and some that are not."""
    base = busybox()
    with Registry(tmp_path_factory.mktemp("registry")) as made:
        made.digest = made.push("good", [base], CONFIG)
        made.push("arm", [base], CONFIG, architecture="s390x")
        made.push("escape", [base, layer([("../../etc/evil", b"x", tarfile.REGTYPE)])], CONFIG)
        made.push("device", [base, layer([("dev/mem", b"", tarfile.CHRTYPE)])], CONFIG)
        spoilt = layer([("etc/spoilt", b"spoilt", tarfile.REGTYPE)])
        made.push("spoilt", [base, spoilt], CONFIG)
        made.spoil(spoilt)
        yield made


@pytest.fixture(scope="module")
def closed(tmp_path_factory):
    """Run a registry that wants a password."""
    with Registry(tmp_path_factory.mktemp("closed"), is_closed=True) as made:
        made.push("good", [busybox()], CONFIG)
        yield made


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    with image_cluster(tmp_path_factory) as made:
        yield made


def events(kubernetes, name):
    """Return the events of a pod, oldest first, as (reason, message)."""
    given = ("get", "events", "--field-selector", f"involvedObject.name={name}", "-o", "json")
    found = json.loads(kubernetes.kubectl(*given))["items"]
    found.sort(key=lambda one: one["metadata"]["resourceVersion"].zfill(20))
    return [(one["reason"], one["message"]) for one in found]


# what goes well


def test_a_pull_is_seen_as_events_and_its_digest_in_the_status(kubernetes, registry):
    name = f"{registry.host}/good:1"
    one = {"image": name, "command": ["sleep", "600"], "imagePullPolicy": "IfNotPresent"}
    for pod in ("first", "second"):
        apply_pod(kubernetes, pod, [one])
        kubernetes.kubectl("wait", "--for=condition=Ready", f"pod/{pod}", "--timeout=60s")
    [container] = pod_status(kubernetes, "first")["containerStatuses"]
    assert container["imageID"] == f"{registry.host}/good@{registry.digest}"
    eventually(lambda: len(events(kubernetes, "first")) == 5, "all events of the first pod")
    reasons = [reason for reason, _ in events(kubernetes, "first")]
    assert sorted(reasons) == ["Created", "Pulled", "Pulling", "Scheduled", "Started"]
    text = dict(events(kubernetes, "first"))["Pulled"]
    pattern = r"Successfully pulled image .* in [\dms.]+ \(.* including waiting\)\. Image size: \d+"
    assert re.match(pattern, text), text
    present = f'Container image "{name}" already present on machine'
    eventually(lambda: ("Pulled", present) in events(kubernetes, "second"), "it is present")
    assert present in kubernetes.kubectl("describe", "pod", "second")
    kubernetes.kubectl("delete", "pod", "first", "second", "--now")
    eventually(
        lambda: ("Killing", "Stopping container main") in events(kubernetes, "first"), "the end"
    )


def test_a_pod_waits_for_an_image_and_starts_when_it_can_be_pulled(kubernetes, registry):
    one = {"image": f"{registry.host}/late:1", "command": ["sleep", "600"]}
    apply_pod(kubernetes, "late", [one])

    def waiting():
        found = pod_status(kubernetes, "late").get("containerStatuses") or [{"state": {}}]
        return found[0]["state"].get("waiting", {})

    eventually(lambda: waiting().get("reason") == "ImagePullBackOff", "it backs off")
    assert "late:1 is not in the registry" in waiting()["message"]
    told = dict(events(kubernetes, "late"))
    assert told["BackOff"] == f'Back-off pulling image "{registry.host}/late:1"'
    registry.push("late", [busybox()], CONFIG)
    kubernetes.kubectl("wait", "--for=condition=Ready", "pod/late", "--timeout=60s")
    kubernetes.kubectl("delete", "pod", "late", "--now")


def test_never_pull_means_never(kubernetes, registry):
    registry.push("never", [busybox()], CONFIG)
    one = {"image": f"{registry.host}/never:1", "imagePullPolicy": "Never"}
    apply_pod(kubernetes, "never", [one])
    eventually(
        lambda: "ErrImageNeverPull" in json.dumps(pod_status(kubernetes, "never")), "it says so"
    )
    kubernetes.kubectl("delete", "pod", "never", "--now")


def test_images_without_a_registry_go_by_their_names(kubernetes, tmp_path):
    write_saved(kubernetes.layouts / "saved.tar", "saved:1", [busybox()], CONFIG)
    far = "registry.example.org/team/app:1"
    write_saved(kubernetes.layouts / f"{far}.tar", far, [busybox()], CONFIG)
    container = {"type": "MESOS", "docker": {"image": "saved:1"}}
    app = {"id": "/saved", "cpus": 0.1, "mem": 32, "cmd": "sleep 600", "container": container}
    (tmp_path / "app.json").write_text(json.dumps(app))
    kubernetes.dcos("marathon", "app", "add", str(tmp_path / "app.json"))
    eventually(lambda: kubernetes.running("saved"), "the app runs")
    apply_pod(kubernetes, "offline", [{"image": far, "command": ["sleep", "600"]}])
    kubernetes.kubectl("wait", "--for=condition=Ready", "pod/offline", "--timeout=60s")
    [node] = kubernetes.get("master", "/slaves")["slaves"]
    pulled = json.loads(kubernetes.dcos("image", "pull", "--node", node["id"], "box", "--json"))
    assert (pulled["name"], pulled["layers"]) == ("box", 1)
    shown = json.loads(kubernetes.dcos("image", "list", "--node", node["id"], "--json"))
    used = {one["name"]: one["in_use"] for one in shown["images"]}
    assert (used["saved:1"], used[far], used["box"]) == (True, True, False)
    gone = json.loads(kubernetes.dcos("image", "prune", "--node", node["id"], "--json"))["removed"]
    assert {"saved:1", far} & {one["name"] for one in gone} == set()
    assert "box" in {one["name"] for one in gone}
    kubernetes.dcos("marathon", "app", "remove", "/saved", "--force")
    kubernetes.kubectl("delete", "pod", "offline", "--now")
    eventually(lambda: not kubernetes.running("saved"), "the app is gone")


# what cannot


class Case:
    """A container that cannot run, and how that is told."""

    def __init__(self, image, text, pod_reason, command=("sleep", "600"), user="", port=0):
        self.image, self.text, self.pod_reason = image, text, pod_reason
        self.command, self.user, self.port = list(command), user, port

    def named(self, registry, closed):
        return self.image.format(open=registry.host, closed=closed.host)


CASES = {
    "missing": Case("{open}/nothing:1", "nothing:1 is not in the registry", "ErrImagePull"),
    "refused": Case("{closed}/good:1", "refuses image good:1", "ErrImagePull"),
    "spoilt": Case("{open}/spoilt:1", "digest mismatch", "ErrImagePull"),
    "escape": Case("{open}/escape:1", "leads out of it", "ErrImagePull"),
    "device": Case("{open}/device:1", "a layer has a device node: dev/mem", "ErrImagePull"),
    "machine": Case("{open}/arm:1", "is for linux/s390x", "ErrImagePull"),
    "name": Case("Not/An Image", "is not an image reference", "InvalidImageName"),
    "command": Case("{open}/good:1", "/no/such", "StartError", command=("/no/such",)),
    "user": Case("{open}/good:1", "nobody-here", "CreateContainerError", user="nobody-here"),
    "port": Case(
        "{open}/good:1", f"port {PORT}/tcp is already used", "ContainerCreating", port=PORT
    ),
}


@pytest.fixture(params=CASES)
def case(request):
    """Give each case; for that of the port something listens there."""
    found = CASES[request.param]
    with contextlib.ExitStack() as stack:
        if found.port:
            busy = stack.enter_context(socket.socket())
            busy.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            busy.bind(("", PORT))
            busy.listen()
        yield found


@pytest.fixture(autouse=True)
def nothing_stays(cluster):
    yield
    eventually(lambda: not residue(cluster), "nothing stays behind")
    assert not any(path.exists() for path in cluster.work_dir.glob("**/evil"))


async def test_on_a_mesos_task(cluster, registry, closed, case):
    fields = {}
    if case.port:
        mapped = PortMapping(host_port=PORT, container_port=80, protocol="tcp")
        fields = {"network_infos": (NetworkInfo(name=BRIDGE, port_mappings=(mapped,)),)}
    words = {"shell": False, "value": case.command[0], "arguments": tuple(case.command)}
    if case.user:
        words["user"] = case.user
    async with Driver(cluster.urls["master"]) as mesos:
        held = f"cpus:0.1;mem:32;ports:[{PORT}-{PORT}]" if case.port else "cpus:0.1;mem:32"
        task = image(case.named(registry, closed), fields, **words)
        await mesos.launch({"id": "bad", "resources": held, **task})
        failed = await mesos.until_state("bad", v1.TaskState.FAILED)
        assert failed.reason is v1.Reason.CONTAINER_LAUNCH_FAILED
        assert case.text in failed.message


def test_on_a_marathon_app(cluster, registry, closed, case, tmp_path):
    container = {"type": "MESOS", "docker": {"image": case.named(registry, closed)}}
    app = {"id": "/bad", "cpus": 0.1, "mem": 32, "args": case.command, "container": container}
    if case.user:
        app["user"] = case.user
    if case.port:
        app["networks"] = [{"mode": "container/bridge"}]
        container["portMappings"] = [{"containerPort": 80, "hostPort": PORT}]
    (tmp_path / "app.json").write_text(json.dumps(app))
    cluster.dcos("marathon", "app", "add", str(tmp_path / "app.json"))
    try:
        failure = eventually(
            lambda: json.loads(cluster.dcos("marathon", "app", "show", "/bad"))["lastTaskFailure"],
            "the app says why it does not run",
        )
        assert failure["state"] == "TASK_FAILED"
        assert case.text in failure["message"]
    finally:
        cluster.dcos("marathon", "app", "remove", "/bad", "--force")
        eventually(lambda: not cluster.running("bad"), "its tasks are gone")


def test_on_a_kubernetes_pod(kubernetes, registry, closed, case):
    container = {"image": case.named(registry, closed), "command": case.command}
    if case.port:
        container["ports"] = [{"containerPort": 80, "hostPort": PORT}]
    if case.user:
        container["image"] = f"{registry.host}/user:1"
        registry.push("user", [busybox()], {**CONFIG, "User": case.user})
    apply_pod(kubernetes, "bad", [container], restartPolicy="Never")

    def said():
        [one] = pod_status(kubernetes, "bad")["containerStatuses"]
        [state] = [state for state in one["state"].values() if "message" in state]
        return state if state["reason"] == case.pod_reason else None

    try:
        state = eventually(said, f"the pod says {case.pod_reason}")
        assert case.text in state["message"]
        eventually(
            lambda: any(case.text in message for _, message in events(kubernetes, "bad")),
            "its events say so",
        )
    finally:
        kubernetes.kubectl("delete", "pod", "bad", "--now")
