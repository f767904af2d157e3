"""Local activities: run by the worker as part of the workflow task, recorded as one marker (temporal-semantics 3.3).

Live, a request goes to the host and its outcome comes back through ``WorkflowInstance.resolve_local_activity``, and
reaches the code in an activation of its own. In replay the outcome is read from the marker. The marker says in which
activation of its workflow task the outcome came, because code can branch on which of two results is there first.
Histories recorded before Temporal's markers said so are replayed as Temporal replays them: all that is known at once.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Protocol

import msgspec

from durable_nb.model.attributes import MarkerRecorded, UserMetadata
from durable_nb.model.commands import CancelLocalActivity, LocalActivityRequest, WorkflowTaskPending
from durable_nb.model.enums import RetryState
from durable_nb.model.failure import Failure
from durable_nb.model.payload import Payload
from durable_nb.runtime.activities import (
    Activity,
    RunningActivity,
    check_timeouts,
    converters_for,
    microseconds,
)
from durable_nb.runtime.handles import ActivityCancellationType
from durable_nb.runtime.operation import RAISE_ON_CANCELLING_COMPLETED_ACTIVITY
from durable_nb.runtime.records import canceled

if TYPE_CHECKING:
    from durable_nb.model.tasks import ActivityOutcome
    from durable_nb.runtime.instance import WorkflowInstance
    from durable_nb.runtime.interceptor import StartLocalActivityInput
    from durable_nb.runtime.issued import Job

MARKER_NAME = "core_local_activity"
_JSON = {"encoding": b"json/plain"}


class LocalEnd(Protocol):
    """How the host tells that a local activity is over. Microseconds; instants since the epoch.

    ``outcome`` and ``attempt`` are those of the last attempt. ``backoff`` is not 0 where the next attempt is further
    away than the local retry threshold, so that a durable timer takes over.
    """

    outcome: ActivityOutcome
    attempt: int
    original_schedule_time: int
    complete_time: int
    backoff: int
    retry_state: RetryState | None


class LocalBackoff(msgspec.Struct, frozen=True):
    """Sleep durably, then make attempt number ``attempt``."""

    attempt: int
    duration: int
    original_schedule_time: int


class LocalMarker(msgspec.Struct):
    """What a marker says."""

    seq: int
    attempt: int
    activity_id: str
    activity_type: str
    complete_time: int
    backoff: int
    original_schedule_time: int
    activation_index: int | None = None
    """Which activation of the workflow task it came in, from 0; None where the recorder did not say."""
    result: list[Payload] | None = None
    failure: Failure | None = None


class Locals:
    """Local activities of one run; made when the first one is started or found in the history."""

    __slots__ = ("cancels", "immediate", "markers", "open", "outcomes", "starts")

    def __init__(self) -> None:
        self.open: dict[int, LocalActivity] = {}
        """Those whose outcome the code does not know yet, by sequence number."""
        self.starts: list[LocalActivity] = []
        self.cancels: list[CancelLocalActivity] = []
        """What the host is to be told with the next ``WorkflowTaskPending``."""
        self.immediate: list[Job] = []
        """Answers to cancellations, for the end of the next activation of this task."""
        self.markers: list[LocalMarker] = []
        self.outcomes: list[tuple[int, LocalEnd]] = []
        """What is known of outcomes, in order, and not applied yet: from history, and from the host."""

    def next_jobs(self, run: WorkflowInstance) -> list[Job]:
        """Apply what is known: the next outcome of the host, or those that the history has for the next activation."""
        while self.outcomes:
            seq, end = self.outcomes.pop(0)
            activity = self.open.get(seq)
            if activity is not None:
                return [(resolve, (run, activity, end))]
        # With nothing else to do, the activation that a marker is kept for would never come.
        return self.recorded_jobs(run) or self.recorded_jobs(run, all_kept=True)

    def recorded_jobs(self, run: WorkflowInstance, *, all_kept: bool = False) -> list[Job]:
        """Outcomes from the history, up to the first one that is not scheduled yet or belongs to a later activation."""
        jobs: list[Job] = []
        while self.markers:
            marker = self.markers[0]
            kept = marker.activation_index is not None and marker.activation_index > run.activation_index
            if marker.seq > run.activity_seq or (kept and not all_kept):
                break
            self.markers.pop(0)
            activity = self.open.get(marker.seq)
            if activity is not None:  # else cancelled by the code before
                jobs.append((resolve_from_marker, (run, activity, marker)))
        return jobs

    def pending(self) -> WorkflowTaskPending:
        """What the host must do before the task can be completed."""
        # In a replay one that backed off durably is in the list once for each round: only the last one is to be run.
        starts = [each.request() for each in self.starts if not (each.closed or each.requested)]
        cancels, self.starts, self.cancels = self.cancels, [], []
        return WorkflowTaskPending(start=starts, cancel=cancels)


def locals_of(run: WorkflowInstance) -> Locals:
    """The run's local activities, made if there were none."""
    if run.locals is None:
        run.locals = Locals()
    return run.locals


