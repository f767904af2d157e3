"""Migration 1: the first tables.

Frozen: a store that exists was made by exactly these statements. Later changes are later migrations.
"""

from __future__ import annotations

SQLITE: tuple[str, ...] = (
    """CREATE TABLE schema_version (
        version INTEGER NOT NULL, applied_at INTEGER NOT NULL, PRIMARY KEY (version)
    )""",
    "CREATE TABLE counters (name TEXT NOT NULL, value INTEGER NOT NULL, PRIMARY KEY (name)) WITHOUT ROWID",
    "CREATE TABLE settings (name TEXT NOT NULL, value TEXT NOT NULL, PRIMARY KEY (name)) WITHOUT ROWID",
    """CREATE TABLE processes (
        process_key INTEGER NOT NULL, identity TEXT NOT NULL, hostname TEXT NOT NULL, pid INTEGER NOT NULL,
        started_at INTEGER NOT NULL, heartbeat_at INTEGER NOT NULL, PRIMARY KEY (process_key)
    )""",
    """CREATE TABLE runs (
        run_key INTEGER NOT NULL, namespace TEXT NOT NULL, workflow_id TEXT NOT NULL, run_id TEXT NOT NULL,
        workflow_type TEXT NOT NULL, task_queue TEXT NOT NULL, status INTEGER NOT NULL, version INTEGER NOT NULL,
        next_event_id INTEGER NOT NULL, history_size INTEGER NOT NULL, first_execution_run_id TEXT NOT NULL,
        start_time INTEGER NOT NULL, execution_time INTEGER NOT NULL, close_time INTEGER NOT NULL,
        wake_at INTEGER NOT NULL, parent_workflow_id TEXT NOT NULL, parent_run_id TEXT NOT NULL,
        parent_initiated_event_id INTEGER NOT NULL, root_workflow_id TEXT NOT NULL, root_run_id TEXT NOT NULL,
        memo TEXT, search_attributes TEXT, transient BLOB, definition TEXT NOT NULL, PRIMARY KEY (run_key)
    )""",
    "CREATE UNIQUE INDEX runs_open ON runs (namespace, workflow_id) WHERE status = 1",
    "CREATE INDEX runs_workflow_id ON runs (namespace, workflow_id)",
    "CREATE INDEX runs_listed ON runs (namespace, start_time, run_key, status)",
    "CREATE UNIQUE INDEX runs_run_id ON runs (run_id)",
    "CREATE INDEX runs_wake ON runs (wake_at) WHERE status = 1 AND wake_at > 0",
    """CREATE TABLE events (
        seq INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, run_key INTEGER NOT NULL, event_id INTEGER NOT NULL,
        event_type INTEGER NOT NULL, event_time INTEGER NOT NULL, attributes TEXT NOT NULL, user_metadata TEXT
    )""",
    "CREATE UNIQUE INDEX events_run ON events (run_key, event_id)",
    """CREATE TABLE activities (
        run_key INTEGER NOT NULL, scheduled_event_id INTEGER NOT NULL, task_queue TEXT NOT NULL,
        activity_type TEXT NOT NULL, activity_id TEXT NOT NULL, attempt INTEGER NOT NULL, owner INTEGER NOT NULL,
        token INTEGER NOT NULL, visible_at INTEGER NOT NULL, state BLOB NOT NULL,
        PRIMARY KEY (run_key, scheduled_event_id)
    ) WITHOUT ROWID""",
    "CREATE INDEX activities_owner ON activities (owner, visible_at)",
    """CREATE TABLE activity_attempts (
        seq INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, run_key INTEGER NOT NULL, scheduled_event_id INTEGER NOT NULL,
        attempt INTEGER NOT NULL, activity_id TEXT NOT NULL, activity_type TEXT NOT NULL,
        scheduled_at INTEGER NOT NULL, started_at INTEGER NOT NULL, ended_at INTEGER NOT NULL, outcome TEXT NOT NULL,
        worker_identity TEXT NOT NULL, failure TEXT, heartbeat_details TEXT, next_attempt_at INTEGER NOT NULL
    )""",
    "CREATE INDEX activity_attempts_run ON activity_attempts (run_key)",
    """CREATE TABLE workflow_tasks (
        run_key INTEGER NOT NULL, task_queue TEXT NOT NULL, workflow_type TEXT NOT NULL, attempt INTEGER NOT NULL,
        owner INTEGER NOT NULL, visible_at INTEGER NOT NULL, PRIMARY KEY (run_key)
    )""",
    "CREATE INDEX workflow_tasks_owner ON workflow_tasks (owner, visible_at)",
    """CREATE TABLE transfers (
        run_key INTEGER NOT NULL, transfer_id INTEGER NOT NULL, kind TEXT NOT NULL, owner INTEGER NOT NULL,
        body BLOB NOT NULL, PRIMARY KEY (run_key, transfer_id)
    ) WITHOUT ROWID""",
    "CREATE INDEX transfers_owner ON transfers (owner)",
    "CREATE TABLE blobs (digest TEXT NOT NULL, data BLOB NOT NULL, PRIMARY KEY (digest))",
    """CREATE TABLE blob_references (
        run_key INTEGER NOT NULL, digest TEXT NOT NULL, PRIMARY KEY (run_key, digest)
    ) WITHOUT ROWID""",
    "CREATE INDEX blob_references_digest ON blob_references (digest)",
    """CREATE TABLE definitions (
        seq INTEGER NOT NULL, digest TEXT NOT NULL, name TEXT NOT NULL, kind TEXT NOT NULL, source TEXT NOT NULL,
        origin TEXT NOT NULL, created_at INTEGER NOT NULL, signature TEXT NOT NULL, PRIMARY KEY (seq)
    )""",
    "CREATE INDEX definitions_name ON definitions (kind, name)",
    "CREATE UNIQUE INDEX definitions_digest ON definitions (digest)",
    """CREATE TABLE messages (
        message_id INTEGER NOT NULL, run_key INTEGER NOT NULL, kind TEXT NOT NULL, sender INTEGER NOT NULL,
        body BLOB NOT NULL, reply BLOB, created_at INTEGER NOT NULL, PRIMARY KEY (message_id)
    )""",
)
