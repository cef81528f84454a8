"""The node machine's handlers, by noun; `machine` runs the table that they register in."""

from comity.core.effects import Outbox
from comity.core.table import Table
from comity.kube.node.state import State

table: Table[State, Outbox] = Table("kube node")
