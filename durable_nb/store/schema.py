"""Tables of a store, in SQLAlchemy Core: the one description from which the SQL of every database is made.

Lives here: columns, keys, indexes and what they mean. Not here: statements (``sqlite``) and the frozen DDL that
existing stores were made with (``migrations``; a test proves that all migrations together give exactly these tables).

Importing this module imports SQLAlchemy (0.1-0.3 s). Opening a store and the engine's own statements therefore do
without it; only queries put together at run time (``SqliteStore.list_runs``) and new databases need it.

Invariants held by the database itself:

- one open run per (namespace, workflow ID): partial unique index ``runs_open``;
- a run ID names one run: ``runs_run_id``;
- an event id occurs once in a run: ``events_run``.

Conventions: instants are microseconds since the epoch, UTC; 0 and "" mean unset; *document* columns hold JSON as text,
so that ``sqlite3`` and DuckDB read them as they are; *opaque* columns hold bytes that only the engine reads.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    BigInteger,
    Column,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    create_mock_engine,
)
from sqlalchemy.types import TypeEngine

VERSION = 3
"""The schema described here; equals the number of the last migration."""

metadata = MetaData()


def _big() -> TypeEngine[int]:
    # SQLite makes a column the rowid only when it is spelt INTEGER, and numbers rows by itself only then.
    return BigInteger().with_variant(Integer(), "sqlite")


def _name() -> TypeEngine[str]:
    # MySQL indexes need a length and would otherwise compare names without regard to case.
    return Text().with_variant(String(255, collation="utf8mb4_bin"), "mysql", "mariadb")


def _document() -> TypeEngine[str]:
    return Text().with_variant(Text(2**32 - 1), "mysql", "mariadb")


def _opaque() -> TypeEngine[bytes]:
    return LargeBinary().with_variant(LargeBinary(2**32 - 1), "mysql", "mariadb")


def _number(name: str, comment: str, **options: object) -> Column[int]:
    return Column(name, _big(), nullable=False, comment=comment, **options)  # type: ignore[arg-type]


def _text(name: str, comment: str, **options: object) -> Column[str]:
    return Column(name, _name(), nullable=False, comment=comment, **options)  # type: ignore[arg-type]


schema_version = Table(
    "schema_version",
    metadata,
    _number("version", "Number of a migration that was applied", primary_key=True, autoincrement=False),
    _number("applied_at", "When it was applied"),
    comment="Migrations that made this store",
)

counters = Table(
    "counters",
    metadata,
    _text("name", "run, process or message", primary_key=True),
    _number("value", "Last number handed out; never goes back"),
    comment="Where keys come from",
    sqlite_with_rowid=False,
)

settings = Table(
    "settings",
    metadata,
    _text("name", "Name of the setting", primary_key=True),
    Column("value", _document(), nullable=False, comment="Its value"),
    comment="Settings that all processes of the store share",
    sqlite_with_rowid=False,
)

processes = Table(
    "processes",
    metadata,
    _number("process_key", "What owner columns hold; never used again", primary_key=True, autoincrement=False),
    _text("identity", "How the process calls itself"),
    _text("hostname", "Machine; liveness locks are asked only on the same one"),
    _number("pid", "Operating system's process id"),
    _number("started_at", "When it opened the store"),
    _number("heartbeat_at", "When it last said that it lives"),
    Column("metrics", _document(), comment="JSON: what its engine measured, as of the last heartbeat"),
    comment="Processes that have the store open; a process declared dead has no row",
)

runs = Table(
    "runs",
    metadata,
    _number("run_key", "The run, in every other table", primary_key=True, autoincrement=False),
    _text("namespace", "Namespace"),
    _text("workflow_id", "The user's key"),
    _text("run_id", "UUID of this run"),
    _text("workflow_type", "Name of the definition"),
    _text("task_queue", "Queue of its workflow tasks"),
    Column("status", Integer, nullable=False, comment="WorkflowExecutionStatus: 1 running, others closed"),
    _number("version", "Grows by one with each transition; every write compares it"),
    _number("next_event_id", "Length of the history plus one"),
    _number("history_size", "Bytes of the events' attributes"),
    _text("first_execution_run_id", "First run of the chain of retries, cron runs and continue-as-new"),
    _number("start_time", "When it was started"),
    _number("execution_time", "When its first workflow task may start"),
    _number("close_time", "When it closed, 0 while open"),
    _number("wake_at", "Lower bound of its next deadline, 0 for none"),
    _text("parent_workflow_id", "Parent, '' for none"),
    _text("parent_run_id", "Parent's run"),
    _number("parent_initiated_event_id", "Event of the parent that asked for this run"),
    _text("root_workflow_id", "Top of the tree of children"),
    _text("root_run_id", "Its run"),
    Column("memo", _document(), comment="Memo"),
    Column("search_attributes", _document(), comment="Search attributes"),
    Column("transient", _opaque(), comment="What the state holds beyond the history"),
    _text("definition", "Digest of the definition's source, '' when none was recorded"),
    comment="One row per run: what lists show, and the version that guards it",
)
Index("runs_run_id", runs.c.run_id, unique=True)
Index(
    "runs_open",
    runs.c.namespace,
    runs.c.workflow_id,
    unique=True,
    sqlite_where=runs.c.status == 1,
    postgresql_where=runs.c.status == 1,
)
Index("runs_workflow_id", runs.c.namespace, runs.c.workflow_id)
# In the order of lists; with status at its end a filter or a count by status never touches the table.
Index("runs_listed", runs.c.namespace, runs.c.start_time, runs.c.run_key, runs.c.status)
Index(
    "runs_wake",
    runs.c.wake_at,
    sqlite_where=(runs.c.status == 1) & (runs.c.wake_at > 0),
    postgresql_where=(runs.c.status == 1) & (runs.c.wake_at > 0),
)

events = Table(
    "events",
    metadata,
    # Appending in commit order keeps inserts on the last page, and lets readers ask for what is new. AUTOINCREMENT,
    # because a number used again after a run was deleted would hide an event from them.
    _number("seq", "Commit order; a watermark for readers", primary_key=True),
    _number("run_key", "Run"),
    _number("event_id", "1..n in the run, without a hole"),
    Column("event_type", Integer, nullable=False, comment="EventType"),
    _number("event_time", "When it happened"),
    Column("attributes", _document(), nullable=False, comment="JSON; big payloads are references into blobs"),
    Column("user_metadata", _document(), comment="JSON: summary and details"),
    comment="Histories; only ever appended to",
    sqlite_autoincrement=True,
)
Index("events_run", events.c.run_key, events.c.event_id, unique=True)

activities = Table(
    "activities",
    metadata,
    _number("run_key", "Run", primary_key=True, autoincrement=False),
    _number("scheduled_event_id", "Its ActivityTaskScheduled event", primary_key=True, autoincrement=False),
    _text("task_queue", "Queue that workers serve"),
    _text("activity_type", "Name of the definition"),
    _text("activity_id", "Id within the run"),
    _number("attempt", "Current or next attempt, from 1"),
    _number("owner", "Process that holds it, 0 for none"),
    _number("token", "Grows whenever the attempt changes hands"),
    _number("visible_at", "When it may start"),
    Column("state", _opaque(), nullable=False, comment="JSON of the engine: heartbeat, last failure, cancel request"),
    comment="Pending activities",
    sqlite_with_rowid=False,
)
Index("activities_owner", activities.c.owner, activities.c.visible_at)

activity_attempts = Table(
    "activity_attempts",
    metadata,
    _number("seq", "Commit order; a watermark for readers", primary_key=True),
    _number("run_key", "Run"),
    _number("scheduled_event_id", "Its ActivityTaskScheduled event"),
    _number("attempt", "From 1"),
    _text("activity_id", "Id within the run"),
    _text("activity_type", "Name of the definition"),
    _number("scheduled_at", "When this attempt could have started"),
    _number("started_at", "When it started"),
    _number("ended_at", "When it ended"),
    _text("outcome", "completed, failed, timed_out, canceled or lost"),
    _text("worker_identity", "Who ran it"),
    Column("failure", _document(), comment="JSON of the failure"),
    Column("heartbeat_details", _document(), comment="JSON of the last heartbeat's payloads"),
    _number("next_attempt_at", "When it is tried again, 0 for never"),
    comment="Finished attempts of activities; only ever appended to",
    sqlite_autoincrement=True,
)
Index("activity_attempts_run", activity_attempts.c.run_key)

activity_output = Table(
    "activity_output",
    metadata,
    # A row that grows is written anew under a new number, so that readers find it behind their watermark again.
    _number("seq", "Commit order; a watermark for readers", primary_key=True),
    _number("run_key", "Run"),
    _number("scheduled_event_id", "Its ActivityTaskScheduled event"),
    _number("attempt", "From 1"),
    _text("activity_id", "Id within the run"),
    _text("activity_type", "Name of the definition"),
    Column("chunks", _document(), nullable=False, comment="JSON: pairs of stream and text, as they were written"),
    _number("written", "Characters written in all"),
    _number("cut", "Characters left out between the beginning and the end"),
    Column("progress", _document(), comment="JSON of the last report of progress"),
    _number("updated_at", "When the row was written"),
    comment="What attempts of activities printed, logged and reported of their progress",
    sqlite_autoincrement=True,
)
Index(
    "activity_output_attempt",
    activity_output.c.run_key,
    activity_output.c.scheduled_event_id,
    activity_output.c.attempt,
    unique=True,
)

workflow_tasks = Table(
    "workflow_tasks",
    metadata,
    _number("run_key", "Run", primary_key=True, autoincrement=False),
    _text("task_queue", "Queue that workers serve"),
    _text("workflow_type", "Name of the definition"),
    _number("attempt", "From 1"),
    _number("owner", "Process that holds it, 0 for none"),
    _number("visible_at", "When it may start"),
    comment="Open workflow tasks that were not completed in the transition that scheduled them",
)
Index("workflow_tasks_owner", workflow_tasks.c.owner, workflow_tasks.c.visible_at)

transfers = Table(
    "transfers",
    metadata,
    _number("run_key", "Run", primary_key=True, autoincrement=False),
    _number("transfer_id", "Unique within the run", primary_key=True, autoincrement=False),
    _text("kind", "What is to be done to another run"),
    _number("owner", "Process that does it, 0 for none"),
    Column("body", _opaque(), nullable=False, comment="JSON of the engine"),
    comment="What one run must still do to another",
    sqlite_with_rowid=False,
)
Index("transfers_owner", transfers.c.owner)

blobs = Table(
    "blobs",
    metadata,
    _text("digest", "SHA-256 of the data, hexadecimal", primary_key=True),
    Column("data", _opaque(), nullable=False, comment="Data of a payload"),
    comment="Payloads too big for their event, once each",
)

blob_references = Table(
    "blob_references",
    metadata,
    _number("run_key", "Run whose history refers to the blob", primary_key=True, autoincrement=False),
    _text("digest", "The blob", primary_key=True),
    comment="Who needs a blob; it goes with the last run",
    sqlite_with_rowid=False,
)
Index("blob_references_digest", blob_references.c.digest)

definitions = Table(
    "definitions",
    metadata,
    _number("seq", "Order of arrival", primary_key=True),
    _text("digest", "Digest of the source"),
    _text("name", "Name of the definition"),
    _text("kind", "workflow or activity"),
    Column("source", _document(), nullable=False, comment="Source text"),
    Column("origin", _document(), nullable=False, comment="Notebook and cell, or file"),
    _number("created_at", "When it was stored"),
    Column("signature", _document(), nullable=False, comment="The user's mark, '' when unsigned"),
    comment="Source of definitions; never run unasked",
)
Index("definitions_digest", definitions.c.digest, unique=True)
Index("definitions_name", definitions.c.kind, definitions.c.name)

messages = Table(
    "messages",
    metadata,
    _number("message_id", "Order of arrival", primary_key=True, autoincrement=False),
    _number("run_key", "Run that is asked"),
    _text("kind", "Query or update"),
    _number("sender", "Process that waits for the reply"),
    Column("body", _opaque(), nullable=False, comment="The request"),
    Column("reply", _opaque(), comment="The answer"),
    _number("created_at", "When it was sent"),
    comment="Requests to whatever process can run a run's code",
)


def render_ddl(url: str = "sqlite://") -> list[str]:
    """Statements that make these tables and indexes in the database of ``url``'s dialect.

    For writing a migration and for the test that compares migrations with this module; nothing is executed.
    """
    statements: list[str] = []

    def record(ddl: Any, *_: Any, **__: Any) -> None:
        statements.append(" ".join(str(ddl.compile(dialect=engine.dialect)).split()))

    engine: Any = create_mock_engine(url, record)
    metadata.create_all(engine, checkfirst=False)
    return statements
