"""Reading a store in memory, which knows no commit order: numbers are given here, in the order things are seen."""

from __future__ import annotations

import weakref
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from durable_nb.analytics.feeds.feed import Portion, Rows, Watermark
from durable_nb.analytics.tables import (
    DEFINITIONS,
    EVENTS,
    PENDING_ACTIVITIES,
    PENDING_TASKS,
    PROCESSES,
    RUNS,
    MirrorTable,
)

if TYPE_CHECKING:
    from durable_nb.store.memory import MemoryStore, StoredRun

_Row = tuple[Any, ...]


def _text(document: bytes | None) -> str | None:
    return None if document is None else document.decode("utf-8", "replace")


class MemoryFeed:
    """``feed.Feed`` and ``feed.Snapshot`` in one: a snapshot is a copy of everything, taken under the store's lock."""

    overlap = 0

    def __init__(self, store: MemoryStore) -> None:
        self.url = store.url
        # The store may die before whoever looks at it.
        self._store = weakref.proxy(store)
        self._token = -1
        self._events: list[_Row] = []
        self._attempts: list[_Row] = []
        self._seen: dict[int, tuple[int, int]] = {}
        self._runs: dict[int, StoredRun] = {}

    def is_current(self) -> bool:
        return True

    def has_changed(self) -> bool:
        token: int = self._store.change_token()
        changed: bool = token != self._token
        self._token = token
        return changed

    @contextmanager
    def snapshot(self) -> Iterator[MemoryFeed]:
        self._runs = {run.row.run_key: run for run in self._store.stored_runs()}
        fresh_events: list[_Row] = []
        fresh_attempts: list[_Row] = []
        for key, run in self._runs.items():
            events, attempts = self._seen.get(key, (0, 0))
            fresh_events += [
                (key, e.event_id, int(e.event_type), e.event_time, _text(e.attributes), _text(e.user_metadata))
                for e in run.events[events:]
            ]
            fresh_attempts += [
                (
                    key, a.scheduled_event_id, a.attempt, a.activity_id, a.activity_type, a.scheduled_at, a.started_at,
                    a.ended_at, a.outcome, a.worker_identity, _text(a.failure), _text(a.heartbeat_details),
                    a.next_attempt_at,
                )
                for a in run.attempts[attempts:]
            ]  # fmt: skip
            self._seen[key] = len(run.events), len(run.attempts)
        fresh_events.sort(key=lambda row: (row[3], row[0], row[1]))
        fresh_attempts.sort(key=lambda row: (row[7], row[0], row[1], row[2]))
        for kept, fresh in ((self._events, fresh_events), (self._attempts, fresh_attempts)):
            kept += [(number, *row) for number, row in enumerate(fresh, len(kept) + 1)]
        yield self

    @contextmanager
    def stream(self, portion: Portion) -> Iterator[None]:
        del portion
        yield None

    def begin_streams(self) -> None: ...

    def end_streams(self) -> None: ...

    def blob(self, digest: str) -> bytes | None:
        """A store in memory keeps all payloads in their events."""
        del digest
        return None

    # -- feed.Snapshot -----------------------------------------------------------------------------------------------

    def newest(self) -> Watermark:
        return Watermark(len(self._events), len(self._attempts))

    def last_run_key(self) -> int:
        return max(self._runs, default=0)

    def rows(self, portion: Portion) -> Iterator[Rows]:
        table, after, last, types = portion
        if table is RUNS:
            yield self.runs([key for key in self._runs if after < key <= last])
        elif table is EVENTS:
            yield [row for row in self._events[after:last] if row[3] in types]
        else:
            yield self._attempts[after:last]

    def packed(self, portion: Portion) -> None:
        del portion

    def runs_touched(self, since: Watermark) -> set[int]:
        return {row[1] for row in [*self._events[since.events :], *self._attempts[since.attempts :]]}

    def runs(self, keys: Sequence[int]) -> Rows:
        for key in keys:
            run = self._runs.get(key)
            if run is not None:
                yield [_stored(run.row, name) for name in RUNS.columns]

    def runs_packed(self, keys: Sequence[int]) -> None:
        del keys

    def open_versions(self) -> dict[int, int]:
        return {key: run.row.version for key, run in self._runs.items() if run.row.status == 1}

    def count_runs(self) -> int:
        return len(self._runs)

    def run_keys(self) -> set[int]:
        return set(self._runs)

    def whole(self, table: MirrorTable) -> Rows:
        if table is PENDING_ACTIVITIES:
            return [
                (key, *(_stored(row, name) for name in list(table.columns)[1:]))
                for key, run in self._runs.items()
                for row in run.activities
            ]
        if table is PENDING_TASKS:
            return [
                (key, *(_stored(run.task, name) for name in list(table.columns)[1:]))
                for key, run in self._runs.items()
                if run.task is not None
            ]
        if table is PROCESSES:
            return [[getattr(row, name) for name in table.columns] for row in self._store.list_processes()]
        if table is DEFINITIONS:
            names = list(table.columns)[1:]
            rows = enumerate(self._store.list_definitions(), 1)
            return [(number, *(getattr(row, name) for name in names)) for number, row in rows]
        return []

    def close(self) -> None:
        self._events, self._attempts, self._runs = [], [], {}


def _stored(row: object, name: str) -> Any:
    value = getattr(row, name)
    if isinstance(value, bytes):
        return _text(value)
    return int(value) if isinstance(value, int) else value
