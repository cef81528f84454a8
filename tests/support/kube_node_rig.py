"""A world for the node machine: an agent, an API and a clock, all in memory.

By default everything works at once: launches run, volumes are written, statuses are stored. Tests
hold things back (`world.hold(LaunchContainer)`) and give results themselves.
"""

import heapq
import itertools
from typing import Any

from comity.core.effects import CancelTimer, Outbox, SetTimer
from comity.core.instants import Instant
from comity.kube.node import inputs, outbox
from comity.kube.node.machine import NodeMachine
from comity.kube.node.state import NodeFacts, Pod, Stage

FACTS = NodeFacts(
    name="node-1", ip="127.0.0.11", sandbox="/sandbox", cpus=4.0, mem_mb=1024.0, kubelet_port=31999
)
START = 1_700_000_000.0


def container(name: str = "web", **fields: Any) -> dict[str, Any]:
    return {"name": name, "image": "host", "command": ["sleep", "1"], **fields}


def pod(
    name: str = "web",
    containers: list[dict[str, Any]] | None = None,
    metadata: dict[str, Any] | None = None,
    **spec: Any,
) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": name,
            "namespace": "default",
            "uid": f"uid-{name}",
            "resourceVersion": "10",
            **(metadata or {}),
        },
        "spec": {
            "restartPolicy": "Always",
            "terminationGracePeriodSeconds": 30,
            "nodeName": "node-1",
            "containers": containers or [container()],
            **spec,
        },
        "status": {},
    }


