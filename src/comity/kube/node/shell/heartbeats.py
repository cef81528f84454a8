"""The node's signs of life: its Lease every 10 s, its Node status every 5 minutes or on return.

The Node object is the scheduler's to create; until it is there, we wait.
"""

import asyncio
import logging
import platform
from pathlib import Path

from comity import __version__
from comity.core.instants import Instant
from comity.kube.node import views
from comity.kube.node.shell.api import NodeApi
from comity.kube.node.state import Json, NodeFacts
from comity.runtime.driver import Clock
from comity.sdk.rest import ApiError, HttpError

_log = logging.getLogger(__name__)
_LEASE_S = 10.0
_LEASE_DURATION_S = 40
_STATUS_S = 300.0
_RETRY_S = 1.0
_LEASES = "/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases"
_KUBELET_VERSION = f"v1.32.0+comity-{__version__}"


async def beat(api: NodeApi, facts: NodeFacts, clock: Clock) -> None:
    """Renew the lease and the status, for ever; after a failure both at the next chance."""
    status_due = 0.0
    since = clock.now()
    while True:
        now = clock.now()
        try:
            await _renew(api, facts.name, now)
            if now >= status_due:
                status = node_status(facts, now, since)
                await api.patch_status(f"/api/v1/nodes/{facts.name}", status)
                status_due = now + _STATUS_S
            wait_s = _LEASE_S
        except (ApiError, HttpError) as error:
            _log.warning("node heartbeat: %s; trying again in %g s", error, _RETRY_S)
            # While we were silent, the control plane may have declared the node not ready.
            status_due, since = 0.0, now
            wait_s = _RETRY_S
        await asyncio.sleep(wait_s)


async def _renew(api: NodeApi, node: str, now: Instant) -> None:
    spec = {
        "holderIdentity": node,
        "leaseDurationSeconds": _LEASE_DURATION_S,
        "renewTime": views.rfc3339(now).replace("Z", f".{int(now % 1 * 1e6):06d}Z"),
    }
    try:
        await api.patch(f"{_LEASES}/{node}", {"spec": spec})
    except ApiError as error:
        if error.status != 404:
            raise
        metadata = {"name": node, "namespace": "kube-node-lease"}
        lease = {"kind": "Lease", "apiVersion": "coordination.k8s.io/v1", "metadata": metadata}
        await api.create(_LEASES, {**lease, "spec": spec})


def node_status(facts: NodeFacts, now: Instant, since: Instant) -> Json:
    """Return what this process knows of its node; capacity is the scheduler's to say."""
    good = [
        ("MemoryPressure", "False", "KubeletHasSufficientMemory"),
        ("DiskPressure", "False", "KubeletHasNoDiskPressure"),
        ("PIDPressure", "False", "KubeletHasSufficientPID"),
        ("Ready", "True", "KubeletReady"),
    ]
    return {
        "conditions": [
            {
                "type": kind,
                "status": status,
                "reason": reason,
                "message": "the node executor runs",
                "lastHeartbeatTime": views.rfc3339(now),
                "lastTransitionTime": views.rfc3339(since),
            }
            for kind, status, reason in good
        ],
        "addresses": [
            {"type": "InternalIP", "address": facts.ip},
            {"type": "Hostname", "address": facts.name},
        ],
        "daemonEndpoints": {"kubeletEndpoint": {"Port": facts.kubelet_port}},
        "nodeInfo": _node_info(),
    }


def _node_info() -> Json:
    machine = {"x86_64": "amd64", "aarch64": "arm64"}.get(platform.machine(), platform.machine())
    return {
        "architecture": machine,
        "operatingSystem": platform.system().lower(),
        "kernelVersion": platform.release(),
        "osImage": _os_image(),
        "containerRuntimeVersion": f"comity://{__version__}",
        "kubeletVersion": _KUBELET_VERSION,
        "kubeProxyVersion": "",
        "machineID": _line("/etc/machine-id"),
        "bootID": _line("/proc/sys/kernel/random/boot_id"),
        "systemUUID": "",
    }


def _os_image() -> str:
    try:
        return platform.freedesktop_os_release().get("PRETTY_NAME", "Linux")
    except OSError:
        return platform.system()


def _line(path: str) -> str:
    try:
        return Path(path).read_text(encoding="ascii").strip()
    except OSError:
        return ""  # not every system has it
