"""`dcos image`: the container images that an agent keeps."""

import argparse
import asyncio
import contextlib
import time
from typing import Any

from comity.cli.dcos import parsing, printing
from comity.cli.dcos.session import connected
from comity.sdk.mesos import Agent

completed = parsing.or_list(("list", "pull", "prune"))

Json = dict[str, Any]

_LOOK_S = 0.5


def parser() -> argparse.ArgumentParser:
    """Return the group's parser."""
    commands = parsing.top(
        "image",
        "the container images that an agent keeps",
        examples="""
        dcos image list --node ID
        dcos image list --node ID --json
        dcos image pull --node ID busybox:1.36
        dcos image prune --node ID --keep busybox:1.36 --json
        """,
    )
    listing = commands.add("list", _list, "list an agent's images, and what it is pulling")
    pulling = commands.add("pull", _pull, "fetch an image before a task asks for it")
    pulling.add_argument("name", help="registry/name:tag, or registry/name@digest")
    pruning = commands.add("prune", _prune, "remove the images that nothing uses")
    pruning.add_argument(
        "--keep", action="append", default=[], metavar="NAME", help="an image that is to stay"
    )
    for command in (listing, pulling, pruning):
        command.add_argument("--node", required=True, metavar="ID", help="the agent's id")
        parsing.add_json(command)
    return commands.parser


async def _list(args: argparse.Namespace) -> None:
    async with connected() as cluster:
        found = await cluster.agent(args.node).images()
    if args.json:
        printing.json(found)
        return
    now = time.time()
    rows = [
        (
            one["name"],
            one["digest"].removeprefix("sha256:")[:12],
            str(one["layers"]),
            _size(one["size_bytes"]),
            f"{max(0.0, now - one['used_at']):.0f} s ago",
            "yes" if one["in_use"] else "no",
        )
        for one in found["images"]
    ]
    printing.table(("NAME", "DIGEST", "LAYERS", "SIZE", "USED", "IN USE"), rows)
    for one in found["pulls"]:
        printing.note(_progress(one))


async def _pull(args: argparse.Namespace) -> None:
    async with connected() as cluster:
        agent = cluster.agent(args.node)
        telling = asyncio.create_task(_tell(agent, args.name))
        try:
            found = await agent.pull(args.name)
        finally:
            telling.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await telling
    if args.json:
        printing.json(found)
    else:
        printing.note(f"{args.name} is on {args.node}")


async def _tell(agent: Agent, name: str) -> None:
    """Say how far a pull is, until cancelled."""
    while True:
        await asyncio.sleep(_LOOK_S)
        for one in (await agent.images())["pulls"]:
            if one["name"] == name:
                printing.note(_progress(one))


async def _prune(args: argparse.Namespace) -> None:
    async with connected() as cluster:
        agent = cluster.agent(args.node)
        before = await agent.images()
        excluded = [{"type": "DOCKER", "docker": {"name": name}} for name in args.keep]
        await agent.operate("PRUNE_IMAGES", {"excluded_images": excluded})
        after = {one["name"] for one in (await agent.images())["images"]}
    gone = [one for one in before["images"] if one["name"] not in after]
    if args.json:
        printing.json({"removed": gone})
        return
    for one in gone:
        printing.note(f"removed {one['name']} ({_size(one['size_bytes'])})")
    if not gone:
        printing.note("nothing to remove: every image is used or to be kept")


def _progress(one: Json) -> str:
    total = _size(one["total_bytes"]) if one["total_bytes"] else "?"
    return f"pulling {one['name']}: {_size(one['done_bytes'])} of {total}"


def _size(count: int) -> str:
    size = float(count)
    for unit in ("B", "KB", "MB"):
        if size < 1000:
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:.1f} GB"
