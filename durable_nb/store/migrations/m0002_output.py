"""Migration 2: what attempts of activities print and log.

Frozen: a store that exists was made by exactly these statements. Later changes are later migrations.
"""

from __future__ import annotations

SQLITE: tuple[str, ...] = (
    """CREATE TABLE activity_output (
        seq INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, run_key INTEGER NOT NULL, scheduled_event_id INTEGER NOT NULL,
        attempt INTEGER NOT NULL, activity_id TEXT NOT NULL, activity_type TEXT NOT NULL, chunks TEXT NOT NULL,
        written INTEGER NOT NULL, cut INTEGER NOT NULL, progress TEXT, updated_at INTEGER NOT NULL
    )""",
    "CREATE UNIQUE INDEX activity_output_attempt ON activity_output (run_key, scheduled_event_id, attempt)",
)
