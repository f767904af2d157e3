"""Classic mistakes of temporal-semantics 10: order of inputs, conditions, timers, time, randomness, patches, replay."""

from __future__ import annotations

import asyncio
import logging
import random
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from durable_nb import activity, workflow
from durable_nb.client import (
    Client,
    RPCError,
    RPCStatusCode,
    WorkflowFailureError,
    WorkflowHistory,
    WorkflowUpdateFailedError,
)
from durable_nb.common import RetryPolicy
from durable_nb.engine.clock import ManualClock
from durable_nb.exceptions import ActivityError, ApplicationError, CancelledError
from durable_nb.runtime.siphash import siphash13
from durable_nb.worker import Replayer
from tests.acceptance.world import MINUTE, QUICKLY, backs_off, events, has, kinds, outcome, serving, start
from tests.waiting import recorded, until

broken = {"code": True}
calls: list[str] = []


@activity.defn
async def note(text: str) -> str:
    calls.append(text)
    return text


@activity.defn
async def fails_twice() -> int:
    if activity.info().attempt < 3:
        raise ConnectionError("not yet")
    return activity.info().attempt


@workflow.defn
class Faulty:
    @workflow.run
    async def run(self) -> str:
        if broken["code"]:
            raise ValueError("a bug")
        return "fixed"


@pytest.mark.slow
async def test_01_a_plain_exception_fails_the_task_and_fixed_code_goes_on(client: Client) -> None:
    broken["code"] = True
    async with serving(client, Faulty):
        handle = await start(client, Faulty.run)
        await recorded(handle, "WorkflowTaskFailed")
        assert (await handle.describe()).status is not None
        assert (await handle.describe()).status.name == "RUNNING"  # type: ignore[union-attr]
        broken["code"] = False
        assert await handle.result() == "fixed"


@workflow.defn
class FailsByOption:
    @workflow.run
    async def run(self) -> None:
        raise ValueError("wanted")


async def test_01b_the_worker_may_name_exceptions_that_fail_the_workflow(client: Client) -> None:
    async with serving(client, FailsByOption, workflow_failure_exception_types=[ValueError]):
        with pytest.raises(WorkflowFailureError) as raised:
            await outcome(client, FailsByOption.run)
    assert isinstance(raised.value.cause, ApplicationError)
    assert (raised.value.cause.type, raised.value.cause.message) == ("ValueError", "wanted")


@workflow.defn
class DefaultRetry:
    @workflow.run
    async def run(self) -> int:
        return await workflow.execute_activity(fails_twice, start_to_close_timeout=MINUTE)


async def test_02_activities_are_retried_by_default_and_workflows_are_not(skipping: Any) -> None:
    async with serving(skipping.client, DefaultRetry, AlwaysFails, ParentOfFailure, activities=[fails_twice]):
        handle = await start(skipping.client, DefaultRetry.run)
        assert await handle.result() == 3
        scheduled = (await events(handle))[4]["activityTaskScheduledEventAttributes"]
        assert scheduled["retryPolicy"] == {
            "initialInterval": "1s",
            "backoffCoefficient": 2.0,
            "maximumInterval": "100s",
        }
        handle = await start(skipping.client, AlwaysFails.run)
        with pytest.raises(WorkflowFailureError):
            await handle.result()
        assert "retryPolicy" not in (await events(handle))[0]["workflowExecutionStartedEventAttributes"]
        handle = await start(skipping.client, ParentOfFailure.run)
        assert await handle.result() == "one child run"


@workflow.defn
class AlwaysFails:
    @workflow.run
    async def run(self) -> None:
        calls.append("child run")
        raise ApplicationError("no")


@workflow.defn
class ParentOfFailure:
    @workflow.run
    async def run(self) -> str:
        calls.clear()
        try:
            await workflow.execute_child_workflow(AlwaysFails.run)
        except Exception:
            return "one child run" if calls == ["child run"] else str(calls)
        return "no failure"


