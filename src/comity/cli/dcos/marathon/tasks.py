"""`dcos marathon task`."""

import argparse

from comity.cli.dcos import parsing, printing
from comity.cli.dcos.session import connected
from comity.core.errors import UserError


def add_to(commands: parsing.Commands) -> None:
    """Add the group's commands."""
    task = commands.group("task", "tasks of apps")
    listing = task.add("list", _list, "list Marathon's tasks")
    listing.add_argument("app", nargs="?", default="", help="only those of this app")
    parsing.add_json(listing)
    parsing.add_quiet(listing)
    show = task.add("show", _show, "print a task")
    show.add_argument("id")
    kill = task.add("kill", _kill, "kill tasks; new ones take their place")
    kill.add_argument("ids", nargs="+", metavar="id")
    kill.add_argument("--scale", action="store_true", help="no new ones: scale down")
    kill.add_argument("--wipe", action="store_true", help="give up what they reserved, too")
    stop = task.add("stop", _stop, "kill one task; a new one takes its place")
    stop.add_argument("id")
    stop.add_argument("--wipe", action="store_true", help="give up what it reserved, too")


async def _list(args: argparse.Namespace) -> None:
    async with connected() as cluster:
        tasks = await cluster.marathon.tasks(args.app)
    tasks.sort(key=lambda task: (str(task.get("appId")), str(task["id"])))
    if args.json:
        printing.json(tasks)
    elif args.quiet:
        printing.lines(task["id"] for task in tasks)
    else:
        printing.table(
            ["APP", "HEALTHY", "STARTED", "HOST", "ID", "ROLE"],
            (
                [
                    task.get("appId"),
                    all(check.get("alive") for check in task.get("healthCheckResults") or []),
                    task.get("startedAt") or "N/A",
                    task.get("host"),
                    task["id"],
                    task.get("role"),
                ]
                for task in tasks
            ),
        )


async def _show(args: argparse.Namespace) -> None:
    async with connected() as cluster:
        for task in await cluster.marathon.tasks():
            if task["id"] == args.id:
                printing.json(task)
                return
    raise UserError(f"task {args.id!r} does not exist")


async def _kill(args: argparse.Namespace) -> None:
    async with connected() as cluster:
        done = await cluster.marathon.kill_tasks(args.ids, scale=args.scale, wipe=args.wipe)
    if args.scale:
        print(f"Started deployment: {done['deploymentId']}")
        return
    killed = {task["id"] for task in done["tasks"]}
    print(f"Killed tasks: {' '.join(sorted(killed)) or 'none'}")
    if unknown := [task_id for task_id in args.ids if task_id not in killed]:
        raise UserError(f"these tasks do not exist: {' '.join(unknown)}")


async def _stop(args: argparse.Namespace) -> None:
    async with connected() as cluster:
        done = await cluster.marathon.kill_tasks([args.id], wipe=args.wipe)
    if not done["tasks"]:
        raise UserError(f"task {args.id!r} does not exist")
    printing.json(done["tasks"][0])
