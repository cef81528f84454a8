"""Allocation cycles of a whole cluster, from free resources to OFFERS events as bytes.

Two baselines, measured in the same run on the same core: sorting every framework anew for every
agent (the textbook's way, and Mesos's before 1.7; timed on a few agents, and multiplied, since it
is linear in them), and encoding the same offers as whole messages. What counts are the ratios;
seconds are printed for information. Shape as in Mesos's own DeclineOffers benchmark: agents of 24
cpus, 4 GB, 4 GB disk and 1001 ports, with 16 cpus in use; one role, JSON.
"""

import gc
import random
import time
from collections.abc import Callable

from comity.core.effects import Outbox, Send
from comity.core.ids import AgentId, FrameworkId
from comity.core.instants import Instant
from comity.master import offer_views
from comity.master.config import MasterConfig
from comity.master.handlers.withdrawing import withdraw_offers
from comity.master.inputs import AllocationDue, DirtyAllocationDue
from comity.master.machine import Master
from comity.master.state import Agent, Framework, State, new_state
from comity.policy.allocator import Allocator, Refusal
from comity.resources import text
from comity.resources.amounts import NOTHING, Resources
from comity.wire.mesos import codec, resources, v1
from comity.wire.mesos.codec import Format

AGENT = "cpus:24;mem:4096;disk:4096;ports:[31000-32000]"
USED = text.parse("cpus:16")
FREE = text.parse("cpus:8;mem:4096;disk:4096;ports:[31000-32000]")
FRAMEWORKS = 1000
RUNS = 5
SORTED_AGENTS = 30
INFO = v1.MasterInfo(id="M", ip=16777343, pid="master@127.0.0.1:5050", hostname="127.0.0.1")


def cluster(agents: int) -> State:
    """Return a master's state with that many agents, and frameworks that listen."""
    state = new_state(MasterConfig(), INFO, Instant(0.0), seed=1)
    total = text.parse(AGENT)
    written = resources.write(total)
    for number in range(agents):
        agent_id = AgentId(f"4ac9-S{number}")
        info = v1.AgentInfo(
            hostname=f"node-{number}.example.org", resources=written, id=v1.Id(value=agent_id)
        )
        state.agents[agent_id] = Agent(
            agent_id, info, "10.0.0.1", total, Instant(0.0), "link", used=USED
        )
        state.allocator.add_agent(agent_id, Resources(dict(total)), USED)
    for number in range(FRAMEWORKS):
        framework_id = FrameworkId(f"4ac9-{number:04}")
        described = v1.FrameworkInfo(user="root", name="bench", id=v1.Id(value=framework_id))
        framework = Framework(framework_id, described, ("*",), frozenset(), Instant(0.0))
        framework.stream = f"stream-{number}"
        state.frameworks[framework_id] = framework
        state.allocator.add_framework(framework_id, ("*",))
    return state


def timed(work: Callable[[], object]) -> float:
    """Return the seconds of processor time that something takes, without a collection inside."""
    gc.collect()
    gc.disable()
    start = time.process_time()
    work()
    taken = time.process_time() - start
    gc.enable()
    return taken


def cycle(state: State) -> float:
    """Return the seconds of a cycle over all agents; its offers stand afterwards."""
    out = Outbox()
    taken = timed(lambda: Master(state).step(AllocationDue(), Instant(1.0), out))
    sent = [each.data for each in out.sends if isinstance(each, Send)]
    offers = sum(data.count(b'{"id":{"value":"M-O') for data in sent if b'"OFFERS"' in data)
    is_json = next(iter(state.frameworks.values())).format is Format.JSON
    assert len(state.agents) == len(state.offers), "every agent is offered once"
    assert offers == (len(state.offers) if is_json else 0)
    return taken


def take_back(state: State, number: int | None = None) -> None:
    """Decline offers, all or some, without filters."""
    withdraw_offers(state, list(state.offers.values())[:number], Outbox(), tell=False)


