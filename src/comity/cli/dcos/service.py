"""`dcos service`: frameworks."""

import argparse
from typing import Any

from comity.cli.dcos import parsing, printing
from comity.cli.dcos.session import connected
from comity.core.errors import UserError

completed = parsing.or_list(("list", "shutdown"))

Json = dict[str, Any]


def parser() -> argparse.ArgumentParser:
    """Return the group's parser."""
    commands = parsing.top(
        "service",
        "frameworks",
        examples="""
        dcos service list
        dcos service shutdown my-framework
        """,
    )
    listing = commands.add("list", _list, "list the frameworks")
    listing.add_argument("--completed", action="store_true", help="also those that have ended")
    listing.add_argument("--inactive", action="store_true", help="also those that are away")
    parsing.add_json(listing)
    parsing.add_quiet(listing)
    shutdown = commands.add("shutdown", _shutdown, "remove a framework and kill its tasks")
    shutdown.add_argument("service", help="name or id")
    shutdown.add_argument("--yes", action="store_true", help="do not ask")
    return commands.parser


async def _list(args: argparse.Namespace) -> None:
    async with connected() as cluster:
        state = await cluster.master.state()
    found = [fw for fw in state.get("frameworks", []) if fw.get("active", True) or args.inactive]
    if args.completed:
        found += state.get("completed_frameworks", [])
    if args.json:
        printing.json(found)
    elif args.quiet:
        printing.lines(fw["name"] for fw in found)
    else:
        printing.table(
            ["NAME", "HOST", "ACTIVE", "TASKS", "CPU", "MEM", "DISK", "ID"],
            (_row(framework) for framework in found),
        )


def _row(framework: Json) -> list[Any]:
    resources = framework.get("resources") or framework.get("used_resources") or {}
    return [
        framework["name"],
        framework.get("hostname"),
        "True" if framework.get("active", False) else "False",
        len(framework.get("tasks") or []),
        *(f"{resources.get(name, 0):.1f}" for name in ("cpus", "mem", "disk")),
        framework["id"],
    ]


async def _shutdown(args: argparse.Namespace) -> int:
    async with connected() as cluster:
        frameworks = await cluster.master.frameworks()
        found = [fw for fw in frameworks if args.service in (fw["id"], fw["name"])]
        if not found:
            raise UserError(f"there is no service {args.service!r}; `dcos service list`")
        if len(found) > 1:
            ids = ", ".join(fw["id"] for fw in found)
            raise UserError(f"several services are called {args.service!r}; give an id: {ids}")
        question = f"Shut down {found[0]['name']} ({found[0]['id']}) and kill its tasks?"
        if not printing.confirmed(question, yes=args.yes):
            printing.note("nothing was shut down")
            return 1
        await cluster.master.teardown(found[0]["id"])
    return 0
