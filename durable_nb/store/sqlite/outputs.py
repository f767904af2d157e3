"""What attempts of activities printed: rows off the hot path, a few each second at most."""

from __future__ import annotations

from typing import TYPE_CHECKING

from durable_nb.model.records import OutputRow, Pace

if TYPE_CHECKING:
    from collections.abc import Sequence

    from durable_nb.store.sqlite.database import Database

LOOK_BACK = 20_000
"""Attempts among which those of one type are looked for: an index by type would cost each attempt a write."""

_PUT = (
    "REPLACE INTO activity_output (run_key, scheduled_event_id, attempt, activity_id, activity_type, chunks, written, "
    "cut, progress, updated_at) SELECT ?, ?, ?, ?, ?, CAST(? AS TEXT), ?, ?, CAST(? AS TEXT), ? "
    "WHERE EXISTS (SELECT 1 FROM runs WHERE run_key = ?)"
)
_READ = (
    "SELECT run_key, scheduled_event_id, attempt, activity_id, activity_type, CAST(chunks AS BLOB), written, cut, "
    "CAST(progress AS BLOB), updated_at FROM activity_output WHERE run_key = ? ORDER BY scheduled_event_id, attempt"
)
_PACES = (
    "SELECT a.ended_at - a.started_at, ifnull(json_extract(o.progress, '$.total'), 0.0) FROM activity_attempts AS a "
    "LEFT JOIN activity_output AS o ON o.run_key = a.run_key AND o.scheduled_event_id = a.scheduled_event_id "
    "AND o.attempt = a.attempt WHERE a.seq > (SELECT ifnull(max(seq), 0) FROM activity_attempts) - ? "
    "AND a.activity_type = ? AND a.outcome = 'completed' ORDER BY a.seq DESC LIMIT ?"
)


class Outputs:
    """The part of ``Store`` about the output of activities."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def put_outputs(self, rows: Sequence[OutputRow]) -> None:
        with self._database.writing() as cursor:
            for row in rows:
                cursor.execute(
                    _PUT,
                    (
                        row.run_key,
                        row.scheduled_event_id,
                        row.attempt,
                        row.activity_id,
                        row.activity_type,
                        row.chunks,
                        row.written,
                        row.cut,
                        row.progress,
                        row.updated_at,
                        row.run_key,
                    ),
                )

    def read_outputs(self, run_key: int) -> list[OutputRow]:
        with self._database.reading() as connection:
            return [OutputRow(*row) for row in connection.execute(_READ, (run_key,)).fetchall()]

    def recent_paces(self, activity_type: str, limit: int) -> list[Pace]:
        with self._database.reading() as connection:
            rows = connection.execute(_PACES, (LOOK_BACK, activity_type, limit)).fetchall()
        return [Pace(int(duration), float(total)) for duration, total in rows]