class World:
    def __init__(self) -> None:
        self.machine = NodeMachine(FACTS)
        self.now = START
        self.effects: list[Any] = []
        self.held: set[type] = set()
        self.live: dict[str, tuple[str, str]] = {}
        """Container id to (uid, name) of what runs on the agent."""
        self.ever: set[str] = set()
        self.images: dict[str, str] = {}
        """What the agent has, by name: its id."""
        self.configmaps: dict[str, dict[str, Any]] = {}
        self.secrets: dict[str, dict[str, Any]] = {}
        self.services: list[dict[str, Any]] = []
        self.stored: dict[str, dict[str, Any]] = {}
        self.exited = False
        self._timers: dict[Any, float] = {}
        self._due: list[tuple[float, int, Any]] = []
        self._order = itertools.count()

    # driving

    def hold(self, *kinds: type) -> None:
        self.held.update(kinds)

    def put(self, item: Any) -> list[Any]:
        """Step one input, and whatever follows from it at once; return the effects."""
        before = len(self.effects)
        queue = [item]
        while queue:
            out = Outbox()
            self.machine.step(queue.pop(0), Instant(self.now), out)
            self._take_timers(out)
            self.effects += out.launches
            for effect in out.launches:
                queue += self._answer(effect)
            self.check()
        return self.effects[before:]

    def advance(self, seconds: float) -> list[Any]:
        """Let time pass, firing timers in order."""
        before = len(self.effects)
        end = self.now + seconds
        while self._due and self._due[0][0] <= end:
            at, _, item = heapq.heappop(self._due)
            if self._timers.get(item) == at:
                del self._timers[item]
                self.now = max(self.now, at)
                self.put(item)
        self.now = end
        return self.effects[before:]

    def _take_timers(self, out: Outbox) -> None:
        for timer in out.timers:
            if isinstance(timer, CancelTimer):
                self._timers.pop(timer.item, None)
            else:
                assert isinstance(timer, SetTimer)
                self._timers[timer.item] = timer.at
                heapq.heappush(self._due, (timer.at, next(self._order), timer.item))

    def _answer(self, effect: Any) -> list[Any]:
        if type(effect) in self.held:
            return []
        match effect:
            case outbox.FindImage():
                return [self.sought(effect, self.images.get(effect.image, ""))]
            case outbox.PullImage():
                return [self.pulled(effect)]
            case outbox.LaunchContainer():
                return self.run(effect)
            case outbox.ResolveConfig():
                configmaps = {name: self.configmaps.get(name) for name in effect.configmaps}
                secrets = {name: self.secrets.get(name) for name in effect.secrets}
                return [inputs.ConfigResolved(effect.uid, configmaps, secrets, list(self.services))]
            case outbox.WriteVolumes():
                return [inputs.VolumesWritten(effect.uid, effect.digest)]
            case outbox.PatchStatus():
                self.stored[effect.uid] = effect.status
                return [inputs.StatusStored(effect.uid, effect.seq)]
            case outbox.DeletePod():
                return [inputs.PodDeleted(effect.uid)]
            case outbox.KillContainer(signal=9) if effect.container_id in self.live:
                return [self.exit_input(effect.container_id, 9)]
            case outbox.Exit():
                self.exited = True
        return []

    # the agent

    def sought(self, effect: outbox.FindImage, image_id: str = "", fault: str = "") -> Any:
        what = (effect.uid, effect.name, effect.container_id)
        return inputs.ImageSought(
            uid=what[0], name=what[1], container_id=what[2], image_id=image_id, fault=fault
        )

    def pulled(self, effect: outbox.PullImage, size: int = 1000) -> Any:
        self.images[effect.image] = f"{effect.image}@sha256:feed"
        what = (effect.uid, effect.name, effect.container_id)
        return inputs.ImagePulled(
            uid=what[0],
            name=what[1],
            container_id=what[2],
            image_id=self.images[effect.image],
            size_bytes=size,
        )

    def run(self, effect: outbox.LaunchContainer) -> list[Any]:
        assert effect.container_id not in self.ever, "a container id was used twice"
        others = [key for key in self.live.values() if key == (effect.uid, effect.name)]
        assert not others, f"two live incarnations of {effect.uid}/{effect.name}"
        self.ever.add(effect.container_id)
        self.live[effect.container_id] = (effect.uid, effect.name)
        return [inputs.ContainerLaunched(effect.uid, effect.name, effect.container_id)]

    def exit_input(self, container_id: str, status: int, **more: Any) -> inputs.ContainerExited:
        uid, name = self.live.pop(container_id)
        return inputs.ContainerExited(
            uid=uid, name=name, container_id=container_id, wait_status=status, **more
        )

    def exit(self, name: str, code: int = 0, uid: str = "uid-web", **more: Any) -> list[Any]:
        """End the live incarnation of a container with an exit code."""
        found = next(key for key, value in self.live.items() if value == (uid, name))
        return self.put(self.exit_input(found, code << 8, **more))

    # reading

    def assign(self, given: dict[str, Any] | None = None) -> list[Any]:
        given = given or pod()
        return self.put(inputs.PodAssigned(f"task-{given['metadata']['name']}", given))

    def change(self, given: dict[str, Any], **metadata: Any) -> list[Any]:
        version = str(int(given["metadata"]["resourceVersion"]) + 1)
        given["metadata"] = {**given["metadata"], "resourceVersion": version, **metadata}
        return self.put(inputs.PodChanged(dict(given)))

    def delete(self, given: dict[str, Any], grace_s: int = 30) -> list[Any]:
        return self.change(
            given,
            deletionTimestamp="2023-11-14T22:13:50Z",
            deletionGracePeriodSeconds=grace_s,
        )

    def pod(self, uid: str = "uid-web") -> Pod:
        return self.machine.state.pods[uid]

    def status(self, name: str = "web", uid: str = "uid-web") -> dict[str, Any]:
        """Return the stored status of one container."""
        rows = [
            *self.stored[uid].get("initContainerStatuses", []),
            *self.stored[uid]["containerStatuses"],
        ]
        return next(row for row in rows if row["name"] == name)

    def condition(self, kind: str, uid: str = "uid-web") -> dict[str, Any]:
        return next(row for row in self.stored[uid]["conditions"] if row["type"] == kind)

    def updates(self) -> list[str]:
        return [each.state for each in self.effects if isinstance(each, outbox.SendUpdate)]

    def reasons(self) -> list[str]:
        return [each.reason for each in self.effects if isinstance(each, outbox.RecordEvent)]

    def told(self) -> list[tuple[str, str]]:
        """Return reasons and messages of events."""
        events = (each for each in self.effects if isinstance(each, outbox.RecordEvent))
        return [(each.reason, each.message) for each in events]

    def of(self, kind: type, effects: list[Any] | None = None) -> list[Any]:
        return [
            each for each in (self.effects if effects is None else effects) if type(each) is kind
        ]

    # invariants

    def check(self) -> None:
        state = self.machine.state
        assert state.tasks == {each.task_id: each.uid for each in state.pods.values()}
        for each in state.pods.values():
            if each.is_ended:
                assert not any(item.is_live for item in each.containers), "ended with a live part"
            for item in each.containers:
                starting = item.stage in (Stage.PULLING, Stage.LAUNCHING)
                assert bool(item.launching_id) is starting
                assert not item.ready or item.stage in (Stage.RUNNING, Stage.STOPPING)
        ends = [each.task_id for each in self.of(outbox.SendUpdate) if each.state in TERMINAL]
        assert len(ends) == len(set(ends)), "a task ended twice"


TERMINAL = {"TASK_FINISHED", "TASK_FAILED", "TASK_KILLED", "TASK_LOST"}
