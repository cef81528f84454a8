"""Runs the scheduler: `running` keeps both connections, `acting` does the effects."""

from comity.kube.scheduler.shell.running import Access, run

__all__ = ["Access", "run"]
