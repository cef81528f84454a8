"""The machine: inputs in, effects out; and how its state comes back from the store."""

import random
from collections.abc import Iterable

import msgspec

from comity.core.effects import Outbox
from comity.core.errors import InvariantViolated
from comity.core.instants import Instant
from comity.marathon.config import Config
from comity.marathon.handlers import (
    apps,
    deploying,
    events,
    health,
    killing,
    leading,
    losing,
    offers,
    pods,
    reconciling,
    settling,
    starting,
    statuses,
    table,
    tasks,
)
from comity.marathon.inputs import Input
from comity.marathon.state import (
    FRAMEWORK_KEY,
    Deployment,
    Instance,
    State,
    TaskFailure,
    Termination,
)
from comity.wire.marathon import timestamps
from comity.wire.marathon.apps import App
from comity.wire.marathon.pods import Pod

__all__ = ["Machine", "load", "noun_modules"]

noun_modules = (
    apps,
    deploying,
    events,
    health,
    killing,
    leading,
    losing,
    offers,
    pods,
    reconciling,
    settling,
    starting,
    statuses,
    tasks,
)
"""The modules whose import fills the table."""

_APP = msgspec.json.Decoder(App)
_POD = msgspec.json.Decoder(Pod)
_TERMINATIONS = msgspec.json.Decoder(list[Termination])
_INSTANCE = msgspec.json.Decoder(Instance)
_DEPLOYMENT = msgspec.json.Decoder(Deployment)
_FAILURE = msgspec.json.Decoder(TaskFailure)

Pairs = Iterable[tuple[str, bytes]]


class Machine:
    """One Marathon."""

    def __init__(self, state: State) -> None:
        self.state = state

    def step(self, item: Input, now: Instant, out: Outbox) -> None:
        """Handle one input."""
        table.step(self.state, item, now, out)

    def check_invariants(self) -> None:
        """Raise when indexes and what they index disagree; tests call it after every step."""
        state = self.state
        indexed = {key: one for group in state.by_app.values() for key, one in group.items()}
        if indexed != state.instances:
            raise InvariantViolated("by_app and instances disagree")
        if set(state.apps) & set(state.pods):
            raise InvariantViolated("an app and a pod have one id")
        parts = {task_id: one for one in state.instances.values() for task_id in one.parts}
        if parts != state.by_part:
            raise InvariantViolated("by_part and instances disagree")
        for app_id, deployment_id in state.locks.items():
            if app_id not in state.deployments[deployment_id].spec_ids:
                raise InvariantViolated(f"{app_id} is locked by a deployment not about it")
        if any(count <= 0 for count in state.wanted.values()):
            raise InvariantViolated("an app that wants nothing is queued")
        for app_id in state.wanted:
            if app_id not in state.queue:
                raise InvariantViolated(f"{app_id} waits without a place in the queue")


def load(pairs: Pairs, config: Config, rng: random.Random) -> State:
    """Return the state that a store's pairs hold."""
    state = State(config=config, rng=rng)
    for key, value in sorted(pairs):
        _load_pair(state, key, value)
    loaded = sorted(state.instances.values(), key=lambda one: (one.staged_at, one.task_id))
    state.instances, state.by_app, state.by_part = {}, {}, {}
    for instance in loaded:  # oldest first, as CLUSTER and kill orders expect
        state.add_instance(instance)
    for app in state.apps.values():
        state.versions.setdefault(app.id, {}).setdefault(app.version, app)
        state.last_version_ms = max(state.last_version_ms, timestamps.parse_ms(app.version))
    for pod in state.pods.values():
        state.last_version_ms = max(state.last_version_ms, timestamps.parse_ms(pod.version))
    for deployment in state.deployments.values():
        state.last_version_ms = max(state.last_version_ms, timestamps.parse_ms(deployment.version))
        for app_id in deployment.spec_ids:
            state.locks[app_id] = deployment.id
    return state


def _load_pair(state: State, key: str, value: bytes) -> None:
    kind, _, rest = key.partition("/")
    if key == FRAMEWORK_KEY:
        state.framework_id = value.decode()
    elif kind == "app":
        app = _APP.decode(value)
        state.apps[app.id] = app
    elif kind == "version":
        app = _APP.decode(value)
        state.versions.setdefault(app.id, {})[app.version] = app
    elif kind == "pod":
        pod = _POD.decode(value)
        state.pods[pod.id] = pod
    elif kind == "podversion":
        pod = _POD.decode(value)
        state.pod_versions.setdefault(pod.id, {})[pod.version] = pod
    elif kind == "terminations":
        state.terminations[f"/{rest}"] = _TERMINATIONS.decode(value)
    elif kind == "instance":
        state.add_instance(_INSTANCE.decode(value))
    elif kind == "deployment":
        deployment = _DEPLOYMENT.decode(value)
        state.deployments[deployment.id] = deployment
    elif kind == "failure":
        failure = _FAILURE.decode(value)
        state.failures[failure.app_id] = failure
    else:
        raise InvariantViolated(f"unknown key in the store: {rest or key}")