@workflow.defn
class Ordered:
    def __init__(self) -> None:
        self.seen: list[str] = []

    @workflow.run
    async def run(self) -> list[str]:
        self.seen.append("run")
        await workflow.sleep(timedelta(days=1))
        self.seen.append("timer")
        await workflow.wait_condition(lambda: "signal" in self.seen)
        return self.seen

    @workflow.signal
    def tell(self, what: str) -> None:
        self.seen.append(what)


async def test_03_a_signal_of_the_same_task_is_handled_before_a_timer(skipping: Any) -> None:
    async with serving(skipping.client, Ordered):
        handle = await start(skipping.client, Ordered.run)
        await until(lambda: has(handle, "TIMER_STARTED"))
    await skipping.sleep(timedelta(days=2))  # The timer fires while nobody serves the workflow.
    await until(lambda: has(handle, "TIMER_FIRED"))
    await handle.signal(Ordered.tell, "signal")
    async with serving(skipping.client, Ordered):
        assert await handle.result() == ["run", "signal", "timer"]


async def test_04_signal_with_start_runs_the_handler_before_run(client: Client) -> None:
    async with serving(client, QuickOrdered):
        handle = await start(client, QuickOrdered.run, start_signal="tell", start_signal_args=["signal"])
        assert await handle.result() == ["signal", "run"]


@workflow.defn
class QuickOrdered:
    def __init__(self) -> None:
        self.seen: list[str] = []

    @workflow.run
    async def run(self) -> list[str]:
        self.seen.append("run")
        return self.seen

    @workflow.signal
    def tell(self, what: str) -> None:
        self.seen.append(what)


@workflow.defn
class Conditions:
    def __init__(self) -> None:
        self.number = 0
        self.looks = 0
        self.woken: list[str] = []

    def look(self) -> bool:
        self.looks += 1
        return self.number > 0

    async def wait(self, name: str, least: int) -> None:
        await workflow.wait_condition(lambda: self.number >= least)
        self.woken.append(name)

    @workflow.run
    async def run(self) -> list[str]:
        await asyncio.gather(
            workflow.wait_condition(self.look), self.wait("a", 1), self.wait("never first", 2), self.wait("b", 1)
        )
        return self.woken

    @workflow.signal
    def set(self, number: int) -> None:
        self.number = number

    @workflow.update
    def change(self, number: int) -> None:
        self.number = number

    @change.validator
    def check(self, number: int) -> None:
        raise ValueError("refused")

    @workflow.query
    def looked(self) -> int:
        return self.looks

    @workflow.query
    def order(self) -> list[str]:
        return self.woken


async def test_05_conditions_are_looked_at_only_after_what_may_change_them_and_all_true_ones_wake(
    client: Client,
) -> None:
    async with serving(client, Conditions):
        handle = await start(client, Conditions.run)
        looks = await handle.query(Conditions.looked)
        with pytest.raises(WorkflowUpdateFailedError):
            await handle.execute_update(Conditions.change, 5)
        assert await handle.query(Conditions.looked) == looks
        await handle.signal(Conditions.set, 1)
        assert await handle.query(Conditions.order) == ["a", "b"]
        await handle.signal(Conditions.set, 2)
        assert await handle.result() == ["a", "b", "never first"]


@activity.defn
async def forever() -> None:
    while True:
        activity.heartbeat()
        await asyncio.sleep(0.005)


@workflow.defn
class CancelledWait:
    @workflow.run
    async def run(self) -> str:
        try:
            await workflow.execute_activity(forever, start_to_close_timeout=MINUTE, heartbeat_timeout=MINUTE)
        except ActivityError as error:
            cause = type(error.cause)
        # The task goes on: it is no longer under cancellation.
        note_of_it = await workflow.execute_activity(note, "cleaned up", start_to_close_timeout=MINUTE)
        return f"{note_of_it} after {cause.__name__}"


