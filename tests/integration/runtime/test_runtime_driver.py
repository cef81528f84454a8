"""The driver's promise: durable first, then replies, sends, timers and launches."""

import asyncio
from dataclasses import dataclass, field

import pytest
from msgspec import Struct

from comity.core.effects import CancelTimer, CloseStream, OpenStream, Reply, Send, SetTimer, Write
from comity.core.instants import Instant
from comity.runtime.driver import Driver
from comity.runtime.http import Response, Stream
from comity.runtime.sqlite import SqliteStore, StoreFailed


class Put(Struct, frozen=True):
    to: int
    value: bytes


class Watch(Struct, frozen=True):
    to: int


class Gone(Struct, frozen=True):
    stream: str


class Due(Struct, frozen=True):
    name: str


class Arm(Struct, frozen=True):
    effects: tuple[SetTimer | CancelTimer, ...]


class Double(Struct, frozen=True):
    number: int


@dataclass
class Recorder:
    """A machine that writes what it is told, and remembers what it saw."""

    seen: list[object] = field(default_factory=list)

    def step(self, item, now, out):
        self.seen.append(item)
        match item:
            case Put(to, value):
                out.writes.append(Write("key", value))
                out.replies.append(Reply(to=to, body=value))
                out.sends.append(Send("watch", value))
            case Watch(to):
                out.sends.append(OpenStream(to=to, stream="watch"))
                out.sends.append(Send("watch", b"hello"))
            case Arm(effects):
                out.timers.extend(effects)
            case Double():
                out.launches.append(item)
            case b"end":
                out.sends.append(CloseStream("watch"))


@pytest.fixture
async def drive():
    running = []

    def start(**options):
        driver = Driver(Recorder(), stream_closed=Gone, **options)
        running.append(asyncio.create_task(driver.run()))
        return driver

    yield start
    for job in running:
        job.cancel()
    await asyncio.gather(*running, return_exceptions=True)


async def until(condition):
    async with asyncio.timeout(10):
        while not condition():
            await asyncio.sleep(0.001)


async def test_a_reply_comes_after_its_write_is_on_disk(drive, tmp_path):
    store = SqliteStore(tmp_path / "x.sqlite")
    driver = drive(store=store)
    answer = await driver.ask(lambda to: Put(to, b"1"))
    assert isinstance(answer, Response)
    assert answer.body == b"1"
    other = SqliteStore(tmp_path / "x.sqlite")
    assert other.range("") == [("key", b"1")]
    other.close()
    store.close()


async def test_no_reply_when_the_disk_fails(tmp_path):
    store = SqliteStore(tmp_path / "x.sqlite")
    store._db.execute("DROP TABLE pairs")
    driver = Driver(Recorder(), store)
    asked = asyncio.create_task(driver.ask(lambda to: Put(to, b"1")))
    with pytest.raises(StoreFailed, match="no such table"):
        await driver.run()
    assert (await asked).status == 503
    store.close()


async def test_streams_open_carry_and_close(drive):
    driver = drive()
    stream = await driver.ask(Watch)
    assert isinstance(stream, Stream)
    await driver.ask(lambda to: Put(to, b"1"))
    driver.put(b"end")
    await until(lambda: stream.closed)
    assert not [item for item in driver.machine.seen if isinstance(item, Gone)]


async def test_a_reader_that_leaves_becomes_an_input(drive):
    driver = drive()
    stream = await driver.ask(Watch)
    stream.detach()
    await until(lambda: Gone("watch") in driver.machine.seen)


async def test_timers_fire_move_and_are_cancelled(drive):
    driver = drive()
    now = driver.clock.now()
    far = Instant(now + 3600)
    driver.put(Arm((SetTimer(Due("a"), far), SetTimer(Due("b"), now), SetTimer(Due("c"), now))))
    driver.put(Arm((SetTimer(Due("a"), now), CancelTimer(Due("c")))))
    await until(
        lambda: (
            {Due("a"), Due("b")} <= set(filter(lambda i: isinstance(i, Due), driver.machine.seen))
        )
    )
    assert [item for item in driver.machine.seen if isinstance(item, Due)].count(Due("a")) == 1


async def test_the_result_of_a_launch_is_an_input(drive):
    driver = drive()

    async def double(effect):
        driver.put(effect.number * 2)

    driver._launch = lambda effect: driver.spawn(double(effect))
    driver.put(Double(21))
    await until(lambda: 42 in driver.machine.seen)


async def test_an_effect_that_fails_ends_the_loop():
    driver = Driver(Recorder())

    async def broken():
        raise ValueError("bug")

    driver._launch = lambda effect: driver.spawn(broken())
    driver.put(Double(1))
    with pytest.raises(ValueError, match="bug"):
        await driver.run()


async def test_a_store_keeps_order_and_deletes(tmp_path):
    store = SqliteStore(tmp_path / "x.sqlite")
    await store.append([Write("b", b"2"), Write("a", b"1"), Write("c", b"3")])
    await asyncio.gather(store.append([Write("a", None)]), store.append([Write("ab", b"4")]))
    assert store.range("") == [("ab", b"4"), ("b", b"2"), ("c", b"3")]
    assert store.range("a") == [("ab", b"4")]
    assert (tmp_path / "x.sqlite").stat().st_mode & 0o777 == 0o600
    store.close()


async def test_who_waits_to_catch_up_finds_all_that_was_queued_handled_and_durable(drive, tmp_path):
    store = SqliteStore(tmp_path / "x.sqlite")
    driver = drive(store=store, max_batch=1)
    for number in range(5):
        driver.put(Put(number, b"%d" % number))
    await driver.caught_up()
    assert len(driver.machine.seen) == 5
    assert store.range("") == [("key", b"4")]
    store.close()


async def test_the_last_inputs_are_in_a_file_when_the_machine_fails(tmp_path):
    class Failing(Recorder):
        def step(self, item, now, out):
            super().step(item, now, out)
            if len(self.seen) == 3:
                raise AssertionError("impossible")

    driver = Driver(Failing(), crash_file=tmp_path / "crash.jsonl")
    for number in range(5):
        driver.put(Put(number, b"secret"))
    with pytest.raises(AssertionError, match="impossible"):
        await driver.run()
    lines = (tmp_path / "crash.jsonl").read_text().splitlines()
    assert ['"to":2' in line for line in lines] == [False, False, True]
