"""The input and output of containers that somebody attaches to (Mesos's I/O switchboard).

Output goes to every reader as records of ProcessIO, and to the sandbox's `stdout` and `stderr` when
nobody has to be there for it (a task with a terminal, or with an input). Input comes from one
writer at a time; a second one is refused, as in Mesos (switchboard.cpp). A reader that is slow
slows the container down; nothing is dropped.
"""

import asyncio
import contextlib
import fcntl
import os
import struct
import termios
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO

from comity.core.containers import Spec
from comity.runtime.http import Stream
from comity.runtime.launcher.client import LauncherClient
from comity.wire import recordio
from comity.wire.mesos import codec, v1
from comity.wire.mesos.codec import Format
from comity.wire.mesos.sessions import ProcessControl, ProcessData, ProcessHeartbeat, ProcessIO

HEARTBEAT_S = 30.0
_READ_MAX = 64 << 10
_LINGER_S = 30.0
"""For so long what a container wrote can be read after its end."""
_NAMES = ("STDOUT", "STDERR")


class Line:
    """One container's input and output."""

    def __init__(self, spec: Spec, fds: list[int], close_input: Callable[[], None]) -> None:
        self.is_terminal = len(fds) == 1
        self._input: int | None = fds[0]
        self._close_input = close_input
        self.has_writer = False
        """Whether somebody is attached to its input."""
        self._outputs = dict(zip(fds if self.is_terminal else fds[1:], _NAMES, strict=False))
        self._open = dict(self._outputs)
        self._logs = _logs_of(spec, self._outputs)
        self._readers: dict[Stream, Format] = {}
        self._reading: set[int] = set()
        self._job: asyncio.Task[None] | None = None
        for fd in fds:
            os.set_blocking(fd, False)
        if not spec.is_session:
            self._resume()  # nobody has to be there; what it writes is logged

    @property
    def is_over(self) -> bool:
        """Whether all output has been read to its end."""
        return not self._open

    # output

    def attach(self, stream: Stream, format: Format) -> None:
        """Send output to one more reader, until the end."""
        self._readers[stream] = format
        stream.on_close(lambda: self._leave(stream))
        if self.is_over:
            stream.close()
            return
        self._resume()
        if self._job is None:
            self._job = asyncio.create_task(self._beat())

    def _leave(self, stream: Stream) -> None:
        self._readers.pop(stream, None)

    def _resume(self) -> None:
        loop = asyncio.get_running_loop()
        for fd in self._open:
            if fd not in self._reading:
                self._reading.add(fd)
                loop.add_reader(fd, self._read, fd)

    def _pause(self, fd: int) -> None:
        if fd in self._reading:
            self._reading.discard(fd)
            asyncio.get_running_loop().remove_reader(fd)

    def _read(self, fd: int) -> None:
        try:
            data = os.read(fd, _READ_MAX)
        except BlockingIOError:
            return
        except OSError:
            data = b""  # a terminal whose last user has gone says EIO
        if not data:
            self._pause(fd)
            del self._open[fd]
            if self.is_over:
                self._finish()
            return
        if fd in self._logs:
            self._logs[fd].write(data)
            self._logs[fd].flush()
        body = ProcessData(type=self._outputs[fd], data=data)
        self._send(ProcessIO(type="DATA", data=body))
        if any(not stream.closed for stream in self._readers):
            self._pause(fd)
            asyncio.get_running_loop().create_task(self._go_on(fd))

    async def _go_on(self, fd: int) -> None:
        """Read again when every reader has caught up."""
        for stream in list(self._readers):
            await stream.drained()
        if fd in self._open and (self._readers or self._logs):
            self._reading.add(fd)
            asyncio.get_running_loop().add_reader(fd, self._read, fd)

    def _send(self, message: ProcessIO) -> None:
        records: dict[Format, bytes] = {}
        for stream, format in list(self._readers.items()):
            if format not in records:
                records[format] = recordio.encode(codec.encode(message, format))
            stream.send(records[format])

    async def _beat(self) -> None:
        interval = v1.DurationInfo(nanoseconds=int(HEARTBEAT_S * 1e9))
        control = ProcessControl(type="HEARTBEAT", heartbeat=ProcessHeartbeat(interval=interval))
        while True:
            await asyncio.sleep(HEARTBEAT_S)
            self._send(ProcessIO(type="CONTROL", control=control))

    def _finish(self) -> None:
        for stream in list(self._readers):
            stream.close()
        if self._job is not None:
            self._job.cancel()

    # input

    async def write(self, data: bytes) -> None:
        """Give a container input, as fast as it takes it; none is the end of input."""
        if self._input is None:
            return
        if not data:
            self._end_input()
            return
        while data and self._input is not None:
            try:
                data = data[os.write(self._input, data) :]
            except BlockingIOError:
                await _until_writable(self._input)
            except OSError:
                return  # it has ended, or does not read

    def _end_input(self) -> None:
        if self.is_terminal:
            with contextlib.suppress(OSError):
                assert self._input is not None
                os.write(self._input, b"\x04")
            return
        self._close_input()
        assert self._input is not None
        os.close(self._input)
        self._input = None

    def resize(self, rows: int, columns: int) -> None:
        """Set a terminal's size; pipes have none."""
        if self.is_terminal and self._input is not None:
            size = struct.pack("HHHH", rows & 0xFFFF, columns & 0xFFFF, 0, 0)
            with contextlib.suppress(OSError):
                fcntl.ioctl(self._input, termios.TIOCSWINSZ, size)

    def close(self) -> None:
        """Let go of everything."""
        for fd in list(self._open):
            self._pause(fd)
        self._open.clear()
        self._finish()
        held = set(self._outputs) | ({self._input} if self._input is not None else set())
        for fd in held:
            os.close(fd)
        self._outputs, self._input = {}, None
        for log in self._logs.values():
            log.close()


