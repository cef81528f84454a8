"""`dcos marathon`: apps and pods, their tasks and deployments."""

import argparse

from comity.cli.dcos import parsing, printing
from comity.cli.dcos.marathon import apps, deployments, pods, tasks
from comity.cli.dcos.session import connected

completed = parsing.as_given


def parser() -> argparse.ArgumentParser:
    """Return the group's parser."""
    commands = parsing.top(
        "marathon",
        "apps and pods, their tasks and deployments",
        examples="""
        dcos marathon app add app.json
        dcos marathon app list
        dcos marathon app update /web instances=3
        dcos marathon pod add pod.json
        dcos marathon deployment watch ID
        dcos marathon task list /web
        """,
    )
    apps.add_to(commands)
    pods.add_to(commands)
    tasks.add_to(commands)
    deployments.add_to(commands)
    group = commands.group("group", "groups of apps")
    listing = group.add("list", _groups, "list the groups")
    parsing.add_json(listing)
    commands.add("about", _about, "print what this Marathon says about itself")
    commands.add("ping", _ping, "ask whether Marathon answers")
    return commands.parser


async def _about(args: argparse.Namespace) -> None:
    async with connected() as cluster:
        printing.json(await cluster.marathon.info())


async def _ping(args: argparse.Namespace) -> None:
    async with connected() as cluster:
        answer = await cluster.marathon.ping()
    print(f"Marathon ping response: {answer}")


async def _groups(args: argparse.Namespace) -> None:
    async with connected() as cluster:
        root = await cluster.marathon.groups()
    if args.json:
        printing.json(root.get("groups", []))
        return
    rows = []
    waiting = list(root.get("groups", []))
    while waiting:
        group = waiting.pop(0)
        waiting += group.get("groups", [])
        rows.append([group["id"], len(group.get("apps", [])), len(group.get("pods", []))])
    printing.table(["ID", "APPS", "PODS"], sorted(rows))
