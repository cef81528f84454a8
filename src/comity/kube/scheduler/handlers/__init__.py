"""What the scheduler does about each input: `seeing` the API, `offers`, `placing`, `statuses`."""

from comity.core.effects import Outbox
from comity.core.table import Table
from comity.kube.scheduler.state import State

table: Table[State, Outbox] = Table("kube.scheduler")
