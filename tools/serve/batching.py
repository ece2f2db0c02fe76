"""Micro-batching: requests that wait at the same time are computed together.

A batch is computed once it is full, or its first request has waited for long enough, and a thread
is free; what has come until then belongs to it. A batch that the model refuses is halved until the
request that is to blame is alone: the others are answered as if it had never come.
"""

import asyncio
import contextlib
from collections.abc import Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc

from tools.serve.batches import Asked, Key, join, key_of, split
from tools.serve.metrics import Metrics
from tools.serve.models.loaded import Arrays
from tools.serve.models.version import Version
from tools.serve.refusal import Refusal


class _Waiting:
    """A request, and the future that its answer is put into."""

    def __init__(self, asked: Asked) -> None:
        self.asked = asked
        self.future: asyncio.Future[Arrays] = asyncio.get_running_loop().create_future()

    def answer(self, found: Arrays | Exception) -> None:
        if self.future.done():  # The client has gone, or its time is over.
            return
        if isinstance(found, Exception):
            self.future.set_exception(found)
        else:
            self.future.set_result(found)


class _Queue:
    """Requests of one key, until their batch begins."""

    def __init__(self) -> None:
        self.waiting: list[_Waiting] = []
        self.rows, self.full = 0, asyncio.Event()


class Batcher:
    """Computes requests, several at once where they can be joined."""

    def __init__(self, *, most: int, seconds: float, threads: int, metrics: Metrics) -> None:
        """Made in the event loop that it is used in.

        Args:
          most: rows of a batch; a request with more of them is computed alone.
          seconds: that the first request of a batch waits for others.
          threads: batches that are computed at the same time.
          metrics: that count the rows.
        """
        self._most, self._seconds, self._metrics = most, seconds, metrics
        self._free = asyncio.Semaphore(threads)
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix='batch')
        self._queues: dict[Key, _Queue] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    async def compute(self, version: Version, asked: Asked) -> Arrays:
        """The outputs of one request; the caller holds the version.

        Raises:
          Refusal: of the model.
        """
        waiting = _Waiting(asked)
        key = key_of(version, asked) if asked.rows < self._most else None
        if key is None:
            self._begin(self._alone(version, waiting))
        else:
            self._enqueue(key, waiting)
        return await waiting.future

    def _enqueue(self, key: Key, waiting: _Waiting) -> None:
        queue = self._queues.get(key)
        if queue is None:
            queue = self._queues[key] = _Queue()
            self._begin(self._collect(key, queue))
        queue.waiting.append(waiting)
        queue.rows += waiting.asked.rows
        if queue.rows >= self._most:
            queue.full.set()

    def _begin(self, work: Coroutine[Any, Any, None]) -> None:
        # The event loop itself keeps no task alive.
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _alone(self, version: Version, waiting: _Waiting) -> None:
        async with self._free:
            if not waiting.future.done():
                with version.held():
                    await self._answer(version, [waiting])

    async def _collect(self, key: Key, queue: _Queue) -> None:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(queue.full.wait(), self._seconds)
        async with self._free:
            group = self._take(key, queue)
            if group:
                # Nothing has been awaited since: their callers still hold the version.
                with key.version.held():
                    await self._answer(key.version, group)

    def _take(self, key: Key, queue: _Queue) -> list[_Waiting]:
        """Up to a full batch of those who still wait; what is left becomes the next batch."""
        waiting = [w for w in queue.waiting if not w.future.done()]
        group: list[_Waiting] = []
        rows = 0
        while waiting and rows + waiting[0].asked.rows <= self._most:
            rows += waiting[0].asked.rows
            group.append(waiting.pop(0))
        del self._queues[key]
        for left in waiting:
            self._enqueue(key, left)
        return group

    async def _answer(self, version: Version, group: list[_Waiting]) -> None:
        """Computes a batch, and answers each of its requests."""
        asked = [w.asked for w in group]
        try:
            found = await self._computed(version, asked)
        except Exception as error:
            if len(group) == 1 or _hopeless(error):
                for waiting in group:
                    waiting.answer(error)
                return
            middle = len(group) // 2
            for half in (group[:middle], group[middle:]):
                await self._answer(version, half)
        else:
            for waiting, outputs in zip(group, found, strict=True):
                waiting.answer(outputs)

    async def _computed(self, version: Version, asked: list[Asked]) -> list[Arrays]:
        joined = join(asked)
        self._metrics.rows.observe(joined.rows)
        loop = asyncio.get_running_loop()
        found = await loop.run_in_executor(self._pool, version.model.run, *joined)
        return [found] if len(asked) == 1 else split(found, asked)

    async def close(self) -> None:
        """Waits for what has begun."""
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._pool.shutdown()


def _hopeless(error: Exception) -> bool:
    """Whether no part of a batch would do better, or would take as long once more."""
    return isinstance(error, Refusal) and error.code is grpc.StatusCode.DEADLINE_EXCEEDED
