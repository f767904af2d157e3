"""Updates: validators, handlers, and handlers that are set at run time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from durable_nb import workflow
from durable_nb.common import RawValue
from durable_nb.model import attributes as a
from tests.runtime.desk import desk
from tests.runtime.driver import Driver, value


def test_an_accepted_update_is_recorded_before_what_its_handler_asks_for() -> None:
    d = desk()
    d.update("u-1", "change", 7)
    d.task()
    assert d.commands() == ["WorkflowExecutionUpdateAccepted", "ActivityTaskScheduled"]
    accepted: Any = d.of(a.WorkflowExecutionUpdateAccepted).attributes
    assert accepted.accepted_request.meta.update_id == "u-1"
    assert accepted.accepted_request_message_id == "u-1/request"
    d.complete("act")
    d.task()
    completed: Any = d.of(a.WorkflowExecutionUpdateCompleted).attributes
    assert value(completed.outcome.success) == {"id": "u-1", "name": "change", "in_child_task": "u-1"}
    assert completed.accepted_event_id == d.of(a.WorkflowExecutionUpdateAccepted).event_id
    assert d.replay().failure is None


def test_a_rejected_update_leaves_no_event() -> None:
    d = desk()
    d.update("u-1", "change", -1)
    d.task()
    assert d.commands() == []
    assert d.rejected["u-1"].message == "negative"
    assert d.replay().failure is None


def test_an_unknown_update_is_rejected_with_the_known_ones() -> None:
    d = desk()
    d.update("u-1", "nope")
    d.task()
    assert "known updates: [bad_update change mutable]" in d.rejected["u-1"].message


def test_arguments_of_an_update_that_cannot_be_decoded_reject_it() -> None:
    d = desk()
    d.update("u-1", "change", "no number")
    d.task()
    assert "Failed decoding" in d.rejected["u-1"].message


def test_a_validator_that_changes_something_fails_the_task() -> None:
    d = desk()
    d.update("u-1", "change", 13)
    assert "read-only" in d.task().failure.message


def test_what_a_validator_does_to_arguments_does_not_reach_the_handler() -> None:
    d = desk()
    d.update("u-1", "mutable", [1])
    d.task()
    outcome: Any = d.of(a.WorkflowExecutionUpdateCompleted).attributes
    assert value(outcome.outcome.success) == [1]


def test_a_failure_error_after_acceptance_fails_the_update_only() -> None:
    d = desk()
    d.update("u-1", "bad_update", "fail")
    d.task()
    outcome: Any = d.of(a.WorkflowExecutionUpdateCompleted).attributes
    assert outcome.outcome.failure.message == "no"
    assert not d.closed


def test_a_bug_after_acceptance_fails_the_task() -> None:
    d = desk()
    d.update("u-1", "bad_update", "bug")
    assert "a bug" in d.task().failure.message


def test_an_update_handler_may_not_continue_as_new() -> None:
    d = desk()
    d.update("u-1", "bad_update", "onward")
    assert "Cannot continue as new from an update handler" in d.task().failure.message


@workflow.defn
class Counts:
    def __init__(self) -> None:
        self.checks = 0

    @workflow.run
    async def run(self) -> int:
        await workflow.sleep(1)
        await workflow.wait_condition(self.check)
        return self.checks

    def check(self) -> bool:
        self.checks += 1
        return False

    @workflow.update
    def refuse(self) -> None: ...

    @refuse.validator
    def never(self) -> None:
        raise ValueError("no")

    @workflow.query
    def count(self) -> int:
        return self.checks


def test_conditions_are_not_asked_after_queries_or_rejected_updates() -> None:
    d = Driver(Counts)
    d.task()
    d.fire()
    d.task()
    before = d.query("count")
    d.query("count")
    d.update("u-1", "refuse")
    d.task()
    assert d.query("count") == before


@workflow.defn
class Validates:
    validated = 0

    @workflow.run
    async def run(self) -> None:
        await workflow.wait_condition(lambda: False)

    @workflow.update
    def change(self) -> None: ...

    @change.validator
    def count(self) -> None:
        type(self).validated += 1


def test_validators_do_not_run_in_replay() -> None:
    Validates.validated = 0
    d = Driver(Validates)
    d.task()
    d.update("u-1", "change")
    d.task()
    assert d.replay().failure is None
    assert Validates.validated == 1


@workflow.defn
class Dynamic:
    @workflow.run
    async def run(self) -> list[Any]:
        seen: list[Any] = []

        def on_signal(name: str, args: Sequence[RawValue]) -> None:
            seen.append([name, workflow.payload_converter().from_payload(args[0].payload)])

        workflow.set_dynamic_signal_handler(on_signal)
        workflow.set_query_handler("how_many", lambda: len(seen))
        workflow.set_update_handler("double", lambda n: 2 * n, validator=lambda n: None)
        assert workflow.get_signal_handler("x") is None
        assert workflow.get_dynamic_signal_handler() is on_signal
        assert workflow.get_query_handler("how_many") is not None
        await workflow.wait_condition(lambda: len(seen) == 2)
        workflow.set_dynamic_signal_handler(None)
        return seen


def test_handlers_set_at_run_time_get_what_waited_and_what_comes() -> None:
    d = Driver(Dynamic)
    d.signal("early", 1)
    d.task()
    assert d.query("how_many") == 1
    d.update("u-1", "double", 21)
    d.task()
    outcome: Any = d.of(a.WorkflowExecutionUpdateCompleted).attributes
    assert value(outcome.outcome.success) == 42
    d.signal("late", 2)
    d.task()
    assert d.result == [["early", 1], ["late", 2]]
