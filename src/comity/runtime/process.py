"""Running a component: the loop, signals and the garbage collector's discipline.

The cyclic collector walks every object it knows, half a second at a time when there are millions.
State here is free of cycles, so after start-up what is alive is frozen, and the thresholds are high
enough that a collection stays rare and small.
"""

import asyncio
import gc
import logging
import signal
from collections.abc import Callable, Coroutine
from typing import Any

import uvloop

from comity.core.errors import UserError

_log = logging.getLogger(__name__)


def run(main: Callable[[asyncio.Event], Coroutine[Any, Any, None]]) -> int:
    """Run `main(stop)` until it returns; SIGTERM and SIGINT set `stop`. Returns the exit code.

    A `UserError` is logged as its sentence alone; anything else is our bug and shows where.
    """
    try:
        uvloop.run(_supervised(main))
    except UserError as error:
        _log.error("%s", error)
        return error.exit_code
    except KeyboardInterrupt:
        return 130
    return 0


async def _supervised(main: Callable[[asyncio.Event], Coroutine[Any, Any, None]]) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for signum in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(signum, stop.set)
    await main(stop)


def settle_heap() -> None:
    """Freeze what is alive now. Call once, when a component has loaded its state and is ready."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 50, 100)
