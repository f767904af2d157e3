"""What becomes of open runs when their code was edited: a dry replay, a decision for each run, and the moves.

The rule (``--on-edit``):

``continue``
    Runs whose whole history agrees with the new code go on on it; the others stay on the code that they started with.
    A run whose workflow task is failing goes on on the new code unless that contradicts its history.
``pin``
    All open runs stay on their code.
``fail``
    The new definition is refused if any run would have to stay; then nothing changes.

New runs start on the new code in each case. The next edit asks every run anew, so one that stays today may go on
tomorrow. Judging is bounded in runs and in seconds; what was not judged stays. Invariant: a run is never moved to code
that its history was not replayed on to its very end (``engine.pinning``).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

from durable_nb.engine.pinning import Move, repin
from durable_nb.model.enums import WorkflowExecutionStatus
from durable_nb.model.records import RunFilter, RunRow
from durable_nb.notebook.headers import ON_EDIT
from durable_nb.notebook.versions import DYNAMIC, VersionKeeper
from durable_nb.runtime.definition import WorkflowDefinition
from durable_nb.worker._trial import Tried, try_runs

if TYPE_CHECKING:
    from durable_nb.engine import EngineHandle
    from durable_nb.worker._embedded import EmbeddedWorker

CONTINUE, PIN, FAIL = ON_EDIT
MAX_RUNS = 20_000
MAX_SECONDS = 30.0
ROUNDS = 5
"""How often a run that goes on while it is judged is judged again."""

_PAGE = 500

Progress = Callable[[int, int], None]
"""Runs judged so far, runs to judge."""


class Verdicts(NamedTuple):
    """What the dry replay of all open runs on other versions found."""

    agree: list[Tried]
    stay: list[Tried]
    unjudged: list[RunRow]
    """Beyond the bounds, or the replay was interrupted."""


class Moved(NamedTuple):
    """What was done. ``busy`` runs went on so fast that they could not be moved; they stay."""

    continued: list[Tried]
    stay: list[Tried]
    busy: list[RunRow]


class OpenRuns:
    """The open runs of a notebook's worker, as an edit sees them."""

    def __init__(
        self,
        engine: EngineHandle,
        worker: EmbeddedWorker,
        keeper: VersionKeeper,
        run: Callable[[Any], Any],
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._engine = engine
        self._worker = worker
        self._keeper = keeper
        self._run = run
        self._clock = clock

    def counts(self, workflow_type: str = "") -> dict[tuple[str, str], int]:
        """Number of open runs by (workflow type, digest)."""
        store = self._engine.store
        counted: dict[tuple[str, str], int] = self._engine.run_blocking(
            store.count_versions, self._worker.client.namespace, workflow_type
        )
        return counted

    def counts_for(self, name: str) -> dict[tuple[str, str], int]:
        """``counts`` of the runs that a definition is for: those of its type, whatever version they are on.

        The dynamic definition is for runs that one of its versions began, and for those of unknown code whose type
        has no definition here.
        """
        counts = self.counts(name)
        if name != DYNAMIC:
            return counts
        here = self._keeper.digests(DYNAMIC) - {""}
        return {key: count for key, count in counts.items() if self._is_dynamic(*key, here)}

    def _is_dynamic(self, workflow_type: str, digest: str, here: set[str]) -> bool:
        if not digest:
            return workflow_type not in self._keeper.current
        if digest in here:
            return True
        row = self._engine.run_blocking(self._engine.store.get_definition, digest)
        return row is not None and (row.kind, row.name) == ("workflow", DYNAMIC)

    def uses(self, name: str, digest: str) -> bool:
        """Whether an open run is pinned to a version."""
        return any(count and used == digest for (_, used), count in self.counts(name).items())

    def on_other_versions(self, name: str, digest: str) -> list[RunRow]:
        """Open runs on this queue that a definition is for and that are not on ``digest``, newest first of each type.

        Runs that have not begun are on no version yet and are left out. There are at most ``MAX_RUNS``.
        """
        wanted = self.counts_for(name)
        found: list[RunRow] = []
        for workflow_type in dict.fromkeys(kind for kind, _ in wanted):
            for row in self._open(workflow_type):
                begun = row.definition or row.next_event_id > _UNTOUCHED
                elsewhere = (
                    row.task_queue != self._worker.port.task_queue or (workflow_type, row.definition) not in wanted
                )
                if row.definition == digest or not begun or elsewhere:
                    continue
                found.append(row)
                if len(found) == MAX_RUNS:
                    return found
        return found

    def _open(self, workflow_type: str) -> Iterator[RunRow]:
        running = [int(WorkflowExecutionStatus.RUNNING)]
        last = 0
        while True:
            query = RunFilter(
                self._worker.client.namespace, "", workflow_type, running, limit=_PAGE, before_run_key=last
            )
            page: list[RunRow] = self._engine.run_blocking(self._engine.store.list_runs, query)
            yield from page
            if len(page) < _PAGE:
                return
            last = page[-1].run_key

    def judge(self, definition: Any, runs: list[RunRow], progress: Progress = lambda done, total: None) -> Verdicts:
        """Replay runs on ``definition`` in this thread, at most for ``MAX_SECONDS``; an interrupt ends it early."""
        found = WorkflowDefinition.must_from_class(definition)
        agree: list[Tried] = []
        stay: list[Tried] = []
        deadline = self._clock() + MAX_SECONDS
        place = {row.run_key: number for number, row in enumerate(runs, 1)}
        judged = 0
        try:
            for tried in self._tried(found, runs):  # without those that were deleted meanwhile
                (agree if tried.agrees else stay).append(tried)
                judged = place[tried.run.run_key]
                progress(judged, len(runs))
                if self._clock() > deadline:
                    break
            else:
                judged = len(runs)
        except KeyboardInterrupt:
            pass
        return Verdicts(agree, stay, runs[judged:])

    def _tried(self, definition: WorkflowDefinition, runs: list[RunRow]) -> Iterator[Tried]:
        options = self._worker.port.host.options
        codec = self._worker.client.data_converter.payload_codec
        return try_runs(definition, options, self._engine.store, runs, codec)

    def move(self, definition: Any, digest: str, agreeing: list[Tried]) -> Moved:
        """Pin runs that agree to ``digest``; those that went on meanwhile are judged again first."""
        continued: list[Tried] = []
        stay: list[Tried] = []
        waiting = agreeing
        for _ in range(ROUNDS):
            moves = [Move(tried.run.run_key, tried.next_event_id) for tried in waiting]
            left = {move.run_key for move in self._run(repin(self._engine.engine, digest, moves))} if moves else set()
            continued += [tried for tried in waiting if tried.run.run_key not in left]
            again = [tried.run for tried in waiting if tried.run.run_key in left]
            fresh = [row for row in map(self._reread, again) if row is not None]
            if not fresh:
                return Moved(continued, stay, [])
            verdicts = self.judge(definition, fresh)
            stay += verdicts.stay
            waiting = verdicts.agree
        return Moved(continued, stay, [tried.run for tried in waiting])

    def _reread(self, row: RunRow) -> RunRow | None:
        found: RunRow | None = self._engine.run_blocking(
            self._engine.store.find_run, row.namespace, row.workflow_id, row.run_id
        )
        is_open = found is not None and found.status == WorkflowExecutionStatus.RUNNING
        return found if is_open else None


_UNTOUCHED = 3
"""Next event id of a run that no code has seen: started, its first workflow task scheduled."""
