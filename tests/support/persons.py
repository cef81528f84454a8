"""Somebody who types `dcos` commands."""

import asyncio
import io
import json
import sys

from comity.cli import dcos


class Person:
    """Somebody at a terminal."""

    def __init__(self, door, capsys, monkeypatch):
        self.door, self._capsys, self._monkeypatch = door, capsys, monkeypatch
        self.out = self.err = ""

    async def runs(self, line, *, code=0, stdin=None):
        words = line.split() if isinstance(line, str) else line
        if stdin is not None:
            typed = io.TextIOWrapper(io.BytesIO(stdin.encode()))
            self._monkeypatch.setattr(sys, "stdin", typed)
        found = await asyncio.to_thread(dcos.main, words)
        self.out, self.err = self._capsys.readouterr()
        assert found == code, (self.out, self.err)
        return self.out

    async def json(self, line):
        return json.loads(await self.runs(line))
