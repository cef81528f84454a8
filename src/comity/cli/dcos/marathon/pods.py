"""`dcos marathon pod`."""

import argparse
from typing import Any

from comity.cli.dcos import parsing, printing
from comity.cli.dcos.marathon.apps import created
from comity.cli.dcos.reading import json_input
from comity.cli.dcos.session import connected
from comity.core.errors import UserError

Json = dict[str, Any]


def add_to(commands: parsing.Commands) -> None:
    """Add the group's commands."""
    pod = commands.group(
        "pod",
        "pods: several containers together",
        examples="""
        dcos marathon pod add pod.json
        dcos marathon pod show /site
        dcos marathon pod update /site < pod.json
        dcos marathon pod kill /site INSTANCE
        dcos marathon pod remove /site
        """,
    )
    add = pod.add("add", _add, "run a new pod, from a JSON file or from stdin")
    add.add_argument("file", nargs="?", help="JSON of the pod")
    listing = pod.add("list", _list, "list the pods")
    parsing.add_json(listing)
    parsing.add_quiet(listing)
    show = pod.add("show", _show, "print a pod and what its instances do")
    show.add_argument("id")
    update = pod.add("update", _update, "replace a pod's definition by JSON on stdin")
    update.add_argument("id")
    parsing.add_force(update)
    remove = pod.add("remove", _remove, "remove a pod and its instances")
    remove.add_argument("id")
    parsing.add_force(remove)
    kill = pod.add("kill", _kill, "kill instances of a pod; new ones take their place")
    kill.add_argument("id")
    kill.add_argument("instances", nargs="+", metavar="instance")


async def _add(args: argparse.Namespace) -> None:
    pod = json_input(args.file)
    async with connected() as cluster:
        created({"deploymentId": await cluster.marathon.create_pod(pod)})


async def _list(args: argparse.Namespace) -> None:
    async with connected() as cluster:
        pods = sorted(await cluster.marathon.pod_statuses(), key=lambda pod: str(pod["id"]))
        if args.json:
            printing.json(pods)
        elif args.quiet:
            printing.lines(pod["id"] for pod in pods)
        else:
            _print_table(pods, await cluster.marathon.queue())


def _print_table(pods: list[Json], queue: list[Json]) -> None:
    overdue = {
        item["pod"]["id"]
        for item in queue
        if "pod" in item and (item.get("delay") or {}).get("overdue")
    }
    heads = ["ID", "CONTAINERS", "INSTANCES", "STATUS", "STATUS SINCE", "WAITING", "VERSION"]
    printing.table(
        heads,
        (
            [
                pod["id"],
                ",".join(container["name"] for container in pod["spec"]["containers"]),
                f"{len(pod.get('instances') or [])}/{pod['spec']['scaling']['instances']}",
                pod["status"],
                pod["statusSince"],
                "true" if pod["id"] in overdue else "false",
                pod["spec"].get("version"),
            ]
            for pod in pods
        ),
    )


async def _show(args: argparse.Namespace) -> None:
    async with connected() as cluster:
        printing.json(await cluster.marathon.pod_status(args.id))


async def _update(args: argparse.Namespace) -> None:
    pod = json_input(None)
    async with connected() as cluster:
        await cluster.marathon.pod_status(args.id)  # PUT would create a pod that is not there
        deployment_id = await cluster.marathon.update_pod(args.id, pod, force=args.force)
    created({"deploymentId": deployment_id})


async def _remove(args: argparse.Namespace) -> None:
    async with connected() as cluster:
        await cluster.marathon.delete_pod(args.id, force=args.force)


async def _kill(args: argparse.Namespace) -> None:
    async with connected() as cluster:
        killed = await cluster.marathon.kill_pod_instances(args.id, args.instances)
    found = {one["instanceId"] for one in killed}
    print(f"Killed instances: {' '.join(sorted(found)) or 'none'}")
    if unknown := [one for one in args.instances if one not in found]:
        raise UserError(f"these instances do not exist: {' '.join(unknown)}")
