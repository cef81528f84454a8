"""Handlers by noun; `table` holds them all once these modules are imported (by `machine`)."""

from comity.core.effects import Outbox
from comity.core.table import Table
from comity.marathon.state import State

table: Table[State, Outbox] = Table("marathon")
