"""The agent's table. Handlers register themselves; `machine` imports them all."""

from comity.agent.state import State
from comity.core.effects import Outbox
from comity.core.table import Table

table: Table[State, Outbox] = Table("agent")
