"""Argument parsers that look alike: groups of commands, each with examples."""

import argparse
from collections.abc import Callable
from typing import Any

Run = Callable[[argparse.Namespace], Any]


class Commands:
    """A parser made of named commands, which may be groups of commands again."""

    def __init__(self, parser: argparse.ArgumentParser) -> None:
        self.parser = parser
        self._all = parser.add_subparsers(metavar="COMMAND", required=True, title="commands")

    def add(
        self, name: str, run: Run, about: str, *, examples: str = ""
    ) -> argparse.ArgumentParser:
        """Add a command; give its arguments to the parser that comes back."""
        parser = self._all.add_parser(
            name,
            help=about,
            description=f"{about[:1].upper()}{about[1:]}.",
            epilog=_epilog(examples),
            formatter_class=argparse.RawDescriptionHelpFormatter,
            allow_abbrev=False,
        )
        parser.set_defaults(run=run)
        return parser

    def group(self, name: str, about: str, *, examples: str = "") -> "Commands":
        """Add a group of commands."""
        parser = self._all.add_parser(
            name,
            help=about,
            description=f"{about[:1].upper()}{about[1:]}.",
            epilog=_epilog(examples),
            formatter_class=argparse.RawDescriptionHelpFormatter,
            allow_abbrev=False,
        )
        return Commands(parser)


def top(group: str, about: str, *, examples: str) -> Commands:
    """Return the commands of `dcos GROUP`."""
    return Commands(
        argparse.ArgumentParser(
            prog=f"dcos {group}",
            description=f"{about[:1].upper()}{about[1:]}.",
            epilog=_epilog(examples),
            formatter_class=argparse.RawDescriptionHelpFormatter,
            allow_abbrev=False,
        )
    )


def _epilog(examples: str) -> str:
    if not examples:
        return ""
    lines = [f"  {line.strip()}" for line in examples.strip().splitlines()]
    return "\n".join(["examples:", *lines])


def as_given(words: list[str]) -> list[str]:
    """Leave the words of a command line as they are."""
    return words


def or_list(commands: tuple[str, ...]) -> Callable[[list[str]], list[str]]:
    """Return what puts `list` in front of words that name no command: `dcos task` lists tasks."""

    def completed(words: list[str]) -> list[str]:
        if words and words[0] in ("-h", "--help", *commands):
            return words
        return ["list", *words]

    return completed


def add_json(parser: argparse.ArgumentParser) -> None:
    """Add `--json`."""
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")


def add_quiet(parser: argparse.ArgumentParser) -> None:
    """Add `--quiet`."""
    parser.add_argument("-q", "--quiet", action="store_true", help="print ids only")


def add_force(parser: argparse.ArgumentParser) -> None:
    """Add `--force`."""
    parser.add_argument(
        "--force", action="store_true", help="go ahead although a deployment is in the way"
    )
