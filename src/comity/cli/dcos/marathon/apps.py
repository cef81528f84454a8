"""`dcos marathon app`."""

import argparse
from typing import Any

from comity.cli.dcos import parsing, printing
from comity.cli.dcos.reading import json_input, pairs
from comity.cli.dcos.session import connected
from comity.core.errors import UserError

Json = dict[str, Any]

ACTIONS = {
    "ScaleApplication": "scale",
    "StartApplication": "start",
    "StopApplication": "stop",
    "RestartApplication": "restart",
    "ScalePod": "scale",
    "StartPod": "start",
    "StopPod": "stop",
    "RestartPod": "restart",
}


def add_to(commands: parsing.Commands) -> None:
    """Add the group's commands."""
    app = commands.group(
        "app",
        "apps",
        examples="""
        dcos marathon app add app.json
        echo '{"id": "/sleep", "cmd": "sleep 1000"}' | dcos marathon app add
        dcos marathon app update /sleep instances=3 cpus=0.2
        dcos marathon app remove /sleep
        """,
    )
    add = app.add("add", _add, "run a new app, from a JSON file or from stdin")
    add.add_argument("file", nargs="?", help="JSON of the app")
    listing = app.add("list", _list, "list the apps")
    parsing.add_json(listing)
    parsing.add_quiet(listing)
    show = app.add("show", _show, "print an app")
    show.add_argument("id")
    show.add_argument("--app-version", default="", help="a version, or -1 for the one before")
    update = app.add("update", _update, "change an app: name=value pairs, or JSON on stdin")
    update.add_argument("id")
    update.add_argument("properties", nargs="*", metavar="name=value")
    parsing.add_force(update)
    _add_states(app)
    remove = app.add("remove", _remove, "remove an app and its tasks")
    remove.add_argument("id")
    parsing.add_force(remove)
    versions = app.group("version", "versions of an app").add(
        "list", _versions, "list an app's versions, newest first"
    )
    versions.add_argument("id")
    versions.add_argument("--max-count", type=int, help="at most so many")


def _add_states(app: parsing.Commands) -> None:
    start = app.add("start", _start, "start an app that has no instances")
    start.add_argument("id")
    start.add_argument("instances", nargs="?", type=int, default=1)
    parsing.add_force(start)
    stop = app.add("stop", _stop, "set an app's instances to 0")
    stop.add_argument("id")
    parsing.add_force(stop)
    restart = app.add("restart", _restart, "replace all tasks of an app")
    restart.add_argument("id")
    parsing.add_force(restart)
    kill = app.add("kill", _kill, "kill an app's tasks; new ones take their place")
    kill.add_argument("id")
    kill.add_argument("--scale", action="store_true", help="no new ones: scale down")
    kill.add_argument("--host", default="", help="only those on this host")


def created(done: Json) -> None:
    """Say which deployment a change started."""
    print(f"Created deployment {done['deploymentId']}")


async def _add(args: argparse.Namespace) -> None:
    app = json_input(args.file)
    async with connected() as cluster:
        done = await cluster.marathon.create_app(app)
    for deployment in done.get("deployments") or []:
        created({"deploymentId": deployment["id"]})


async def _list(args: argparse.Namespace) -> None:
    async with connected() as cluster:
        apps = await cluster.marathon.apps()
        apps.sort(key=lambda app: str(app["id"]))
        if args.json:
            printing.json(apps)
        elif args.quiet:
            printing.lines(app["id"] for app in apps)
        else:
            deployments = await cluster.marathon.deployments()
            queue = await cluster.marathon.queue()
            _print_table(apps, deployments, queue)


