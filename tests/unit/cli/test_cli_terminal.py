"""What is typed, as messages."""

import asyncio
import os

import pytest

from comity.cli.dcos import terminal
from comity.sdk.sessions import resized, typed


@pytest.fixture
def keys(monkeypatch):
    """Give what is typed at a stdin that is a pipe, and its other end."""
    ours, theirs = os.pipe()
    with os.fdopen(ours) as stdin, os.fdopen(theirs, "wb", buffering=0) as typing:
        monkeypatch.setattr(terminal.sys, "stdin", stdin)
        yield terminal.Keys(reads=True, is_terminal=False), typing


async def test_what_is_typed_comes_until_its_end(keys):
    found, typing = keys
    messages = found.messages()
    typing.write(b"one")
    assert await anext(messages) == typed(b"one")
    typing.close()
    assert await anext(messages) == typed(b"")
    await messages.aclose()


@pytest.mark.parametrize("steps", range(4))
async def test_an_end_that_comes_together_with_a_size_is_not_lost(monkeypatch, steps):
    monkeypatch.setattr(terminal, "window", lambda: (24, 80))
    found = terminal.Keys(reads=False, is_terminal=True)
    messages = found.messages()
    assert await anext(messages) == resized((24, 80))
    waiting = asyncio.create_task(anext(messages))
    await asyncio.sleep(0)
    found._resize()
    for _ in range(steps):
        await asyncio.sleep(0)
    if waiting.cancel():  # it has not got the size yet
        with pytest.raises(asyncio.CancelledError):
            await waiting
    await messages.aclose()
