"""`dcos framework`: frameworks, and why they get no offers."""

import argparse
import time
from typing import Any

from comity.cli.dcos import parsing, printing
from comity.cli.dcos.session import connected
from comity.core.errors import UserError

completed = parsing.or_list(("list", "explain"))

Json = dict[str, Any]


def parser() -> argparse.ArgumentParser:
    """Return the group's parser."""
    commands = parsing.top(
        "framework",
        "frameworks, and why they get no offers",
        examples="""
        dcos framework list
        dcos framework explain marathon
        dcos framework explain 5a3c…-0001 --json
        """,
    )
    listing = commands.add("list", _list, "list the frameworks that are registered")
    parsing.add_json(listing)
    explain = commands.add(
        "explain", _explain, "say why a framework gets no offers, and what of its calls was dropped"
    )
    explain.add_argument("framework", help="id or name")
    parsing.add_json(explain)
    return commands.parser


async def _list(args: argparse.Namespace) -> None:
    async with connected() as cluster:
        found = await cluster.master.frameworks()
    if args.json:
        printing.json(found)
        return
    printing.table(
        ["NAME", "CONNECTED", "ROLES", "TASKS", "ID"],
        (
            [
                one["name"],
                str(one.get("connected", False)),
                ",".join(one.get("roles") or [one.get("role") or ""]),
                len(one.get("tasks") or []),
                one["id"],
            ]
            for one in found
        ),
    )


async def _explain(args: argparse.Namespace) -> None:
    async with connected() as cluster:
        name = _id_of(await cluster.master.frameworks(), args.framework)
        told = await cluster.master.explain(name)
    if args.json:
        printing.json(told)
        return
    printing.lines(told["summary"])
    if told["outstanding_offers"]:
        printing.lines([f"It holds {told['outstanding_offers']} offers that it has not answered."])
    _show_agents(told["roles"])
    _show_dropped(told["dropped"])
    _show_tasks(told["tasks"])


def _id_of(frameworks: list[Json], wanted: str) -> str:
    """Return the id of the framework that is meant by an id or a name."""
    found = [one["id"] for one in frameworks if wanted in (one["id"], one["name"])]
    if not found:
        raise UserError(f"there is no framework {wanted!r}; `dcos framework list` shows them")
    if len(found) > 1:
        raise UserError(f"{wanted!r} is the name of several: give an id, {' or '.join(found)}")
    return str(found[0])


def _show_agents(roles: list[Json]) -> None:
    rows = [
        [
            one["role"],
            agents["reason"],
            agents["count"],
            ", ".join(each["hostname"] or each["id"] for each in agents["examples"]),
            _clock(agents.get("until")),
        ]
        for one in roles
        for agents in one["agents"]
    ]
    if rows:
        printing.lines([""])
        printing.table(["ROLE", "AGENTS THAT ARE", "COUNT", "SUCH AS", "UNTIL"], rows)


def _show_dropped(dropped: list[Json]) -> None:
    if dropped:
        printing.lines(["", "Calls that were dropped, wholly or in part:"])
        rows = ([_clock(one["time"]), one["call"], one["reason"]] for one in dropped)
        printing.table(["TIME", "CALL", "REASON"], rows)


def _show_tasks(tasks: list[Json]) -> None:
    if tasks:
        printing.lines(["", "Tasks that did not go well:"])
        rows = (
            [_clock(one.get("time")), one["id"], one["state"], one.get("message", "")]
            for one in tasks
        )
        printing.table(["TIME", "TASK", "STATE", "MESSAGE"], rows)


def _clock(at: float | None) -> str:
    return time.strftime("%H:%M:%S", time.localtime(at)) if at else ""
