"""Everything that can happen to the scheduler."""

from typing import Any

from msgspec import Struct

from comity.wire.mesos import v1

Json = dict[str, Any]
Key = tuple[str, str]


class PodSeen(Struct, frozen=True):
    """A pod is new or has changed."""

    pod: Json


class PodGone(Struct, frozen=True):
    """A pod has been removed."""

    pod: Json


class NodeSeen(Struct, frozen=True):
    """A Node object is new or has changed."""

    node: Json


class NodeGone(Struct, frozen=True):
    """A Node object has been removed."""

    name: str


class SubscribedToMaster(Struct, frozen=True):
    """The framework is subscribed."""


class MasterLost(Struct, frozen=True):
    """The subscription broke; the offers held are void."""


class OffersCame(Struct, frozen=True):
    """Resources are offered."""

    offers: tuple[v1.Offer, ...]


class OfferRescinded(Struct, frozen=True):
    """An offer is void."""

    offer_id: str


class StatusCame(Struct, frozen=True):
    """A task's state was reported; it has been acknowledged already."""

    status: v1.TaskStatus


class AgentFailed(Struct, frozen=True):
    """An agent, or the executor on it, is gone."""

    agent_id: str
    executor_id: str | None = None


class PodBound(Struct, frozen=True):
    """A binding was made, or refused (`error`)."""

    uid: str
    node: str
    error: str = ""


class PlanDue(Struct, frozen=True):
    """Time to place what is pending; many changes lead to one round."""


class ReconcileDue(Struct, frozen=True):
    """Time to ask the master again for what it has said nothing of."""


class HoldOver(Struct, frozen=True):
    """Offers were held for long enough without a use."""


Input = (
    PodSeen
    | PodGone
    | NodeSeen
    | NodeGone
    | SubscribedToMaster
    | MasterLost
    | OffersCame
    | OfferRescinded
    | StatusCame
    | AgentFailed
    | PodBound
    | PlanDue
    | ReconcileDue
    | HoldOver
)
