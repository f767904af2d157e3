"""Local activities: attempts, timeouts and retries inside the worker, as part of a workflow task.

Nothing here is durable: the runtime records one marker when a local activity is over. A backoff longer than
``local_retry_threshold`` is handed back, because a durable timer must stand there (temporal-semantics 3.3).
The retry rules are the engine's own (``core.retry``). Everything here happens on the engine's loop.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from itertools import count
from typing import TYPE_CHECKING, Any

import msgspec

from durable_nb.activity import ActivityCancellationDetails
from durable_nb.core.retry import complete_policy, decide
from durable_nb.model.commands import LocalActivityRequest
from durable_nb.model.enums import RetryState, TimeoutType
from durable_nb.model.failure import Failure, TimeoutFailureInfo
from durable_nb.model.tasks import ActivityOutcome, ActivityTask, WorkflowTask

if TYPE_CHECKING:
    from durable_nb.worker._activity import ActivityExecutor
    from durable_nb.worker._heartbeat import Timer

_tokens = count(1)  # an attempt that outlived its timeout must not be taken for a later one
_THRESHOLD = 60 * 1_000_000
_REQUESTED = ActivityCancellationDetails(cancel_requested=True)
_TIMED_OUT = ActivityCancellationDetails(timed_out=True)
_TITLES = {
    TimeoutType.START_TO_CLOSE: "StartToClose",
    TimeoutType.SCHEDULE_TO_CLOSE: "ScheduleToClose",
    TimeoutType.SCHEDULE_TO_START: "ScheduleToStart",
}


class LocalActivityEnd(msgspec.Struct):
    """How a local activity ended.

    ``outcome`` is that of the last attempt. ``backoff`` (microseconds) is set when another attempt is due after a
    durable timer; its number is then ``attempt + 1``.
    """

    outcome: ActivityOutcome
    attempt: int
    original_schedule_time: int
    complete_time: int
    backoff: int = 0
    retry_state: RetryState | None = None


class LocalActivityRun:
    """One local activity, over all its attempts in this workflow task.

    Parameters
    ----------
    slots
        Local activities of the worker that may run at the same time.
    now
        Microseconds since the epoch.
    call_later
        The loop's, unless a test gives another clock.
    """

    def __init__(
        self,
        executor: ActivityExecutor,
        request: LocalActivityRequest,
        task: WorkflowTask,
        *,
        slots: asyncio.Semaphore,
        now: Callable[[], int],
        call_later: Callable[..., Timer] | None = None,
    ) -> None:
        self._executor = executor
        self._request = request
        self._task = task
        self._slots = slots
        self._now = now
        self._scheduled = request.original_schedule_time or now()
        timeout = request.schedule_to_close_timeout
        self._deadline = self._scheduled + timeout if timeout else 0
        self._loop = asyncio.get_running_loop()
        self._call_later = call_later or self._loop.call_later
        self._cancelled = self._loop.create_future()
        self._token = b""

    def cancel(self) -> None:
        """Ask the activity to stop; during a backoff it is over at once."""
        if not self._cancelled.done():
            self._cancelled.set_result(None)
        self._executor.cancel_local(self._token, _REQUESTED)

    async def run(self) -> LocalActivityEnd:
        """Run attempts until one succeeds, none is left, or the backoff grows too long."""
        request, policy = self._request, complete_policy(self._request.retry_policy)
        attempt = request.attempt
        while True:
            outcome = await self._attempt(attempt)
            if outcome.failure is None:
                return self._end(outcome, attempt)
            now = self._now()
            state, next_at = decide(outcome.failure, policy, attempt, now, self._deadline)
            if state is not RetryState.IN_PROGRESS:
                return self._end(outcome, attempt, retry_state=state)
            if self._cancelled.done():
                return self._end(ActivityOutcome(canceled=True), attempt)
            if next_at - now > (request.local_retry_threshold or _THRESHOLD):
                return self._end(outcome, attempt, backoff=next_at - now)
            if not await self._wait((next_at - now) / 1e6):
                return self._end(ActivityOutcome(canceled=True), attempt)
            attempt += 1

    def _end(
        self, outcome: ActivityOutcome, attempt: int, *, backoff: int = 0, retry_state: RetryState | None = None
    ) -> LocalActivityEnd:
        return LocalActivityEnd(outcome, attempt, self._scheduled, self._now(), backoff, retry_state)

    async def _attempt(self, attempt: int) -> ActivityOutcome:
        late = await self._take_slot()
        if late is not None:
            return late
        try:
            return await self._run_once(attempt)
        finally:
            self._slots.release()

    async def _take_slot(self) -> ActivityOutcome | None:
        """Wait for a slot; the outcome when it came too late."""
        if not self._slots.locked():
            await self._slots.acquire()
            return None
        limit, kind = self._request.schedule_to_start_timeout, TimeoutType.SCHEDULE_TO_START
        remaining = self._remaining()
        if self._deadline and (not limit or remaining < limit):
            limit, kind = remaining, TimeoutType.SCHEDULE_TO_CLOSE
        slot = self._loop.create_task(self._slots.acquire())
        timer = self._call_later(limit / 1e6, slot.cancel) if limit else None
        try:
            await slot
        except asyncio.CancelledError:
            if not slot.cancelled():
                raise
            return _timed_out(kind)
        finally:
            if timer is not None:
                timer.cancel()
        return None

    async def _run_once(self, attempt: int) -> ActivityOutcome:
        remaining = self._remaining()
        if self._deadline and remaining <= 0:
            return _timed_out(TimeoutType.SCHEDULE_TO_CLOSE)
        limit, kind = self._request.start_to_close_timeout, TimeoutType.START_TO_CLOSE
        if self._deadline and (not limit or remaining < limit):
            limit, kind = remaining, TimeoutType.SCHEDULE_TO_CLOSE
        ended: asyncio.Future[ActivityOutcome] = self._loop.create_future()

        def report(outcome: ActivityOutcome) -> None:
            self._loop.call_soon_threadsafe(_resolve, ended, outcome)

        task = self._activity_task(attempt)
        self._token = task.task_token
        self._executor.start(task, report)
        if self._cancelled.done():
            self._executor.cancel_local(self._token, _REQUESTED)
        timer = self._call_later(limit / 1e6, partial(_resolve, ended, _timed_out(kind))) if limit else None
        try:
            outcome = await ended
        finally:
            if timer is not None:
                timer.cancel()
        if outcome.failure is not None and outcome.failure.timeout_failure_info is not None:
            self._executor.cancel_local(self._token, _TIMED_OUT)  # whatever it still does is ignored
        return outcome

    def _remaining(self) -> int:
        """Microseconds until schedule-to-close; 0 where there is no such timeout."""
        return self._deadline - self._now() if self._deadline else 0

    async def _wait(self, seconds: float) -> bool:
        """Wait for the backoff; False when the activity was cancelled meanwhile."""
        over: asyncio.Future[None] = self._loop.create_future()
        timer = self._call_later(seconds, partial(_resolve, over, None))
        try:
            await asyncio.wait([self._cancelled, over], return_when=asyncio.FIRST_COMPLETED)
        finally:
            timer.cancel()
        return not self._cancelled.done()

    def _activity_task(self, attempt: int) -> ActivityTask:
        request, task, now = self._request, self._task, self._now()
        return ActivityTask(
            task_token=f"local/{task.run_id}/{request.seq}/{attempt}/{next(_tokens)}".encode(),
            namespace=task.namespace,
            workflow_id=task.workflow_id,
            run_id=task.run_id,
            workflow_type=task.workflow_type,
            task_queue=task.task_queue,
            activity_id=request.activity_id,
            activity_type=request.activity_type,
            input=request.input,
            header=request.header,
            attempt=attempt,
            scheduled_time=self._scheduled,
            current_attempt_scheduled_time=now,
            started_time=now,
            schedule_to_close_timeout=request.schedule_to_close_timeout,
            start_to_close_timeout=request.start_to_close_timeout or request.schedule_to_close_timeout,
            retry_policy=request.retry_policy,
            is_local=True,
        )


def _resolve(future: asyncio.Future[Any], value: Any) -> None:
    if not future.done():
        future.set_result(value)


def _timed_out(kind: TimeoutType) -> ActivityOutcome:
    return ActivityOutcome(
        failure=Failure(
            message=f"activity {_TITLES[kind]} timeout", timeout_failure_info=TimeoutFailureInfo(timeout_type=kind)
        )
    )
