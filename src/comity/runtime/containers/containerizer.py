"""Prepares containers for the launcher, and removes what they leave: the one door for the agent."""

import asyncio
import contextlib
import errno
import os
import shutil
from pathlib import Path
from typing import Any

import msgspec

from comity.core.containers import Spec
from comity.core.networks import Joined
from comity.runtime.cgroups import Cgroups
from comity.runtime.containers import accounting, kernel, pause, process, sandbox_links, volumes
from comity.runtime.containers.errors import ContainerRefused, ImageRefused
from comity.runtime.containers.oci import Heard, OciContainers
from comity.runtime.containers.pods import Pods, Sandbox
from comity.runtime.containers.secret_files import SecretFiles
from comity.runtime.networks.networks import Networks

HOST_IMAGE = "host"
_PREPARING_MAX = 4
"""Image containers prepared at the same time; the machine's cores are the tasks'."""


class Containerizer:
    """Plain processes always; image containers where there is an OCI runtime."""

    def __init__(
        self,
        cgroups: Cgroups | None,
        oci: OciContainers | None,
        pods: Pods,
        networks: Networks,
        *,
        allow_host: bool,
        no_oci: str,
        no_limits: str,
        secrets: SecretFiles,
    ) -> None:
        self._secrets = secrets
        self.cgroups = cgroups
        self.oci = oci
        self.pods = pods
        self.networks = networks
        self._allow_host = allow_host
        self.no_oci = no_oci
        """Why there are no image containers, and what to do about it."""
        self.no_limits = no_limits
        """Which limits cannot be held, and why; empty when all can."""
        self._preparing = asyncio.Semaphore(_PREPARING_MAX)

    @property
    def limits(self) -> str:
        """How limits on processors and memory are held here: which cgroups, or none."""
        return self.cgroups.kind if self.cgroups is not None else "none"

    @property
    def controllers(self) -> tuple[str, ...]:
        """What limits can be held by here: some of cpu, memory and pids."""
        return self.cgroups.controllers if self.cgroups is not None else ()

    def written_by(self, container_id: str) -> Path | None:
        """Return the directory of what a container changed in its image; None if it has none."""
        return self.oci.written_by(container_id) if self.oci is not None else None

    @property
    def can_run_images(self) -> bool:
        """Whether image containers can be started here."""
        return self.oci is not None and self.oci.runtime is not None

    async def prepare(self, spec: Spec, heard: Heard | None = None) -> dict[str, Any] | None:
        """Make everything a container needs, and return the launcher's order to start it.

        There is nothing to start of a pod, unless it shares a PID namespace. `heard` is told of
        the pull of its image, if there is one.

        Raises:
            ContainerRefused: it cannot be started as described.
        """
        if spec.refusal:
            raise ContainerRefused(spec.refusal)
        if spec.isolation.pids_max is not None and "pids" not in self.controllers:
            raise ContainerRefused(f"a limit of processes cannot be held: {self.no_limits}")
        spec = self._secrets.put_into(spec)
        make_sandbox(spec)
        spec, sandbox = await self._connected(spec)
        if spec.is_pod:
            return await self._pausing(spec, sandbox.namespaces if sandbox is not None else {})
        if spec.image is None or spec.image == HOST_IMAGE:
            if spec.image == HOST_IMAGE and not self._allow_host:
                raise ImageRefused(
                    "the image name 'host' is forbidden on this agent; use an image, or an agent "
                    "started without --forbid-host-image"
                )
            return process.order(spec, self.cgroups, sandbox)
        if self.oci is None or self.oci.runtime is None:
            raise ImageRefused(f"image '{spec.image}' cannot run on this agent: {self.no_oci}")
        image = await self.oci.image(spec, heard)  # outside: others need not wait for a pull
        async with self._preparing:
            return await self.oci.order(spec, image)

    async def _pausing(self, spec: Spec, joined: dict[str, str]) -> dict[str, Any] | None:
        """Return the order for the process that a pod's PID namespace needs; others need none."""
        if spec.pod is None or not spec.pod.share_pid:
            return None
        if self.oci is None or self.oci.runtime is None or not pause.can_run():
            await self.pods.remove(spec.id)
            raise ImageRefused(f"a pod cannot share its processes on this agent: {self.no_oci}")
        return self.oci.pause(spec, joined)

    async def _connected(self, spec: Spec) -> tuple[Spec, Sandbox | None]:
        """Make a container's pod where that has networks; tell it its address in there."""
        if spec.pod is None or not (spec.pod.networks or spec.is_pod):
            return spec, None
        if spec.inside is not None:  # which runs as long as its pod is there, and no longer
            return spec, self.pods.find(spec.pod)
        self.networks.check(spec.pod.networks)
        sandbox = await self.pods.ensure(spec.pod)
        attachment = self.networks.attachment(spec.pod.id)
        if attachment is not None and "MESOS_CONTAINER_IP" in spec.environment:
            own = {"MESOS_CONTAINER_IP": next(iter(attachment.addresses), "")}
            spec = msgspec.structs.replace(spec, environment=spec.environment | own)
        return spec, sandbox

    def joined(self, spec: Spec) -> tuple[Joined, ...]:
        """Return the networks that a container is on; none is the machine's own."""
        attachment = self.networks.attachment(spec.pod.id) if spec.pod is not None else None
        return attachment.joined if attachment is not None else ()

    def make_sandbox(self, spec: Spec) -> None:
        """Make the sandbox of a container without a process; its children say what goes wrong."""
        with contextlib.suppress(ContainerRefused):
            make_sandbox(spec)
            process.as_user(spec)

    def limit(self, container_id: str, cpus: float, mem_bytes: int) -> None:
        """Set the limits of cgroups that several containers share."""
        if self.cgroups is not None:
            self.cgroups.limit(container_id, cpus=cpus, mem_bytes=mem_bytes)

    def was_oom_killed(self, container_id: str) -> bool:
        """Whether the kernel killed a container for its memory limit; ask before `destroy`."""
        return self.cgroups is not None and self.cgroups.was_oom_killed(container_id)

    def usage(self, container_id: str, pid: int | None) -> dict[str, float]:
        """Return what a container uses by Mesos's names, as far as it is counted here."""
        paths = self.cgroups.paths(container_id) if self.cgroups is not None else {}
        return accounting.usage(paths, pid)

    def kill_tree(self, container_id: str) -> None:
        """SIGKILL what a signal to the process group would miss."""
        if self.cgroups is not None:
            self.cgroups.kill(container_id)
        if self.oci is not None:
            self.oci.kill_inside(container_id)

    async def destroy(self, container_id: str, *, has_image: bool) -> None:
        """Remove an ended container's cgroups and mounts; its sandbox stays."""
        if has_image and self.oci is not None:
            await self.oci.destroy(container_id)
        await self.pods.remove(container_id)
        if self.cgroups is not None:
            await asyncio.to_thread(self.cgroups.remove, container_id)

    async def destroy_all(self, known: set[str]) -> None:
        """Remove what containers left that nobody knows of any more."""
        if self.oci is not None:
            await self.oci.destroy_strays(known)
        await self.pods.remove_strays(known)
        await self.networks.keep(known)
        if self.cgroups is not None:
            for name in self.cgroups.containers():
                if name not in known:
                    self.cgroups.remove(name)


