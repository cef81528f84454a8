"""All that Marathon knows: apps and pods, instances, deployments, the launch queue, readers.

Apps and pods share one space of ids and all that runs them (`Spec`): an instance is one task of an
app, or one for each container of a pod. Where it says `app_id` below, either is meant. Apps, pods,
versions, instances, deployments and last failures are durable (their keys are here too); health,
back-off and offer statistics start anew after a restart, as in Marathon.
"""

import random
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

import msgspec
from msgspec import Struct

from comity.core.ids import AgentId, TaskId
from comity.core.instants import Instant
from comity.marathon.config import Config
from comity.policy.placement import OfferedNode, Reason
from comity.policy.rollout import Action
from comity.wire.marathon.apps import App
from comity.wire.marathon.pods import Pod, Spec
from comity.wire.mesos import v1

Condition = Literal["Staging", "Starting", "Running", "Killing", "Unreachable"]

NEVER = Instant(0.0)
"""A time before all others."""

VERSIONS_MAX = 50
"""Versions kept per app, as Marathon's zk_max_versions."""


class Part(Struct, omit_defaults=True):
    """One container of a pod's instance, which is one task."""

    container: str
    """Its name in the pod."""
    state: str = "TASK_STAGING"
    """What Mesos said last."""
    since: Instant = NEVER
    """When it became that."""
    ports: tuple[int, ...] = ()
    """The host's ports of its endpoints that have any."""
    started_at: Instant | None = None
    healthy: bool | None = None
    """What its agent's health check has found; None when there is no result."""
    message: str = ""
    networks: tuple[tuple[str | None, tuple[str, ...]], ...] = ()
    """Names of networks, and its addresses there."""

    @property
    def has_ended(self) -> bool:
        """Whether its task is over."""
        state = v1.TaskState(self.state)
        return state.is_terminal or state is v1.TaskState.UNKNOWN


class Instance(Struct, omit_defaults=True):
    """One instance: an app's only task, or the tasks of a pod; gone once it has ended."""

    task_id: TaskId
    """Its key. A pod's instance goes by the task of its first container."""
    instance_id: str
    app_id: str
    version: str
    """The app's version at launch."""
    config_version: str
    """The app's version, at launch, that last changed more than the number of instances."""
    agent_id: AgentId
    host: str
    node: dict[str, str]
    """The node's values, as constraints see them."""
    ports: tuple[int, ...]
    staged_at: Instant
    role: str = "*"
    condition: Condition = "Staging"
    started_at: Instant | None = None
    unreachable_since: Instant | None = None
    addresses: tuple[str, ...] = ()
    leaving: bool = False
    """Whether it has been told to end and shall not count as one that the app has."""
    expunged: bool = False
    """Whether its agent has been lost for so long that it is replaced."""
    parts: dict[TaskId, Part] = msgspec.field(default_factory=dict)
    """The containers of a pod, in its order; an app has none."""
    since: Instant = NEVER
    """When a pod's instance came into its condition."""

    @property
    def live_tasks(self) -> tuple[TaskId, ...]:
        """The tasks that have not ended."""
        if not self.parts:
            return (self.task_id,)
        return tuple(task_id for task_id, one in self.parts.items() if not one.has_ended)

    @property
    def is_active(self) -> bool:
        """Whether it counts towards the number of instances that the app shall have."""
        return not self.leaving and not self.expunged


class Health(Struct):
    """What one health check has found about one instance."""

    alive: bool = False
    consecutive_failures: int = 0
    first_success: Instant | None = None
    last_success: Instant | None = None
    last_failure: Instant | None = None
    last_failure_cause: str | None = None
    probes: int = 0
    probing: bool = False


