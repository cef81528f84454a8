"""Print docs/reference/cli.md: the help of every command of `comity` and `dcos`."""

import argparse
import contextlib
import importlib
import io
import os
import sys
from collections.abc import Iterator

from comity.cli import comity, dcos

_WIDTH = "100"
_INTRO = """# Commands

Made by `make docs` from what `--help` says. `comity` runs the system, [`dcos`](#dcos) uses a
cluster."""


def main() -> int:
    """Print the page."""
    os.environ["COLUMNS"] = _WIDTH
    print(_INTRO)
    _section(2, "comity", comity.usage())
    for name, command in comity.COMMANDS.items():
        _section(3, f"comity {name}", _help_of(importlib.import_module(command.module).main))
    _section(2, "dcos", dcos.usage())
    for group in dcos.GROUPS.values():
        parser = importlib.import_module(group.module).parser()
        for depth, each in _parsers(parser, 3):
            _section(depth, each.prog, each.format_help())
    return 0


def _section(depth: int, title: str, text: str) -> None:
    print(f"\n{'#' * depth} {title}\n\n```text\n{text.rstrip()}\n```")


def _help_of(program: object) -> str:
    """Return what a program prints when it is asked for help."""
    assert callable(program)
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed), contextlib.suppress(SystemExit):
        program(["--help"])
    return printed.getvalue()


def _parsers(
    parser: argparse.ArgumentParser, depth: int
) -> Iterator[tuple[int, argparse.ArgumentParser]]:
    """Yield a parser and those of its subcommands, each once, with how deep it is."""
    yield depth, parser
    seen = set()
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for each in action.choices.values():
                if id(each) not in seen:
                    seen.add(id(each))
                    yield from _parsers(each, depth + 1)


if __name__ == "__main__":
    sys.exit(main())
