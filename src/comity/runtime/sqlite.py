"""The embedded store: one SQLite file, write-ahead log, group commit.

Appends that wait at the same moment share one transaction and one fsync, made on a thread of its
own so that the loop never waits for the disk. A failed commit fails every append in it, and every
later one: the component must stop and recover from what is on disk.
"""

import asyncio
import os
import sqlite3
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from comity.core.effects import Write
from comity.core.errors import ComityError

_CREATE = """
CREATE TABLE IF NOT EXISTS pairs (key TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID
"""
_SET = "INSERT OR REPLACE INTO pairs (key, value) VALUES (?, ?)"
_DELETE = "DELETE FROM pairs WHERE key = ?"


class StoreFailed(ComityError):
    """The disk refused a commit; what was not acknowledged may or may not be there."""


class SqliteStore:
    """Key-value pairs in one SQLite file, mode 0600."""

    def __init__(self, path: Path | str) -> None:
        self.path = Path(path)
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="store")
        self._waiting: list[tuple[Sequence[Write], asyncio.Future[None]]] = []
        self._committing: asyncio.Task[None] | None = None
        self._failure: Exception | None = None
        self._db = self._open()

    def _open(self) -> sqlite3.Connection:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        os.close(os.open(self.path, os.O_CREAT | os.O_RDWR, 0o600))
        db = sqlite3.connect(self.path, isolation_level=None, check_same_thread=False)
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("PRAGMA synchronous = FULL")
        db.execute("PRAGMA cache_size = -2000")  # 2 MB: the state is in memory already
        db.execute(_CREATE)
        return db

    def range(self, prefix: str) -> list[tuple[str, bytes]]:
        """Return the pairs whose keys start with `prefix`, in key order."""
        rows = self._db.execute(
            "SELECT key, value FROM pairs WHERE key >= ? AND key < ? ORDER BY key",
            (prefix, prefix + "\U0010ffff"),
        )
        return [(key, bytes(value)) for key, value in rows]

    async def append(self, writes: Sequence[Write]) -> None:
        """Apply the writes atomically; waits that overlap share a commit."""
        if not writes:
            return
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((writes, done))
        if self._committing is None or self._committing.done():
            self._committing = asyncio.create_task(self._commit_waiting())
        await done

    async def _commit_waiting(self) -> None:
        loop = asyncio.get_running_loop()
        while self._waiting:
            batch, self._waiting = self._waiting, []
            try:
                await loop.run_in_executor(self._thread, self._commit, batch)
            except (sqlite3.Error, StoreFailed) as error:
                for _, done in batch:
                    if not done.done():
                        done.set_exception(StoreFailed(f"{self.path}: {error}"))
                continue
            for _, done in batch:
                if not done.done():
                    done.set_result(None)

    def _commit(self, batch: list[tuple[Sequence[Write], "asyncio.Future[None]"]]) -> None:
        if self._failure is not None:
            raise StoreFailed(f"an earlier commit failed: {self._failure}")
        try:
            self._db.execute("BEGIN IMMEDIATE")
            for writes, _ in batch:
                for write in writes:
                    if write.value is None:
                        self._db.execute(_DELETE, (write.key,))
                    else:
                        self._db.execute(_SET, (write.key, write.value))
            self._db.execute("COMMIT")
        except sqlite3.Error as error:
            self._failure = error
            raise

    def close(self) -> None:
        """Finish the commit under way and close the file."""
        self._thread.shutdown(wait=True)
        self._db.close()
