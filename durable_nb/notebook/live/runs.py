"""A list of runs that is shown: looked at again when anything was committed, sent when a row changed."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from durable_nb.analytics.lanes import run_lanes
from durable_nb.analytics.strip import Strip, run_strip
from durable_nb.core.describe import (
    describe_attempt,
    pending_activities,
    pending_children,
    pending_timers,
    pending_workflow_task,
)
from durable_nb.errors import DurableError
from durable_nb.model.enums import WorkflowExecutionStatus
from durable_nb.model.requests import RunDescription
from durable_nb.notebook.blocks import Block
from durable_nb.notebook.display import now_us
from durable_nb.notebook.live.fallback import Fallback
from durable_nb.notebook.live.pace import Pace
from durable_nb.notebook.strips import LONGEST, MOST_RUNS
from durable_nb.notebook.text import safe_text
from durable_nb.notebook.views import TONES, list_blocks, waits_for
from durable_nb.service import RPCError

if TYPE_CHECKING:
    from durable_nb.notebook.live.board import LiveBoard

ANSWERS_WITHIN = 3.0
LOOK_ANYWAY = 3.0
"""Seconds after which a list is looked at though nothing was seen to change: other processes may have written."""

SHORTEST = 0.5
"""Seconds between two looks at a list."""

List = Callable[[], Coroutine[Any, Any, Sequence[RunDescription]]]
"""Asks for the runs, on the engine's loop."""


