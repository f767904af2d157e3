from __future__ import annotations

import asyncio
import sys
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest

from durable_nb import workflow
from durable_nb.common import RawValue
from durable_nb.exceptions import ApplicationError
from durable_nb.model import attributes as a
from durable_nb.model.enums import WorkflowTaskFailedCause
from tests.runtime import stories
from tests.runtime.driver import KEY, Driver, value

SHORT = timedelta(seconds=10)


@workflow.defn
class Desk:
    def __init__(self) -> None:
        self.log: list[Any] = []
        self.open = True
        self.seen_by_condition = 0

    @workflow.run
    async def run(self, wait_for_handlers: bool = False) -> list[Any]:
        await workflow.wait_condition(lambda: not self.open)
        if wait_for_handlers:
            await workflow.wait_condition(workflow.all_handlers_finished)
        return self.log

    @workflow.signal
    def close(self) -> None:
        self.open = False

    @workflow.signal
    async def slow(self, number: int) -> None:
        self.log.append(f"begin {number}")
        await workflow.sleep(1)
        self.log.append(f"end {number}")

    @workflow.signal(unfinished_policy=workflow.HandlerUnfinishedPolicy.ABANDON)
    async def quiet(self) -> None:
        await workflow.sleep(1)

    @workflow.signal
    def typed(self, number: int) -> None:
        self.log.append(number)

    @workflow.signal
    def bad(self, how: str) -> None:
        if how == "fail":
            raise ApplicationError("from a signal")
        if how == "bug":
            raise KeyError("a bug")

    @workflow.signal
    def onward(self) -> None:
        workflow.continue_as_new()

    @workflow.query
    def peek(self) -> list[Any]:
        return self.log

    @workflow.query
    def commands(self, how: str) -> str:
        """Each of these must be refused."""
        if how == "activity":
            workflow.start_activity("a", start_to_close_timeout=SHORT)
        elif how == "task":
            coroutine = asyncio.sleep(1)
            try:
                asyncio.ensure_future(coroutine)  # noqa: RUF006
            finally:
                coroutine.close()
        elif how == "timer":
            asyncio.get_running_loop().call_later(1, print)
        elif how == "random":
            workflow.uuid4()
        elif how == "patch":
            workflow.patched("p")
        elif how == "handler":
            workflow.set_query_handler("x", None)
        elif how == "memo":
            workflow.upsert_memo({"a": 1})
        elif how == "details":
            workflow.set_current_details("x")
        elif how == "continue":
            workflow.continue_as_new()
        return "allowed"

    @workflow.query
    def read_only(self) -> list[bool]:
        return [workflow.unsafe.is_read_only(), workflow.unsafe.is_replaying_history_events()]

    @workflow.query(dynamic=True)
    def other(self, name: str, args: Sequence[RawValue]) -> str:
        return f"{name}({len(args)})"

    @workflow.update
    async def change(self, number: int) -> dict[str, Any]:
        info = workflow.current_update_info()
        assert info is not None
        await workflow.execute_activity("act", start_to_close_timeout=SHORT)
        self.log.append(number)
        return {"id": info.id, "name": info.name, "in_child_task": await asyncio.create_task(child_task())}

    @change.validator
    def check_change(self, number: int) -> None:
        if number < 0:
            raise ValueError("negative")
        if number == 13:
            workflow.uuid4()

    @workflow.update
    def mutable(self, given: list[int]) -> list[int]:
        return given

    @mutable.validator
    def spoil(self, given: list[int]) -> None:
        given.append(99)

    @workflow.update
    async def bad_update(self, how: str) -> None:
        await asyncio.sleep(0)
        if how == "fail":
            raise ApplicationError("no")
        if how == "bug":
            raise KeyError("a bug")
        if how == "onward":
            workflow.continue_as_new()


async def child_task() -> str:
    info = workflow.current_update_info()
    return info.id if info else ""


def desk(*args: Any) -> Driver:
    d = Driver(Desk, *args)
    d.task()
    return d


# -- order -----------------------------------------------------------------------------------------------------------


def test_in_signal_with_start_the_handler_runs_before_the_first_line_of_run() -> None:
    d = stories.signal_with_start()
    first = d.of(a.ActivityTaskScheduled, activity_id="1").attributes
    assert first.activity_type == "from_signal"  # type: ignore[attr-defined]


@workflow.defn
class SignalsFirst:
    def __init__(self) -> None:
        self.order: list[str] = []

    @workflow.run
    async def run(self) -> list[str]:
        await asyncio.gather(self.timer(), self.act())
        return self.order

    async def timer(self) -> None:
        await workflow.sleep(1)
        self.order.append("timer")

    async def act(self) -> None:
        await workflow.execute_activity("a", start_to_close_timeout=SHORT)
        self.order.append("activity")

    @workflow.signal
    def sig(self) -> None:
        self.order.append("signal")


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


# -- signals ---------------------------------------------------------------------------------------------------------


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


# -- queries ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "how", ["activity", "task", "timer", "random", "patch", "handler", "memo", "details", "continue"]
)
def test_a_query_may_change_nothing(how: str) -> None:
    d = desk()
    with pytest.raises(AssertionError, match="While in read-only function, action attempted"):
        d.query("commands", how)
    d.signal("close")
    d.task()
    assert d.commands() == ["WorkflowExecutionCompleted"]


def test_a_query_knows_that_it_is_read_only() -> None:
    assert desk().query("read_only") == [True, False]


def test_an_unknown_query_goes_to_the_dynamic_handler() -> None:
    assert desk().query("whatever", 1, 2) == "whatever(2)"


@workflow.defn
class Leaves:
    @workflow.run
    async def run(self) -> None:
        await workflow.sleep(1)

    @workflow.query
    def leave(self) -> None:
        sys.exit("bye")


def test_sys_exit_in_a_query_fails_the_query_and_not_the_process() -> None:
    d = Driver(Leaves)
    d.task()
    with pytest.raises(AssertionError, match="bye"):
        d.query("leave")
    assert d.host.holds(KEY)


def test_an_unknown_query_without_dynamic_handler_lists_what_is_known() -> None:
    d = Driver(SignalsFirst)
    d.task()
    with pytest.raises(AssertionError, match=r"'nope' expected but not found, known queries: \[__enhanced"):
        d.query("nope")


def test_a_query_after_eviction_is_answered_by_replay() -> None:
    d = desk()
    d.signal("typed", 4)
    d.task()
    d.forget()
    assert d.query("peek") == [4]
    assert not d.host.holds(1)


def test_metadata_lists_handlers_sorted_and_the_current_details() -> None:
    found = desk().query("__temporal_workflow_metadata")
    assert found["definition"]["type"] == "Desk"
    names = [each["name"] for each in found["definition"]["signalDefinitions"]]
    assert names == sorted(names)
    assert found["currentDetails"] == ""


def test_the_stack_trace_names_tasks_files_and_lines() -> None:
    d = desk()
    d.signal("slow", 1)
    d.task()
    trace = d.query("__stack_trace")
    assert "run (workflow: Desk" in trace
    assert "signal: slow (workflow: Desk" in trace
    assert __file__ in trace
    assert "await workflow.sleep(1)" in trace
    enhanced = d.query("__enhanced_stack_trace")
    assert __file__ in enhanced["sources"]
    assert any(place["functionName"] == "slow" for stack in enhanced["stacks"] for place in stack["locations"])


# -- updates ---------------------------------------------------------------------------------------------------------


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
