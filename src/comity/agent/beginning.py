"""How an agent's machine is made: by its shell, and again when a journal is replayed."""

import random

from msgspec import Struct

from comity.agent.config import AgentConfig
from comity.agent.machine import Agent
from comity.agent.state import State
from comity.core.instants import Instant
from comity.wire.mesos import resources, v1


class Start(Struct, kw_only=True):
    """What an agent is made of, beside its checkpoints, the time and a seed."""

    config: AgentConfig
    info: v1.AgentInfo
    resources: tuple[v1.Resource, ...]
    """What it has by its settings and by detection."""


def begin(start: Start, stored: list[tuple[str, bytes]], now: Instant, seed: int) -> Agent:
    """Return an agent that has read its checkpoints."""
    total = resources.read(start.resources)
    state = State(
        config=start.config,
        info=start.info,
        ip=start.config.ip,
        chance=random.Random(seed),  # noqa: S311 - makes ids, guards nothing
        started_at=now,
        configured=total,
        total=total,
    )
    agent = Agent(state)
    agent.recover(stored)
    return agent