def _print_table(apps: list[Json], deployments: list[Json], queue: list[Json]) -> None:
    running = {deployment["id"]: deployment for deployment in deployments}
    overdue = {
        item["app"]["id"]
        for item in queue
        if "app" in item and (item.get("delay") or {}).get("overdue")
    }
    shown = ["ID", "MEM", "CPUS", "TASKS", "HEALTH"]
    heads = [*shown, "DEPLOYMENT", "WAITING", "CONTAINER", "CMD", "ROLE"]
    printing.table(
        heads,
        (
            [
                app["id"],
                app.get("mem"),
                app.get("cpus"),
                f"{app.get('tasksRunning', 0)}/{app.get('instances', 0)}",
                _health(app),
                _deployment(app, running),
                "true" if app["id"] in overdue else "false",
                (app.get("container") or {}).get("type") or "MESOS",
                _command(app),
                app.get("role"),
            ]
            for app in apps
        ),
    )


def _health(app: Json) -> str:
    if not app.get("healthChecks"):
        return "---"
    return f"{app.get('tasksHealthy', 0)}/{app.get('tasksRunning', 0)}"


def _deployment(app: Json, running: dict[str, Json]) -> str:
    actions = [
        ACTIONS.get(action["action"], action["action"])
        for held in app.get("deployments") or []
        if held["id"] in running
        for action in running[held["id"]].get("currentActions", [])
        if action.get("app") == app["id"]
    ]
    if len(actions) <= 1:
        return actions[0] if actions else "---"
    return f"({','.join(actions)})"


def _command(app: Json) -> str:
    if app.get("cmd"):
        return printing.shortened(app["cmd"], 30)
    if app.get("args"):
        return printing.shortened(f"[{', '.join(app['args'])}]", 30)
    return "---"


async def _show(args: argparse.Namespace) -> None:
    async with connected() as cluster:
        version = args.app_version
        if version.startswith("-") and version[1:].isdigit():
            versions = await cluster.marathon.app_versions(args.id)
            back = int(version[1:])
            if back >= len(versions):
                raise UserError(f"{args.id} has only {len(versions)} versions")
            version = versions[back]
        printing.json(await cluster.marathon.app(args.id, version=version))


async def _update(args: argparse.Namespace) -> None:
    change = pairs(args.properties) if args.properties else json_input(None)
    async with connected() as cluster:
        await cluster.marathon.app(args.id)  # PUT would create an app that is not there
        created(await cluster.marathon.update_app(args.id, change, force=args.force))


async def _start(args: argparse.Namespace) -> None:
    if args.instances <= 0:
        raise UserError(f"the number of instances must be positive: {args.instances}")
    async with connected() as cluster:
        app = await cluster.marathon.app(args.id)
        if app["instances"] > 0:
            raise UserError(f"{app['id']} is already started: {app['instances']} instances")
        change = {"instances": args.instances}
        created(await cluster.marathon.update_app(args.id, change, force=args.force))


async def _stop(args: argparse.Namespace) -> None:
    async with connected() as cluster:
        app = await cluster.marathon.app(args.id)
        if app["instances"] == 0:
            raise UserError(f"{app['id']} is already stopped")
        created(await cluster.marathon.update_app(args.id, {"instances": 0}, force=args.force))


async def _restart(args: argparse.Namespace) -> None:
    async with connected() as cluster:
        created(await cluster.marathon.restart_app(args.id, force=args.force))


async def _kill(args: argparse.Namespace) -> None:
    async with connected() as cluster:
        done = await cluster.marathon.kill_app_tasks(args.id, host=args.host, scale=args.scale)
    if "deploymentId" in done:
        print(f"Started deployment: {done['deploymentId']}")
    else:
        print(f"Killed tasks: {' '.join(task['id'] for task in done['tasks']) or 'none'}")


async def _remove(args: argparse.Namespace) -> None:
    async with connected() as cluster:
        await cluster.marathon.delete_app(args.id)


async def _versions(args: argparse.Namespace) -> None:
    if args.max_count is not None and args.max_count <= 0:
        raise UserError("--max-count must be positive")
    async with connected() as cluster:
        versions = await cluster.marathon.app_versions(args.id)
    printing.json(versions[: args.max_count])
