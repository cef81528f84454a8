"""`dcos node`: the machines."""

import argparse
import re
from typing import Any
from urllib.parse import urlsplit

from comity.cli.dcos import parsing, printing, waiting
from comity.cli.dcos.session import connected

completed = parsing.or_list(("list", "drain", "deactivate", "reactivate", "decommission"))

Json = dict[str, Any]


def parser() -> argparse.ArgumentParser:
    """Return the group's parser."""
    commands = parsing.top(
        "node",
        "the machines",
        examples="""
        dcos node list
        dcos node list --json
        dcos node drain ID --max-grace-period 10m --wait
        dcos node reactivate ID
        dcos node decommission ID
        """,
    )
    listing = commands.add("list", _list, "list the masters and agents")
    listing.add_argument("--mesos-id", default="", help="only the node with this id")
    parsing.add_json(listing)
    draining = commands.add("drain", _drain, "kill what runs on an agent, and offer it no more")
    draining.add_argument("id", help="the agent's id")
    draining.add_argument(
        "--max-grace-period",
        type=_seconds,
        metavar="DURATION",
        help="what tasks have at most to end by themselves, such as 30s or 1h30m",
    )
    draining.add_argument(
        "--decommission", action="store_true", help="mark it gone for good when it is empty"
    )
    draining.add_argument("--wait", action="store_true", help="until it is empty")
    for name, kind, about in _CHANGES:
        command = commands.add(name, _change, about)
        command.add_argument("id", help="the agent's id")
        command.set_defaults(kind=kind)
    return commands.parser


_CHANGES = (
    ("deactivate", "DEACTIVATE_AGENT", "offer an agent no more; what runs there goes on"),
    ("reactivate", "REACTIVATE_AGENT", "offer an agent again"),
    ("decommission", "MARK_AGENT_GONE", "give an agent up for good"),
)

_SPANS = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001}


def _seconds(text: str) -> float:
    parts = re.findall(r"([0-9]+(?:\.[0-9]+)?)(ms|h|m|s)", text)
    if not parts or "".join(number + unit for number, unit in parts) != text:
        raise argparse.ArgumentTypeError(f"{text!r} is no duration such as 30s or 1h30m")
    return sum(float(number) * _SPANS[unit] for number, unit in parts)


async def _drain(args: argparse.Namespace) -> None:
    body: Json = {"agent_id": {"value": args.id}, "mark_gone": args.decommission}
    if args.max_grace_period is not None:
        seconds, rest = divmod(args.max_grace_period, 1)
        body["max_grace_period"] = {"seconds": int(seconds), "nanos": int(rest * 1e9)}
    async with connected() as cluster:
        await cluster.master.operate("DRAIN_AGENT", body)
        if args.wait:
            printing.note(f"waiting until nothing runs on {args.id} any more")
            await waiting.until_drained(cluster.master, args.id)


async def _change(args: argparse.Namespace) -> None:
    async with connected() as cluster:
        body = {"agent_id": {"value": args.id}}
        await cluster.master.operate(args.kind, body)


async def _list(args: argparse.Namespace) -> None:
    async with connected() as cluster:
        state = await cluster.master.state()
    nodes = [_agent(each) for each in state.get("slaves", [])]
    nodes.sort(key=lambda node: (str(node["hostname"]), str(node["id"])))
    nodes.append(_master(state))
    nodes = [node for node in nodes if args.mesos_id in ("", node["id"])]
    if args.json:
        printing.json(nodes)
        return
    heads = ["HOSTNAME", "IP", "PUBLIC IP(S)", "ID", "TYPE", "STATUS", "REGION", "ZONE"]
    printing.table([*heads, "CPUS", "MEM", "IMAGES"], (_row(node) for node in nodes))


def _agent(agent: Json) -> Json:
    fault_domain = (agent.get("domain") or {}).get("fault_domain") or {}
    status = "ACTIVE" if agent.get("active", True) else "INACTIVE"
    if agent.get("deactivated"):
        drain = agent.get("drain_info") or {}
        status = str(drain.get("state") or "DEACTIVATED")
    public = str((agent.get("attributes") or {}).get("public_ip", "")) == "true"
    return {
        **agent,
        "ip": str(agent.get("pid", "")).partition("@")[2].rpartition(":")[0],
        "public_ips": [],
        "type": "agent (public)" if public else "agent",
        "status": status,
        "region": (fault_domain.get("region") or {}).get("name", ""),
        "zone": (fault_domain.get("zone") or {}).get("name", ""),
    }


def _master(state: Json) -> Json:
    leader = state.get("leader_info") or {}
    host = leader.get("hostname") or state.get("hostname") or ""
    address = str(state.get("pid", "")).partition("@")[2]
    return {
        "hostname": host,
        "ip": urlsplit(f"//{address}").hostname or host,
        "public_ips": [],
        "id": state.get("id", ""),
        "type": "master (leader)",
        "status": "",
        "version": state.get("version", ""),
        "region": "",
        "zone": "",
    }


def _row(node: Json) -> list[Any]:
    used, total = node.get("used_resources") or {}, node.get("resources") or {}
    images = (node.get("attributes") or {}).get("comity_images", "")
    return [
        node["hostname"],
        node["ip"],
        ", ".join(node["public_ips"]),
        node["id"],
        node["type"],
        node["status"],
        node["region"] or "N/A",
        node["zone"] or "N/A",
        *(f"{used.get(n, 0):g}/{total[n]:g}" if n in total else "" for n in ("cpus", "mem")),
        images,
    ]
