"""`comity debug replay`: step what a master or an agent has seen again, and look at what it does.

A journal comes from `comity master --journal FILE` or `comity agent --journal FILE`. Machines have
no clock and no chance of their own, so the same inputs lead to the same state.
"""

import argparse
import dataclasses
import difflib
import enum
import json
import random
import sys
from collections import deque
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from comity.agent import beginning as agent_beginning
from comity.agent import inputs as agent_inputs
from comity.core.effects import Outbox
from comity.core.errors import UserError
from comity.core.instants import Instant
from comity.master import beginning as master_beginning
from comity.master import inputs as master_inputs
from comity.policy.allocator import Allocator
from comity.resources.amounts import Resources
from comity.runtime import journal

_EXAMPLES = """examples:
  comity master --journal /tmp/master.jsonl          record
  comity debug replay /tmp/master.jsonl              list the inputs, one line each
  comity debug replay /tmp/master.jsonl --until 120 --diff
                                                     what input 120 changed, and what it asked for
  comity debug replay /tmp/master.jsonl --until 120 --state | less
                                                     the whole state after it, as JSON
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code."""
    parser = argparse.ArgumentParser(
        prog="comity debug",
        description="Step the inputs of a journal again.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    replay = commands.add_parser("replay", help="step a journal's inputs again")
    replay.add_argument("file", type=Path, metavar="FILE")
    replay.add_argument("--until", type=int, metavar="N", help="stop after the Nth input")
    replay.add_argument("--diff", action="store_true", help="show what the last input changed")
    replay.add_argument("--state", action="store_true", help="show the state at the end as JSON")
    arguments = parser.parse_args(argv)
    if arguments.until is not None and arguments.until < 1:
        raise UserError("--until counts inputs from 1")
    _replay(arguments)
    return 0


def _replay(arguments: argparse.Namespace) -> None:
    found, lines = journal.read(arguments.file)
    machine, kind = _machine_of(found)
    decoder = msgspec.json.Decoder(kind)
    is_listing = not (arguments.diff or arguments.state)
    before: list[str] = []
    out = Outbox()
    number = 0
    for number, line in enumerate(lines, 1):
        item = decoder.decode(line.input)
        if is_listing:
            _print(f"{number:7} {line.at:.3f} {_short(item)}")
        elif arguments.diff:
            before = _lines_of(machine.state)
        out = Outbox()
        machine.step(item, Instant(line.at), out)
        if number == arguments.until:
            break
    if arguments.until is not None and number < arguments.until:
        raise UserError(f"{arguments.file} has {number} inputs only")
    if arguments.diff:
        _show_diff(before, _lines_of(machine.state), out)
    if arguments.state:
        _print("\n".join(_lines_of(machine.state)))
    if is_listing:
        _print(f"{number} inputs of a machine of `comity {found.component}` stepped again")


def _machine_of(found: journal.Beginning) -> tuple[Any, Any]:
    """Return the machine as it was when it began, and the type of its inputs."""
    stored = [(key, value.encode("latin-1")) for key, value in found.stored]
    at = Instant(found.at)
    if found.component == "master":
        start = _converted(found.start, master_beginning.Start)
        master, _ = master_beginning.begin(start, stored, at, found.seed)
        return master, master_inputs.Input
    if found.component == "agent":
        begun = _converted(found.start, agent_beginning.Start)
        return agent_beginning.begin(begun, stored, at, found.seed), agent_inputs.Input
    raise UserError(f"a journal of {found.component!r} cannot be replayed")


def _converted(start: dict[str, Any], kind: Any) -> Any:
    return msgspec.convert(start, kind, dec_hook=lambda wanted, text: wanted(text))


def _print(text: str) -> None:
    sys.stdout.write(text + "\n")


def _short(item: Any) -> str:
    text = repr(item)
    return text if len(text) <= 160 else f"{text[:157]}..."


def _show_diff(before: list[str], after: list[str], out: Outbox) -> None:
    for line in difflib.unified_diff(before, after, "before", "after", lineterm="", n=2):
        _print(line)
    for name in ("writes", "replies", "sends", "timers", "launches"):
        for effect in getattr(out, name):
            _print(f"{name}: {effect}")


# the state as a document


def _lines_of(state: Any) -> list[str]:
    return json.dumps(_document(state), indent=1, sort_keys=True).splitlines()


def _document(value: Any) -> Any:
    """Return a state as JSON can hold it; what has no useful form is named by its type."""
    if isinstance(value, enum.Enum):
        return value.value
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, Allocator | random.Random):
        return type(value).__name__
    if isinstance(value, Resources):
        return {str(kind): _document(amount) for kind, amount in value}
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = dataclasses.fields(value)
        return {one.name: _document(getattr(value, one.name)) for one in fields}
    if isinstance(value, msgspec.Struct):
        return msgspec.to_builtins(value, enc_hook=str)
    if isinstance(value, Mapping):
        return {_key(key): _document(each) for key, each in value.items()}
    if isinstance(value, set | frozenset):
        return sorted(map(str, value))
    if isinstance(value, list | tuple | deque):
        return [_document(each) for each in value]
    shown = _attributes(type(value))
    return {name: _document(getattr(value, name, None)) for name in shown} if shown else str(value)


def _attributes(kind: type) -> list[str]:
    """Return what an object with slots shows: public ones, and private ones with a property."""
    slots = (name for each in kind.__mro__ for name in getattr(each, "__slots__", ()))
    return [name.lstrip("_") for name in slots if name[0] != "_" or hasattr(kind, name[1:])]


def _key(key: Any) -> str:
    if isinstance(key, tuple):
        return "/".join(map(_key, key))
    return key.hex() if isinstance(key, bytes) else str(key)
