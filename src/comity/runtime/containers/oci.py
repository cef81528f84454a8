"""Image containers, run by an OCI runtime without a daemon.

The launcher runs `runc run --detach`; being a subreaper it then is the parent of the container's
first process. A container's root is an overlay over its image's layers, mounted with mount(2).
"""

import asyncio
import contextlib
import errno
import json
import os
import shutil
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

from comity.core.containers import Spec
from comity.runtime.cgroups import Cgroups
from comity.runtime.containers import bundles, kernel, pause, provided, users
from comity.runtime.containers.errors import ContainerRefused
from comity.runtime.containers.pods import Pods
from comity.runtime.containers.runtimes import Runtime
from comity.runtime.images.store import Image, ImageStore, Pull
from comity.runtime.launcher.program import CONSOLE

Heard = Callable[[Pull], None]
"""Hears of a pull."""


def no_overlay(directory: Path) -> str:
    """Return why no overlays can be mounted over directories there; tried, never assumed."""
    probe = directory / "overlay-probe"
    (probe / "lower").mkdir(parents=True, exist_ok=True)
    try:
        kernel.overlay([str(probe / "lower")], probe)
    except OSError as error:
        return f"no overlays can be mounted in {directory}: {_hint(error)}"
    else:
        kernel.unmount(probe / "root")
        return ""
    finally:
        shutil.rmtree(probe, ignore_errors=True)


def _hint(error: OSError) -> str:
    """Return what to do where a mount is refused."""
    if error.errno == errno.ENODEV:
        return "the kernel has no overlayfs (modprobe overlay)"
    if error.errno == errno.EPERM:
        return "the agent may not mount (CAP_SYS_ADMIN)"
    return f"{error.strerror}; use a --work-dir on another file system, such as ext4 or xfs"


def _console(spec: Spec) -> tuple[str, ...]:
    """Return the words by which the launcher gets the terminal that the runtime makes."""
    return ("--console-socket", CONSOLE) if spec.io == "TTY" else ()


