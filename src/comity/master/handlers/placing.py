"""Where something is launched."""

from dataclasses import dataclass

from comity.master.state import Agent
from comity.resources.amounts import Resources


@dataclass(slots=True)
class Place:
    """Where tasks are launched, and what is left there."""

    agent: Agent
    role: str
    remaining: Resources
