"""The agent ends us: stop every pod in the time given, report, exit."""

from comity.core.effects import Outbox, SetTimer
from comity.core.instants import Instant
from comity.kube.node import lifecycle, stopping
from comity.kube.node.handlers import table
from comity.kube.node.inputs import ShutdownAsked, ShutdownOver
from comity.kube.node.outbox import Exit
from comity.kube.node.state import State, StopReason

_MARGIN_S = 1.0
"""Kept of the time given, for SIGKILL to work and updates to leave."""


@table.on(ShutdownAsked)
def on_shutdown_asked(state: State, item: ShutdownAsked, now: Instant, out: Outbox) -> None:
    """Stop all pods, hurried by the agent's grace period."""
    state.stopping = True
    out.timers.append(SetTimer(ShutdownOver(), Instant(now + item.grace_s)))
    for pod in list(state.pods.values()):
        if not pod.is_ended:
            grace_s = min(stopping.grace_of(pod), item.grace_s - _MARGIN_S)
            stopping.begin(pod, StopReason.SHUTDOWN, grace_s, now)
            lifecycle.advance(state, pod, now, out)


@table.on(ShutdownOver)
def on_shutdown_over(state: State, item: ShutdownOver, now: Instant, out: Outbox) -> None:
    """Exit; the agent ends what is left."""
    out.launches.append(Exit())
