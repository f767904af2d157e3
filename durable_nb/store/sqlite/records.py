"""Definitions, messages, settings and numbers: small rows off the hot path."""

# ruff: noqa: S608 - texts are put together from constants of this module; values are always bound
from __future__ import annotations

from typing import TYPE_CHECKING

from durable_nb.model.records import DefinitionRow, MessageRow
from durable_nb.store.sqlite.processes import NEXT_NUMBER

if TYPE_CHECKING:
    from collections.abc import Sequence

    from durable_nb.store.sqlite.database import Database

_DEFINITION = "digest, name, kind, source, origin, created_at, signature"


class Records:
    """The rest of ``Store``."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def reserve_run_keys(self, count: int) -> range:
        with self._database.writing() as cursor:
            (last,) = cursor.execute(NEXT_NUMBER, ("run", count)).fetchone()
        return range(last - count + 1, last + 1)

    # -- definitions -------------------------------------------------------------------------------------------------

    def put_definitions(self, rows: Sequence[DefinitionRow]) -> None:
        self._insert_definitions(rows, "DO NOTHING")

    def renew_definitions(self, rows: Sequence[DefinitionRow]) -> None:
        names = _DEFINITION.split(", ")[1:]
        self._insert_definitions(rows, "DO UPDATE SET " + ", ".join(f"{name} = excluded.{name}" for name in names))

    def _insert_definitions(self, rows: Sequence[DefinitionRow], otherwise: str) -> None:
        with self._database.writing() as cursor:
            for row in rows:
                cursor.execute(
                    f"INSERT INTO definitions ({_DEFINITION}) VALUES (?, ?, ?, ?, ?, ?, ?) "
                    f"ON CONFLICT (digest) {otherwise}",
                    (row.digest, row.name, row.kind, row.source, row.origin, row.created_at, row.signature),
                )

    def get_definition(self, digest: str) -> DefinitionRow | None:
        return self._definition("WHERE digest = ?", (digest,))

    def latest_definition(self, kind: str, name: str) -> DefinitionRow | None:
        return self._definition("WHERE kind = ? AND name = ? ORDER BY created_at DESC, seq DESC LIMIT 1", (kind, name))

    def _definition(self, where: str, parameters: tuple[str, ...]) -> DefinitionRow | None:
        with self._database.reading() as connection:
            row = connection.execute(f"SELECT {_DEFINITION} FROM definitions {where}", parameters).fetchone()
        return None if row is None else DefinitionRow(*row)

    # -- messages ----------------------------------------------------------------------------------------------------

    def put_message(self, run_key: int, kind: str, sender: int, body: bytes, now: int) -> int:
        with self._database.writing() as cursor:
            (message_id,) = cursor.execute(NEXT_NUMBER, ("message", 1)).fetchone()
            cursor.execute(
                "INSERT INTO messages (message_id, run_key, kind, sender, body, reply, created_at) "
                "VALUES (?, ?, ?, ?, ?, NULL, ?)",
                (message_id, run_key, kind, sender, body, now),
            )
        return int(message_id)

    def take_messages(self, limit: int) -> list[MessageRow]:
        with self._database.reading() as connection:
            rows = connection.execute(
                "SELECT message_id, run_key, kind, sender, body, reply, created_at FROM messages "
                "WHERE reply IS NULL ORDER BY message_id LIMIT ?",
                (limit,),
            ).fetchall()
        return [MessageRow(*row) for row in rows]

    def reply_message(self, message_id: int, reply: bytes) -> bool:
        with self._database.writing() as cursor:
            cursor.execute("UPDATE messages SET reply = ? WHERE message_id = ? AND reply IS NULL", (reply, message_id))
            return cursor.rowcount == 1

    def read_reply(self, message_id: int) -> bytes | None:
        with self._database.reading() as connection:
            row = connection.execute("SELECT reply FROM messages WHERE message_id = ?", (message_id,)).fetchone()
        return None if row is None else row[0]

    def delete_message(self, message_id: int) -> None:
        with self._database.writing() as cursor:
            cursor.execute("DELETE FROM messages WHERE message_id = ?", (message_id,))

    # -- settings ----------------------------------------------------------------------------------------------------

    def get_setting(self, name: str) -> str | None:
        with self._database.reading() as connection:
            row = connection.execute("SELECT value FROM settings WHERE name = ?", (name,)).fetchone()
        return None if row is None else row[0]

    def set_setting(self, name: str, value: str) -> None:
        with self._database.writing() as cursor:
            cursor.execute("REPLACE INTO settings (name, value) VALUES (?, ?)", (name, value))
