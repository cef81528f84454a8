"""The scheduler's machine: offers and pods in, bindings and launches out.

Where the story goes: `handlers.placing` is the heart; `fitting` says where a pod may go and where
it should, `pods` what it demands, `tasks` what it becomes on Mesos.
"""

from comity.core.effects import Outbox
from comity.core.instants import Instant
from comity.kube.scheduler.handlers import (  # their import fills the table
    offers,
    placing,
    reconciling,
    seeing,
    statuses,
    table,
)
from comity.kube.scheduler.state import State

HANDLERS = (offers, placing, reconciling, seeing, statuses)


class PodScheduler:
    """Steps the scheduler's state."""

    def __init__(self, state: State) -> None:
        self.state = state

    def step(self, item: object, now: Instant, out: Outbox) -> None:
        """Handle one input."""
        table.step(self.state, item, now, out)
