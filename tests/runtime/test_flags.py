"""Flags that change how code is run: recorded when used, honoured when found (temporal-semantics 9.3, 9.5)."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

from durable_nb import workflow
from durable_nb.model import attributes as a
from tests.runtime.driver import Driver

SHORT = timedelta(seconds=10)


@workflow.defn
class CancelsCompleted:
    """A signal handler cancels an activity whose completion comes in the same task, after the signal."""

    def __init__(self) -> None:
        self.handle: asyncio.Task[Any] | None = None

    @workflow.run
    async def run(self) -> str:
        self.handle = workflow.start_activity("a", start_to_close_timeout=SHORT)

        async def canceller() -> None:
            await workflow.sleep(1)
            assert self.handle is not None
            self.handle.cancel()

        task = asyncio.create_task(canceller())
        try:
            result = str(await self.handle)
        except asyncio.CancelledError:
            result = "raised"
            await workflow.execute_activity("after", start_to_close_timeout=SHORT)
        await task
        return result


@workflow.defn
class Batch:
    def __init__(self) -> None:
        self.order: list[str] = []

    @workflow.run
    async def run(self) -> list[str]:
        await workflow.execute_activity("a", start_to_close_timeout=SHORT)
        self.order.append("activity")
        await workflow.wait_condition(lambda: len(self.order) > 1)
        return self.order

    @workflow.signal
    async def sig(self) -> None:
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        self.order.append("signal")


def story_with_flag() -> Driver:
    d = Driver(CancelsCompleted)
    d.task()
    d.fire()
    d.complete("a", "value")
    d.task()
    return d


def test_the_first_completed_task_records_the_core_flags_and_no_later_one_does() -> None:
    d = Driver(Batch)
    first = d.task()
    assert (first.sdk_metadata.core_used_flags, first.sdk_metadata.lang_used_flags) == ([1, 2, 3], [])
    d.signal("sig")
    assert d.task().sdk_metadata is None


def test_flags_missing_in_a_history_from_elsewhere_are_added() -> None:
    d = Driver(Batch)
    d.task()
    d.of(a.WorkflowTaskCompleted).attributes.sdk_metadata.core_used_flags = [1]  # type: ignore[attr-defined]
    d.forget()
    d.signal("sig")
    assert d.task().sdk_metadata.core_used_flags == [2, 3]


def test_a_cancellation_that_meets_a_completed_activity_is_raised_and_flag_1_is_recorded() -> None:
    d = story_with_flag()
    assert d.commands() == ["ActivityTaskScheduled"]
    assert d.outcomes[-1].sdk_metadata.lang_used_flags == [1]
    assert d.replay().failure is None


def test_without_the_flag_in_the_history_the_result_is_given() -> None:
    d = story_with_flag()
    d.outcomes[-1].sdk_metadata.lang_used_flags = []
    failure = d.replay().failure
    assert isinstance(failure, workflow.NondeterminismError)
    assert failure.actual == "WorkflowExecutionCompleted"


def test_language_flag_2_applies_all_jobs_before_any_code_runs() -> None:
    d = Driver(Batch)
    d.task()
    d.signal("sig")
    d.complete("a")
    d.task()
    assert d.result == ["signal", "activity"]
    d = Driver(Batch)
    d.task()
    d.of(a.WorkflowTaskCompleted).attributes.sdk_metadata.lang_used_flags = [2]  # type: ignore[attr-defined]
    d.forget()
    d.signal("sig")
    d.complete("a")
    d.task()
    assert d.result == ["activity", "signal"]


def test_without_core_flag_3_nothing_after_the_terminal_command_counts() -> None:
    from tests.runtime.test_failures import Ends

    d = Driver(Ends, "background")
    d.task()
    d.of(a.WorkflowTaskCompleted).attributes.sdk_metadata.core_used_flags = [1, 2]  # type: ignore[attr-defined]
    assert d.replay().failure is not None
    del d.events[4]
    d.events[4].event_id = 5
    assert d.replay().failure is None
