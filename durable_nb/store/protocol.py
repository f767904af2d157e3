"""Every question the engine may ask of a database, in the words of the domain.

A store keeps rows and enforces four rules; it takes no decision:

1. *Compare and set.* A run is written only if its version is the one the writer saw (``RunWrite.expected_version``).
2. *All or nothing.* All writes of one ``Unit`` commit together or not at all. Units of one ``commit`` call share one
   transaction, but a unit that lost its race leaves the others untouched.
3. *One open run per workflow ID*, and event ids of a run are unique. A run that was started and has closed within one
   write is refused like one that stays open; only an imported one is not.
4. *Compare and start.* A run whose writer names the latest run of its workflow ID (``RunWrite.expected_latest``) is
   inserted only if no other is the latest by then. The order is that of ``find_run``: start time, then run key.

A database whose transactions see what others commit meanwhile has to insert a run as open, then look at the others of
its workflow ID: from then on the index of open runs keeps all of them out.

Units of one ``commit`` are judged in their order, as if each came alone; only one of them may write a given run. (A
store may let a start in where only a later unit closes the open run of its workflow ID: both orders are one commit.)
What names a run (IDs, type, start time, parent, root) is set when it is inserted and never changed by later writes, and
a closed run is never opened again.

Methods block and may be called from any thread. Instants are integer microseconds since the epoch, UTC. ``bytes``
fields are opaque to the store (JSON made by ``model`` and ``core``) save that payloads above ``blob_limit`` bytes
inside event attributes are kept once, by content, in the blob table; readers never notice.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from durable_nb.model.events import Event
from durable_nb.model.records import (
    ActivityRow,
    AttemptRow,
    Conflict,
    DefinitionRow,
    EventRow,
    LoadedRun,
    MessageRow,
    OutputRow,
    Pace,
    ProcessRow,
    ReadyTask,
    RunFilter,
    RunRow,
    RunWrite,
    TransferRow,
    Unit,
    WorkflowTaskRow,
)

__all__ = [
    "ActivityRow",
    "AttemptRow",
    "Conflict",
    "DefinitionRow",
    "EventRow",
    "LoadedRun",
    "MessageRow",
    "OutputRow",
    "Pace",
    "ProcessRow",
    "ReadyTask",
    "RunFilter",
    "RunRow",
    "RunWrite",
    "Store",
    "TransferRow",
    "Unit",
    "WorkflowTaskRow",
]


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
    def load_run(self, run_key: int) -> LoadedRun | None:
        """All of a run as it was at one moment; None when there is no such run."""

    def find_run(self, namespace: str, workflow_id: str, run_id: str = "") -> RunRow | None:
        """The run with that run ID, or without one the open run of the workflow ID, else its latest."""

    def read_events(self, run_key: int, first_event_id: int = 1) -> list[Event]:
        """In the order of their ids; none when there is no such run."""

    def read_attempts(self, run_key: int) -> list[AttemptRow]:
        """In the order in which they were written, which is that of their ends."""

    def list_runs(self, query: RunFilter) -> list[RunRow]:
        """Newest first."""

    def count_runs(self, namespace: str) -> dict[int, int]:
        """Number of runs by status."""

    def count_versions(self, namespace: str, workflow_type: str = "") -> dict[tuple[str, str], int]:
        """Number of open runs by (workflow type, digest of the code that they are pinned to)."""

    def read_origins(self, run_keys: Sequence[int]) -> dict[int, tuple[str, int]]:
        """Of those that were made from another run by reset, retry or fork: its run ID, and the event that says so."""

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

    def heartbeat(self, process_key: int, now: int, metrics: str | None = None) -> bool:
        """Renew the lease, and keep what was measured; False when another process has declared this one dead."""

    def dead_owners(self, now: int, lease: int) -> list[int]:
        """Keys that own rows or are registered, but whose process has gone: its lock is free (same machine), its
        heartbeat is older than ``lease``, or it was unregistered. Declares registered ones dead by deleting their
        row, so that a process that wakes late learns of it from ``heartbeat`` and its writes lose their race once
        its work was taken over.
        """

    def unregister_process(self, process_key: int) -> None:
        """Leave: drop the row and the liveness lock. What the process owns is then for others to take over."""

    def list_processes(self) -> list[ProcessRow]:
        """Those that are registered, dead ones that nobody has declared dead included."""

    # -- output of activities ---------------------------------------------------------------------------------------
    def put_outputs(self, rows: Sequence[OutputRow]) -> None:
        """Insert, or replace those of the same (run, activity, attempt); rows of runs that are gone are left out."""

    def read_outputs(self, run_key: int) -> list[OutputRow]:
        """In the order of activities and attempts."""

    def recent_paces(self, activity_type: str, limit: int) -> list[Pace]:
        """The last completed attempts of an activity type, newest first, among the last 20,000 attempts of all."""

    # -- the rest --------------------------------------------------------------------------------------------------
    def put_definitions(self, rows: Sequence[DefinitionRow]) -> None:
        """Insert those whose digest is new."""

    def renew_definitions(self, rows: Sequence[DefinitionRow]) -> None:
        """Insert those whose digest is new; the others, which were made again, take the place of their rows."""

    def get_definition(self, digest: str) -> DefinitionRow | None: ...
    def latest_definition(self, kind: str, name: str) -> DefinitionRow | None:
        """The one that was made last."""

    def put_message(self, run_key: int, kind: str, sender: int, body: bytes, now: int) -> int:
        """Leave a request for whatever process has the run's code; the message's id."""

    def take_messages(self, limit: int) -> list[MessageRow]:
        """Messages without a reply, oldest first; taking does not remove them."""

    def reply_message(self, message_id: int, reply: bytes) -> bool:
        """False when somebody replied already or the sender gave up."""

    def read_reply(self, message_id: int) -> bytes | None:
        """The answer; None while there is none."""

    def delete_message(self, message_id: int) -> None:
        """The sender has its answer, or has given up."""

    def get_setting(self, name: str) -> str | None:
        """A setting that all processes of the store share; None when it is unset."""

    def set_setting(self, name: str, value: str) -> None: ...
    def delete_run(self, run_key: int) -> None:
        """Remove a closed run and all that belongs to it."""

    def is_gone(self) -> bool:
        """Whether the store was taken away from under this process; then every write raises ``StoreGoneError``."""

    def close(self) -> None: ...
