"""What the scheduler's machine asks of its shell."""

from typing import Any

from msgspec import Struct

from comity.wire.mesos import v1

Json = dict[str, Any]
Key = tuple[str, str]


class CallMaster(Struct, frozen=True):
    """Make a call: accept, decline, revive, suppress, kill or reconcile."""

    name: str
    offers: tuple[v1.Offer, ...] = ()
    tasks: tuple[v1.TaskInfo, ...] = ()
    refuse_s: float = 5.0
    task_ids: tuple[tuple[str, str], ...] = ()
    """(task id, agent id) pairs for reconcile and kill."""


class EnsureNode(Struct, frozen=True):
    """Create or complete the Node of an agent."""

    offer: v1.Offer
    kubelet_port: int


class BindPod(Struct, frozen=True):
    """Bind a pod; ends in PodBound."""

    key: Key
    uid: str
    node: str


class MarkUnschedulable(Struct, frozen=True):
    """Say on the pod, and as an event, why it waits."""

    pod: Json
    message: str


class RecordScheduled(Struct, frozen=True):
    """Say as an event where a pod went."""

    pod: Json
    node: str


class FailPod(Struct, frozen=True):
    """Make a pod Failed, because its task is over and nobody else says so."""

    key: Key
    uid: str
    reason: str
    message: str


class RemovePod(Struct, frozen=True):
    """Complete a pod's deletion, because its node cannot any more."""

    key: Key
    uid: str


class MarkNode(Struct, frozen=True):
    """Say that a node's agent is gone, or back."""

    name: str
    is_ready: bool
    message: str
