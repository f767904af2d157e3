"""Activities as workflow code sees them: schedule, await, cancel (temporal-semantics 3.1 and 3.2)."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from durable_nb.converter.context import ActivitySerializationContext
from durable_nb.model.attributes import (
    ActivityTaskCanceled,
    ActivityTaskCancelRequested,
    ActivityTaskCompleted,
    ActivityTaskFailed,
    ActivityTaskScheduled,
    ActivityTaskStarted,
    ActivityTaskTimedOut,
    UserMetadata,
)
from durable_nb.model.enums import RetryState
from durable_nb.model.failure import Failure
from durable_nb.model.payload import Payload
from durable_nb.model.scalars import LONGEST_DURATION
from durable_nb.policies import Priority
from durable_nb.runtime.handles import ActivityCancellationType, ActivityHandle
from durable_nb.runtime.issued import Issued
from durable_nb.runtime.operation import RAISE_ON_CANCELLING_COMPLETED_ACTIVITY, Operation
from durable_nb.runtime.records import activity_failure, canceled

if TYPE_CHECKING:
    from durable_nb.model.events import Event
    from durable_nb.runtime.instance import WorkflowInstance
    from durable_nb.runtime.interceptor import StartActivityInput, StartLocalActivityInput

ACTIVITY_ATTRIBUTE = "__temporal_activity_definition"

_ABANDON = ActivityCancellationType.ABANDON
_TRY_CANCEL = ActivityCancellationType.TRY_CANCEL


class Activity(Operation):
    """One scheduled activity.

    Attributes
    ----------
    issued
        The command, until its event is recorded.
    closed
        Nothing that happens to the activity matters to the workflow any more.
    awaited
        Its handle has run its first slice, so that it can turn a cancellation into a request.
    """

    __slots__ = (
        "_given_id",
        "activity_type",
        "awaited",
        "cancel_requested",
        "cancellation_type",
        "closed",
        "converters",
        "event_id",
        "issued",
        "ret_type",
        "seq",
        "started_event_id",
    )

    def __init__(self, run: WorkflowInstance, input: StartActivityInput | StartLocalActivityInput, seq: int) -> None:
        Operation.__init__(self, run)
        self.activity_type = input.activity
        self._given_id = input.activity_id
        self.cancellation_type = input.cancellation_type
        self.ret_type = input.ret_type
        self.seq = seq
        self.issued: Issued | None = None
        self.event_id = 0
        self.started_event_id = 0
        self.awaited = False
        self.closed = False
        self.cancel_requested = False
        self.converters: tuple[Any, Any] | None = None

    @property
    def activity_id(self) -> str:
        """Id within the run."""
        return self._given_id or str(self.seq)

    async def body(self) -> Any:
        """What the handle's task runs."""
        self.awaited = True
        return await self.wait(self._on_cancel, flag=RAISE_ON_CANCELLING_COMPLETED_ACTIVITY)

    def _on_cancel(self, _error: asyncio.CancelledError) -> None:
        self.request_cancel()

    def request_cancel(self) -> None:
        """Cancel as the cancellation type says; once."""
        run = self.run
        run.assert_writable("add command")
        if self.cancel_requested:
            return
        self.cancel_requested = True
        if self.closed:
            return
        kind = self.cancellation_type
        if self.issued is not None:
            # Scheduled in this very task: nothing was sent, nothing will be.
            self.issued.dropped = True
            self.issued = None
            self._give_up()
            return
        if kind != _ABANDON:
            run.emit(ActivityTaskCancelRequested(scheduled_event_id=self.event_id))
        if kind in (_ABANDON, _TRY_CANCEL):
            self._give_up()

    def _give_up(self) -> None:
        """Resolve as cancelled in the next activation of this task."""
        self.closed = True
        self.run.immediate.append((self.fail, (self._failure("Activity cancelled", canceled(), _CANCELED),)))

    def recorded(self, event: Event) -> None:
        """Its ActivityTaskScheduled event is in the history."""
        self.issued = None
        self.event_id = event.event_id
        self.run.by_event[event.event_id] = self

    def complete(self, result: list[Payload] | None) -> None:
        """Job: the activity completed."""
        if not result:
            self.settle(None)
            return
        hints = None if self.ret_type is None else [self.ret_type]
        converter = self.run.converter if self.converters is None else self.converters[0]
        self.settle(self.run.decode(result[:1], hints, converter)[0])

    def fail(self, failure: Failure) -> None:
        """Job: the activity did not complete."""
        if not self.awaited:
            return  # Cancelled before its first slice; nobody will fetch the error.
        run = self.run
        converter, failure_converter = self.converters or (run.converter, run.failure_converter)
        self.settle(error=failure_converter.from_failure(failure, converter))

    def _failure(
        self, message: str, cause: Failure | None, retry_state: RetryState | None, started: int = 0, identity: str = ""
    ) -> Failure:
        return activity_failure(
            message,
            cause,
            activity_id=self.activity_id,
            activity_type=self.activity_type,
            scheduled_event_id=self.event_id,
            started_event_id=started or self.started_event_id,
            identity=identity,
            retry_state=retry_state,
        )


