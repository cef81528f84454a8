"""The node's shell: events of the agent in, effects of the machine out.

One effect that fails in a way nobody foresaw must not end the process, because that would end every
pod of the agent: it counts as that effect's own failure, and is logged with its trace.
"""

import asyncio
import logging
import os
import ssl
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

from comity.kube.node import inputs, outbox
from comity.kube.node.config import Config, Data
from comity.kube.node.http import NodeHttp
from comity.kube.node.logs import Timeline
from comity.kube.node.machine import NodeMachine
from comity.kube.node.shell import heartbeats, podsync
from comity.kube.node.shell.acting import Actor
from comity.kube.node.shell.agents import AgentContainers, LaunchRefused, NoSuchName
from comity.kube.node.shell.api import NodeApi
from comity.kube.node.shell.disk import DiskError, PodDisk
from comity.kube.node.shell.events import EventRecorder
from comity.kube.node.shell.inside import Inside
from comity.kube.node.state import NodeFacts
from comity.runtime import tls
from comity.runtime.driver import Driver
from comity.runtime.http import Client, Server
from comity.sdk.executor import Executor
from comity.sdk.sessions import Sessions
from comity.wire.mesos.base import Id
from comity.wire.mesos.states import TaskState
from comity.wire.mesos.v1 import TaskStatus

_log = logging.getLogger(__name__)
_SAMPLE_S = 2.0
"""How often the lengths of running containers' logs are noted."""