class Deployment(Struct, omit_defaults=True):
    """A running deployment: its plan, how far it is, and what would take it back."""

    id: str
    version: str
    steps: list[list[Action]]
    started_at: Instant
    current: int = 0
    """Index of the step under way."""
    originals: dict[str, App | None] = msgspec.field(default_factory=dict)
    """The apps that it changes as they were before; None where there was none."""
    targets: dict[str, App | None] = msgspec.field(default_factory=dict)
    """The same apps as they shall be."""
    original_pods: dict[str, Pod | None] = msgspec.field(default_factory=dict)
    """The pods that it changes, as `originals`."""

    @property
    def spec_ids(self) -> tuple[str, ...]:
        """The apps and pods that it changes."""
        return (*self.originals, *self.original_pods)

    def original_of(self, app_id: str) -> Spec | None:
        """Return what it changes as that was before."""
        return self.originals.get(app_id) or self.original_pods.get(app_id)

    def action_of(self, app_id: str) -> Action | None:
        """Return what the step under way does to an app."""
        if self.current >= len(self.steps):
            return None
        return next((one for one in self.steps[self.current] if one.app_id == app_id), None)

    def is_ahead(self, app_id: str) -> bool:
        """Whether a later step is the first that touches an app's instances."""
        return any(one.app_id == app_id for step in self.steps[self.current + 1 :] for one in step)


class TaskFailure(Struct, omit_defaults=True, rename="camel"):
    """Why a task of an app last failed (`types/task.raml`, TaskFailure)."""

    app_id: str
    host: str
    message: str
    state: str
    task_id: str
    timestamp: str
    version: str
    slave_id: str | None = None


class Termination(Struct, omit_defaults=True):
    """How an instance of a pod ended (`types/podStatus.raml`, TerminationHistory)."""

    instance_id: str
    started_at: Instant
    terminated_at: Instant
    message: str
    parts: dict[TaskId, Part] = msgspec.field(default_factory=dict)


@dataclass(slots=True)
class Attempts:
    """An app's place in the launch queue: its back-off, and what offers it has seen."""

    since: Instant
    delay_s: float = 0.0
    delayed_until: Instant = NEVER
    processed: int = 0
    unused: int = 0
    last_unused_at: Instant | None = None
    last_used_at: Instant | None = None
    reasons: dict[Reason, int] = field(default_factory=dict)
    last_reasons: dict[AgentId, tuple[Instant, Reason]] = field(default_factory=dict)
    inabilities: dict[AgentId, str] = field(default_factory=dict)
    """Why agents cannot run it at all, in their own words."""


@dataclass(slots=True)
class Held:
    """An offer being filled."""

    offer_id: str
    agent_id: AgentId
    host: str
    node: OfferedNode


@dataclass(slots=True)
class EventReader:
    """One client of the event stream."""

    peer: str
    types: frozenset[str]
    """Event types that it wants; empty for all."""


