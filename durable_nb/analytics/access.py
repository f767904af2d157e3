"""Questions and their answers: SQL in, frames out; from any thread, interruptible, with a limit that says so.

A query first refreshes the copy, then runs in a read-only transaction of its own connection. On the main thread it
runs beside it, so that a keyboard interrupt ends it at once and leaves everything usable.
"""

from __future__ import annotations

import threading
import warnings
import weakref
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import duckdb

from durable_nb.analytics import guard
from durable_nb.analytics.feeds import open_feed
from durable_nb.analytics.fetching import Frame, fetch
from durable_nb.analytics.interrupting import interruptible
from durable_nb.analytics.mirror import Mirror
from durable_nb.analytics.named import known_functions
from durable_nb.analytics.wanted import NOTHING, Wanted, wanted, wanted_of_named
from durable_nb.analytics.watch import Watch
from durable_nb.errors import PayloadDecodeError, ResultCutWarning

if TYPE_CHECKING:
    from types import FrameType

    from durable_nb.store.protocol import Store

DEFAULT_LIMIT = 1_000_000
"""Rows of an answer unless asked for more: about what a notebook can hold and nobody reads."""

_QUESTIONS = 500
"""Questions of which it is remembered what they need."""


class Explorer:
    """What can be asked of one store. May be shared by threads.

    Made by ``open_explorer``; there is one for each store and process, so the copy is held once.
    """

    def __init__(self, mirror: Mirror) -> None:
        self.mirror = mirror
        self._narrow: dict[str, Wanted | None] = {}
        """What the last questions need by the columns that they name: a dashboard asks the same ones all the time."""
        self._functions: frozenset[str] | None = None
        """Functions that there were before anybody could make macros; None while nobody can."""

    @property
    def url(self) -> str:
        """URL of the store."""
        return self.mirror.url

    def __repr__(self) -> str:
        return f"<Explorer of {self.url}>"

    def refresh(self) -> None:
        """Bring what is held up to date now; every query does so by itself, and brings in what it needs."""
        interruptible(lambda stop: self.mirror.refresh(stop=stop, wanted=NOTHING), lambda: None)

    def cursor(self) -> duckdb.DuckDBPyConnection:
        """A DuckDB connection to the copy, refreshed now; later refreshes show in it too.

        For one thread. It can make tables and macros of its own but reach no file and change no setting.
        """
        interruptible(lambda stop: self.mirror.refresh(stop=stop), lambda: None)
        cursor = self.mirror.cursor()
        if self._functions is None:
            found = known_functions(cursor)
            # Another thread may have been faster, and whoever has its connection may have made a macro since.
            self._functions = self._functions or found
        return cursor

    def frame(
        self,
        query: str,
        params: Any = None,
        *,
        as_: Frame = "pandas",
        limit: int | None = DEFAULT_LIMIT,
        tables: dict[str, Any] | None = None,
        progress: Callable[[str], None] | None = None,
    ) -> Any:
        """The answer to one query.

        Parameters
        ----------
        query
            DuckDB SQL over the views; only SELECT, PIVOT, DESCRIBE, SUMMARIZE, EXPLAIN and the like.
        params
            Values of ``$name`` as a dict or of ``?`` as a list; bound, never pasted.
        as_
            ``pandas`` (integers with NULL become ``Int64``, instants ``datetime64[us, UTC]``, JSON text; sums beyond
            2^53 are floating-point numbers unless the query casts them to BIGINT), ``polars`` or ``arrow`` (these two
            need pyarrow and keep every integer).
        limit
            Rows to keep; ``ResultCutWarning`` when there are more. None for all.
        tables
            Frames that the query may use by name, in FROM and JOIN.
        progress
            Told in words how far a long query is: rows that are loaded and fetched, and in between, every second, for
            how long it has been running.

        Raises
        ------
        QueryError
            DNB800: it cannot be answered. DNB801: it does something else than ask. DNB802: a parameter is missing.
        StoreError
            DNB5xx: the store cannot be read.
        KeyboardInterrupt
            The user interrupted; everything stays usable.
        """
        if as_ not in ("pandas", "polars", "arrow"):
            raise ValueError(f"as_ must be 'pandas', 'polars' or 'arrow', not {as_!r}")
        if limit is not None and limit < 0:
            raise ValueError(f"limit must be a number of rows, or None for all, not {limit!r}")
        values = guard.bindable(params)
        watch = Watch(progress)

        def load(done: int, total: int) -> None:
            watch.tell(f"loading the histories: {done:,} of {total:,} rows")

        def ask(needs: Wanted, stop: threading.Event) -> tuple[Any, bool]:
            self.mirror.refresh(load, stop, needs)
            watch.begin()
            with _questions_only(cursor, needs.narrow_views):
                return fetch(as_, cursor, query, values, limit, stop, watch.tell)

        def answer(stop: threading.Event) -> tuple[Any, bool]:
            # A frame of the caller may have the name of a view.
            narrow = None if tables else self._needs_by_columns(cursor, query)
            if narrow is not None:
                try:
                    return ask(narrow, stop)
                except (duckdb.BinderException, duckdb.CatalogException):
                    # It needs more after all; or it is wrong, and DuckDB tells what was meant if all is there.
                    cursor.execute("ROLLBACK")
            return ask(wanted(query), stop)

        cursor = self.mirror.cursor()
        try:
            guard.check(cursor, query)
            guard.add_frames(cursor, tables or {})
            frame, cut = interruptible(answer, cursor.interrupt, watch.look)
        except duckdb.CatalogException as error:
            raise guard.explain(self._with_all_views(cursor, query, values, error)) from None
        except duckdb.Error as error:
            raise guard.explain(error) from None
        finally:
            cursor.close()
        if cut:
            warnings.warn(
                f"the answer was cut after {limit:,} rows; it has more: limit=None gives all, LIMIT in SQL fewer",
                ResultCutWarning,
                stacklevel=_outside_level(),
            )
        return frame

    def _needs_by_columns(self, cursor: duckdb.DuckDBPyConnection, query: str) -> Wanted | None:
        known = self._narrow
        try:
            needs = known[query]
        except KeyError:
            needs = wanted_of_named(cursor, query)
            if len(known) >= _QUESTIONS:  # Other threads may do the same.
                known.clear()
            known[query] = needs
        if needs is not None and self._functions is not None and not needs.functions <= self._functions:
            return None
        return needs

    def _with_all_views(
        self, cursor: duckdb.DuckDBPyConnection, query: str, values: Any, error: duckdb.Error
    ) -> duckdb.Error:
        """What DuckDB says of a name that is not there when all views are: only then does it tell which are alike."""
        self.mirror.make_views()
        cursor.execute("ROLLBACK")
        try:
            with _questions_only(cursor):
                cursor.execute(query, values)
        except duckdb.Error as better:
            return better
        return error

    def blob(self, digest: str) -> bytes:
        """Data of a payload that was too big for its event, by the digest that stands in its place.

        Raises
        ------
        PayloadDecodeError
            DNB402: there is no such blob.
        """
        data = self.mirror.blob(digest)
        if data is None:
            raise PayloadDecodeError(
                f"a payload is missing from the blob table (SHA-256 {digest})",
                where=self.url,
                fix="its run may have been deleted since; ask again",
            )
        return data

    def close(self) -> None:
        """Give the memory back; the next ``open_explorer`` starts anew."""
        with _registry:
            for key, found in list(_explorers.items()):
                if found is self:
                    del _explorers[key]
        self.mirror.close()


