"""Programs drawn at random: live, replayed and judged runs ask for the same commands."""

from __future__ import annotations

import warnings
from itertools import takewhile
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from durable_nb.model.attributes import MarkerRecorded
from durable_nb.model.events import Event
from durable_nb.runtime.matching import COMMAND_EVENTS
from tests.runtime.chaos_driver import live
from tests.runtime.driver import Driver, options
from tests.runtime.oracle import Oracle

STEPS = [
    "activity", "local", "sleep", "asleep", "timeout", "condition", "child", "cancel", "fork", "lock", "put", "get",
    "set", "shield", "patch", "signal", "uuid", "start_cancel", "bump",
]  # fmt: skip
branch = st.lists(st.tuples(st.sampled_from(STEPS), st.integers(0, 4)).map(list), min_size=1, max_size=4)
branches = st.lists(branch, min_size=1, max_size=4)

JUDGE_CANNOT = ("state Canceled says the transition is invalid", "Invalid transition in state machine")
"""Two cases that Temporal's native core does not know: an abandoned activity that fails, and the cancellation of a
child that was terminated in the same task."""


def program(branches: list[Any], later: list[Any], seed: int) -> Driver:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return live(branches, later, seed)


def is_torn(events: list[Event], length: int) -> bool:
    """Whether a cut there parts the commands of a workflow task from a marker of an activity or a patch.

    No store has such a history, for a task's events are written together, and none can be replayed: code that does not
    find the marker goes another way, and may take back what it had asked for.
    """
    commands = takewhile(lambda event: type(event.attributes) in COMMAND_EVENTS, events[length:])
    return any(isinstance(event.attributes, MarkerRecorded) for event in commands)


@settings(max_examples=60)
@given(branches, st.lists(branch, max_size=3), st.integers(0, 2**16))
@example([[["activity", 0]], [["activity", 0]], [["local", 0], ["cancel", 0]]], [], 0)
@example([[["sleep", 4], ["local", 4]], [["patch", 0], ["cancel", 4], ["timeout", 2], ["set", 1]]], [], 159)
def test_replay_of_any_prefix_of_a_history_agrees_with_it(branches: list[Any], later: list[Any], seed: int) -> None:
    d = program(branches, later, seed)
    events = d.events
    for length in range(1, len(events) + 1):
        if is_torn(events, length):
            continue
        d.events = events[:length]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            assert d.replay().failure is None, length


@settings(max_examples=60)
@given(branches, st.lists(branch, max_size=2), st.integers(0, 2**16))
def test_a_run_rebuilt_before_every_task_gives_the_same_history(
    branches: list[Any], later: list[Any], seed: int
) -> None:
    """The cache is only a cache."""
    d = program(branches, later, seed)
    again = rebuilt(d)
    assert again == [type(event.attributes).__name__ for event in d.events]


def rebuilt(d: Driver) -> list[str]:
    """Kinds of events when each completed task is run on a fresh instance, its commands taken from that instance."""
    from durable_nb.model import attributes as a
    from durable_nb.model.commands import WorkflowTaskCompletion
    from durable_nb.model.tasks import WorkflowTask
    from durable_nb.runtime.instance import WorkflowInstance

    kinds: list[str] = []
    events = d.events
    for at, event in enumerate(events):
        kind = type(event.attributes)
        kinds.append(kind.__name__)
        if kind is not a.WorkflowTaskStarted or at + 1 == len(events):
            continue
        if not isinstance(events[at + 1].attributes, a.WorkflowTaskCompleted):
            continue
        following = []
        for each in events[at + 2 :]:
            if type(each.attributes) not in COMMAND_EVENTS:
                break
            following.append(type(each.attributes).__name__)
        if "MarkerRecorded" in following or "WorkflowExecutionUpdateAccepted" in following:
            continue  # these need outcomes and requests from outside
        task = WorkflowTask(
            "default", "workflow-1", d.run_id, "Chaos", "queue", 1, events[: at + 1], 0, event.event_id, at, 0
        )
        run = WorkflowInstance.for_task(d.definition, options(), task)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            outcome = run.activate(task)
        run.evict()
        if isinstance(outcome, WorkflowTaskCompletion):
            assert [type(c.attributes).__name__ for c in outcome.commands] == following
    return kinds


@pytest.mark.slow
@settings(max_examples=40, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture])
@given(branches=branches, later=st.lists(branch, max_size=3), seed=st.integers(0, 2**16))
def test_the_judge_accepts_what_random_programs_did(
    branches: list[Any], later: list[Any], seed: int, oracle: Oracle
) -> None:
    d = program(branches, later, seed)
    failure = oracle.failure("chaos", "Chaos", d.events)
    assert failure is None or any(known in failure for known in JUDGE_CANNOT), failure
