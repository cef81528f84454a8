"""The node machine: the pods of one agent, input by input."""

from typing import Any

from comity.core.effects import Outbox
from comity.core.instants import Instant
from comity.kube.node.handlers import containers, images, pods, probes, shutdowns, table
from comity.kube.node.outbox import Exit
from comity.kube.node.state import NodeFacts, State

__all__ = ["NodeMachine", "containers", "images", "pods", "probes", "shutdowns"]


class NodeMachine:
    """Steps the node's state."""

    def __init__(self, facts: NodeFacts) -> None:
        self.state = State(facts)

    def step(self, item: Any, now: Instant, out: Outbox) -> None:
        """Handle one input. When we are told to stop, the last container's end is ours."""
        table.step(self.state, item, now, out)
        if self.state.stopping and not self._is_any_live():
            out.launches.append(Exit())

    def _is_any_live(self) -> bool:
        return any(
            container.is_live for pod in self.state.pods.values() for container in pod.containers
        )
