"""Deployments: a change of one or more apps and pods becomes a plan, carried out step by step.

The new definitions hold from the moment the deployment is accepted; `settling` brings the instances
to them, action by action. An app belongs to at most one running deployment.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec
from msgspec import Struct

from comity.core.effects import Outbox, Write
from comity.core.instants import Instant
from comity.marathon import views
from comity.marathon.handlers.events import emit
from comity.marathon.handlers.touching import touch
from comity.marathon.state import (
    VERSIONS_MAX,
    Deployment,
    State,
    app_key,
    deployment_key,
    encode,
    failure_key,
    pod_key,
    pod_version_key,
    terminations_key,
    version_key,
)
from comity.policy.rollout import AppChange, plan_steps
from comity.policy.rollout.plans import has_cycle
from comity.wire.marathon import ids, timestamps
from comity.wire.marathon.apps import VersionInfo
from comity.wire.marathon.errors import invalid, locked, plain
from comity.wire.marathon.pods import Pod, Spec


class Wish(Struct, frozen=True):
    """What an app or a pod shall become."""

    spec: Spec | None
    """None: it shall be gone."""
    restart: bool = False
    """Replace its instances even when nothing in the definition differs."""
    kill: tuple[str, ...] = ()
    """Tasks to be among those that a scale-down ends."""


def deploy(
    state: State, wishes: Mapping[str, Wish], now: Instant, out: Outbox, *, force: bool
) -> Deployment:
    """Accept a change: plan it, store it, and start the plan.

    Raises:
        Refused: apps are locked by other deployments (409), there are too many (403), or the apps
            together break a rule (422). Nothing has changed then.
    """
    changing = {
        app_id: wish for app_id, wish in wishes.items() if _differs(state.spec(app_id), wish)
    }
    _check_together(state, changing)
    blocking = dict.fromkeys(state.locks[one] for one in changing if one in state.locks)
    if blocking and not force:
        raise locked(list(blocking))
    if len(state.deployments) - len(blocking) >= state.config.deployments_max:
        text = f"Max number ({state.config.deployments_max}) of running deployments reached"
        raise plain(403, f"{text}; wait for one to end, or cancel one")
    for deployment_id in blocking:
        cancel(state, state.deployments[deployment_id], now, out)
    return _start(state, changing, now, out)


def next_version(state: State, now: Instant) -> str:
    """Return a version that no app has had: versions only rise."""
    state.last_version_ms = max(int(now * 1000), state.last_version_ms + 1)
    return timestamps.render_ms(state.last_version_ms)


def cancel(state: State, deployment: Deployment, now: Instant, out: Outbox) -> None:
    """End a deployment where it is; its apps stay as they are declared."""
    _remove(state, deployment, now, out)
    plan = views.plan_json(deployment)
    emit(state, now, out, "deployment_failed", id=deployment.id, plan=plan, reason="cancelled")
    emit(
        state,
        now,
        out,
        "group_change_failed",
        groupId="/",
        version=deployment.version,
        reason="cancelled",
    )


def revert(state: State, deployment: Deployment, now: Instant, out: Outbox) -> Deployment:
    """Replace a deployment by one that takes its changes back."""
    wishes = {app_id: Wish(deployment.original_of(app_id)) for app_id in deployment.spec_ids}
    cancel(state, deployment, now, out)
    return deploy(state, wishes, now, out, force=True)


def step_succeeded(state: State, deployment: Deployment, now: Instant, out: Outbox) -> None:
    """Go on to the next step, or end the deployment."""
    plan = views.plan_json(deployment)
    step = views.step_json(deployment, deployment.steps[deployment.current])
    emit(state, now, out, "deployment_step_success", plan=plan, currentStep=step)
    deployment.current += 1
    if deployment.current < len(deployment.steps):
        out.writes.append(Write(deployment_key(deployment.id), encode(deployment)))
        _announce(state, deployment, now, out)
        for action in deployment.steps[deployment.current]:
            touch(state, action.app_id, now, out)
        return
    _remove(state, deployment, now, out)
    _succeeded(state, deployment, now, out)


def _start(state: State, changing: Mapping[str, Wish], now: Instant, out: Outbox) -> Deployment:
    version = next_version(state, now)
    deployment = Deployment(
        id=ids.uuid_text(state.rng.getrandbits(128)), version=version, steps=[], started_at=now
    )
    changes: list[AppChange] = []
    for app_id, wish in changing.items():
        target, change = _versioned(state, app_id, wish, version)
        changes.append(change)
        _note(deployment, app_id, state.spec(app_id), target)
        _store(state, app_id, target, out)
    deployment.steps = plan_steps(changes)
    emit(state, now, out, "group_change_success", groupId="/", version=version)
    if not deployment.steps:
        _succeeded(state, deployment, now, out)
        return deployment
    state.deployments[deployment.id] = deployment
    out.writes.append(Write(deployment_key(deployment.id), encode(deployment)))
    for app_id in changing:
        state.locks[app_id] = deployment.id
        touch(state, app_id, now, out)
    _announce(state, deployment, now, out)
    return deployment


def _note(deployment: Deployment, app_id: str, before: Spec | None, after: Spec | None) -> None:
    """Keep in the deployment what would take one change of it back."""
    if isinstance(before, Pod) or isinstance(after, Pod):
        deployment.original_pods[app_id] = before if isinstance(before, Pod) else None
    else:
        deployment.originals[app_id] = before
        deployment.targets[app_id] = after


def _versioned(
    state: State, app_id: str, wish: Wish, version: str
) -> tuple[Spec | None, AppChange]:
    """Return the app or pod under its new version, and how it differs from the present one."""
    before = state.spec(app_id)
    count = None if before is None else before.instances
    if before is None and any(one.is_active for one in state.of_app(app_id).values()):
        count = 0  # an app of this id was removed a moment ago; what is left of it is replaced
    if wish.spec is None:
        return None, AppChange(app_id, count, None)
    outdated = wish.restart or before is None or _config(before) != _config(wish.spec)
    if before is None or outdated:
        info = VersionInfo(last_scaling_at=version, last_config_change_at=version)
    else:
        info = VersionInfo(last_scaling_at=version, last_config_change_at=before.config_version)
        outdated = _has_outdated(state, before)
    target = msgspec.structs.replace(wish.spec, version=version, version_info=info)
    change = AppChange(
        app_id,
        count,
        target.instances,
        config_changed=outdated,
        dependencies=target.dependencies,
        kill=wish.kill,
    )
    return target, change


def _has_outdated(state: State, app: Spec) -> bool:
    """Whether a cancelled restart has left instances of an older definition."""
    return any(
        one.is_active and one.config_version != app.config_version
        for one in state.of_app(app.id).values()
    )


def _config(spec: Spec) -> Spec:
    """Return what of a definition calls for new instances when it changes."""
    return msgspec.structs.replace(spec.scaled(0), version="", version_info=None)


def _differs(before: Spec | None, wish: Wish) -> bool:
    if before is None or wish.spec is None:
        return before is not wish.spec
    if wish.restart or wish.kill:
        return True
    return before.instances != wish.spec.instances or _config(before) != _config(wish.spec)


def _check_together(state: State, changing: Mapping[str, Wish]) -> None:
    """Check the rules that concern more than one app or pod."""
    present = state.specs()
    after = dict(present)
    for app_id, wish in changing.items():
        kinds = {type(one) for one in (present.get(app_id), wish.spec) if one is not None}
        if len(kinds) > 1:
            text = f"Applications and Pods may not share the same id: {app_id}"
            raise invalid({"/": [text]})
    for app_id, wish in changing.items():
        if wish.spec is None:
            after.pop(app_id, None)
        else:
            after[app_id] = wish.spec
    fresh = [app_id for app_id in changing if app_id not in present and app_id in after]
    if fresh:
        _check_names(fresh, after)
    if any(wish.spec is not None and wish.spec.dependencies for wish in changing.values()):
        graph = {app_id: app.dependencies for app_id, app in after.items() if app.dependencies}
        if has_cycle(graph):
            raise invalid({"/dependencies": ["Dependency graph has cyclic dependencies."]})


def _check_names(fresh: Sequence[str], after: Mapping[str, Spec]) -> None:
    groups: set[str] = set()
    for app_id in after:
        group = ids.parent(app_id)
        while group != "/" and group not in groups:
            groups.add(group)
            group = ids.parent(group)
    for app_id in fresh:
        parent = ids.parent(app_id)
        above = [one for one in groups if one == parent or parent.startswith(one + "/")]
        if app_id in groups or any(one in after for one in above):
            kind = "Pods" if isinstance(after[app_id], Pod) else "Applications"
            text = f"Groups and {kind} may not have the same identifier. {app_id} conflicts"
            raise invalid({"/": [text]})


def _store(state: State, app_id: str, target: Spec | None, out: Outbox) -> None:
    state.queue.pop(app_id, None)  # a change starts its back-off anew
    state.wanted.pop(app_id, None)  # what it wants now is counted at the next look
    if target is None:
        _drop(state, app_id, out)
    elif isinstance(target, Pod):
        state.pods[app_id] = target
        versions = state.pod_versions.setdefault(app_id, {})
        versions[target.version] = target
        out.writes.append(Write(pod_key(app_id), encode(target)))
        out.writes.append(Write(pod_version_key(app_id, target.version), encode(target)))
        out.writes.extend(Write(pod_version_key(app_id, one), None) for one in _surplus(versions))
    else:
        state.apps[app_id] = target
        kept = state.versions.setdefault(app_id, {})
        kept[target.version] = target
        out.writes.append(Write(app_key(app_id), encode(target)))
        out.writes.append(Write(version_key(app_id, target.version), encode(target)))
        out.writes.extend(Write(version_key(app_id, one), None) for one in _surplus(kept))


def _drop(state: State, app_id: str, out: Outbox) -> None:
    """Forget an app or a pod, with its versions and what is known of its failures."""
    gone = [version_key(app_id, one) for one in state.versions.pop(app_id, {})]
    gone += [pod_version_key(app_id, one) for one in state.pod_versions.pop(app_id, {})]
    gone.append(failure_key(app_id))
    if state.pods.pop(app_id, None) is not None:
        gone += [pod_key(app_id), terminations_key(app_id)]
    else:
        del state.apps[app_id]
        gone.append(app_key(app_id))
    state.failures.pop(app_id, None)
    state.terminations.pop(app_id, None)
    out.writes.extend(Write(key, None) for key in gone)


def _surplus(versions: dict[str, Any]) -> Iterator[str]:
    """Take the oldest versions out, past those that are kept."""
    while len(versions) > VERSIONS_MAX:
        oldest = next(iter(versions))
        del versions[oldest]
        yield oldest


def _remove(state: State, deployment: Deployment, now: Instant, out: Outbox) -> None:
    del state.deployments[deployment.id]
    out.writes.append(Write(deployment_key(deployment.id), None))
    for app_id in deployment.spec_ids:
        state.locks.pop(app_id, None)
        touch(state, app_id, now, out)


def _announce(state: State, deployment: Deployment, now: Instant, out: Outbox) -> None:
    step = views.step_json(deployment, deployment.steps[deployment.current])
    emit(state, now, out, "deployment_info", plan=views.plan_json(deployment), currentStep=step)


def _succeeded(state: State, deployment: Deployment, now: Instant, out: Outbox) -> None:
    plan = views.plan_json(deployment)
    emit(state, now, out, "deployment_success", id=deployment.id, plan=plan)
