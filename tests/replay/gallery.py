"""Workflows of every kind, in portable names only: the judge loads this file with another package's name.

Activities are called by name (``activities.py`` has them), so that nothing here belongs to one package alone.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from durable_nb import workflow
from durable_nb.common import RawValue, RetryPolicy, SearchAttributeKey
from durable_nb.exceptions import (
    ActivityError,
    ApplicationError,
    ChildWorkflowError,
    TimeoutError,
    WorkflowAlreadyStartedError,
    is_cancelled_exception,
)

SECOND = timedelta(seconds=1)
MINUTE = timedelta(minutes=1)
BLINK = timedelta(milliseconds=30)
ONCE = RetryPolicy(maximum_attempts=1)
SOON = RetryPolicy(initial_interval=timedelta(milliseconds=1), backoff_coefficient=1.0)


def called(error: BaseException | None) -> str:
    """Short name of a failure, the same in both packages."""
    kind = getattr(error, "type", None)
    return f"{type(error).__name__}:{getattr(kind, 'name', kind)}"


@workflow.defn
class Outcomes:
    """Activities that succeed, are retried, fail for good and run out of each of their four times."""

    @workflow.run
    async def run(self, name: str) -> list[str]:
        seen = [await workflow.execute_activity("echo", name, start_to_close_timeout=MINUTE, result_type=str)]
        seen.append(str(await workflow.execute_activity("flaky", 3, start_to_close_timeout=MINUTE, retry_policy=SOON)))
        ends: list[tuple[str, dict[str, Any]]] = [
            ("refuses", {"start_to_close_timeout": MINUTE}),
            ("fails", {"start_to_close_timeout": MINUTE, "retry_policy": ONCE}),
            ("fails", {"schedule_to_close_timeout": timedelta(seconds=5)}),
            (
                "echo",
                {"start_to_close_timeout": MINUTE, "schedule_to_start_timeout": SECOND, "task_queue": "nobody"},
            ),
            ("hangs", {"start_to_close_timeout": BLINK, "retry_policy": ONCE}),
            ("hangs", {"start_to_close_timeout": MINUTE, "heartbeat_timeout": BLINK, "retry_policy": ONCE}),
        ]
        for activity, options in ends:
            try:
                await workflow.execute_activity(activity, "x", **options)
            except ActivityError as error:
                seen.append(f"{called(error.cause)} {error.retry_state}")
        return seen


@workflow.defn
class FanOut:
    """Activities side by side, with ids of their own, and one after the first of them."""

    @workflow.run
    async def run(self, count: int) -> list[Any]:
        tasks = [
            asyncio.create_task(
                workflow.execute_activity("echo", n, activity_id=f"part-{n}", start_to_close_timeout=MINUTE)
            )
            for n in range(count)
        ]
        done, pending = await workflow.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        await workflow.execute_activity("echo", len(done), start_to_close_timeout=MINUTE)
        return sorted([each.result() for each in done] + [await each for each in workflow.as_completed(pending)])


@workflow.defn
class CancelsActivity:
    """An activity cancelled in one of three ways, and one cancelled before it was asked for."""

    @workflow.run
    async def run(self, kind: int) -> list[str]:
        unborn = workflow.start_activity("echo", "never", start_to_close_timeout=MINUTE)
        unborn.cancel()
        seen = [await self.end_of(unborn)]
        handle = workflow.start_activity(
            "until_cancelled",
            start_to_close_timeout=MINUTE,
            heartbeat_timeout=MINUTE,
            cancellation_type=workflow.ActivityCancellationType(kind),
        )
        await workflow.execute_activity("running", start_to_close_timeout=MINUTE)
        handle.cancel()
        seen.append(await self.end_of(handle))
        await workflow.execute_activity("echo", "after", start_to_close_timeout=MINUTE)
        return seen

    async def end_of(self, handle: Any) -> str:
        try:
            return str(await handle)
        except ActivityError as error:
            return called(error.cause)
        except asyncio.CancelledError:
            return "never began"


@workflow.defn
class Locals:
    """Local activities: alone, side by side, failing, retried in place and after a durable timer."""

    @workflow.run
    async def run(self) -> list[Any]:
        local = workflow.execute_local_activity
        one = await local("echo", 1, start_to_close_timeout=MINUTE)
        both = list(
            await asyncio.gather(
                local("echo", 2, start_to_close_timeout=MINUTE), local("echo", 3, start_to_close_timeout=MINUTE)
            )
        )
        await workflow.sleep(1)
        try:
            await local("refuses", "x", start_to_close_timeout=MINUTE)
        except ActivityError as error:
            both.append(called(error.cause))
        both.append(await local("flaky", 2, start_to_close_timeout=MINUTE, retry_policy=SOON))
        both.append(
            await local(
                "flaky",
                2,
                start_to_close_timeout=MINUTE,
                retry_policy=RetryPolicy(initial_interval=SECOND),
                local_retry_threshold=timedelta(milliseconds=1),
            )
        )
        await workflow.execute_activity("echo", "remote", start_to_close_timeout=MINUTE)
        return [one, *both]


@workflow.defn
class Races:
    """What it does depends on which local activities are done when it looks."""

    @workflow.run
    async def run(self) -> int:
        self.left = [workflow.start_local_activity("echo", "now", start_to_close_timeout=MINUTE)]
        for attempts in (2, 3):
            self.left.append(
                workflow.start_local_activity("flaky", attempts, start_to_close_timeout=MINUTE, retry_policy=SOON)
            )
        rounds = []
        while self.left:
            await workflow.wait_condition(lambda: any(each.done() for each in self.left))
            done = [each for each in self.left if each.done()]
            self.left = [each for each in self.left if not each.done()]
            rounds.append(workflow.start_activity("echo", len(done), start_to_close_timeout=MINUTE))
        return sum(await asyncio.gather(*rounds))


@workflow.defn
class Held:
    """A local activity holds the workflow task open; what arrives meanwhile comes after its commands."""

    def __init__(self) -> None:
        self.got: list[str] = []

    @workflow.run
    async def run(self, gate: str) -> list[str]:
        await workflow.execute_local_activity("passes_gate", gate, start_to_close_timeout=MINUTE)
        await workflow.execute_activity("echo", len(self.got), start_to_close_timeout=MINUTE)
        await workflow.wait_condition(lambda: len(self.got) >= 2)
        return self.got

    @workflow.signal
    async def add(self, text: str) -> None:
        self.got.append(text)
        await workflow.execute_activity("echo", text, start_to_close_timeout=MINUTE)


@workflow.defn
class HeldAtTheEnd:
    """Ends with the task that a local activity held open: a signal meanwhile must not be passed over."""

    def __init__(self) -> None:
        self.got: list[str] = []

    @workflow.run
    async def run(self, gate: str) -> list[str]:
        await workflow.execute_local_activity("passes_gate", gate, start_to_close_timeout=MINUTE)
        return self.got

    @workflow.signal
    def add(self, text: str) -> None:
        self.got.append(text)


@workflow.defn
class Timers:
    """Every way to wait for time: fired, cancelled, and born and cancelled within one task."""

    @workflow.run
    async def run(self) -> list[str]:
        await asyncio.sleep(0)
        await workflow.sleep(0)
        await asyncio.sleep(1.5)
        seen = []
        for wait in (self.scope, self.bounded, self.condition, self.stillborn, self.cancelled_later):
            try:
                seen.append(await wait())
            except (asyncio.TimeoutError, asyncio.CancelledError) as error:  # noqa: UP041 - ours hides the built-in
                seen.append(f"{wait.__name__} {type(error).__name__}")
        await workflow.sleep(1, summary="the last one")
        return seen

    async def scope(self) -> str:
        async with asyncio.timeout(2):
            await workflow.sleep(60)
        return "not cut"

    async def bounded(self) -> str:
        return await asyncio.wait_for(asyncio.sleep(60, "not cut"), 3)

    async def condition(self) -> str:
        await workflow.wait_condition(lambda: False, timeout=4)
        return "true"

    async def stillborn(self) -> str:
        task = asyncio.create_task(workflow.sleep(30))
        await asyncio.sleep(0)
        task.cancel()
        await task
        return "slept"

    async def cancelled_later(self) -> str:
        task = asyncio.create_task(workflow.sleep(30))
        await workflow.sleep(1)
        task.cancel()
        await task
        return "slept"


@workflow.defn
class Mailbox:
    """Signals, queries and updates of every kind."""

    @workflow.init
    def __init__(self, title: str) -> None:
        self.names = [title]
        self.done = False

    @workflow.run
    async def run(self, title: str) -> list[str]:
        await workflow.wait_condition(lambda: self.done, timeout=timedelta(hours=1))
        await workflow.wait_condition(workflow.all_handlers_finished)
        return self.names

    @workflow.signal
    async def add(self, name: str) -> None:
        self.names.append(await workflow.execute_activity("echo", name, start_to_close_timeout=MINUTE))

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
        await workflow.execute_activity("echo", args=[f"{old}>{new}"], start_to_close_timeout=MINUTE)
        self.names.append(new)
        return len(self.names)

    @rename.validator
    def check_rename(self, old: str, new: str) -> None:
        if old == new:
            raise ValueError("nothing to rename")

    @workflow.update
    def at_once(self, name: str) -> str:
        self.names.append(name)
        return "ok"

    @workflow.update
    async def fails(self) -> None:
        await workflow.sleep(0.001)
        raise ApplicationError("no", type="Refused")


@workflow.defn
class Starter:
    """A signal that comes with the start goes before the run method."""

    def __init__(self) -> None:
        self.seen = 0

    @workflow.run
    async def run(self) -> int:
        await workflow.execute_activity("echo", "from run", start_to_close_timeout=MINUTE)
        await workflow.wait_condition(lambda: self.seen > 0)
        return self.seen

    @workflow.signal
    async def go(self) -> None:
        await workflow.execute_activity("echo", "from signal", start_to_close_timeout=MINUTE)
        self.seen += 1


@workflow.defn
class LateHandlers:
    """Handlers that are set at run time; signals wait for them."""

    @workflow.run
    async def run(self) -> list[str]:
        seen: list[str] = []
        await workflow.sleep(1)

        async def handle(name: str) -> None:
            await workflow.execute_activity("echo", name, start_to_close_timeout=MINUTE)
            seen.append(name)

        workflow.set_signal_handler("late", handle)
        await workflow.wait_condition(lambda: len(seen) >= 2)
        return seen


@workflow.defn
class Child:
    """What the parents below start."""

    def __init__(self) -> None:
        self.heard: list[str] = []

    @workflow.run
    async def run(self, how: str) -> str:
        if how == "fails":
            raise ApplicationError("ill", type="Ill", non_retryable=True)
        if how == "waits":
            await workflow.wait_condition(lambda: bool(self.heard))
        if how == "sleeps":
            await workflow.sleep(3600)
        return f"{how} {self.heard}"

    @workflow.signal
    def hear(self, what: str) -> None:
        self.heard.append(what)


@workflow.defn
class Family:
    """Children of all kinds, some with ids that come from the run's randomness."""

    @workflow.run
    async def run(self) -> list[str]:
        seen = [await workflow.execute_child_workflow("Child", "plain")]
        handle = await workflow.start_child_workflow("Child", "waits")
        await handle.signal("hear", "you")
        seen.append(await handle)
        named = f"{workflow.info().workflow_id}-named"
        ends: list[tuple[str, dict[str, Any]]] = [
            ("fails", {}),
            ("sleeps", {"run_timeout": SECOND}),
            ("fails", {"retry_policy": RetryPolicy(maximum_attempts=2)}),
        ]
        for how, options in ends:
            try:
                await workflow.execute_child_workflow("Child", how, **options)
            except ChildWorkflowError as error:
                seen.append(called(error.cause))
        await workflow.start_child_workflow(
            "Child", "sleeps", id=named, parent_close_policy=workflow.ParentClosePolicy.TERMINATE
        )
        try:
            await workflow.start_child_workflow("Child", "plain", id=named)
        except WorkflowAlreadyStartedError:
            seen.append("in use")
        return seen


