"""SPDY/3.1 frames as kubectl sends them, and what is not SPDY."""

import struct
import zlib

import pytest

from comity.wire import spdy
from comity.wire.spdy import Data, GoneAway, Opened, Pinged, Reset, Session, SpdyError
from support.spdy import Opener


def test_the_dictionary_is_the_one_that_everybody_has():
    assert len(spdy.DICTIONARY) == 1423
    assert zlib.adler32(spdy.DICTIONARY) == 0xE3C6A7C2


def test_streams_with_headers_that_share_their_compression():
    client, session = Opener(), Session()
    first = {"streamType": "error", "port": "80", "requestID": "0"}
    second = {**first, "streamType": "data"}
    stream = client.opens(1, first, flags=1) + client.opens(3, second)
    found = [event for byte in stream for event in session.feed(bytes((byte,)))]
    lower = {name.lower(): value for name, value in first.items()}
    assert found == [Opened(1, lower, True), Opened(3, {**lower, "streamtype": "data"}, False)]


def test_replies_can_be_read():
    client, session = Opener(), Session()
    for stream in (1, 3):
        frame = session.reply(stream)
        assert struct.unpack("!HHII", frame[:12]) == (0x8003, 2, len(frame) - 8, stream)
        assert client.unpack.decompress(frame[12:]) == bytes(4)


def test_data_resets_and_the_rest():
    session = Session()
    ping = struct.pack("!HHII", 0x8003, 6, 4, 7)
    settings = struct.pack("!HHII", 0x8003, 4, 4, 0)
    gone = struct.pack("!HHIII", 0x8003, 7, 8, 1, 0)
    stream = spdy.data(3, b"abc") + spdy.data(3, b"", is_last=True) + spdy.reset(5)
    assert session.feed(stream + ping + settings + gone) == [
        Data(3, b"abc", False),
        Data(3, b"", True),
        Reset(5),
        Pinged(ping),
        GoneAway(),
    ]


@pytest.mark.parametrize(
    "frame",
    [
        struct.pack("!HHI", 0x8002, 1, 10) + bytes(10),  # another version
        struct.pack("!HHI", 0x8003, 1, 14) + bytes(10) + b"junk",
        struct.pack("!HHI", 0x8003, 3, 2) + bytes(2),
        struct.pack("!II", 1, 0xFFFFFF),
    ],
)
def test_what_is_not_spdy(frame):
    with pytest.raises(SpdyError):
        Session().feed(frame)


def test_headers_beyond_their_frame():
    client = Opener()
    block = struct.pack("!II", 1, 1000) + b"short"
    packed = client.pack.compress(block) + client.pack.flush(zlib.Z_SYNC_FLUSH)
    body = struct.pack("!IIH", 1, 0, 0) + packed
    with pytest.raises(SpdyError):
        Session().feed(struct.pack("!HHI", 0x8003, 1, len(body)) + body)
