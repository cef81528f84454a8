"""Threads for pulls, which block for long: a process that ends does not wait for them.

Those of `asyncio.to_thread` and of executors are joined at the end of a process, so that an agent
could not stop while a registry is slow. What a pull leaves half-done goes at the next start.
"""

import asyncio
import contextlib
import threading
from collections.abc import Callable, Sequence
from typing import TypeVar

T = TypeVar("T")


def start(function: Callable[[], T]) -> asyncio.Future[T]:
    """Run a function in a thread of its own; return what will be its result."""
    loop = asyncio.get_running_loop()
    future: asyncio.Future[T] = loop.create_future()

    def settle(result: T | None, error: Exception | None) -> None:
        if future.cancelled():
            return
        if error is not None:
            future.set_exception(error)
        else:
            future.set_result(result)  # type: ignore[arg-type]

    def work() -> None:
        result: T | None = None
        error: Exception | None = None
        try:
            result = function()
        except Exception as caught:
            error = caught
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits any more
            loop.call_soon_threadsafe(settle, result, error)

    threading.Thread(target=work, name="pull", daemon=True).start()
    return future


def run_all(functions: Sequence[Callable[[], None]], at_once: int) -> None:
    """Run functions in threads, a few at once; after the first failure no other is begun.

    Raises:
        Exception: the first failure, when those that had begun have ended.
    """
    waiting, lock = list(reversed(functions)), threading.Lock()
    failures: list[Exception] = []

    def work() -> None:
        while True:
            with lock:
                if not waiting or failures:
                    return
                function = waiting.pop()
            try:
                function()
            except Exception as error:
                failures.append(error)

    helpers = [
        threading.Thread(target=work, name="pull-layer", daemon=True) for _ in range(at_once)
    ]
    for one in helpers:
        one.start()
    for one in helpers:
        one.join()
    if failures:
        raise failures[0]
