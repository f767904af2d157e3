"""Runs of other stores, written through the engine like every run: all of them checked, then all of them written.

There may be more runs than fit in memory, so they are gone through one at a time: first all are checked, then closed
ones are written, in parts and read once more where they are many, then the open ones together in one commit. What is
refused while it is written takes back what was written before it. A process that dies in between leaves copies of
closed runs, each of them whole, which do nothing; the next import finds them here and adds what they lack. To hide
them until the last commit would take either one transaction, which keeps every writer of the store waiting for as long
as the import takes, or a mark on their rows that every reader and view has to know.

Nothing of them runs because of the import itself. A resumed run is left as if the process that worked on it had died:
what that process held is taken over in the usual way, by whoever has the definitions.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import msgspec

from durable_nb.core.importing import awaited_children, import_run, relink
from durable_nb.core.machines.machine import IllegalTransitionError
from durable_nb.core.state import ExecutionState
from durable_nb.engine import transfers
from durable_nb.engine.attempt_inputs import Adopt
from durable_nb.engine.notices import Notice
from durable_nb.errors import CapsuleError, StoreError
from durable_nb.model.enums import WorkflowExecutionStatus
from durable_nb.model.records import OutputRow, RunWrite, Unit
from durable_nb.model.requests import ImportedRun, ImportOutcome, ImportRuns

if TYPE_CHECKING:
    from durable_nb.engine.engine import Engine

COPIED, PRESENT, RESUMED, TERMINATED = "copied", "present", "resumed", "terminated"

_RUNNING = WorkflowExecutionStatus.RUNNING

PART_BYTES = 16 * 1024**2
"""Events of closed runs that are written in one commit, at least one run."""
PART_RUNS = 500


async def import_runs(engine: Engine, request: ImportRuns) -> list[ImportOutcome]:
    """Write the runs; one outcome for each, in their order.

    Raises
    ------
    CapsuleError
        DNB406: a run contradicts itself, is here already with another history, waits for a child that is missing, or
        its workflow ID is in use. Nothing was written.
    """
    plan = _Plan(engine, request)
    # The store's work, the fold of long histories and the commit would hold the loop up.
    await engine.loop.run_in_executor(None, plan.carry_out)
    for run_key, write in plan.open_writes:
        if write.run.wake_at:
            engine.on_wake_at(write.run.wake_at)
        engine.push(run_key, Adopt(frozenset({plan.dead_owner})))
        for transfer in write.put_transfers:
            transfers.begin(engine, run_key, transfer.transfer_id, transfer.kind, resumed=True)
    if plan.output_fault:
        engine.notices.tell(Notice("store_fault", f"the output of activities was not stored: {plan.output_fault}"))
    return plan.outcomes


class _Part(msgspec.Struct):
    """Runs that are written in one commit, and what their attempts printed."""

    writes: list[RunWrite] = []
    outputs: list[OutputRow] = []
    size: int = 0

    def add(self, write: RunWrite, outputs: Sequence[OutputRow]) -> None:
        self.writes.append(write)
        self.outputs += [msgspec.structs.replace(row, run_key=write.run.run_key) for row in outputs]
        self.size += write.run.history_size

    @property
    def is_full(self) -> bool:
        return self.size >= PART_BYTES or len(self.writes) >= PART_RUNS


class _Plan:
    """What is to be written; keys and ids are drawn on the engine's loop, the rest may happen on any thread."""

    def __init__(self, engine: Engine, request: ImportRuns) -> None:
        self._store = engine.store
        self._request = request
        self._context = engine.context(request.namespace)
        self._now = engine.clock.now()
        # The runs may be in a file, which is not read on this thread.
        self._keys = [engine.ids.new_run_key() for _ in range(len(request.runs))]
        self._new_ids = {run_id: engine.ids.new_run_id() for run_id in request.open_runs}
        self._identity = engine.identity
        self._open = _Part()
        self._closed: _Part | None = _Part()
        """All closed runs that are to be copied, while they fit in one part."""
        self._written: list[int] = []
        self._without_output: dict[str, int] = {}
        """Keys of runs that are here already, but not what their attempts printed: an import died between the two."""
        self.dead_owner = 0
        self.outcomes: list[ImportOutcome] = []
        self.output_fault = ""

    @property
    def open_writes(self) -> list[tuple[int, RunWrite]]:
        """Runs that go on here, by key."""
        return [(write.run.run_key, write) for write in self._open.writes if write.run.status == _RUNNING]

    def carry_out(self) -> None:
        """Check everything, then commit."""
        request, store = self._request, self._store
        if self._new_ids and request.resume:
            # A process that is no more, as far as everybody can see.
            self.dead_owner = store.register_process(f"import by {self._identity}", self._now).process_key
            store.unregister_process(self.dead_owner)
        self._check()
        try:
            self._write_closed()
            # Before the runs that go on by them: an import that dies between the two is simply made again.
            if request.definitions:
                store.put_definitions(request.definitions)
            self._commit(self._open)
            self._complete_outputs()
        except BaseException:
            for run_key in self._written:
                store.delete_run(run_key)
            raise

    def _check(self) -> None:
        """Refuse what cannot be imported; what open runs are to become is kept."""
        awaited: list[tuple[str, str, str]] = []
        for key, given in zip(self._keys, self._request.runs, strict=True):
            row = given.loaded.run
            if _is_open(given) != (row.run_id in self._new_ids):
                raise CapsuleError(f"run {row.run_id} of workflow {row.workflow_id!r} is not as open as was said")
            run_id = self._new_ids.get(row.run_id, row.run_id)
            # A closed run stays as it was, to the byte, even where it names an open one by its old run ID: only so can
            # it be told from another run when it comes again.
            linked = relink(given, self._new_ids) if _is_open(given) else given
            outcome = self._outcome(linked, run_id, _is_open(given))
            self.outcomes.append(ImportOutcome(row.workflow_id, row.workflow_type, run_id, row.run_id, outcome))
            write, state = self._prepared(linked, key, run_id)
            if _is_open(given):
                self._open.add(write, given.outputs)
            elif outcome == COPIED and self._closed is not None:
                self._closed.add(write, given.outputs)
                if self._closed.is_full:
                    self._closed = None
            if state.is_open:
                awaited += [(state.workflow_id, *child) for child in awaited_children(state)]
        known = frozenset(outcome.run_id for outcome in self.outcomes)
        for workflow_id, child_id, child_run_id in awaited:
            if child_run_id not in known:
                raise CapsuleError(
                    f"workflow {workflow_id!r} waits for its child {child_id!r}, which the capsule has not",
                    fix="export it with its children (children=True), or import it without resume",
                )

    def _write_closed(self) -> None:
        if self._closed is not None:
            self._commit(self._closed)
            return
        part = _Part()
        for key, given, outcome in zip(self._keys, self._request.runs, self.outcomes, strict=True):
            if outcome.outcome != COPIED:
                continue
            write, _ = self._prepared(given, key, outcome.run_id)
            part.add(write, given.outputs)
            if part.is_full:
                self._commit(part)
                part = _Part()
        self._commit(part)

    def _outcome(self, given: ImportedRun, run_id: str, is_open: bool) -> str:
        if is_open:
            return RESUMED if self._request.resume else TERMINATED
        row = given.loaded.run
        known = self._store.find_run(self._request.namespace, row.workflow_id, run_id)
        if known is None:
            return COPIED
        if self._store.read_events(known.run_key) == list(given.loaded.events):
            if given.outputs and not self._store.read_outputs(known.run_key):
                self._without_output[run_id] = known.run_key
            return PRESENT
        raise CapsuleError(
            f"run {run_id} of workflow {row.workflow_id!r} is in this store already, with another history",
            fix="import into a store or namespace of its own",
        )

    def _prepared(self, given: ImportedRun, key: int, run_id: str) -> tuple[RunWrite, ExecutionState]:
        request, row = self._request, given.loaded.run
        try:
            return import_run(
                self._context,
                given,
                request.namespace,
                key,
                run_id,
                resume=request.resume,
                now=self._now,
                owner=self.dead_owner,
            )
        except (IllegalTransitionError, LookupError, ValueError, AttributeError, TypeError) as error:
            raise CapsuleError(
                f"run {row.run_id} of workflow {row.workflow_id!r} has a history that no engine writes: {error}"
            ) from error

    def _commit(self, part: _Part) -> None:
        if not part.writes:
            return
        (conflict,) = self._store.commit([Unit(part.writes)])
        if conflict is None:
            self._written += [write.run.run_key for write in part.writes if write.run.status != _RUNNING]
            self._put_outputs(part.outputs)
            return
        for write in part.writes:
            run = write.run
            held = self._store.find_run(run.namespace, run.workflow_id)
            if run.status == _RUNNING and held is not None and held.status == _RUNNING:
                raise CapsuleError(
                    f"workflow ID {run.workflow_id!r} has an open run in this store",
                    fix="wait for its end or terminate it, or import without resume",
                )
        raise CapsuleError("a run ID of the capsule is taken in this store", fix="import into a store of its own")

    def _complete_outputs(self) -> None:
        for given in self._request.runs if self._without_output else ():
            run_key = self._without_output.get(given.loaded.run.run_id)
            if run_key is not None:
                self._put_outputs([msgspec.structs.replace(row, run_key=run_key) for row in given.outputs])

    def _put_outputs(self, rows: list[OutputRow]) -> None:
        try:
            self._store.put_outputs(rows)
        except StoreError as error:
            # The runs are there; what they printed is not worth their import.
            self.output_fault = str(error)


def _is_open(given: ImportedRun) -> bool:
    return bool(given.loaded.run.status == _RUNNING)
