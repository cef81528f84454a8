"""A task's log with its older parts (`stdout.2`, `stdout.1`, `stdout`) as one text.

The agent moves a log's beginning to `.1` when it is over its size (--container-log-max-size); while
it does, there is a file `.new`, and nothing that was read meanwhile counts.
"""

import asyncio
from typing import Any, NamedTuple

from comity.sdk.mesos import Agent

_BLOCK = 1 << 16
_PAUSE_S = 0.05


class Part(NamedTuple):
    """One of the files, and the offsets that it holds."""

    path: str
    start: int
    size: int


class TaskLog:
    """One log on its agent; offsets count from the oldest part that there was at first."""

    def __init__(self, agent: Agent, path: str) -> None:
        self._agent = agent
        self._path = path
        self.name = path.rpartition("/")[2]
        self._base = 0
        self._known: tuple[int, float] | None = None
        """Size and time of the part before the newest, when they were looked at last."""
        self.exists = True

    async def parts(self) -> list[Part]:
        """Return the parts, oldest first, when they stand still."""
        folder = self._path.rpartition("/")[0]
        while True:
            found = {str(each["path"]): each for each in await self._agent.browse(folder)}
            if f"{self._path}.new" not in found:
                return self._placed(found)
            await asyncio.sleep(_PAUSE_S)

    def _placed(self, found: dict[str, dict[str, Any]]) -> list[Part]:
        older: list[tuple[str, int, float]] = []
        while (name := f"{self._path}.{len(older) + 1}") in found:
            older.append((name, int(found[name]["size"]), float(found[name]["mtime"])))
        marks = [(size, time) for _, size, time in older]
        fresh = marks.index(self._known) if self._known in marks else len(older)
        self._base += sum(size for size, _ in marks[:fresh])
        if marks:
            self._known = marks[0]
        self.exists = self._path in found or bool(older)
        size = int(found[self._path]["size"]) if self._path in found else 0
        parts = [Part(self._path, self._base, size)]
        for name, size, _ in older:
            parts.append(Part(name, parts[-1].start - size, size))
        return parts[::-1]

    async def read(self, offset: int) -> tuple[str, int]:
        """Return what follows an offset, as far as it is there, and the offset after it."""
        while True:
            parts = await self.parts()
            before = (self._base, self._known)
            offset = max(offset, parts[0].start)
            part = next(each for each in reversed(parts) if each.start <= offset)
            length = min(part.start + part.size - offset, _BLOCK)
            if length <= 0:
                return "", offset
            data, _ = await self._agent.read(part.path, offset - part.start, length)
            await self.parts()
            if (self._base, self._known) == before:
                return data, offset + length

    async def tail(self, lines: int) -> tuple[str, int]:
        """Return the last lines, and the offset after them."""
        while True:
            parts = await self.parts()
            before, held = (self._base, self._known), ""
            for part in reversed(parts):
                end = part.size
                while end > 0 and held.count("\n") <= lines:
                    begin = max(0, end - _BLOCK)
                    data, _ = await self._agent.read(part.path, begin, end - begin)
                    held, end = data + held, begin
            await self.parts()
            if (self._base, self._known) == before:
                shown = held.splitlines(keepends=True)[-lines:] if lines else []
                return "".join(shown), parts[-1].start + parts[-1].size
