"""Environments, volumes and launch payloads: from specs and objects to values."""

import base64

import pytest

from comity.core.instants import Instant
from comity.kube.node import environment, launches, volumes
from comity.kube.node.environment import ConfigError
from comity.kube.node.state import Container, ContainerKind, Pod, Resolved
from support.kube_node_rig import FACTS, container, pod


def made(spec=None, **fields):
    given = pod(containers=[spec or container()], **fields)
    mains = [
        Container(each["name"], each, ContainerKind.MAIN) for each in given["spec"]["containers"]
    ]
    return Pod("uid-web", "task", given, Instant(0.0), mains, resolved=Resolved())


def built(spec, resolved=None, **fields):
    return environment.build(spec, made(spec, **fields), resolved or Resolved(), FACTS)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("$(A)", "1"),
        ("x$(A)y$(B)z", "x1y2z"),
        ("$$(A)", "$(A)"),
        ("$(NONE)", "$(NONE)"),
        ("$A $", "$A $"),
        ("$$$(A)", "$1"),
        ("$(A", "$(A"),
    ],
)
def test_expansion(text, value):
    assert environment.expand(text, {"A": "1", "B": "2"}) == value


def test_later_variables_see_earlier_ones_only():
    env = [
        {"name": "A", "value": "1"},
        {"name": "B", "value": "$(A)$(C)"},
        {"name": "C", "value": "3"},
    ]
    assert built(container(env=env))["B"] == "1$(C)"


def test_env_wins_over_env_from_and_both_over_services():
    service = {
        "metadata": {"name": "my-db", "namespace": "default"},
        "spec": {"clusterIP": "10.96.0.9", "ports": [{"port": 5432, "name": "pg"}]},
    }
    resolved = Resolved(
        configmaps={"cfg": {"data": {"A": "map", "B": "map"}}},
        secrets={"s": {"data": {"P": base64.b64encode(b"pw").decode()}}},
        services=[service],
    )
    spec = container(
        env=[{"name": "A", "value": "own $(MY_DB_SERVICE_HOST)"}],
        envFrom=[{"configMapRef": {"name": "cfg"}}, {"prefix": "S_", "secretRef": {"name": "s"}}],
    )
    found = built(spec, resolved)
    assert found["A"] == "own 10.96.0.9"
    assert found["B"] == "map"
    assert found["S_P"] == "pw"
    assert found["MY_DB_SERVICE_PORT_PG"] == "5432"
    assert found["MY_DB_PORT_5432_TCP_ADDR"] == "10.96.0.9"
    assert "MY_DB_SERVICE_HOST" not in built(spec, resolved, enableServiceLinks=False)


@pytest.mark.parametrize("kind", ["configMapKeyRef", "secretKeyRef"])
def test_missing_references(kind):
    def spec(**more):
        return container(
            env=[{"name": "A", "valueFrom": {kind: {"name": "x", "key": "k", **more}}}]
        )

    assert "A" not in built(spec(optional=True))
    with pytest.raises(ConfigError, match='"x" not found'):
        built(spec())
    there = Resolved(configmaps={"x": {"data": {}}}, secrets={"x": {"data": {}}})
    with pytest.raises(ConfigError, match="couldn't find key k"):
        built(spec(), there)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("metadata.name", "web"),
        ("metadata.namespace", "default"),
        ("metadata.uid", "uid-web"),
        ("metadata.labels['app']", "shop"),
        ("spec.nodeName", "node-1"),
        ("spec.serviceAccountName", "default"),
        ("status.podIP", "127.0.0.11"),
        ("status.hostIP", "127.0.0.11"),
    ],
)
def test_fields(path, value):
    spec = container(env=[{"name": "A", "valueFrom": {"fieldRef": {"fieldPath": path}}}])
    assert built(spec, metadata={"labels": {"app": "shop"}})["A"] == value


def test_an_unknown_field_is_refused():
    spec = container(env=[{"name": "A", "valueFrom": {"fieldRef": {"fieldPath": "status.phase"}}}])
    with pytest.raises(ConfigError, match="unsupported fieldPath"):
        built(spec)


@pytest.mark.parametrize(
    ("resource", "divisor", "value"),
    [
        ("limits.cpu", None, "1"),
        ("limits.cpu", "1m", "250"),
        ("requests.memory", "1Mi", "64"),
        ("limits.memory", "1Mi", "1024"),
        ("requests.cpu", "1", "0"),
    ],
)
def test_resources(resource, divisor, value):
    source = {"resourceFieldRef": {"resource": resource, "divisor": divisor}}
    resources = {"limits": {"cpu": "250m"}, "requests": {"memory": "64Mi"}}
    spec = container(env=[{"name": "A", "valueFrom": source}], resources=resources)
    assert built(spec)["A"] == value


# launches


def launched(spec, **fields):
    held = made(spec, **fields)
    return launches.build(held, held.containers[0], "id-0", FACTS)


def test_a_plain_process_runs_its_command():
    payload = launched(
        container(command=["echo", "$(A)"], args=["b"], env=[{"name": "A", "value": "a"}])
    )
    assert payload["command"]["value"] == "echo"
    assert payload["command"]["arguments"] == ["echo", "a", "b"]
    assert payload["container"] == {"type": "MESOS"}


def test_a_plain_process_needs_a_command():
    with pytest.raises(ConfigError, match="give `command`"):
        launched({"name": "web", "image": "host"})


