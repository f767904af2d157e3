"""What workflow code can do: timers, handlers, other workflows, versions, functions as workflows, faults of its own."""

from __future__ import annotations

import asyncio
import time
import warnings
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest

from durable_nb import activity, workflow
from durable_nb.client import Client, WorkflowFailureError
from durable_nb.common import RawValue
from durable_nb.exceptions import ApplicationError, CancelledError
from durable_nb.worker import Replayer
from tests.acceptance.world import MINUTE, events, kinds, outcome, serving, start
from tests.waiting import recorded


@workflow.defn
class Timers:
    @workflow.run
    async def run(self) -> list[str]:
        seen = []
        begin = workflow.time()
        await workflow.sleep(0)
        await workflow.sleep(timedelta(hours=1), summary="an hour")
        await asyncio.sleep(3600)
        for wait in (self.by_timeout, self.by_wait_for, self.by_wait, self.by_condition):
            try:
                await wait()
            except TimeoutError:
                seen.append(wait.__name__)
        seen.append(f"{round((workflow.time() - begin) / 3600)} hours")
        return seen

    async def by_timeout(self) -> None:
        async with asyncio.timeout(3600):
            await asyncio.Event().wait()

    async def by_wait_for(self) -> None:
        await asyncio.wait_for(asyncio.Event().wait(), 3600)

    async def by_wait(self) -> None:
        task = asyncio.ensure_future(asyncio.Event().wait())
        _, left = await workflow.wait([task], timeout=3600)
        task.cancel()
        if left:
            raise TimeoutError

    async def by_condition(self) -> None:
        await workflow.wait_condition(lambda: False, timeout=timedelta(hours=1))


async def test_every_form_of_waiting_in_asyncio_is_a_durable_timer(skipping: Any) -> None:
    async with serving(skipping.client, Timers):
        handle = await start(skipping.client, Timers.run)
        assert await handle.result() == ["by_timeout", "by_wait_for", "by_wait", "by_condition", "6 hours"]
        assert (await kinds(handle)).count("TIMER_FIRED") == 7
        await Replayer(workflows=[Timers]).replay_workflow(await handle.fetch_history())


@workflow.defn(dynamic=True)
class Anything:
    def __init__(self) -> None:
        self.seen: list[Any] = []

    @workflow.run
    async def run(self, args: Sequence[RawValue]) -> list[Any]:
        self.seen.append([workflow.info().workflow_type, *values(args)])
        workflow.set_query_handler("late", lambda: "set at run time")
        workflow.set_update_handler("late_update", self.late, validator=self.check)
        await workflow.wait_condition(lambda: len(self.seen) == 4)
        return self.seen

    def check(self, number: int) -> None:
        if number < 0:
            raise ValueError("negative")

    async def late(self, number: int) -> int:
        self.seen.append(["late", number])
        return number * 2

    @workflow.signal(dynamic=True)
    async def any_signal(self, name: str, args: Sequence[RawValue]) -> None:
        self.seen.append([name, *values(args)])

    @workflow.query(dynamic=True)
    def any_query(self, name: str, args: Sequence[RawValue]) -> str:
        return f"{name}{values(args)}"

    @workflow.update(dynamic=True)
    async def any_update(self, name: str, args: Sequence[RawValue]) -> str:
        self.seen.append([name, *values(args)])
        return name


def values(args: Sequence[RawValue]) -> list[Any]:
    return [workflow.payload_converter().from_payload(arg.payload) for arg in args]


async def test_dynamic_handlers_and_those_set_at_run_time_are_called(client: Client) -> None:
    async with serving(client, Anything):
        handle = await start(client, "AnyName", 1, "two")
        await handle.signal("poke", "hard")
        assert await handle.query("what", 3) == "what[3]"
        assert await handle.query("late") == "set at run time"
        assert await handle.execute_update("other", 4) == "other"
        assert await handle.execute_update("late_update", 5) == 10
        assert await handle.result() == [["AnyName", 1, "two"], ["poke", "hard"], ["other", 4], ["late", 5]]


