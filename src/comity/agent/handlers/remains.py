"""What ended nested containers leave, and when it goes: their record and their sandbox.

As with Mesos (MesosContainerizerProcess::remove) a sandbox goes when somebody has the container
removed. Mesos keeps a session's until then, too; here one goes by itself: at its end when its
client has vanished, else after a while, in which the client can still ask how it ended.
"""

from comity.agent.handlers import ending
from comity.agent.inputs import SessionOver
from comity.agent.outbox import RemoveSandbox
from comity.agent.state import Container, State
from comity.agent.table import table
from comity.core.effects import Outbox, SetTimer
from comity.core.instants import Instant

SESSION_KEPT_S = 600.0


def remove(state: State, container: Container, out: Outbox) -> None:
    """Forget an ended nested container and delete its sandbox."""
    ending.forget_nested(state, container, out)
    if container.parent is not None:  # a standalone one's is kept a while, as an executor's
        out.launches.append(RemoveSandbox(container.id, container.spec.sandbox))


def session_ended(state: State, container: Container, now: Instant, out: Outbox) -> None:
    """Let a session go, at once or when nobody asked for its end in time."""
    if container.is_abandoned:
        remove(state, container, out)
    else:
        due = Instant(now + SESSION_KEPT_S)
        out.timers.append(SetTimer(SessionOver(container.id), due))


def abandon(state: State, container: Container, out: Outbox) -> None:
    """A session's client has vanished: nobody is going to ask how it ended."""
    container.is_abandoned = True
    if container.phase == "EXITED":
        remove(state, container, out)


@table.on(SessionOver)
def on_session_over(state: State, item: SessionOver, now: Instant, out: Outbox) -> None:
    """Remove a session whose client did not."""
    container = state.containers.get(item.container_id)
    if container is not None and container.spec.is_session and container.phase == "EXITED":
        remove(state, container, out)
