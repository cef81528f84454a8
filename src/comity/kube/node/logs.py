"""Container logs: the sandbox's stdout and stderr as one stream of lines.

The files hold bare bytes, no times, and older parts of them may be in files of their own. While a
container runs, its `Timeline` notes now and then how long both are; from that come the order of
lines across the two, `sinceSeconds` and `timestamps`, all to within the sampling period.
"""

import bisect
import heapq
import re
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path

from msgspec import Struct

from comity.kube.node.rotated import RotatedFile

STREAMS = ("stdout", "stderr")
_SAMPLES_MAX = 2048
_BLOCK = 1 << 16
_LINE = re.compile(rb"[^\n]*\n|[^\n]+")


class LogQuery(Struct, frozen=True, kw_only=True):
    """What part of a log to read, and how to show it."""

    tail_lines: int | None = None
    since: float | None = None
    """Only lines seen after this instant."""
    limit_bytes: int | None = None
    timestamps: bool = False
    follow: bool = False


class Timeline:
    """How long the two files of one incarnation were, when."""

    __slots__ = ("_files", "_sizes", "_times")

    def __init__(self, started_at: float) -> None:
        self._files: tuple[RotatedFile, RotatedFile] | None = None
        self._times = [started_at]
        self._sizes: tuple[list[int], list[int]] = ([0], [0])

    def files(self, directory: Path) -> tuple[RotatedFile, RotatedFile]:
        """Return both files, whose offsets go on when they are rotated."""
        if self._files is None:
            first, second = (RotatedFile(directory / name) for name in STREAMS)
            self._files = (first, second)
        return self._files

    def note(self, directory: Path, now: float) -> None:
        """Look at the files; remember their sizes if they grew."""
        sizes = [file.size() for file in self.files(directory)]
        if all(size == seen[-1] for size, seen in zip(sizes, self._sizes, strict=True)):
            return
        self._times.append(now)
        for size, seen in zip(sizes, self._sizes, strict=True):
            seen.append(size)
        if len(self._times) > _SAMPLES_MAX:
            # Older lines get coarser times.
            for samples in (self._times, *self._sizes):
                del samples[1:-1:2]

    def time_of(self, stream: int, end: int) -> float:
        """Return when the line that ends before offset `end` was seen."""
        index = bisect.bisect_left(self._sizes[stream], end)
        return self._times[min(index, len(self._times) - 1)]

    def offset_at(self, stream: int, since: float) -> int:
        """Return an offset before which everything was seen before `since`."""
        index = bisect.bisect_left(self._times, since)
        return self._sizes[stream][index - 1] if index else 0


class LogReader:
    """Reads one incarnation's log, and goes on from there when following."""

    def __init__(self, directory: Path, timeline: Timeline, query: LogQuery) -> None:
        self._directory = directory
        self._files = timeline.files(directory)
        self._timeline = timeline
        self._query = query
        self._left = query.limit_bytes
        self._offsets = [0, 0]
        self._now = 0.0

    @property
    def is_full(self) -> bool:
        """Whether the byte limit is reached."""
        return self._left is not None and self._left <= 0

    def first(self) -> Iterator[bytes]:
        """Yield what is there, in blocks. To be read whole before `more`."""
        ends = [file.size() for file in self._files]
        starts = [0, 0]
        if self._query.since is not None:
            starts = [self._timeline.offset_at(i, self._query.since) for i in (0, 1)]
        self._offsets = ends
        tail = self._query.tail_lines
        if tail is None:
            streams = (self._lines(i, starts[i], ends[i]) for i in (0, 1))
            lines: Iterable[tuple[float, bytes]] = heapq.merge(*streams, key=lambda each: each[0])
        else:
            lines = self._tail(starts, ends, tail)
        yield from self._blocks(line for _, line in lines)

    def more(self, now: float, *, is_over: bool) -> bytes:
        """Return the lines that came since; with `is_over` also one without its end."""
        self._timeline.note(self._directory, now)
        shown: list[bytes] = []
        for i, file in enumerate(self._files):
            at, data = file.read(self._offsets[i], 16 * _BLOCK)
            if not is_over:
                data = data[: data.rfind(b"\n") + 1]
            if data:
                self._offsets[i] = at + len(data)
            shown += [self._shown(now, line) for line in _LINE.findall(data)]
        return b"".join(self._blocks(iter(shown)))

    def _tail(self, starts: list[int], ends: list[int], count: int) -> list[tuple[float, bytes]]:
        lines: list[tuple[float, bytes]] = []
        for i, file in enumerate(self._files):
            start = _start_of_tail(file, starts[i], ends[i], count)
            lines += self._lines(i, start, ends[i])
        lines.sort(key=lambda each: each[0])
        return lines[len(lines) - count :] if count < len(lines) else lines

    def _lines(self, stream: int, start: int, end: int) -> Iterator[tuple[float, bytes]]:
        """Yield the lines of one file between two offsets, each with its time."""
        held = b""
        while start < end:
            at, data = self._files[stream].read(start, min(_BLOCK, end - start))
            if not data:
                break  # deleted meanwhile
            start = at + len(data)
            lines = _LINE.findall(held + data)
            held = lines.pop() if not data.endswith(b"\n") and start < end else b""
            offset = start - len(held) - sum(map(len, lines))
            for line in lines:
                offset += len(line)
                when = self._timeline.time_of(stream, offset)
                if self._query.since is None or when >= self._query.since:
                    yield when, self._shown(when, line)

    def _shown(self, at: float, line: bytes) -> bytes:
        if not self._query.timestamps:
            return line
        stamp = datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%S.%f000Z")
        return stamp.encode() + b" " + line

    def _blocks(self, lines: Iterator[bytes]) -> Iterator[bytes]:
        block = bytearray()
        for line in lines:
            if self._left is not None:
                line = line[: self._left]
                self._left -= len(line)
            block += line
            if len(block) >= _BLOCK or self.is_full:
                yield bytes(block)
                block.clear()
            if self.is_full:
                return
        if block:
            yield bytes(block)


def _start_of_tail(file: RotatedFile, start: int, end: int, count: int) -> int:
    """Return the offset at which the last `count` lines between two offsets begin."""
    if count <= 0:
        return end
    at, breaks = end, 0
    while at > start:
        size = min(_BLOCK, at - start)
        at -= size
        _, block = file.read(at, size)
        place = len(block)
        while (place := block.rfind(b"\n", 0, place)) >= 0:
            # The last line's own end is no beginning of another one.
            if at + place + 1 < end:
                breaks += 1
            if breaks == count:
                return at + place + 1
    return start
