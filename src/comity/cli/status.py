"""`comity status`: say what a cluster started by `comity up` is doing.

Exits with 0 when all of it runs, 1 when something does not, 3 when there is no cluster.
"""

import argparse
import json
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from comity.cli.cluster import plan, probes, record, workdir
from comity.cli.cluster.addresses import Address
from comity.cli.cluster.record import Entry, Record
from comity.core.errors import UserError

NO_CLUSTER = 3


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code."""
    parser = argparse.ArgumentParser(
        prog="comity status", description="Say what a cluster started by `comity up` is doing."
    )
    parser.add_argument("--work-dir", default=workdir.DEFAULT, help="as given to `comity up`")
    parser.add_argument("--json", action="store_true", help="print a JSON document")
    arguments = parser.parse_args(argv)
    path = Path(arguments.work_dir).expanduser().absolute()
    found = record.load(path) if workdir.is_ours(path) else None
    if found is None:
        raise UserError(
            f"there is no cluster in {path}; `{workdir.command('up', path)}` starts one",
            exit_code=NO_CLUSTER,
        )
    report = describe(path, found)
    print(json.dumps(report, indent=2) if arguments.json else render(report))
    return 0 if report["state"] == "running" else 1


def describe(path: Path, found: Record) -> dict[str, Any]:
    """Return the report: what was recorded, corrected by what is seen now."""
    supervised = workdir.is_busy(path)
    components = [_component(entry, time.time()) for entry in found.entries]
    state = found.state if supervised or found.state == "stopped" else "abandoned"
    if state == "running" and any(item["state"] != "running" for item in components):
        state = "degraded"
    return {
        "state": state,
        "work_dir": str(path),
        "name": found.options.get("name", ""),
        "supervisor": workdir.holder(path) if supervised else 0,
        "components": components,
        "resources": _resources(found) if state in ("running", "degraded") else None,
    }


def _component(entry: Entry, now: float) -> dict[str, Any]:
    alive = entry.process.is_alive()
    lost = not alive and entry.state in ("starting", "running")
    return {
        "name": entry.name,
        "state": "dead" if lost else entry.state,
        "pid": entry.process.pid if alive else 0,
        "url": entry.url,
        "restarts": entry.restarts,
        "up_s": round(now - entry.since, 1) if alive else 0,
    }


def _resources(found: Record) -> dict[str, Any] | None:
    """Return the master's totals; None while it does not answer."""
    master = next(entry for entry in found.entries if plan.kind_of(entry.name) == "master")
    try:
        summary = probes.get_json(Address.of_url(master.url), "/state-summary")
    except OSError:
        return None
    agents = summary["slaves"]
    total = {name: _sum(agents, "resources", name) for name in ("cpus", "mem", "disk")}
    used = {name: _sum(agents, "used_resources", name) for name in total}
    running = sum(agent.get("TASK_RUNNING", 0) for agent in agents)
    return {"agents": len(agents), "running_tasks": running, "total": total, "used": used}


def _sum(agents: list[dict[str, Any]], field: str, name: str) -> float:
    return round(sum(float(agent.get(field, {}).get(name, 0)) for agent in agents), 3)


def render(report: dict[str, Any]) -> str:
    """Return the report as people read it."""
    lines = [f"cluster {report['name']} in {report['work_dir']}: {report['state']}"]
    if report["state"] == "abandoned":
        up, down = (workdir.command(verb, Path(report["work_dir"])) for verb in ("up", "down"))
        lines.append(f"its supervisor is gone; `{up}` takes over what still runs, `{down}` ends it")
    rows = [("COMPONENT", "STATE", "PID", "RESTARTS", "UP", "URL")]
    for item in report["components"]:
        up = f"{item['up_s']:.0f}s"
        pid = str(item["pid"] or "-")
        rows.append((item["name"], item["state"], pid, str(item["restarts"]), up, item["url"]))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines += [
        "  ".join(f"{cell:{width}}" for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]
    if report["resources"]:
        lines.append(_usage(report["resources"]))
    return "\n".join(lines)


def _usage(resources: dict[str, Any]) -> str:
    parts = [
        f"{name} {resources['used'][name]:g} of {resources['total'][name]:g}"
        for name in ("cpus", "mem", "disk")
    ]
    return (
        f"agents {resources['agents']}, running tasks {resources['running_tasks']}, used: "
        + ", ".join(parts)
    )
