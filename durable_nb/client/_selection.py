"""The runs that somebody chose for an export: by a filter, by name, with their relatives."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import TYPE_CHECKING, Any

from durable_nb.client._filter import parse_filter
from durable_nb.client._run_names import named_runs
from durable_nb.errors import ExportError
from durable_nb.model.records import RunFilter, RunRow
from durable_nb.service import RPCError, RPCStatusCode

if TYPE_CHECKING:
    from durable_nb.analytics.exports.records import RunRecord
    from durable_nb.client._client import Client


class Selection:
    """Runs of a client's namespace; read when they are iterated, one at a time.

    Parameters
    ----------
    query
        As for ``list_workflows``; None means all runs.
    runs
        Instead of a filter the runs themselves: a frame with ``workflow_id`` (and ``run_id``), handles, workflow IDs.
    limit
        Runs at most, relatives not counted.
    children, chain
        With their children; with the runs before and after (continue-as-new, retry, cron).

    Raises
    ------
    RPCError
        INVALID_ARGUMENT: the filter is not understood.
    ExportError
        DNB405: both a filter and runs were given.
    ValueError, TypeError
        ``runs`` names none.
    """

    def __init__(
        self,
        client: Client,
        query: str | None = None,
        *,
        runs: Any = None,
        limit: int | None = None,
        children: bool = False,
        chain: bool = False,
    ) -> None:
        if query and runs is not None:
            raise ExportError("a filter and runs were given", fix="give one of them; a frame can be filtered before")
        self._store = client.engine.store
        self._namespace = client.namespace
        self._limit = limit
        self._children, self._chain = children, chain
        self._names = None if runs is None else named_runs(runs)
        found = parse_filter(query)
        self._nothing = found.impossible or limit == 0
        self._filter = RunFilter(
            client.namespace,
            found.workflow_id,
            found.workflow_type,
            found.statuses(),
            limit or 0,
            started_from=found.started[0],
            started_before=found.started[1],
            closed_from=found.closed[0],
            closed_before=found.closed[1],
        )
        self.is_everything = not (query or children or chain or self._names is not None or limit is not None)
        """Whether nothing was chosen: all runs are meant."""

    def records(self) -> Iterator[RunRecord]:
        """The runs with all that is stored of them, newest first or as they were named.

        Raises
        ------
        RPCError
            NOT_FOUND: no such run.
        """
        from durable_nb.analytics.exports import reading  # noqa: PLC0415 - only those who export need it

        found = (record for row in self._rows() if (record := reading.read_run(self._store, row)) is not None)
        if not (self._children or self._chain):
            return found
        return reading.with_relatives(self._store, found, children=self._children, chain=self._chain)

    def run_keys(self) -> Iterator[int]:
        """Keys of the runs in the store; their histories are read only where relatives are looked for in them."""
        if self._children or self._chain:
            return (record.run.run_key for record in self.records())
        return (row.run_key for row in self._rows())

    def _rows(self) -> Iterator[RunRow]:
        from durable_nb.analytics.exports import reading  # noqa: PLC0415 - as above

        if self._nothing:
            return iter(())
        if self._names is None:
            return reading.read_rows(self._store, self._filter)
        return islice((self._row(str(each["workflow_id"]), each["run_id"]) for each in self._names), self._limit)

    def _row(self, workflow_id: str, run_id: str) -> RunRow:
        row: RunRow | None = self._store.find_run(self._namespace, workflow_id, run_id)
        if row is None:
            run = f", run {run_id!r}" if run_id else ""
            raise RPCError(f"workflow execution not found: {workflow_id!r}{run}", RPCStatusCode.NOT_FOUND)
        return row
