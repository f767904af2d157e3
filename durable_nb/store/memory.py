"""A store in memory: dictionaries behind one lock, with the semantics of the others.

For tests and for environments that should leave nothing behind. It lives as long as the object does; several engines
of one process may share it. Rows are copied on the way in and out, so that nobody changes what is stored by accident.
"""

from __future__ import annotations

from copy import copy
from typing import TYPE_CHECKING

import msgspec

from durable_nb.errors import StoreError
from durable_nb.model.attributes import WorkflowTaskFailed
from durable_nb.model.enums import WorkflowExecutionStatus
from durable_nb.model.events import Event, decode_attributes, decode_user_metadata
from durable_nb.model.progress import decode
from durable_nb.model.records import (
    LISTED_FIELDS,
    UNLISTED_FIELDS,
    ActivityRow,
    AttemptRow,
    Conflict,
    EventRow,
    LoadedRun,
    OutputRow,
    Pace,
    ReadyTask,
    RunFilter,
    RunRow,
    RunWrite,
    TransferRow,
    Unit,
    WorkflowTaskRow,
)
from durable_nb.store.conflicts import settle
from durable_nb.store.memory_tables import Tables, copies, in_order

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_RUNNING = int(WorkflowExecutionStatus.RUNNING)


class StoredRun(msgspec.Struct):
    """A copy of everything of one run, as stored; events by id, attempts in the order in which they ended."""

    row: RunRow
    events: list[EventRow]
    activities: list[ActivityRow]
    attempts: list[AttemptRow]
    task: WorkflowTaskRow | None


class _Run:
    """Everything of one run."""

    __slots__ = ("activities", "attempts", "events", "row", "task", "transfers")

    def __init__(self, row: RunRow) -> None:
        self.row = row
        self.events: dict[int, EventRow] = {}
        self.activities: dict[int, ActivityRow] = {}
        self.attempts: list[AttemptRow] = []
        self.task: WorkflowTaskRow | None = None
        self.transfers: dict[int, TransferRow] = {}

    def owners(self) -> Iterator[int]:
        for activity in self.activities.values():
            yield activity.owner
        for transfer in self.transfers.values():
            yield transfer.owner
        if self.task is not None:
            yield self.task.owner


