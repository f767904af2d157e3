"""Workflows of every kind, written with portable names only.

The oracle loads this very file with another package's name in the imports, so nothing here may be ours alone.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from durable_nb import workflow
from durable_nb.common import RawValue, RetryPolicy, SearchAttributeKey
from durable_nb.exceptions import ActivityError, ApplicationError, CancelledError, is_cancelled_exception

SHORT = timedelta(seconds=10)


@dataclass
class Order:
    id: str
    amount: int = 0


@workflow.defn
class Sequential:
    """Activities one after the other, with a failure that is handled."""

    @workflow.run
    async def run(self, order: Order) -> str:
        first = await workflow.execute_activity("validate", order, start_to_close_timeout=SHORT)
        try:
            await workflow.execute_activity(
                "charge", order, start_to_close_timeout=SHORT, retry_policy=RetryPolicy(maximum_attempts=2)
            )
        except ActivityError as error:
            await workflow.execute_activity("refund", str(error.cause), start_to_close_timeout=SHORT)
        return f"{first}"


@workflow.defn
class FanOut:
    """Activities side by side."""

    @workflow.run
    async def run(self, count: int) -> list[Any]:
        return list(
            await asyncio.gather(
                *[workflow.execute_activity("part", n, start_to_close_timeout=SHORT) for n in range(count)]
            )
        )


@workflow.defn
class Timers:
    """Every way to wait for time."""

    @workflow.run
    async def run(self) -> str:
        await asyncio.sleep(0)
        await workflow.sleep(0)
        await asyncio.sleep(1.5)
        seen = []
        try:
            async with asyncio.timeout(2):
                await workflow.sleep(60)
        except TimeoutError:
            seen.append("timeout")
        try:
            await asyncio.wait_for(workflow.sleep(60), 3)
        except TimeoutError:
            seen.append("wait_for")
        task = asyncio.create_task(workflow.sleep(30))
        await asyncio.sleep(0)
        task.cancel()
        try:
            await task
        except asyncio.CancelledError:
            seen.append("born and cancelled in one task")
        await workflow.sleep(1)
        return ",".join(seen)


@workflow.defn
class Mailbox:
    """Signals, queries and updates."""

    def __init__(self) -> None:
        self.names: list[str] = []
        self.done = False

    @workflow.run
    async def run(self) -> list[str]:
        await workflow.wait_condition(lambda: self.done, timeout=timedelta(hours=1))
        await workflow.wait_condition(workflow.all_handlers_finished)
        return self.names

    @workflow.signal
    async def add(self, name: str) -> None:
        self.names.append(await workflow.execute_activity("clean", name, start_to_close_timeout=SHORT))

    @workflow.signal
    def finish(self) -> None:
        self.done = True

    @workflow.signal(dynamic=True)
    def other(self, name: str, args: Sequence[RawValue]) -> None:
        self.names.append(f"{name}:{[workflow.payload_converter().from_payload(a.payload) for a in args]}")

    @workflow.query
    def count(self) -> int:
        return len(self.names)

    @workflow.update
    async def rename(self, old: str, new: str) -> int:
        await workflow.execute_activity("rename", args=[old, new], start_to_close_timeout=SHORT)
        self.names.append(new)
        return len(self.names)

    @rename.validator
    def check_rename(self, old: str, new: str) -> None:
        if old == new:
            raise ValueError("nothing to rename")

    @workflow.update
    def now_done(self) -> str:
        self.done = True
        return "ok"

    @workflow.update
    def fails(self) -> None:
        raise ApplicationError("no", type="Refused")


@workflow.defn
class Starter:
    """What the run method and a signal handler schedule first when both have their first slice in one task."""

    def __init__(self) -> None:
        self.seen = 0

    @workflow.run
    async def run(self) -> int:
        await workflow.execute_activity("from_run", start_to_close_timeout=SHORT)
        await workflow.wait_condition(lambda: self.seen > 0)
        return self.seen

    @workflow.signal
    async def go(self) -> None:
        await workflow.execute_activity("from_signal", start_to_close_timeout=SHORT)
        self.seen += 1


@workflow.defn
class Family:
    """Children."""

    @workflow.run
    async def run(self, kind: int) -> list[str]:
        seen = []
        handle = await workflow.start_child_workflow(
            "Child", "x", id="child-1", cancellation_type=workflow.ChildWorkflowCancellationType(kind)
        )
        await handle.signal("hello", 1)
        try:
            seen.append(str(await handle))
        except BaseException as error:
            seen.append(f"{type(error).__name__}")
            if not is_cancelled_exception(error):
                raise
        try:
            seen.append(str(await workflow.execute_child_workflow("Child", id="child-2")))
        except Exception as error:
            seen.append(f"{type(error).__name__}: {type(error.__cause__).__name__}")
        return seen


@workflow.defn
class RandomIds:
    """Ids that come from the run's randomness."""

    @workflow.run
    async def run(self) -> list[str]:
        first = str(workflow.uuid4())
        await workflow.execute_activity("a", first, activity_id=first, start_to_close_timeout=SHORT)
        second = str(workflow.uuid7())
        await workflow.execute_activity("b", activity_id=second, start_to_close_timeout=SHORT)
        third = f"{workflow.random().random()}"
        await workflow.execute_activity("c", activity_id=third, start_to_close_timeout=SHORT)
        await workflow.execute_child_workflow("Child")
        named = f"{workflow.new_random('dice').randint(1, 10**9)}"
        await workflow.execute_activity("d", activity_id=named, start_to_close_timeout=SHORT)
        return [first, second, third, named]