def make_sandbox(spec: Spec) -> None:
    """Make a container's directory, and `latest` beside it where it is an executor's run."""
    try:
        spec.sandbox.mkdir(parents=True, exist_ok=True)
        if spec.sandbox.parent.name == "runs":
            link = spec.sandbox.parent / "latest"
            link.unlink(missing_ok=True)
            link.symlink_to(spec.sandbox.name)
        if spec.link is not None:
            spec.link.parent.mkdir(exist_ok=True)
            spec.link.unlink(missing_ok=True)
            spec.link.symlink_to(os.path.relpath(spec.sandbox, spec.link.parent))
        sandbox_links.prepare(spec)
    except OSError as error:
        raise ContainerRefused(f"cannot make the sandbox: {error}") from error
    if spec.image is None or spec.image == HOST_IMAGE:
        volumes.link(spec)


def set_aside(path: Path) -> Path:
    """Give a sandbox that is to be deleted another name, so that its own is free at once.

    Raises:
        OSError: it is not there, or something is still mounted below it.
    """
    if kernel.has_mounts(path):
        raise OSError(errno.EBUSY, "something is mounted in it", str(path))
    aside = path.with_name(f".{path.name}.removed")
    os.rename(path, aside)
    return aside


def remove_sandbox(path: Path) -> None:
    """Delete a sandbox; what cannot be deleted stays for the next time."""
    shutil.rmtree(path, ignore_errors=True)
