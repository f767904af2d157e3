"""Runs out of a store, one after the other: what is exported never has to fit in memory together."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import TYPE_CHECKING

import msgspec

from durable_nb.analytics.exports.records import RunRecord, children_of, next_run_id
from durable_nb.model.records import RunFilter, RunRow

if TYPE_CHECKING:
    from durable_nb.store.protocol import Store

PAGE = 500
"""Rows of runs that are read at a time."""


def read_run(store: Store, row: RunRow) -> RunRecord | None:
    """Everything stored of a run, None when it was deleted meanwhile.

    The attempts are read last: an activity that ended in between is both pending and over, and over counts.
    """
    loaded = store.load_run(row.run_key)
    if loaded is None or not loaded.events:
        return None
    attempts = store.read_attempts(row.run_key)
    known = {(attempt.scheduled_event_id, attempt.attempt) for attempt in attempts}
    activities = [each for each in loaded.activities if (each.scheduled_event_id, each.attempt) not in known]
    return RunRecord(
        loaded.run,
        loaded.events,
        attempts,
        activities,
        loaded.workflow_task,
        loaded.transfers,
        store.read_outputs(row.run_key),
    )


def read_rows(store: Store, query: RunFilter) -> Iterator[RunRow]:
    """Rows of the runs that a filter selects, newest first; its ``limit`` counts all of them, 0 means no limit."""
    asked = msgspec.structs.replace(query)
    left = query.limit or -1
    while left:
        asked.limit = PAGE if left < 0 else min(PAGE, left)
        rows = store.list_runs(asked)
        yield from rows
        if len(rows) < asked.limit:
            return
        left -= len(rows)
        asked.before_run_key = rows[-1].run_key


def read_runs(store: Store, query: RunFilter) -> Iterator[RunRecord]:
    """The runs that a filter selects, as ``read_rows``, each with all that is stored of it."""
    return (record for row in read_rows(store, query) if (record := read_run(store, row)) is not None)


def with_relatives(
    store: Store, records: Iterator[RunRecord], *, children: bool = False, chain: bool = False
) -> Iterator[RunRecord]:
    """The runs, each followed by its children and by the runs of its chain, and theirs; each run once.

    Parameters
    ----------
    children
        Children, grandchildren and so on.
    chain
        The runs before and after it that are linked by continue-as-new, retry and cron.
    """
    seen: set[str] = set()
    for given in records:
        waiting = deque([(given.run.namespace, given.run.workflow_id, given.run.run_id)])
        while waiting:
            namespace, workflow_id, run_id = waiting.popleft()
            if not run_id or run_id in seen:
                continue
            record = given if run_id == given.run.run_id else _read(store, namespace, workflow_id, run_id)
            if record is None:
                continue
            seen.add(run_id)
            yield record
            if children:
                waiting.extend(children_of(record))
            if chain or (children and record.run.parent_run_id):
                # A child that continued as new goes on in its next run: its parent waits for the last of them.
                for other in (record.started.continued_execution_run_id, next_run_id(record)):
                    waiting.append((namespace, workflow_id, other))


def _read(store: Store, namespace: str, workflow_id: str, run_id: str) -> RunRecord | None:
    row = store.find_run(namespace, workflow_id, run_id)
    return read_run(store, row) if row is not None else None
