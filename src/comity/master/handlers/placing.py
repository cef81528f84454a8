"""Where something is launched."""

from dataclasses import dataclass, field

from comity.master.state import Agent
from comity.resources.amounts import NOTHING, Resources


@dataclass(slots=True)
class Place:
    """Where tasks are launched, and what is left there."""

    agent: Agent
    role: str
    remaining: Resources
    resized: Resources = NOTHING
    """Volumes that grew or shrank: for the next offer."""
    dropped: list[str] = field(default_factory=list)
    """Which operations or tasks were not performed, and why."""
