"""Activities that are callable classes; an instance is registered with the worker (temporal-semantics 3.1).

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
def start_activity_class(
    activity: type[CallableAsyncNoParam[ReturnType]], **options: Unpack[ActivityConfig]
) -> ActivityHandle[ReturnType]: ...


@overload
def start_activity_class(
    activity: type[CallableSyncNoParam[ReturnType]], **options: Unpack[ActivityConfig]
) -> ActivityHandle[ReturnType]: ...


@overload
def start_activity_class(
    activity: type[CallableAsyncSingleParam[ParamType, ReturnType]], arg: ParamType, **options: Unpack[ActivityConfig]
) -> ActivityHandle[ReturnType]: ...


@overload
def start_activity_class(
    activity: type[CallableSyncSingleParam[ParamType, ReturnType]], arg: ParamType, **options: Unpack[ActivityConfig]
) -> ActivityHandle[ReturnType]: ...


@overload
def start_activity_class(
    activity: type[Callable[..., Awaitable[ReturnType]]], *, args: Sequence[Any], **options: Unpack[ActivityConfig]
) -> ActivityHandle[ReturnType]: ...


@overload
def start_activity_class(
    activity: type[Callable[..., ReturnType]], *, args: Sequence[Any], **options: Unpack[ActivityConfig]
) -> ActivityHandle[ReturnType]: ...


def start_activity_class(
    activity: type[Callable[..., Any]],
    arg: Any = arg_unset,
    *,
    args: Sequence[Any] = [],
    task_queue: str | None = None,
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
    """``start_activity`` for a class decorated with ``@activity.defn``."""
    return _start(
        current(),
        activity,
        arguments(arg, args),
        result_type=None,
        task_queue=task_queue,
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
async def execute_activity_class(
    activity: type[CallableAsyncNoParam[ReturnType]], **options: Unpack[ActivityConfig]
) -> ReturnType: ...


@overload
async def execute_activity_class(
    activity: type[CallableSyncNoParam[ReturnType]], **options: Unpack[ActivityConfig]
) -> ReturnType: ...


@overload
async def execute_activity_class(
    activity: type[CallableAsyncSingleParam[ParamType, ReturnType]], arg: ParamType, **options: Unpack[ActivityConfig]
) -> ReturnType: ...


@overload
async def execute_activity_class(
    activity: type[CallableSyncSingleParam[ParamType, ReturnType]], arg: ParamType, **options: Unpack[ActivityConfig]
) -> ReturnType: ...


@overload
async def execute_activity_class(
    activity: type[Callable[..., Awaitable[ReturnType]]], *, args: Sequence[Any], **options: Unpack[ActivityConfig]
) -> ReturnType: ...


@overload
async def execute_activity_class(
    activity: type[Callable[..., ReturnType]], *, args: Sequence[Any], **options: Unpack[ActivityConfig]
) -> ReturnType: ...


async def execute_activity_class(
    activity: type[Callable[..., Any]],
    arg: Any = arg_unset,
    *,
    args: Sequence[Any] = [],
    task_queue: str | None = None,
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
    """``start_activity_class`` and wait for the result.

    Raises
    ------
    ActivityError
        It did not complete; ``cause`` says why.
    """
    return await _start(
        current(),
        activity,
        arguments(arg, args),
        result_type=None,
        task_queue=task_queue,
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
