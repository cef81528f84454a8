"""`dcos node`: the machines."""

import argparse
from typing import Any
from urllib.parse import urlsplit

from comity.cli.dcos import parsing, printing
from comity.cli.dcos.session import connected

completed = parsing.or_list(("list",))

Json = dict[str, Any]


def parser() -> argparse.ArgumentParser:
    """Return the group's parser."""
    commands = parsing.top(
        "node",
        "the machines",
        examples="""
        dcos node list
        dcos node list --json
        """,
    )
    listing = commands.add("list", _list, "list the masters and agents")
    listing.add_argument("--mesos-id", default="", help="only the node with this id")
    parsing.add_json(listing)
    return commands.parser


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
        status = "DEACTIVATED"
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
