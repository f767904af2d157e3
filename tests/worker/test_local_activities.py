"""Local activities: attempts, retries, timeouts and cancellation inside the worker (temporal-semantics 3.3)."""

from __future__ import annotations

import asyncio
from typing import Any

from durable_nb import activity
from durable_nb.activity import ActivityCancellationDetails
from durable_nb.exceptions import ApplicationError
from durable_nb.model.attributes import RetryPolicyAttributes
from durable_nb.model.commands import LocalActivityRequest
from durable_nb.model.enums import RetryState, TimeoutType
from durable_nb.model.tasks import WorkflowTask
from durable_nb.worker._local import LocalActivityEnd, LocalActivityRun
from tests.worker.executor_rig import Rig, payloads, settle, value_of

SECOND = 1_000_000


class Flaky:
    """Fails until its ``good`` attempt; keeps what it saw."""

    def __init__(self, good: int = 1, **error: Any) -> None:
        self.good = good
        self.error = error
        self.seen: list[tuple[int, bool]] = []

    @activity.defn(name="flaky")
    async def run(self, text: str = "x") -> str:
        info = activity.info()
        self.seen.append((info.attempt, info.is_local))
        if info.attempt < self.good:
            raise ApplicationError("not yet", type="Early", **self.error)
        return text


class Hanging:
    def __init__(self) -> None:
        self.details: list[ActivityCancellationDetails | None] = []

    @activity.defn(name="hanging")
    async def run(self) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            self.details.append(activity.cancellation_details())


def request(activity_type: str, *args: Any, **fields: Any) -> LocalActivityRequest:
    return LocalActivityRequest(
        seq=1, activity_id="1", activity_type=activity_type, input=payloads(*args), header={}, **fields
    )


def workflow_task() -> WorkflowTask:
    return WorkflowTask("default", "w", "r", "W", "q", 1, [], 0, 3, 3, 100)


class LocalRig(Rig):
    """A rig with workflow time: microseconds that go with the manual timers, from instant one second on."""

    def __init__(self, *activities: Any, slots: int = 10) -> None:
        super().__init__(*activities)
        self.slots = asyncio.Semaphore(slots)

    def now(self) -> int:
        return SECOND + int(self.timers.now * SECOND)

    def local(self, request: LocalActivityRequest) -> tuple[LocalActivityRun, asyncio.Task[LocalActivityEnd]]:
        run = LocalActivityRun(
            self.executor,
            request,
            workflow_task(),
            slots=self.slots,
            now=self.now,
            call_later=self.timers.call_later,
        )
        return run, asyncio.get_running_loop().create_task(run.run())


async def test_a_local_activity_runs_at_once_and_gives_its_result() -> None:
    flaky = Flaky()
    rig = LocalRig(flaky.run)
    _, end = rig.local(request("flaky", "hello"))
    assert value_of((await end).outcome) == "hello"
    assert flaky.seen == [(1, True)]
    assert rig.executor.free_slots() == 100, "local activities do not take slots of the others"


async def test_failed_attempts_are_repeated_after_the_backoff_of_the_policy() -> None:
    flaky = Flaky(good=3)
    rig = LocalRig(flaky.run)
    _, end = rig.local(request("flaky"))
    await settle()
    assert rig.timers.pending == [1.0]
    await rig.timers.advance(1)
    assert rig.timers.pending == [3.0]
    await rig.timers.advance(2)
    ended = await end
    assert value_of(ended.outcome) == "x"
    assert (ended.attempt, ended.complete_time, ended.backoff) == (3, 4 * SECOND, 0)


async def test_a_backoff_over_the_threshold_is_handed_back() -> None:
    flaky = Flaky(good=9)
    rig = LocalRig(flaky.run)
    policy = RetryPolicyAttributes(
        initial_interval=30 * SECOND, backoff_coefficient=10.0, maximum_interval=500 * SECOND
    )
    _, end = rig.local(request("flaky", retry_policy=policy))
    await settle()
    await rig.timers.advance(30)
    ended = await end
    assert (ended.backoff, ended.attempt, ended.original_schedule_time) == (300 * SECOND, 2, SECOND)
    assert ended.outcome.failure is not None


