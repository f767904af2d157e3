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
from typing import TYPE_CHECKING, Any, Literal, TypeVar

import duckdb

from durable_nb.analytics import guard
from durable_nb.analytics.feeds import open_feed
from durable_nb.analytics.mirror import Mirror
from durable_nb.analytics.wanted import NOTHING, Wanted, wanted, wanted_of_named
from durable_nb.analytics.watch import Watch
from durable_nb.errors import PayloadDecodeError, QueryError, ResultCutWarning

if TYPE_CHECKING:
    from types import FrameType

    from durable_nb.store.protocol import Store

T = TypeVar("T")

Frame = Literal["pandas", "polars", "arrow"]

DEFAULT_LIMIT = 1_000_000
"""Rows of an answer unless asked for more: about what a notebook can hold and nobody reads."""

_QUESTIONS = 500
"""Questions of which it is remembered what they need."""

_CHUNK_VECTORS = 50
"""Vectors of 2,048 rows that are fetched at once."""

_STEP = 0.1
"""Seconds between two looks for an interrupt."""


class Explorer:
    """What can be asked of one store. May be shared by threads.

    Made by ``open_explorer``; there is one for each store and process, so the copy is held once.
    """

    def __init__(self, mirror: Mirror) -> None:
        self.mirror = mirror
        self._narrow: dict[str, Wanted | None] = {}
        """What the last questions need by the columns that they name: a dashboard asks the same ones all the time."""

    @property
    def url(self) -> str:
        """URL of the store."""
        return self.mirror.url

    def __repr__(self) -> str:
        return f"<Explorer of {self.url}>"

    def refresh(self) -> None:
        """Bring what is held up to date now; every query does so by itself, and brings in what it needs."""
        _interruptible(lambda stop: self.mirror.refresh(stop=stop, wanted=NOTHING), lambda: None)

    def cursor(self) -> duckdb.DuckDBPyConnection:
        """A DuckDB connection to the copy, refreshed now; later refreshes show in it too.

        For one thread. It can make tables and macros of its own but reach no file and change no setting.
        """
        _interruptible(lambda stop: self.mirror.refresh(stop=stop), lambda: None)
        return self.mirror.cursor()

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
            ``pandas`` (integers with NULL become ``Int64``, instants ``datetime64[us, UTC]``, JSON text), ``polars``
            or ``arrow`` (these two need pyarrow).
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
        cursor = self.mirror.cursor()
        guard.check(cursor, query)
        for name, table in (tables or {}).items():
            cursor.register(name, table)
        values = guard.bindable(params)

        watch = Watch(progress)

        def load(done: int, total: int) -> None:
            watch.tell(f"loading the histories: {done:,} of {total:,} rows")

        def ask(needs: Wanted, stop: threading.Event) -> tuple[Any, bool]:
            self.mirror.refresh(load, stop, needs)
            watch.begin()
            with _questions_only(cursor, needs.narrow_views):
                return _FETCH[as_](cursor, query, values, limit, stop, watch.tell)

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

        try:
            frame, cut = _interruptible(answer, cursor.interrupt, watch.look)
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
        if query not in known:
            if len(known) >= _QUESTIONS:
                known.clear()
            known[query] = wanted_of_named(cursor, query)
        return known[query]

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


def _interruptible(
    work: Callable[[threading.Event], T], interrupt: Callable[[], None], look: Callable[[], None] = lambda: None
) -> T:
    """``work`` beside the main thread, which stays open for a keyboard interrupt; on other threads just ``work``.

    ``look`` is called a few times a second meanwhile.
    """
    stop, done = threading.Event(), threading.Event()
    if threading.current_thread() is not threading.main_thread():
        return work(stop)
    outcome: list[T] = []
    failure: list[BaseException] = []

    def run() -> None:
        try:
            if not stop.is_set():
                outcome.append(work(stop))
        except BaseException as error:
            failure.append(error)
        finally:
            done.set()

    thread = threading.Thread(target=run, name="durable_nb query", daemon=True)
    # An event, because a join that is interrupted takes its thread for ended (CPython 3.11).
    try:
        thread.start()
        while not done.wait(_STEP):
            look()
    except BaseException:
        # The interrupt may strike while the thread is being started: then it finds that it is not wanted any more.
        stop.set()
        while thread.is_alive() and not done.is_set():
            interrupt()
            done.wait(_STEP)
        raise
    if failure:
        raise failure[0]
    return outcome[0]


