"""Pods for tests of Marathon's machine."""

from typing import Any

from comity.marathon import views
from comity.marathon.state import Instance
from comity.wire.mesos import v1
from support.marathon_world import World, started


def container(name: str, **fields: Any) -> dict[str, Any]:
    own = {"exec": {"command": {"shell": "sleep 100"}}, "resources": {"cpus": 0.1, "mem": 32}}
    return {"name": name, **own, **fields}


POD: dict[str, Any] = {"id": "/p", "containers": [container("one"), container("two")]}


def created(instances: int = 1, agents: int = 2, **pod: Any) -> World:
    world = started(agents)
    scaling = {"kind": "fixed", "instances": instances}
    status, body = world.post_pod(**POD | {"scaling": scaling} | pod)
    assert status == 201, body
    world.settle()
    assert not world.state.deployments
    return world


def status(world: World, pod_id: str = "/p") -> dict[str, Any]:
    return views.pod_status(world.state, world.state.pods[pod_id], world.now)


def only(world: World) -> Instance:
    (found,) = world.tasks("/p")
    return found


def group(world: World) -> v1.LaunchGroup:
    (found,) = world.launched[-1].groups
    return found
