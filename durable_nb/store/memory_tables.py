"""What a store in memory keeps beside runs: processes, definitions, messages between processes, settings.

Also what every table of it shares: the lock, the counters, and the copies on the way in and out.
"""

from __future__ import annotations

import os
import threading
from copy import copy
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec

from durable_nb.errors import StoreClosedError
from durable_nb.model.records import DefinitionRow, MessageRow, ProcessRow

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

_Row = TypeVar("_Row", bound=msgspec.Struct)


class Tables:
    """The base of ``MemoryStore``."""

    def __init__(self) -> None:
        self.url = "memory://"
        self._lock = threading.RLock()
        self._closed = False
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

    def heartbeat(self, process_key: int, now: int, metrics: str | None = None) -> bool:
        with self._enter(change=True):
            row = self._processes.get(process_key)
            if row is not None:
                row.heartbeat_at = now
                row.metrics = row.metrics if metrics is None else metrics
            return row is not None

    def unregister_process(self, process_key: int) -> None:
        with self._enter(change=True):
            self._processes.pop(process_key, None)

    def list_processes(self) -> list[ProcessRow]:
        with self._enter():
            return copies(in_order(self._processes))

    # -- definitions, messages, settings -----------------------------------------------------------------------------

    def put_definitions(self, rows: Sequence[DefinitionRow]) -> None:
        with self._enter(change=True):
            for row in rows:
                self._definitions.setdefault(row.digest, copy(row))

    def renew_definitions(self, rows: Sequence[DefinitionRow]) -> None:
        with self._enter(change=True):
            for row in rows:
                self._definitions[row.digest] = copy(row)

    def get_definition(self, digest: str) -> DefinitionRow | None:
        with self._enter():
            return copy(self._definitions.get(digest))

    def latest_definition(self, kind: str, name: str) -> DefinitionRow | None:
        with self._enter():
            found = [row for row in self._definitions.values() if (row.kind, row.name) == (kind, name)]
            # Of equally old ones the last to arrive.
            return copy(max(reversed(found), key=lambda row: row.created_at, default=None))

    def put_message(self, run_key: int, kind: str, sender: int, body: bytes, now: int) -> int:
        with self._enter(change=True):
            number = self._next("message")
            self._messages[number] = MessageRow(number, run_key, kind, sender, body, None, now)
            return number

    def take_messages(self, limit: int) -> list[MessageRow]:
        with self._enter():
            return copies([row for row in in_order(self._messages) if row.reply is None][:limit])

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

    def list_definitions(self) -> list[DefinitionRow]:
        """All definitions in the order of their arrival."""
        with self._enter():
            return copies(self._definitions.values())

    def is_gone(self) -> bool:
        return False

    def close(self) -> None:
        self._closed = True


def copies(rows: Iterable[_Row]) -> list[_Row]:
    """Copies of rows, so that neither side changes what the other holds."""
    return [copy(row) for row in rows]


def in_order(rows: dict[int, Any]) -> Collection[Any]:
    """Rows in the order of their keys."""
    return [rows[key] for key in sorted(rows)]
