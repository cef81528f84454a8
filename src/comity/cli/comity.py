"""`comity`: runs the system. Each subcommand is the `main(argv)` of the module that does the work.

Modules are imported only when their subcommand is called, so `comity agent` never pays for the
Kubernetes control plane. Usage mistakes end with 2, refusals (`UserError`) with their own code.
"""

import importlib
import sys
from collections.abc import Callable, Sequence
from typing import NamedTuple

from comity.core.errors import UserError


class Command(NamedTuple):
    """A subcommand: where its `main` lives, and one line about it."""

    module: str
    about: str


COMMANDS = {
    "up": Command("comity.cli.up", "start a whole cluster on this machine"),
    "status": Command("comity.cli.status", "say what a cluster started by `up` is doing"),
    "down": Command("comity.cli.down", "stop a cluster started by `up`"),
    "master": Command("comity.master.__main__", "run a Mesos master"),
    "agent": Command("comity.agent.__main__", "run a Mesos agent"),
    "marathon": Command("comity.marathon.__main__", "run Marathon"),
    "cosmos": Command("comity.cosmos.__main__", "run the package service"),
    "gateway": Command("comity.gateway.__main__", "run the front door (Admin Router)"),
    "kubernetes": Command("comity.kube.__main__", "run a Kubernetes control plane"),
    "debug": Command("comity.cli.debug", "step the inputs of a journal again"),
    "sim": Command("comity.sim.__main__", "run master and agents in a simulated cluster"),
    "kube-node": Command("comity.kube.node.__main__", "run the Kubernetes node executor"),
}

_EXAMPLES = """\
examples:
  comity up --agents 3            a cluster of three agents on this machine
  comity up --detach              the same in the background
  comity status
  comity down
  comity master --port 5050       one component by itself, as on a machine of its own
  comity agent --master http://127.0.0.1:5050 --port 5051

`comity COMMAND --help` tells the flags of a command. To use a running cluster, see `dcos --help`.
"""


def usage() -> str:
    """Return the help text."""
    width = max(map(len, COMMANDS)) + 2
    lines = ["usage: comity COMMAND [options]", "", "Run a datacenter operating system.", ""]
    lines.append("commands:")
    lines += [f"  {name:{width}}{command.about}" for name, command in COMMANDS.items()]
    lines.append(f"  {'version':{width}}print the version")
    return "\n".join(lines) + "\n\n" + _EXAMPLES


def main(argv: Sequence[str] | None = None) -> int:
    """Run one subcommand and return its exit code."""
    words = list(sys.argv[1:] if argv is None else argv)
    if not words or words[0] in ("-h", "--help", "help"):
        print(usage(), end="")
        return 0 if words else 2
    name, rest = words[0], words[1:]
    if name in ("version", "--version", "-V"):
        from comity import __version__

        print(f"comity {__version__}")
        return 0
    command = COMMANDS.get(name)
    if command is None:
        print(f"comity: there is no command {name!r}; `comity --help` lists them", file=sys.stderr)
        return 2
    return guarded("comity", lambda: _run(command, rest))


def _run(command: Command, argv: list[str]) -> int:
    code: int = importlib.import_module(command.module).main(argv)
    return code


def guarded(program: str, run: Callable[[], int]) -> int:
    """Run a command line so that people see sentences, not traces.

    Only a `UserError`, an interruption or a closed pipe is turned into an exit code; anything else
    is our own bug and keeps its trace.
    """
    try:
        return run()
    except UserError as error:
        print(f"{program}: {error}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        # The reader of our output has left (`dcos task | head`); nothing more can be said to it.
        sys.stderr.close()
        return 0