async def test_06_a_cancel_in_an_activity_wait_is_an_activity_error_and_the_task_goes_on(client: Client) -> None:
    async with serving(client, CancelledWait, activities=[forever, note]):
        handle = await start(client, CancelledWait.run)
        await recorded(handle, "ActivityTaskScheduled")
        await handle.cancel()
        assert await handle.result() == f"cleaned up after {CancelledError.__name__}"


@workflow.defn
class ShortLivedTimer:
    @workflow.run
    async def run(self) -> None:
        doomed = asyncio.ensure_future(asyncio.sleep(1000))
        await asyncio.sleep(0)
        doomed.cancel()
        await asyncio.sleep(0.001)


async def test_07_a_timer_that_lives_within_one_task_leaves_no_event_but_uses_a_number(client: Client) -> None:
    async with serving(client, ShortLivedTimer):
        handle = await start(client, ShortLivedTimer.run)
        await handle.result()
        timers = [
            event["timerStartedEventAttributes"]["timerId"]
            for event in await events(handle)
            if "timerStartedEventAttributes" in event
        ]
        assert timers == ["2"]
        assert "TIMER_CANCELED" not in await kinds(handle)


@workflow.defn
class Clocked:
    @workflow.run
    async def run(self) -> list[Any]:
        first, again = workflow.now(), workflow.now()
        seconds = workflow.time()
        await workflow.sleep(0.01)
        later = workflow.now()
        return [first.isoformat(), again.isoformat(), seconds, later.isoformat(), asyncio.get_running_loop().time()]


async def test_17_now_is_the_time_of_the_task_and_stands_within_it(client: Client) -> None:
    async with serving(client, Clocked):
        handle = await start(client, Clocked.run)
        first, again, seconds, later, loop_time = await handle.result()
        started = [
            at(event["eventTime"])
            for event in await events(handle)
            if event["eventType"] == "EVENT_TYPE_WORKFLOW_TASK_STARTED"
        ]
    assert first == again
    assert [datetime.fromisoformat(first), datetime.fromisoformat(later)] == started
    assert seconds == pytest.approx(started[0].timestamp())
    assert loop_time == pytest.approx(started[1].timestamp())


def at(text: str) -> datetime:
    return datetime.fromisoformat(text.replace("Z", "+00:00")).astimezone(UTC)


@workflow.defn
class Dice:
    @workflow.run
    async def run(self) -> tuple[float, str]:
        return workflow.random().random(), str(workflow.uuid4())


async def test_18_random_is_seeded_by_the_run_id(client: Client) -> None:
    async with serving(client, Dice):
        handle = await start(client, Dice.run)
        number, identifier = await handle.result()
    assert handle.result_run_id is not None
    dice = random.Random(siphash13(handle.result_run_id.encode() + b"\xff"))
    assert number == dice.random()
    assert identifier == str(uuid.UUID(bytes=dice.getrandbits(128).to_bytes(16, "big"), version=4))


@workflow.defn
class Logging:
    @workflow.run
    async def run(self) -> str:
        workflow.logger.warning("before")
        await workflow.execute_activity(note, "a", start_to_close_timeout=MINUTE)
        return "a result that depends on nothing"


@workflow.defn(name="Logging")
class SameCommandsOtherResult:
    @workflow.run
    async def run(self) -> str:
        await workflow.execute_activity(note, "other input", start_to_close_timeout=MINUTE)
        return "another result"


@workflow.defn(name="Logging")
class OtherCommands:
    @workflow.run
    async def run(self) -> str:
        await workflow.sleep(1)
        return "a result that depends on nothing"


async def test_19_replay_compares_commands_not_values_and_does_not_log(
    client: Client, caplog: pytest.LogCaptureFixture
) -> None:
    async with serving(client, Logging, activities=[note]):
        handle = await start(client, Logging.run)
        await handle.result()
        history = await handle.fetch_history()
    assert sum("before" in record.getMessage() for record in caplog.records) == 1
    caplog.clear()
    caplog.set_level(logging.DEBUG)
    await Replayer(workflows=[Logging]).replay_workflow(history)
    await Replayer(workflows=[SameCommandsOtherResult]).replay_workflow(history)
    assert not any("before" in record.getMessage() for record in caplog.records)
    with pytest.raises(workflow.NondeterminismError):
        await Replayer(workflows=[OtherCommands]).replay_workflow(history)


