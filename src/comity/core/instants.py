"""Points in time, as every machine sees them: stamped by a shell, never read from a clock."""

from typing import NewType

Instant = NewType("Instant", float)
"""Seconds since the Unix epoch, UTC. A shell never lets it run backwards within one process."""
