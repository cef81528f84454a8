"""Placing: pending pods meet offers; a pod is bound first, then its task is launched.

A pod whose launch was lost, with its offer or with a master, is bound and waits for its node's next
offer: a binding cannot be taken back.

Several pods go with one ACCEPT. While a node's bindings are under way its offers are held; when the
last has been answered, everything bound is launched at once. When nothing is pending the framework
asks for no offers.
"""

from comity.core.effects import Outbox, SetTimer
from comity.core.instants import Instant
from comity.kube.scheduler import fitting, pods, tasks
from comity.kube.scheduler.handlers import reconciling, table
from comity.kube.scheduler.inputs import HoldOver, Json, PlanDue, PodBound
from comity.kube.scheduler.outbox import (
    BindPod,
    CallMaster,
    FailPod,
    MarkUnschedulable,
    RecordScheduled,
)
from comity.kube.scheduler.state import Node, State, uid_of_task
from comity.resources.amounts import Resources

DECLINE_BUSY_S = 2.0
DECLINE_IDLE_S = 3600.0
BIND_AGAIN_S = 1.0


def want_plan(state: State, now: Instant, out: Outbox) -> None:
    """Plan soon; what arrives together is planned together."""
    if not state.is_plan_set:
        state.is_plan_set = True
        out.timers.append(SetTimer(PlanDue(), now))


@table.on(PlanDue)
def on_plan_due(state: State, item: PlanDue, now: Instant, out: Outbox) -> None:
    """Place every pod that fits somewhere; ask for offers, or for none."""
    state.is_plan_set = False
    if not state.is_subscribed:
        return
    if not state.pending:
        _rest(state, out)
        return
    if state.is_suppressed:
        state.is_suppressed = False
        out.launches.append(CallMaster("revive"))
    settings = state.settings
    for uid in list(state.pending):
        nodes = [
            (node, fitting.executor_needs(node, settings.executor_cpus, settings.executor_mem))
            for node in state.nodes.values()
        ]
        _place(state, uid, nodes, now, out)
    for node in state.nodes.values():
        if node.launches and not node.binding:
            _launch(state, node, now, out)
    is_holding = any(node.offers for node in state.nodes.values())
    if state.pending and is_holding and not state.is_hold_set:
        state.is_hold_set = True
        out.timers.append(SetTimer(HoldOver(), Instant(now + settings.hold_s)))
    elif not state.pending:
        _rest(state, out)


def _place(
    state: State, uid: str, nodes: list[tuple[Node, Resources]], now: Instant, out: Outbox
) -> None:
    pod = state.pods[uid]
    metadata = pod["metadata"]
    key = (metadata["namespace"], metadata["name"])
    try:
        demand = pods.demand_of(pod)
    except ValueError as error:
        del state.pending[uid]
        out.launches.append(FailPod(key, uid, "InvalidRequests", str(error)))
        return
    node, sentence = fitting.choose(pod, demand, nodes)
    if node is None and uid in state.lost:
        _wait(state, pod, demand, now, out)
        return
    if node is None:
        _tell(state, pod, sentence, now, out)
        return
    extra = dict((each.name, needs) for each, needs in nodes)[node.name]
    del state.pending[uid]
    state.told.pop(uid, None)
    node.free = node.free - demand.resources
    if extra:
        node.free = node.free - extra
        node.has_executor = True
    node.launches.append(tasks.task_of(pod, demand, node, state.settings))
    if uid in state.lost:
        state.lost.discard(uid)
        state.over.discard(uid)
        return
    node.binding.add(uid)
    state.binding[uid] = node.name
    out.launches.append(BindPod(key, uid, node.name))


def _wait(state: State, pod: Json, demand: pods.Demand, now: Instant, out: Outbox) -> None:
    """Wait for the node of a pod that is bound; fail it, as a kubelet does, when that is full."""
    uid = pod["metadata"]["uid"]
    due = Instant(state.pending[uid] + state.settings.hold_s)
    node = state.nodes.get(pods.node_of(pod))
    if node is None or not node.offers:
        return
    if now < due:
        out.timers.append(SetTimer(PlanDue(), due))
        return
    settings = state.settings
    extra = fitting.executor_needs(node, settings.executor_cpus, settings.executor_mem)
    fault = fitting.why_not(pod, demand, node, extra) or ""
    text = f"Pod was rejected: {fault}"
    del state.pending[uid]
    state.lost.discard(uid)
    key = (pod["metadata"]["namespace"], pod["metadata"]["name"])
    out.launches.append(FailPod(key, uid, fitting.REJECTIONS.get(fault, "NodeAffinity"), text))


