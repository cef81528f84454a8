"""The shell: the store, the HTTP server, the master and the probes around one machine."""

import asyncio
import random

from comity.core.errors import UserError
from comity.marathon import inputs, outbox
from comity.marathon.config import Config
from comity.marathon.http import Api
from comity.marathon.machine import Machine, load
from comity.marathon.shell.mesos import Session
from comity.marathon.shell.prober import Prober
from comity.runtime import logs, process
from comity.runtime.driver import Driver
from comity.runtime.http import Server
from comity.runtime.http.credentials import authenticator
from comity.runtime.sqlite import SqliteStore


class Shell:
    """One running Marathon."""

    def __init__(self, config: Config) -> None:
        self.config = config
        self._store = SqliteStore(config.work_dir / "marathon.sqlite")
        rng = random.Random()  # noqa: S311 - chooses ports and ids, guards nothing
        self.state = load(self._store.range(""), config, rng)
        self.driver = Driver(
            Machine(self.state),
            self._store,
            launch=self._launch,
            stream_closed=inputs.EventsClosed,
        )
        self.api = Api(self.driver, self.state, config)
        self._server = Server(
            self.api.handle,
            max_body=config.body_size_bytes_max,
            authenticate=authenticator(config.credentials, "marathon"),
        )
        self._session = Session(config, self.driver.put)
        self._prober = Prober(config.probes_max)

    def _launch(self, effect: object) -> None:
        if isinstance(effect, outbox.Probe):
            self.driver.spawn(self._probe(effect))
        else:
            self._session.do(effect)

    async def _probe(self, probe: outbox.Probe) -> None:
        cause = await self._prober.probe(probe)
        self.driver.put(inputs.ProbeFinished(probe.task_id, probe.check, cause))

    async def run(self, stop: asyncio.Event) -> None:
        """Serve until `stop` is set.

        Raises:
            UserError: the address cannot be had, or the master refuses us for good.
        """
        try:
            self.api.address = await self._server.start(self.config.ip, self.config.port)
            url = f"http://{self.api.address[0]}:{self.api.address[1]}"
            self.driver.put(inputs.Started())
            driving = asyncio.create_task(self.driver.run())
            session = asyncio.create_task(self._session.run(self.state.framework_id, url))
            stopping = asyncio.create_task(stop.wait())
            process.settle_heap()
            logs.ready(url)
            await _first_of(stopping, driving, session)
        finally:
            await self._server.stop()
            self._store.close()


async def _first_of(*running: "asyncio.Task[object]") -> None:
    """Wait for the first to end, cancel the others, and raise what it raised."""
    try:
        ended, _ = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for one in running:
            one.cancel()
        await asyncio.gather(*running, return_exceptions=True)
    for one in ended:
        one.result()


async def serve(config: Config, stop: asyncio.Event) -> None:
    """Run a Marathon until `stop` is set.

    Raises:
        UserError: as `Shell.run`, or the work directory cannot be used.
    """
    try:
        shell = Shell(config)
    except OSError as error:
        raise UserError(f"cannot use the work directory {config.work_dir}: {error}") from error
    await shell.run(stop)
