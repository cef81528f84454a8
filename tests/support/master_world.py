"""A master without sockets: tests step it and read what it says to whom."""

import msgspec

from comity.core import splicing
from comity.core.effects import Outbox, Reply, Send, SetTimer
from comity.core.instants import Instant
from comity.master import inputs, operator, reads
from comity.master.config import MasterConfig
from comity.master.documents import Show
from comity.master.fragments import CACHED
from comity.master.machine import Master, check_invariants
from comity.master.state import new_state
from comity.resources import text
from comity.wire import recordio
from comity.wire.mesos import codec, link, resources, scheduler, v1

INFO = v1.MasterInfo(id="M", ip=16777343, pid="master@127.0.0.1:5050", hostname="127.0.0.1")


def check_fragments(state):
    """Assert that documents made of kept fragments are those made from scratch."""
    for read in reads.LEGACY.values():
        plain = msgspec.json.encode(read.build(state, {"limit": "-1"}, Show()))
        assert msgspec.json.decode(_spliced(read.build(state, {"limit": "-1"}, CACHED))) == (
            msgspec.json.decode(plain)
        )
    for kind in reads.V1:
        plain = msgspec.json.encode(operator.answer(state, kind(), Show()))
        spliced = _spliced(operator.answer(state, kind(), CACHED))
        assert msgspec.json.decode(spliced) == msgspec.json.decode(plain)


def _spliced(document):
    return b"".join(splicing.joined(reads.assembled(document, CACHED)))


