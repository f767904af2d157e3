"""Which units of a commit lose, decided in the order of the units as if each were committed alone.

The rules of ``protocol`` in one place, for every store: a store answers five questions about what is stored, this
module adds what earlier units of the same commit would have changed. The SQLite store comes here only after a commit
was refused, or for starts that its indexes do not guard; the common case is settled by the database itself.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from durable_nb.model.enums import WorkflowExecutionStatus
from durable_nb.model.records import Conflict, RunWrite, Unit

if TYPE_CHECKING:
    from collections.abc import Sequence

_RUNNING = int(WorkflowExecutionStatus.RUNNING)


class Stored(Protocol):
    """What is stored now."""

    def version_of(self, run_key: int) -> int:
        """Version of the run, 0 when there is none."""

    def open_run_of(self, namespace: str, workflow_id: str) -> int:
        """Key of the open run with that workflow ID, 0 when there is none."""

    def latest_run_of(self, namespace: str, workflow_id: str) -> tuple[int, int]:
        """Start time and key of the latest run with that workflow ID, zeros when there is none."""

    def has_run_id(self, run_id: str) -> bool: ...

    def has_event(self, run_key: int, event_id: int) -> bool: ...


def settle(units: Sequence[Unit], stored: Stored) -> list[Conflict | None]:
    """One answer per unit: None for a unit that may be written.

    A run can be written by one unit of a commit only: the engine never has two transitions of a run in flight, so a
    second one stems from a race and is refused like any other.
    """
    contest = _Contest(stored)
    answers: list[Conflict | None] = []
    for unit in units:
        answer = contest.judge(unit.writes)
        if answer is None:
            contest.accept(unit.writes)
        answers.append(answer)
    return answers


class _Contest:
    def __init__(self, stored: Stored) -> None:
        self._stored = stored
        self._written: set[int] = set()
        self._run_ids: set[str] = set()
        self._open: dict[tuple[str, str], int] = {}
        """Open run (0: none) of the workflow IDs that accepted units touched."""
        self._latest: dict[tuple[str, str], tuple[int, int]] = {}
        """Latest of the runs that accepted units insert."""

    def judge(self, writes: list[RunWrite]) -> Conflict | None:
        seen: set[int] = set()
        for write in writes:
            run_key = write.run.run_key
            if run_key in seen or run_key in self._written or self._is_stale(write):
                return Conflict("version", run_key)
            seen.add(run_key)
        closing = {write.run.run_key for write in writes if write.run.status != _RUNNING}
        opened: dict[tuple[str, str], int] = {}
        for write in writes:
            run = write.run
            is_open = run.status == _RUNNING
            if not is_open and (write.expected_version or write.imported):
                continue
            address = (run.namespace, run.workflow_id)
            holder = self._holder(address)
            if holder in closing:
                holder = 0
            if is_open:
                holder = opened.setdefault(address, holder or run.run_key)
            if holder not in (0, run.run_key):
                return Conflict("workflow_id", holder)
            if write.expected_latest is not None:
                latest = max(self._stored.latest_run_of(*address), self._latest.get(address, (0, 0)))[1]
                if latest != write.expected_latest:
                    return Conflict("workflow_id", latest)
        return None

    def _is_stale(self, write: RunWrite) -> bool:
        """Whether the writer saw another state of the run than the stored one."""
        run, stored = write.run, self._stored
        if stored.version_of(run.run_key) != write.expected_version:
            return True
        if write.expected_version == 0 and (run.run_id in self._run_ids or stored.has_run_id(run.run_id)):
            return True
        # Versions guard event ids already; a writer that miscounts must not spoil the commit of all others.
        ids = [event.event_id for event in write.events]
        return len(set(ids)) < len(ids) or any(stored.has_event(run.run_key, event_id) for event_id in ids)

    def accept(self, writes: list[RunWrite]) -> None:
        for write in sorted(writes, key=lambda write: write.expected_version == 0):  # closings before insertions
            run = write.run
            self._written.add(run.run_key)
            address = (run.namespace, run.workflow_id)
            if write.expected_version == 0:
                self._run_ids.add(run.run_id)
                self._latest[address] = max(self._latest.get(address, (0, 0)), (run.start_time, run.run_key))
            if run.status == _RUNNING:
                self._open[address] = run.run_key
            elif self._holder(address) == run.run_key:
                self._open[address] = 0

    def _holder(self, address: tuple[str, str]) -> int:
        """Open run of a workflow ID as it is after the accepted units; 0 for none."""
        holder = self._open.get(address)
        return self._stored.open_run_of(*address) if holder is None else holder
