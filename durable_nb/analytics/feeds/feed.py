"""What the mirror asks of a store, whatever kind it is. A feed reads; it takes no lease and writes nothing."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from typing import Any, NamedTuple, Protocol

from durable_nb.analytics.event_types import ALL_TYPES, EventTypes
from durable_nb.analytics.feeds.packing import Packed
from durable_nb.analytics.tables import MirrorTable

Rows = Iterable[Sequence[Any]]
"""Rows in the order of the mirror table's columns."""


class Portion(NamedTuple):
    """Rows of one table: those with ``after < key <= last``; the key is ``seq``, for ``RUNS`` ``run_key``."""

    table: MirrorTable
    after: int
    last: int
    types: EventTypes = ALL_TYPES
    """Of ``EVENTS``: only those of these types."""


class Watermark(NamedTuple):
    """The last ``seq`` of each appended table that the mirror has."""

    events: int = 0
    attempts: int = 0


class Snapshot(Protocol):
    """One read transaction: everything it tells belongs to one state of the store."""

    def newest(self) -> Watermark: ...

    def last_run_key(self) -> int: ...

    def rows(self, portion: Portion) -> Iterator[Rows]:
        """Rows in batches, in order."""

    def packed(self, portion: Portion) -> Iterator[Packed] | None:
        """What ``rows`` gives, packed; None where the database cannot do that."""

    def runs_touched(self, since: Watermark) -> set[int]:
        """Keys of the runs with events or attempts after the watermark."""

    def runs(self, keys: Sequence[int]) -> Rows:
        """Rows of ``RUNS``."""

    def runs_packed(self, keys: Sequence[int]) -> Iterator[Packed] | None:
        """What ``runs`` gives, packed; None where the database cannot do that."""

    def open_versions(self) -> dict[int, int]:
        """Version by key of all open runs: tells which moved without an event (heartbeats, retries)."""

    def count_runs(self) -> int: ...

    def run_keys(self) -> set[int]: ...

    def whole(self, table: MirrorTable) -> Rows:
        """All rows of a table of ``WHOLE``."""


class Feed(Protocol):
    """A store to read from. Not shared by threads: the mirror's lock guards it.

    ``overlap`` is for databases where the order of ``seq`` is not the order of commits (PostgreSQL): that many numbers
    below the watermark are read again, and the mirror keeps each row once. On SQLite, where one writer at a time
    numbers and commits, it is 0.
    """

    url: str
    overlap: int

    def is_current(self) -> bool:
        """False when the store is gone or another one took its place."""

    def has_changed(self) -> bool:
        """Whether anybody committed since the last call; True at first. May err on the side of True."""

    def snapshot(self) -> AbstractContextManager[Snapshot]:
        """Raises ``StoreVersionError`` when a newer version of durable_nb has changed the tables."""

    def stream(self, portion: Portion) -> Any:
        """As a context manager: rows as ``Snapshot.rows`` gives them, as an Arrow stream; None without a driver.

        Columns that may be unset are '' instead of NULL: the driver infers a type from the first batch and would take
        leading NULLs for numbers. It reads by a connection of its own, so only rows that cannot change may be asked
        for, or such as are read again later.
        """

    def begin_streams(self) -> None:
        """Streams are asked for soon: what they need may start and get ready."""

    def end_streams(self) -> None:
        """No more streams are asked for: what was started for them may end."""

    def blob(self, digest: str) -> bytes | None:
        """Data of a payload that was too big for its event."""

    def close(self) -> None: ...