@workflow.defn
class Unfinished:
    def __init__(self) -> None:
        self.done = False

    @workflow.run
    async def run(self) -> bool:
        await workflow.wait_condition(lambda: self.done)
        return workflow.all_handlers_finished()

    @workflow.signal
    async def begins(self) -> None:
        self.done = True
        await workflow.sleep(1000)

    @workflow.signal(unfinished_policy=workflow.HandlerUnfinishedPolicy.ABANDON)
    async def quietly(self) -> None:
        self.done = True
        await workflow.sleep(1000)


async def test_a_handler_that_is_unfinished_at_the_end_is_warned_of(client: Client) -> None:
    async with serving(client, Unfinished):
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            handle = await start(client, Unfinished.run)
            await handle.signal(Unfinished.begins)
            assert await handle.result() is False
        assert [w.category for w in caught] == [workflow.UnfinishedSignalHandlersWarning]
        assert "begins" in str(caught[0].message)
        handle = await start(client, Unfinished.run)
        await handle.signal(Unfinished.quietly)
        assert await handle.result() is False


@workflow.defn
class Target_:
    def __init__(self) -> None:
        self.heard = ""

    @workflow.run
    async def run(self) -> str:
        await workflow.wait_condition(lambda: False)
        return "never"

    @workflow.signal
    def hear(self, what: str) -> None:
        self.heard = what

    @workflow.query
    def what(self) -> str:
        return self.heard


@workflow.defn
class Caller:
    @workflow.run
    async def run(self, target: str) -> str:
        other = workflow.get_external_workflow_handle_for(Target_.run, target)
        await other.signal(Target_.hear, "hello")
        await other.cancel()
        try:
            await workflow.get_external_workflow_handle("nobody").signal("hear", "x")
        except ApplicationError as error:
            return str(error.type)
        return "signalled nobody"


async def test_a_workflow_signals_and_cancels_another_and_hears_of_a_missing_one(client: Client) -> None:
    async with serving(client, Caller, Target_):
        other = await start(client, Target_.run)
        assert await outcome(client, Caller.run, other.id) == "ExternalWorkflowExecutionNotFound"
        assert await other.query(Target_.what) == "hello"
        with pytest.raises(WorkflowFailureError) as raised:
            await other.result()
        assert isinstance(raised.value.cause, CancelledError)


@activity.defn(start_to_close_timeout=MINUTE)
async def double(number: int) -> int:
    return number * 2


class Steps:
    def __init__(self) -> None:
        self.go_on = False

    async def wait(self) -> None:
        await workflow.wait_condition(lambda: self.go_on)


@workflow.defn(name="Changing")
class First(Steps):
    @workflow.run
    async def run(self) -> str:
        await self.wait()
        await workflow.execute_activity(double, 1, start_to_close_timeout=MINUTE)
        return "old"

    @workflow.signal
    def proceed(self) -> None:
        self.go_on = True


@workflow.defn(name="Changing")
class Second(Steps):
    @workflow.run
    async def run(self) -> str:
        if workflow.patched("new way"):
            await workflow.sleep(0.001)
        await self.wait()
        await workflow.execute_activity(double, 1, start_to_close_timeout=MINUTE)
        return "patched" if workflow.patched("new way") else "old"

    @workflow.signal
    def proceed(self) -> None:
        self.go_on = True


@workflow.defn(name="Changing")
class Third(Steps):
    @workflow.run
    async def run(self) -> str:
        workflow.deprecate_patch("new way")
        await workflow.sleep(0.001)
        await self.wait()
        await workflow.execute_activity(double, 1, start_to_close_timeout=MINUTE)
        return "deprecated"

    @workflow.signal
    def proceed(self) -> None:
        self.go_on = True


async def test_patches_carry_open_runs_across_versions_of_the_code(client: Client) -> None:
    async with serving(client, First, activities=[double]):
        old = await start(client, "Changing")
        await recorded(old, "WorkflowTaskCompleted")
    async with serving(client, Second, activities=[double]):
        new = await start(client, "Changing")
        await recorded(new, "TimerFired")
        await old.signal("proceed")
        assert await old.result() == "old"
        third = await start(client, "Changing")
        await third.signal("proceed")
        assert await third.result() == "patched"
    async with serving(client, Third, activities=[double]):
        await new.signal("proceed")
        assert await new.result() == "deprecated"


