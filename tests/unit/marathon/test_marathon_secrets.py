"""Secrets of apps and pods: shown by name, launched as references, never with a value."""

from typing import Any

import msgspec

from comity.core.ids import AgentId, TaskId
from comity.marathon import drafts, launching
from comity.policy.placement import Fit
from comity.wire.marathon.app_reads import NEW_APP
from comity.wire.marathon.apps import App
from comity.wire.mesos import v1
from comity.wire.mesos.base import Secret
from support.marathon_pods import container, created, group
from support.marathon_world import read

SECRETS = {"pin": {"source": "team/pin"}, "login": {"source": "team/login"}}
ENV = {"PIN": {"secret": "pin"}, "PLAIN": "x"}


def named(secret: Secret | None) -> tuple[str, str | None]:
    assert secret is not None
    assert secret.reference is not None
    assert secret.value is None
    return secret.type or "", secret.reference.name


def variables(command: v1.CommandInfo | None) -> dict[str, v1.Variable]:
    assert command is not None
    assert command.environment is not None
    return {one.name: one for one in command.environment.variables}


def check_variables(command: v1.CommandInfo | None) -> None:
    found = variables(command)
    assert (found["PIN"].type, found["PIN"].value) == ("SECRET", None)
    assert named(found["PIN"].secret) == ("REFERENCE", "team/pin")
    assert (found["PLAIN"].value, found["PLAIN"].secret) == ("x", None)


def check_file(container_info: v1.ContainerInfo | None, path: str) -> None:
    assert container_info is not None
    [volume] = container_info.volumes
    assert (volume.container_path, volume.host_path) == (path, None)
    assert volume.source is not None
    assert volume.source.type == "SECRET"
    assert named(volume.source.secret) == ("REFERENCE", "team/pin")


def app_of(**fields: Any) -> App:
    draft = {"id": "/a", "cmd": "sleep 100", "env": ENV, "secrets": SECRETS, **fields}
    return drafts.canonical(read(NEW_APP, draft))


def test_an_app_has_secrets_as_variables_and_as_files() -> None:
    box = {
        "type": "MESOS",
        "docker": {"image": "box"},
        "volumes": [{"containerPath": "etc/pin", "secret": "pin"}],
    }
    app = app_of(container=box)
    fit = Fit("*", {"cpus": app.cpus, "mem": app.mem}, ())
    task = launching.task_info(app, TaskId("t"), (AgentId("S1"), "host1"), fit)
    check_variables(task.command)
    check_file(task.container, "etc/pin")


def test_an_app_shows_secrets_as_they_were_given_and_takes_them_back() -> None:
    volume = {"containerPath": "etc/pin", "secret": "pin"}
    app = app_of(container={"type": "MESOS", "docker": {"image": "b"}, "volumes": [volume]})
    shown = msgspec.to_builtins(app)
    assert (shown["env"], shown["secrets"]) == (ENV, SECRETS)
    assert shown["container"]["volumes"] == (volume,)
    again = drafts.canonical(drafts.merged(app, {"instances": 2}))
    assert again == app.scaled(2)


def test_a_pod_has_secrets_as_variables_files_and_logins() -> None:
    image = {"kind": "DOCKER", "id": "r:5000/box", "pullConfig": {"secret": "login"}}
    mount = {"name": "v", "mountPath": "etc/pin"}
    world = created(
        environment={"PIN": {"secret": "pin"}},
        secrets=SECRETS,
        volumes=[{"name": "v", "secret": "pin"}],
        containers=[container("a", image=image, environment={"PLAIN": "x"}, volumeMounts=[mount])],
    )
    [task] = group(world).task_group.tasks
    check_variables(task.command)
    check_file(task.container, "etc/pin")
    assert task.container is not None
    assert task.container.mesos is not None
    assert task.container.mesos.image is not None
    assert task.container.mesos.image.docker is not None
    assert named(task.container.mesos.image.docker.config) == ("REFERENCE", "team/login")
    shown = msgspec.to_builtins(world.state.pods["/p"])
    assert shown["secrets"] == SECRETS
    assert shown["environment"] == {"PIN": {"secret": "pin"}}
    assert shown["volumes"] == ({"name": "v", "secret": "pin"},)
    assert shown["containers"][0]["image"]["pullConfig"] == {"secret": "login"}
