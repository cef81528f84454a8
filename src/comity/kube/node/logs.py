"""Container logs: the sandbox's stdout and stderr as one stream of lines.

The files hold bare bytes, no times, and older parts of them may be in files of their own. While a
container runs, its `Timeline` notes now and then how long both are; from that come the order of
lines across the two, `sinceSeconds` and `timestamps`, all to within the sampling period.
"""

import bisect
import heapq
import re
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from msgspec import Struct

from comity.kube.node.rotated import RotatedFile

STREAMS = ("stdout", "stderr")
_SAMPLES_MAX = 2048
_BLOCK = 1 << 16
_NEW_MAX = 16 * _BLOCK
"""What a follower is shown at once; a line that is longer comes in pieces."""
_BEGINNING = re.compile(rb"(?:\A|(?<=\n))(?!\Z)")


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

    def seen(self, stream: int, end: int) -> tuple[float, int]:
        """Return when the line that ends before offset `end` was seen, and all up to where."""
        index = bisect.bisect_left(self._sizes[stream], end)
        if index >= len(self._times):
            return self._times[-1], sys.maxsize
        # Of several samples of one size the first counts: that is when it came.
        return self._times[index], self._sizes[stream][index]

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
        starts = [self._start(i, end) for i, end in enumerate(ends)]
        self._offsets = ends
        skipped = 0
        if self._query.tail_lines is not None:
            wanted = self._query.tail_lines
            tails = [_tail_of(self._files[i], starts[i], ends[i], wanted) for i in (0, 1)]
            starts = [start for start, _ in tails]
            skipped = max(sum(count for _, count in tails) - wanted, 0)
        streams = (self._runs(i, starts[i], ends[i]) for i in (0, 1))
        merged = heapq.merge(*streams, key=lambda each: each[0])
        yield from self._blocks(self._shown(*run) for run in _without(skipped, merged))

    def _start(self, stream: int, end: int) -> int:
        """Return where the first line begins that came late enough."""
        if self._query.since is None:
            return 0
        offset = self._timeline.offset_at(stream, self._query.since)
        return _start_of_line(self._files[stream], offset) if offset < end else end

    def more(self, now: float, *, is_over: bool) -> bytes:
        """Return the lines that came since; with `is_over` also one without its end."""
        self._timeline.note(self._directory, now)
        shown: list[bytes] = []
        for i, file in enumerate(self._files):
            at, data = file.read(self._offsets[i], _NEW_MAX)
            if not is_over and not (len(data) == _NEW_MAX and b"\n" not in data):
                data = data[: data.rfind(b"\n") + 1]
            if data:
                self._offsets[i] = at + len(data)
            shown.append(self._shown(now, data))
        return b"".join(self._blocks(iter(shown)))

    def _runs(self, stream: int, start: int, end: int) -> Iterator[tuple[float, bytes]]:
        """Yield the lines of one file between two offsets: those seen at once, and when."""
        held = b""
        while start < end:
            at, data = self._files[stream].read(start, min(_BLOCK, end - start))
            if not data:
                break  # deleted meanwhile
            if at != start:
                held = b""
            start = at + len(data)
            data = held + data
            whole = data.rfind(b"\n") + 1 if start < end else len(data)
            yield from self._split(stream, start - len(data), data[:whole])
            held = data[whole:]

    def _split(self, stream: int, offset: int, data: bytes) -> Iterator[tuple[float, bytes]]:
        at = 0
        while at < len(data):
            first = data.find(b"\n", at) + 1 or len(data)
            when, seen = self._timeline.seen(stream, offset + first)
            last = max(data.rfind(b"\n", at, max(seen - offset, 0)) + 1, first)
            if seen >= offset + len(data):
                last = len(data)
            yield when, data[at:last]
            at = last

    def _shown(self, at: float, lines: bytes) -> bytes:
        if not self._query.timestamps:
            return lines
        stamp = datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%S.%f000Z ")
        return _BEGINNING.sub(stamp.encode(), lines)

    def _blocks(self, runs: Iterator[bytes]) -> Iterator[bytes]:
        block = bytearray()
        for run in runs:
            if self._left is not None:
                run = run[: self._left]
                self._left -= len(run)
            block += run
            if len(block) >= _BLOCK or self.is_full:
                yield bytes(block)
                block.clear()
            if self.is_full:
                return
        if block:
            yield bytes(block)


def _without(lines: int, runs: Iterator[tuple[float, bytes]]) -> Iterator[tuple[float, bytes]]:
    """Leave out the first so many lines."""
    for when, run in runs:
        if lines:
            count = run.count(b"\n") + (not run.endswith(b"\n"))
            if count <= lines:
                lines -= count
                continue
            run, lines = run.split(b"\n", lines)[lines], 0
        yield when, run


def _start_of_line(file: RotatedFile, offset: int) -> int:
    """Return where the line that goes on at an offset begins."""
    while offset > 0:
        size = min(_BLOCK, offset)
        at, block = file.read(offset - size, size)
        place = block[: max(offset - at, 0)].rfind(b"\n")
        if place >= 0 or at > offset - size:
            return at + place + 1  # or what was before it is deleted
        offset -= size
    return 0


def _tail_of(file: RotatedFile, start: int, end: int, count: int) -> tuple[int, int]:
    """Return where the last `count` lines between two offsets begin, and how many these are."""
    if count <= 0 or start >= end:
        return end, 0
    at, found = end - 1, 1  # the last line's own end is no beginning of another one
    while at > start:
        size = min(_BLOCK, at - start)
        first, block = file.read(at - size, size)
        block = block[: max(at - first, 0)]
        breaks = block.count(b"\n")
        if found + breaks > count:
            place = len(block)
            for _ in range(count - found + 1):
                place = block.rfind(b"\n", 0, place)
            return first + place + 1, count
        found += breaks
        at -= size
        if first > at:
            return first, found  # what was before it is deleted
    return start, found
