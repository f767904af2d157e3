"""Code that changed under a history: what is found, and what the message says (temporal-semantics 2.8)."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from durable_nb import workflow
from durable_nb.model import attributes as a
from durable_nb.model.enums import WorkflowTaskFailedCause
from tests.runtime import stories
from tests.runtime.driver import Driver

SHORT = timedelta(seconds=10)


@workflow.defn(name="Flow")
class Recorded:
    @workflow.run
    async def run(self) -> str:
        await workflow.execute_activity("charge", 1, start_to_close_timeout=SHORT)
        await workflow.sleep(5)
        return "done"


@workflow.defn(name="Flow")
class OtherType:
    @workflow.run
    async def run(self) -> str:
        await workflow.execute_activity("refund", 1, start_to_close_timeout=SHORT)
        return ""


@workflow.defn(name="Flow")
class OtherId:
    @workflow.run
    async def run(self) -> str:
        await workflow.execute_activity("charge", activity_id="mine", start_to_close_timeout=SHORT)
        return ""


@workflow.defn(name="Flow")
class TimerFirst:
    @workflow.run
    async def run(self) -> str:
        await workflow.sleep(30)  # the line that the message names
        return ""


@workflow.defn(name="Flow")
class OneMore:
    @workflow.run
    async def run(self) -> str:
        workflow.start_activity("charge", start_to_close_timeout=SHORT)
        await helper()
        return ""


async def helper() -> None:
    workflow.upsert_memo({"more": 1})
    await workflow.sleep(1)


@workflow.defn(name="Flow")
class NothingElse:
    @workflow.run
    async def run(self) -> str:
        await workflow.wait_condition(lambda: False)
        return ""


@workflow.defn(name="Flow")
class OtherEnd:
    @workflow.run
    async def run(self) -> str:
        await workflow.execute_activity("charge", 1, start_to_close_timeout=SHORT)
        await workflow.sleep(5)
        workflow.continue_as_new()


@workflow.defn(name="Flow")
class SameButDifferent:
    """Other input, other duration, other options, other result: all of that may change."""

    @workflow.run
    async def run(self) -> int:
        await workflow.execute_activity(
            "charge", args=[2, 3], start_to_close_timeout=timedelta(hours=1), heartbeat_timeout=SHORT, summary="new"
        )
        await asyncio.sleep(77)
        return 5


@workflow.defn(name="Flow")
class Breaks:
    @workflow.run
    async def run(self) -> str:
        raise KeyError("replay")


def recorded() -> Driver:
    d = Driver(Recorded)
    d.task()
    d.complete("charge")
    d.task()
    d.fire()
    d.task()
    return d


def problem(code: Any) -> workflow.NondeterminismError:
    failure = recorded().replay(code).failure
    assert isinstance(failure, workflow.NondeterminismError)
    return failure


def line_of(text: str) -> int:
    with open(__file__, encoding="utf-8") as source:
        return next(n for n, line in enumerate(source, 1) if text in line)


def test_the_message_says_what_is_recorded_what_the_code_did_where_and_how_to_fix_it() -> None:
    error = problem(TimerFirst)
    line = line_of("# the line that the message names")
    assert error.event_id == 5
    assert error.recorded == "ActivityTaskScheduled charge (id 1)"
    assert error.actual == "TimerStarted 30 s (id 1)"
    assert error.where == f"{__file__}, line {line}, in TimerFirst.run"
    lines = error.message.splitlines()
    assert "replay of workflow 'workflow-1' (Flow) diverged at event 5" in lines[0]
    assert [each.split()[0] for each in lines[1:]] == ["recorded", "your", "where", "fix"]
    assert "workflow.patched(" in lines[-1]


def test_the_innermost_line_of_the_author_is_named() -> None:
    assert problem(OneMore).where.endswith("in helper")


@pytest.mark.parametrize(
    ("code", "actual"),
    [
        (OtherType, "ActivityTaskScheduled refund (id 1)"),
        (OtherId, "ActivityTaskScheduled charge (id mine)"),
        (OneMore, "WorkflowPropertiesModified more"),
        (NothingElse, "nothing"),
        (OtherEnd, "WorkflowExecutionContinuedAsNew"),
    ],
)
def test_kind_type_id_number_and_end_are_compared(code: Any, actual: str) -> None:
    assert problem(code).actual == actual


def test_code_that_waits_instead_is_told_where_it_waits() -> None:
    assert "waits at" in problem(NothingElse).where
    assert problem(NothingElse).where.endswith("in NothingElse.run")


def test_inputs_durations_options_and_results_are_not_compared() -> None:
    assert recorded().replay(SameButDifferent).failure is None


def test_an_error_of_the_code_in_replay_is_given_as_it_is() -> None:
    assert isinstance(recorded().replay(Breaks).failure, KeyError)


def test_live_a_divergence_fails_the_task_with_its_cause() -> None:
    from durable_nb.runtime.definition import WorkflowDefinition

    d = recorded()
    d.events = d.events[:11]
    d.forget()
    d.host.register(WorkflowDefinition.must_from_class(TimerFirst))
    outcome = d.task()
    assert outcome.cause is WorkflowTaskFailedCause.NON_DETERMINISTIC_ERROR
    assert "diverged at event 5" in outcome.failure.message
    assert not d.host.holds(1)


@pytest.mark.parametrize("listed", [workflow.NondeterminismError, Exception])
def test_a_divergence_fails_the_workflow_only_where_that_is_configured(listed: type[BaseException]) -> None:
    from durable_nb.runtime.definition import WorkflowDefinition

    d = Driver(Recorded, failure_exception_types=(listed,))
    d.task()
    d.complete("charge")
    d.forget()
    d.host.register(WorkflowDefinition.must_from_class(TimerFirst))
    d.task()
    assert d.kinds()[-1] == "WorkflowExecutionFailed"


def test_a_history_that_stops_anywhere_can_be_replayed() -> None:
    events = recorded().events
    for length in range(1, len(events) + 1):
        d = recorded()
        d.events = events[:length]
        assert d.replay().failure is None, length


def test_an_event_between_start_and_end_of_a_task_is_no_history() -> None:
    d = recorded()
    moved = d.events.pop(4)
    d.events.insert(3, moved)
    for number, event in enumerate(d.events, 1):
        event.event_id = number
    failure = d.replay().failure
    assert failure is not None
    assert "between the start and the end of a workflow task" in str(failure)


def test_a_history_with_a_gap_is_refused() -> None:
    d = recorded()
    del d.events[6]
    assert "has a gap: event 7 is missing" in str(d.replay().failure)


def test_a_history_without_its_beginning_is_refused() -> None:
    d = recorded()
    del d.events[0]
    with pytest.raises(ValueError, match="cut at the front"):
        d.replay()


@pytest.mark.parametrize(
    ("kind", "change"),
    [
        (a.TimerFired, {"timer_id": "9"}),
        (a.TimerFired, {"started_event_id": 5}),
        (a.ActivityTaskCompleted, {"scheduled_event_id": 11}),
    ],
)
def test_reactions_to_what_was_never_asked_for_are_refused(kind: type[Any], change: dict[str, Any]) -> None:
    d = recorded()
    for name, wrong in change.items():
        setattr(d.of(kind).attributes, name, wrong)
    assert isinstance(d.replay().failure, workflow.NondeterminismError)


def test_tasks_that_failed_or_timed_out_are_skipped() -> None:
    d = stories.a_task_that_failed_and_one_that_timed_out()
    assert d.closed
    assert d.replay().failure is None
