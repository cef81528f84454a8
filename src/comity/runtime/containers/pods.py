"""Pod sandboxes: the namespaces, files and cgroup that several containers share.

Each is made by the first container that wants it, found again after a restart of the agent, made
anew after one of the machine, and removed when the container that it belongs to is.
`<directory>/<pod>/` has the pinned namespaces, `shm`, and what is in /etc of its containers.
"""

import asyncio
import contextlib
import json
import os
import shutil
from pathlib import Path

from msgspec import Struct

from comity.core.containers import Isolation, Pod
from comity.runtime.cgroups import CgroupError, Cgroups, Limits
from comity.runtime.containers import bundles, kernel, namespaces
from comity.runtime.containers.errors import ContainerRefused
from comity.runtime.networks.networks import Networks

_OCI_NAMES = {"net": "network", "ipc": "ipc", "uts": "uts"}
_FILES = ("hosts", "hostname", "resolv.conf")
_MEMORY = "memory-volumes"
"""Names what is mounted elsewhere, so that it can be unmounted."""
_SHM_BYTES = 64 << 20


class Sandbox(Struct, frozen=True):
    """A pod that is there."""

    namespaces: dict[str, str]
    """Their files by the names of the OCI specification."""
    files: dict[str, str]
    """Its hosts, hostname and resolv.conf."""
    shm: str
    """Its /dev/shm."""


class Pods:
    """The pods of one agent."""

    def __init__(self, directory: Path, cgroups: Cgroups | None, networks: Networks) -> None:
        self._directory = directory
        self._cgroups = cgroups
        self._networks = networks
        self._making: dict[str, asyncio.Task[Sandbox]] = {}

    async def ensure(self, pod: Pod) -> Sandbox:
        """Return a pod's sandbox, made if it is not there.

        Raises:
            ContainerRefused: it cannot be made; nothing of it stays.
        """
        making = self._making.get(pod.id)
        if making is None:
            making = asyncio.create_task(self._ensure(pod))
            self._making[pod.id] = making
        try:
            return await asyncio.shield(making)
        except ContainerRefused:
            self._making.pop(pod.id, None)
            raise

    async def _ensure(self, pod: Pod) -> Sandbox:
        place = self._directory / pod.id
        if os.geteuid() != 0:
            _check_powerless(pod)
            place.mkdir(parents=True, exist_ok=True)
            return self._sandbox(place)
        kinds = tuple(kind for kind, wanted in _wanted(pod).items() if wanted)
        own = Isolation(sysctls=pod.sysctls)
        bundles.check_sysctls(own, has_network="net" in kinds)
        try:
            if set(namespaces.pinned(place)) != set(kinds):
                self._make(pod, place, kinds)
            if "net" in kinds:
                found = await self._networks.attach(pod.id, place / "net", pod.networks)
                (place / "hosts").write_text(_hosts(pod, found.hosts(_hostname(pod))))
                (place / "resolv.conf").write_text(found.resolv_conf())
            if self._cgroups is not None:
                self._cgroups.create_pod(pod.id, Limits(pod.cpus, pod.mem_bytes, pod.cpu_quota))
        except (OSError, CgroupError) as error:
            await self.remove(pod.id)
            raise ContainerRefused(f"cannot make the pod's sandbox: {error}") from error
        except ContainerRefused:
            await self.remove(pod.id)
            raise
        return self._sandbox(place)

    def _sandbox(self, place: Path) -> Sandbox:
        return Sandbox(
            namespaces={_OCI_NAMES[kind]: path for kind, path in namespaces.pinned(place).items()},
            files={name: str(place / name) for name in _FILES if (place / name).exists()},
            shm=str(place / "shm"),
        )

    def find(self, pod: Pod) -> Sandbox:
        """Return the sandbox of a pod that is there.

        Raises:
            ContainerRefused: it is not, or not any more.
        """
        if not (self._directory / pod.id).is_dir():
            raise ContainerRefused(f"the sandbox of container {pod.id} is gone")
        return self._sandbox(self._directory / pod.id)

    def _make(self, pod: Pod, place: Path, kinds: tuple[str, ...]) -> None:
        _unmake(place)
        hostname = _hostname(pod)
        namespaces.pin(place, kinds, lambda: namespaces.prepare(hostname, pod.sysctls, kinds))
        kernel.memory(place / "shm", size_bytes=pod.shm_bytes or _SHM_BYTES, mode=0o1777)
        (place / _MEMORY).write_text(json.dumps(list(pod.memory_volumes)))
        for path, size in pod.memory_volumes.items():
            kernel.memory(Path(path), size_bytes=size or None, mode=0o777)
        if hostname:
            (place / "hostname").write_text(f"{hostname}\n")
            hosts = Path("/etc/hosts").read_text()
            (place / "hosts").write_text(_hosts(pod, f"{hosts}127.0.1.1 {hostname}\n"))

    async def remove(self, pod_id: str) -> None:
        """Remove a pod, when its containers have ended; of one that is not there nothing."""
        self._making.pop(pod_id, None)
        place = self._directory / pod_id
        if not place.is_dir():
            return
        await self._networks.detach(pod_id)
        _unmake(place)
        shutil.rmtree(place, ignore_errors=True)

    async def remove_strays(self, known: set[str]) -> None:
        """Remove the pods that nobody knows of."""
        if not self._directory.is_dir():
            return
        for name in os.listdir(self._directory):
            if name not in known:
                await self.remove(name)


def _check_powerless(pod: Pod) -> None:
    """Refuse what only root can give; containers then share what is the machine's, as processes do.

    Raises:
        ContainerRefused: naming it.
    """
    asked = [f"sysctl {name}" for name in pod.sysctls]
    asked += [f"a volume in memory at {path}" for path in pod.memory_volumes]
    asked += ["a PID namespace"] if pod.share_pid else []
    if asked:
        raise ContainerRefused(f"{asked[0]} cannot be had: the agent does not run as root")


def _unmake(place: Path) -> None:
    namespaces.unpin(place)
    kernel.unmount(place / "shm")
    with contextlib.suppress(FileNotFoundError):
        for path in json.loads((place / _MEMORY).read_text()):
            kernel.unmount(Path(path))


def _hosts(pod: Pod, text: str) -> str:
    return "".join([text, *(f"{line}\n" for line in pod.hosts)])


def _wanted(pod: Pod) -> dict[str, bool]:
    return {"net": bool(pod.networks), "ipc": not pod.share_ipc, "uts": bool(_hostname(pod))}


def _hostname(pod: Pod) -> str:
    """Return a pod's host name; with a network of its own it is never the machine's."""
    if pod.hostname or not pod.networks:
        return pod.hostname
    return pod.id.rpartition(".")[2][:12]
