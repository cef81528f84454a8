"""The Kubernetes scheduler's machine with a clock, an API and a master in memory."""

from random import Random

from comity.core.effects import Outbox
from comity.core.instants import Instant
from comity.kube.scheduler import inputs, outbox
from comity.kube.scheduler.machine import PodScheduler
from comity.kube.scheduler.state import Settings, State
from comity.resources.amounts import Kind, Resources
from comity.wire.mesos import resources, v1

SETTINGS = Settings(role="kubernetes", executor_command="comity kube-node", executor_data=b"{}")


def pod(name="web", cpu="100m", memory="64Mi", **spec):
    container = {
        "name": "main",
        "image": "host",
        "resources": {"requests": {"cpu": cpu, "memory": memory}},
        **spec.pop("container", {}),
    }
    metadata = {"namespace": "default", "name": name, "uid": f"uid-{name}"}
    return {"metadata": metadata, "spec": {"containers": [container], **spec}, "status": {}}


def offer(name="node-1", cpus=4.0, mem=4096.0, number=0, executors=()):
    held = Resources.scalars(cpus=cpus, mem=mem) + Resources({Kind("ports"): ((31000, 31100),)})
    return v1.Offer(
        id=v1.Id(value=f"offer-{name}-{number}"),
        framework_id=v1.Id(value="framework"),
        agent_id=v1.Id(value=f"agent-{name}"),
        hostname=name,
        resources=resources.write(held, role="kubernetes"),
        executor_ids=tuple(v1.Id(value=each) for each in executors),
    )


def node_object(name="node-1", labels=None, **spec):
    capacity = {"cpu": "4", "memory": "4Gi"}
    annotations = {"comity.io/kubelet-port": "31050", "comity.io/agent-id": f"agent-{name}"}
    ready = {"type": "Ready", "status": "True"}
    return {
        "metadata": {"name": name, "labels": labels or {}, "annotations": annotations},
        "spec": spec,
        "status": {"capacity": capacity, "conditions": [ready]},
    }


class World:
    def __init__(self, *names):
        self.now = 1000.0
        self.state = State(SETTINGS, Random(1))
        self.machine = PodScheduler(self.state)
        self.timers = {}
        self.effects = []
        self.put(inputs.SubscribedToMaster())
        for name in names or ("node-1",):
            self.put(inputs.NodeSeen(node_object(name)))

    def put(self, item):
        """Step an input and what is due at once; return the effects."""
        before, queue = len(self.effects), [item]
        while queue:
            out = Outbox()
            self.machine.step(queue.pop(0), Instant(self.now), out)
            self.effects += out.launches
            self.timers.update({timer.item: timer.at for timer in out.timers})
            queue += self._due()
        return self.effects[before:]

    def _due(self):
        due = [item for item, at in self.timers.items() if at <= self.now]
        for item in due:
            del self.timers[item]
        return due

    def advance(self, seconds):
        before = len(self.effects)
        self.now += seconds
        for item in self._due():
            self.put(item)
        return self.effects[before:]

    def offer(self, *offers):
        return self.put(inputs.OffersCame(offers))

    def calls(self, name, effects=None):
        held = self.effects if effects is None else effects
        return [e for e in held if isinstance(e, outbox.CallMaster) and e.name == name]

    def of(self, kind, effects=None):
        return [e for e in (self.effects if effects is None else effects) if type(e) is kind]

    def bind_all(self):
        effects = []
        for uid, name in list(self.state.binding.items()):
            effects += self.put(inputs.PodBound(uid, name))
        return effects


def status(state, source, task_id="default.web.uid-web", reason=None, uuid=None):
    return inputs.StatusCame(
        v1.TaskStatus(
            task_id=v1.Id(value=task_id),
            state=state,
            source=source,
            reason=reason,
            uuid=uuid,
            agent_id=v1.Id(value="agent-node-1"),
        )
    )
