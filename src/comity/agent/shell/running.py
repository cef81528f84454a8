"""Puts an agent together and runs it; and stops one for good with its tasks."""

import asyncio
import logging
import random
from collections.abc import Iterable
from pathlib import Path

from comity.agent import reconfiguring
from comity.agent.beginning import Start, begin
from comity.agent.config import AgentConfig
from comity.agent.http.access import Access
from comity.agent.http.serving import AgentHttp
from comity.agent.http.sessions import Sessions
from comity.agent.inputs import LauncherFound, StreamClosed
from comity.agent.permissions import LOG
from comity.agent.shell import abilities, connecting, detecting, keys
from comity.agent.shell.acting import Actor
from comity.agent.shell.images import ImageKeeper
from comity.agent.shell.linking import Link
from comity.agent.shell.logs import LogRotator
from comity.agent.shell.measuring import Measures
from comity.agent.shell.sandboxes import DiskWatcher, SandboxCollector
from comity.agent.shell.sockets import executor_calls_only
from comity.agent.state import State
from comity.core.errors import UserError
from comity.runtime import hierarchies, logs, tls
from comity.runtime.cgroups import Cgroups, agent_name
from comity.runtime.containers import oci, runtimes
from comity.runtime.containers.containerizer import Containerizer
from comity.runtime.containers.pods import Pods
from comity.runtime.containers.runtimes import Runtime
from comity.runtime.containers.secret_files import SecretFiles
from comity.runtime.driver import Clock, Driver
from comity.runtime.files import Files
from comity.runtime.http import Server
from comity.runtime.http.credentials import admit, known_principals, own_headers
from comity.runtime.http.server import check_address
from comity.runtime.images import credentials, sources
from comity.runtime.images.store import ImageStore
from comity.runtime.journal import Journal
from comity.runtime.launcher import client as launchers
from comity.runtime.process import settle_heap
from comity.runtime.sqlite import SqliteStore
from comity.wire.mesos import codec, resources, v1

_log = logging.getLogger(__name__)


def _registries(config: AgentConfig) -> sources.Settings:
    return sources.Settings(
        default=config.docker_registry,
        logins=credentials.read(config.docker_config),
        rules=sources.read_rules(config.registries),
    )


def _runtime(cgroups: Cgroups | None, no_limits: str) -> tuple[Runtime | None, str]:
    """Return the OCI runtime to use, or None and why images cannot run here."""
    runtime, reason = runtimes.find()
    if runtime is not None and cgroups is None:
        return None, f"OCI runtimes need cgroups: {no_limits}"
    return runtime, reason


def _containerizer(config: AgentConfig) -> Containerizer:
    cgroups, no_limits = hierarchies.find(agent_name(config.work_dir))
    runtime, reason = _runtime(cgroups, no_limits)
    networks = connecting.networks(config, agent_name(config.work_dir))
    pods = Pods(config.work_dir.resolve() / "sandboxes", cgroups, networks)
    if not config.allow_images:
        runtime, reason = None, "the agent was started with --no-images"
    directory = config.work_dir.resolve() / "images"
    containers = None
    # Without a runtime there may still be containers of the time when there was one.
    if runtime is not None or directory.is_dir():
        directory.mkdir(parents=True, exist_ok=True)
        if runtime is not None and (fault := oci.no_overlay(directory)):
            runtime, reason = None, fault
        images = ImageStore(directory, _registries(config))
        containers = oci.OciContainers(
            runtime, directory, images, agent_name(config.work_dir), pods, cgroups
        )
    return Containerizer(
        cgroups,
        containers,
        pods,
        networks,
        allow_host=config.allow_host_image,
        no_oci=reason,
        no_limits=no_limits,
        secrets=SecretFiles(config.secrets_dir),
    )


async def run(config: AgentConfig, stop: asyncio.Event) -> None:
    """Serve until `stop` is set; tasks outlive this."""
    config.work_dir.mkdir(parents=True, exist_ok=True)
    check_address(config.ip, asks=config.credentials is not None)
    containerizer = _containerizer(config)
    try:
        abilities.check_flags(config, containerizer)
    except UserError:
        if containerizer.cgroups is not None and not (config.work_dir / "launcher").exists():
            containerizer.cgroups.close()  # made to see whether they can be, and empty
        raise
    can = abilities.found(config, containerizer)
    abilities.log(can)
    clock = Clock()
    total = detecting.resources(config)
    info = v1.AgentInfo(
        hostname=config.hostname or config.ip,
        port=config.port,
        attributes=detecting.attributes(config, can),
        domain=config.domain,
    )
    start = Start(config=config, info=info, resources=resources.write(total, refined=True))
    await _serve(start, containerizer, clock, stop)