class Node:
    """Everything that runs between SUBSCRIBED and the end."""

    def __init__(self, config: Config, data: Data, facts: NodeFacts, agent: Executor) -> None:
        self.machine = NodeMachine(facts)
        self.driver = Driver(self.machine, launch=self._launch_effect)
        self.finished = asyncio.Event()
        self._facts = facts
        self._agent = agent
        context = ssl.create_default_context(cadata=data.ca or None)
        self._api = NodeApi(data.apiserver, data.token, Client(ssl=context))
        bearer = (("Authorization", f"Bearer {config.token}"),) if config.token else ()
        agent_url = f"{tls.agent_scheme(os.environ)}://{config.agent}"
        self._containers = AgentContainers(agent_url, config.container_id, bearer)
        self._disk = PodDisk(config.sandbox, self._containers.pods)
        self._actor = Actor(self._containers, self._disk)
        self._events = EventRecorder(self._api, facts.name)
        self._statuses = podsync.StatusWriter(self._api, self.driver.put, self.driver.spawn)
        self._timelines: dict[str, Timeline] = {}
        self._client = Client()
        sessions = Sessions(agent_url, self._client, bearer)
        inside = Inside(sessions, self._containers)
        self._http = NodeHttp(self.machine.state, data.kubelet_token, self._log_of, inside)
        self._server = Server(self._http.router.handle, authenticate=self._http.authenticate)
        self._effects: dict[type, Callable[[Any], Coroutine[Any, Any, None]]] = {
            outbox.FindImage: self._find_image,
            outbox.PullImage: self._pull_image,
            outbox.LaunchContainer: self._launch,
            outbox.KillContainer: self._kill,
            outbox.RemoveContainer: self._remove,
            outbox.RunProbe: self._probe,
            outbox.RunHook: self._hook,
            outbox.WriteVolumes: self._write_volumes,
            outbox.EndSandbox: self._end_sandbox,
            outbox.RemovePod: self._remove_pod,
            outbox.ResolveConfig: self._resolve,
            outbox.FetchPod: self._fetch,
            outbox.DeletePod: self._delete,
            outbox.RecordEvent: self._record,
        }

    async def start(self) -> None:
        """Serve the endpoint; watch the API; send heartbeats."""
        await self._server.start(self._facts.ip, self._facts.kubelet_port)
        self.driver.spawn(podsync.watch(self._api, self._facts.name, self.driver.put))
        self.driver.spawn(heartbeats.beat(self._api, self._facts, self.driver.clock))
        self.driver.spawn(self._sample())

    async def close(self) -> None:
        """Stop serving and drop the connections."""
        await self._http.close()
        await self._server.stop()
        for client in (self._api, self._containers, self._actor, self._client):
            await client.close()

    def _launch_effect(self, effect: Any) -> None:
        if isinstance(effect, outbox.SendUpdate):
            self._update(effect)
        elif isinstance(effect, outbox.PatchStatus):
            self._statuses.want(effect)
        elif isinstance(effect, outbox.Exit):
            self.finished.set()
        else:
            self.driver.spawn(self._effects[type(effect)](effect))

    def _update(self, effect: outbox.SendUpdate) -> None:
        _log.info("task %s: %s %s", effect.task_id, effect.state, effect.message)
        self._agent.update(
            TaskStatus(
                task_id=Id(value=effect.task_id),
                state=TaskState(effect.state),
                message=effect.message or None,
            )
        )

    # images

    async def _find_image(self, effect: outbox.FindImage) -> None:
        name = (effect.uid, effect.name, effect.container_id)
        found, fault = None, ""
        try:
            found = await self._containers.find_image(effect.image)
        except NoSuchName as error:
            fault = str(error)
        except LaunchRefused as error:
            self.driver.put(inputs.PullFailed(*name, str(error)))
            return
        self.driver.put(
            inputs.ImageSought(
                uid=effect.uid,
                name=effect.name,
                container_id=effect.container_id,
                image_id=_image_id(found) if found is not None else "",
                fault=fault,
            )
        )

    async def _pull_image(self, effect: outbox.PullImage) -> None:
        try:
            found = await self._containers.pull_image(effect.image, effect.login)
        except LaunchRefused as error:
            name = (effect.uid, effect.name, effect.container_id)
            self.driver.put(inputs.PullFailed(*name, str(error)))
            return
        self.driver.put(
            inputs.ImagePulled(
                uid=effect.uid,
                name=effect.name,
                container_id=effect.container_id,
                image_id=_image_id(found),
                size_bytes=int(found.get("size_bytes") or 0),
            )
        )

    # containers

    async def _launch(self, effect: outbox.LaunchContainer) -> None:
        name = (effect.uid, effect.name, effect.container_id)
        volumes = effect.launch["container"].get("volumes") or []
        try:
            await asyncio.to_thread(self._disk.prepare, volumes, effect.message_path)
            address = await self._containers.launch(
                effect.uid, effect.sandbox, effect.container_id, effect.launch
            )
        except (LaunchRefused, DiskError) as error:
            self.driver.put(inputs.LaunchFailed(*name, str(error)))
            return
        except Exception as error:
            _log.exception("launching %s", effect.container_id)
            self.driver.put(inputs.LaunchFailed(*name, f"the node failed: {error!r}"))
            return
        self._timelines[effect.container_id] = Timeline(self.driver.clock.now())
        self.driver.put(inputs.ContainerLaunched(*name, address))
        await self._wait(effect)

    async def _wait(self, effect: outbox.LaunchContainer) -> None:
        ended = await self._containers.wait(effect.container_id)
        message = await asyncio.to_thread(
            self._disk.message,
            effect.message_path,
            effect.container_id,
            from_log=effect.logs_on_error and ended.wait_status != 0,
        )
        self.driver.put(
            inputs.ContainerExited(
                uid=effect.uid,
                name=effect.name,
                container_id=effect.container_id,
                wait_status=ended.wait_status,
                is_out_of_memory=ended.is_out_of_memory,
                message=message,
            )
        )

    async def _kill(self, effect: outbox.KillContainer) -> None:
        await self._containers.kill(effect.container_id, effect.signal)

    async def _remove(self, effect: outbox.RemoveContainer) -> None:
        self._timelines.pop(effect.container_id, None)
        await self._containers.remove(effect.container_id)

    async def _probe(self, effect: outbox.RunProbe) -> None:
        ok, text = await self._act(effect.container_id, effect.action, effect.timeout_s)
        name = (effect.uid, effect.name, effect.container_id)
        self.driver.put(inputs.ProbeResult(*name, effect.kind, ok, text))

    async def _hook(self, effect: outbox.RunHook) -> None:
        ok, text = await self._act(effect.container_id, effect.action, effect.timeout_s)
        name = (effect.uid, effect.name, effect.container_id)
        error = "" if ok else text or "failed"
        self.driver.put(inputs.HookFinished(*name, effect.hook, error))

    async def _act(
        self, container_id: str, action: outbox.Action, timeout_s: float
    ) -> tuple[bool, str]:
        try:
            return await self._actor.act(container_id, action, timeout_s)
        except Exception as error:
            _log.exception("%r for %s", action, container_id)
            return False, f"the node failed: {error!r}"

    # volumes

    async def _write_volumes(self, effect: outbox.WriteVolumes) -> None:
        try:
            await asyncio.to_thread(self._disk.write, effect.uid, effect.volumes)
        except DiskError as error:
            self.driver.put(inputs.VolumesFailed(effect.uid, effect.digest, str(error)))
            return
        self.driver.put(inputs.VolumesWritten(effect.uid, effect.digest))

    async def _end_sandbox(self, effect: outbox.EndSandbox) -> None:
        await self._containers.end_pod(effect.uid)

    async def _remove_pod(self, effect: outbox.RemovePod) -> None:
        await self._containers.remove_pod(effect.uid)
        await asyncio.to_thread(self._disk.remove, effect.uid)

    # the API

    async def _resolve(self, effect: outbox.ResolveConfig) -> None:
        self.driver.put(await podsync.resolve(self._api, effect))

    async def _fetch(self, effect: outbox.FetchPod) -> None:
        found = await self._api.pod(effect.namespace, effect.name)
        self.driver.put(podsync.as_input(found, effect.uid))

    async def _delete(self, effect: outbox.DeletePod) -> None:
        await self._api.delete_pod(effect.namespace, effect.name, effect.uid)
        self.driver.put(inputs.PodDeleted(effect.uid))

    async def _record(self, effect: outbox.RecordEvent) -> None:
        await self._events.record(effect, self.driver.clock.now())

    # logs

    def _log_of(self, container_id: str) -> tuple[Path, Timeline]:
        timeline, directory = self._timelines.get(container_id), self._disk.logs(container_id)
        timeline = timeline or Timeline(0.0)
        timeline.note(directory, self.driver.clock.now())  # what came since the last sample
        return directory, timeline

    async def _sample(self) -> None:
        while True:
            await asyncio.sleep(_SAMPLE_S)
            now = self.driver.clock.now()
            for container_id, timeline in self._timelines.items():
                timeline.note(self._disk.logs(container_id), now)


def _image_id(found: dict[str, Any]) -> str:
    return str(found.get("reference") or found.get("digest") or found.get("name") or "")
