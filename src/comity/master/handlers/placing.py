"""Where something is launched."""

from dataclasses import dataclass, field

from comity.master.state import Agent
from comity.resources.amounts import Resources


@dataclass(slots=True)
class Place:
    """Where tasks are launched, and what is left there."""

    agent: Agent
    role: str
    remaining: Resources
    dropped: list[str] = field(default_factory=list)
    """Which operations or tasks were not performed, and why."""
