"""Group commit: one thread that writes whatever became ready while the last commit was in flight.

Measured on two cores: a commit with ``synchronous=FULL`` costs 0.15-0.25 ms of waiting whatever it holds, so the batch
is what counts. The thread takes everything that is there as soon as it is free; under load batches grow by themselves,
alone a transition waits for nobody. The disk is waited for without the interpreter's lock.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Sequence
from queue import Empty, SimpleQueue
from typing import Any

from durable_nb.store.protocol import Conflict, Store, Unit

Answer = Callable[[Sequence[Any], "list[Conflict | None] | Exception"], None]
"""Called on the loop with the tokens of a batch and, for each, None or its conflict; or with the error that kept the
whole batch from being written."""


class WriterStats:
    """Counts since the engine started; read by anyone, written by the writer only."""

    __slots__ = ("commits", "largest_batch", "units")

    def __init__(self) -> None:
        self.commits = 0
        self.units = 0
        self.largest_batch = 0


class GroupCommitWriter:
    """Writes units on a thread of its own; answers come back on ``loop`` in the order of submission."""

    def __init__(self, store: Store, loop: asyncio.AbstractEventLoop, answer: Answer) -> None:
        self._store = store
        self._loop = loop
        self._answer = answer
        self._queue: SimpleQueue[list[tuple[Unit, Any]] | None] = SimpleQueue()
        self.stats = WriterStats()
        self._thread = threading.Thread(target=self._run, name="durable-writer", daemon=True)
        self._thread.start()

    def submit(self, batch: list[tuple[Unit, Any]]) -> None:
        """Queue units with their tokens; never blocks."""
        self._queue.put(batch)

    def close(self) -> None:
        """Write what is queued and end the thread."""
        self._queue.put(None)
        self._thread.join()

    def _run(self) -> None:
        queue = self._queue
        closing = False
        while not closing:
            batch = queue.get()
            if batch is None:
                return
            try:
                while True:
                    more = queue.get_nowait()
                    if more is None:
                        closing = True
                        break
                    batch += more
            except Empty:
                pass
            self._commit(batch)

    def _commit(self, batch: list[tuple[Unit, Any]]) -> None:
        tokens = [token for _, token in batch]
        stats = self.stats
        stats.commits += 1
        stats.units += len(batch)
        stats.largest_batch = max(stats.largest_batch, len(batch))
        answer: list[Conflict | None] | Exception
        try:
            answer = self._store.commit([unit for unit, _ in batch])
        except Exception as error:
            answer = error
        try:
            self._loop.call_soon_threadsafe(self._answer, tokens, answer)
        except RuntimeError:
            # The loop was closed under us: the writes are durable, and nobody is left to hear of it.
            return


class InlineWriter:
    """The same for a store without a disk: commits at once, answers at the next turn of the loop."""

    def __init__(self, store: Store, loop: asyncio.AbstractEventLoop, answer: Answer) -> None:
        self._store = store
        self._loop = loop
        self._answer = answer
        self.stats = WriterStats()

    def submit(self, batch: list[tuple[Unit, Any]]) -> None:
        self.stats.commits += 1
        self.stats.units += len(batch)
        answer: list[Conflict | None] | Exception
        try:
            answer = self._store.commit([unit for unit, _ in batch])
        except Exception as error:
            answer = error
        self._loop.call_soon(self._answer, [token for _, token in batch], answer)

    def close(self) -> None:
        """Nothing is queued."""
