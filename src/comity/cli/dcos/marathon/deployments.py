"""`dcos marathon deployment`."""

import argparse
from typing import Any

from comity.cli.dcos import parsing, printing, waiting
from comity.cli.dcos.marathon.apps import ACTIONS, created
from comity.cli.dcos.session import connected
from comity.core.errors import UserError

Json = dict[str, Any]


def add_to(commands: parsing.Commands) -> None:
    """Add the group's commands."""
    group = commands.group("deployment", "changes that are under way")
    listing = group.add("list", _list, "list the deployments that run")
    listing.add_argument("app", nargs="?", help="only those of this app")
    parsing.add_json(listing)
    parsing.add_quiet(listing)
    watch = group.add("watch", _watch, "follow a deployment until it is over")
    watch.add_argument("id")
    watch.add_argument("--max-count", type=int, default=0, help="give up after so many looks")
    watch.add_argument("--interval", type=float, default=1.0, help="seconds between two looks")
    rollback = group.add("rollback", _rollback, "take a deployment back")
    rollback.add_argument("id")
    stop = group.add("stop", _stop, "end a deployment where it is")
    stop.add_argument("id")


async def _list(args: argparse.Namespace) -> None:
    async with connected() as cluster:
        found = await cluster.marathon.deployments()
    if args.app:
        app = "/" + args.app.strip("/")
        found = [each for each in found if app in each.get("affectedApps", [])]
    if args.json:
        printing.json(found)
    elif args.quiet:
        printing.lines(each["id"] for each in found)
    elif not found:
        raise UserError("there are no deployments" + (f" of {args.app}" if args.app else ""))
    else:
        printing.table(
            ["APP", "POD", "ACTION", "PROGRESS", "ID"],
            (
                [
                    " ".join(each.get("affectedApps") or []),
                    " ".join(each.get("affectedPods") or []),
                    _actions(each),
                    f"{each['currentStep'] - 1}/{each['totalSteps']}",
                    each["id"],
                ]
                for each in found
            ),
        )


def _actions(deployment: Json) -> str:
    actions = deployment.get("currentActions", [])
    several = len({action.get("app") or action.get("pod") for action in actions}) > 1
    return ", ".join(
        ACTIONS.get(action["action"], action["action"])
        + (f" {action.get('app') or action.get('pod')}" if several else "")
        for action in actions
    )


async def _watch(args: argparse.Namespace) -> None:
    async with connected() as cluster:
        await waiting.until_gone(
            cluster.marathon, args.id, polls=args.max_count, interval_s=args.interval
        )


async def _rollback(args: argparse.Namespace) -> None:
    async with connected() as cluster:
        done = await cluster.marathon.cancel_deployment(args.id, force=False)
    if done is not None:
        created(done)


async def _stop(args: argparse.Namespace) -> None:
    async with connected() as cluster:
        await cluster.marathon.cancel_deployment(args.id, force=True)
