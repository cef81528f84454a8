"""The terminal in front of a person, while something elsewhere has it: raw mode, input, size.

Whatever happens, `raw` gives the terminal back as it was.
"""

import asyncio
import contextlib
import os
import signal
import sys
import termios
import threading
import tty
from collections.abc import AsyncIterator, Iterator

from comity.sdk.sessions import END_OF_INPUT, HEARTBEAT, Window, resized, typed
from comity.wire.mesos.sessions import ProcessIO

_READ_MAX = 32 << 10
_BEAT_S = 30.0
"""Proxies on the way close requests that say nothing for a minute."""
_WAITING_MAX = 16
_DETACH = b"\x10\x11"
"""Ctrl-P Ctrl-Q, as in Docker and DC/OS."""
_ENDINGS = (signal.SIGTERM, signal.SIGHUP)


class Ended(Exception):
    """A signal asked this process to end."""

    def __init__(self, signum: int) -> None:
        super().__init__(signal.Signals(signum).name)
        self.exit_code = 128 + signum


def window() -> Window:
    """Return the terminal's rows and columns."""
    size = os.get_terminal_size(sys.stdin.fileno())
    return size.lines or 24, size.columns or 80


@contextlib.contextmanager
def raw(*, wanted: bool) -> Iterator[None]:
    """Pass on every key as it is typed; the terminal gets its settings back in the end."""
    if not wanted:
        yield
        return
    fd = sys.stdin.fileno()
    held = termios.tcgetattr(fd)
    try:
        tty.setraw(fd, termios.TCSADRAIN)  # keeps what was typed ahead
        yield
    finally:
        termios.tcsetattr(fd, termios.TCSADRAIN, held)


@contextlib.asynccontextmanager
async def ending() -> AsyncIterator[None]:
    """Turn SIGTERM and SIGHUP into `Ended`, so that whatever is open is closed."""
    loop, current = asyncio.get_running_loop(), asyncio.current_task()
    assert current is not None
    caught: list[int] = []

    def on_signal(signum: int) -> None:
        caught.append(signum)
        current.cancel()

    for each in _ENDINGS:
        loop.add_signal_handler(each, on_signal, each)
    try:
        yield
    except asyncio.CancelledError:
        if caught:
            raise Ended(caught[0]) from None
        raise
    finally:
        for each in _ENDINGS:
            loop.remove_signal_handler(each)


class Keys:
    """What a person types, and how the size of his terminal changes, as messages."""

    def __init__(self, *, reads: bool, is_terminal: bool, can_detach: bool = False) -> None:
        self._reads = reads
        self._is_terminal = is_terminal
        self._can_detach = can_detach
        self._held = b""
        self._news: asyncio.Queue[ProcessIO | None] = asyncio.Queue(_WAITING_MAX)
        self.detached = asyncio.Event()

    async def messages(self) -> AsyncIterator[ProcessIO]:
        """Yield input and sizes, forever; sizes are dropped when they come too fast."""
        if not self._reads and not self._is_terminal:
            yield END_OF_INPUT  # whoever reads nevertheless must not wait for somebody to type
            return
        loop = asyncio.get_running_loop()
        if self._is_terminal:
            loop.add_signal_handler(signal.SIGWINCH, self._resize)
            yield resized(window())
        if self._reads:
            threading.Thread(target=self._read, args=(loop,), daemon=True).start()
        try:
            while True:
                try:
                    # Not wait_for: Python 3.11's loses a cancellation that comes with an item.
                    async with asyncio.timeout(_BEAT_S):
                        message = await self._news.get()
                except TimeoutError:
                    message = HEARTBEAT
                if message is None:
                    self.detached.set()
                    return
                yield message
        finally:
            if self._is_terminal:
                loop.remove_signal_handler(signal.SIGWINCH)

    def _resize(self) -> None:
        with contextlib.suppress(asyncio.QueueFull, OSError):
            self._news.put_nowait(resized(window()))

    def _read(self, loop: asyncio.AbstractEventLoop) -> None:
        """Read stdin in a thread: files cannot be waited for, and a terminal stays blocking."""
        fd = sys.stdin.fileno()
        while True:
            try:
                data = os.read(fd, _READ_MAX)
            except OSError:
                data = b""
            message = self._message(data)
            if message is _NOTHING:
                continue
            # Waits until there is room: who types faster than the container reads, waits.
            try:
                asyncio.run_coroutine_threadsafe(self._news.put(message), loop).result()
            except (RuntimeError, asyncio.CancelledError):
                return  # the session is over
            if not data or message is None:
                return

    def _message(self, data: bytes) -> ProcessIO | None:
        """Return what was typed as a message; None when it asks to detach."""
        if not self._can_detach:
            return typed(data) if data else END_OF_INPUT
        seen = self._held + data
        if _DETACH in seen:
            return None
        # The first of the two keys is held back until the next tells what was meant.
        self._held = _DETACH[:1] if data and seen.endswith(_DETACH[:1]) else b""
        passed = seen[: len(seen) - len(self._held)]
        if not data:
            return typed(passed) if passed else END_OF_INPUT
        return typed(passed) if passed else _NOTHING


_NOTHING = typed(b"")
