"""The flags of who may call a program and do what: one declaration for masters and agents.

Each realm is a flag `--authenticate-http-<name>` and a setting `authenticate_http_<name>`.
"""

import argparse
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from comity.runtime import flags

_REALM = "authenticate_http_"


def add(parser: argparse.ArgumentParser, realms: Mapping[str, str]) -> None:
    """Add --credentials, a flag for each realm with its help text, and --acls."""
    parser.add_argument("--credentials", type=Path, help="file of callers' credentials")
    for name, text in realms.items():
        parser.add_argument(
            f"--authenticate-http-{name}", action=argparse.BooleanOptionalAction, help=text
        )
    parser.add_argument(
        "--acls",
        type=flags.access_control_lists,
        default="",
        metavar="FILE",
        help="access control lists, in Mesos's JSON format",
    )


def settings(args: argparse.Namespace) -> dict[str, Any]:
    """Return what parsed arguments say of it, by the names of the programs' settings."""
    said = vars(args)
    names = ["credentials", "acls", *(name for name in said if name.startswith(_REALM))]
    return {name: said[name] for name in names}