class _BackoffError(BaseException):
    def __init__(self, backoff: LocalBackoff) -> None:
        super().__init__("Backoff")
        self.backoff = backoff


class LocalActivity(Activity):
    """One local activity."""

    __slots__ = ("attempt", "input", "original_schedule_time", "payloads", "requested", "started_at")

    def __init__(self, run: WorkflowInstance, input: StartLocalActivityInput, seq: int) -> None:
        super().__init__(run, input, seq)
        self.input = input
        self.payloads: list[Payload] = []
        self.attempt = 1
        self.original_schedule_time = 0
        self.started_at = run.time_us
        self.requested = False
        """Whether the host was asked to run it."""

    async def body(self) -> Any:
        self.awaited = True
        while True:
            try:
                return await self.wait(self._on_cancel, flag=RAISE_ON_CANCELLING_COMPLETED_ACTIVITY)
            except _BackoffError as error:
                backoff = error.backoff
            self.settled = False
            await self.run.sleep(backoff.duration / 1e6)
            self.attempt = backoff.attempt
            self.original_schedule_time = backoff.original_schedule_time
            self.closed = False
            self.requested = False
            self.cancel_requested = False
            _schedule(self.run, self)

    def request_cancel(self) -> None:
        run = self.run
        run.assert_writable("add command")
        if self.cancel_requested:
            return
        self.cancel_requested = True
        if self.closed:
            return
        kind = self.input.cancellation_type
        if kind != ActivityCancellationType.ABANDON and self.requested:
            locals_of(run).cancels.append(CancelLocalActivity(self.seq))
        if kind != ActivityCancellationType.WAIT_CANCELLATION_COMPLETED or (not self.requested and not run.replaying):
            failure = self._failure("Local Activity cancelled", canceled(), RetryState.CANCEL_REQUESTED)
            self.closed = True
            locals_of(run).open.pop(self.seq, None)
            _record(run, self, run.time_us, None, failure, None, self.attempt, run.activation_index)
            locals_of(run).immediate.append((self.fail, (failure,)))

    def back_off(self, backoff: LocalBackoff) -> None:
        """Job: sleep durably, then try again under a new sequence number."""
        run = self.run
        self.seq = run.activity_seq = run.activity_seq + 1
        self.settle(error=_BackoffError(backoff))

    def request(self) -> LocalActivityRequest:
        """What the host is asked to run."""
        self.requested = True
        given = self.input
        return LocalActivityRequest(
            seq=self.seq,
            activity_id=self.activity_id,
            activity_type=given.activity,
            input=self.payloads,
            header=dict(given.headers) if given.headers else {},
            schedule_to_close_timeout=microseconds(given.schedule_to_close_timeout),
            schedule_to_start_timeout=microseconds(given.schedule_to_start_timeout),
            start_to_close_timeout=microseconds(given.start_to_close_timeout),
            retry_policy=None if given.retry_policy is None else given.retry_policy.to_attributes(),
            local_retry_threshold=microseconds(given.local_retry_threshold),
            attempt=self.attempt,
            original_schedule_time=self.original_schedule_time,
        )


def schedule_local_activity(run: WorkflowInstance, input: StartLocalActivityInput) -> RunningActivity:
    """The end of the outbound chain."""
    check_timeouts(input)
    run.assert_writable("start activity")
    run.activity_seq += 1
    activity = LocalActivity(run, input, run.activity_seq)
    if run.options.contextual:
        activity.converters = converters_for(run, input, is_local=True)
    converter = run.converter if activity.converters is None else activity.converters[0]
    activity.payloads = converter.to_payloads(input.args)
    _schedule(run, activity)
    return RunningActivity(activity)


def _schedule(run: WorkflowInstance, activity: LocalActivity) -> None:
    activity.started_at = run.time_us
    found = locals_of(run)
    found.open[activity.seq] = activity
    found.starts.append(activity)


