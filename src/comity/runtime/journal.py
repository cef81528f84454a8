"""The journal of a machine's inputs: the last ones in memory, all of them in a file if wanted.

The file has JSON lines. The first tells how the machine began (its component, its settings, what
its store held, the seed of its chance), each other one is an input with the instant at which it was
stepped; `comity debug replay` steps them again. What may be secret is replaced (`core.redaction`),
and the file is readable by its owner only.
"""

import itertools
import json
import os
import secrets
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from comity.core.errors import UserError
from comity.core.instants import Instant
from comity.core.redaction import Redactor

RING_MAX = 1024
FORMAT = 1


class Beginning(Struct, kw_only=True):
    """The first line: what a machine was made of."""

    journal: int = FORMAT
    component: str
    at: float
    seed: int
    start: dict[str, Any]
    """The component's own terms."""
    stored: list[tuple[str, str]]
    """Keys and values of its store; values in Latin-1, since not all of them are text."""


class Line(Struct, kw_only=True):
    """An input, and when it was stepped."""

    at: float
    input: msgspec.Raw


class Journal:
    """Keeps the last inputs; writes all of them to `path` once `begin` was called."""

    def __init__(self, path: Path | None = None) -> None:
        self.ring: deque[tuple[Instant, Any]] = deque(maxlen=RING_MAX)
        self._path = path
        self._redactor = Redactor(secrets.token_bytes(32))
        self._file: int | None = None
        self._lines: list[bytes] = []

    def begin(
        self, component: str, at: Instant, seed: int, start: Any, stored: list[tuple[str, bytes]]
    ) -> None:
        """Open the file with its first line; without a path there is nothing to do.

        Raises:
            UserError: the file cannot be written.
        """
        if self._path is None:
            return
        try:
            flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC
            self._file = os.open(self._path, flags, 0o600)
            os.fchmod(self._file, 0o600)
        except OSError as error:
            raise UserError(f"--journal {self._path}: {error.strerror}") from error
        first = Beginning(
            component=component,
            at=at,
            seed=seed,
            start=self._redactor.redacted(msgspec.to_builtins(start, enc_hook=str)),
            stored=[(key, self._value(value)) for key, value in stored],
        )
        self._lines.append(msgspec.json.encode(first))
        self.flush()

    def _value(self, value: bytes) -> str:
        try:
            document = json.loads(value)
        except ValueError:
            return value.decode("latin-1")
        if not isinstance(document, dict | list):
            return value.decode("latin-1")
        return msgspec.json.encode(self._redactor.redacted(document)).decode("latin-1")

    def add(self, at: Instant, item: Any) -> None:
        """Take an input that is about to be stepped."""
        self.ring.append((at, item))
        if self._file is not None:
            self._lines.append(self._line(at, item))

    def _line(self, at: Instant, item: Any) -> bytes:
        document = self._redactor.redacted(msgspec.to_builtins(item, enc_hook=str))
        return msgspec.json.encode({"at": at, "input": document})

    def flush(self) -> None:
        """Write what has been taken since the last time."""
        if self._file is not None and self._lines:
            lines, self._lines = self._lines, []
            data = b"".join(line + b"\n" for line in lines)
            while data:
                data = data[os.write(self._file, data) :]

    def rescue(self, path: Path) -> None:
        """Write the last inputs to a file of their own, for whoever looks into a crash."""
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        with os.fdopen(handle, "wb") as file:
            file.writelines(self._line(at, item) + b"\n" for at, item in self.ring)

    def close(self) -> None:
        """Write what is left, and close the file."""
        self.flush()
        if self._file is not None:
            os.close(self._file)
            self._file = None


def read(path: Path) -> tuple[Beginning, Iterator[Line]]:
    """Return how a journal begins, and its inputs; a torn last line is left out.

    Raises:
        UserError: there is no such file, or it is no journal.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise UserError(f"{path}: {error.strerror}") from error
    lines = data.splitlines(keepends=True)
    try:
        beginning = msgspec.json.decode(lines[0] if lines else b"", type=Beginning)
    except msgspec.MsgspecError as error:
        raise UserError(f"{path} is no journal: it does not begin as one") from error
    if beginning.journal != FORMAT:
        raise UserError(f"{path} has format {beginning.journal}; this version reads {FORMAT}")
    whole = itertools.takewhile(lambda line: line.endswith(b"\n"), lines[1:])
    return beginning, (msgspec.json.decode(line, type=Line) for line in whole)
