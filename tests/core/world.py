"""A world for core tests: one chain of runs, a clock that is turned by hand, and rows in dictionaries.

``World.step`` is what the engine does: make a transition, decide, commit the write, keep the state. After each commit
the state is compared with what ``load`` makes of the rows, so every test of the core is a test of loading as well.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import contextmanager
from typing import Any

import msgspec

from durable_nb.core import activities, deadlines, start, workflow_tasks
from durable_nb.core.beginnings import beginning
from durable_nb.core.branch import Branch, branch
from durable_nb.core.loading import load
from durable_nb.core.state import ActivityState, ExecutionState
from durable_nb.core.transition import LEASED_AND_STARTED, Context, Transition
from durable_nb.core.workflow_tasks import OpenTask
from durable_nb.model.attributes import ActivityTaskScheduled, Attributes
from durable_nb.model.commands import Command, WorkflowTaskCompletion, WorkflowTaskFailure
from durable_nb.model.events import Event, decode_attributes, decode_user_metadata
from durable_nb.model.payload import Payload
from durable_nb.model.records import ActivityRow, AttemptRow, LoadedRun, RunRow, RunWrite, TransferRow, WorkflowTaskRow
from durable_nb.model.requests import ResetWorkflow, StartWorkflow
from tests.core.invariants import check_history, check_write, observe

SECOND = 1_000_000
NOON = 1_700_000_000 * SECOND
ME = 7
"""Process key of the process that all worlds are in."""


def text(value: str) -> list[Payload]:
    """Payloads of one string."""
    return [Payload({"encoding": b"json/plain"}, f'"{value}"'.encode())]


def activity(activity_id: str = "1", **options: Any) -> ActivityTaskScheduled:
    """Command attributes of an activity of a minute."""
    options = {"activity_type": "act", "start_to_close_timeout": 60 * SECOND, **options}
    return ActivityTaskScheduled(activity_id=activity_id, **options)


def reset(
    world: World, request: ResetWorkflow, run_key: int, run_id: str, following: Sequence[Event] = ()
) -> Transition:
    """First transition of the run that a reset of the world's run makes."""
    asked = Branch(
        beginning(world.state, world.events, request),
        reason=request.reason,
        identity=request.identity,
        reapply_signals=request.reapply_signals,
        reapply_updates=request.reapply_updates,
        following=following,
    )
    return branch(world.context, world.state, world.events, asked, run_key, run_id, world.now)


class Rows:
    """The rows of one run, as a store would hold them."""

    def __init__(self) -> None:
        self.run: RunRow | None = None
        self.events: list[Event] = []
        self.activities: dict[int, ActivityRow] = {}
        self.attempts: list[AttemptRow] = []
        self.workflow_task: WorkflowTaskRow | None = None
        self.transfers: dict[int, TransferRow] = {}

    def apply(self, write: RunWrite) -> None:
        """Do what the write says, and check that it keeps its promises."""
        check_write(self, write)
        self.run = write.run
        for row in write.events:
            attributes = decode_attributes(row.event_type, row.attributes)
            self.events.append(Event(row.event_id, row.event_time, attributes, decode_user_metadata(row.user_metadata)))
        for key in write.delete_activities:
            del self.activities[key]
        self.activities.update((row.scheduled_event_id, row) for row in write.put_activities)
        self.attempts += write.attempts
        if write.had_workflow_task or write.workflow_task is not None:
            self.workflow_task = write.workflow_task
        for key in write.delete_transfers:
            del self.transfers[key]
        self.transfers.update((row.transfer_id, row) for row in write.put_transfers)

    def load(self) -> ExecutionState:
        """State from a copy of the rows: nothing is shared with the live one."""
        assert self.run is not None
        copied = msgspec.convert(
            msgspec.to_builtins([self.run, list(self.activities.values()), self.workflow_task]),
            tuple[RunRow, list[ActivityRow], WorkflowTaskRow | None],
        )
        events = [Event(e.event_id, e.event_time, copy(e.attributes), e.user_metadata) for e in self.events]
        return load(LoadedRun(copied[0], events, copied[1], copied[2], list(self.transfers.values())), 0)


def copy(attributes: Attributes) -> Attributes:
    """An equal struct that shares nothing with this one."""
    return decode_attributes(attributes.event_type, msgspec.json.encode(attributes))


