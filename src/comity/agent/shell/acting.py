"""Does what the machine asks: containers, probes, calls to the master. Results become inputs."""

import asyncio
import logging
import signal
from collections.abc import Callable
from typing import Any

import msgspec

from comity.agent.inputs import (
    ContainerExited,
    ContainerFailed,
    ContainerStarted,
    ImagePulling,
    ProbeDone,
)
from comity.agent.outbox import (
    DestroyContainer,
    EmptyDisk,
    EndAgent,
    KeepVolumes,
    LaunchContainer,
    LimitContainer,
    LinkVolumes,
    MakeSandbox,
    RemoveSandbox,
    RunProbe,
    SignalContainer,
    ToMaster,
)
from comity.agent.realms import TOKEN_VARIABLE, ExecutorTokens
from comity.agent.shell import probing
from comity.agent.shell.linking import Link
from comity.agent.shell.switchboard import Switchboard
from comity.agent.state import State
from comity.core.containers import START_FAULT, Spec
from comity.core.errors import UserError
from comity.core.networks import Joined
from comity.runtime import fetcher
from comity.runtime.containers import volumes
from comity.runtime.containers.containerizer import (
    Containerizer,
    make_sandbox,
    remove_sandbox,
    set_aside,
)
from comity.runtime.containers.errors import ContainerRefused, ImageRefused
from comity.runtime.driver import Driver
from comity.runtime.fetcher_cache import FetcherCache
from comity.runtime.images import credentials
from comity.runtime.images.store import Pull
from comity.runtime.launcher.client import LauncherClient
from comity.wire.mesos import v1

Effect = (
    ToMaster
    | LaunchContainer
    | MakeSandbox
    | LimitContainer
    | SignalContainer
    | DestroyContainer
    | RemoveSandbox
    | EmptyDisk
    | KeepVolumes
    | LinkVolumes
    | RunProbe
    | EndAgent
)

_log = logging.getLogger(__name__)


