"""The master's table. Handlers register themselves; `machine` imports them all."""

from comity.core.effects import Outbox
from comity.core.table import Table
from comity.master.state import State

table: Table[State, Outbox] = Table("master")
