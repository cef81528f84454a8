"""What the command lines of masters and agents share."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from comity.core.errors import UserError
from comity.policy.authorization import acls


def our_spelling(argv: Sequence[str]) -> list[str]:
    """Return the arguments with Mesos's names of flags (`--work_dir`) as ours (`--work-dir`)."""
    ours = []
    for each in argv:
        name, equals, value = each.partition("=")
        ours.append(name.replace("_", "-") + equals + value if name.startswith("--") else each)
    return ours


def access_control_lists(path: str) -> str:
    """Return the JSON document in a file of access control lists; that of no file is empty.

    Raises:
        argparse.ArgumentTypeError: it cannot be read, or is no such document.
    """
    if not path:
        return ""
    try:
        given = Path(path).read_text()
        acls.parse(given.encode())
    except (OSError, UnicodeDecodeError, UserError) as error:
        raise argparse.ArgumentTypeError(f"{path}: {error}") from error
    return given
