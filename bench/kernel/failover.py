"""How long a new master works until a whole cluster has registered again.

Steps the real master machine with the bytes that agents send, decoded as the HTTP front does, in
batches as the driver makes them. Prints processor seconds of master work, and how that compares
with only decoding the same bytes by msgspec. No network and no disk: those are the machine's.

    .venv/bin/python bench/kernel/failover.py --agents 10000 --tasks 100000
"""

import argparse
import gc
import time
from typing import NamedTuple

import msgspec

from comity.core.effects import Outbox
from comity.core.instants import Instant
from comity.master import inputs
from comity.master.config import MasterConfig
from comity.master.machine import Master
from comity.master.state import State, new_state
from comity.resources import text
from comity.runtime.process import settle_heap
from comity.wire.mesos import codec, link, resources, v1

BATCH = 256
FRAMEWORKS = 10


def framework(number: int) -> v1.FrameworkInfo:
    """Return one of the frameworks that have tasks everywhere."""
    return v1.FrameworkInfo(
        user="root",
        name=f"framework {number}",
        id=v1.Id(value=f"F{number}"),
        failover_timeout=3600.0,
        checkpoint=True,
        roles=(f"role-{number}",),
        capabilities=(
            v1.FrameworkCapability(type="MULTI_ROLE"),
            v1.FrameworkCapability(type="PARTITION_AWARE"),
        ),
    )


def task(agent_id: str, number: int, held: tuple[v1.Resource, ...]) -> v1.Task:
    """Return one running task, with the statuses that it had."""
    task_id, of_agent = v1.Id(value=f"web.{agent_id}.{number}"), v1.Id(value=agent_id)
    statuses = tuple(
        v1.TaskStatus(
            task_id=task_id,
            agent_id=of_agent,
            state=state,
            source=v1.Source.EXECUTOR,
            executor_id=task_id,
            timestamp=1.7e9,
            uuid=b"u" * 16,
            container_status=v1.ContainerStatus(
                container_id=v1.ContainerID(value=f"container-{agent_id}-{number}")
            ),
        )
        for state in (v1.TaskState.STARTING, v1.TaskState.RUNNING)
    )
    return v1.Task(
        name="web",
        framework_id=v1.Id(value=f"F{number % FRAMEWORKS}"),
        state=v1.TaskState.RUNNING,
        resources=held,
        statuses=statuses,
        status_update_state=v1.TaskState.RUNNING,
        task_id=task_id,
        agent_id=of_agent,
    )


def subscription(number: int, tasks: int) -> bytes:
    """Return what an agent with some tasks sends when it registers again."""
    agent_id = f"old-S{number}"
    held = resources.write(text.parse("cpus:0.1;mem:32"))
    body = link.SubscribeBody(
        agent_info=v1.AgentInfo(
            hostname=f"node-{number}",
            port=5051,
            id=v1.Id(value=agent_id),
            resources=resources.write(
                text.parse("cpus:16;mem:65536;disk:100000;ports:[31000-32000]")
            ),
        ),
        frameworks=tuple(framework(each) for each in range(FRAMEWORKS)),
        tasks=tuple(task(agent_id, each, held) for each in range(tasks)),
    )
    return codec.encode(link.Subscribe(subscribe=body))


class Restart(NamedTuple):
    """A new master with all its agents, and the seconds of the processor that it took."""

    state: State
    recovered_s: float
    worked_s: float
    longest_s: float


def restarted(messages: list[bytes], registry: list[tuple[str, bytes]]) -> Restart:
    """Step a new master until all agents have registered."""
    info = v1.MasterInfo(id="new", ip=16777343, port=5050, hostname="127.0.0.1")
    state = new_state(MasterConfig(), info, Instant(1.7e9), 1)
    master = Master(state)
    settle_heap()
    began = time.process_time()
    out = Outbox()
    master.recover(registry, Instant(1.7e9), out)
    recovered_s = time.process_time() - began
    began = time.process_time()
    longest_s = 0.0
    for first in range(0, len(messages), BATCH):
        batch_began = time.process_time()
        out = Outbox()
        for number, body in enumerate(messages[first : first + BATCH], first):
            call = codec.decode(codec.LINK_SUBSCRIBE, body)
            item = inputs.AgentSubscribed(number, call, f"link-{number}", "127.0.0.1")
            master.step(item, Instant(1.7e9 + 1), out)
        longest_s = max(longest_s, time.process_time() - batch_began)
    return Restart(state, recovered_s, time.process_time() - began, longest_s)


def resident_kb() -> int:
    """Return the memory that this process holds."""
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * 4


def memory(agents: int, tasks: int) -> int:
    """Return the kilobytes that a master holds for so many agents with so many tasks each."""
    messages = [subscription(number, tasks) for number in range(agents)]
    before = resident_kb()
    state, *_ = restarted(messages, [])
    assert len(state.agents) == agents
    return resident_kb() - before


def main() -> None:
    """Measure, and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--agents", type=int, default=10_000)
    parser.add_argument("--tasks", type=int, default=100_000)
    args = parser.parse_args()
    each = args.tasks // args.agents
    agent_kb = memory(1000, 0) / 1000
    task_kb = (memory(1000, 10) - 1000 * agent_kb) / 10_000
    messages = [subscription(number, each) for number in range(args.agents)]
    registry = [
        (f"agents/old-S{number}", codec.encode(call.subscribe.agent_info))
        for number, call in enumerate(codec.decode(codec.LINK_SUBSCRIBE, body) for body in messages)
    ]
    size_mb = sum(map(len, messages)) / 1e6
    decoder = msgspec.json.Decoder(link.Subscribe)
    gc.collect()
    began = time.process_time()
    for body in messages:
        decoder.decode(body)
    plain_s = time.process_time() - began
    state, recovered_s, worked_s, longest_s = restarted(messages, sorted(registry))
    known = sum(len(one.tasks) for one in state.frameworks.values())
    assert len(state.agents) == args.agents
    assert known == each * args.agents
    print(f"agents {args.agents}, tasks {known}, {size_mb:.0f} MB of registrations")
    print(f"registry read       {recovered_s:7.2f} s")
    print(f"registered again    {worked_s:7.2f} s of master work, longest batch {longest_s:.3f} s")
    print(f"plain decode        {plain_s:7.2f} s")
    print(f"ratio to decoding   {worked_s / plain_s:7.1f}")
    print(f"memory of a master  {agent_kb:7.1f} KB per agent, {task_kb:.1f} KB per task")


if __name__ == "__main__":
    main()
