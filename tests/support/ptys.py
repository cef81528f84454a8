"""Command lines under a terminal, as a person has them."""

import asyncio
import fcntl
import os
import pty
import signal
import struct
import termios

WAIT_S = 30


class Person:
    """A person at a terminal in which one command runs."""

    def __init__(self, argv, env, size=(24, 80)):
        self.argv, self.env, self.size = argv, env, size
        self.seen = b""

    async def __aenter__(self):
        self.fd, other = pty.openpty()
        self._set_size(self.size)
        self.before = termios.tcgetattr(other)
        self.child = await asyncio.create_subprocess_exec(
            *self.argv,
            stdin=other,
            stdout=other,
            stderr=other,
            env=self.env,
            start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
        )
        self.other = other
        asyncio.get_running_loop().add_reader(self.fd, self._read)
        return self

    async def __aexit__(self, *error):
        asyncio.get_running_loop().remove_reader(self.fd)
        if self.child.returncode is None:
            self.child.kill()
            await self.child.wait()
        os.close(self.fd)
        os.close(self.other)

    def _read(self):
        self.seen += os.read(self.fd, 65536)

    def _set_size(self, size):
        fcntl.ioctl(self.fd, termios.TIOCSWINSZ, struct.pack("HHHH", *size, 0, 0))

    def resize(self, size):
        self._set_size(size)
        self.child.send_signal(signal.SIGWINCH)

    def types(self, text):
        os.write(self.fd, text.encode())

    async def sees(self, *words):
        """Wait until words are on the screen, in that order; what comes after is seen anew."""
        for word in words:
            try:
                async with asyncio.timeout(WAIT_S):
                    while word.encode() not in self.seen:
                        assert self.child.returncode is None or self._is_more(), self.seen
                        await asyncio.sleep(0.01)
            except TimeoutError:
                raise AssertionError(f"{word!r} is not in {self.seen!r}") from None
            self.seen = self.seen.split(word.encode(), 1)[1]

    def _is_more(self):
        """Whether the terminal holds what has not been read yet."""
        size = len(self.seen)
        os.set_blocking(self.fd, False)
        try:
            self._read()
        except BlockingIOError:
            return False
        finally:
            os.set_blocking(self.fd, True)
        return len(self.seen) > size

    async def ends(self):
        async with asyncio.timeout(WAIT_S):
            return await self.child.wait()

    def is_as_before(self):
        """Whether the terminal has its settings back."""
        return termios.tcgetattr(self.other) == self.before