def test_volumes_of_a_plain_process_are_linked_below_the_sandbox():
    spec = container(
        volumeMounts=[{"name": "my-cfg", "mountPath": "/etc/web"}], workingDir="/srv/x y"
    )
    payload = launched(spec, volumes=[{"name": "my-cfg", "emptyDir": {}}])
    shell, flag, script, *rest = payload["command"]["arguments"]
    assert (shell, flag, rest) == ("sh", "-c", ["sh", "sleep", "1"])
    where = "/sandbox/pods/uid-web/volumes/my-cfg"
    assert script == (
        f"mkdir -p -- etc && ln -sfn -- {where} etc/web && cd -- '/srv/x y' && exec \"$@\""
    )
    variables = {v["name"]: v["value"] for v in payload["command"]["environment"]["variables"]}
    assert variables["COMITY_VOLUME_MY_CFG"] == where


def test_an_image_keeps_its_entry_point_unless_command_is_given():
    plain = launched({"name": "web", "image": "nginx:1"})
    assert plain["command"].keys() == {"shell", "environment"}
    args = launched({"name": "web", "image": "nginx:1", "args": ["-v"]})
    assert "value" not in args["command"]
    assert args["command"]["arguments"] == ["-v"]
    both = launched({"name": "web", "image": "nginx:1", "command": ["sh"], "args": ["-c"]})
    assert (both["command"]["value"], both["command"]["arguments"]) == ("sh", ["sh", "-c"])


def test_an_image_gets_mounts_pull_policy_user_and_resources():
    spec = {
        "name": "web",
        "image": "nginx",
        "imagePullPolicy": "Always",
        "volumeMounts": [
            {"name": "d", "mountPath": "/data", "subPath": "in", "readOnly": True},
            {"name": "h", "mountPath": "/h"},
        ],
        "securityContext": {"runAsUser": 7},
        "resources": {"limits": {"cpu": "500m", "memory": "64Mi"}, "requests": {"cpu": "100m"}},
    }
    sources = [{"name": "d", "emptyDir": {}}, {"name": "h", "hostPath": {"path": "/opt"}}]
    context = {"runAsGroup": 9}
    payload = launched(spec, volumes=sources, securityContext=context)
    assert payload["container"]["mesos"]["image"] == {
        "type": "DOCKER",
        "docker": {"name": "nginx"},
    }
    assert payload["container"]["volumes"] == [
        {
            "mode": "RO",
            "host_path": "/sandbox/pods/uid-web/volumes/d/in",
            "container_path": "/data",
        },
        {"mode": "RW", "host_path": "/opt", "container_path": "/h"},
    ]
    assert payload["command"]["user"] == "7:9"
    assert payload["limits"] == {"cpus": {"value": 0.5}, "mem": {"value": 64.0}}
    assert {r["name"]: r["scalar"]["value"] for r in payload["resources"]} == {
        "cpus": 0.1,
        "mem": 64.0,
    }


@pytest.mark.parametrize("path", ["../x", "a/../../b"])
def test_a_sub_path_stays_inside_its_volume(path):
    spec = container(volumeMounts=[{"name": "d", "mountPath": "/d", "subPath": path}])
    with pytest.raises(ConfigError, match="must not contain"):
        launched(spec, volumes=[{"name": "d"}])


# volumes


def planned(volume, resolved=None):
    [plan] = volumes.plan(made(volumes=[{"name": "v", **volume}]), resolved or Resolved(), FACTS)
    return {file.path: (file.content, file.mode) for file in plan.files or ()}


def test_config_map_files_items_and_modes():
    cfg = {"data": {"a": "1", "b": "2"}, "binaryData": {"c": base64.b64encode(b"\xff").decode()}}
    resolved = Resolved(configmaps={"cfg": cfg})
    assert planned({"configMap": {"name": "cfg"}}, resolved) == {
        "a": (b"1", 0o644),
        "b": (b"2", 0o644),
        "c": (b"\xff", 0o644),
    }
    items = [{"key": "a", "path": "x/y", "mode": 0o600}]
    assert planned({"configMap": {"name": "cfg", "items": items, "defaultMode": 0}}, resolved) == {
        "x/y": (b"1", 0o600)
    }


def test_a_projection_joins_its_sources():
    resolved = Resolved(
        configmaps={"cfg": {"data": {"a": "1"}}},
        secrets={"s": {"data": {"p": base64.b64encode(b"pw").decode()}}},
    )
    field = {"path": "name", "fieldRef": {"fieldPath": "metadata.name"}}
    sources = [
        {"configMap": {"name": "cfg"}},
        {"secret": {"name": "s"}},
        {"downwardAPI": {"items": [field]}},
    ]
    found = planned({"projected": {"sources": sources, "defaultMode": 0o400}}, resolved)
    assert found == {"a": (b"1", 0o400), "p": (b"pw", 0o400), "name": (b"web", 0o400)}


@pytest.mark.parametrize("path", ["../x", "/etc/passwd", "a/../../b", "..data"])
def test_a_file_stays_inside_its_volume(path):
    resolved = Resolved(configmaps={"cfg": {"data": {"a": "1"}}})
    items = [{"key": "a", "path": path}]
    with pytest.raises(ConfigError, match="cannot be called"):
        planned({"configMap": {"name": "cfg", "items": items}}, resolved)


def test_references_are_found_everywhere():
    spec = {
        "volumes": [
            {"name": "a", "configMap": {"name": "c1"}},
            {"name": "b", "projected": {"sources": [{"secret": {"name": "s1"}}]}},
        ],
        "initContainers": [{"envFrom": [{"secretRef": {"name": "s2"}}]}],
        "containers": [{"env": [{"name": "A", "valueFrom": {"configMapKeyRef": {"name": "c2"}}}]}],
    }
    assert volumes.references(spec) == (("c1", "c2"), ("s1", "s2"))