class MemoryStore(Tables):
    """``protocol.Store`` in memory."""

    def __init__(self) -> None:
        super().__init__()
        self._runs: dict[int, _Run] = {}
        self._run_ids: set[str] = set()
        self._open: dict[tuple[str, str], int] = {}
        self._outputs: dict[tuple[int, int, int], OutputRow] = {}

    # -- writing -----------------------------------------------------------------------------------------------------

    def commit(self, units: Sequence[Unit]) -> list[Conflict | None]:
        with self._enter(change=True):
            answers = settle(units, self)
            for unit, answer in zip(units, answers, strict=True):
                if answer is None:
                    # Closings first, as in the SQL stores: the successor takes over its predecessor's workflow ID.
                    for write in sorted(unit.writes, key=lambda write: write.expected_version == 0):
                        self._write(write)
            return answers

    def _write(self, write: RunWrite) -> None:
        key, address = write.run.run_key, (write.run.namespace, write.run.workflow_id)
        if write.expected_version == 0:
            run = self._runs[key] = _Run(copy(write.run))
            self._run_ids.add(write.run.run_id)
        else:
            run = self._runs[key]
            for name in LISTED_FIELDS if write.listed_changed else UNLISTED_FIELDS:
                setattr(run.row, name, getattr(write.run, name))
        if run.row.status == _RUNNING:
            self._open[address] = key
        elif self._open.get(address) == key:
            del self._open[address]
        run.events.update((event.event_id, copy(event)) for event in write.events)
        for scheduled_event_id in write.delete_activities:
            run.activities.pop(scheduled_event_id, None)
        run.activities.update((row.scheduled_event_id, copy(row)) for row in write.put_activities)
        run.attempts.extend(copies(write.attempts))
        if write.workflow_task is not None or write.had_workflow_task:
            run.task = copy(write.workflow_task)
        for transfer_id in write.delete_transfers:
            run.transfers.pop(transfer_id, None)
        run.transfers.update((row.transfer_id, copy(row)) for row in write.put_transfers)

    # The questions of ``conflicts``.

    def version_of(self, run_key: int) -> int:
        run = self._runs.get(run_key)
        return run.row.version if run else 0

    def open_run_of(self, namespace: str, workflow_id: str) -> int:
        return self._open.get((namespace, workflow_id), 0)

    def latest_run_of(self, namespace: str, workflow_id: str) -> tuple[int, int]:
        rows = (run.row for run in self._runs.values())
        return max(
            (_age(row) for row in rows if (row.namespace, row.workflow_id) == (namespace, workflow_id)), default=(0, 0)
        )

    def has_run_id(self, run_id: str) -> bool:
        return run_id in self._run_ids

    def has_event(self, run_key: int, event_id: int) -> bool:
        run = self._runs.get(run_key)
        return run is not None and event_id in run.events

    def reserve_run_keys(self, count: int) -> range:
        with self._enter(change=True):
            last = self._next("run", count)
            return range(last - count + 1, last + 1)

    # -- reading -----------------------------------------------------------------------------------------------------

    def load_run(self, run_key: int) -> LoadedRun | None:
        with self._enter():
            run = self._runs.get(run_key)
            if run is None:
                return None
            return LoadedRun(
                run=copy(run.row),
                events=self.read_events(run_key),
                activities=copies(in_order(run.activities)),
                workflow_task=copy(run.task),
                transfers=copies(in_order(run.transfers)),
            )

    def find_run(self, namespace: str, workflow_id: str, run_id: str = "") -> RunRow | None:
        with self._enter():
            found = [
                run.row
                for run in self._runs.values()
                if (run.row.namespace, run.row.workflow_id) == (namespace, workflow_id)
                and run_id in ("", run.row.run_id)
            ]
            return copy(max(found, key=lambda row: (row.status == _RUNNING, *_age(row)), default=None))

    def read_events(self, run_key: int, first_event_id: int = 1) -> list[Event]:
        with self._enter():
            run = self._runs.get(run_key)
            rows = [row for row in in_order(run.events) if row.event_id >= first_event_id] if run else []
            return [
                Event(
                    row.event_id,
                    row.event_time,
                    decode_attributes(row.event_type, row.attributes),
                    decode_user_metadata(row.user_metadata),
                )
                for row in rows
            ]

    def read_origins(self, run_keys: Sequence[int]) -> dict[int, tuple[str, int]]:
        found: dict[int, tuple[str, int]] = {}
        for key in run_keys:
            for event in self.read_events(key):
                left = event.attributes
                if isinstance(left, WorkflowTaskFailed) and left.new_run_id == self._runs[key].row.run_id:
                    found[key] = left.base_run_id, event.event_id
        return found

    def read_attempts(self, run_key: int) -> list[AttemptRow]:
        with self._enter():
            run = self._runs.get(run_key)
            return copies(run.attempts) if run else []

    def list_runs(self, query: RunFilter) -> list[RunRow]:
        with self._enter():
            last = self._runs.get(query.before_run_key)
            found = [
                row
                for row in (run.row for run in self._runs.values())
                if row.namespace == query.namespace
                and query.workflow_id in ("", row.workflow_id)
                and query.workflow_type in ("", row.workflow_type)
                and (not query.statuses or row.status in query.statuses)
                and _within(row.start_time, query.started_from, query.started_before)
                and _within(row.close_time, query.closed_from, query.closed_before)
                and (
                    not query.before_run_key
                    or (_age(row) < _age(last.row) if last else row.run_key < query.before_run_key)
                )
            ]
            return copies(sorted(found, key=_age, reverse=True)[: query.limit])

    def count_runs(self, namespace: str) -> dict[int, int]:
        with self._enter():
            statuses = sorted(int(run.row.status) for run in self._runs.values() if run.row.namespace == namespace)
            return {status: statuses.count(status) for status in dict.fromkeys(statuses)}

    # -- work to be found --------------------------------------------------------------------------------------------

    def _waking(self) -> list[RunRow]:
        rows = (self._runs[key].row for key in self._open.values())
        return sorted((row for row in rows if row.wake_at > 0), key=lambda row: (row.wake_at, row.run_key))

    def due_runs(self, now: int, limit: int) -> list[int]:
        with self._enter():
            return [row.run_key for row in self._waking() if row.wake_at <= now][:limit]

    def next_wake(self) -> int:
        with self._enter():
            return min((row.wake_at for row in self._waking()), default=0)

    def ready_workflow_tasks(self, now: int, dead: Sequence[int], limit: int) -> list[ReadyTask]:
        with self._enter():
            free = {0, *dead}
            return [
                ReadyTask(key, run.task.task_queue, run.task.workflow_type, run.row.definition)
                for key, run in self._runs.items()
                if run.task is not None and run.task.owner in free and run.task.visible_at <= now
            ][:limit]

    def ready_activities(self, now: int, dead: Sequence[int], limit: int) -> list[ReadyTask]:
        with self._enter():
            free = {0, *dead}
            found = dict.fromkeys(
                (key, row.task_queue, row.activity_type)
                for key, run in self._runs.items()
                for row in run.activities.values()
                if row.owner in free and row.visible_at <= now
            )
            return [ReadyTask(*task) for task in found][:limit]

    def ready_transfers(self, dead: Sequence[int], limit: int) -> list[int]:
        with self._enter():
            free = {0, *dead}
            return [key for key, run in self._runs.items() if any(row.owner in free for row in run.transfers.values())][
                :limit
            ]

    def dead_owners(self, now: int, lease: int) -> list[int]:
        with self._enter(change=True):
            dead = {key for key, row in self._processes.items() if row.heartbeat_at < now - lease}
            for key in dead:
                del self._processes[key]
            owners = {owner for run in self._runs.values() for owner in run.owners() if owner > 0}
            return sorted(dead | owners - self._processes.keys())

    # -- output of activities ----------------------------------------------------------------------------------------

    def put_outputs(self, rows: Sequence[OutputRow]) -> None:
        with self._enter(change=True):
            for row in rows:
                if row.run_key in self._runs:
                    self._outputs[row.run_key, row.scheduled_event_id, row.attempt] = copy(row)

    def read_outputs(self, run_key: int) -> list[OutputRow]:
        with self._enter():
            return [copy(self._outputs[key]) for key in sorted(self._outputs) if key[0] == run_key]

    def recent_paces(self, activity_type: str, limit: int) -> list[Pace]:
        with self._enter():
            found = [
                (attempt, self._outputs.get((key, attempt.scheduled_event_id, attempt.attempt)))
                for key, run in self._runs.items()
                for attempt in run.attempts
                if attempt.activity_type == activity_type and attempt.outcome == "completed"
            ]
            found.sort(key=lambda pair: pair[0].ended_at, reverse=True)
            return [
                Pace(attempt.ended_at - attempt.started_at, _total(output.progress if output else None))
                for attempt, output in found[:limit]
            ]

    # -- the rest ----------------------------------------------------------------------------------------------------

    def count_versions(self, namespace: str, workflow_type: str = "") -> dict[tuple[str, str], int]:
        with self._enter():
            counts: dict[tuple[str, str], int] = {}
            for run in self._runs.values():
                row = run.row
                if row.status == _RUNNING and row.namespace == namespace and workflow_type in ("", row.workflow_type):
                    key = (row.workflow_type, row.definition)
                    counts[key] = counts.get(key, 0) + 1
            return dict(sorted(counts.items()))

    def delete_run(self, run_key: int) -> None:
        with self._enter(change=True):
            run = self._runs.get(run_key)
            if run is not None and run.row.status == _RUNNING:
                raise StoreError(
                    f"the run of workflow {run.row.workflow_id!r} is open", where=self.url, fix="terminate it first"
                )
            if run is not None:
                del self._runs[run_key]
                self._run_ids.discard(run.row.run_id)
                for output in [key for key in self._outputs if key[0] == run_key]:
                    del self._outputs[output]
            for message_id in [key for key, row in self._messages.items() if row.run_key == run_key]:
                del self._messages[message_id]

    # -- for readers of everything -----------------------------------------------------------------------------------

    def stored_runs(self) -> list[StoredRun]:
        """All runs of all namespaces, at one moment; by run key."""
        with self._enter():
            return [
                StoredRun(
                    copy(run.row),
                    copies(in_order(run.events)),
                    copies(in_order(run.activities)),
                    copies(run.attempts),
                    copy(run.task),
                )
                for run in in_order(self._runs)
            ]


def _within(instant: int, first: int, end: int) -> bool:
    """Whether an instant is in a period; one that is unset is in none but the boundless."""
    return (not first and not end) or (instant > 0 and first <= instant and (not end or instant < end))


def _age(row: RunRow) -> tuple[int, int]:
    return row.start_time, row.run_key


def _total(document: bytes | None) -> float:
    progress = decode(document) if document else None
    return progress.total if progress is not None else 0.0
