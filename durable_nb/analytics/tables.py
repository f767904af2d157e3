"""Tables of the mirror: what the views are laid over. Private: nobody but the views reads them.

They hold what the store holds, in its units (microseconds, 0 for unset, JSON as text), with the columns that no view
needs left out. ``error`` of ``events`` is the one addition: why the attributes of an event cannot be read; they are
an empty object then, so that one damaged row never ends a query over the others.
"""

from __future__ import annotations

from dataclasses import dataclass

CATALOG = "mirror"
"""Name of the attached database in memory that holds them, compressed."""


@dataclass(frozen=True, slots=True, eq=False)
class MirrorTable:
    """One table: its name here, and its columns with their types."""

    name: str
    columns: dict[str, str]

    @property
    def path(self) -> str:
        """Name with catalog and schema."""
        return f"{CATALOG}.main.{self.name}"

    @property
    def ddl(self) -> str:
        columns = ", ".join(f"{name} {kind}" for name, kind in self.columns.items())
        return f"CREATE TABLE {self.path} ({columns})"

    @property
    def read(self) -> tuple[str, ...]:
        """Columns that come from the store; ``error`` is made here."""
        return tuple(name for name in self.columns if name != "error")


def _table(name: str, /, **columns: str) -> MirrorTable:
    return MirrorTable(name, columns)


_NUMBER, _SMALL, _TEXT = "BIGINT", "INTEGER", "VARCHAR"

EVENTS = _table(
    "events",
    seq=_NUMBER,
    run_key=_NUMBER,
    event_id=_NUMBER,
    event_type=_SMALL,
    event_time=_NUMBER,
    attributes=_TEXT,
    user_metadata=_TEXT,
    error=_TEXT,
)
ATTEMPTS = _table(
    "attempts",
    seq=_NUMBER,
    run_key=_NUMBER,
    scheduled_event_id=_NUMBER,
    attempt=_NUMBER,
    activity_id=_TEXT,
    activity_type=_TEXT,
    scheduled_at=_NUMBER,
    started_at=_NUMBER,
    ended_at=_NUMBER,
    outcome=_TEXT,
    worker_identity=_TEXT,
    failure=_TEXT,
    heartbeat_details=_TEXT,
    next_attempt_at=_NUMBER,
)
RUNS = _table(
    "runs",
    run_key=_NUMBER,
    namespace=_TEXT,
    workflow_id=_TEXT,
    run_id=_TEXT,
    workflow_type=_TEXT,
    task_queue=_TEXT,
    status=_SMALL,
    version=_NUMBER,
    next_event_id=_NUMBER,
    history_size=_NUMBER,
    first_execution_run_id=_TEXT,
    start_time=_NUMBER,
    execution_time=_NUMBER,
    close_time=_NUMBER,
    parent_workflow_id=_TEXT,
    parent_run_id=_TEXT,
    parent_initiated_event_id=_NUMBER,
    root_workflow_id=_TEXT,
    root_run_id=_TEXT,
    memo=_TEXT,
    search_attributes=_TEXT,
    transient=_TEXT,
    definition=_TEXT,
)
PENDING_ACTIVITIES = _table(
    "pending_activities",
    run_key=_NUMBER,
    scheduled_event_id=_NUMBER,
    activity_type=_TEXT,
    activity_id=_TEXT,
    attempt=_NUMBER,
    owner=_NUMBER,
    visible_at=_NUMBER,
    state=_TEXT,
)
PENDING_TASKS = _table(
    "pending_tasks", run_key=_NUMBER, task_queue=_TEXT, attempt=_NUMBER, owner=_NUMBER, visible_at=_NUMBER
)
PROCESSES = _table(
    "processes",
    process_key=_NUMBER,
    identity=_TEXT,
    hostname=_TEXT,
    pid=_NUMBER,
    started_at=_NUMBER,
    heartbeat_at=_NUMBER,
    metrics=_TEXT,
)
DEFINITIONS = _table(
    "definitions",
    seq=_NUMBER,
    digest=_TEXT,
    name=_TEXT,
    kind=_TEXT,
    source=_TEXT,
    origin=_TEXT,
    created_at=_NUMBER,
    signature=_TEXT,
)

APPENDED = (EVENTS, ATTEMPTS)
"""Only ever appended to; refreshed by watermark."""

WHOLE = (PENDING_ACTIVITIES, PENDING_TASKS, PROCESSES, DEFINITIONS)
"""Small and changing; read as a whole by every refresh that finds the store changed."""

TABLES = (*APPENDED, RUNS, *WHOLE)
