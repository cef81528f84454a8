"""Images before containers: pull policies, events and waits in the kubelet's words."""

import pytest

from comity.kube.node import inputs, outbox
from comity.kube.node.handlers.images import duration
from support.kube_node_rig import World, container, pod

IMAGE_ID = "nginx:1@sha256:feed"


@pytest.fixture
def world():
    return World()


def of_image(policy="IfNotPresent", **spec):
    return pod(containers=[container(image="nginx:1", imagePullPolicy=policy)], **spec)


def waiting(world):
    return world.status()["state"].get("waiting", {})


def fail(world, message="no such image"):
    [asked] = world.of(outbox.PullImage)[-1:]
    return world.put(inputs.PullFailed(asked.uid, asked.name, asked.container_id, message))


def test_a_pull_is_told_with_its_duration_and_size(world):
    world.hold(outbox.PullImage)
    world.assign(of_image())
    [asked] = world.of(outbox.PullImage)
    assert waiting(world) == {"reason": "ContainerCreating"}
    world.advance(1.25)
    world.put(world.pulled(asked, 2048))
    took = "1.25s (1.25s including waiting)"
    assert world.told() == [
        ("Pulling", 'Pulling image "nginx:1"'),
        ("Pulled", f'Successfully pulled image "nginx:1" in {took}. Image size: 2048 bytes.'),
        ("Created", "Created container: web"),
        ("Started", "Started container web"),
    ]
    assert world.status()["imageID"] == IMAGE_ID


def test_an_image_that_is_there_is_not_pulled(world):
    world.images["nginx:1"] = IMAGE_ID
    world.assign(of_image())
    assert not world.of(outbox.PullImage)
    assert world.told()[0] == (
        "Pulled",
        'Container image "nginx:1" already present on machine',
    )
    assert world.status()["imageID"] == IMAGE_ID


def test_always_asks_though_it_is_there(world):
    world.images["nginx:1"] = IMAGE_ID
    world.assign(of_image("Always"))
    assert world.reasons() == ["Pulling", "Pulled", "Created", "Started"]


def test_never_does_not_ask(world):
    world.assign(of_image("Never"))
    text = 'Container image "nginx:1" is not present with pull policy of Never'
    assert waiting(world) == {"reason": "ErrImageNeverPull", "message": text}
    assert world.told() == [
        ("ErrImageNeverPull", text),
        ("Failed", "Error: ErrImageNeverPull"),
    ]
    world.images["nginx:1"] = IMAGE_ID
    world.advance(10)
    assert world.live


def test_a_name_that_is_none(world):
    world.hold(outbox.FindImage)
    [asked] = world.of(outbox.FindImage, world.assign(of_image()))
    world.put(world.sought(asked, fault="it is none"))
    assert waiting(world)["reason"] == "InvalidImageName"
    assert world.reasons() == ["InspectFailed", "Failed"]


def test_what_cannot_be_pulled_waits_ever_longer(world):
    world.hold(outbox.PullImage)
    world.assign(of_image())
    fail(world, "no such image")
    assert waiting(world) == {"reason": "ErrImagePull", "message": "no such image"}
    world.advance(2)
    assert waiting(world) == {
        "reason": "ImagePullBackOff",
        "message": 'Back-off pulling image "nginx:1": ErrImagePull: no such image',
    }
    assert world.told() == [
        ("Pulling", 'Pulling image "nginx:1"'),
        ("Failed", 'Failed to pull image "nginx:1": no such image'),
        ("Failed", "Error: ErrImagePull"),
        ("BackOff", 'Back-off pulling image "nginx:1"'),
        ("Failed", "Error: ImagePullBackOff"),
    ]
    world.advance(7)
    assert len(world.of(outbox.PullImage)) == 1
    for wait in (1, 20, 40, 80, 160, 300, 300):
        world.advance(wait - 0.5)
        tries = len(world.of(outbox.PullImage))
        world.advance(0.5)
        assert len(world.of(outbox.PullImage)) == tries + 1
        assert waiting(world)["reason"] == "ImagePullBackOff"
        fail(world)
        assert waiting(world)["reason"] == "ErrImagePull"
    assert world.status()["restartCount"] == 0


def test_a_pull_that_works_at_last_starts_the_container(world):
    world.hold(outbox.PullImage)
    world.assign(of_image())
    fail(world)
    world.advance(10)
    world.put(world.pulled(world.of(outbox.PullImage)[-1]))
    assert world.status()["state"].get("running")
    assert world.stored["uid-web"]["phase"] == "Running"


def test_a_pod_that_is_deleted_does_not_wait_for_its_pull(world):
    world.hold(outbox.PullImage)
    given = of_image()
    world.assign(given)
    [asked] = world.of(outbox.PullImage)
    world.delete(given)
    assert not world.machine.state.pods
    assert "TASK_KILLED" in world.updates()
    world.put(world.pulled(asked))
    assert not world.of(outbox.LaunchContainer)


def test_an_image_that_went_before_the_launch_is_a_pull_that_failed(world):
    world.hold(outbox.LaunchContainer)
    [launch] = world.of(outbox.LaunchContainer, world.assign(of_image()))
    world.put(inputs.LaunchFailed("uid-web", "web", launch.container_id, "image: it went"))
    assert waiting(world) == {"reason": "ErrImagePull", "message": "it went"}


def test_stopping_is_told_once(world):
    given = pod()
    world.assign(given)
    world.delete(given)
    killing = [each for each in world.told() if each[0] == "Killing"]
    assert killing == [("Killing", "Stopping container web")]


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0s"), (0.0123, "12ms"), (1, "1s"), (1.5, "1.5s"), (61.25, "1m1.25s"), (3600, "1h0m0s")],
)
def test_durations_are_written_as_in_go(seconds, text):
    assert duration(seconds) == text
