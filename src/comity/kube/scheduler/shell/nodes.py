"""Node objects of agents: created by the scheduler, kept by it while no executor runs."""

import re
from typing import Any

from comity.kube.scheduler.outbox import EnsureNode, MarkNode
from comity.kube.scheduler.state import AGENT_ANNOTATION, ATTRIBUTE_LABEL, PORT_ANNOTATION
from comity.runtime.driver import Clock
from comity.runtime.http import Client
from comity.sdk.kubernetes import Api
from comity.sdk.rest import ApiError, Rest
from comity.wire.kubernetes import timestamps
from comity.wire.mesos import v1

Json = dict[str, Any]
_PODS_MAX = "110"


class Nodes:
    """Writes Node objects, with what the master knows of the agents."""

    def __init__(self, api: Api, master_url: str, client: Client, clock: Clock) -> None:
        self._api = api
        self._master = Rest(master_url, client)
        self._clock = clock

    async def ensure(self, effect: EnsureNode) -> None:
        """Create an agent's Node, or bring it up to date."""
        offer = effect.offer
        agent = await self._agent(offer.agent_id.value)
        if agent is None:
            return
        name = offer.hostname
        labels = _labels(offer)
        annotations: dict[str, str | None] = {
            AGENT_ANNOTATION: offer.agent_id.value,
            PORT_ANNOTATION: str(effect.kubelet_port),
            **_told(offer),
        }
        metadata = {"name": name, "labels": labels, "annotations": annotations}
        try:
            held = await self._api.get("nodes", ("", name))
        except ApiError as error:
            if error.status != 404:
                raise
            given = {name: text for name, text in annotations.items() if text is not None}
            held = await self._api.create("nodes", {"metadata": metadata | {"annotations": given}})
        else:
            await self._api.patch("nodes", ("", name), {"metadata": metadata})
        status = self._status(held, offer, agent["resources"])
        await self._api.patch("nodes", ("", name), {"status": status}, "status")

    async def _agent(self, agent_id: str) -> Json | None:
        found = await self._master.call("GET", "/slaves", query={"slave_id": agent_id})
        agents = found["slaves"]
        return agents[0] if agents else None

    def _status(self, held: Json, offer: v1.Offer, total: Json) -> Json:
        capacity = {
            "cpu": f"{round(total['cpus'] * 1000)}m",
            "memory": f"{round(total['mem'])}Mi",
            "ephemeral-storage": f"{round(total['disk'])}Mi",
            "pods": _PODS_MAX,
        }
        address = offer.url.address if offer.url is not None else None
        ip = address.ip if address is not None else None
        old = held.get("status") or {}
        return {
            "capacity": capacity,
            "allocatable": capacity,
            "addresses": [
                {"type": "InternalIP", "address": ip or offer.hostname},
                {"type": "Hostname", "address": offer.hostname},
            ],
            "conditions": self._conditions(
                old, is_ready=True, message="the agent offers resources"
            ),
        }

    def _conditions(self, status: Json, *, is_ready: bool, message: str) -> list[Json]:
        now = timestamps.render(self._clock.now())
        held = status.get("conditions") or []
        ready = {
            "type": "Ready",
            "status": "True" if is_ready else "Unknown",
            "reason": "AgentRegistered" if is_ready else "NodeStatusUnknown",
            "message": message,
            "lastHeartbeatTime": now,
            "lastTransitionTime": now,
        }
        return [*(each for each in held if each["type"] != "Ready"), ready]

    async def mark(self, effect: MarkNode) -> None:
        """Say on a Node whether its agent is there."""
        held = await self._api.get("nodes", ("", effect.name))
        conditions = self._conditions(
            held.get("status") or {}, is_ready=effect.is_ready, message=effect.message
        )
        change = {"status": {"conditions": conditions}}
        await self._api.patch("nodes", ("", effect.name), change, "status")


def _told(offer: v1.Offer) -> dict[str, str | None]:
    """Return why this agent cannot do what others can; None takes an older reason away."""
    found: dict[str, str | None] = dict.fromkeys(
        f"{ATTRIBUTE_LABEL}comity_{what}_missing" for what in _MISSING
    )
    for one in offer.attributes:
        if one.text is not None and f"{ATTRIBUTE_LABEL}{one.name}" in found:
            found[f"{ATTRIBUTE_LABEL}{one.name}"] = one.text.value
    return found


_MISSING = ("images", "network", "network_ipv6", "cni", "limits", "seccomp", "users")
_LABEL_VALUE = re.compile(r"([A-Za-z0-9]([A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?)?")
"""What Kubernetes takes as a label's value; attributes that say more are not labels."""


def _labels(offer: v1.Offer) -> dict[str, str]:
    labels = {
        "kubernetes.io/hostname": offer.hostname,
        "kubernetes.io/os": "linux",
        "kubernetes.io/arch": "amd64",
    }
    for one in offer.attributes:
        if one.text is not None and _LABEL_VALUE.fullmatch(one.text.value):
            labels[f"{ATTRIBUTE_LABEL}{one.name}"] = one.text.value
        elif one.scalar is not None:
            labels[f"{ATTRIBUTE_LABEL}{one.name}"] = f"{one.scalar.value:g}"
    return labels
