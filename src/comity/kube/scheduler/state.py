"""What the scheduler knows: pods that wait, pods placed, nodes and the offers behind them."""

from dataclasses import dataclass, field
from random import Random
from typing import Any

from msgspec import Struct

from comity.core.instants import Instant
from comity.resources.amounts import NOTHING, Resources
from comity.wire.mesos import v1

Json = dict[str, Any]
Key = tuple[str, str]

NEVER = Instant(float("-inf"))
EXECUTOR_ID = "kubernetes-node"
AGENT_ANNOTATION = "comity.io/agent-id"
PORT_ANNOTATION = "comity.io/kubelet-port"
ATTRIBUTE_LABEL = "node.comity.io/attribute-"


class Settings(Struct, frozen=True, kw_only=True):
    """What the scheduler is told at its start."""

    role: str
    """The role whose resources pods use."""
    executor_command: str
    """How agents start the node executor."""
    executor_data: bytes
    """What the node executor must know to reach the API; the only place of its token."""
    executor_cpus: float = 0.1
    executor_mem: float = 64.0
    hold_s: float = 3.0
    """Seconds for which offers are held while no pod fits."""


@dataclass(slots=True)
class Node:
    """An agent as a node."""

    name: str
    obj: Json | None = None
    """The Node object, once it has been seen."""
    offers: dict[str, v1.Offer] = field(default_factory=dict)
    free: Resources = NOTHING
    """What is left of the offers after what is being bound."""
    kubelet_port: int = 0
    has_executor: bool = False
    launches: list[v1.TaskInfo] = field(default_factory=list)
    binding: set[str] = field(default_factory=set)
    pods: int = 0

    @property
    def agent_id(self) -> str:
        """Return the agent's id, from its offers or its Node object."""
        for offer in self.offers.values():
            return offer.agent_id.value
        return annotation(self.obj, AGENT_ANNOTATION)


def annotation(obj: Json | None, name: str) -> str:
    """Return an annotation of an object, empty when it has none."""
    metadata = obj["metadata"] if obj is not None else {}
    return str((metadata.get("annotations") or {}).get(name, ""))


@dataclass(slots=True)
class State:
    """The whole of a scheduler."""

    settings: Settings
    rng: Random
    pods: dict[str, Json] = field(default_factory=dict)
    """Every pod by uid."""
    pending: dict[str, Instant] = field(default_factory=dict)
    """Pods to be placed, and since when, by uid, oldest first."""
    binding: dict[str, str] = field(default_factory=dict)
    """Node by uid of pods whose binding is under way."""
    nodes: dict[str, Node] = field(default_factory=dict)
    is_subscribed: bool = False
    is_suppressed: bool = True
    is_plan_set: bool = False
    is_hold_set: bool = False
    unheard: dict[str, None] = field(default_factory=dict)
    """Bound pods of whose tasks this subscription has said nothing yet, by uid."""
    heard: set[str] = field(default_factory=set)
    """Those of whose tasks it has."""
    launched_at: dict[str, Instant] = field(default_factory=dict)
    """When pods were launched of which nothing but that is known."""
    reconciled_at: Instant = NEVER
    """When the master was last asked for all tasks."""
    reconcile_at: Instant = NEVER
    """When it is asked again."""
    repeats: int = 0
    """How often it has been asked again for those that it said nothing of."""
    lost: set[str] = field(default_factory=set)
    """Bound pods whose launch was lost: they wait in `pending` for their node's next offer."""
    relaunched: dict[str, bytes | None] = field(default_factory=dict)
    """Pods launched again because a status said so, and the status's uuid: never twice."""
    over: set[str] = field(default_factory=set)
    """Pods whose tasks are over by the word of others: their nodes will not remove them."""
    told: dict[str, str] = field(default_factory=dict)
    """What pods were last told about why they wait."""


def task_id_of(pod: Json) -> str:
    """Return the id of a pod's task."""
    metadata = pod["metadata"]
    prefix = f"{metadata['namespace']}.{metadata['name']}"[:200]
    return f"{prefix}.{metadata['uid']}"


def uid_of_task(task_id: str) -> str:
    """Return the uid of a task's pod."""
    return task_id.rpartition(".")[2]
