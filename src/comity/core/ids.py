"""Names of things. A NewType each, so that a task id never passes for an agent id."""

import random
from typing import NewType

FrameworkId = NewType("FrameworkId", str)
"""`<master uuid>-0000`, or what the framework chose for itself."""

AgentId = NewType("AgentId", str)
"""`<master uuid>-S<n>`."""

OfferId = NewType("OfferId", str)
"""`<master uuid>-O<n>`."""

TaskId = NewType("TaskId", str)
"""Chosen by the framework; unique within it."""

ExecutorId = NewType("ExecutorId", str)
"""Chosen by the framework; a command task's executor has the task's id."""

ContainerId = NewType("ContainerId", str)
"""Chosen by the agent, or by the client of its container API; nested ones join with dots."""


def uuid_from(chance: random.Random) -> bytes:
    """Return 16 random bytes in the form of a version 4 UUID."""
    raw = bytearray(chance.randbytes(16))
    raw[6] = raw[6] & 0x0F | 0x40
    raw[8] = raw[8] & 0x3F | 0x80
    return bytes(raw)
