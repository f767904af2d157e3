"""One attempt of an activity while it runs, and what its end means.

``RunningActivity`` is both the worker's record of the attempt and the context that ``durable_nb.activity`` reads.
``verdict`` holds the rules of temporal-semantics 3.2 and 7: what is completed, failed, canceled or left open.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, MutableMapping, Sequence
from datetime import UTC, datetime, timedelta
from time import monotonic
from typing import TYPE_CHECKING, Any

from durable_nb.activity import ActivityCancellationDetails, Info, _CompleteAsyncError
from durable_nb.activity import logger as activity_logger
from durable_nb.activity._context import ActivityContext, Flag
from durable_nb.exceptions import ApplicationError, ApplicationErrorCategory, CancelledError
from durable_nb.model.progress import Progress, of_values, to_payload
from durable_nb.model.tasks import ActivityOutcome, ActivityTask, HeartbeatReply
from durable_nb.policies import Priority, RawValue, RetryPolicy
from durable_nb.worker._thread_cancel import ThreadCanceller

if TYPE_CHECKING:
    from durable_nb.activity._definition import ActivityDefinition
    from durable_nb.converter import DataConverter
    from durable_nb.engine.outputs import AttemptOutput
    from durable_nb.worker._activity import ActivityExecutor
    from durable_nb.worker._heartbeat import HeartbeatThrottle
    from durable_nb.worker._interceptor import ActivityOutboundInterceptor

Report = Callable[[ActivityOutcome], None]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_CANCELLED = (asyncio.CancelledError, CancelledError)
_NUMBERS = (int, float)
_BEATS_EVERY = 0.1
"""Seconds between two reports of progress that become heartbeats, which are held back much longer; the last does."""
_IDENTIFIER = {"__temporal_error_identifier": "ActivityFailure"}


class RunningActivity(ActivityContext):
    """One attempt.

    ``cancel`` is called on the worker's loop; activities in threads and processes are told from there.
    """

    own: Info | None = None
    asyncio_task: asyncio.Task[None] | None = None
    canceller: ThreadCanceller | None = None
    foreign_cancelled: Any = None
    throttle: HeartbeatThrottle | None = None
    previous_details: Sequence[Any] = ()
    entered = False
    """Whether the first step ran; an asyncio task that is cancelled before never runs at all."""
    cancel_requested = False
    heartbeat_error: BaseException | None = None
    done = False
    output: AttemptOutput | None = None
    """What the attempt printed; made when it first prints."""
    own_details: tuple[Any, ...] = ()
    """The newest details of the activity's own heartbeats; a report of progress goes behind them."""
    last_report: Progress | None = None
    beats_again_at = 0.0

    def __init__(
        self,
        host: ActivityExecutor,
        task: ActivityTask,
        definition: ActivityDefinition,
        report: Report,
        registry: MutableMapping[bytes, RunningActivity],
    ) -> None:
        # Not through the base class, and only what has no default: this runs once per activity on the hot path.
        self.host = host
        self.task = task
        self.definition = definition
        self.report = report
        self.registry = registry
        self.converter = host.data_converter
        self.payload_converter = host.payload_converter
        self.is_async = definition.is_async
        self.cancelled = Flag()
        self.worker_shutdown = host.worker_shutdown
        self.metric_meter = host.metric_meter
        if definition.is_async:
            self.client = host.client

    def use_converter(self, converter: DataConverter) -> None:
        """Convert this attempt's values by a converter of its own."""
        self.converter = converter
        self.payload_converter = converter.payload_converter

    def make_info(self) -> Info:
        if self.own is None:
            self.own = info_of(self.task, self.previous_details, self.host.task_queue)
        return self.own

    def heartbeat(self, *details: Any) -> None:
        """``activity.heartbeat``; a local activity has nobody to tell."""
        if self.done or self.task.is_local:
            return
        if details and type(details[0]) is Progress:
            self.report_progress(details[0].done, details[0].total, details[0].label)  # from another process
            return
        if 2 <= len(details) <= 3 and type(details[0]) in _NUMBERS:
            steps = of_values(details)
            if steps is not None:
                self._show(steps.done, steps.total, steps.label)
        self.own_details = details
        self._beat()

    def _beat(self) -> None:
        if self.throttle is None:
            self.throttle = self.host.new_throttle(self)
        report = self.last_report
        details = self.own_details
        self.throttle.beat(details if report is None else (*details, RawValue(to_payload(report))))

    # -- output and progress ---------------------------------------------------------------------------------------

    def record(self, stream: str, text: str) -> None:
        """Keep what the attempt prints or logs; in any thread."""
        output = self._open_output()
        if output is not None and not self.done:
            output.write(stream, text)

    def report_progress(self, done: float, total: float, label: str) -> None:
        """``durable_nb.progress``: each report is taken down; heartbeats carry the newest now and then."""
        if self.done or self.task.is_local:
            return
        self.last_report = self._show(done, total, label)
        now = monotonic()
        if now >= self.beats_again_at or done == total:
            self.beats_again_at = now + _BEATS_EVERY
            self._beat()

    def _show(self, done: float, total: float, label: str) -> Progress:
        output = self._open_output()
        return output.report(done, total, label) if output is not None else Progress(done, total, label)

    def _open_output(self) -> AttemptOutput | None:
        if self.output is None and self.host.open_output is not None:
            self.output = self.host.open_output(self.task)
        return self.output

    def put_interceptor(self, outbound: ActivityOutboundInterceptor | None) -> None:
        """Let ``info`` and ``heartbeat`` go through an interceptor; None: there will be one, but it is not ready."""
        self.heartbeat = None if outbound is None else outbound.heartbeat  # type: ignore[method-assign, assignment]
        if outbound is not None:
            self.make_info = outbound.info  # type: ignore[method-assign]

    def use_thread(self) -> ThreadCanceller | None:
        """Prepare for running in a thread of this process."""
        if not self.definition.no_thread_cancel_exception:
            self.canceller = ThreadCanceller()
            self.shield = self.canceller.shielded
        return self.canceller

    def cancel_by_reply(self, reply: HeartbeatReply) -> None:
        """Stop if the answer to a heartbeat says so."""
        if reply.cancel_requested or reply.not_found or reply.timed_out or reply.reset or reply.paused:
            self.cancel(
                ActivityCancellationDetails(
                    not_found=reply.not_found,
                    cancel_requested=reply.cancel_requested,
                    paused=reply.paused,
                    reset=reply.reset,
                    timed_out=reply.timed_out,
                )
            )

    def cancel_by_heartbeat_error(self, error: BaseException) -> None:
        if self.done:
            activity_logger.error("Failed recording heartbeat (activity already done, cannot error)", exc_info=error)
            return
        activity_logger.warning("Cancelling activity because failed recording heartbeat", exc_info=error)
        self.heartbeat_error = error
        self.cancel(ActivityCancellationDetails())

    def cancel(self, details: ActivityCancellationDetails) -> None:
        """Tell the activity to stop. Told once; only a worker shutdown is worth a second time."""
        if self.done:
            return
        self.cancel_requested = self.cancel_requested or details.cancel_requested
        again = self.cancelled.is_set()
        if again and (not details.worker_shutdown or self._stopping()):
            return
        if self.cancellation_details is None and details != _NO_DETAILS:
            self.cancellation_details = details
        self.cancelled.set()
        if self.foreign_cancelled is not None:
            # An event of another process: setting it is a round trip that must not hold up the loop.
            asyncio.get_running_loop().run_in_executor(None, self.foreign_cancelled.set)
        if self.canceller is not None:
            self.canceller.cancel()
        elif self.definition.is_async and self.entered:
            self.cancel_task()

    def cancel_task(self) -> None:
        if self.asyncio_task is not None:
            self.asyncio_task.cancel("Activity cancelled")

    def _stopping(self) -> bool:
        return self.cancellation_details is not None and self.cancellation_details.worker_shutdown