def _logs_of(spec: Spec, outputs: dict[int, str]) -> dict[int, BinaryIO]:
    """Open the files that take the output of a container which nobody has to watch."""
    if spec.is_session:
        return {}
    sandbox = Path(spec.sandbox)
    return {fd: (sandbox / name.lower()).open("ab") for fd, name in outputs.items()}


async def _until_writable(fd: int) -> None:
    loop = asyncio.get_running_loop()
    ready = loop.create_future()

    def on_writable() -> None:
        if not ready.done():
            ready.set_result(None)

    loop.add_writer(fd, on_writable)
    try:
        await ready
    finally:
        loop.remove_writer(fd)


class Switchboard:
    """The lines of one agent's containers."""

    def __init__(self, launcher: LauncherClient) -> None:
        self._launcher = launcher
        self._lines: dict[str, Line] = {}

    def open(self, spec: Spec) -> None:
        """Take the ends of a container that has started, or that an earlier agent started.

        Raises:
            LauncherGone: the launcher does not have them.
        """
        if spec.id not in self._lines:
            fds = self._launcher.take_io(spec.id)
            name = spec.id
            self._lines[name] = Line(spec, fds, lambda: self._launcher.order(op="eof", id=name))

    def attach(self, container_id: str, stream: Stream, format: Format) -> bool:
        """Send a container's output to an endless answer; False when nobody can be attached."""
        line = self._lines.get(container_id)
        if line is None:
            return False
        line.attach(stream, format)
        return True

    def is_attachable(self, container_id: str) -> bool:
        """Whether somebody can be attached to a container."""
        return container_id in self._lines

    def is_over(self, container_id: str) -> bool:
        """Whether a container writes no more, and all of it has been read."""
        line = self._lines.get(container_id)
        return line is not None and line.is_over

    @contextlib.contextmanager
    def writing(self, container_id: str) -> Iterator[bool]:
        """Be the one who gives a container input; False where somebody else is."""
        line = self._lines.get(container_id)
        if line is None or line.has_writer:
            yield line is None  # input of what has ended goes nowhere
            return
        line.has_writer = True
        try:
            yield True
        finally:
            line.has_writer = False

    async def feed(self, container_id: str, message: ProcessIO) -> None:
        """Give a container a piece of input, or its terminal another size."""
        line = self._lines.get(container_id)
        if line is None:
            return
        if message.type == "DATA" and message.data is not None:
            if message.data.type in (None, "STDIN"):
                await line.write(message.data.data or b"")
        elif message.control is not None and message.control.tty_info is not None:
            window = message.control.tty_info.window_size
            if window is not None:
                line.resize(window.rows, window.columns)

    def retire(self, container_id: str) -> None:
        """Forget a container that is over, when whoever reads it has had the time to."""
        if container_id in self._lines:
            asyncio.get_running_loop().call_later(_LINGER_S, self._close, container_id)

    def _close(self, container_id: str) -> None:
        line = self._lines.pop(container_id, None)
        if line is not None:
            line.close()

    def close(self) -> None:
        """Let go of all lines; the launcher keeps its own ends."""
        for container_id in list(self._lines):
            self._close(container_id)
