"""A pod's imagePullSecrets become the credentials of its images."""

import base64
import json

import pytest

from comity.core.instants import Instant
from comity.kube.node import launches, pullsecrets, volumes
from comity.kube.node.environment import ConfigError
from comity.kube.node.state import Container, ContainerKind, Pod, Resolved
from support.kube_node_rig import FACTS, container, pod

SPEC = {"imagePullSecrets": [{"name": "one"}, {"name": "none"}, {"name": "two"}]}


def secret(key, document):
    return {"data": {key: base64.b64encode(json.dumps(document).encode()).decode()}}


RESOLVED = Resolved(
    secrets={
        "one": secret(".dockerconfigjson", {"auths": {"r:5000": {"auth": "b25l"}}}),
        "two": secret(".dockercfg", {"r:5000": {"auth": "dHdv"}, "q": {"auth": "dHdv"}}),
        "none": None,
    }
)


def test_they_are_looked_up_with_the_rest():
    assert volumes.references(SPEC) == ((), ("one", "none", "two"))


def test_the_first_with_credentials_for_a_registry_counts():
    found = json.loads(pullsecrets.docker_config(SPEC, RESOLVED))
    assert found == {"auths": {"r:5000": {"auth": "b25l"}, "q": {"auth": "dHdv"}}}


def test_without_any_there_are_no_credentials():
    assert pullsecrets.docker_config({}, RESOLVED) == b""
    assert pullsecrets.docker_config({"imagePullSecrets": [{"name": "none"}]}, RESOLVED) == b""


def test_what_is_no_docker_config_is_named():
    data = base64.b64encode(b"[").decode()
    bad = Resolved(secrets={"one": {"data": {".dockerconfigjson": data}}})
    with pytest.raises(ConfigError, match='secret "one" is no JSON object'):
        pullsecrets.docker_config(SPEC, bad)


def test_they_go_with_the_launch():
    spec = container(image="r:5000/web")
    given = pod(containers=[spec], **SPEC)
    one = Container("web", spec, ContainerKind.MAIN)
    made = Pod("uid-web", "task", given, Instant(0.0), [one], resolved=RESOLVED)
    payload = launches.build(made, one, "id-0", FACTS)
    config = payload["container"]["mesos"]["image"]["docker"]["config"]
    assert "r:5000" in json.loads(base64.b64decode(config["value"]["data"]))["auths"]
