"""Signals and their handlers: the order in which they run, unfinished ones, and what their errors mean."""

from __future__ import annotations

import pytest

from durable_nb import workflow
from durable_nb.model import attributes as a
from durable_nb.model.enums import WorkflowTaskFailedCause
from tests.runtime import stories
from tests.runtime.desk import SignalsFirst, desk
from tests.runtime.driver import Driver

# -- order -------------------------------------------------------------------------------------------------------------


def test_in_signal_with_start_the_handler_runs_before_the_first_line_of_run() -> None:
    d = stories.signal_with_start()
    first = d.of(a.ActivityTaskScheduled, activity_id="1").attributes
    assert first.activity_type == "from_signal"  # type: ignore[attr-defined]


def test_signals_are_handled_before_timers_and_results_of_the_same_task() -> None:
    d = Driver(SignalsFirst)
    d.task()
    d.fire()
    d.complete("a")
    d.signal("sig")
    d.task()
    assert d.result == ["signal", "timer", "activity"]


def test_async_handlers_start_in_order_and_interleave_at_awaits() -> None:
    d = desk(True)
    d.signal("slow", 1)
    d.signal("slow", 2)
    d.signal("close")
    d.task()
    d.fire("1")
    d.fire("2")
    d.task()
    assert d.result == ["begin 1", "begin 2", "end 1", "end 2"]


# -- signals -----------------------------------------------------------------------------------------------------------


def test_a_signal_without_handler_waits_for_one_and_is_never_lost() -> None:
    assert stories.late_handlers().result == ["earlier", "early"]


def test_arguments_of_a_signal_that_cannot_be_decoded_drop_it_with_a_log(caplog: pytest.LogCaptureFixture) -> None:
    d = desk()
    d.signal("typed", "no number")
    d.signal("typed", 5)
    d.signal("close")
    d.task()
    assert d.result == [5]
    assert "Failed deserializing signal input for typed" in caplog.text
    assert caplog.records[0].temporal_workflow["workflow_id"] == "workflow-1"  # type: ignore[attr-defined]


def test_a_failure_error_in_a_signal_handler_fails_the_workflow() -> None:
    d = desk()
    d.signal("bad", "fail")
    d.task()
    assert d.kinds()[-1] == "WorkflowExecutionFailed"


def test_a_bug_in_a_signal_handler_fails_the_task() -> None:
    d = desk()
    d.signal("bad", "bug")
    outcome = d.task()
    assert outcome.cause is WorkflowTaskFailedCause.WORKFLOW_WORKER_UNHANDLED_FAILURE
    assert "a bug" in outcome.failure.message


def test_a_signal_handler_may_continue_as_new() -> None:
    d = desk()
    d.signal("onward")
    d.task()
    assert d.kinds()[-1] == "WorkflowExecutionContinuedAsNew"


def test_an_unfinished_signal_handler_warns_when_the_workflow_closes() -> None:
    d = desk()
    d.signal("slow", 1)
    d.signal("close")
    with pytest.warns(workflow.UnfinishedSignalHandlersWarning, match=r'"name": "slow", "count": 1'):
        d.task()


def test_an_abandoned_handler_does_not_warn() -> None:
    d = desk()
    d.signal("quiet")
    d.signal("close")
    d.task()
    assert d.closed


def test_an_unfinished_update_handler_warns_with_its_id() -> None:
    d = desk()
    d.signal("close")
    d.update("u-1", "change", 1)
    with pytest.warns(workflow.UnfinishedUpdateHandlersWarning, match='"id": "u-1"'):
        d.task()
