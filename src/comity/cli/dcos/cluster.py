"""`dcos cluster`: know several clusters, use one."""

import argparse
import asyncio
from pathlib import Path
from typing import Any

from comity.cli.dcos import auth, parsing, printing, settings
from comity.cli.dcos.session import connected
from comity.cli.dcos.settings import Settings
from comity.core.errors import UserError
from comity.sdk.rest import ApiError, HttpError

completed = parsing.as_given


def parser() -> argparse.ArgumentParser:
    """Return the group's parser."""
    commands = parsing.top(
        "cluster",
        "know several clusters, use one",
        examples="""
        dcos cluster setup http://127.0.0.1:8000
        dcos cluster setup http://127.0.0.1:8000 --username admin --password-file ./admin-password
        dcos cluster list
        dcos cluster attach my-cluster
        """,
    )
    setup = commands.add("setup", _setup, "set up a cluster, log in if it asks, and attach to it")
    setup.add_argument("url", help="where the cluster's gateway is")
    setup.add_argument("--name", default="", help="what to call it here (its host and port)")
    trust = setup.add_mutually_exclusive_group()
    trust.add_argument(
        "--ca-certs", type=Path, metavar="FILE", help="authorities to trust, for https URLs"
    )
    trust.add_argument("--insecure", action="store_true", help="believe any https server")
    auth.add_login_flags(setup)
    listing = commands.add("list", _list, "list the clusters that were set up here")
    listing.add_argument("--attached", action="store_true", help="only the one in use")
    parsing.add_json(listing)
    attach = commands.add("attach", _attach, "use another cluster from now on")
    attach.add_argument("cluster", help="name or id")
    remove = commands.add("remove", _remove, "forget a cluster and its token")
    remove.add_argument("cluster", nargs="?", help="name or id")
    remove.add_argument("--all", action="store_true", help="forget all of them")
    rename = commands.add("rename", _rename, "call a cluster something else")
    rename.add_argument("cluster", help="name or id")
    rename.add_argument("name", help="the new name")
    return commands.parser


async def _setup(args: argparse.Namespace) -> None:
    url = args.url if "://" in args.url else f"http://{args.url}"
    url = url.rstrip("/")
    verify = "false" if args.insecure else str(args.ca_certs.resolve()) if args.ca_certs else None
    async with connected(url, verify=verify) as cluster:
        await cluster.version()
        token = ""
        if await cluster.needs_login():
            token = await auth.login(cluster, args)
    async with connected(url, token, verify) as cluster:
        cluster_id = str((await cluster.metadata())["CLUSTER_ID"])
    held = Settings(settings.home() / "clusters" / _safe(cluster_id))
    core: dict[str, Any] = {**held.values.get("core", {}), "dcos_url": url}
    if token:
        core["dcos_acs_token"] = token
    else:
        core.pop("dcos_acs_token", None)
    if verify is not None:
        core["ssl_verify"] = verify
    else:
        core.pop("ssl_verify", None)
    name = args.name or held.get("cluster.name") or url.partition("://")[2]
    held.values = {**held.values, "core": core, "cluster": {"name": name}}
    held.save()
    held.attach()
    printing.note(f"{name} is set up and attached")


def _safe(cluster_id: str) -> str:
    """A cluster chooses its id; it becomes a directory's name here."""
    if not cluster_id or any(not (char.isalnum() or char in "-_") for char in cluster_id):
        raise UserError(f"the cluster's id {cluster_id!r} is not one")
    return cluster_id


async def _list(args: argparse.Namespace) -> None:
    clusters = [each for each in settings.known() if each.is_attached or not args.attached]
    if args.attached and not clusters:
        raise UserError("no cluster is attached; see `dcos cluster list`")
    rows = await asyncio.gather(*map(_described, clusters))
    if args.json:
        printing.json(rows)
        return
    printing.table(
        ["", "NAME", "ID", "STATUS", "VERSION", "URL"],
        (
            ["*" if row["attached"] else " ", *(row[k] for k in ("name", "cluster_id"))]
            + [row[k] for k in ("status", "version", "url")]
            for row in rows
        ),
    )


async def _described(held: Settings) -> dict[str, Any]:
    url = str(held.get("core.dcos_url") or "")
    row = {
        "attached": held.is_attached,
        "cluster_id": held.id,
        "name": held.name,
        "status": "UNAVAILABLE",
        "url": url,
        "version": "UNKNOWN",
    }
    try:
        async with connected(url, verify=held.get("core.ssl_verify")) as cluster:
            row["version"] = (await cluster.version())["version"]
            row["status"] = "AVAILABLE"
    except (HttpError, ApiError):
        pass  # that it does not answer is what the table says
    return row


def _attach(args: argparse.Namespace) -> None:
    held = settings.find(args.cluster)
    held.attach()
    printing.note(f"{held.name} is attached")


def _remove(args: argparse.Namespace) -> None:
    if bool(args.cluster) == args.all:
        raise UserError("name a cluster, or give --all")
    for held in settings.known() if args.all else [settings.find(args.cluster)]:
        held.remove()
        printing.note(f"{held.name} is forgotten")


def _rename(args: argparse.Namespace) -> None:
    settings.find(args.cluster).set("cluster.name", args.name)
