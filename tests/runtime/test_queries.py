"""Queries: they change nothing, and the built-in ones."""

from __future__ import annotations

import sys

import pytest

from durable_nb import workflow
from tests.runtime.desk import SignalsFirst, desk
from tests.runtime.driver import KEY, Driver


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
    assert desk.__code__.co_filename in trace
    assert "await workflow.sleep(1)" in trace
    enhanced = d.query("__enhanced_stack_trace")
    assert desk.__code__.co_filename in enhanced["sources"]
    assert any(place["functionName"] == "slow" for stack in enhanced["stacks"] for place in stack["locations"])
