"""What only an agent's shell can measure: what containers use; fetches, pulls, deleted sandboxes.

The names are those of Mesos's metrics (mesos docs/monitoring.md).
"""

from comity.agent.shell.acting import Actor
from comity.agent.shell.sandboxes import DiskWatcher, SandboxCollector
from comity.agent.state import Container
from comity.runtime.containers.containerizer import Containerizer


class Measures:
    """The measures of one agent, taken where each is known."""

    def __init__(
        self,
        containerizer: Containerizer,
        actor: Actor,
        disks: DiskWatcher,
        sandboxes: SandboxCollector,
    ) -> None:
        self._containerizer = containerizer
        self._actor = actor
        self._disks = disks
        self._sandboxes = sandboxes

    def of(self, one: Container) -> dict[str, float]:
        """Return a container's numbers by Mesos's names (ResourceStatistics)."""
        found = self._containerizer.usage(one.id, one.pid)
        if one.id in self._disks.used:
            found["disk_used_bytes"] = self._disks.used[one.id]
        return found

    def counters(self) -> dict[str, float]:
        """Return what only grows."""
        return {
            "containerizer/fetcher/task_fetches_succeeded": float(self._actor.fetches_succeeded),
            "containerizer/fetcher/task_fetches_failed": float(self._actor.fetches_failed),
            "gc/path_removals_succeeded": float(self._sandboxes.removed),
            "gc/path_removals_failed": float(self._sandboxes.not_removed),
        }

    def gauges(self) -> dict[str, float]:
        """Return what goes up and down; durations of pulls once there was one."""
        cache, oci = self._actor.cache, self._containerizer.oci
        shown = {
            "containerizer/fetcher/cache_size_total_bytes": float(cache.size_max),
            "containerizer/fetcher/cache_size_used_bytes": float(cache.size),
            "gc/path_removals_pending": float(self._sandboxes.pending),
            "slave/executor_directory_max_allowed_age_secs": self._sandboxes.age_max_s(),
        }
        if oci is not None:
            name = "containerizer/mesos/provisioner/docker_store/image_pull_ms"
            shown.update(oci.images.durations.numbers(name))
        return shown