class World:
    """One chain of runs; ``state`` is the newest run."""

    def __init__(self, lease: int = LEASED_AND_STARTED, now: int = NOON) -> None:
        self.now = now
        self.lease = lease
        self.runs: dict[int, Rows] = {}
        self.transitions: list[Transition] = []
        self.writes: list[RunWrite] = []
        self.counter = 0
        self.context = Context(
            ME, "me@here", lambda *_: self.lease, self._next_key, lambda: f"run-{self.counter + 1}", 10_240
        )
        self.state: ExecutionState

    def _next_key(self) -> int:
        self.counter += 1
        return self.counter

    # -- steps -----------------------------------------------------------------------------------------------------

    def start(self, **options: Any) -> World:
        """Start a run and leave its first workflow task open."""
        request = StartWorkflow("default", "wf", "W", "q", **options)
        key = self._next_key()
        self.commit(start.start(self.context, request, key, f"run-{key}", self.now))
        return self

    def commit(self, tx: Transition) -> Transition:
        """Write a transition and all that follow it in the same unit; go on with the last run."""
        self.transitions.append(tx)
        following: Transition | None = tx
        while following is not None:
            state = following.state
            rows = self.runs.setdefault(state.run_key, Rows())
            self.writes.append(following.finish())
            rows.apply(self.writes[-1])
            for promised in [*following.started_activities, *following.queued_activities]:
                assert state.activities[promised.scheduled_event_id] is promised
                assert not promised.is_over
            check_history(rows.events)
            live, loaded = observe(state), observe(rows.load())
            assert {k: (live[k], loaded[k]) for k in live if live[k] != loaded[k]} == {}
            self.state = state
            following = following.successor
        return tx

    @contextmanager
    def step(self) -> Any:
        """A transition that is committed at the end of the block, if it has anything to commit."""
        tx = Transition(self.state, self.now, self.context)
        yield tx
        if not tx.is_empty:
            self.commit(tx)

    def do(self, decide: Callable[[Transition], Any]) -> Any:
        """The answer of one decision, committed."""
        with self.step() as tx:
            return decide(tx)

    def reload(self) -> World:
        """Forget the state and load it from the rows."""
        self.state = self.rows.load()
        return self

    # -- what a worker does ----------------------------------------------------------------------------------------

    def task(self, *asked: Attributes | Command, **options: Any) -> Transition:
        """Run the open workflow task (or a speculative one) to a completion with these commands."""
        with self.step() as tx:
            open_task = workflow_tasks.begin(tx, speculative=self.state.workflow_task is None)
            workflow_tasks.complete(tx, open_task, completion(*asked, **options))
        return tx

    def fail_task(self, failure: WorkflowTaskFailure) -> Transition:
        """Run the open workflow task to a failure."""
        with self.step() as tx:
            workflow_tasks.fail(tx, workflow_tasks.begin(tx), failure)
        return tx

    def hold(self, speculative: bool = False) -> OpenTask:
        """Begin the open workflow task and hold it."""
        with self.step() as tx:
            open_task = workflow_tasks.begin(tx, speculative)
            workflow_tasks.hold(tx, open_task)
        return open_task

    def end(self, open_task: OpenTask, *asked: Attributes, **options: Any) -> WorkflowTaskFailure | None:
        """Complete a held workflow task."""
        return self.do(lambda tx: workflow_tasks.complete(tx, open_task, completion(*asked, **options)))

    def attempt(self, activity_id: str = "1") -> ActivityState:
        """The pending activity with this ID."""
        return self.state.activities[self.state.activity_ids[activity_id]]

    def complete_activity(self, activity_id: str = "1", result: str = "done") -> None:
        """The current attempt returns."""
        found = self.attempt(activity_id)
        self.do(lambda tx: activities.complete(tx, found, text(result), "me@here"))

    def pass_time(self, seconds: float) -> World:
        """Turn the clock and do what is due."""
        self.now += int(seconds * SECOND)
        self.do(deadlines.fire)
        return self

    # -- what one looks at -----------------------------------------------------------------------------------------

    @property
    def rows(self) -> Rows:
        return self.runs[self.state.run_key]

    @property
    def events(self) -> list[Event]:
        return self.rows.events

    def titles(self, first: int = 1) -> list[str]:
        """Names of the events from ``first`` on."""
        return [event.event_type.title for event in self.events[first - 1 :]]

    def last(self, kind: type[Attributes]) -> Any:
        """Attributes of the newest event of this kind."""
        return next(e.attributes for e in reversed(self.events) if isinstance(e.attributes, kind))

    def outcomes(self) -> list[tuple[int, str]]:
        """Attempt number and outcome of every finished attempt."""
        return [(row.attempt, row.outcome) for row in self.rows.attempts]


def completion(*asked: Attributes | Command, **options: Any) -> WorkflowTaskCompletion:
    """A completion with these commands."""
    commands = [item if isinstance(item, Command) else Command(item) for item in asked]
    return WorkflowTaskCompletion(commands, **options)
