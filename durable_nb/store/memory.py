"""A store in memory: dictionaries behind one lock, with the semantics of the others.

For tests and for environments that should leave nothing behind. It lives as long as the object does; several engines
of one process may share it. Rows are copied on the way in and out, so that nobody changes what is stored by accident.
"""

from __future__ import annotations

import os
import threading
from copy import copy
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec

from durable_nb.errors import StoreClosedError, StoreError
from durable_nb.model.enums import WorkflowExecutionStatus
from durable_nb.model.events import Event, decode_attributes, decode_user_metadata
from durable_nb.model.records import (
    ActivityRow,
    AttemptRow,
    Conflict,
    DefinitionRow,
    EventRow,
    LoadedRun,
    MessageRow,
    ProcessRow,
    ReadyTask,
    RunFilter,
    RunRow,
    RunWrite,
    TransferRow,
    Unit,
    WorkflowTaskRow,
)
from durable_nb.store.conflicts import settle

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Sequence

_RUNNING = int(WorkflowExecutionStatus.RUNNING)
# What a transition may change of a stored run; the rest is its identity.
_NARROW = ("version", "next_event_id", "history_size", "transient")
_WIDE = (
    *_NARROW,
    "status",
    "task_queue",
    "execution_time",
    "close_time",
    "wake_at",
    "memo",
    "search_attributes",
    "definition",
)
_Row = TypeVar("_Row", bound=msgspec.Struct)


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


class MemoryStore:
    """``protocol.Store`` in memory."""

    def __init__(self) -> None:
        self.url = "memory://"
        self._lock = threading.RLock()
        self._closed = False
        self._runs: dict[int, _Run] = {}
        self._run_ids: set[str] = set()
        self._open: dict[tuple[str, str], int] = {}
        self._numbers = {"run": 0, "process": 0, "message": 0}
        self._processes: dict[int, ProcessRow] = {}
        self._definitions: dict[str, DefinitionRow] = {}
        self._messages: dict[int, MessageRow] = {}
        self._settings: dict[str, str] = {}
        self._changes = 0

    def _enter(self, *, change: bool = False) -> threading.RLock:
        if self._closed:
            raise StoreClosedError("the store was closed", where=self.url, fix="open another with open_store")
        if change:
            self._changes += 1
        return self._lock

    def _next(self, name: str, count: int = 1) -> int:
        self._numbers[name] += count
        return self._numbers[name]

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
            for name in _WIDE if write.listed_changed else _NARROW:
                setattr(run.row, name, getattr(write.run, name))
        if run.row.status == _RUNNING:
            self._open[address] = key
        elif self._open.get(address) == key:
            del self._open[address]
        run.events.update((event.event_id, copy(event)) for event in write.events)
        for scheduled_event_id in write.delete_activities:
            run.activities.pop(scheduled_event_id, None)
        run.activities.update((row.scheduled_event_id, copy(row)) for row in write.put_activities)
        run.attempts.extend(_copies(write.attempts))
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
                activities=_copies(_in_order(run.activities)),
                workflow_task=copy(run.task),
                transfers=_copies(_in_order(run.transfers)),
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
            rows = [row for row in _in_order(run.events) if row.event_id >= first_event_id] if run else []
            return [
                Event(
                    row.event_id,
                    row.event_time,
                    decode_attributes(row.event_type, row.attributes),
                    decode_user_metadata(row.user_metadata),
                )
                for row in rows
            ]

    def read_attempts(self, run_key: int) -> list[AttemptRow]:
        with self._enter():
            run = self._runs.get(run_key)
            return _copies(run.attempts) if run else []

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
                and (
                    not query.before_run_key
                    or (_age(row) < _age(last.row) if last else row.run_key < query.before_run_key)
                )
            ]
            return _copies(sorted(found, key=_age, reverse=True)[: query.limit])

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
                ReadyTask(key, run.task.task_queue, run.task.workflow_type)
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

    def change_token(self) -> int:
        """Changes with every write, the caller's own too: engines that share the object share its one connection."""
        with self._enter():
            return self._changes

    # -- processes ---------------------------------------------------------------------------------------------------

    def register_process(self, identity: str, now: int) -> ProcessRow:
        with self._enter(change=True):
            row = ProcessRow(self._next("process"), identity, "", os.getpid(), now, now)
            self._processes[row.process_key] = row
            return copy(row)

    def heartbeat(self, process_key: int, now: int) -> bool:
        with self._enter(change=True):
            row = self._processes.get(process_key)
            if row is not None:
                row.heartbeat_at = now
            return row is not None

    def dead_owners(self, now: int, lease: int) -> list[int]:
        with self._enter(change=True):
            dead = {key for key, row in self._processes.items() if row.heartbeat_at < now - lease}
            for key in dead:
                del self._processes[key]
            owners = {owner for run in self._runs.values() for owner in run.owners() if owner > 0}
            return sorted(dead | owners - self._processes.keys())

    def unregister_process(self, process_key: int) -> None:
        with self._enter(change=True):
            self._processes.pop(process_key, None)

    def list_processes(self) -> list[ProcessRow]:
        with self._enter():
            return _copies(_in_order(self._processes))

    # -- the rest ----------------------------------------------------------------------------------------------------

    def put_definitions(self, rows: Sequence[DefinitionRow]) -> None:
        with self._enter(change=True):
            for row in rows:
                self._definitions.setdefault(row.digest, copy(row))

    def get_definition(self, digest: str) -> DefinitionRow | None:
        with self._enter():
            return copy(self._definitions.get(digest))

    def latest_definition(self, kind: str, name: str) -> DefinitionRow | None:
        with self._enter():
            found = [row for row in self._definitions.values() if (row.kind, row.name) == (kind, name)]
            # Of equally old ones the last to arrive.
            return copy(max(reversed(found), key=lambda row: row.created_at, default=None))

    def set_signature(self, digest: str, signature: str) -> None:
        with self._enter(change=True):
            if digest in self._definitions:
                self._definitions[digest].signature = signature

    def put_message(self, run_key: int, kind: str, sender: int, body: bytes, now: int) -> int:
        with self._enter(change=True):
            number = self._next("message")
            self._messages[number] = MessageRow(number, run_key, kind, sender, body, None, now)
            return number

    def take_messages(self, limit: int) -> list[MessageRow]:
        with self._enter():
            return _copies([row for row in _in_order(self._messages) if row.reply is None][:limit])

    def reply_message(self, message_id: int, reply: bytes) -> bool:
        with self._enter(change=True):
            row = self._messages.get(message_id)
            if row is None or row.reply is not None:
                return False
            row.reply = reply
            return True

    def read_reply(self, message_id: int) -> bytes | None:
        with self._enter():
            row = self._messages.get(message_id)
            return row.reply if row else None

    def delete_message(self, message_id: int) -> None:
        with self._enter(change=True):
            self._messages.pop(message_id, None)

    def get_setting(self, name: str) -> str | None:
        with self._enter():
            return self._settings.get(name)

    def set_setting(self, name: str, value: str) -> None:
        with self._enter(change=True):
            self._settings[name] = value

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
            for message_id in [key for key, row in self._messages.items() if row.run_key == run_key]:
                del self._messages[message_id]

    def close(self) -> None:
        self._closed = True


def _age(row: RunRow) -> tuple[int, int]:
    return row.start_time, row.run_key


def _copies(rows: Iterable[_Row]) -> list[_Row]:
    return [copy(row) for row in rows]


def _in_order(rows: dict[int, Any]) -> Collection[Any]:
    return [rows[key] for key in sorted(rows)]
