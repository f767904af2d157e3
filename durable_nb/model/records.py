"""Rows that pass between engine and store: what one transition writes, what a search for work finds.

Plain values; the rules about them stand in ``store.protocol``. Instants are integer microseconds since the epoch, UTC.
"""

from __future__ import annotations

import msgspec

from durable_nb.model.events import Event


class RunRow(msgspec.Struct, gc=False):
    """One run: the row that makes it visible and the row whose version guards it."""

    run_key: int
    namespace: str
    workflow_id: str
    run_id: str
    workflow_type: str
    task_queue: str
    status: int
    """WorkflowExecutionStatus."""
    version: int
    next_event_id: int
    history_size: int
    """Bytes of stored attributes."""
    first_execution_run_id: str
    start_time: int
    execution_time: int
    """When its first workflow task may start (start time plus delay or back-off)."""
    close_time: int = 0
    wake_at: int = 0
    """A lower bound of the run's next deadline; 0 when it has none."""
    parent_workflow_id: str = ""
    parent_run_id: str = ""
    parent_initiated_event_id: int = 0
    root_workflow_id: str = ""
    root_run_id: str = ""
    memo: bytes | None = None
    search_attributes: bytes | None = None
    transient: bytes | None = None
    """What a run's state holds beyond its history (core.transient)."""
    definition: str = ""
    """Digest of the workflow definition's source; "" when none was recorded."""


UNLISTED_FIELDS = ("version", "next_event_id", "history_size", "transient")
"""What every transition may change of a run: no list shows it, and no index knows it."""

LISTED_FIELDS = (
    *UNLISTED_FIELDS,
    "status",
    "task_queue",
    "execution_time",
    "close_time",
    "wake_at",
    "memo",
    "search_attributes",
    "definition",
)
"""All that a transition may change of a run; the rest is the run's identity."""


class EventRow(msgspec.Struct, gc=False):
    event_id: int
    event_type: int
    event_time: int
    attributes: bytes
    user_metadata: bytes | None = None


class ActivityRow(msgspec.Struct, gc=False):
    """A pending activity. ``owner`` 0: any process that serves the task queue may take it."""

    scheduled_event_id: int
    task_queue: str
    activity_type: str
    activity_id: str
    attempt: int
    owner: int
    token: int
    """Grows whenever the attempt changes hands; completing needs the current one."""
    visible_at: int
    """When it may start: the time it was scheduled, or the end of its back-off."""
    state: bytes
    """JSON made by core: started time, heartbeat, last failure, cancel request."""


class AttemptRow(msgspec.Struct, gc=False):
    """A finished attempt; never changed."""

    scheduled_event_id: int
    attempt: int
    activity_id: str
    activity_type: str
    scheduled_at: int
    started_at: int
    ended_at: int
    outcome: str
    """completed, failed, timed_out, canceled or lost (its process died)."""
    worker_identity: str = ""
    failure: bytes | None = None
    heartbeat_details: bytes | None = None
    next_attempt_at: int = 0


class WorkflowTaskRow(msgspec.Struct, gc=False):
    """An open workflow task that was not completed in the transition that scheduled it."""

    task_queue: str
    workflow_type: str
    attempt: int
    owner: int
    """0: any process that serves the queue and has the definition may take it."""
    visible_at: int


class TransferRow(msgspec.Struct, gc=False):
    """Something one run must do to another: start, signal or cancel it, or tell it about a closing."""

    transfer_id: int
    """Unique within the run."""
    kind: str
    owner: int
    body: bytes


