"""An agent that only pretends to run tasks, on a real master's link: fast, and obedient."""

import asyncio
import contextlib
import uuid
from collections.abc import Sequence

from comity.runtime.http import Client, HttpError
from comity.wire import recordio
from comity.wire.mesos import codec, link, v1

_JSON = (("Content-Type", "application/json"),)


class LinkAgent:
    """Registers with a master; its tasks run at once and end when they are killed."""

    def __init__(self, master: str, host: str, cpus: float = 16) -> None:
        self._url = master + link.PATH
        self._client = Client()
        self._link_id = ""
        self._framework: v1.FrameworkInfo | None = None
        self.id: v1.Id | None = None
        self.host = host
        self.tasks: dict[str, v1.TaskInfo] = {}
        self.acknowledged: list[str] = []
        self.registered = asyncio.Event()
        self._resources = (
            v1.Resource(name="cpus", type="SCALAR", scalar=v1.Scalar(value=cpus), role="*"),
            v1.Resource(name="mem", type="SCALAR", scalar=v1.Scalar(value=64000), role="*"),
            v1.Resource(name="disk", type="SCALAR", scalar=v1.Scalar(value=64000), role="*"),
            v1.Resource(
                name="ports",
                type="RANGES",
                ranges=v1.Ranges(range=(v1.Range(begin=31000, end=31999),)),
                role="*",
            ),
        )

    async def run(self) -> None:
        """Stay registered until cancelled, coming back when the master does."""
        try:
            while True:
                with contextlib.suppress(HttpError):
                    await self._register()
                self.registered.clear()
                await asyncio.sleep(0.05)
        finally:
            await self._client.close()

    async def _register(self) -> None:
        info = v1.AgentInfo(hostname=self.host, resources=self._resources, id=self.id)
        subscribe = link.SubscribeBody(
            agent_info=info,
            frameworks=(self._framework,) if self._framework else (),
            tasks=tuple(self._remembered(task) for task in self.tasks.values()),
        )
        body = codec.encode(link.Subscribe(subscribe=subscribe))
        async with self._client.stream("POST", self._url, body, _JSON) as stream:
            if stream.status != 200:
                return
            self._link_id = stream.header(link.LINK_ID) or ""
            decoder = recordio.Decoder()
            async for chunk in stream:
                for record in decoder.feed(chunk):
                    await self._take(codec.decode(codec.LINK_EVENT, record))

    def _remembered(self, task: v1.TaskInfo) -> v1.Task:
        return v1.Task(
            name=task.name,
            task_id=task.task_id,
            framework_id=self.framework_id(),
            agent_id=task.agent_id,
            state=v1.TaskState.RUNNING,
            resources=task.resources,
            statuses=(v1.TaskStatus(task_id=task.task_id, state=v1.TaskState.RUNNING),),
        )

    def framework_id(self) -> v1.Id:
        """Return the framework whose tasks it has."""
        assert self._framework is not None
        assert self._framework.id is not None
        return self._framework.id

    async def _take(self, event: link.Event) -> None:
        match event:
            case link.EventRegistered():
                self.id = event.registered.agent_id
                self.registered.set()
            case link.EventPing():
                await self._send([link.Pong()])
            case link.EventRunTasks():
                self._framework = event.framework_info
                for task in event.tasks:
                    self.tasks[task.task_id.value] = task
                names = [task.task_id.value for task in event.tasks]
                await self.report(names, v1.TaskState.RUNNING)
            case link.EventKillTask():
                if event.task_id.value in self.tasks:
                    await self.end(event.task_id.value, v1.TaskState.KILLED)
            case link.EventAcknowledge():
                self.acknowledged.append(event.task_id.value)
            case _:
                pass

    async def end(self, task_id: str, state: v1.TaskState) -> None:
        """Let a task end."""
        del self.tasks[task_id]
        await self.report([task_id], state)

    async def report(self, task_ids: Sequence[str], state: v1.TaskState) -> None:
        """Send a status of each task."""
        updates = [
            link.Update(
                framework_id=self.framework_id(),
                executor_id=v1.Id(value=task_id),
                status=v1.TaskStatus(
                    task_id=v1.Id(value=task_id),
                    state=state,
                    agent_id=self.id,
                    uuid=uuid.uuid4().bytes,
                    source=v1.Source.EXECUTOR,
                ),
                latest_state=state,
            )
            for task_id in task_ids
        ]
        await self._send(updates)

    async def _send(self, calls: Sequence[link.Call]) -> None:
        body = b"[" + b",".join(codec.encode(one) for one in calls) + b"]"
        headers = (*_JSON, (link.LINK_ID, self._link_id))
        answer = await self._client.request("POST", self._url, body, headers)
        assert answer.status == 202, answer.body