_CANCELED = RetryState.CANCEL_REQUESTED


class RunningActivity(ActivityHandle[Any]):
    """The handle that workflow code gets."""

    __slots__ = ("_activity",)

    def __init__(self, activity: Activity) -> None:
        run = activity.run
        super().__init__(
            activity.body(),
            loop=run.loop,
            name=f"activity: {activity.activity_type}{run.task_suffix}",
        )
        self._activity = activity
        run.loop.keep(self)

    def cancel(self, msg: Any | None = None) -> bool:
        """Request cancellation; works before the handle has run its first slice, too."""
        activity = self._activity
        if not activity.run.evicted:
            activity.run.assert_writable("cancel activity handle")
            if not activity.awaited and not self.done():
                activity.request_cancel()
        return super().cancel(msg)


def resolve_activity(activity: Any, result_type: Any) -> tuple[str, list[Any] | None, Any]:
    """Name, argument hints and result hint of an activity given by name or as a decorated callable.

    Raises
    ------
    TypeError
        Neither a str nor decorated.
    ValueError
        A dynamic activity, which has no name to call it by.
    """
    if isinstance(activity, str):
        return activity, None, result_type
    if not callable(activity):
        raise TypeError("Activity must be a string or callable")
    definition = getattr(activity, ACTIVITY_ATTRIBUTE, None)
    if definition is None:
        name = getattr(activity, "__name__", "<unknown>")
        raise TypeError(f"Activity {name} missing attributes, was it decorated with @activity.defn?")
    if not definition.name:
        raise ValueError("Cannot invoke dynamic activity explicitly")
    return definition.name, definition.arg_types, definition.ret_type


def schedule_activity(run: WorkflowInstance, input: StartActivityInput) -> RunningActivity:
    """The end of the outbound chain: emit the command and give the handle."""
    check_timeouts(input)
    run.assert_writable("start activity")
    seq = run.activity_seq = run.activity_seq + 1
    activity = Activity(run, input, seq)
    if run.options.contextual:
        activity.converters = converters_for(run, input, is_local=False)
    converter = run.converter if activity.converters is None else activity.converters[0]
    policy, priority = input.retry_policy, input.priority
    attributes = ActivityTaskScheduled(
        activity_id=input.activity_id or str(seq),
        activity_type=input.activity,
        task_queue=input.task_queue or run.task_queue,
        header=dict(input.headers) if input.headers else None,
        input=converter.to_payloads(input.args) if input.args else None,
        schedule_to_close_timeout=microseconds(input.schedule_to_close_timeout),
        schedule_to_start_timeout=microseconds(input.schedule_to_start_timeout),
        start_to_close_timeout=microseconds(input.start_to_close_timeout),
        heartbeat_timeout=microseconds(input.heartbeat_timeout),
        retry_policy=None if policy is None else policy.to_attributes(),
        priority=None if priority is Priority.default else priority.to_attributes(),
    )
    metadata = None if not input.summary else UserMetadata(summary=converter.to_payload(input.summary))
    activity.issued = run.emit(attributes, activity, metadata)
    return RunningActivity(activity)


