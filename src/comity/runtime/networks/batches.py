"""Work done in a thread for several at once: who comes meanwhile is in the next."""

import asyncio
from collections.abc import Callable
from typing import Generic, TypeVar

_Wish = TypeVar("_Wish")
_Result = TypeVar("_Result")


class Batches(Generic[_Wish, _Result]):
    """One function of many, asked for one by one."""

    def __init__(self, work: Callable[[list[_Wish]], list[_Result]]) -> None:
        self._work = work
        self._waiting: list[tuple[_Wish, asyncio.Future[_Result]]] = []
        self._worker: asyncio.Task[None] | None = None

    async def do(self, wish: _Wish) -> _Result:
        """Return what the work makes of this one.

        Raises:
            Exception: what the whole batch failed with.
        """
        result: asyncio.Future[_Result] = asyncio.get_running_loop().create_future()
        self._waiting.append((wish, result))
        if self._worker is None or self._worker.done():
            self._worker = asyncio.create_task(self._run())
        return await result

    async def _run(self) -> None:
        while self._waiting:
            batch, self._waiting = self._waiting, []
            try:
                results = await asyncio.to_thread(self._work, [wish for wish, _ in batch])
            except Exception as error:
                for _, each in batch:
                    if not each.cancelled():
                        each.set_exception(error)
                continue
            for (_, each), result in zip(batch, results, strict=True):
                if not each.cancelled():
                    each.set_result(result)