@workflow.defn
class Guardian:
    """Sees a child terminated by somebody else."""

    @workflow.run
    async def run(self, child_id: str) -> str:
        try:
            return str(await workflow.execute_child_workflow("Child", "sleeps", id=child_id))
        except ChildWorkflowError as error:
            return called(error.cause)


@workflow.defn
class CancelsChild:
    """A child cancelled in one of four ways."""

    @workflow.run
    async def run(self, kind: int) -> list[str]:
        seen = []
        handle = await workflow.start_child_workflow(
            "Child", "sleeps", cancellation_type=workflow.ChildWorkflowCancellationType(kind)
        )
        handle.cancel()
        try:
            seen.append(await handle)
        except BaseException as error:
            if not is_cancelled_exception(error):
                raise
            seen.append(type(error).__name__)
        await workflow.sleep(1)
        return seen


@workflow.defn
class Neighbour:
    """Talks to other workflows, upserts, and describes itself."""

    @workflow.run
    async def run(self, other_id: str) -> list[str]:
        seen = []
        other = workflow.get_external_workflow_handle(other_id)
        await other.signal("hear", "you")
        await other.cancel()
        nobody = workflow.get_external_workflow_handle("nobody")
        # Called one at a time: a coroutine that waits for its turn while the run is evicted is never awaited.
        for act in (lambda: nobody.signal("x"), nobody.cancel):
            try:
                await act()
            except ApplicationError as error:
                seen.append(f"{called(error)} {error}")
        workflow.upsert_memo({"stage": 1, "old": None})
        workflow.upsert_search_attributes([SearchAttributeKey.for_keyword("Stage").value_set("one")])
        workflow.set_current_details("nearly done")
        unsent = asyncio.create_task(other.signal("never"))
        await asyncio.sleep(0)
        unsent.cancel()
        try:
            await unsent
        except BaseException as error:
            seen.append(str(is_cancelled_exception(error)))
        await workflow.sleep(1)
        return seen


