"""Questions to the histories, for callers: ``durable_nb.sql``, ``client.sql``, ``handle.events`` and their like.

All of them are plain functions that return frames, to be called without ``await``: they read the store beside the
engine, on a connection of their own, and need no loop. So they work the same in a cell, in a script, and inside a
running loop (where they hold it up for some milliseconds; ``await asyncio.to_thread(client.runs)`` does not). What was
awaited before is in the frame: nothing is told by the engine before it is in the store.
"""

from __future__ import annotations

import os
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from durable_nb.client._defaults import DEFAULT_STORE_URL, STORE_VARIABLE
from durable_nb.client._opening import require_store_url
from durable_nb.client._stats import Stats
from durable_nb.model.spelling import nearest
from durable_nb.service import RPCError, RPCStatusCode

if TYPE_CHECKING:
    from durable_nb.analytics.access import Explorer
    from durable_nb.analytics.fetching import Frame
    from durable_nb.client._client import Client

_LIMIT = 1_000_000
"""As ``analytics.access.DEFAULT_LIMIT``, which is not imported before somebody asks."""

_current: tuple[weakref.ref[Client], str] | None = None
"""The client connected last, and the URL of its store, which outlives it."""

ProgressMaker = Callable[[], "tuple[Callable[[str], None], Callable[[], None]] | None"]
"""Gives what is told of a long query, and what is called at its end."""

_progress_maker: ProgressMaker | None = None


def set_current(client: Client | None, url: str = "") -> None:
    """``durable_nb.sql`` and ``durable_nb.explore`` ask the store of this client from now on.

    ``url`` is that of a client whose store is not open yet.
    """
    global _current
    _current = None if client is None else (weakref.ref(client), url or client.engine.url)


def set_progress(maker: ProgressMaker | None) -> None:
    """How a notebook shows that a query takes long; None shows nothing."""
    global _progress_maker
    _progress_maker = maker


def explorer_of(client: Client | None = None, url: str | None = None) -> Explorer:
    """The explorer of a client's store, of a URL, or of the current store.

    The current store is that of the client connected last (in a notebook: the session's), else ``DURABLE_NB_STORE``,
    else ``sqlite:///durable.db``.

    Raises
    ------
    StoreError
        DNB5xx: the store cannot be read; the message says why.
    """
    # DuckDB is imported when the first question is asked.
    from durable_nb.analytics.access import open_explorer  # noqa: PLC0415

    if url is not None:
        require_store_url(url)
        return open_explorer(url)
    reference, current_url = _current or (None, None)
    chosen = client
    if chosen is None and reference is not None:
        chosen = reference()
    if chosen is not None:
        chosen.engine.settle()
        return open_explorer(chosen.engine.store)
    return open_explorer(current_url or os.environ.get(STORE_VARIABLE) or DEFAULT_STORE_URL)


def sql(
    query: str,
    params: Any = None,
    *,
    as_: Frame = "pandas",
    limit: int | None = _LIMIT,
    tables: dict[str, Any] | None = None,
    client: Client | None = None,
    url: str | None = None,
) -> Any:
    """The answer to a question in SQL about all runs of a store, as a DataFrame.

    Parameters
    ----------
    query
        DuckDB SQL over the views runs, events, activities, attempts, timers, signals, updates, children,
        workflow_tasks, workers, schedules, definitions and metrics; ``durable_nb.analytics.describe("runs")``
        tells about one.
    params
        Values of ``$name`` as a dict or of ``?`` as a list; bound, never pasted.
    as_
        ``pandas``, ``polars`` or ``arrow``.
    limit
        Rows to keep, None for all; a ``ResultCutWarning`` says when there were more.
    tables
        Frames that the query may use by name, in FROM and JOIN.
    client, url
        Which store; the current one where neither is given.

    Raises
    ------
    QueryError
        DNB800: it cannot be answered. DNB801: it does something else than ask. DNB802: a parameter is missing.
    StoreError
        DNB5xx: the store cannot be read; the message says why.

    Examples
    --------
    >>> durable_nb.sql(
    ...     "SELECT activity_type, avg(run_us) FROM attempts WHERE status = $s GROUP BY ALL", {"s": "Failed"}
    ... )  # doctest: +SKIP
    """
    explorer = explorer_of(client, url)
    with _progress_shown():
        return explorer.frame(query, params, as_=as_, limit=limit, tables=tables)


@contextmanager
def _progress_shown() -> Iterator[None]:
    """Within the block long queries show how far they are, where somebody said how."""
    made = _progress_maker() if _progress_maker is not None else None
    if made is None:
        yield
        return
    from durable_nb.analytics.watch import telling  # noqa: PLC0415 - as DuckDB above

    tell, done = made
    try:
        with telling(tell):
            yield
    finally:
        done()


def explore(*, client: Client | None = None, url: str | None = None) -> Any:
    """A DuckDB connection to the views of a store, for any tool that takes one; refreshed now.

    It sees later refreshes too: call ``explore()`` again, or ask anything by ``sql``, to bring it up to date. It may
    make tables, views and macros of its own, which live as long as the process and never reach the store; it cannot
    read files, attach databases, load extensions or change settings. One connection serves one thread:
    ``connection.cursor()`` makes another. All questions of this process are answered from what lies
    behind the views (``mirror``, ``internal``); leave it alone.

    Raises
    ------
    StoreError
        DNB5xx: the store cannot be read; the message says why.
    """
    return explorer_of(client, url).cursor()


