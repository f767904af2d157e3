"""A fork or reset at any event of any kind of run begins with a history that both Replayers accept."""

from __future__ import annotations

import asyncio
from functools import cache

import pytest

from durable_nb.client import WorkflowHistory
from durable_nb.core import points
from durable_nb.core.points import PointError, Prefix
from durable_nb.model.attributes import ActivityTaskScheduled, WorkflowExecutionFailed
from durable_nb.model.events import Event
from durable_nb.model.payload import Payload
from durable_nb.worker import Replayer
from durable_nb.workflow import NondeterminismError
from tests.replay import scenes
from tests.replay.forks import forked, through
from tests.replay.judge import Case, verdicts

pytestmark = [
    pytest.mark.slow,
    # Code of the gallery that is cut off between making a coroutine and awaiting it.
    pytest.mark.filterwarnings("ignore:coroutine .* was never awaited:RuntimeWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]

REFUSALS = ("has not ended", "under way", "just being started")


@cache
def replayer() -> Replayer:
    return Replayer(workflows=scenes.WORKFLOWS)


def failure_of(workflow_id: str, events: list[Event]) -> Exception | None:
    history = WorkflowHistory(workflow_id, events)
    return asyncio.run(replayer().replay_workflow(history, raise_on_replay_failure=False)).replay_failure


def events_of(case: Case) -> tuple[str, list[Event]]:
    workflow_id = case[0].partition(" ")[0]
    return workflow_id, list(WorkflowHistory.from_json(workflow_id, case[2]).events)


def expect(refusal: PointError) -> None:
    assert any(words in str(refusal) for words in REFUSALS), refusal


def every_fork(case: Case) -> list[tuple[str, list[Event]]]:
    """Name and new history for each point of a history, each once."""
    workflow_id, events = events_of(case)
    made: dict[tuple[int, bool], tuple[str, list[Event]]] = {}
    for event in events:
        prefix = through(workflow_id, events, event.event_id)
        for reset in (False, True):
            if (prefix.kept, reset) in made:
                continue
            try:
                history = forked(workflow_id, events, prefix, reset=reset)
            except PointError as refusal:
                expect(refusal)
                continue
            made[prefix.kept, reset] = (f"{case[0]} at {prefix.kept}{' reset' if reset else ''}", history)
    return list(made.values())


def test_a_fork_at_every_event_of_every_kind_of_run_is_accepted(histories: list[Case]) -> None:
    refused = {}
    count = 0
    for case in histories:
        workflow_id = case[0].partition(" ")[0]
        for name, events in every_fork(case):
            count += 1
            failure = failure_of(workflow_id, events)
            if failure is not None:
                refused[name] = failure
    assert refused == {}
    assert count > 500


def test_the_official_replayer_accepts_a_sample_of_them(histories: list[Case]) -> None:
    cases = []
    for case in histories:
        workflow_id = case[0].partition(" ")[0]
        forks = every_fork(case)
        for name, events in forks[:: max(1, len(forks) // 4)]:
            cases.append((f"{workflow_id} {name}", case[1], WorkflowHistory(workflow_id, events).to_json()))
    answers = verdicts(cases)
    assert {name: answer["failure"] for name, answer in answers.items() if answer["failure"]} == {}
    assert len(cases) > 80


@pytest.mark.parametrize("value", [b"1", b'"x"', b"[1,2]", b"null"])
def test_a_fork_with_any_edited_result_is_accepted(histories: list[Case], value: bytes) -> None:
    """The code may do something else after the edit, never before it."""
    values = [Payload({"encoding": b"json/plain"}, value)]
    edited = 0
    for case in histories:
        workflow_id, events = events_of(case)
        for event in events:
            if not isinstance(event.attributes, ActivityTaskScheduled):
                continue
            prefix = points.with_result(events, event.attributes.activity_id, values, "the run")
            try:
                history = forked(workflow_id, events, prefix)
            except PointError as refusal:
                expect(refusal)
                continue
            edited += 1
            failure = failure_of(workflow_id, history)
            # What the code does with a value of another type is its own affair.
            assert not isinstance(failure, NondeterminismError | ValueError), (case[0], failure)
    assert edited > 50


def test_a_retry_of_every_failed_run_is_accepted(histories: list[Case]) -> None:
    tried = []
    for case in histories:
        workflow_id, events = events_of(case)
        closing = events[-1].attributes
        if not isinstance(closing, WorkflowExecutionFailed) or closing.new_execution_run_id:
            continue
        prefix: Prefix = points.last_good(events, "", "the run")
        assert failure_of(workflow_id, forked(workflow_id, events, prefix, reset=True)) is None
        tried.append(case[0])
    assert len(tried) >= 3
