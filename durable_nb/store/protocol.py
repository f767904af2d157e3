"""Every question the engine may ask of a database, in the words of the domain.

A store keeps rows and enforces three rules; it takes no decision:

1. *Compare and set.* A run is written only if its version is the one the writer saw (``RunWrite.expected_version``).
2. *All or nothing.* All writes of one ``Unit`` commit together or not at all. Units of one ``commit`` call share one
   transaction, but a unit that lost its race leaves the others untouched.
3. *One open run per workflow ID*, and event ids of a run are unique.

Methods block and may be called from any thread. Instants are integer microseconds since the epoch, UTC. ``bytes``
fields are opaque to the store (JSON made by ``model`` and ``core``) save that payloads above ``blob_limit`` bytes
inside event attributes are kept once, by content, in the blob table; readers never notice.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import msgspec

from durable_nb.model.events import Event


class RunRow(msgspec.Struct):
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


class EventRow(msgspec.Struct):
    event_id: int
    event_type: int
    event_time: int
    attributes: bytes
    user_metadata: bytes | None = None


class ActivityRow(msgspec.Struct):
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


class AttemptRow(msgspec.Struct):
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


class WorkflowTaskRow(msgspec.Struct):
    """An open workflow task that was not completed in the transition that scheduled it."""

    task_queue: str
    workflow_type: str
    attempt: int
    owner: int
    """0: any process that serves the queue and has the definition may take it."""
    visible_at: int


class TransferRow(msgspec.Struct):
    """Something one run must do to another: start, signal or cancel it, or tell it about a closing."""

    transfer_id: int
    """Unique within the run."""
    kind: str
    owner: int
    body: bytes


class RunWrite(msgspec.Struct):
    """All that one transition changes of one run.

    ``expected_version`` 0 inserts ``run``; otherwise ``run`` (with ``version == expected_version + 1``) replaces the
    row. ``listed_changed`` False promises that only version, next_event_id, history_size and transient differ from
    the stored row, which lets a store leave the row's indexes alone.
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


class Unit(msgspec.Struct):
    """Writes that succeed or fail together: one run, or a run and its successor or predecessor."""

    writes: list[RunWrite]


class Conflict(msgspec.Struct):
    """Why a unit was not written: ``version`` (somebody was faster, or the run is gone) or ``workflow_id`` (a new
    run was to be inserted but an open run has that ID, ``run_key``)."""

    kind: str
    run_key: int


class LoadedRun(msgspec.Struct):
    """A consistent picture of one run."""

    run: RunRow
    events: list[Event]
    activities: list[ActivityRow]
    workflow_task: WorkflowTaskRow | None
    transfers: list[TransferRow]


class ProcessRow(msgspec.Struct):
    """A process that has the store open. ``process_key`` is what ``owner`` fields hold."""

    process_key: int
    identity: str
    hostname: str
    pid: int
    started_at: int
    heartbeat_at: int


class ReadyTask(msgspec.Struct):
    """A run that has work which nobody holds, or which a dead process held."""

    run_key: int
    task_queue: str
    type_name: str


class RunFilter(msgspec.Struct):
    """Empty fields do not filter."""

    namespace: str
    workflow_id: str = ""
    workflow_type: str = ""
    statuses: list[int] = []
    limit: int = 100
    before_run_key: int = 0
    """Only older runs than this one; for paging."""


class DefinitionRow(msgspec.Struct):
    """Source of a definition, by digest. ``signature`` is the user's mark, "" when unsigned."""

    digest: str
    name: str
    kind: str
    source: str
    origin: str
    """Notebook and cell, or file, for messages."""
    created_at: int
    signature: str = ""


class MessageRow(msgspec.Struct):
    """A request to whatever process can run a run's code: query or update from a process that cannot."""

    message_id: int
    run_key: int
    kind: str
    sender: int
    body: bytes
    reply: bytes | None = None
    created_at: int = 0


