"""The input-to-handler table, the one way in which machines dispatch.

A machine is a `Table` and a state. Handlers are plain functions, registered one per input type:

    table: Table[State, Outbox] = Table("master")

    @table.on(AgentRegistered)
    def on_agent_registered(state: State, item: AgentRegistered, now: Instant, out: Outbox) -> None:
        ...

Rules: one handler per input type; an input without a handler is our bug, not the peer's.
"""

from collections.abc import Callable
from typing import Generic, TypeVar

from comity.core.errors import InvariantViolated
from comity.core.instants import Instant

StateT = TypeVar("StateT")
OutboxT = TypeVar("OutboxT")
ItemT = TypeVar("ItemT")


class Table(Generic[StateT, OutboxT]):
    """Handlers by the type of their input."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._handlers: dict[type, Callable[..., None]] = {}

    @property
    def inputs(self) -> frozenset[type]:
        """The input types that have a handler; a test compares them with the machine's union."""
        return frozenset(self._handlers)

    def on(
        self, kind: type[ItemT]
    ) -> Callable[
        [Callable[[StateT, ItemT, Instant, OutboxT], None]],
        Callable[[StateT, ItemT, Instant, OutboxT], None],
    ]:
        """Register the handler of one input type; a second one for it is refused."""

        def register(
            handler: Callable[[StateT, ItemT, Instant, OutboxT], None],
        ) -> Callable[[StateT, ItemT, Instant, OutboxT], None]:
            if kind in self._handlers:
                raise InvariantViolated(f"{self.name}: two handlers for {kind.__name__}")
            self._handlers[kind] = handler
            return handler

        return register

    def step(self, state: StateT, item: object, now: Instant, out: OutboxT) -> None:
        """Run the handler of `item`'s type."""
        handler = self._handlers.get(type(item))
        if handler is None:
            raise InvariantViolated(f"{self.name}: no handler for {type(item).__name__}")
        handler(state, item, now, out)
