"""`dcos config`: settings of the attached cluster."""

import argparse
from collections.abc import Iterator

from comity.cli.dcos import parsing, printing, settings
from comity.cli.dcos.settings import Settings
from comity.core.errors import UserError

completed = parsing.as_given


def parser() -> argparse.ArgumentParser:
    """Return the group's parser."""
    commands = parsing.top(
        "config",
        "settings of the attached cluster",
        examples="""
        dcos config show
        dcos config show core.dcos_url
        dcos config set cluster.name laptop
        """,
    )
    show = commands.add("show", _show, "show all settings, or one")
    show.add_argument("name", nargs="?")
    change = commands.add("set", _set, "change a setting")
    change.add_argument("name")
    change.add_argument("value")
    unset = commands.add("unset", _unset, "remove a setting")
    unset.add_argument("name")
    commands.add("keys", _keys, "list the settings that there are")
    return commands.parser


def _held() -> Settings:
    held = settings.attached()
    if held is None:
        raise UserError("no cluster is attached: dcos cluster setup URL")
    return held


def _show(args: argparse.Namespace) -> None:
    held = _held()
    if args.name is None:
        printing.lines(_shown(held))
        return
    value = held.get(args.name)
    if value is None:
        raise UserError(f"{args.name} is not set")
    print(value)


def _shown(held: Settings) -> Iterator[str]:
    for section, values in sorted(held.values.items()):
        for name, value in sorted(values.items()) if isinstance(values, dict) else ():
            key = f"{section}.{name}"
            yield f"{key} {'*' * 8 if key == 'core.dcos_acs_token' else value}"


def _set(args: argparse.Namespace) -> None:
    _held().set(args.name, args.value)


def _unset(args: argparse.Namespace) -> None:
    _held().set(args.name, None)


def _keys(args: argparse.Namespace) -> None:
    width = max(map(len, settings.KEYS)) + 2
    printing.lines(f"{name:{width}}{about}" for name, about in settings.KEYS.items())