def check_timeouts(input: StartActivityInput | StartLocalActivityInput) -> None:
    """Refuse an activity that nothing would ever time out.

    Raises
    ------
    ValueError
        Neither of the two closing timeouts is set.
    """
    if not input.start_to_close_timeout and not input.schedule_to_close_timeout:
        raise ValueError("Activity must have start_to_close_timeout or schedule_to_close_timeout")


def microseconds(duration: timedelta | None) -> int:
    """Duration as recorded; 0 for unset, and never more than ``LONGEST_DURATION``."""
    if not duration:
        return 0
    given: object = duration
    if not isinstance(given, timedelta):
        kind = type(given).__name__
        raise TypeError(f"a timeout must be a timedelta, not {kind}: write timedelta(seconds={duration!r})")
    length = (duration.days * 86_400 + duration.seconds) * 1_000_000 + duration.microseconds
    return length if length < LONGEST_DURATION else LONGEST_DURATION


def converters_for(
    run: WorkflowInstance, input: StartActivityInput | StartLocalActivityInput, *, is_local: bool
) -> tuple[Any, Any]:
    """Converters that know which activity a value belongs to."""
    return run.options.with_context(
        ActivitySerializationContext(
            namespace=run.namespace,
            activity_id=input.activity_id,
            activity_type=input.activity,
            activity_task_queue=getattr(input, "task_queue", None) or run.task_queue,
            workflow_id=run.workflow_id,
            workflow_type=run.workflow_type,
            is_local=is_local,
        )
    )


# -- events --------------------------------------------------------------------------------------------------------


def on_started(run: WorkflowInstance, event: Event) -> None:
    """An ActivityTaskStarted event; wakes nobody."""
    attributes: ActivityTaskStarted = event.attributes  # type: ignore[assignment]
    activity = run.by_event.get(attributes.scheduled_event_id)
    if isinstance(activity, Activity):
        activity.started_event_id = event.event_id


def _closing(run: WorkflowInstance, event: Event, scheduled_event_id: int) -> Activity | None:
    activity = run.by_event.pop(scheduled_event_id, None)
    if not isinstance(activity, Activity):
        raise run.diverged(event, "", f"no activity scheduled by event {scheduled_event_id}")
    if activity.closed:
        return None  # The workflow gave it up before.
    activity.closed = True
    return activity


def on_completed(run: WorkflowInstance, event: Event) -> None:
    """An ActivityTaskCompleted event."""
    attributes: ActivityTaskCompleted = event.attributes  # type: ignore[assignment]
    activity = _closing(run, event, attributes.scheduled_event_id)
    if activity is not None:
        run.others.append((activity.complete, (attributes.result,)))


def on_failed(run: WorkflowInstance, event: Event) -> None:
    """An ActivityTaskFailed or ActivityTaskTimedOut event."""
    attributes: ActivityTaskFailed | ActivityTaskTimedOut = event.attributes  # type: ignore[assignment]
    activity = _closing(run, event, attributes.scheduled_event_id)
    if activity is None:
        return
    timed_out = isinstance(attributes, ActivityTaskTimedOut)
    failure = activity._failure(
        "Activity task timed out" if timed_out else "Activity task failed",
        attributes.failure,
        attributes.retry_state,
        attributes.started_event_id,
        "" if timed_out else attributes.identity,  # type: ignore[union-attr]
    )
    run.others.append((activity.fail, (failure,)))


def on_canceled(run: WorkflowInstance, event: Event) -> None:
    """An ActivityTaskCanceled event."""
    attributes: ActivityTaskCanceled = event.attributes  # type: ignore[assignment]
    activity = _closing(run, event, attributes.scheduled_event_id)
    if activity is None:
        return
    cause = canceled(attributes.details)
    failure = activity._failure(
        "Activity cancelled", cause, _CANCELED, attributes.started_event_id, attributes.identity
    )
    run.others.append((activity.fail, (failure,)))