async def test_the_threshold_is_the_requests_and_attempts_go_on_counting() -> None:
    flaky = Flaky(good=9)
    rig = LocalRig(flaky.run)
    _, end = rig.local(
        request("flaky", local_retry_threshold=3 * SECOND, attempt=3, original_schedule_time=SECOND // 2)
    )
    ended = await end
    assert (ended.backoff, ended.attempt, ended.original_schedule_time) == (4 * SECOND, 3, SECOND // 2)
    assert flaky.seen == [(3, True)]


async def test_attempts_end_with_the_policy_and_say_why() -> None:
    rig = LocalRig(Flaky(good=9).run)
    _, end = rig.local(request("flaky", retry_policy=RetryPolicyAttributes(maximum_attempts=1)))
    assert (await end).retry_state is RetryState.MAXIMUM_ATTEMPTS_REACHED
    rig = LocalRig(Flaky(good=9, non_retryable=True).run)
    _, end = rig.local(request("flaky"))
    assert (await end).retry_state is RetryState.NON_RETRYABLE_FAILURE


async def test_a_retry_that_would_come_after_the_deadline_is_given_up() -> None:
    rig = LocalRig(Flaky(good=9).run)
    _, end = rig.local(request("flaky", schedule_to_close_timeout=2 * SECOND))
    await settle()
    await rig.timers.advance(1)
    ended = await end
    assert ended.retry_state is RetryState.TIMEOUT
    assert ended.outcome.failure is not None
    assert ended.outcome.failure.application_failure_info is not None, "the last failure, not the timeout"


async def test_start_to_close_ends_the_attempt_and_the_next_begins() -> None:
    hanging = Hanging()
    rig = LocalRig(hanging.run)
    policy = RetryPolicyAttributes(maximum_attempts=2)
    _, end = rig.local(request("hanging", start_to_close_timeout=5 * SECOND, retry_policy=policy))
    await settle()
    await rig.timers.advance(5)
    assert hanging.details == [ActivityCancellationDetails(timed_out=True)]
    await rig.timers.advance(6)
    ended = await end
    assert ended.attempt == 2
    assert ended.outcome.failure.timeout_failure_info.timeout_type is TimeoutType.START_TO_CLOSE
    assert ended.retry_state is RetryState.MAXIMUM_ATTEMPTS_REACHED


async def test_schedule_to_close_ends_it_for_good() -> None:
    rig = LocalRig(Hanging().run)
    _, end = rig.local(request("hanging", start_to_close_timeout=5 * SECOND, schedule_to_close_timeout=3 * SECOND))
    await settle()
    await rig.timers.advance(3)
    ended = await end
    assert ended.outcome.failure.timeout_failure_info.timeout_type is TimeoutType.SCHEDULE_TO_CLOSE
    assert ended.retry_state is RetryState.NON_RETRYABLE_FAILURE


async def test_one_that_gets_no_slot_in_time_is_timed_out() -> None:
    hanging, flaky = Hanging(), Flaky()
    rig = LocalRig(hanging.run, flaky.run, slots=1)
    first, _ = rig.local(request("hanging"))
    await settle()
    _, late = rig.local(request("flaky", schedule_to_start_timeout=2 * SECOND))
    _, patient = rig.local(request("flaky"))
    await settle()
    await rig.timers.advance(2)
    ended = await late
    assert ended.outcome.failure.timeout_failure_info.timeout_type is TimeoutType.SCHEDULE_TO_START
    first.cancel()
    assert value_of((await patient).outcome) == "x"


async def test_cancellation_needs_no_heartbeat() -> None:
    hanging = Hanging()
    rig = LocalRig(hanging.run)
    run, end = rig.local(request("hanging"))
    await settle()
    run.cancel()
    assert (await end).outcome.canceled
    assert hanging.details == [ActivityCancellationDetails(cancel_requested=True)]


async def test_a_cancel_during_the_backoff_ends_it_at_once() -> None:
    rig = LocalRig(Flaky(good=9).run)
    run, end = rig.local(request("flaky"))
    await settle()
    run.cancel()
    assert (await end).outcome.canceled
    assert rig.timers.pending == []
