"""The agent's machine: every input, its handler, and how it starts from its checkpoints.

Where the story goes: `inputs` says what can happen, `handlers` what is done about it, `building`
how messages become containers, `checkpoints` what survives, `views` how it looks from outside.
"""

from comity.agent import checkpoints
from comity.agent.handlers import (  # their import fills the table
    containers,
    ending,
    executors,
    master,
    nested,
    operating,
    playing,
    probing,
    pulling,
    remains,
    reporting,
)
from comity.agent.state import State
from comity.agent.table import table
from comity.core.effects import Outbox
from comity.core.instants import Instant

HANDLERS = (
    containers,
    ending,
    executors,
    master,
    nested,
    operating,
    playing,
    probing,
    pulling,
    remains,
    reporting,
)


class Agent:
    """Steps the agent's state."""

    def __init__(self, state: State) -> None:
        self.state = state

    def step(self, item: object, now: Instant, out: Outbox) -> None:
        """Handle one input."""
        table.step(self.state, item, now, out)

    def recover(self, pairs: list[tuple[str, bytes]]) -> None:
        """Take what was stored; `LauncherFound` then says what of it still runs.

        Raises:
            UserError: the agent has less than what is reserved on it.
        """
        checkpoints.load(self.state, pairs)


def check_invariants(state: State) -> None:
    """Assert what must hold between two inputs; tests call it after every step."""
    for key, executor in state.executors.items():
        assert (executor.framework_id, executor.id) == key
        assert executor.container_id in state.containers
        for task_id, task in executor.tasks.items():
            assert state.tasks[executor.framework_id, task_id] is executor
            assert len({one.uuid for one in task.pending}) == len(task.pending)
    for (framework_id, task_id), executor in state.tasks.items():
        assert state.executors[framework_id, executor.id].tasks[task_id]
    for stream, key in state.streams.items():
        assert state.executors[key].stream == stream
