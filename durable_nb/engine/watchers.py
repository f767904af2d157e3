"""Who waits for a run to grow or to close. In this process they are woken by the commit, else by a look at the row."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from durable_nb.core.state import ExecutionState
from durable_nb.model.events import Event
from durable_nb.model.records import RunRow

if TYPE_CHECKING:
    from durable_nb.engine.engine import Engine


class Watcher:
    """Waits until the run is closed, or has an event with an id of at least ``event_id`` (0: only the close).

    The future gets the closing event where it is at hand, else None: then the waiter reads the store.
    """

    __slots__ = ("event_id", "future")

    def __init__(self, future: asyncio.Future[Event | None], event_id: int) -> None:
        self.future = future
        self.event_id = event_id


class Watchers:
    """The waiters of this process by run key."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._waiting: dict[int, list[Watcher]] = {}

    def __len__(self) -> int:
        """How many wait now."""
        return sum(not watcher.future.done() for waiting in self._waiting.values() for watcher in waiting)

    def watch(self, run_key: int, event_id: int = 0) -> asyncio.Future[Event | None]:
        """A future for the run's close or growth; give it to ``unwatch`` in the end, whatever became of it."""
        future: asyncio.Future[Event | None] = self._engine.loop.create_future()
        self._waiting.setdefault(run_key, []).append(Watcher(future, event_id))
        return future

    def unwatch(self, run_key: int, future: asyncio.Future[Event | None]) -> None:
        """Wait no more."""
        if future.done():
            if not future.cancelled():
                future.exception()  # The end of the engine, where nobody came to wait for it: not worth a complaint.
        else:
            future.cancel()
        waiting = self._waiting.get(run_key)
        if waiting is None:
            return
        left = [watcher for watcher in waiting if watcher.future is not future]
        if left:
            self._waiting[run_key] = left
        else:
            del self._waiting[run_key]

    def committed(self, state: ExecutionState, closing: Event | None) -> None:
        """A transition of the run is durable."""
        if state.run_key in self._waiting:
            self._tell(state.run_key, state.next_event_id, state.is_open, closing)

    def vanished(self, run_key: int) -> None:
        """There is no such run, after all."""
        self._tell(run_key, 0, False, None)

    def look(self) -> None:
        """Another process has written: look at the runs that are waited for and not worked on here."""
        find = self._engine.store.find_run
        for run_key in list(self._waiting):
            slot = self._engine.slots.get(run_key)
            row = _row_of(self._engine, run_key) if slot is None or slot.state is None else None
            if slot is not None and slot.state is not None:
                state = slot.state
                row = find(state.namespace, state.workflow_id, state.run_id)
            if row is not None:
                self._tell(run_key, row.next_event_id, row.status == 1, None)

    def _tell(self, run_key: int, next_event_id: int, is_open: bool, closing: Event | None) -> None:
        waiting = self._waiting.pop(run_key, [])
        left: list[Watcher] = []
        for watcher in waiting:
            if watcher.future.done():
                continue
            if not is_open or 0 < watcher.event_id < next_event_id:
                watcher.future.set_result(closing)
            else:
                left.append(watcher)
        if left:
            self._waiting[run_key] = left

    def fail(self, error: Exception) -> None:
        """The engine stops."""
        for waiting in self._waiting.values():
            for watcher in waiting:
                if not watcher.future.done():
                    watcher.future.set_exception(error)
        self._waiting.clear()


def _row_of(engine: Engine, run_key: int) -> RunRow | None:
    loaded = engine.store.load_run(run_key)
    return loaded.run if loaded is not None else None