class RunWrite(msgspec.Struct, gc=False):
    """All that one transition changes of one run.

    ``expected_version`` 0 inserts ``run``; otherwise ``run`` (with ``version == expected_version + 1``) replaces the
    row. ``listed_changed`` False promises that only ``UNLISTED_FIELDS`` differ from the stored row, which lets a store
    leave the row's indexes alone.
    """

    run: RunRow
    expected_version: int
    listed_changed: bool = True
    events: list[EventRow] = []
    put_activities: list[ActivityRow] = []
    """Inserted, or replaced where the (run, scheduled_event_id) exists."""
    delete_activities: list[int] = []
    attempts: list[AttemptRow] = []
    workflow_task: WorkflowTaskRow | None = None
    """The row to have afterwards; None means none."""
    had_workflow_task: bool = False
    """Whether a workflow-task row may exist before this write."""
    put_transfers: list[TransferRow] = []
    delete_transfers: list[int] = []
    expected_latest: int | None = None
    """Of an insert: key of the run that must be the latest of its workflow ID, 0 for none; None: any may be."""
    imported: bool = False
    """Of an insert: the run comes from another store; if it is closed, another of its workflow ID may be open here."""


class Unit(msgspec.Struct, gc=False):
    """Writes that succeed or fail together: one run, or a run and its successor or predecessor."""

    writes: list[RunWrite]


class Conflict(msgspec.Struct, gc=False):
    """Why a unit was not written: ``version`` (somebody was faster, or the run is gone) or ``workflow_id`` (a new
    run was to be inserted, but ``run_key`` is open under that ID, or is its latest run and not the expected one).
    """

    kind: str
    run_key: int


class LoadedRun(msgspec.Struct, gc=False):
    """A consistent picture of one run."""

    run: RunRow
    events: list[Event]
    activities: list[ActivityRow]
    workflow_task: WorkflowTaskRow | None
    transfers: list[TransferRow]


class ProcessRow(msgspec.Struct, gc=False):
    """A process that has the store open. ``process_key`` is what ``owner`` fields hold."""

    process_key: int
    identity: str
    hostname: str
    pid: int
    started_at: int
    heartbeat_at: int
    metrics: str | None = None
    """JSON: what its engine measured, as of its last heartbeat (list of ``requests.MetricSample``)."""


class ReadyTask(msgspec.Struct, gc=False):
    """A run that has work which nobody holds, or which a dead process held."""

    run_key: int
    task_queue: str
    type_name: str
    definition: str = ""
    """Of a workflow task: digest of the code that the run is pinned to."""


class RunFilter(msgspec.Struct, gc=False):
    """Empty fields do not filter."""

    namespace: str
    workflow_id: str = ""
    workflow_type: str = ""
    statuses: list[int] = []
    limit: int = 100
    before_run_key: int = 0
    """Only older runs than this one; for paging."""
    started_from: int = 0
    """First start time of the period; ``…_before`` is the first instant after it. So too for close times."""
    started_before: int = 0
    closed_from: int = 0
    closed_before: int = 0


class DefinitionRow(msgspec.Struct, gc=False):
    """Source of a definition, by digest. ``signature`` is the user's mark, "" when unsigned."""

    digest: str
    name: str
    kind: str
    source: str
    origin: str
    """Notebook and cell, or file, for messages."""
    created_at: int
    signature: str = ""


class MessageRow(msgspec.Struct, gc=False):
    """A request to whatever process can run a run's code: query or update from a process that cannot."""

    message_id: int
    run_key: int
    kind: str
    sender: int
    body: bytes
    reply: bytes | None = None
    created_at: int = 0


class OutputRow(msgspec.Struct):
    """What an attempt of an activity printed, logged and reported of its progress; replaced as it grows."""

    run_key: int
    scheduled_event_id: int
    attempt: int
    activity_id: str
    activity_type: str
    chunks: bytes
    """JSON: pairs of stream (``stdout``, ``stderr``, ``log``, ``cut``) and text, in the order of writing."""
    written: int
    """Characters that were written in all."""
    cut: int
    """Characters of these that were left out between the beginning and the end."""
    progress: bytes | None = None
    """JSON of ``model.progress.Progress``."""
    updated_at: int = 0


class Pace(msgspec.Struct):
    """How long a finished attempt took, and how many steps it said it had (0: it did not say)."""

    duration: int
    total: float
