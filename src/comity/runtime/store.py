"""Durable state behind one interface: ordered keys, atomic writes, range reads.

A component keeps its whole state in memory; the store is what it recovers from. Writes of one
`append` are atomic and on disk when it returns. The embedded store is `sqlite.SqliteStore`;
a store shared by several masters (etcd) comes behind the same interface.
"""

from collections.abc import Sequence
from typing import Protocol

from comity.core.effects import Write


class Store(Protocol):
    """Ordered keys with atomic, durable appends."""

    def range(self, prefix: str) -> list[tuple[str, bytes]]:
        """Return the pairs whose keys start with `prefix`, in key order."""
        ...

    async def append(self, writes: Sequence[Write]) -> None:
        """Apply the writes in order, all or none, and return when they are durable."""
        ...

    def close(self) -> None:
        """Release the store; no append may be under way."""
        ...