stats = Stats(explorer_of, _progress_shown)
"""``durable_nb.stats``: of the current store."""


def _check_status(word: str) -> None:
    from durable_nb.client._filter import STATUS_NAMES  # noqa: PLC0415 - as DuckDB above

    names = {name.lower(): name for name in STATUS_NAMES}
    if word.lower() in names:
        return
    close = nearest(word.lower(), names)
    guess = f": did you mean {names[close]!r}?" if close else f"; there are {', '.join(names.values())}"
    raise ValueError(f"there is no status {word!r}{guess}")


class ClientFrames:
    """What a client can be asked about all its runs."""

    if TYPE_CHECKING:
        # Of the client that this is a part of.
        namespace: str
        data_converter: Any

    @property
    def stats(self) -> Stats:
        """Ready statistics over this client's store: ``client.stats.success_rate()`` and so on; see ``Stats``."""
        return Stats(lambda: explorer_of(self), _progress_shown)  # type: ignore[arg-type]

    def sql(
        self,
        query: str,
        params: Any = None,
        *,
        as_: Frame = "pandas",
        limit: int | None = _LIMIT,
        tables: dict[str, Any] | None = None,
    ) -> Any:
        """``durable_nb.sql`` on this client's store; all namespaces, which the views have as a column."""
        return sql(query, params, as_=as_, limit=limit, tables=tables, client=self)  # type: ignore[arg-type]

    def runs(
        self, *, workflow_type: str | None = None, status: str | None = None, as_: Frame = "pandas", limit: int = 10_000
    ) -> Any:
        """One row per run of the namespace, newest first: the columns of the view ``runs``.

        A frame is a snapshot: it shows the moment at which it was asked for and does not change afterwards. A list that
        keeps itself up to date is ``%workflow list``.

        Parameters
        ----------
        workflow_type, status
            Only runs of that type or status (``Running``, ``Failed``, …).
        limit
            Rows at most.

        Raises
        ------
        ValueError
            There is no such status.
        """
        if status is not None:
            _check_status(status)
        # Cut by the query itself, without a warning: the newest are what was asked for.
        return self.sql(
            "SELECT * FROM runs WHERE namespace = $namespace AND ($type IS NULL OR workflow_type = $type) "
            "AND ($status IS NULL OR lower(status) = lower($status)) "
            "ORDER BY start_time DESC, run_key DESC LIMIT $limit",
            {"namespace": self.namespace, "type": workflow_type, "status": status, "limit": limit},
            as_=as_,
            limit=None,
        )

    def decode(self, stored: Any, *, type_hint: Any = None) -> Any:
        """Values of stored payloads (columns ``…_payload`` and ``…_payloads``), by this client's data converter.

        Blobs are followed, Arrow becomes tables, a codec is undone; see ``durable_nb.analytics.decode``.

        Raises
        ------
        PayloadDecodeError
            DNB402, DNB403: a single value cannot be decoded; in a column its error stands in its place.
        """
        from durable_nb.analytics.decoding import decode  # noqa: PLC0415 - as DuckDB above

        explorer = explorer_of(self)  # type: ignore[arg-type]
        return decode(stored, explorer=explorer, converter=self.data_converter, type_hint=type_hint)


class HandleFrames:
    """What a handle can be asked about its run: frames, for looking."""

    if TYPE_CHECKING:
        # Of the handle that this is a part of.
        _client: Client
        _id: str
        _run_id: str | None

    def events(self, *, as_: Frame = "pandas") -> Any:
        """One row per event of the run, in order: the columns of the view ``events``.

        Raises
        ------
        RPCError
            NOT_FOUND: no such run.
        """
        return self._of_run("SELECT * FROM events WHERE run_key = $key ORDER BY event_id", as_)

    def activities(self, *, as_: Frame = "pandas") -> Any:
        """One row per activity of the run, pending ones included: the columns of the view ``activities``.

        Raises
        ------
        RPCError
            NOT_FOUND: no such run.
        """
        return self._of_run("SELECT * FROM activities WHERE run_key = $key ORDER BY scheduled_at, closed_event_id", as_)

    def attempts(self, *, as_: Frame = "pandas") -> Any:
        """One row per attempt of each activity of the run: the columns of the view ``attempts``.

        Raises
        ------
        RPCError
            NOT_FOUND: no such run.
        """
        return self._of_run("SELECT * FROM attempts WHERE run_key = $key ORDER BY scheduled_event_id, attempt", as_)

    def _of_run(self, query: str, as_: Frame) -> Any:
        client = self._client
        found = client.sql(
            "SELECT run_key FROM runs WHERE namespace = $namespace AND workflow_id = $id "
            "AND ($run IS NULL OR run_id = $run) "
            "ORDER BY status = 'Running' DESC, start_time DESC, run_key DESC LIMIT 1",
            {"namespace": client.namespace, "id": self._id, "run": self._run_id},
        )
        if not len(found):
            run = f", run {self._run_id}" if self._run_id else ""
            raise RPCError(f"workflow not found for ID: {self._id}{run}", RPCStatusCode.NOT_FOUND)
        return client.sql(query, {"key": int(found.iloc[0, 0])}, as_=as_, limit=None)
