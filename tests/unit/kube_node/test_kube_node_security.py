"""Security contexts and what a pod shares, as the agent is told."""

import msgspec
import pytest

from comity.core.containers import Isolation
from comity.kube.node import launches, outbox, security
from comity.kube.node.environment import ConfigError
from comity.kube.node.handlers.pods import _containers
from comity.kube.node.state import Pod, Resolved
from support.kube_node_rig import FACTS, World, container, pod


def made(*containers, **spec):
    given = pod(containers=list(containers) or [container()], **spec)
    found = Pod("uid-web", "task", given, 0.0, _containers(given["spec"]))
    found.resolved = Resolved()
    return found


def isolation(context, image="nginx", **spec):
    given = made(container(image=image, securityContext=context), **spec)
    payload = launches.build(given, given.containers[0], "id", FACTS)
    return msgspec.convert(payload["isolation"], Isolation), payload["command"].get("user")


def sandbox(*containers, **spec):
    payload = launches.build_sandbox(made(*containers, **spec), FACTS)
    assert payload.pop("is_pod")
    return payload


def test_everything_that_a_container_may_say():
    context = {
        "runAsUser": 1000,
        "runAsNonRoot": True,
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"add": ["NET_ADMIN"], "drop": ["all"]},
        "seccompProfile": {"type": "Unconfined"},
        "procMount": "Unmasked",
    }
    above = {"supplementalGroups": [5], "fsGroup": 6, "runAsGroup": 7, "runAsUser": 8}
    own, user = isolation(context, securityContext=above, hostPID=True)
    assert user == "1000:7"
    assert own == Isolation(
        no_new_privileges=True,
        read_only=True,
        non_root=True,
        added=("NET_ADMIN",),
        dropped=("ALL",),
        seccomp="unconfined",
        unmasked=True,
        groups=(5, 6),
        share_pid=True,
    )


def test_nothing_said_is_nothing_asked():
    assert isolation({}) == (Isolation(), None)


@pytest.mark.parametrize(
    "context",
    [
        {"seccompProfile": {"type": "Localhost", "localhostProfile": "x"}},
        {"appArmorProfile": {"type": "Localhost", "localhostProfile": "x"}},
        {"runAsNonRoot": True, "runAsUser": 0},
    ],
)
def test_what_this_node_cannot_do_keeps_the_container_waiting(context):
    with pytest.raises(ConfigError):
        isolation(context)


def test_a_pod_has_its_name_sysctls_aliases_and_memory():
    assert sandbox(
        securityContext={"sysctls": [{"name": "kernel.shmmax", "value": "1"}]},
        hostIPC=True,
        hostAliases=[{"ip": "1.2.3.4", "hostnames": ["a", "b"]}],
        volumes=[{"name": "m", "emptyDir": {"medium": "Memory", "sizeLimit": "1Mi"}}],
    ) == {
        "isolation": {
            "hostname": "web",
            "share_ipc": True,
            "sysctls": {"kernel.shmmax": "1"},
            "hosts": ["1.2.3.4 a b"],
            "memory_volumes": {"/sandbox/pods/uid-web/volumes/m": 1 << 20},
        }
    }
    assert sandbox(hostNetwork=True) == {"isolation": {}}
    assert sandbox(hostname="other")["isolation"] == {"hostname": "other"}
    assert sandbox(hostNetwork=True, shareProcessNamespace=True)["isolation"] == {"share_pid": True}


def limited(name, **limits):
    return container(name, resources={"limits": limits})


def test_a_pod_is_limited_by_the_sum_when_every_container_is():
    both = sandbox(limited("a", memory="1Mi", cpu="1"), limited("b", memory="2Mi"))
    assert both["limits"] == {"mem": {"value": 3.0}}
    assert {one["name"]: one["scalar"]["value"] for one in both["resources"]} == {
        "cpus": 1.0,
        "mem": 3.0,
    }
    first = sandbox(limited("a", memory="1Mi"), initContainers=[limited("i", memory="8Mi")])
    assert first["limits"] == {"mem": {"value": 8.0}}


def test_a_request_is_no_limit():
    given = made(container(resources={"requests": {"memory": "1Mi"}}))
    payload = launches.build(given, given.containers[0], "id", FACTS)
    assert payload["limits"] == {"mem": {"value": 1e15}}


def test_a_pod_that_has_ended_lets_its_sandbox_go_once():
    world = World()
    world.assign(pod(restartPolicy="Never"))
    world.exit("web", 0)
    world.advance(60)
    assert world.of(outbox.EndSandbox) == [outbox.EndSandbox("uid-web")]


def test_propagation_of_mounts():
    mount = {"name": "h", "mountPath": "/h", "mountPropagation": "HostToContainer"}
    given = made(
        container(image="nginx", volumeMounts=[mount]),
        volumes=[{"name": "h", "hostPath": {"path": "/opt"}}],
    )
    [volume] = launches.build(given, given.containers[0], "id", FACTS)["container"]["volumes"]
    assert volume["source"]["host_path"] == {
        "path": "/opt",
        "mount_propagation": {"mode": "HOST_TO_CONTAINER"},
    }


def test_fields_without_meaning_are_named():
    given = made(container(securityContext={"windowsOptions": {"hostProcess": True}}))
    assert security.ignored(given) == ["securityContext.windowsOptions"]