async def test_20_exported_histories_carry_the_flags_of_the_core(client: Client) -> None:
    async with serving(client, Logging, activities=[note]):
        handle = await start(client, Logging.run)
        await handle.result()
        completed = next(e for e in await events(handle) if "workflowTaskCompletedEventAttributes" in e)
        exported = await handle.fetch_history()
    assert completed["workflowTaskCompletedEventAttributes"]["sdkMetadata"]["coreUsedFlags"]
    again = WorkflowHistory.from_json(handle.id, exported.to_json())
    assert again.to_json_dict() == exported.to_json_dict()


@workflow.defn
class PatchedLater:
    def __init__(self) -> None:
        self.go_on = False

    @workflow.run
    async def run(self) -> list[bool]:
        first = workflow.patched("p") if broken["code"] else False
        await workflow.wait_condition(lambda: self.go_on)
        return [first, workflow.patched("p"), workflow.patched("p")]

    @workflow.signal
    def finish(self) -> None:
        self.go_on = True


async def test_25_a_patch_is_decided_once_in_a_run(client: Client) -> None:
    broken["code"] = True
    async with serving(client, PatchedLater):
        handle = await start(client, PatchedLater.run)
        await recorded(handle, "WorkflowTaskCompleted")
        await handle.signal(PatchedLater.finish)
        assert await handle.result() == [True, True, True]
        markers = [e for e in await events(handle) if "markerRecordedEventAttributes" in e]
        assert len(markers) == 1
        await Replayer(workflows=[PatchedLater]).replay_workflow(await handle.fetch_history())


@workflow.defn
class OneEventPair:
    @workflow.run
    async def run(self) -> None:
        await workflow.execute_activity(fails_twice, start_to_close_timeout=MINUTE, retry_policy=QUICKLY)


async def test_09_one_started_event_is_written_however_many_attempts_there_were(client: Client) -> None:
    async with serving(client, OneEventPair, activities=[fails_twice]):
        handle = await start(client, OneEventPair.run)
        await handle.result()
        started = [
            e["activityTaskStartedEventAttributes"]
            for e in await events(handle)
            if "activityTaskStartedEventAttributes" in e
        ]
        assert len(started) == 1
        assert started[0]["attempt"] == 3
        assert "not yet" in started[0]["lastFailure"]["message"]
        assert "ACTIVITY_TASK_FAILED" not in await kinds(handle)


late_tokens: list[bytes] = []


@activity.defn
async def completes_elsewhere() -> str:
    late_tokens.append(activity.info().task_token)
    activity.raise_complete_async()


@workflow.defn
class LateCompletion:
    @workflow.run
    async def run(self) -> str:
        return await workflow.execute_activity(
            completes_elsewhere,
            start_to_close_timeout=MINUTE,
            retry_policy=RetryPolicy(initial_interval=MINUTE, maximum_attempts=2),
        )


async def test_15_the_late_completion_of_an_attempt_that_timed_out_is_refused(
    still_client: Client, clock: ManualClock
) -> None:
    late_tokens.clear()
    client = still_client
    async with serving(client, LateCompletion, activities=[completes_elsewhere]):
        handle = await start(client, LateCompletion.run)
        await until(lambda: late_tokens)
        clock.advance(60_000_000)  # its time is over
        await until(lambda: backs_off(handle))
        clock.advance(60_000_000)  # the next one is due
        await until(lambda: len(late_tokens) == 2)
        with pytest.raises(RPCError) as raised:
            await client.get_async_activity_handle(task_token=late_tokens[0]).complete("late")
        assert raised.value.status is RPCStatusCode.NOT_FOUND
        await client.get_async_activity_handle(task_token=late_tokens[1]).complete("in time")
        assert await handle.result() == "in time"