@workflow.defn
class Patched:
    """An open patch and a deprecated one."""

    @workflow.run
    async def run(self) -> str:
        if workflow.patched("new-path"):
            await workflow.execute_activity("new", start_to_close_timeout=SHORT)
        else:
            await workflow.execute_activity("old", start_to_close_timeout=SHORT)
        workflow.deprecate_patch("older-path")
        await workflow.sleep(1)
        return "new" if workflow.patched("new-path") else "old"


@workflow.defn
class Locals:
    """Local activities, alone, side by side, failing, and after a timer."""

    @workflow.run
    async def run(self) -> list[Any]:
        one = await workflow.execute_local_activity("one", start_to_close_timeout=SHORT)
        both = await asyncio.gather(
            workflow.execute_local_activity("two", one, start_to_close_timeout=SHORT),
            workflow.execute_local_activity("three", start_to_close_timeout=SHORT),
        )
        await workflow.sleep(1)
        try:
            await workflow.execute_local_activity("bad", start_to_close_timeout=SHORT)
        except ActivityError as error:
            both.append(str(error.cause))
        await workflow.execute_activity("remote", start_to_close_timeout=SHORT)
        return [one, *both]


@workflow.defn
class Looping:
    """Continues as new until it has counted down."""

    @workflow.run
    async def run(self, count: int) -> str:
        await workflow.sleep(1)
        if count > 0:
            workflow.continue_as_new(count - 1)
        return "done"


@workflow.defn
class Cancellable:
    """Cleans up when it is cancelled."""

    @workflow.run
    async def run(self, kind: int) -> str:
        try:
            return str(
                await workflow.execute_activity(
                    "long",
                    start_to_close_timeout=SHORT,
                    heartbeat_timeout=SHORT,
                    cancellation_type=workflow.ActivityCancellationType(kind),
                )
            )
        except ActivityError as error:
            if not isinstance(error.cause, CancelledError):
                raise
            await workflow.execute_activity("clean_up", start_to_close_timeout=SHORT)
            raise


@workflow.defn
class Neighbour:
    """Talks to other workflows, and upserts."""

    @workflow.run
    async def run(self) -> list[str]:
        seen = []
        other = workflow.get_external_workflow_handle("other", run_id="other-run")
        await other.signal("hello", "you")
        try:
            await other.cancel(reason="enough")
        except ApplicationError:
            seen.append("gone")
        workflow.upsert_memo({"stage": 1, "old": None})
        workflow.upsert_search_attributes([SearchAttributeKey.for_keyword("Stage").value_set("one")])
        unsent = asyncio.create_task(other.signal("never"))
        await asyncio.sleep(0)
        unsent.cancel()
        try:
            await unsent
        except CancelledError:
            seen.append("unsent")
        await workflow.sleep(1)
        return seen


@workflow.defn
class Order3:
    """Three kinds of waiting that can be over in one task: who goes on first shows in the ids."""

    def __init__(self) -> None:
        self.flag = False

    @workflow.run
    async def run(self) -> None:
        async def after_activity() -> None:
            await workflow.execute_activity("a", start_to_close_timeout=SHORT)
            await workflow.execute_activity("after_activity", start_to_close_timeout=SHORT)

        async def after_timer() -> None:
            await workflow.sleep(5)
            await workflow.execute_activity("after_timer", start_to_close_timeout=SHORT)

        async def after_child() -> None:
            await workflow.execute_child_workflow("Child", id="c")
            await workflow.execute_activity("after_child", start_to_close_timeout=SHORT)

        async def after_condition() -> None:
            await workflow.wait_condition(lambda: self.flag, timeout=timedelta(seconds=50))
            await workflow.execute_activity("after_condition", start_to_close_timeout=SHORT)

        await asyncio.gather(after_condition(), after_timer(), after_activity(), after_child())

    @workflow.signal
    def set_flag(self) -> None:
        self.flag = True


@workflow.defn
class Helpers:
    """The ordered waiting helpers."""

    @workflow.run
    async def run(self) -> list[Any]:
        tasks = [asyncio.create_task(workflow.execute_activity("w", n, start_to_close_timeout=SHORT)) for n in range(3)]
        done, pending = await workflow.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        seen: list[Any] = [len(done), len(pending)]
        for each in workflow.as_completed(pending):
            seen.append(await each)
            await workflow.execute_activity("seen", seen[-1], start_to_close_timeout=SHORT)
        return seen


@workflow.defn(failure_exception_types=[KeyError])
class Fails:
    """Ends by failing."""

    @workflow.run
    async def run(self, how: str) -> None:
        await workflow.sleep(1)
        if how == "key":
            raise KeyError("missing")
        if how == "application":
            raise ApplicationError("bad", 1, 2, type="Bad", non_retryable=True)
        raise TimeoutError


@workflow.defn
class LateHandlers:
    """Handlers that are set at run time; signals wait for them."""

    @workflow.run
    async def run(self) -> list[str]:
        seen: list[str] = []
        await workflow.sleep(1)

        async def handle(name: str) -> None:
            await workflow.execute_activity("late", name, start_to_close_timeout=SHORT)
            seen.append(name)

        workflow.set_signal_handler("late", handle)
        await workflow.wait_condition(lambda: len(seen) >= 2)
        return seen