class MasterWorld:
    """Steps a master through time; every step is followed by a check of its invariants."""

    def __init__(self, registry=(), **settings):
        self.now = 1000.0
        self.state = new_state(MasterConfig(**settings), INFO, Instant(self.now), seed=1)
        self.machine = Master(self.state)
        self.seen = self.looks = 0
        self.said = {}
        self.replies = {}
        self.last_reply = None
        self.timers = {}
        self.store = dict(registry)
        self._to = 0
        out = Outbox()
        self.machine.recover(sorted(self.store.items()), Instant(self.now), out)
        self._take(out)

    def step(self, item):
        out = Outbox()
        self.machine.step(item, Instant(self.now), out)
        check_invariants(self.state)
        # Worlds that run for weeks do not need it every time.
        if self.state.version != self.seen and self.looks < 100:
            self.looks += 1
            self.seen = self.state.version
            check_fragments(self.state)
        self._take(out)

    def _take(self, out):
        for write in out.writes:
            if write.value is None:
                self.store.pop(write.key, None)
            else:
                self.store[write.key] = write.value
        for reply in out.replies:
            assert isinstance(reply, Reply)
            self.replies[reply.to] = self.last_reply = reply
        for send in out.sends:
            events = self.said.setdefault(send.stream, [])
            if isinstance(send, Send):
                [record] = recordio.Decoder().feed(send.data)
                is_link = send.stream.startswith("link")
                kind = codec.LINK_EVENT if is_link else codec.SCHEDULER_EVENT
                events.append(codec.decode(kind, record))
            else:
                events.append(type(send).__name__)
        for timer in out.timers:
            if isinstance(timer, SetTimer):
                self.timers[timer.item] = timer.at
            else:
                self.timers.pop(timer.item, None)

    def run(self, seconds):
        """Let time pass; timers fire in order."""
        end = self.now + seconds
        while self.timers:
            item, at = min(self.timers.items(), key=lambda pair: pair[1])
            if at > end:
                break
            del self.timers[item]
            self.now = max(self.now, at)
            self.step(item)
        self.now = end

    def heard(self, stream, kind):
        """Return the events of a kind on a stream so far, and forget them."""
        found = [one for one in self.said.get(stream, []) if isinstance(one, kind)]
        self.said[stream] = [one for one in self.said.get(stream, []) if not isinstance(one, kind)]
        return found

    # agents

    def agent(self, name="link-a", has="cpus:4;mem:1024;ports:[31000-31009]", **brought):
        self._to += 1
        info = v1.AgentInfo(
            hostname=name,
            resources=resources.write(text.parse(has)),
            id=v1.Id(value=brought.pop("agent_id")) if "agent_id" in brought else None,
        )
        body = link.SubscribeBody(agent_info=info, **brought)
        self.step(
            inputs.AgentSubscribed(self._to, link.Subscribe(subscribe=body), name, "127.0.0.1")
        )
        self.run(0)
        return self._to

    def agent_says(self, *calls, name="link-a"):
        self._to += 1
        self.step(inputs.AgentCalled(self._to, list(calls), name))
        self.run(0)
        return self.replies[self._to].status

    def report(
        self, task_id, state, *, uuid=b"u" * 6 + b"\x40" + b"u" * 9, name="link-a", fw="M-0000"
    ):
        agent_id = v1.Id(value=self.state.links[name])
        status = v1.TaskStatus(
            task_id=v1.Id(value=task_id), state=state, uuid=uuid, agent_id=agent_id
        )
        update = link.Update(framework_id=v1.Id(value=fw), status=status, latest_state=state)
        return self.agent_says(update, name=name)

    # schedulers

    def subscribe(self, stream="s1", framework_id=None, suppressed=(), principal=None, **info):
        self._to += 1
        named = v1.Id(value=framework_id) if framework_id is not None else None
        given = {"user": "root", "name": "test", "id": named, **info}
        capabilities = given.pop("can", ())
        given["capabilities"] = tuple(v1.FrameworkCapability(type=one) for one in capabilities)
        body = scheduler.SubscribeBody(
            framework_info=v1.FrameworkInfo(**given), suppressed_roles=tuple(suppressed)
        )
        call = scheduler.Subscribe(subscribe=body, framework_id=named)
        self.step(inputs.SchedulerSubscribed(self._to, call, stream, principal))
        self.run(0)
        return self._to

    def call(self, call, stream="s1"):
        self._to += 1
        self.step(inputs.SchedulerCalled(self._to, call, stream))
        self.run(0)
        return self.replies[self._to].status

    def offers(self, stream="s1"):
        return [
            one
            for event in self.heard(stream, scheduler.EventOffers)
            for one in event.offers.offers
        ]

    def updates(self, stream="s1"):
        return [one.update.status for one in self.heard(stream, scheduler.EventUpdate)]

    def accept(self, offers, *tasks, refuse=None, stream="s1", fw="M-0000"):
        body = scheduler.AcceptBody(
            offer_ids=tuple(one.id for one in offers),
            operations=(v1.Operation(type="LAUNCH", launch=v1.Launch(task_infos=tasks)),),
            filters=None if refuse is None else v1.Filters(refuse_seconds=refuse),
        )
        return self.call(scheduler.Accept(framework_id=v1.Id(value=fw), accept=body), stream)

    def decline(self, offers, refuse=None, stream="s1", fw="M-0000"):
        filters = None if refuse is None else v1.Filters(refuse_seconds=refuse)
        body = scheduler.DeclineBody(offer_ids=tuple(one.id for one in offers), filters=filters)
        return self.call(scheduler.Decline(framework_id=v1.Id(value=fw), decline=body), stream)

    def launch(self, *names, needs="cpus:1;mem:32"):
        """Subscribe, launch on what is offered, run."""
        tasks = [task(name, needs) for name in names]
        assert self.accept(self.offers(), *tasks, refuse=0) == 202
        for name in names:
            self.report(name, v1.TaskState.RUNNING)
        return tasks


def task(name, needs="cpus:1;mem:32", agent_id="M-S0", **more):
    if "executor" not in more:
        more.setdefault("command", v1.CommandInfo(value="true"))
    return v1.TaskInfo(
        name=name,
        task_id=v1.Id(value=name),
        agent_id=v1.Id(value=agent_id),
        resources=resources.write(text.parse(needs)),
        **more,
    )


def executor(name="x", needs="", command="run"):
    return v1.ExecutorInfo(
        executor_id=v1.Id(value=name),
        command=v1.CommandInfo(value=command),
        resources=resources.write(text.parse(needs)) if needs else (),
    )