@workflow.defn
class Looked:
    @workflow.run
    async def run(self) -> None:
        workflow.set_current_details("waiting for **the post**")
        await self.waits_here()

    async def waits_here(self) -> None:
        await workflow.wait_condition(lambda: False)

    @workflow.query(description="How it is")
    def how(self) -> str:
        return workflow.get_current_details()


async def test_a_run_shows_where_it_waits_and_what_it_can_be_asked(client: Client) -> None:
    async with serving(client, Looked):
        handle = await start(client, Looked.run)
        assert "waits_here" in await handle.query("__stack_trace")
        enhanced = await handle.query("__enhanced_stack_trace")
        assert any("waits_here" in str(stack) for stack in enhanced["stacks"])
        metadata = await handle.query("__temporal_workflow_metadata")
        assert metadata["definition"]["type"] == "Looked"
        assert {"name": "how", "description": "How it is"} in metadata["definition"]["queryDefinitions"]
        assert metadata["currentDetails"] == "waiting for **the post**"
        assert await handle.query(Looked.how) == "waiting for **the post**"
        await handle.terminate()


@workflow.defn
async def order_function(number: int) -> int:
    first, second = await asyncio.gather(double(number), double(number + 1))
    return first + second


async def test_a_function_is_a_workflow_and_activities_are_called_directly(client: Client) -> None:
    async with serving(client, order_function, activities=[double]):  # type: ignore[arg-type]
        handle = await start(client, order_function, 5)
        assert await handle.result() == 22
        assert (await kinds(handle)).count("ACTIVITY_TASK_SCHEDULED") == 2


@workflow.defn
class Blocks:
    tries = 0

    @workflow.run
    async def run(self) -> str:
        Blocks.tries += 1
        if Blocks.tries == 1:
            until = time.monotonic() + 20
            with workflow.unsafe.sandbox_unrestricted():
                while time.monotonic() < until:
                    pass
        return "yielded"


@pytest.mark.slow
async def test_a_workflow_that_blocks_is_stopped_and_others_go_on(client: Client) -> None:
    Blocks.tries = 0
    async with serving(client, Blocks, order_function, activities=[double]):  # type: ignore[arg-type]
        blocked = await start(client, Blocks.run)
        assert await outcome(client, order_function, 1) == 6
        await recorded(blocked, "WorkflowTaskFailed")
        failed = next(e for e in await events(blocked) if "workflowTaskFailedEventAttributes" in e)
        assert "deadlock" in failed["workflowTaskFailedEventAttributes"]["failure"]["message"].lower()
        assert await blocked.result() == "yielded"


@workflow.defn
class Resettable:
    def __init__(self) -> None:
        self.seen: list[str] = []

    @workflow.run
    async def run(self) -> list[str]:
        first = await double(1)
        await workflow.wait_condition(lambda: "end" in self.seen)
        return [str(first), *self.seen]

    @workflow.signal
    def tell(self, what: str) -> None:
        self.seen.append(what)


async def test_a_reset_run_goes_on_from_its_middle_with_the_signals_it_had(client: Client) -> None:
    async with serving(client, Resettable, activities=[double]):
        handle = await start(client, Resettable.run)
        await recorded(handle, "WorkflowTaskCompleted", 2)
        await handle.signal(Resettable.tell, "end")
        assert await handle.result() == ["2", "end"]
        second = [e["eventId"] for e in await events(handle) if "workflowTaskCompletedEventAttributes" in e][1]
        again = await handle.reset(int(second), reason="once more")
        assert again.result_run_id != handle.result_run_id
        assert await again.result() == ["2", "end"]
        assert (await kinds(again)).count("ACTIVITY_TASK_SCHEDULED") == 1


@workflow.defn
class Measures:
    @workflow.run
    async def run(self, ballast: str) -> list[int]:
        first = workflow.info().get_current_history_size()
        await workflow.sleep(0)
        return [first, workflow.info().get_current_history_size()]


async def test_the_first_task_too_knows_how_big_the_history_is(client: Client) -> None:
    async with serving(client, Measures):
        first, second = await outcome(client, Measures.run, "x" * 5000)
        assert 5000 < first < second < 2 * first
