"""`dcos quota`: how much of the cluster a role may use."""

import argparse
from typing import Any

from comity.cli.dcos import parsing, printing
from comity.cli.dcos.session import connected
from comity.core.errors import UserError
from comity.sdk.mesos import Master

completed = parsing.or_list(("create", "delete", "get", "list", "update"))

Json = dict[str, Any]

_OPTIONS = {
    "cpus": ("--cpu", "number of CPUs"),
    "mem": ("--mem", "memory in MiB"),
    "disk": ("--disk", "disk in MiB"),
    "gpus": ("--gpu", "number of GPUs"),
}


def parser() -> argparse.ArgumentParser:
    """Return the group's parser."""
    commands = parsing.top(
        "quota",
        "how much of the cluster a role may use",
        examples="""
        dcos quota list
        dcos quota create dev --cpu 10 --mem 8192
        dcos quota update dev --cpu 20
        dcos quota delete dev
        """,
    )
    listing = commands.add("list", _list, "list the quotas")
    parsing.add_json(listing)
    getting = commands.add("get", _get, "show one quota")
    getting.add_argument("name", help="the role; a top-level group has the role of its name")
    parsing.add_json(getting)
    creating = commands.add("create", _create, "limit what a role may use")
    updating = commands.add("update", _update, "change limits; those not named stay")
    for command in (creating, updating):
        command.add_argument("name", help="the role; a top-level group has the role of its name")
        for name, (option, about) in _OPTIONS.items():
            command.add_argument(option, dest=name, type=_amount, help=about, metavar="N")
        command.add_argument(
            "--force", action="store_true", help="also when the role uses more than that by now"
        )
    deleting = commands.add("delete", _delete, "let a role use what there is")
    deleting.add_argument("name", help="the role")
    return commands.parser


def _amount(text: str) -> float:
    amount = float(text)
    if not 0 <= amount < float("inf"):
        raise argparse.ArgumentTypeError(f"{text!r} is no amount")
    return amount


async def _quotas(master: Master) -> dict[str, Json]:
    """Return the quotas that were set, by role."""
    quotas = (role.get("quota") or {} for role in await master.roles())
    return {one["role"]: one for one in quotas if one.get("limit") or one.get("guarantee")}


async def _list(args: argparse.Namespace) -> None:
    async with connected() as cluster:
        quotas = await _quotas(cluster.master)
    if args.json:
        printing.json(list(quotas.values()))
        return
    heads = ["NAME", "CPU CONSUMED", "MEMORY CONSUMED", "DISK CONSUMED", "GPU CONSUMED"]
    printing.table(
        heads, ([name, *(_share(one, kind) for kind in _OPTIONS)] for name, one in quotas.items())
    )


def _share(quota: Json, kind: str) -> str:
    limit = quota["limit"].get(kind)
    if limit is None:
        return "No limit"
    consumed = quota["consumed"].get(kind, 0.0)
    percent = f"{100 * consumed / limit:.2f}% " if limit else ""
    unit = "MiB" if kind in ("mem", "disk") else "Cores"
    return f"{percent}({printing.number(consumed)} of {printing.number(limit)} {unit})"


async def _get(args: argparse.Namespace) -> None:
    async with connected() as cluster:
        quota = _found(await _quotas(cluster.master), args.name)
    if args.json:
        printing.json(quota)
        return
    names = sorted({*quota["limit"], *quota["guarantee"]})
    printing.table(
        ["RESOURCE", "CONSUMPTION", "LIMIT", "GUARANTEE"],
        (
            [name, *(quota[part].get(name) for part in ("consumed", "limit", "guarantee"))]
            for name in names
        ),
    )


def _found(quotas: dict[str, Json], name: str) -> Json:
    if name not in quotas:
        raise UserError(f"there is no quota {name!r}; `dcos quota list` shows them")
    return quotas[name]


def _asked(args: argparse.Namespace) -> Json:
    limits = {name: getattr(args, name) for name in _OPTIONS if getattr(args, name) is not None}
    if not limits:
        options = ", ".join(option for option, _ in _OPTIONS.values())
        raise UserError(f"name at least one limit: {options}")
    return limits


async def _create(args: argparse.Namespace) -> None:
    limits = _asked(args)
    async with connected() as cluster:
        if args.name in await _quotas(cluster.master):
            raise UserError(f"{args.name!r} has a quota; change it with `dcos quota update`")
        await _write(cluster.master, args.name, limits, {}, force=args.force)


async def _update(args: argparse.Namespace) -> None:
    limits = _asked(args)
    async with connected() as cluster:
        held = _found(await _quotas(cluster.master), args.name)
        merged = {**held["limit"], **limits}
        await _write(cluster.master, args.name, merged, held["guarantee"], force=args.force)


async def _delete(args: argparse.Namespace) -> None:
    async with connected() as cluster:
        _found(await _quotas(cluster.master), args.name)
        await _write(cluster.master, args.name, {}, {}, force=False)


async def _write(master: Master, role: str, limits: Json, guarantees: Json, *, force: bool) -> None:
    config = {
        "role": role,
        "limits": {name: {"value": amount} for name, amount in limits.items()},
        "guarantees": {name: {"value": amount} for name, amount in guarantees.items()},
    }
    await master.operate("UPDATE_QUOTA", {"force": force, "quota_configs": [config]})