class Store(Protocol):
    """See the module docstring for the rules. Every method may raise ``errors.StoreError``."""

    url: str

    # -- writing ---------------------------------------------------------------------------------------------------
    def commit(self, units: Sequence[Unit]) -> list[Conflict | None]:
        """Write the units in one durable transaction; one answer per unit, None for written.

        After a StoreError nothing of the call is written, unless the error says that the outcome is unknown
        (then the next ``load_run`` tells).
        """

    def reserve_run_keys(self, count: int) -> range:
        """Fresh keys for new runs; never handed out twice, in any process."""

    # -- reading ---------------------------------------------------------------------------------------------------
    def load_run(self, run_key: int) -> LoadedRun | None: ...
    def find_run(self, namespace: str, workflow_id: str, run_id: str = "") -> RunRow | None:
        """The run with that run ID, or without one the open run of the workflow ID, else its latest."""

    def read_events(self, run_key: int, first_event_id: int = 1) -> list[Event]: ...
    def read_attempts(self, run_key: int) -> list[AttemptRow]: ...
    def list_runs(self, query: RunFilter) -> list[RunRow]:
        """Newest first."""

    def count_runs(self, namespace: str) -> dict[int, int]:
        """Number of runs by status."""

    # -- work to be found ------------------------------------------------------------------------------------------
    def due_runs(self, now: int, limit: int) -> list[int]:
        """Keys of open runs with ``0 < wake_at <= now``, earliest first."""

    def next_wake(self) -> int:
        """Earliest ``wake_at`` of all open runs; 0 when there is none."""

    def ready_workflow_tasks(self, now: int, dead: Sequence[int], limit: int) -> list[ReadyTask]:
        """Visible workflow tasks whose owner is 0 or in ``dead``."""

    def ready_activities(self, now: int, dead: Sequence[int], limit: int) -> list[ReadyTask]:
        """Runs with a visible activity whose owner is 0 or in ``dead``; a run may appear once per activity type."""

    def ready_transfers(self, dead: Sequence[int], limit: int) -> list[int]:
        """Keys of runs with a transfer whose owner is 0 or in ``dead``."""

    def change_token(self) -> int:
        """Changes whenever *another* connection has committed; cheap enough to ask 50 times a second."""

    # -- processes -------------------------------------------------------------------------------------------------
    def register_process(self, identity: str, now: int) -> ProcessRow:
        """Announce this process and take its liveness lock."""

    def heartbeat(self, process_key: int, now: int) -> bool:
        """Renew the lease; False when another process has declared this one dead."""

    def dead_owners(self, now: int, lease: int) -> list[int]:
        """Keys that own rows or are registered, but whose process has gone: its lock is free (same machine), its
        heartbeat is older than ``lease``, or it was unregistered. Declares registered ones dead by deleting their
        row, so that a process that wakes late learns of it from ``heartbeat`` and its writes lose their race once
        its work was taken over."""

    def unregister_process(self, process_key: int) -> None: ...
    def list_processes(self) -> list[ProcessRow]: ...

    # -- the rest --------------------------------------------------------------------------------------------------
    def put_definitions(self, rows: Sequence[DefinitionRow]) -> None:
        """Insert those whose digest is new."""

    def get_definition(self, digest: str) -> DefinitionRow | None: ...
    def latest_definition(self, kind: str, name: str) -> DefinitionRow | None: ...
    def set_signature(self, digest: str, signature: str) -> None: ...
    def put_message(self, run_key: int, kind: str, sender: int, body: bytes, now: int) -> int: ...
    def take_messages(self, limit: int) -> list[MessageRow]:
        """Messages without a reply, oldest first; taking does not remove them."""

    def reply_message(self, message_id: int, reply: bytes) -> bool:
        """False when somebody replied already or the sender gave up."""

    def read_reply(self, message_id: int) -> bytes | None: ...
    def delete_message(self, message_id: int) -> None: ...
    def get_setting(self, name: str) -> str | None: ...
    def set_setting(self, name: str, value: str) -> None: ...
    def delete_run(self, run_key: int) -> None:
        """Remove a closed run and all that belongs to it."""

    def close(self) -> None: ...