async def _serve(
    start: Start, containerizer: Containerizer, clock: Clock, stop: asyncio.Event
) -> None:
    config = start.config
    store = SqliteStore(config.work_dir / "agent.sqlite")
    stored, now, seed = store.range(""), clock.now(), random.SystemRandom().getrandbits(63)
    machine = begin(start, stored, now, seed)
    state = machine.state
    journal = Journal(config.journal)
    effects: list[Actor] = []
    driver = Driver(
        machine,
        store,
        launch=lambda effect: effects[0].launch(effect),
        stream_closed=StreamClosed,
        clock=clock,
        journal=journal,
        crash_file=config.work_dir / "crash.jsonl",
    )
    launcher = launchers.LauncherClient(
        config.work_dir / "launcher", lambda event: effects[0].on_event(event)
    )
    link = Link(driver, state, own_headers(config.credential))
    tokens = keys.executor_tokens(config)
    effects.append(Actor(driver, state, launcher, containerizer, link, tokens))
    files = Files()
    if config.log_file is not None:
        files.attach(LOG, config.log_file)
    watcher = DiskWatcher(config, state, driver, containerizer)
    collector = SandboxCollector(config, state, files)
    measures = Measures(containerizer, effects[0], watcher, collector)
    access = Access(config, known_principals(config.credentials), tokens, files)
    oci_side = containerizer.oci
    keeper = ImageKeeper(state, oci_side.images if oci_side is not None else None)
    sessions = Sessions(driver, state, access, effects[0].switchboard)
    http = AgentHttp(driver, state, files, measures, sessions, access, keeper)
    server = Server(
        http.handle,
        authenticate=admit if config.credentials is not None else None,
        security=tls.settings(),
    )
    hello = await launcher.connect()
    waiting = [one.id for one in state.containers.values() if not one.has_process]
    await containerizer.destroy_all(_with_parents([*hello["running"], *waiting]))
    for name in hello["running"]:
        effects[0].take_io(name)
    rebooted = _was_rebooted(config.work_dir)
    driver.put(LauncherFound(hello["running"], hello["exited"], rebooted))
    _, port = await server.start(config.ip, config.port)
    beside = Server(executor_calls_only(http.handle))
    if config.executor_socket is not None:
        await beside.start_at(config.executor_socket)
    _describe(state, port)
    start.info = state.info
    journal.begin("agent", now, seed, start, stored)
    settle_heap()
    logs.ready(f"{tls.settings().scheme}://{config.ip}:{port}")
    jobs = [
        asyncio.create_task(driver.run_until(stop)),
        asyncio.create_task(launcher.listen()),
        asyncio.create_task(link.run()),
        asyncio.create_task(collector.run()),
        asyncio.create_task(watcher.run()),
        asyncio.create_task(LogRotator(state.config, state).run()),
        asyncio.create_task(keeper.run()),
        asyncio.create_task(containerizer.networks.watch()),
    ]
    try:
        done, _ = await asyncio.wait(jobs, return_when=asyncio.FIRST_COMPLETED)
        for job in done:
            job.result()
    finally:
        for job in jobs:
            job.cancel()
        await asyncio.gather(*jobs, return_exceptions=True)
        await link.close()
        effects[0].switchboard.close()
        await effects[0].close()
        await launcher.close()
        await server.stop()
        await beside.stop()
        await containerizer.networks.close()
        journal.close()
        store.close()


def _with_parents(names: Iterable[str]) -> set[str]:
    """Return containers and those that they are nested in, which may have no process."""
    found = set()
    for name in names:
        while name:
            found.add(name)
            name = name.rpartition(".")[0]
    return found


def _was_rebooted(work_dir: Path) -> bool:
    """Whether the machine was started anew since the agent ran last, if it ever did."""
    current = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    kept = work_dir / "boot_id"
    before = kept.read_text().strip() if kept.exists() else current
    kept.write_text(current)
    return before != current


def _describe(state: State, port: int) -> None:
    """Complete the agent's info with the port in use and its resources.

    Raises:
        UserError: it differs from the last run's more than it may.
    """
    written = resources.write(state.configured)
    state.info = codec.replace(state.info, port=port, resources=written)
    config, kept = state.config, state.config.work_dir / "agent_info.json"
    if kept.exists():
        before = codec.decode(v1.AgentInfo, kept.read_bytes())
        fault = reconfiguring.fault_of(config.reconfiguration_policy, before, state.info)
        if fault is not None:
            raise UserError(
                f"the agent in {config.work_dir} is not what it was: {fault}; start it as before, "
                "with another --reconfiguration-policy, or with another --work-dir"
            )
    new = kept.with_suffix(".new")
    new.write_bytes(codec.encode(state.info))
    new.replace(kept)


async def stop_tasks(config: AgentConfig) -> None:
    """End every task of a work directory and remove what they left outside it."""
    directory = config.work_dir / "launcher"
    if not config.work_dir.is_dir():
        return
    stopped = await launchers.stop(directory)
    _log.info("launcher %s", "stopped" if stopped else "was not running")
    containerizer = _containerizer(config)
    await containerizer.destroy_all(set())
    await containerizer.networks.close()
    if containerizer.cgroups is not None:
        containerizer.cgroups.close()


def check_work_dir(path: Path) -> None:
    """Raise UserError when the work directory cannot be used."""
    try:
        path.mkdir(parents=True, exist_ok=True)
        probe = path / ".writable"
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise UserError(f"the work directory {path} cannot be used: {error.strerror}") from error