@workflow.defn
class Dice:
    """Ids from the run's own randomness and clock: the commands show whether both sides throw the same."""

    @workflow.run
    async def run(self) -> list[str]:
        thrown = []
        for throw in (
            workflow.uuid4,
            workflow.uuid7,
            workflow.random().random,
            workflow.now,
            workflow.time,
            workflow.uuid4,
            workflow.new_random().random,
            workflow.random().random,
        ):
            thrown.append(str(throw()))
            await workflow.execute_activity(
                "echo", thrown[-1], activity_id=f"{len(thrown)} {thrown[-1]}", start_to_close_timeout=MINUTE
            )
            await workflow.sleep(2)
        return thrown


@workflow.defn
class Patched:
    """Open patches, a deprecated one, and one asked for in a later task."""

    @workflow.run
    async def run(self) -> list[Any]:
        seen: list[Any] = []
        if workflow.patched("new-path"):
            seen.append(await workflow.execute_activity("echo", "new", start_to_close_timeout=MINUTE))
        else:
            seen.append(await workflow.execute_activity("echo", "old", start_to_close_timeout=MINUTE))
        workflow.deprecate_patch("older-path")
        await workflow.sleep(1)
        seen.append(workflow.patched("new-path"))
        seen.append(workflow.patched("late"))
        await workflow.sleep(1)
        seen.append(workflow.patched("later"))
        return seen