def _tell(state: State, pod: Json, sentence: str, now: Instant, out: Outbox) -> None:
    """Say why a pod waits, once it has waited for the offers that it made us ask for."""
    uid = pod["metadata"]["uid"]
    due = Instant(state.pending[uid] + state.settings.hold_s)
    if now < due:
        out.timers.append(SetTimer(PlanDue(), due))
    elif state.told.get(uid) != sentence:
        state.told[uid] = sentence
        out.launches.append(MarkUnschedulable(pod, sentence))


@table.on(PodBound)
def on_pod_bound(state: State, item: PodBound, now: Instant, out: Outbox) -> None:
    """Launch what a node's bindings were for, once all of them are answered."""
    state.binding.pop(item.uid, None)
    node = state.nodes.get(item.node)
    pod = state.pods.get(item.uid)
    if node is None:
        return
    node.binding.discard(item.uid)
    if item.error or pod is None:
        node.launches = [
            task for task in node.launches if uid_of_task(task.task_id.value) != item.uid
        ]
    if item.error and pod is not None:
        _unbound(state, pod, now, out)
    elif pod is not None:
        state.pods[item.uid] = pods.bound_to(pod, item.node)
        node.pods += 1
        out.launches.append(RecordScheduled(pod, node.name))
    if not node.binding:
        _launch(state, node, now, out)


def _unbound(state: State, pod: Json, now: Instant, out: Outbox) -> None:
    """Try a binding that was not made again; one that was made, for all we heard, has no task."""
    uid = pod["metadata"]["uid"]
    if pods.node_of(pod):
        reconciling.expect(state, uid, now, out)
    elif not pods.is_deleting(pod):
        state.pending.setdefault(uid, now)
        out.timers.append(SetTimer(PlanDue(), Instant(now + BIND_AGAIN_S)))


def _launch(state: State, node: Node, now: Instant, out: Outbox) -> None:
    launches, node.launches = node.launches, []
    offers, node.offers = tuple(node.offers.values()), {}
    node.free = Resources()
    if not launches:
        if offers:
            out.launches.append(CallMaster("decline", offers=offers, refuse_s=0.0))
        return
    if not offers:
        for task in launches:  # the offers went away between binding and launch
            launch_again(state, uid_of_task(task.task_id.value), now, out)
        return
    refuse_s = 0.0 if state.pending else DECLINE_IDLE_S
    out.launches.append(
        CallMaster("accept", offers=offers, tasks=tuple(launches), refuse_s=refuse_s)
    )
    for task in launches:
        reconciling.launched(state, uid_of_task(task.task_id.value), now, out)
    want_plan(state, now, out)


def launch_again(state: State, uid: str, now: Instant, out: Outbox) -> None:
    """Let a bound pod whose launch was lost wait for its node's next offer."""
    if uid in state.pods:
        reconciling.forget(state, uid)
        state.lost.add(uid)
        state.over.add(uid)
        state.pending[uid] = now
        want_plan(state, now, out)


@table.on(HoldOver)
def on_hold_over(state: State, item: HoldOver, now: Instant, out: Outbox) -> None:
    """Let others have what no pending pod can use; it is offered again shortly."""
    state.is_hold_set = False
    for node in state.nodes.values():
        if node.offers and not node.binding:
            offers = tuple(node.offers.values())
            node.offers, node.free = {}, Resources()
            call = CallMaster("decline", offers=offers, refuse_s=DECLINE_BUSY_S)
            out.launches.append(call)


def _rest(state: State, out: Outbox) -> None:
    """Give back every offer, and ask for no more."""
    idle = [node for node in state.nodes.values() if node.offers and not node.binding]
    for node in idle:
        offers = tuple(node.offers.values())
        node.offers, node.free = {}, Resources()
        out.launches.append(CallMaster("decline", offers=offers, refuse_s=DECLINE_IDLE_S))
    if not state.is_suppressed and not state.binding:
        state.is_suppressed = True
        out.launches.append(CallMaster("suppress"))
