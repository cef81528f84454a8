"""Images before containers: sought, pulled or not, by the pull policy; told as a kubelet tells it.

The words of reasons, messages and events are the kubelet's (pkg/kubelet/images), because people
and programs look for them.
"""

from comity.core.effects import Outbox
from comity.core.instants import Instant
from comity.kube.node import backoffs, events, launches, lifecycle
from comity.kube.node.environment import ConfigError
from comity.kube.node.handlers import finding, table
from comity.kube.node.inputs import ImagePulled, ImageSought, PullFailed
from comity.kube.node.outbox import PullImage
from comity.kube.node.state import NEVER, Container, Pod, Stage, State

_ERR_PULL = "ErrImagePull"
_SAID_S = 2.0
"""How long the error is shown before the wait for the next try is."""


def _is_pulling(container: Container | None) -> bool:
    return container is not None and container.stage is Stage.PULLING


@table.on(ImageSought)
def on_image_sought(state: State, item: ImageSought, now: Instant, out: Outbox) -> None:
    """Launch, pull or refuse, by the policy."""
    pod, container = finding.incarnation(state, item.uid, item.name, item.container_id)
    if pod is None or container is None or not _is_pulling(container):
        return
    image = container.spec.get("image") or ""
    policy = container.spec.get("imagePullPolicy")
    quoted = f'"{image}"'
    if item.fault:
        why = f"couldn't parse image name {quoted}: {item.fault}"
        told = ("InspectFailed", f"Failed to apply default image tag {quoted}: {why}")
        _refuse(pod, container, "InvalidImageName", told, now, out)
    elif item.image_id and policy != "Always":
        container.image_id = item.image_id
        _tell(
            pod, container, ("Pulled", f"Container image {quoted} already present on machine"), out
        )
        lifecycle.launch(state, pod, container, now, out)
    elif policy == "Never":
        told = (
            "ErrImageNeverPull",
            f"Container image {quoted} is not present with pull policy of Never",
        )
        _refuse(pod, container, "ErrImageNeverPull", told, now, out)
    else:
        _pull(pod, container, now, out)
    lifecycle.advance(state, pod, now, out)


def _pull(pod: Pod, container: Container, now: Instant, out: Outbox) -> None:
    image = str(container.spec.get("image") or "")
    try:
        login = launches.login_of(pod).decode()
    except ConfigError as error:
        lifecycle.wait_for_config(pod, container, str(error), now, out)
        return
    container.pull_began_at = now
    _tell(pod, container, ("Pulling", f'Pulling image "{image}"'), out)
    out.launches.append(
        PullImage(
            uid=pod.uid,
            name=container.name,
            container_id=container.launching_id,
            image=image,
            login=login,
        )
    )


@table.on(ImagePulled)
def on_image_pulled(state: State, item: ImagePulled, now: Instant, out: Outbox) -> None:
    """Say how long it took, and launch."""
    pod, container = finding.incarnation(state, item.uid, item.name, item.container_id)
    if pod is None or container is None or not _is_pulling(container):
        return
    took = duration(now - container.pull_began_at)
    container.image_id = item.image_id
    container.waiting_reason = container.waiting_message = ""
    text = (
        f'Successfully pulled image "{container.spec.get("image")}" in {took} '
        f"({took} including waiting). Image size: {item.size_bytes} bytes."
    )
    _tell(pod, container, ("Pulled", text), out)
    lifecycle.launch(state, pod, container, now, out)
    lifecycle.advance(state, pod, now, out)


@table.on(PullFailed)
def on_pull_failed(state: State, item: PullFailed, now: Instant, out: Outbox) -> None:
    """Wait, and try again."""
    pod, container = finding.incarnation(state, item.uid, item.name, item.container_id)
    if pod is None or container is None or not _is_pulling(container):
        return
    failed(pod, container, item.message, now, out)
    lifecycle.advance(state, pod, now, out)


def failed(pod: Pod, container: Container, message: str, now: Instant, out: Outbox) -> None:
    """Say that an image cannot be had: at first as an error, then as a wait for another try."""
    text = f'Failed to pull image "{container.spec.get("image")}": {message}'
    _refuse(pod, container, _ERR_PULL, ("Failed", text), now, out, message=message)
    lifecycle.retry_later(pod, container, Instant(now + _SAID_S), out)


def back_off(pod: Pod, container: Container, now: Instant, out: Outbox) -> None:
    """Show a container whose pull failed a while ago as one that waits for the next try."""
    if container.waiting_reason != _ERR_PULL or container.is_live or now >= container.pull.until:
        return
    text = f'Back-off pulling image "{container.spec.get("image")}"'
    container.waiting_reason = "ImagePullBackOff"
    container.waiting_message = f"{text}: {_ERR_PULL}: {container.waiting_message}"
    _tell(pod, container, ("BackOff", text), out)
    _tell(pod, container, ("Failed", "Error: ImagePullBackOff"), out, kind="Warning")
    lifecycle.retry_later(pod, container, container.pull.until, out)


def _refuse(
    pod: Pod,
    container: Container,
    reason: str,
    told: tuple[str, str],
    now: Instant,
    out: Outbox,
    *,
    message: str = "",
) -> None:
    container.stage = Stage.IDLE
    container.launching_id = ""
    container.kill_at = NEVER
    container.waiting_reason = reason
    container.waiting_message = message or told[1]
    _tell(pod, container, told, out, kind="Warning")
    _tell(pod, container, ("Failed", f"Error: {reason}"), out, kind="Warning")
    until = backoffs.after_failure(container.pull, now)
    lifecycle.retry_later(pod, container, until, out)


def _tell(
    pod: Pod, container: Container, what: tuple[str, str], out: Outbox, kind: str = "Normal"
) -> None:
    events.record(pod, what[0], what[1], out, container=container, kind=kind)


def duration(seconds: float) -> str:
    """Write a duration as Go does, to the millisecond."""
    whole = max(0, round(seconds * 1000))
    if whole < 1000:
        return f"{whole}ms" if whole else "0s"
    minutes, rest = divmod(whole, 60_000)
    text = f"{rest / 1000:.3f}".rstrip("0").rstrip(".") + "s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours}h{minutes}m{text}" if hours else f"{minutes}m{text}" if minutes else text
