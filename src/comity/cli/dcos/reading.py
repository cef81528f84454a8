"""What people give: JSON files, JSON on stdin, `name=value` pairs."""

import sys
from pathlib import Path
from typing import Any

import msgspec

from comity.core.errors import UserError

Json = dict[str, Any]


def json_file(path: str) -> Json:
    """Read a JSON object from a file; `-` is stdin."""
    try:
        data = sys.stdin.buffer.read() if path == "-" else Path(path).read_bytes()
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror}") from error
    name = "stdin" if path == "-" else path
    try:
        return msgspec.json.decode(data, type=dict[str, Any])
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise UserError(f"{name} does not hold a JSON object: {error}") from error


def json_input(path: str | None) -> Json:
    """Read a JSON object from a file, or from stdin when a pipe or a file stands there."""
    if path is not None:
        return json_file(path)
    if sys.stdin.isatty():
        raise UserError("name a JSON file, or pipe JSON into this command")
    return json_file("-")


def pairs(words: list[str]) -> Json:
    """Read `name=value` words; a value is JSON when it can be read as JSON, else text."""
    found: Json = {}
    for word in words:
        name, equals, value = word.partition("=")
        if not equals or not name:
            raise UserError(f"{word!r} is not of the form name=value")
        try:
            found[name] = msgspec.json.decode(value)
        except msgspec.DecodeError:
            found[name] = value
    return found
