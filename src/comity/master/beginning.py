"""How a master's machine is made: by its shell, and again when a journal is replayed."""

from msgspec import Struct

from comity.core.effects import Outbox
from comity.core.instants import Instant
from comity.master.config import MasterConfig
from comity.master.machine import Master
from comity.master.state import new_state
from comity.wire.mesos import v1


class Start(Struct, kw_only=True):
    """What a master is made of, beside the registry, the time and a seed."""

    config: MasterConfig
    info: v1.MasterInfo


def begin(
    start: Start, stored: list[tuple[str, bytes]], now: Instant, seed: int
) -> tuple[Master, Outbox]:
    """Return a master that has read the registry, and the timers that it wants."""
    master = Master(new_state(start.config, start.info, now, seed))
    out = Outbox()
    master.recover(stored, now, out)
    return master, out