@dataclass(slots=True)
class State:
    """The machine's whole state."""

    config: Config
    rng: random.Random
    framework_id: str | None = None
    subscribed: bool = False
    master: str = ""
    reviving: bool = False
    """Whether the master has been asked for offers since the last SUPPRESS."""
    unheard: dict[TaskId, None] = field(default_factory=dict)
    """Tasks of which this subscription has said nothing yet."""
    reconciled_at: Instant = NEVER
    """When the master was last asked for all tasks."""
    repeats: int = 0
    """How often it has been asked again for those that it said nothing of."""
    settling: bool = False
    """Whether a look at `dirty` is already on its way."""
    last_version_ms: int = 0
    apps: dict[str, App] = field(default_factory=dict)
    versions: dict[str, dict[str, App]] = field(default_factory=dict)
    pods: dict[str, Pod] = field(default_factory=dict)
    pod_versions: dict[str, dict[str, Pod]] = field(default_factory=dict)
    terminations: dict[str, list[Termination]] = field(default_factory=dict)
    """How the last instances of a pod ended, newest first."""
    instances: dict[TaskId, Instance] = field(default_factory=dict)
    by_app: dict[str, dict[TaskId, Instance]] = field(default_factory=dict)
    by_part: dict[TaskId, Instance] = field(default_factory=dict)
    """The instance of each task of a pod."""
    healths: dict[TaskId, list[Health]] = field(default_factory=dict)
    deployments: dict[str, Deployment] = field(default_factory=dict)
    locks: dict[str, str] = field(default_factory=dict)
    """App id to the deployment that is changing it."""
    failures: dict[str, TaskFailure] = field(default_factory=dict)
    queue: dict[str, Attempts] = field(default_factory=dict)
    wanted: dict[str, int] = field(default_factory=dict)
    """Instances still to launch, by app; zero is left out."""
    dirty: dict[str, None] = field(default_factory=dict)
    """Apps to look at again: something about them has changed."""
    readers: dict[str, EventReader] = field(default_factory=dict)
    readers_opened: int = 0
    seen_values: dict[str, dict[str, None]] = field(default_factory=dict)
    """Distinct values of a node field that offers have shown; stands in for GROUP_BY's number."""

    def of_app(self, app_id: str) -> dict[TaskId, Instance]:
        """Return an app's instances by task id, oldest first."""
        return self.by_app.get(app_id, {})

    def spec(self, app_id: str) -> Spec | None:
        """Return the app or pod of an id."""
        return self.apps.get(app_id) or self.pods.get(app_id)

    def specs(self) -> dict[str, Spec]:
        """Return all apps and pods."""
        return {**self.apps, **self.pods}

    def instance_of(self, task_id: TaskId) -> Instance | None:
        """Return the instance that a task belongs to."""
        return self.by_part.get(task_id) or self.instances.get(task_id)

    def lock_of(self, app_id: str) -> Deployment | None:
        """Return the deployment that is changing an app."""
        deployment_id = self.locks.get(app_id)
        return self.deployments[deployment_id] if deployment_id is not None else None

    def spec_of(self, instance: Instance) -> Spec | None:
        """Return the definition that an instance was launched from, as far as it is still kept."""
        kept: Mapping[str, Mapping[str, Spec]]
        kept = self.pod_versions if instance.parts else self.versions
        known = kept.get(instance.app_id, {}).get(instance.version)
        return known or self.spec(instance.app_id)

    def add_instance(self, instance: Instance) -> None:
        """Index an instance."""
        self.instances[instance.task_id] = instance
        self.by_app.setdefault(instance.app_id, {})[instance.task_id] = instance
        self.by_part.update(dict.fromkeys(instance.parts, instance))

    def drop_instance(self, instance: Instance) -> None:
        """Forget an instance and what is known about it."""
        del self.instances[instance.task_id]
        siblings = self.by_app[instance.app_id]
        del siblings[instance.task_id]
        if not siblings:
            del self.by_app[instance.app_id]
        self.healths.pop(instance.task_id, None)
        for task_id in instance.parts:
            self.by_part.pop(task_id, None)


FRAMEWORK_KEY = "framework"

encode = msgspec.json.Encoder().encode
"""Values of the store are JSON, so that a person can read them."""


def app_key(app_id: str) -> str:
    """Return the store's key of an app."""
    return f"app{app_id}"


def version_key(app_id: str, version: str) -> str:
    """Return the store's key of an app's version; `:` cannot occur in an id."""
    return f"version{app_id}:{version}"


def pod_key(pod_id: str) -> str:
    """Return the store's key of a pod."""
    return f"pod{pod_id}"


def pod_version_key(pod_id: str, version: str) -> str:
    """Return the store's key of a pod's version."""
    return f"podversion{pod_id}:{version}"


def terminations_key(pod_id: str) -> str:
    """Return the store's key of how the last instances of a pod ended."""
    return f"terminations{pod_id}"


def instance_key(task_id: str) -> str:
    """Return the store's key of an instance."""
    return f"instance/{task_id}"


def deployment_key(deployment_id: str) -> str:
    """Return the store's key of a deployment."""
    return f"deployment/{deployment_id}"


def failure_key(app_id: str) -> str:
    """Return the store's key of an app's last failure."""
    return f"failure{app_id}"
