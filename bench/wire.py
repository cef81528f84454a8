"""What protobuf costs beside JSON, per record: OFFERS, UPDATE and ACCEPT, written and read.

JSON is msgspec's, in C; protobuf is Python, compiled once per message type. Prints one ratio a
line: the time in protobuf divided by the time in JSON, each the best of several runs.
"""

import time
from collections.abc import Callable
from typing import Any

from comity.wire.mesos import codec, scheduler, v1

RUNS = 7
ROUND_S = 0.05
JSON, PROTOBUF = codec.Format.JSON, codec.Format.PROTOBUF


def amounts(cpus: float, mem: float) -> tuple[v1.Resource, ...]:
    """Return resources as offers and tasks have them."""
    role = v1.AllocationInfo(role="web")
    scalars = tuple(
        v1.Resource(
            name=name, type="SCALAR", scalar=v1.Scalar(value=value), allocation_info=role, role="*"
        )
        for name, value in (("cpus", cpus), ("mem", mem), ("disk", 40000.0))
    )
    ports = v1.Ranges(range=(v1.Range(begin=31000, end=32000),))
    return (
        *scalars,
        v1.Resource(name="ports", type="RANGES", ranges=ports, allocation_info=role, role="*"),
    )


def offers(count: int) -> scheduler.EventOffers:
    """Return an event with offers of many agents."""
    address = v1.Address(hostname="agent.example.com", ip="10.0.0.1", port=5051)
    made = tuple(
        v1.Offer(
            id=v1.Id(value=f"6f3c-O{number}"),
            framework_id=v1.Id(value="6f3c-0000"),
            agent_id=v1.Id(value=f"6f3c-S{number}"),
            hostname="agent.example.com",
            url=v1.Url(scheme="http", address=address, path="/slave(1)"),
            resources=amounts(4.0, 15000.0),
            allocation_info=v1.AllocationInfo(role="web"),
        )
        for number in range(count)
    )
    return scheduler.EventOffers(offers=scheduler.OffersBody(offers=made))


def update() -> scheduler.EventUpdate:
    """Return an event with a status."""
    container = v1.ContainerStatus(container_id=v1.ContainerID(value="0f6a"), executor_pid=77)
    status = v1.TaskStatus(
        task_id=v1.Id(value="task-1"),
        state=v1.TaskState.RUNNING,
        source=v1.Source.EXECUTOR,
        agent_id=v1.Id(value="6f3c-S1"),
        executor_id=v1.Id(value="task-1"),
        timestamp=1_700_000_000.5,
        uuid=bytes(16),
        container_status=container,
    )
    return scheduler.EventUpdate(update=scheduler.UpdateBody(status=status))


def accept() -> scheduler.Accept:
    """Return a call that launches a task."""
    task = v1.TaskInfo(
        name="task",
        task_id=v1.Id(value="task-1"),
        agent_id=v1.Id(value="6f3c-S1"),
        resources=amounts(0.5, 64.0),
        command=v1.CommandInfo(value="exec server"),
    )
    launch = v1.Operation(type="LAUNCH", launch=v1.Launch(task_infos=(task,)))
    body = scheduler.AcceptBody(offer_ids=(v1.Id(value="6f3c-O1"),), operations=(launch,))
    return scheduler.Accept(framework_id=v1.Id(value="6f3c-0000"), accept=body)


def best(act: Callable[[], Any]) -> float:
    """Return the seconds that one call takes, in the best of several rounds."""
    times = []
    for _ in range(RUNS):
        count, start = 0, time.perf_counter()
        while time.perf_counter() - start < ROUND_S:
            act()
            count += 1
        times.append((time.perf_counter() - start) / count)
    return min(times)


def compare(name: str, kind: Any, message: Any) -> None:
    """Print the ratios of one record."""
    json, protobuf = codec.encode(message, JSON), codec.encode(message, PROTOBUF)
    assert codec.decode(kind, protobuf, PROTOBUF) == message
    written = best(lambda: codec.encode(message, PROTOBUF)), best(lambda: codec.encode(message))
    theirs = best(lambda: codec.decode(kind, protobuf, PROTOBUF))
    read = theirs, best(lambda: codec.decode(kind, json))
    print(
        f"wire: {name:<16} written {written[0] / written[1]:5.1f}x ({written[0] * 1e6:6.1f} µs), "
        f"read {read[0] / read[1]:5.1f}x ({read[0] * 1e6:6.1f} µs), "
        f"size {len(protobuf) / len(json):.2f}x ({len(protobuf)} bytes)"
    )


for title, of, record in (
    ("UPDATE", codec.SCHEDULER_EVENT, update()),
    ("ACCEPT", codec.SCHEDULER_CALL, accept()),
    ("OFFERS of 1", codec.SCHEDULER_EVENT, offers(1)),
    ("OFFERS of 100", codec.SCHEDULER_EVENT, offers(100)),
):
    compare(title, of, record)
