"""A client of SPDY/3.1 by hand: opens streams, and keeps what comes on each."""

import asyncio
import struct
import zlib

from comity.wire import spdy

WAIT_S = 30


class Opener:
    """Makes a client's frames."""

    def __init__(self):
        self.pack = zlib.compressobj(zdict=spdy.DICTIONARY)
        self.unpack = zlib.decompressobj(zdict=spdy.DICTIONARY)

    def opens(self, stream, headers, flags=0):
        block = struct.pack("!I", len(headers))
        for name, value in headers.items():
            block += struct.pack("!I", len(name)) + name.encode()
            block += struct.pack("!I", len(value)) + value.encode()
        packed = self.pack.compress(block) + self.pack.flush(zlib.Z_SYNC_FLUSH)
        body = struct.pack("!IIH", stream, 0, 0) + packed
        return struct.pack("!HHI", 0x8003, 1, flags << 24 | len(body)) + body


class SpdyClient:
    """One connection: by stream, what came, whether it ended, whether it was reset."""

    def __init__(self):
        self.opener = Opener()
        self.next = 1
        self.got, self.ended, self.was_reset, self.accepted = {}, set(), set(), set()
        self.pongs, self.is_gone = [], False
        self.news = asyncio.Event()

    async def connect(self, address, path, *protocols, upgrade="SPDY/3.1"):
        """Ask for the protocol; returns the status, and the answer's headers in lower case."""
        self.reader, self.writer = await asyncio.open_connection(*address)
        head = [f"POST {path} HTTP/1.1", "Host: x", "Content-Length: 0"]
        head += ["Connection: Upgrade", f"Upgrade: {upgrade}"]
        head += [f"X-Stream-Protocol-Version: {name}" for name in protocols]
        self.writer.write("\r\n".join([*head, "", ""]).encode())
        answer = (await asyncio.wait_for(self.reader.readuntil(b"\r\n\r\n"), WAIT_S)).decode()
        first, *lines = answer.split("\r\n")
        status = int(first.split()[1])
        if status == 101:
            self.reading = asyncio.create_task(self._read())
        return status, dict(line.lower().split(": ", 1) for line in lines if line)

    def opens(self, is_last=False, **headers):
        """Open a stream; returns its number."""
        stream, self.next = self.next, self.next + 2
        self.got[stream] = b""
        self.writer.write(self.opener.opens(stream, headers, 1 if is_last else 0))
        return stream

    def sends(self, stream, data, is_last=False):
        for at in range(0, len(data), 1 << 15):
            self.writer.write(spdy.data(stream, data[at : at + (1 << 15)]))
        if is_last:
            self.writer.write(spdy.data(stream, b"", is_last=True))

    def resets(self, stream):
        self.writer.write(spdy.reset(stream))

    def pings(self, number):
        self.writer.write(struct.pack("!HHII", 0x8003, 6, 4, number))

    async def until(self, condition):
        """Wait until something holds."""
        async with asyncio.timeout(WAIT_S):
            while not condition():
                self.news.clear()
                await self.news.wait()

    async def closes(self):
        self.writer.close()
        self.reading.cancel()
        await asyncio.gather(self.reading, return_exceptions=True)

    async def _read(self):
        try:
            while True:
                head = await self.reader.readexactly(8)
                size = int.from_bytes(head[5:], "big")
                self._take(head, await self.reader.readexactly(size))
                self.news.set()
        except (asyncio.IncompleteReadError, ConnectionError):
            self.is_gone = True
            self.news.set()

    def _take(self, head, body):
        if not head[0] & 0x80:
            stream = int.from_bytes(head[:4], "big")
            assert stream not in self.ended, "a stream goes on after its end"
            self.got[stream] += body
            if head[4] & 1:
                self.ended.add(stream)
            return
        kind, number = int.from_bytes(head[2:4], "big"), int.from_bytes(body[:4], "big")
        if kind == 2:
            assert self.opener.unpack.decompress(body[4:]) == bytes(4)
            self.accepted.add(number)
        elif kind == 3:
            self.was_reset.add(number)
        elif kind == 6:
            self.pongs.append(number)
