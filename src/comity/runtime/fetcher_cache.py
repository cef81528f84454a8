"""Files that tasks fetch again and again, fetched once (Mesos's fetcher cache).

A cached file is downloaded by whoever asks first; others wait for it. The least recently used ones
make room for new ones; what does not fit at all is fetched past the cache. A new agent starts with
an empty cache, as Mesos's does.
"""

import hashlib
import os
import shutil
import tempfile
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(slots=True)
class _Entry:
    path: Path
    size: int = 0
    users: int = 0
    ready: threading.Lock = field(default_factory=threading.Lock)
    is_there: bool = False


class FetcherCache:
    """The cached files of one agent; used from threads."""

    def __init__(self, directory: Path, size_max: int) -> None:
        shutil.rmtree(directory, ignore_errors=True)
        directory.mkdir(parents=True)
        self._directory = directory
        self.size_max = size_max
        """How many bytes it may hold."""
        self.size = 0
        """How many it holds."""
        self._entries: OrderedDict[tuple[str, str], _Entry] = OrderedDict()
        self._lock = threading.Lock()

    @contextmanager
    def file(
        self, value: str, user: str, download: Callable[[str, Path], None]
    ) -> Iterator[Path | None]:
        """Give the file of a URI, downloading it if nobody has yet; None when it does not fit.

        It stays while it is in use. What `download` raises is raised to everybody who waits.
        """
        entry = self._use((user, value))
        try:
            with entry.ready:
                if not entry.is_there:
                    download(value, entry.path)
                    entry.is_there = self._admit((user, value), entry)
            yield entry.path if entry.is_there else None
        finally:
            self._release((user, value), entry)

    def _use(self, key: tuple[str, str]) -> _Entry:
        with self._lock:
            entry = self._entries.get(key)
            if entry is None:
                name = hashlib.sha256("\0".join(key).encode()).hexdigest()[:16]
                handle, path = tempfile.mkstemp(prefix=f"{name}-", dir=self._directory)
                os.close(handle)
                entry = self._entries[key] = _Entry(Path(path))
            entry.users += 1
            self._entries.move_to_end(key)
            return entry

    def _admit(self, key: tuple[str, str], entry: _Entry) -> bool:
        """Count a file in, evicting others; False when there is no room for it."""
        size = entry.path.stat().st_size
        with self._lock:
            for other, old in list(self._entries.items()):
                if self.size + size <= self.size_max:
                    break
                if old.is_there and not old.users and other != key:
                    self._drop(other, old)
            if self.size + size > self.size_max:
                return False
            entry.size = size
            self.size += size
            return True

    def _release(self, key: tuple[str, str], entry: _Entry) -> None:
        with self._lock:
            entry.users -= 1
            if not entry.users and not entry.is_there:
                self._drop(key, entry)

    def _drop(self, key: tuple[str, str], entry: _Entry) -> None:
        del self._entries[key]
        self.size -= entry.size
        entry.path.unlink(missing_ok=True)