def median(one: Callable[[], float]) -> float:
    return sorted(one() for _ in range(RUNS))[RUNS // 2]


def full(state: State) -> float:
    def one() -> float:
        taken = cycle(state)
        take_back(state)
        return taken

    return median(one)


def changed(state: State, number: int) -> float:
    """Return the seconds of a cycle after some agents' resources became free."""
    cycle(state)

    def one() -> float:
        take_back(state, number)
        out = Outbox()
        return timed(lambda: Master(state).step(DirtyAllocationDue(), Instant(1.0), out))

    taken = median(one)
    take_back(state)
    return taken


def filter_half(state: State) -> None:
    """Let half of the frameworks, others for each agent, refuse what it has."""
    chance = random.Random(1)
    refusal = Refusal(FREE, Instant(1e9))
    names = list(state.frameworks)
    for agent_id in state.agents:
        for framework_id in chance.sample(names, FRAMEWORKS // 2):
            state.allocator.refuse(agent_id, framework_id, "*", refusal)


def filter_all(state: State) -> float:
    """Let everybody refuse everything; return the seconds of a cycle that offers nothing."""
    refusal = Refusal(FREE, Instant(1e9))
    for agent_id in state.agents:
        for framework_id in state.frameworks:
            state.allocator.refuse(agent_id, framework_id, "*", refusal)
    Master(state).step(AllocationDue(), Instant(1.0), Outbox())
    return median(
        lambda: timed(lambda: Master(state).step(AllocationDue(), Instant(1.0), Outbox()))
    )


def encoding(state: State) -> float:
    """Return the seconds of encoding the offers of a full cycle as whole messages."""
    cycle(state)

    def work() -> None:
        for offer in state.offers.values():
            framework, agent = state.frameworks[offer.framework_id], state.agents[offer.agent_id]
            codec.encode(offer_views.written(framework, agent, offer, None), framework.format)

    taken = timed(work)
    take_back(state)
    return taken


def sorting(agents: int) -> float:
    """Return the seconds that sorting all frameworks for each of so many agents would take."""
    total = {"cpus": 24_000 * agents, "mem": 4096_000 * agents, "disk": 4096_000 * agents}
    given = {name: amount for name, amount in _scalars(FREE).items()}
    held = {f"f{number}": dict.fromkeys(total, 0) for number in range(FRAMEWORKS)}
    times = dict.fromkeys(held, 0)

    def key(name: str) -> tuple[float, int, str]:
        share = max(amount / total[kind] for kind, amount in held[name].items())
        return (share, times[name], name)

    def work() -> None:
        for _ in range(SORTED_AGENTS):
            first = sorted(held, key=key)[0]
            times[first] += 1
            for kind, amount in given.items():
                held[first][kind] += amount

    return timed(work) * agents / SORTED_AGENTS


def quota(number: int) -> float:
    """Return the seconds of a cycle that satisfies the guarantees of as many roles as agents.

    Every second role is guaranteed an agent, and the others a part of one, as in Mesos's benchmark
    LargeAndSmallQuota (15.5 s in Mesos 1.9, by the commit that made it faster).
    """
    allocator = Allocator(random.Random(1))
    large, small = {"cpus": 24_000, "mem": 4096_000}, {"cpus": 1000, "mem": 128_000}
    for at in range(number):
        allocator.add_agent(AgentId(f"S{at}"), text.parse(AGENT), NOTHING)
        allocator.add_framework(FrameworkId(f"f{at}"), (f"role-{at}",))
        own = large if at % 2 else small
        allocator.set_quota(f"role-{at}", own, own)
    return timed(lambda: allocator.allocate(Instant(1.0), everything=True))


def _scalars(bundle: Resources) -> dict[str, int]:
    return {kind.name: amount for kind, amount in bundle if isinstance(amount, int)}


def main() -> None:
    """Measure, and print ratios and seconds."""
    state = cluster(10_000)
    plain, encoded, sorted_s = full(state), encoding(state), sorting(10_000)
    print(f"allocation: 10,000 agents x {FRAMEWORKS:,} frameworks, one role, offers as bytes:")
    print(f"  {sorted_s / plain:.0f}x as fast as sorting frameworks for each agent (no encoding)")
    print(f"  {plain / encoded:.2f}x the time of only encoding the same offers as messages")
    for framework in state.frameworks.values():
        framework.format = Format.PROTOBUF
    print(f"  {full(state) / plain:.2f}x the time with protobuf")
    for framework in state.frameworks.values():
        framework.format = Format.JSON
    some = changed(state, 100)
    print(f"  100 changed agents: {some / plain:.3f} of a full cycle")
    filter_half(state)
    half = full(state)
    print(f"  half of all pairs filtered: {half / plain:.2f}x; target: at most 3x")
    del state
    large = full(cluster(50_000))
    print(f"  50,000 agents: {large / plain:.2f}x; target: about 5x")
    refused = filter_all(cluster(2_000))
    print(f"  everybody refuses everything: {refused * 5 / plain:.3f} of a full cycle")
    by_quota = quota(3000)
    print(f"  3,000 agents, 3,000 roles with guarantees: {by_quota / plain:.2f} of a full cycle")
    print(
        f"  seconds: {plain:.3f} full (target 0.1), {some:.4f} changed (target 0.01), {half:.3f} "
        f"half filtered, {large:.3f} of 50,000 (target 0.5), {sorted_s:.1f} sorting, "
        f"{encoded:.3f} encoding, {by_quota:.3f} by quota"
    )


main()
