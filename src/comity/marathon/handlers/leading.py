"""Leadership: a single Marathon always leads; abdicating is to leave the master and come back."""

from comity.core.effects import Outbox
from comity.core.instants import Instant
from comity.marathon.handlers import table
from comity.marathon.handlers.answering import answer
from comity.marathon.inputs import LeaderAbdicated
from comity.marathon.outbox import Resubscribe
from comity.marathon.state import State


@table.on(LeaderAbdicated)
def on_leader_abdicated(state: State, item: LeaderAbdicated, now: Instant, out: Outbox) -> None:
    """Give up the subscription and take it again."""
    out.launches.append(Resubscribe())
    answer(out, item.to, {"message": "Leadership abdicated"})
