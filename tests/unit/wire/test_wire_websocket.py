"""WebSocket frames: examples of RFC 6455, pieces of any size, peers that break the rules."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from comity.wire import websocket
from comity.wire.websocket import BINARY, CLOSE, PING, TEXT, Decoder, Message, WebSocketError

MASK = bytes.fromhex("37fa213d")


def test_the_handshake_of_the_rfc():
    assert websocket.accept_of("dGhlIHNhbXBsZSBub25jZQ==") == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="


def test_the_frames_of_the_rfc():
    """Section 5.7."""
    assert websocket.encode(TEXT, b"Hello") == bytes.fromhex("810548656c6c6f")
    masked = bytes.fromhex("818537fa213d7f9f4d5158")
    assert websocket.encode(TEXT, b"Hello", MASK) == masked
    assert Decoder(is_server=True).feed(masked) == [Message(TEXT, b"Hello")]
    parts = bytes.fromhex("010348656c80026c6f")
    assert Decoder(is_server=False).feed(parts) == [Message(TEXT, b"Hello")]


def test_a_ping_between_the_parts_of_a_message():
    decoder = Decoder(is_server=False)
    found = decoder.feed(bytes.fromhex("010348656c") + websocket.encode(PING, b"?"))
    assert found == [Message(PING, b"?")]
    assert decoder.feed(bytes.fromhex("80026c6f")) == [Message(TEXT, b"Hello")]


@pytest.mark.parametrize("size", [0, 1, 125, 126, 127, 65535, 65536, 200_000])
def test_lengths(size):
    data = bytes(range(256)) * (size // 256 + 1)
    frame = websocket.encode(BINARY, data[:size], MASK)
    assert Decoder(is_server=True).feed(frame) == [Message(BINARY, data[:size])]


@given(st.lists(st.binary(max_size=300), max_size=8), st.integers(1, 40))
def test_pieces_of_any_size(bodies, step):
    decoder, found = Decoder(is_server=True), []
    stream = b"".join(websocket.encode(BINARY, body, MASK) for body in bodies)
    for at in range(0, len(stream), step):
        found += decoder.feed(stream[at : at + step])
    assert [message.data for message in found] == bodies


@pytest.mark.parametrize(
    ("frame", "code"),
    [
        ("810548656c6c6f", 1002),  # a client that does not mask
        ("c18037fa213d", 1002),  # a reserved bit
        ("838037fa213d", 1002),  # a reserved opcode
        ("098037fa213d", 1002),  # a control frame in parts
        ("89fe007e37fa213d", 1002),  # a control frame that is too long
        ("808037fa213d", 1002),  # a continuation of nothing
        ("82ff7fffffffffffffff37fa213d", 1009),  # more than anybody has
    ],
)
def test_who_breaks_the_rules(frame, code):
    with pytest.raises(WebSocketError) as caught:
        Decoder(is_server=True).feed(bytes.fromhex(frame))
    assert caught.value.code == code


def test_a_close_says_why():
    frame = websocket.encode_close(1000, "ä" * 200)
    [message] = Decoder(is_server=False).feed(frame)
    assert message.kind == CLOSE
    assert message.data[:2] == (1000).to_bytes(2, "big")
    assert message.data[2:].decode() == "ä" * 61  # as much as fits, in whole characters
