"""Offers come and go; every agent that offers something becomes a node."""

from comity.core.effects import Outbox
from comity.core.instants import Instant
from comity.kube.scheduler.handlers import reconciling, table
from comity.kube.scheduler.handlers.placing import want_plan
from comity.kube.scheduler.inputs import (
    AgentFailed,
    MasterLost,
    OfferRescinded,
    OffersCame,
    SubscribedToMaster,
)
from comity.kube.scheduler.outbox import CallMaster, EnsureNode, MarkNode
from comity.kube.scheduler.state import (
    AGENT_ANNOTATION,
    EXECUTOR_ID,
    PORT_ANNOTATION,
    Node,
    State,
    annotation,
)
from comity.policy.placement import windows
from comity.resources import ranges
from comity.resources.amounts import Resources
from comity.wire.mesos import resources, v1

AWAY_REFUSE_S = 30.0
"""How long offers of a machine that is being maintained are refused: pods go elsewhere."""


@table.on(SubscribedToMaster)
def on_subscribed(state: State, item: SubscribedToMaster, now: Instant, out: Outbox) -> None:
    """Ask what became of the pods' tasks; then offers may come."""
    state.is_subscribed = True
    # A new subscription is not suppressed, so that agents become nodes by their offers.
    state.is_suppressed = False
    reconciling.begin(state, now, out)


@table.on(MasterLost)
def on_master_lost(state: State, item: MasterLost, now: Instant, out: Outbox) -> None:
    """Offers held are void; what was bound on them waits for others of its node."""
    state.is_subscribed = False
    for node in state.nodes.values():
        node.offers.clear()
        node.free = Resources()


@table.on(OffersCame)
def on_offers_came(state: State, item: OffersCame, now: Instant, out: Outbox) -> None:
    """Hold offers for the plan; make a node of an agent that is new."""
    for offer in item.offers:
        name = offer.hostname
        node = state.nodes.setdefault(name, Node(name))
        offered = resources.read(offer.resources)
        if node.binding:
            # Its launches go with the offers they were planned on; this one comes again.
            call = CallMaster("decline", offers=(offer,), refuse_s=1.0)
            out.launches.append(call)
            continue
        if windows.is_away(offer, now):
            _ensure(state, node, offer, offered, out)
            call = CallMaster("decline", offers=(offer,), refuse_s=AWAY_REFUSE_S)
            out.launches.append(call)
            continue
        node.offers[offer.id.value] = offer
        node.free = node.free + offered
        node.has_executor = any(one.value == EXECUTOR_ID for one in offer.executor_ids)
        _ensure(state, node, offer, offered, out)
    want_plan(state, now, out)


def _ensure(state: State, node: Node, offer: v1.Offer, offered: Resources, out: Outbox) -> None:
    """Keep the Node object true to its agent, and choose the executor's port."""
    held = annotation(node.obj, PORT_ANNOTATION)
    port = int(held) if held.isdigit() else node.kubelet_port
    free = offered.ranges_of("ports")
    if not node.has_executor and not ranges.contains(free, ((port, port),)):
        port = _draw_port(state, free)
    is_same = port == node.kubelet_port and port == (int(held) if held.isdigit() else 0)
    node.kubelet_port = port
    same_agent = annotation(node.obj, AGENT_ANNOTATION) == offer.agent_id.value
    if not is_same or not same_agent or not _is_ready(node):
        out.launches.append(EnsureNode(offer, port))


def _draw_port(state: State, free: ranges.Ranges) -> int:
    """Return a port of the widest range, 0 when there is none."""
    if not free:
        return 0
    begin, end = max(free, key=lambda pair: pair[1] - pair[0])
    return state.rng.randint(begin, end)


def _is_ready(node: Node) -> bool:
    conditions = ((node.obj or {}).get("status") or {}).get("conditions") or ()
    return any(each["type"] == "Ready" and each["status"] == "True" for each in conditions)


@table.on(OfferRescinded)
def on_offer_rescinded(state: State, item: OfferRescinded, now: Instant, out: Outbox) -> None:
    """Forget an offer; what was planned on it waits for the node's next."""
    for node in state.nodes.values():
        offer = node.offers.pop(item.offer_id, None)
        if offer is not None:
            node.free = node.free.minus_what_there_is(resources.read(offer.resources))


@table.on(AgentFailed)
def on_agent_failed(state: State, item: AgentFailed, now: Instant, out: Outbox) -> None:
    """An executor that is gone is started again with the next pod; a lost agent is not ready."""
    for node in state.nodes.values():
        if node.agent_id != item.agent_id:
            continue
        node.has_executor = False
        if item.executor_id is None:
            text = "the Mesos master lost the agent"
            out.launches.append(MarkNode(node.name, is_ready=False, message=text))
