"""What Marathon says about itself: info and metrics."""

from collections import Counter
from typing import Any

from comity import __version__
from comity.marathon.config import Config
from comity.marathon.service_ports import FIRST, LAST
from comity.marathon.state import State
from comity.wire.marathon import ids

Json = dict[str, Any]

API_VERSION = "1.11.24"
"""The Marathon whose interface this is; clients compare it."""


def info(state: State, config: Config, address: tuple[str, int]) -> Json:
    """Return the body of `/v2/info`."""
    host, port = address
    return {
        "name": "marathon",
        "version": API_VERSION,
        "buildref": f"comity-{__version__}",
        "elected": True,
        "leader": f"{host}:{port}",
        "frameworkId": state.framework_id,
        "marathon_config": {
            "checkpoint": True,
            "decline_offer_duration": int(config.decline_s * 1000),
            "executor": "//cmd",
            "failover_timeout": int(config.failover_timeout_s),
            "features": [],
            "framework_name": config.framework_name,
            "ha": False,
            "hostname": host,
            "local_port_max": LAST,
            "local_port_min": FIRST,
            "master": config.master,
            "max_instances_per_offer": config.tasks_per_accept_max,
            "mesos_leader_ui_url": state.master,
            "mesos_role": "*",
            "mesos_user": config.user,
            "reconciliation_interval": int(config.reconcile_s * 1000),
            "task_launch_timeout": int(config.staging_timeout_s * 1000),
            "webui_url": f"http://{host}:{port}",
        },
        "zookeeper_config": {},
        "http_config": {"http_port": port, "https_port": None},
    }


def gauges(state: State) -> dict[str, int]:
    """Return what there is now, by Marathon's metric names."""
    conditions = Counter(one.condition for one in state.instances.values())
    groups = {"/"} | {ids.parent(app_id) for app_id in (*state.apps, *state.pods)}
    return {
        "marathon.apps.active.gauge": len(state.apps),
        "marathon.pods.active.gauge": len(state.pods),
        "marathon.groups.active.gauge": len(groups),
        "marathon.deployments.active.gauge": len(state.deployments),
        "marathon.instances.launch-queue.gauge": sum(state.wanted.values()),
        "marathon.instances.running.gauge": conditions["Running"],
        "marathon.instances.staged.gauge": conditions["Staging"] + conditions["Starting"],
        "marathon.instances.unreachable.gauge": conditions["Unreachable"],
        "marathon.http.event-streams.active.gauge": len(state.readers),
    }


def metrics(state: State) -> Json:
    """Return the body of `/metrics`."""
    return {
        "version": "4.0.0",
        "gauges": {name: {"value": value} for name, value in gauges(state).items()},
        "counters": {},
        "histograms": {},
        "meters": {},
        "timers": {},
    }


def prometheus(state: State) -> str:
    """Return the same for Prometheus."""
    lines = []
    for name, value in gauges(state).items():
        metric = name.replace(".", "_").replace("-", "_")
        lines += [f"# TYPE {metric} gauge", f"{metric} {value}"]
    return "\n".join(lines) + "\n"