class FollowedRuns:
    """The runs that match a query, and the widget that shows them."""

    def __init__(
        self,
        board: LiveBoard,
        runs: Sequence[RunDescription],
        ask: List,
        limit: int,
        strips: Mapping[str, Strip] = MappingProxyType({}),
    ) -> None:
        self._board = board
        self._session = board.session
        self._ask = ask
        self._limit = limit
        self._runs = list(runs)
        self._strips = dict(strips)
        self._rows: dict[tuple[str, int, int], dict[str, Any]] = {}
        self._stamp: Any = None
        self._pace = Pace(SHORTEST)
        self._look_anyway = 0.0
        self._failures = 0
        self._views = 0
        self._was_seen = False
        self.is_over = False
        self.widget = board.make_runs_view(self.receive, "live list of workflow runs")
        self.fallback = Fallback(board.session, self.widget.model_id)
        now = now_us()
        rows = [row_of(run, self._strips.get(run.run_id), now) for run in self._runs]
        self.widget.show(
            {"rows": rows, "note": self._note(), "fallback": self.fallback.css_class, "link": {"state": "live"}}
        )

    def blocks(self) -> list[Block]:
        """What the readable output says."""
        return list_blocks(self._runs, limit=self._limit, strips=self._strips)

    def _note(self) -> str:
        return f"the newest {self._limit} are shown: --limit shows more" if len(self._runs) >= self._limit > 0 else ""

    # -- on the board's thread -------------------------------------------------------------------------------------

    def is_due(self, now: float) -> bool:
        """Whether to look at the list now; cheap."""
        if self.is_over or now < self._pace.next_look:
            return False
        if not self.widget.is_open:
            self.is_over = True
            return False
        if self._was_seen and self._views <= 0:
            return False
        return now >= self._look_anyway or self._stamp_now() != self._stamp

    def _stamp_now(self) -> Any:
        return self._session.engine.commit_stats.units, self._session.engine.engine.epoch

    def refresh(self) -> None:
        """Look at the runs and send what changed."""
        self._pace.begin()
        self._stamp = self._stamp_now()
        try:
            rows = self._look()
            self._failures = 0
            if self.widget.show({"rows": rows, "note": self._note(), "link": {"state": "live"}}):
                self.fallback.changed(self.blocks)
        except TimeoutError:
            self._say("live", "the engine is busy; this is the last known state")
        except (RPCError, DurableError, asyncio.CancelledError, RuntimeError, OSError) as error:
            self._failures += 1
            if self._session.engine.is_closed or self._failures >= 5:
                self.stop(f"this list follows no more: {type(error).__name__}: {error}")
            else:
                self._say("live", f"{type(error).__name__}: {error}")
        now = self._pace.end(self._board.count)
        self.widget.beat += 1
        self._look_anyway = now + LOOK_ANYWAY

    def _look(self) -> list[dict[str, Any]]:
        """The rows. Reading and drawing is this thread's work, so that its cost is known and the engine goes on."""
        runs = list(self._session.run(self._ask(), ANSWERS_WITHIN))
        described = self._session.run(self._describe_cached(runs), ANSWERS_WITHIN)
        now = now_us()
        rows, kept = [], {}
        for number, run in enumerate(runs):
            key = (run.run_id, run.history_length, run.close_time)
            row = self._rows.get(key)
            if row is None or (not run.close_time and run.run_id in described):
                drawn = number < MOST_RUNS and run.history_length <= LONGEST
                row = self._row(described.get(run.run_id, run), now, drawn=drawn)
            kept[key] = row
            rows.append(row)
        self._runs, self._rows = runs, kept
        self._strips = {run.run_id: self._strips[run.run_id] for run in runs if run.run_id in self._strips}
        return rows

    async def _describe_cached(self, runs: Sequence[RunDescription]) -> dict[str, RunDescription]:
        """Open runs that are in memory, with what is pending: to look at a list must not wake sleeping runs."""
        engine = self._session.engine.engine
        found = {}
        for run in runs:
            slot = engine.slots.get(engine.slots.run_keys.get(run.run_id, 0))
            if not run.close_time and slot is not None and slot.state is not None and slot.state.is_open:
                run.pending_activities = pending_activities(slot.state)
                run.pending_timers = pending_timers(slot.state)
                run.pending_children = pending_children(slot.state)
                run.pending_workflow_task = pending_workflow_task(slot.state)
                found[run.run_id] = run
        return found

    def _row(self, run: RunDescription, now: int, *, drawn: bool) -> dict[str, Any]:
        if drawn:
            store = self._session.engine.store
            found = store.find_run(run.namespace, run.workflow_id, run.run_id)
            if found is not None:
                attempts = [describe_attempt(attempt) for attempt in store.read_attempts(found.run_key)]
                self._strips[run.run_id] = run_strip(run_lanes(run, attempts, now=now))
        return row_of(run, self._strips.get(run.run_id), now)

    def _say(self, state: str, message: str) -> None:
        self.widget.show({"link": {"state": state, "message": safe_text(message, 400)}})

    def stop(self, message: str) -> None:
        """Follow the list no more."""
        if not self.is_over:
            self.is_over = True
            self._say("ended", message)
            self.fallback.changed(self.blocks, now=True)

    def look_again(self) -> None:
        """Look soon."""
        self._look_anyway = 0.0

    # -- on any thread ---------------------------------------------------------------------------------------------

    def receive(self, message: Mapping[str, Any]) -> None:
        """A message of the browser."""
        kind = message.get("kind")
        if kind == "seen":
            self._was_seen, self._views = True, self._views + 1
            self._look_anyway = 0.0
            self._board.wake()
        elif kind == "gone":
            self._views = max(0, self._views - 1)


def row_of(run: RunDescription, strip: Strip | None, now: int) -> dict[str, Any]:
    """A row for the browser; every text is safe."""
    return {
        "id": safe_text(run.workflow_id, 120),
        "run_id": safe_text(run.run_id, 60),
        "type": safe_text(run.workflow_type, 80),
        "status": run.status.name.replace("_", " ").lower(),
        "tone": TONES[run.status],
        "open": run.status is WorkflowExecutionStatus.RUNNING,
        "started_at": run.start_time,
        "closed_at": run.close_time,
        "waits": waits_for(run),
        "strip": strip.data() if strip is not None else None,
        "now": now // 5_000_000 * 5_000_000,
    }