_registry = threading.Lock()
_explorers: dict[str | int, Explorer] = {}


def open_explorer(where: str | Store, *, stream: bool = True) -> Explorer:
    """The explorer of a store; the same one for the same store.

    Parameters
    ----------
    where
        URL, or an open store. A store in memory must be given itself.
    stream
        Whether to use ADBC where it is installed.

    Raises
    ------
    StoreError
        DNB5xx: the store cannot be read; the message says why.
    """
    url = where if isinstance(where, str) else where.url
    key: str | int = id(where) if url.startswith("memory") and not isinstance(where, str) else url
    with _registry:
        found = _explorers.get(key)
        if found is not None and found.mirror.feed.is_current():
            return found
        made = Explorer(Mirror(open_feed(where, stream=stream)))
        if found is not None:
            found.mirror.close()
        _explorers[key] = made
        if isinstance(key, int):
            weakref.finalize(where, _explorers.pop, key, None)
        return made


# -- running -------------------------------------------------------------------------------------------------------


@contextmanager
def _questions_only(cursor: duckdb.DuckDBPyConnection, views: Iterable[str] = ()) -> Iterator[None]:
    """A transaction that can change nothing; ``views`` are statements that make views for it alone."""
    # In one call: beside a busy cell each one waits for the interpreter.
    cursor.execute("; ".join(("BEGIN TRANSACTION READ ONLY", *views)))
    yield
    # Not rolled back: the connection is closed after the query, also when its result was not read to the end.


def _outside_level() -> int:
    """Level of the first frame outside this package, for a warning that names the user's line."""
    import sys  # noqa: PLC0415 - only for a rare warning

    level = 2
    frame: FrameType | None = sys._getframe(2)
    while frame is not None and frame.f_globals.get("__name__", "").startswith("durable_nb"):
        level, frame = level + 1, frame.f_back
    return level
