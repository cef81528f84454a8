"""What people see: tables, JSON, numbers, questions."""

import sys
from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

from comity.core.errors import UserError


def table(heads: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Print columns as wide as they need to be, two spaces apart."""
    cells = [list(heads), *([_cell(value) for value in row] for row in rows)]
    widths = [max(len(line[i]) for line in cells) for i in range(len(heads))]
    for line in cells:
        padded = [text.ljust(width) for text, width in zip(line, widths, strict=True)]
        print("  ".join(padded).rstrip())


def _cell(value: Any) -> str:
    if value is None or value == "":
        return "-"
    text = number(value) if isinstance(value, float) else str(value)
    # A name with a line break or an escape sequence must not draw on the reader's terminal.
    return "".join(char if char.isprintable() else "?" for char in text)


def number(value: float) -> str:
    """Write a number without needless digits: 0.1, 128, 1.25."""
    return f"{value:.3f}".rstrip("0").rstrip(".")


def json(value: Any) -> None:
    """Print JSON, indented."""
    print(msgspec.json.format(msgspec.json.encode(value), indent=2).decode())


def lines(values: Iterable[str]) -> None:
    """Print one value a line."""
    for value in values:
        print(value)


def note(text: str) -> None:
    """Say something about the work to the person, not to a pipe."""
    print(text, file=sys.stderr, flush=True)


def confirmed(question: str, *, yes: bool) -> bool:
    """Ask before doing something that is hard to undo; `yes` answers."""
    if yes:
        return True
    print(f"{question} [yes/no] ", end="", file=sys.stderr, flush=True)
    answer = sys.stdin.readline().strip().lower()
    if answer in ("y", "yes"):
        return True
    if not answer and not sys.stdin.isatty():
        raise UserError("nobody is here to answer; give --yes")
    return False


def shortened(text: str, length: int) -> str:
    """Cut a long text, saying so."""
    return text if len(text) <= length else text[: length - 3] + "..."
