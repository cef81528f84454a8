"""`dcos`: uses a cluster. Each group of commands is a module, imported when it is called.

A module has `parser() -> ArgumentParser`; every leaf command sets `run`, which takes the parsed
arguments. What a person asked for goes to stdout, everything about it to stderr.
"""

import asyncio
import importlib
import inspect
import sys
from argparse import Namespace
from collections.abc import Sequence
from typing import NamedTuple

from comity.cli.comity import guarded
from comity.core.errors import UserError


class Group(NamedTuple):
    """A group of commands."""

    module: str
    about: str


GROUPS = {
    "auth": Group("comity.cli.dcos.auth", "log in to the attached cluster"),
    "cluster": Group("comity.cli.dcos.cluster", "know several clusters, use one"),
    "config": Group("comity.cli.dcos.config", "settings of the attached cluster"),
    "image": Group("comity.cli.dcos.image", "the container images that agents keep"),
    "kubernetes": Group(
        "comity.cli.dcos.kubernetes", "reach the Kubernetes that runs on the cluster"
    ),
    "marathon": Group("comity.cli.dcos.marathon", "apps, their tasks and deployments"),
    "node": Group("comity.cli.dcos.node", "the machines"),
    "package": Group("comity.cli.dcos.package", "find, install and uninstall packages"),
    "framework": Group("comity.cli.dcos.framework", "frameworks, and why they get no offers"),
    "quota": Group("comity.cli.dcos.quota", "how much of the cluster a role may use"),
    "service": Group("comity.cli.dcos.service", "frameworks"),
    "task": Group("comity.cli.dcos.task", "everything that runs, their logs and files"),
}

_EXAMPLES = """\
examples:
  dcos package install hello-world       install a package
  dcos marathon app add app.json         run an app
  dcos package install kubernetes --yes  run Kubernetes on the same machines
  dcos task                              everything that runs, of every kind
  dcos task log --follow hello-world     watch what a task prints
  dcos node list                         the machines

Without `dcos cluster setup URL`, the cluster at http://127.0.0.1:8000 is used (`comity up`).
`dcos GROUP --help` and `dcos GROUP COMMAND --help` tell the rest.
"""


def usage() -> str:
    """Return the help text."""
    lines = ["usage: dcos GROUP COMMAND [options]", "", "Use a cluster.", "", "groups:"]
    lines += [f"  {name:14}{group.about}" for name, group in GROUPS.items()]
    return "\n".join(lines) + "\n\n" + _EXAMPLES


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code."""
    words = list(sys.argv[1:] if argv is None else argv)
    if not words or words[0] in ("-h", "--help", "help"):
        print(usage(), end="")
        return 0 if words else 2
    if words[0] in ("--version", "version"):
        from comity import __version__

        print(f"dcos (comity {__version__})")
        return 0
    group = GROUPS.get(words[0])
    if group is None:
        print(f"dcos: there is no group {words[0]!r}; `dcos --help` lists them", file=sys.stderr)
        return 2
    return guarded("dcos", lambda: _run(group, words[1:]))


def _run(group: Group, words: list[str]) -> int:
    module = importlib.import_module(group.module)
    arguments: Namespace = module.parser().parse_args(module.completed(words))
    return _call(arguments)


def _call(arguments: Namespace) -> int:
    from comity.sdk.rest import ApiError, HttpError

    try:
        result = arguments.run(arguments)
        if inspect.iscoroutine(result):
            result = asyncio.run(result)
    except ApiError as error:
        if error.status == 401:
            raise UserError("log in first: dcos auth login") from error
        text = str(error).replace("the option '?force=true'", "--force")  # in Marathon's words
        raise UserError(text) from error
    except HttpError as error:
        raise UserError(
            f"{error} (is the cluster up? `comity status`, `dcos cluster list`)"
        ) from error
    return int(result or 0)
