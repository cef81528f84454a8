"""`dcos task [list]`."""

import argparse
from collections import Counter
from collections.abc import Iterator
from typing import Any

from comity.cli.dcos import parsing, printing
from comity.cli.dcos.session import connected
from comity.cli.dcos.task import finding
from comity.cli.dcos.task.finding import Found
from comity.core.errors import UserError
from comity.sdk.gateway import Cluster
from comity.sdk.rest import ApiError, HttpError

Json = dict[str, Any]


def add_to(commands: parsing.Commands) -> None:
    """Add the command."""
    listing = commands.add("list", _list, "list tasks; `dcos task` alone does it too")
    listing.add_argument("task", nargs="?", default="", help="id, name, part of them, or pattern")
    listing.add_argument("--all", action="store_true", help="also those that have ended")
    listing.add_argument("--completed", action="store_true", help="only those that have ended")
    listing.add_argument("--agent-id", default="", help="only those on this agent")
    parsing.add_json(listing)
    parsing.add_quiet(listing)


async def _list(args: argparse.Namespace) -> None:
    if args.all and args.completed:
        raise UserError("--all and --completed exclude each other")
    async with connected() as cluster:
        found = finding.tasks(await cluster.master.state())
        found = finding.chosen(found, args.task, completed=args.completed, every=args.all)
        found = [each for each in found if args.agent_id in ("", each.task.get("slave_id"))]
        if args.json:
            printing.json([each.task for each in found])
        elif args.quiet:
            printing.lines(each.id for each in found)
        else:
            heads = ["NAME", "HOST", "USER", "STATE", "ID", "FRAMEWORK", "AGENT ID"]
            printing.table(heads, map(_row, found))
            if not args.task and not args.completed:
                for line in await _waiting(cluster):
                    print(line)


def _row(found: Found) -> list[Any]:
    return [
        found.name,
        found.host,
        found.user,
        found.task.get("state"),
        found.id,
        found.framework.get("name"),
        found.task.get("slave_id"),
    ]


async def _waiting(cluster: Cluster) -> list[str]:
    """Say which apps wait for an offer that fits, and why none does."""
    lines: list[str] = []
    try:
        for item in await cluster.marathon.queue():
            lines += _reasons(item)
            if "app" in item and _delay_s(item):
                lines += _failure(await cluster.marathon.find_app(item["app"]["id"]) or {})
    except (ApiError, HttpError) as error:
        lines.append(f"(what waits is not known: {error})")
    return lines


def _failure(app: Json) -> Iterator[str]:
    """Say how an app failed that is started again."""
    failure = app.get("lastTaskFailure")
    if failure is not None:
        yield f"  {failure.get('state')}: {failure.get('message') or 'for no reason that was told'}"


def _delay_s(item: Json) -> int:
    return int((item.get("delay") or {}).get("timeLeftSeconds", 0))


def _reasons(item: Json) -> Iterator[str]:
    spec = item.get("app") or item.get("pod") or {}
    count = item.get("count", 0)
    if not count:
        return
    instances = "1 instance" if count == 1 else f"{count} instances"
    if delay := _delay_s(item):
        yield f"waiting: {instances} of {spec.get('id')}: starts again in {delay} s"
        return
    summary = item.get("processedOffersSummary") or {}
    declined = {
        entry["reason"]: entry["declined"]
        for entry in summary.get("rejectSummaryLastOffers") or []
        if entry.get("declined")
    }
    if declined:
        causes = ", ".join(f"{reason} ({number})" for reason, number in declined.items())
        yield f"waiting: {instances} of {spec.get('id')}: no offer fits: {causes}"
        told = Counter(
            one["message"] for one in item.get("lastUnusedOffers") or () if "message" in one
        )
        yield from (f"  {text} ({number})" for text, number in told.items())
    else:
        yield f"waiting: {instances} of {spec.get('id')}: for offers"