@workflow.defn
class Looping:
    """Continues as new until it has counted down."""

    @workflow.run
    async def run(self, count: int) -> str:
        await workflow.execute_activity("echo", count, start_to_close_timeout=MINUTE)
        if count > 0:
            workflow.continue_as_new(count - 1, memo={"left": count})
        return "done"


@workflow.defn
class CleansUp:
    """Tidies up when it is cancelled, and is cancelled nevertheless."""

    @workflow.run
    async def run(self) -> str:
        try:
            await workflow.sleep(3600)
        except asyncio.CancelledError:
            await workflow.execute_activity("echo", "tidy", start_to_close_timeout=MINUTE)
            raise
        return "slept"


@workflow.defn
class Waits:
    """Does nothing until it is stopped from outside."""

    @workflow.run
    async def run(self) -> str:
        await workflow.execute_activity("echo", "begun", start_to_close_timeout=MINUTE)
        await workflow.sleep(86_400)
        return "slept"


@workflow.defn(failure_exception_types=[KeyError])
class Fails:
    """Ends by failing, in four ways."""

    @workflow.run
    async def run(self, how: str) -> None:
        await workflow.sleep(1)
        if how == "key":
            raise KeyError("missing")
        if how == "activity":
            await workflow.execute_activity("refuses", "x", start_to_close_timeout=MINUTE)
        if how == "timeout":
            raise TimeoutError("late", type=None, last_heartbeat_details=[])
        raise ApplicationError("bad", 1, 2, type="Bad", non_retryable=how == "final")


@workflow.defn
class Retried:
    """Fails until its third attempt."""

    @workflow.run
    async def run(self) -> int:
        await workflow.execute_activity("echo", "x", start_to_close_timeout=MINUTE)
        if workflow.info().attempt < 3:
            raise ApplicationError("again")
        return workflow.info().attempt


@workflow.defn
class Periodic:
    """A cron run that counts its predecessors."""

    @workflow.run
    async def run(self) -> int:
        last = workflow.get_last_completion_result(int) or 0
        await workflow.execute_activity("echo", last, start_to_close_timeout=MINUTE)
        return last + 1


@workflow.defn
class Mended:
    """Its code is broken at first; the task fails until it is mended."""

    broken = False

    @workflow.run
    async def run(self) -> str:
        await workflow.execute_activity("echo", "before", start_to_close_timeout=MINUTE)
        if Mended.broken:
            raise RuntimeError("a bug")
        return str(await workflow.execute_activity("echo", "after", start_to_close_timeout=MINUTE))


@workflow.defn
class Deciding:
    """Asks its activity anew after a reset."""

    @workflow.run
    async def run(self) -> str:
        first = str(workflow.uuid4())
        await workflow.execute_activity("echo", first, activity_id=first, start_to_close_timeout=MINUTE)
        second = str(workflow.uuid4())
        await workflow.execute_activity("echo", second, activity_id=second, start_to_close_timeout=MINUTE)
        return "decided"