class OciContainers:
    """The image containers of one agent."""

    def __init__(
        self,
        runtime: Runtime | None,
        directory: Path,
        images: ImageStore,
        agent: str,
        pods: Pods,
        cgroups: Cgroups | None,
    ) -> None:
        self.runtime = runtime
        """None where there is none any more: nothing starts, what ran before is still removed."""
        self._directory = directory
        self.images = images
        self._pods = pods
        self._controllers = cgroups.controllers if cgroups is not None else ()
        self._is_version_2 = cgroups is not None and cgroups.is_version_2
        self._cgroup = f"/comity/{agent}"
        self._root = directory / "runtime"
        self._bundles = directory / "bundles"
        self._bundles.mkdir(parents=True, exist_ok=True)
        self._root.mkdir(parents=True, exist_ok=True)

    async def image(self, spec: Spec, heard: Heard | None) -> Image | None:
        """Return the image of a container, pulled if need be; None for what runs inside another.

        Raises:
            ImageRefused: it is not to be had.
        """
        if spec.inside is not None:
            return None
        assert spec.image is not None
        return await self.images.get(
            spec.image, cached=spec.image_cached, login=spec.image_login, heard=heard
        )

    async def order(self, spec: Spec, image: Image | None) -> dict[str, Any]:
        """Prepare a container and return the launcher's order for it.

        Raises:
            ContainerRefused: the image or the description; nothing of it stays.
        """
        if image is None:
            return self._order(spec, self._exec(spec))
        bundle = self._bundles / spec.id
        try:
            kernel.overlay(reversed(image.layers), bundle)
            for path in image.volumes:
                _make_directory(bundle / "root", path)
            sources = await provided.provide(spec, bundle, self.images)
            place = await self._place(spec, bundle, sources)
            config = bundles.configuration(spec, image, place)
            (bundle / "config.json").write_text(json.dumps(config))
            _own(spec, config["process"]["user"])
        except OSError as error:
            await self.destroy(spec.id)
            raise ContainerRefused(f"cannot prepare the container: {error}") from error
        except ContainerRefused:
            await self.destroy(spec.id)
            raise
        return self._order(spec, ["run", "--detach", *_console(spec), "--bundle", str(bundle)])

    def pause(self, spec: Spec, namespaces: dict[str, str]) -> dict[str, Any]:
        """Prepare the process that keeps a pod's PID namespace; return the order for it.

        Raises:
            ContainerRefused: the disk.
        """
        bundle = self._bundles / spec.id
        cgroup = f"{self._cgroup}/{spec.id}/{pause.NAME}"
        try:
            pause.write(bundle / "root")
            config = pause.configuration(bundle / "root", cgroup, namespaces)
            (bundle / "config.json").write_text(json.dumps(config))
        except OSError as error:
            raise ContainerRefused(f"cannot prepare the pod: {error}") from error
        return self._order(spec, ["run", "--detach", *_console(spec), "--bundle", str(bundle)])

    async def _place(self, spec: Spec, bundle: Path, sources: dict[str, str]) -> bundles.Place:
        """Return where a container's parts are, with its pod made."""
        root, pod = bundle / "root", spec.pod
        if pod is None:
            cgroup = f"{self._cgroup}/{spec.id}"
            return bundles.Place(
                root,
                cgroup,
                sources,
                controllers=self._controllers,
                hides_cgroups=self._is_version_2,
            )
        sandbox = await self._pods.ensure(pod)
        above = f"{pod.id}/" if pod.id != spec.id else ""
        joined = sandbox.namespaces
        if pod.share_pid and not spec.isolation.share_pid:
            joined = {**joined, "pid": f"/proc/{self._pid(pod.id)}/ns/pid"}
        return bundles.Place(
            root,
            f"{self._cgroup}/{above}{spec.id}",
            sources,
            namespaces=joined,
            files=sandbox.files,
            shm=sandbox.shm,
            controllers=self._controllers,
            hides_cgroups=self._is_version_2,
        )

    def _pid(self, container_id: str) -> str:
        return (self._directory / f"{container_id}.pid").read_text().strip()

    def _exec(self, spec: Spec) -> list[str]:
        """Return the words that run a process in a running container, as its own first one runs."""
        assert spec.inside is not None
        bundle = self._bundles / spec.inside
        process = json.loads((bundle / "config.json").read_bytes())["process"]
        process["args"] = ["/bin/sh", "-c", spec.command or ""]
        if not spec.shell:
            process["args"] = list(spec.arguments)
            if spec.command:
                process["args"] = [spec.command, *spec.arguments[1:]]
        if spec.user:
            who = users.find(spec.user, bundle / "root", spec.isolation.groups)
            process["user"] = {"uid": who.uid, "gid": who.gid, "additionalGids": [*who.groups]}
        if spec.working_directory:
            process["cwd"] = spec.working_directory
        own = spec.environment
        kept = [one for one in process["env"] if one.partition("=")[0] not in own]
        process["env"] = kept + [f"{name}={value}" for name, value in own.items()]
        process.pop("consoleSize", None)
        process["terminal"] = spec.io == "TTY"
        if spec.io == "TTY":
            # Set by the runtime before it starts anything: the program may look at once.
            process["consoleSize"] = {"height": spec.window[0], "width": spec.window[1]}
        file = self._process(spec.id)
        file.write_text(json.dumps(process))
        return ["exec", "--detach", *_console(spec), "--process", str(file), spec.inside]

    def _process(self, container_id: str) -> Path:
        """Return the file that describes the process of a session."""
        return self._directory / f"{container_id}.process"

    def _order(self, spec: Spec, words: list[str]) -> dict[str, Any]:
        pidfile = self._directory / f"{spec.id}.pid"
        pidfile.unlink(missing_ok=True)
        verb, *rest = words
        assert self.runtime is not None
        argv = [
            *self.runtime.argv,
            "--root",
            str(self._root),
            verb,
            "--pid-file",
            str(pidfile),
            *rest,
        ]
        if verb == "run":
            argv.append(spec.id)
        attached = {"io": spec.io, "window": list(spec.window)} if spec.io else {}
        return {
            "op": "spawn",
            "id": spec.id,
            **attached,
            "argv": argv,
            "env": {"PATH": os.environ.get("PATH", os.defpath)},
            "cwd": str(spec.sandbox),
            "stdout": str(spec.sandbox / "stdout"),
            "stderr": str(spec.sandbox / "stderr"),
            "pidfile": str(pidfile),
        }

    def written_by(self, container_id: str) -> Path | None:
        """Return the directory of what a container changed in its image; None if it has none."""
        upper = self._bundles / container_id / "upper"
        return upper if upper.is_dir() else None

    def kill_inside(self, container_id: str) -> None:
        """SIGKILL the process of a session, which would outlive the runtime that passes its I/O."""
        pidfile = self._directory / f"{container_id}.pid"
        with contextlib.suppress(OSError, ValueError):
            os.kill(int(pidfile.read_text()), signal.SIGKILL)

    async def destroy(self, container_id: str) -> None:
        """Remove an ended container: the runtime's record, the mount, the bundle."""
        if (self._root / container_id).exists():
            # Plain delete: with --force the runtime would sleep for 100 ms.
            await asyncio.to_thread(self._delete, container_id)
        bundle = self._bundles / container_id
        if bundle.exists():
            kernel.unmount(bundle / "root")
            provided.withdraw(bundle)
            await asyncio.to_thread(shutil.rmtree, bundle, ignore_errors=True)
        (self._directory / f"{container_id}.pid").unlink(missing_ok=True)
        self._process(container_id).unlink(missing_ok=True)

    def _delete(self, container_id: str) -> None:
        if self.runtime is None:
            shutil.rmtree(self._root / container_id, ignore_errors=True)
            return
        argv = [*self.runtime.argv, "--root", str(self._root), "delete"]
        done = subprocess.run([*argv, container_id], capture_output=True, check=False, timeout=30)
        if done.returncode != 0:
            subprocess.run([*argv, "--force", container_id], capture_output=True, check=False)

    async def destroy_strays(self, known: set[str]) -> None:
        """Remove containers that nobody knows of."""
        for bundle in list(self._bundles.iterdir()):
            if bundle.name not in known:
                await self.destroy(bundle.name)


def _make_directory(root: Path, name: str) -> None:
    """Make a directory of an image's VOLUME, unless there is something already."""
    with contextlib.suppress(FileExistsError, NotADirectoryError):
        users.resolve(root, name).mkdir(mode=0o755, parents=True, exist_ok=True)


def _own(spec: Spec, user: dict[str, Any]) -> None:
    """Give the sandbox, and volumes that are nobody's yet, to the container's user."""
    if not user["uid"]:
        return
    os.chown(spec.sandbox, user["uid"], user["gid"])
    for volume in spec.volumes:
        if os.stat(volume.source).st_uid == 0:
            os.chown(volume.source, user["uid"], user["gid"])
