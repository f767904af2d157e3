"""A copy of a store in DuckDB, in memory, brought up to date before each query.

How it works
------------
Events and attempts are only ever appended to a store, so a *watermark* (their last ``seq``) says what is new. Runs
change: those with new events or attempts are read again, and of the open ones those whose version moved without
either (a heartbeat, a retry of a workflow task). Pending activities, open workflow tasks, processes and definitions
are few and read whole. When the number of runs does not add up, some were deleted, and what belonged to them goes.

Of events and attempts only those are held that a question has needed (``wanted``): events by their type. A question
that needs more brings it in first, from the beginning up to the watermark; from then on it is refreshed with the rest.

Invariant: what a query sees is one state of the store. All of a refresh comes from one read transaction there and goes
into one transaction here. Only what comes in for the first time is read in parts, so that nobody's log grows and
progress can be told: rows below the watermark cannot change but by the deletion of their run, and the one consistent
refresh that ends it makes up for that.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import duckdb

from durable_nb.analytics.copying import Copy, UnpackingError
from durable_nb.analytics.event_types import ALL_TYPES, NO_TYPES, EventTypes
from durable_nb.analytics.feeds import Feed, Packed, Portion, Rows, Snapshot, Watermark
from durable_nb.analytics.tables import APPENDED, ATTEMPTS, EVENTS, RUNS, WHOLE, MirrorTable
from durable_nb.analytics.wanted import EVERYTHING, Wanted
from durable_nb.errors import StoreClosedError

Progress = Callable[[int, int], None]
"""Told during a long load: rows loaded, and rows in all."""

_SMALL_LOAD = 20_000
"""Rows that are read like any refresh; a process for streams would take longer to start."""

_PART = 600_000
"""Numbers of one part of a load. Rows that fill groups of DuckDB's in one transaction are kept as they come, in half of
the time; what that takes in memory is bounded by ``Copy.compress``."""

_IN_ORDER = 100_000
"""Events up to which all are read anew when the last types come in, so that histories stand in their order."""

_PACKED = 200
"""Rows from which on they come packed."""


@dataclass(slots=True)
class _Coming:
    """Rows that come in for the first time; those up to ``after`` are here."""

    table: MirrorTable
    last: int
    types: EventTypes = ALL_TYPES
    after: int = 0
    anew: bool = False
    """Whether they replace what is held; then they come in one part."""


class Mirror:
    """The copy of one store; may be used from any thread.

    Parameters
    ----------
    feed
        Where rows come from; closed with the mirror.
    """

    def __init__(self, feed: Feed) -> None:
        self.feed = feed
        self._copy = Copy()
        self._lock = threading.Lock()
        self._watermark = Watermark()
        self._types = NO_TYPES
        """Of the events that are held, up to the watermark."""
        self._attempts = False
        """Whether attempts are held."""
        self._coming: list[_Coming] = []
        self._last_run = 0
        """Highest run key that is held."""
        self._versions: dict[int, int] = {}
        self._whole: dict[str, list[Any]] = {}
        self._loaded = False
        self._fast = True
        """Whether the fast ways are tried; off while rows are read again that they could not carry."""
        self._stale = True
        self._closed = False

    @property
    def url(self) -> str:
        """URL of the store."""
        return self.feed.url

    def cursor(self) -> duckdb.DuckDBPyConnection:
        """A connection of its own to the copy as the last refresh left it; one for each thread."""
        self._check_open()
        return self._copy.cursor()

    def refresh(
        self, progress: Progress | None = None, stop: threading.Event | None = None, wanted: Wanted = EVERYTHING
    ) -> None:
        """Bring the copy up to date; cheap when nothing has changed.

        Parameters
        ----------
        progress
            Called from this thread during a long load.
        stop
            Set by another thread to end a long load early: ``InterruptedError``, and the next call goes on.
        wanted
            What must be held; what is held already stays.

        Raises
        ------
        StoreError
            DNB5xx: the store cannot be read; the copy stays as it was.
        """
        with self._lock:
            self._check_open()
            self._copy.make_views(wanted.views)
            changed = self.feed.has_changed()
            if not changed and not self._stale and not self._lacks(wanted):
                return
            self._stale = True
            self._load(wanted, progress, stop)
            self._carefully(self._update)
            self._copy.compress()
            self._stale = False

    def make_views(self) -> None:
        """Make all views, so that whoever looks for one finds it."""
        with self._lock:
            self._check_open()
            self._copy.make_views(EVERYTHING.views)

    def blob(self, digest: str) -> bytes | None:
        """Data of a payload in the blob table; None when there is none of that digest."""
        with self._lock:
            return self.feed.blob(digest)

    def close(self) -> None:
        """Give the memory back; cursors that are still held fail."""
        with self._lock:
            if not self._closed:
                self._closed = True
                self.feed.close()
                self._copy.close()

    def _check_open(self) -> None:
        if self._closed:
            raise StoreClosedError("this view of the store was closed", where=self.url, fix="ask again")

    # -- what comes in for the first time ----------------------------------------------------------------------------

    def _lacks(self, wanted: Wanted) -> bool:
        return bool(wanted.types - self._types) or wanted.attempts > self._attempts

    def _load(self, wanted: Wanted, progress: Progress | None, stop: threading.Event | None) -> None:
        """Bring in what is wanted and was not held, up to the watermark."""
        if not self._loaded and self._watermark == Watermark():
            with self.feed.snapshot() as snapshot:
                newest, last_run = snapshot.newest(), snapshot.last_run_key()
            if sum(newest) < _SMALL_LOAD:
                # The update reads all of it.
                self._types, self._attempts = wanted.types, wanted.attempts
                return
            self._types, self._attempts = NO_TYPES, False
            self._watermark = newest
            self._coming = [_Coming(RUNS, last_run)]
        self._expect(wanted)
        total = sum(coming.last - coming.after for coming in self._coming)
        done, is_long = 0, total >= _SMALL_LOAD
        if is_long:
            self.feed.begin_streams()
        try:
            while self._coming:
                if stop is not None and stop.is_set():
                    raise InterruptedError("the load was interrupted; the next query goes on with it")
                done += self._load_part(self._coming[0], is_long)
                if progress is not None and is_long:
                    progress(done, total)
        finally:
            self.feed.end_streams()

    def _expect(self, wanted: Wanted) -> None:
        types, attempts = wanted.types - self._types, wanted.attempts > self._attempts
        for coming in self._coming:
            if coming.table is EVENTS:
                types -= coming.types
            attempts = attempts and coming.table is not ATTEMPTS
        if types:
            last = self._watermark.events
            anew = bool(self._types) and types | self._types == ALL_TYPES and last <= _IN_ORDER
            self._coming.append(_Coming(EVENTS, last, ALL_TYPES if anew else types, anew=anew))
        if attempts:
            self._coming.append(_Coming(ATTEMPTS, self._watermark.attempts))

    def _load_part(self, coming: _Coming, streamed: bool) -> int:
        """One part in one transaction; how many numbers it went on."""
        upto = coming.last if coming.anew else min(coming.after + _PART, coming.last)
        portion = Portion(coming.table, coming.after, upto, coming.types)
        # Runs come first and by the plain driver: what streams the rest gets ready meanwhile.
        self._carefully(lambda: self._load_at_once(portion, coming.anew, streamed and coming.table is not RUNS))
        self._copy.compress()
        passed, coming.after = upto - coming.after, upto
        if upto == coming.last:
            self._coming.remove(coming)
            if coming.table is EVENTS:
                self._types |= coming.types
            elif coming.table is ATTEMPTS:
                self._attempts = True
        if coming.table is RUNS:
            self._last_run = upto
        return passed

    def _load_at_once(self, portion: Portion, anew: bool, streamed: bool) -> None:
        with self._copy.transaction():
            if anew:
                self._copy.empty(portion.table)
            if streamed and self._fast:
                with self.feed.stream(portion) as stream:
                    if stream is not None:
                        self._copy.stream(portion.table, stream)
                        return
            with self.feed.snapshot() as snapshot:
                self._take(snapshot, portion)

    def _carefully(self, work: Callable[[], None]) -> None:
        """``work``, and once more without the fast ways where a value cannot be carried by them."""
        try:
            work()
        except (UnpackingError, duckdb.Error):
            self._fast = False
            try:
                work()
            finally:
                self._fast = True

    # -- a refresh ---------------------------------------------------------------------------------------------------

    def _update(self) -> None:
        with self.feed.snapshot() as snapshot, self._copy.transaction():
            newest = snapshot.newest()
            for table in APPENDED:
                self._update_appended(snapshot, table, newest)
            versions, last_run = self._update_runs(snapshot)
            whole = {table.name: list(snapshot.whole(table)) for table in WHOLE}
            for table in WHOLE:
                if whole[table.name] != self._whole.get(table.name, []):
                    self._copy.empty(table)
                    self._copy.append(table, whole[table.name])
            self._drop_deleted(snapshot)
        self._watermark, self._last_run, self._versions = newest, last_run, versions
        self._whole, self._loaded = whole, True

    def _update_appended(self, snapshot: Snapshot, table: MirrorTable, newest: Watermark) -> None:
        if not (self._types if table is EVENTS else self._attempts):
            return
        after, last = getattr(self._watermark, table.name), getattr(newest, table.name)
        overlap = self.feed.overlap
        if not overlap:
            self._take(snapshot, Portion(table, after, last, self._types))
            return
        # Of rows read again, those that were not there the last time: committed late, under an early number.
        floor = max(after - overlap, 0)
        known = self._copy.numbers_after(table, floor)
        for rows in snapshot.rows(Portion(table, floor, last, self._types)):
            self._copy.append(table, [row for row in rows if row[0] not in known])

    def _update_runs(self, snapshot: Snapshot) -> tuple[dict[int, int], int]:
        since = Watermark(*(max(seq - self.feed.overlap, 0) for seq in self._watermark))
        changed = snapshot.runs_touched(since)
        versions = snapshot.open_versions()
        changed.update(key for key, version in versions.items() if self._versions.get(key) != version)
        # Closed since, without an event that is new here: nothing does that, but it would otherwise stay open for good.
        changed.update(self._versions.keys() - versions.keys())
        keys = sorted(changed)
        self._copy.delete(RUNS, [key for key in keys if key <= self._last_run])
        packs = snapshot.runs_packed(keys) if self._packs(len(keys)) else None
        self._put(RUNS, packs, [snapshot.runs(keys)])
        return versions, max([self._last_run, *keys[-1:]])

    def _drop_deleted(self, snapshot: Snapshot) -> None:
        if self._copy.count_runs() == snapshot.count_runs():
            return
        deleted = self._copy.run_keys() - snapshot.run_keys()
        for table in (RUNS, *APPENDED):
            self._copy.delete(table, deleted)

    # -- rows --------------------------------------------------------------------------------------------------------

    def _take(self, snapshot: Snapshot, portion: Portion) -> None:
        packs = snapshot.packed(portion) if self._packs(portion.last - portion.after) else None
        self._put(portion.table, packs, snapshot.rows(portion))

    def _packs(self, rows: int) -> bool:
        return self._fast and rows >= _PACKED

    def _put(self, table: MirrorTable, packs: Iterator[Packed] | None, batches: Iterable[Rows]) -> None:
        """Append rows, packed where there are packs."""
        if packs is not None:
            self._copy.unpack(table, packs)
            return
        for rows in batches:
            self._copy.append(table, rows)
