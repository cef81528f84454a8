"""Names of things. A NewType each, so that a task id never passes for an agent id."""

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