_NO_DETAILS = ActivityCancellationDetails()


def verdict(running: RunningActivity, error: BaseException) -> ActivityOutcome | BaseException:
    """What it means that an activity was left by ``error``.

    Returns
    -------
    The outcome, or the exception whose failure record is the outcome.
    """
    if isinstance(error, _CompleteAsyncError):
        activity_logger.debug("Completing asynchronously")
        return ActivityOutcome(pending=True)
    if isinstance(error, _CANCELLED):
        details = running.cancellation_details
        if running.heartbeat_error is not None:
            reason = running.heartbeat_error
            activity_logger.warning(
                f"Completing as failure during heartbeat with error of type {type(reason)}: {reason}"
            )
            return reason
        if details is not None and details.paused:
            activity_logger.warning("Completing as failure due to unhandled cancel error produced by activity pause")
            return ApplicationError("Unhandled activity cancel error produced by activity pause", type="ActivityPause")
        if details is not None and details.reset:
            activity_logger.warning("Completing as failure due to unhandled cancel error produced by activity reset")
            return ApplicationError("Unhandled activity cancel error produced by activity reset", type="ActivityReset")
        if running.cancel_requested:
            activity_logger.debug("Completing as cancelled")
            return ActivityOutcome(canceled=True)
        if details is not None and details.worker_shutdown:
            # Nobody asked for the cancellation: the attempt failed, and another worker may try again at once.
            activity_logger.debug("Completing as failed: the worker shuts down")
            return ApplicationError("Activity cancelled due to worker shutdown", type="WorkerShutdown")
    benign = isinstance(error, ApplicationError) and error.category is ApplicationErrorCategory.BENIGN
    activity_logger.log(
        logging.DEBUG if benign else logging.WARNING,
        "Completing activity as failed",
        exc_info=error,
        extra=_IDENTIFIER,
    )
    return error


def info_of(task: ActivityTask, heartbeat_details: Sequence[Any], task_queue: str) -> Info:
    """``activity.info()`` of a task."""
    return Info(
        activity_id=task.activity_id,
        activity_type=task.activity_type,
        attempt=task.attempt,
        current_attempt_scheduled_time=_instant(task.current_attempt_scheduled_time),
        heartbeat_details=list(heartbeat_details),
        heartbeat_timeout=_duration(task.heartbeat_timeout),
        is_local=task.is_local,
        namespace=task.namespace,
        schedule_to_close_timeout=_duration(task.schedule_to_close_timeout),
        scheduled_time=_instant(task.scheduled_time),
        start_to_close_timeout=_duration(task.start_to_close_timeout),
        started_time=_instant(task.started_time),
        task_queue=task.task_queue or task_queue,
        task_token=task.task_token,
        workflow_id=task.workflow_id or None,
        workflow_namespace=task.namespace or None,
        workflow_run_id=task.run_id or None,
        workflow_type=task.workflow_type or None,
        priority=Priority.default if task.priority is None else Priority.from_attributes(task.priority),
        retry_policy=None if task.retry_policy is None else RetryPolicy.from_attributes(task.retry_policy),
    )


def _instant(microseconds: int) -> datetime:
    return _EPOCH + timedelta(microseconds=microseconds)


def _duration(microseconds: int) -> timedelta | None:
    return timedelta(microseconds=microseconds) if microseconds else None