def _outside_level() -> int:
    """Level of the first frame outside this package, for a warning that names the user's line."""
    import sys  # noqa: PLC0415 - only for a rare warning

    level = 2
    frame: FrameType | None = sys._getframe(2)
    while frame is not None and frame.f_globals.get("__name__", "").startswith("durable_nb"):
        level, frame = level + 1, frame.f_back
    return level


# -- fetching ------------------------------------------------------------------------------------------------------


def _told(progress: Callable[[str], None], rows: int) -> None:
    # An answer of one part is there before anybody has read how long it is.
    if rows >= _CHUNK_VECTORS * 2048:
        progress(f"{rows:,} rows")


def _fetch_pandas(
    cursor: duckdb.DuckDBPyConnection,
    query: str,
    values: Any,
    limit: int | None,
    stop: threading.Event,
    progress: Callable[[str], None],
) -> tuple[Any, bool]:
    import pandas as pd  # noqa: PLC0415 - slow to import

    cursor.execute(query, values)
    kinds = [str(column[1]) for column in cursor.description or ()]
    parts: list[Any] = []
    rows = 0
    while True:
        part = cursor.fetch_df_chunk(_CHUNK_VECTORS)
        if not len(part) and parts:
            break
        parts.append(part)
        rows += len(part)
        if not len(part) or (limit is not None and rows > limit):
            break
        _told(progress, rows)
        if stop.is_set():
            raise KeyboardInterrupt
    kept = [part for part in parts if len(part)] or parts[:1]
    frame = kept[0] if len(kept) == 1 else pd.concat(kept, ignore_index=True)
    cut = limit is not None and rows > limit
    if cut:
        frame = frame.iloc[:limit]
    return _exact(frame, kinds), cut


_EXACT = 2**53


def _exact(frame: Any, kinds: list[str]) -> Any:
    """Sums of integers (HUGEINT) as integers where they are; DuckDB gives them as floating-point numbers."""
    for place, kind in enumerate(kinds):
        if kind not in ("HUGEINT", "UHUGEINT"):
            continue
        column = frame.iloc[:, place]
        if not len(column) or column.abs().max() <= _EXACT or column.isna().all():
            frame.isetitem(place, column.astype("Int64" if column.isna().any() else "int64"))
    return frame


def _fetch_arrow(
    cursor: duckdb.DuckDBPyConnection,
    query: str,
    values: Any,
    limit: int | None,
    stop: threading.Event,
    progress: Callable[[str], None],
) -> tuple[Any, bool]:
    try:
        import pyarrow as pa  # noqa: PLC0415 - optional
    except ImportError:
        raise QueryError(
            "Arrow and polars frames need pyarrow", fix="pip install 'durable_nb[arrow]', or leave as_ out"
        ) from None
    reader = cursor.sql(query, params=values).to_arrow_reader(_CHUNK_VECTORS * 2048)
    parts: list[Any] = []
    rows = 0
    for part in reader:
        parts.append(part)
        rows += part.num_rows
        if limit is not None and rows > limit:
            break
        _told(progress, rows)
        if stop.is_set():
            raise KeyboardInterrupt
    table = pa.Table.from_batches(parts, reader.schema)
    cut = limit is not None and rows > limit
    return (table.slice(0, limit) if cut else table), cut


def _fetch_polars(*args: Any) -> tuple[Any, bool]:
    try:
        import polars as pl  # noqa: PLC0415 - optional
    except ImportError:
        raise QueryError("polars is not installed", fix="pip install polars, or leave as_ out") from None
    table, cut = _fetch_arrow(*args)
    return pl.from_arrow(table), cut


_FETCH: dict[str, Callable[..., tuple[Any, bool]]] = {
    "pandas": _fetch_pandas,
    "arrow": _fetch_arrow,
    "polars": _fetch_polars,
}
