"""How one of our processes has another one of ours started."""

import shlex
import sys


def own_command() -> str:
    """Return the shell words that run `comity` with the interpreter of this process.

    `-P` keeps the directory a task starts in (its sandbox) out of Python's search path.
    """
    return f"{shlex.quote(sys.executable)} -P -m comity"
