"""What the command lines of masters and agents share."""

import argparse
import re
from collections.abc import Sequence
from pathlib import Path

from comity.core import durations
from comity.core.errors import UserError
from comity.policy.authorization import acls


def our_spelling(argv: Sequence[str]) -> list[str]:
    """Return the arguments with Mesos's names of flags (`--work_dir`) as ours (`--work-dir`)."""
    ours = []
    for each in argv:
        name, equals, value = each.partition("=")
        ours.append(name.replace("_", "-") + equals + value if name.startswith("--") else each)
    return ours


def duration(given: str) -> float:
    """Return the seconds of `1mins`, as Mesos writes durations, or of a plain number of them.

    Raises:
        argparse.ArgumentTypeError: it is neither.
    """
    if given.replace(".", "", 1).isdigit():
        return float(given)
    try:
        return durations.parse(given)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


_SIZES = {"": 1, "B": 1, "KB": 1 << 10, "MB": 1 << 20, "GB": 1 << 30, "TB": 1 << 40}


def size(given: str) -> int:
    """Return the bytes of `2GB`, as Mesos writes sizes, or of a plain number of them.

    Raises:
        argparse.ArgumentTypeError: it is neither.
    """
    found = re.fullmatch(r"([0-9]+)\s*([KMGT]?B)?", given)
    if found is None:
        raise argparse.ArgumentTypeError(f"{given!r} is no size: write bytes, or 512MB or 2GB")
    return int(found[1]) * _SIZES[found[2] or ""]


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
