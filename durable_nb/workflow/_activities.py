"""Activities by function or name (temporal-semantics 3.1).

Overloads name the options once, as a TypedDict; the implementations spell them out, for ``inspect`` and completion.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any, overload

from durable_nb.policies import Priority, RetryPolicy
from durable_nb.runtime.handles import ActivityCancellationType, ActivityHandle, VersioningIntent, arg_unset, arguments
from durable_nb.runtime.loop import current
from durable_nb.runtime.starting import start_activity as _start

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from durable_nb.workflow._configs import ActivityConfig
    from durable_nb.workflow._typing import (
        CallableAsyncNoParam,
        CallableAsyncSingleParam,
        CallableSyncNoParam,
        CallableSyncSingleParam,
        ParamType,
        ReturnType,
    )


@overload
def start_activity(
    activity: CallableAsyncNoParam[ReturnType], **options: Unpack[ActivityConfig]
) -> ActivityHandle[ReturnType]: ...


@overload
def start_activity(
    activity: CallableSyncNoParam[ReturnType], **options: Unpack[ActivityConfig]
) -> ActivityHandle[ReturnType]: ...


@overload
def start_activity(
    activity: CallableAsyncSingleParam[ParamType, ReturnType], arg: ParamType, **options: Unpack[ActivityConfig]
) -> ActivityHandle[ReturnType]: ...


@overload
def start_activity(
    activity: CallableSyncSingleParam[ParamType, ReturnType], arg: ParamType, **options: Unpack[ActivityConfig]
) -> ActivityHandle[ReturnType]: ...


@overload
def start_activity(
    activity: Callable[..., Awaitable[ReturnType]], *, args: Sequence[Any], **options: Unpack[ActivityConfig]
) -> ActivityHandle[ReturnType]: ...


@overload
def start_activity(
    activity: Callable[..., ReturnType], *, args: Sequence[Any], **options: Unpack[ActivityConfig]
) -> ActivityHandle[ReturnType]: ...


@overload
def start_activity(
    activity: str,
    arg: Any = arg_unset,
    *,
    args: Sequence[Any] = [],
    result_type: type | None = None,
    **options: Unpack[ActivityConfig],
) -> ActivityHandle[Any]: ...


def start_activity(
    activity: Any,
    arg: Any = arg_unset,
    *,
    args: Sequence[Any] = [],
    task_queue: str | None = None,
    result_type: type | None = None,
    schedule_to_close_timeout: timedelta | None = None,
    schedule_to_start_timeout: timedelta | None = None,
    start_to_close_timeout: timedelta | None = None,
    heartbeat_timeout: timedelta | None = None,
    retry_policy: RetryPolicy | None = None,
    cancellation_type: ActivityCancellationType = ActivityCancellationType.TRY_CANCEL,
    activity_id: str | None = None,
    versioning_intent: VersioningIntent | None = None,
    summary: str | None = None,
    event_groups: Sequence[Any] | None = None,
    priority: Priority = Priority.default,
) -> ActivityHandle[Any]:
    """Schedule an activity now and give its handle, an ``asyncio.Task``.

    Parameters
    ----------
    activity
        A function decorated with ``@activity.defn``, or the name of one.
    arg, args
        One argument, or all of them.
    task_queue
        The workflow's by default.
    result_type
        Type of the result where only a name is given.
    schedule_to_close_timeout, start_to_close_timeout
        Limits for all attempts together and for each; one of the two is needed.
    schedule_to_start_timeout, heartbeat_timeout
        Limits for the wait in the queue and between heartbeats; None means no limit.
    retry_policy
        None means attempts without end, 1 s apart at first and then doubling up to 100 s.
    cancellation_type
        What cancelling the handle does.
    activity_id
        Id within the run; the number of the activity by default.
    summary
        One line for people who look at the run.

    Raises
    ------
    ValueError
        No closing timeout, both ``arg`` and ``args``, or a dynamic activity.
    TypeError
        The function is not decorated.
    """
    return _start(
        current(),
        activity,
        arguments(arg, args),
        task_queue=task_queue,
        result_type=result_type,
        schedule_to_close_timeout=schedule_to_close_timeout,
        schedule_to_start_timeout=schedule_to_start_timeout,
        start_to_close_timeout=start_to_close_timeout,
        heartbeat_timeout=heartbeat_timeout,
        retry_policy=retry_policy,
        cancellation_type=cancellation_type,
        activity_id=activity_id,
        versioning_intent=versioning_intent,
        summary=summary,
        event_groups=event_groups,
        priority=priority,
    )


@overload
async def execute_activity(
    activity: CallableAsyncNoParam[ReturnType], **options: Unpack[ActivityConfig]
) -> ReturnType: ...


@overload
async def execute_activity(
    activity: CallableSyncNoParam[ReturnType], **options: Unpack[ActivityConfig]
) -> ReturnType: ...


@overload
async def execute_activity(
    activity: CallableAsyncSingleParam[ParamType, ReturnType], arg: ParamType, **options: Unpack[ActivityConfig]
) -> ReturnType: ...


@overload
async def execute_activity(
    activity: CallableSyncSingleParam[ParamType, ReturnType], arg: ParamType, **options: Unpack[ActivityConfig]
) -> ReturnType: ...


@overload
async def execute_activity(
    activity: Callable[..., Awaitable[ReturnType]], *, args: Sequence[Any], **options: Unpack[ActivityConfig]
) -> ReturnType: ...


@overload
async def execute_activity(
    activity: Callable[..., ReturnType], *, args: Sequence[Any], **options: Unpack[ActivityConfig]
) -> ReturnType: ...


@overload
async def execute_activity(
    activity: str,
    arg: Any = arg_unset,
    *,
    args: Sequence[Any] = [],
    result_type: type | None = None,
    **options: Unpack[ActivityConfig],
) -> Any: ...


async def execute_activity(
    activity: Any,
    arg: Any = arg_unset,
    *,
    args: Sequence[Any] = [],
    task_queue: str | None = None,
    result_type: type | None = None,
    schedule_to_close_timeout: timedelta | None = None,
    schedule_to_start_timeout: timedelta | None = None,
    start_to_close_timeout: timedelta | None = None,
    heartbeat_timeout: timedelta | None = None,
    retry_policy: RetryPolicy | None = None,
    cancellation_type: ActivityCancellationType = ActivityCancellationType.TRY_CANCEL,
    activity_id: str | None = None,
    versioning_intent: VersioningIntent | None = None,
    summary: str | None = None,
    event_groups: Sequence[Any] | None = None,
    priority: Priority = Priority.default,
) -> Any:
    """``start_activity`` and wait for the result.

    Raises
    ------
    ActivityError
        It did not complete; ``cause`` says why.
    """
    return await _start(
        current(),
        activity,
        arguments(arg, args),
        task_queue=task_queue,
        result_type=result_type,
        schedule_to_close_timeout=schedule_to_close_timeout,
        schedule_to_start_timeout=schedule_to_start_timeout,
        start_to_close_timeout=start_to_close_timeout,
        heartbeat_timeout=heartbeat_timeout,
        retry_policy=retry_policy,
        cancellation_type=cancellation_type,
        activity_id=activity_id,
        versioning_intent=versioning_intent,
        summary=summary,
        event_groups=event_groups,
        priority=priority,
    )