def resolve(run: WorkflowInstance, activity: LocalActivity, end: LocalEnd) -> None:
    """Job: the host ran the activity. Workflow time moves on to its completion."""
    locals_of(run).open.pop(activity.seq, None)
    activity.closed = True
    activity.original_schedule_time = end.original_schedule_time or activity.original_schedule_time
    complete_time = max(activity.started_at, end.complete_time)
    run.time_us = max(run.time_us, complete_time)
    outcome, attempt, index = end.outcome, end.attempt, run.activation_index - 1
    if end.backoff:
        backoff = LocalBackoff(attempt + 1, end.backoff, activity.original_schedule_time)
        _record(run, activity, complete_time, None, outcome.failure, backoff, attempt, index)
        activity.back_off(backoff)
    elif outcome.canceled:
        cause = outcome.failure or canceled(outcome.canceled_details)
        failure = activity._failure("Local Activity cancelled", cause, RetryState.CANCEL_REQUESTED)
        _record(run, activity, complete_time, None, failure, None, attempt, index)
        activity.fail(failure)
    elif outcome.failure is not None:
        failure = activity._failure("Activity task failed", outcome.failure, end.retry_state)
        _record(run, activity, complete_time, None, failure, None, attempt, index)
        activity.fail(failure)
    else:
        _record(run, activity, complete_time, outcome.result or None, None, None, attempt, index)
        activity.complete(outcome.result)


def resolve_from_marker(run: WorkflowInstance, activity: LocalActivity, marker: LocalMarker) -> None:
    """Job: the history holds the outcome."""
    locals_of(run).open.pop(activity.seq, None)
    activity.closed = True
    run.time_us = max(run.time_us, marker.complete_time)
    backoff = None
    if marker.backoff:
        backoff = LocalBackoff(marker.attempt + 1, marker.backoff, marker.original_schedule_time)
    index = marker.activation_index or 0
    _record(run, activity, marker.complete_time, marker.result, marker.failure, backoff, marker.attempt, index)
    if backoff is not None:
        activity.back_off(backoff)
    elif marker.failure is not None:
        failure = marker.failure
        if failure.canceled_failure_info is not None:
            failure = activity._failure("Local Activity cancelled", failure, RetryState.CANCEL_REQUESTED)
        activity.fail(failure)
    else:
        activity.complete(marker.result)


def _record(
    run: WorkflowInstance,
    activity: LocalActivity,
    complete_time: int,
    result: list[Payload] | None,
    failure: Failure | None,
    backoff: LocalBackoff | None,
    attempt: int,
    activation_index: int,
) -> None:
    data = {
        "seq": activity.seq,
        "attempt": attempt,
        "activity_id": activity.activity_id,
        "activity_type": activity.input.activity,
        "complete_time": _split(complete_time),
        "backoff": None if backoff is None else _split(backoff.duration),
        "original_schedule_time": _split(activity.original_schedule_time or activity.started_at),
        "activation_index": activation_index,
    }
    details = {"data": [Payload(metadata=_JSON, data=json.dumps(data, separators=(",", ":")).encode())]}
    if result is not None:
        details["result"] = result
    summary = activity.input.summary
    metadata = None if not summary else UserMetadata(summary=run.converter.to_payload(summary))
    attributes = MarkerRecorded(marker_name=MARKER_NAME, details=details, failure=failure)
    run.emit(attributes, None, metadata).local_seq = activity.seq


def _split(instant: int) -> dict[str, int]:
    seconds, rest = divmod(instant, 1_000_000)
    return {"seconds": seconds, "nanos": rest * 1000}


def _join(split: dict[str, int] | None) -> int:
    return 0 if split is None else int(split.get("seconds", 0)) * 1_000_000 + int(split.get("nanos", 0)) // 1000


def read_marker(attributes: MarkerRecorded) -> LocalMarker:
    """What a marker event says.

    Raises
    ------
    ValueError
        It is not a readable local-activity marker.
    """
    details = attributes.details or {}
    try:
        data = json.loads(details["data"][0].data)
        return LocalMarker(
            seq=data["seq"],
            attempt=data["attempt"],
            activity_id=data["activity_id"],
            activity_type=data["activity_type"],
            complete_time=_join(data["complete_time"]),
            backoff=_join(data["backoff"]),
            original_schedule_time=_join(data["original_schedule_time"]),
            activation_index=data.get("activation_index"),
            result=details.get("result"),
            failure=attributes.failure,
        )
    except (KeyError, IndexError, TypeError, ValueError) as error:
        raise ValueError(f"the marker of a local activity cannot be read: {error!r}") from error