class Actor:
    """The effects of one agent."""

    def __init__(
        self,
        driver: Driver,
        state: State,
        launcher: LauncherClient,
        containerizer: Containerizer,
        link: Link,
        tokens: ExecutorTokens | None,
    ) -> None:
        self._tokens = tokens
        self._driver = driver
        self._state = state
        self._launcher = launcher
        self._containerizer = containerizer
        self._link = link
        self._prober = probing.Prober()
        self.switchboard = Switchboard(launcher)
        config = state.config
        self.cache = FetcherCache(config.work_dir / "fetcher-cache", config.fetcher_cache_bytes)
        self.fetches_succeeded = 0
        self.fetches_failed = 0
        """How often all that a task wanted was fetched, and how often it was not."""
        self._probes: dict[str, asyncio.Future[int | None]] = {}
        self._images: set[str] = set()
        self._going: dict[str, asyncio.Event] = {}
        """Containers that are being destroyed."""

    def launch(self, effect: Effect) -> None:
        """Begin one effect."""
        match effect:
            case ToMaster():
                self._link.send(effect.call)
            case LaunchContainer():
                self._driver.spawn(self._start(effect))
            case MakeSandbox():
                self._containerizer.make_sandbox(effect.spec)
            case LimitContainer():
                self._containerizer.limit(effect.container_id, effect.cpus, effect.mem_bytes)
            case SignalContainer():
                self._signal(effect)
            case DestroyContainer():
                self._driver.spawn(self._destroy(effect))
            case RemoveSandbox():
                self._driver.spawn(self._remove_sandbox(effect))
            case KeepVolumes():
                for root in effect.roots:
                    volumes.keep(root, [path for path in effect.paths if root in path.parents])
            case EmptyDisk():
                volumes.empty(effect.root)
            case LinkVolumes():
                self._link_volumes(effect.spec)
            case RunProbe():
                self._driver.spawn(self._probe(effect))
            case EndAgent():
                raise UserError(f"the master ended this agent: {effect.reason}")

    def _link_volumes(self, spec: Spec) -> None:
        try:
            make_sandbox(spec)
        except ContainerRefused as error:
            _log.warning("%s: volumes cannot be linked: %s", spec.id, error)

    async def _start(self, effect: LaunchContainer) -> None:
        spec = self._with_token(effect.spec)
        if (going := self._going.get(spec.id)) is not None:
            await going.wait()  # an earlier one of the same name, that did not start
        try:
            if effect.uris:
                await self._fetch(effect.uris, spec)
                spec = _with_login(spec)
            order = await self._containerizer.prepare(spec, self._hears(spec))
        except (ContainerRefused, fetcher.FetchFailed) as error:
            is_image = isinstance(error, ImageRefused)
            self._driver.put(ContainerFailed(spec.id, str(error), is_image))
            return
        if order is None:
            joined = self._containerizer.joined(spec)
            self._driver.put(ContainerStarted(spec.id, None, joined))
            return
        if "pidfile" in order:
            self._images.add(spec.id)
        container = self._state.containers.get(spec.id)
        if container is not None and container.is_killed:
            self._driver.put(ContainerFailed(spec.id, "killed before it was started"))
            return
        self._launcher.order(**order)

    async def _fetch(self, uris: tuple[v1.URI, ...], spec: Spec) -> None:
        spec.sandbox.mkdir(parents=True, exist_ok=True)
        try:
            await asyncio.to_thread(
                fetcher.fetch_all, uris, spec.sandbox, self.cache, spec.user or ""
            )
        except fetcher.FetchFailed:
            self.fetches_failed += 1
            raise
        self.fetches_succeeded += 1

    def _hears(self, spec: Spec) -> Callable[[Pull], None]:
        def heard(pull: Pull) -> None:
            self._driver.put(ImagePulling(spec.id, pull.done_bytes, pull.total_bytes))

        return heard

    def _with_token(self, spec: Spec) -> Spec:
        """Add what an executor of the framework's proves by who it is; it is stored nowhere."""
        container = self._state.containers.get(spec.id)
        if self._tokens is None or container is None or container.executor is None:
            return spec
        executor = self._state.executors.get(container.executor)
        if executor is None or executor.is_built_in:
            return spec
        own = {TOKEN_VARIABLE: self._tokens.of(executor)}
        return msgspec.structs.replace(spec, environment={**spec.environment, **own})

    def _signal(self, effect: SignalContainer) -> None:
        self._launcher.order(
            op="signal", id=effect.container_id, signal=int(effect.signal), tree=effect.tree
        )
        if effect.tree and effect.signal == signal.SIGKILL:
            self._containerizer.kill_tree(effect.container_id)

    async def _destroy(self, effect: DestroyContainer) -> None:
        self._launcher.order(
            op="signal", id=effect.container_id, signal=int(signal.SIGKILL), tree=True
        )
        self._launcher.order(op="forget", ids=[effect.container_id])
        self._images.discard(effect.container_id)
        self.switchboard.retire(effect.container_id)
        name, gone = effect.container_id, asyncio.Event()
        self._going[name] = gone
        try:
            await self._containerizer.destroy(name, has_image=effect.has_image)
        finally:
            self._going.pop(name, None)
            gone.set()

    async def _remove_sandbox(self, effect: RemoveSandbox) -> None:
        """Delete a sandbox, once nothing is mounted in it any more."""
        name = effect.container_id
        for going in [*self._going]:
            if going == name or going.startswith(f"{name}."):
                await self._going[going].wait()
        if name in self._state.containers:
            return  # launched anew meanwhile, in the same place
        try:
            await asyncio.to_thread(remove_sandbox, set_aside(effect.path))
        except OSError as error:
            _log.warning("the sandbox of %s stays: %s", name, error)

    # the launcher's events

    def on_event(self, event: dict[str, Any]) -> None:
        """Turn an event of the launcher into an input."""
        name = event["id"]
        if name in self._probes:
            self._on_probe_event(name, event)
        elif event["event"] == "started":
            self.take_io(name)
            self._driver.put(ContainerStarted(name, event["pid"], self._joined(name)))
        elif event["event"] == "failed":
            self._driver.put(ContainerFailed(name, self._explained(name, event["error"])))
        else:
            self._driver.put(ContainerExited(name, event["status"], self._was_oom(name, event)))

    def _joined(self, name: str) -> tuple[Joined, ...]:
        container = self._state.containers.get(name)
        return self._containerizer.joined(container.spec) if container is not None else ()

    def _was_oom(self, name: str, event: dict[str, Any]) -> bool:
        """Whether memory was why; of several in one cgroup, those that were killed had none."""
        container = self._state.containers.get(name)
        owner = container.spec.cgroup if container is not None else None
        if owner is not None and event["status"] & 0x7F != signal.SIGKILL:
            return False
        return self._containerizer.was_oom_killed(owner or name)

    def take_io(self, name: str) -> None:
        """Be ready for those who attach to a container, if it is one of that kind."""
        container = self._state.containers.get(name)
        if container is not None and container.spec.io:
            self.switchboard.open(container.spec)

    def _explained(self, name: str, error: str) -> str:
        """Add what the OCI runtime said, which is in the container's stderr."""
        container = self._state.containers.get(name)
        if container is None or name not in self._images:
            return f"{START_FAULT}{error}"
        try:
            lines = (container.spec.sandbox / "stderr").read_text(errors="replace").splitlines()
        except OSError:
            lines = []
        return f"{START_FAULT}{error}: {lines[-1]}" if lines else f"{START_FAULT}{error}"

    # probes

    async def _probe(self, effect: RunProbe) -> None:
        late = False
        try:
            async with asyncio.timeout(effect.timeout_s):
                well, detail, code = await self._run_probe(effect)
        except TimeoutError:
            late = True
            well, detail, code = False, f"no answer within {effect.timeout_s:g} s", None
        self._driver.put(ProbeDone(effect.key, effect.round, well, detail, code, late))

    async def _run_probe(self, effect: RunProbe) -> tuple[bool, str, int | None]:
        if effect.http:
            return await self._prober.get(effect.http)
        if effect.tcp:
            return await probing.connect(effect.tcp)
        assert effect.container is not None
        return await self._run_command(effect.container)

    async def _run_command(self, spec: Spec) -> tuple[bool, str, int | None]:
        """Run a command beside a task; it is killed when the caller gives up."""
        ended: asyncio.Future[int | None] = asyncio.get_running_loop().create_future()
        self._probes[spec.id] = ended
        try:
            order = await self._containerizer.prepare(spec)
            assert order is not None, "a command is not a pod"
            self._launcher.order(**order)
            status = await ended
        except ContainerRefused as error:
            return False, str(error), None
        finally:
            del self._probes[spec.id]
            self._launcher.order(op="signal", id=spec.id, signal=9, tree=True)
            self._launcher.order(op="forget", ids=[spec.id])
        if status is None:
            return False, "the command could not be started", None
        code = status >> 8 if status & 0x7F == 0 else 128 + (status & 0x7F)
        return code == 0, f"Command returned {code}", code

    def _on_probe_event(self, name: str, event: dict[str, Any]) -> None:
        ended = self._probes[name]
        if event["event"] != "started" and not ended.done():
            ended.set_result(event.get("status"))

    async def close(self) -> None:
        """Drop connections."""
        await self._prober.close()


def _with_login(spec: Spec) -> Spec:
    """Add the credentials for its image that a task fetched, unless it brings some otherwise."""
    if spec.image is None or spec.image_login:
        return spec
    return msgspec.structs.replace(spec, image_login=credentials.fetched_into(spec.sandbox))
