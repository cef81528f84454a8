"""A master and agents of our own as processes, and a scheduler to drive them from a test."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from comity.resources import text
from comity.sdk.scheduler import Scheduler
from comity.wire.mesos import resources, scheduler, v1

READY_S = 30
DONE_S = 60


class Process:
    """A component as a child process; its log is kept beside its work directory."""

    def __init__(
        self,
        module: str,
        log: Path,
        *args: str,
        environment: dict[str, str] | None = None,
        prefix: Sequence[str] = (),
    ) -> None:
        self.argv = [*prefix, sys.executable, "-m", module, *args]
        self.environment = {**os.environ, **(environment or {})}
        self.log = log
        self.url = ""
        self.child: asyncio.subprocess.Process | None = None

    async def start(self) -> "Process":
        self.log.parent.mkdir(parents=True, exist_ok=True)
        with self.log.open("ab") as log:
            position = log.tell()
            self.child = await asyncio.create_subprocess_exec(
                *self.argv,
                stdout=log,
                stderr=log,
                stdin=subprocess.DEVNULL,
                env=self.environment,
            )
        async with asyncio.timeout(READY_S):
            while not self.url:
                assert self.child.returncode is None, self.log.read_text()
                for line in self.log.read_text()[position:].splitlines():
                    if line.startswith("ready "):
                        self.url = line.split()[1]
                await asyncio.sleep(0.01)
        return self

    async def end(self, signum: int = signal.SIGTERM) -> None:
        assert self.child is not None
        if self.child.returncode is None:
            self.child.send_signal(signum)
            await self.child.wait()


class Kernel:
    """A master and one agent under a temporary directory."""

    def __init__(self, directory: Path, *agent_args: str, prefix: Sequence[str] = ()) -> None:
        self.directory = directory
        self.agent_args = agent_args
        self.prefix = prefix
        """Words before the agent's command line, by which it has less than this machine."""
        self.master = Process(
            "comity.master",
            directory / "master.log",
            "--port",
            "0",
            "--work-dir",
            str(directory / "m"),
        )
        self.agent: Process | None = None

    async def __aenter__(self) -> "Kernel":
        await self.master.start()
        # A fixed port, so that who comes back after a kill finds the master where it was.
        port = self.master.url.rpartition(":")[2]
        self.master.argv[self.master.argv.index("--port") + 1] = port
        try:
            await self.start_agent()
        except BaseException:
            await self.master.end()
            raise
        return self

    async def start_agent(self) -> None:
        port = self.agent.url.rpartition(":")[2] if self.agent is not None else "0"
        args = ["--port", port, "--work-dir", str(self.directory / "a")]
        args += ["--master", self.master.url, "--resources", "cpus:8;mem:8192;disk:1000"]
        args += ["--executor-reregistration-timeout", "15"]  # a loaded machine is slow
        self.agent = Process(
            "comity.agent",
            self.directory / "agent.log",
            *args,
            *self.agent_args,
            prefix=self.prefix,
        )
        await self.agent.start()

    async def restart_master(self) -> None:
        await self.master.end(signal.SIGKILL)
        self.master.url = ""
        await self.master.start()

    async def restart_agent(self) -> None:
        assert self.agent is not None
        await self.agent.end(signal.SIGKILL)
        await self.start_agent()

    async def __aexit__(self, *error: object) -> None:
        if self.agent is not None:
            await self.agent.end()
        await self.master.end()
        stop = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "comity.agent",
            "--work-dir",
            str(self.directory / "a"),
            "--recover=cleanup",
            stderr=subprocess.DEVNULL,
        )
        assert await stop.wait() == 0

    def scheduler(self, **framework: object) -> "Driver":
        return Driver(self.master.url, **framework)


class Driver:
    """A scheduler that launches what a test wants and remembers every status."""

    def __init__(self, url: str, **framework: object) -> None:
        given = {"user": os.environ.get("USER") or "root", "name": "test", "checkpoint": True}
        info = v1.FrameworkInfo(**{**given, "failover_timeout": 600.0, **framework})
        self.mesos = Scheduler(url, info)
        self.statuses: list[v1.TaskStatus] = []
        self.failures: list[scheduler.FailureBody] = []
        self.messages: list[bytes] = []
        self.offers: list[v1.Offer] = []
        self._job: asyncio.Task[None] | None = None

    async def __aenter__(self) -> "Driver":
        self._job = asyncio.create_task(self._read())
        await self.until(lambda: self.offers)
        return self

    async def __aexit__(self, *error: object) -> None:
        assert self._job is not None
        self._job.cancel()
        await asyncio.gather(self._job, return_exceptions=True)
        await self.mesos.close()

    async def _read(self) -> None:
        async for event in self.mesos.events():
            match event:
                case scheduler.EventOffers():
                    self.offers += event.offers.offers
                case scheduler.EventRescind():
                    gone = event.rescind.offer_id
                    self.offers = [one for one in self.offers if one.id != gone]
                case scheduler.EventUpdate():
                    self.statuses.append(event.update.status)
                    self.mesos.acknowledge(event.update.status)
                case scheduler.EventFailure():
                    self.failures.append(event.failure)
                case scheduler.EventMessage():
                    self.messages.append(event.message.data)
                case _:
                    pass

    async def until(self, condition) -> None:
        async with asyncio.timeout(DONE_S):
            while not condition():
                assert self._job is not None
                assert not self._job.done(), self._job.result()
                await asyncio.sleep(0.01)

    async def launch(self, *tasks: dict[str, object]) -> None:
        await self.until(lambda: self.offers)
        offer = self.offers.pop()
        infos = [self.task(offer, **task) for task in tasks]
        self.mesos.accept([offer], infos, refuse_seconds=0)

    def task(self, offer: v1.Offer, *, id: str, **fields: object) -> v1.TaskInfo:
        given = {"name": id, "task_id": v1.Id(value=id), "agent_id": offer.agent_id}
        held = resources.write(text.parse(str(fields.pop("resources", "cpus:0.1;mem:32"))))
        return v1.TaskInfo(**given, resources=held, **fields)

    def states(self, task_id: str) -> list[v1.TaskState]:
        return [one.state for one in self.statuses if one.task_id.value == task_id]

    def last(self, task_id: str) -> v1.TaskStatus:
        return [one for one in self.statuses if one.task_id.value == task_id][-1]

    async def until_state(self, task_id: str, state: v1.TaskState) -> v1.TaskStatus:
        await self.until(lambda: state in self.states(task_id))
        return next(
            one for one in self.statuses if one.task_id.value == task_id and one.state is state
        )


def shell(command: str, **fields: object) -> dict[str, object]:
    return {"command": v1.CommandInfo(value=command, **fields)}
