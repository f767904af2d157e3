"""What activity authors import: the decorator, and functions that work inside a running activity.

An activity is an ordinary function (sync or async, method, or instance with ``__call__``) with side effects; a worker
runs it, retries it and records its result. Names, defaults and errors are those of the Temporal Python SDK
(temporal-semantics sections 1.2, 3.1, 3.2 and 7); only the option arguments of ``defn`` and direct calls in workflow
code are additions. Running activities is the business of ``worker``; testing them of ``testing.ActivityEnvironment``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, Any, NoReturn, overload

from durable_nb.activity._context import current, current_or_none
from durable_nb.activity._definition import ActivityDefinition, F, define
from durable_nb.activity._info import ActivityCancellationDetails, Info
from durable_nb.activity._logging import LoggerAdapter, logger
from durable_nb.converter import PayloadConverter
from durable_nb.metric_meter import MetricMeter
from durable_nb.model.spelling import nearest
from durable_nb.policies import Priority, RetryPolicy

if TYPE_CHECKING:
    from durable_nb.client import Client

__all__ = [
    "ActivityCancellationDetails",
    "Info",
    "LoggerAdapter",
    "cancellation_details",
    "client",
    "defn",
    "heartbeat",
    "in_activity",
    "info",
    "is_cancelled",
    "is_worker_shutdown",
    "logger",
    "metric_meter",
    "payload_converter",
    "raise_complete_async",
    "shield_thread_cancel_exception",
    "wait_for_cancelled",
    "wait_for_cancelled_sync",
    "wait_for_worker_shutdown",
    "wait_for_worker_shutdown_sync",
]


@overload
def defn(fn: F) -> F: ...


@overload
def defn(
    *,
    name: str | None = None,
    no_thread_cancel_exception: bool = False,
    task_queue: str | None = None,
    schedule_to_close_timeout: timedelta | None = None,
    schedule_to_start_timeout: timedelta | None = None,
    start_to_close_timeout: timedelta | None = None,
    heartbeat_timeout: timedelta | None = None,
    retry_policy: RetryPolicy | None = None,
    cancellation_type: Any = None,
    summary: str | None = None,
    priority: Priority | None = None,
) -> Callable[[F], F]: ...


@overload
def defn(*, no_thread_cancel_exception: bool = False, dynamic: bool = False) -> Callable[[F], F]: ...


def defn(
    fn: F | None = None,
    *,
    name: str | None = None,
    no_thread_cancel_exception: bool = False,
    dynamic: bool = False,
    **options: Any,
) -> F | Callable[[F], F]:
    """Make a callable an activity.

    Parameters
    ----------
    name
        Activity type; the callable's own name by default.
    no_thread_cancel_exception
        Do not raise ``CancelledError`` in the thread of a sync activity when it is cancelled.
    dynamic
        Run every activity type that has no definition of its own; the callable takes one ``Sequence[RawValue]``.
    task_queue, schedule_to_close_timeout, schedule_to_start_timeout, start_to_close_timeout, heartbeat_timeout,
    retry_policy, cancellation_type, summary, priority
        As in ``workflow.execute_activity``; used where workflow code calls the activity directly,
        ``await charge(order)``. Additions of this package.

    Returns
    -------
    callable
        Outside workflow code it does what the function does, so it can be unit-tested as it stands. Inside workflow
        code a call schedules the activity and returns an awaitable of its result.

    Raises
    ------
    TypeError
        Not a callable, keyword-only parameters, or an option of the wrong type or name.
    ValueError
        The callable is an activity already.
    """
    unknown = options.keys() - _OPTIONS
    if unknown:
        wrong = min(unknown)
        near = nearest(wrong, _OPTIONS)
        hint = f"; did you mean {near!r}?" if near else ""
        raise TypeError(f"activity.defn() got an unexpected keyword argument {wrong!r}{hint}")
    given = {key: value for key, value in options.items() if value is not None}

    def decorator(fn: F) -> F:
        return define(
            fn, name=name, no_thread_cancel_exception=no_thread_cancel_exception, dynamic=dynamic, options=given
        )

    return decorator if fn is None else decorator(fn)


_OPTIONS = frozenset(
    (
        "task_queue",
        "schedule_to_close_timeout",
        "schedule_to_start_timeout",
        "start_to_close_timeout",
        "heartbeat_timeout",
        "retry_policy",
        "cancellation_type",
        "summary",
        "priority",
    )
)


def in_activity() -> bool:
    """Whether the current code runs inside an activity."""
    return current_or_none() is not None


def info() -> Info:
    """The running attempt. RuntimeError outside an activity."""
    return current().info()


def heartbeat(*details: Any) -> None:
    """Report that the activity is alive, with details that the next attempt finds in ``info().heartbeat_details``.

    Heartbeats are throttled: call it as often as you like. It is also how an activity learns that it was cancelled.

    Raises
    ------
    RuntimeError
        Not inside an activity, or called by an interceptor before its ``init`` was through.
    """
    send = current().heartbeat
    if send is None:
        raise RuntimeError("Can only execute heartbeat after interceptor init")
    send(*details)


def cancellation_details() -> ActivityCancellationDetails | None:
    """Why the activity was told to stop, None while it was not. RuntimeError outside an activity."""
    return current().cancellation_details


def is_cancelled() -> bool:
    """Whether the activity was told to stop. RuntimeError outside an activity."""
    return current().cancelled.is_set()


async def wait_for_cancelled() -> None:
    """Wait until an async activity is told to stop. RuntimeError in a sync activity or outside of one."""
    context = current()
    if not context.is_async:
        raise RuntimeError("not in async activity")
    await context.cancelled.wait()


def wait_for_cancelled_sync(timeout: timedelta | float | None = None) -> None:
    """Block the thread until the activity is told to stop, or for ``timeout`` (seconds). RuntimeError outside."""
    current().cancelled.wait_sync(_seconds(timeout))


def is_worker_shutdown() -> bool:
    """Whether the worker is shutting down. RuntimeError outside an activity."""
    return current().worker_shutdown.is_set()


async def wait_for_worker_shutdown() -> None:
    """Wait, in an async activity, until the worker shuts down. RuntimeError in a sync activity or outside of one."""
    context = current()
    if not context.is_async:
        raise RuntimeError("not in async activity")
    await context.worker_shutdown.wait()


def wait_for_worker_shutdown_sync(timeout: timedelta | float | None = None) -> None:
    """Block the thread until the worker shuts down, or for ``timeout`` (seconds). RuntimeError outside an activity."""
    current().worker_shutdown.wait_sync(_seconds(timeout))


@contextmanager
def shield_thread_cancel_exception() -> Iterator[None]:
    """Hold back the cancellation of a sync activity in a thread until the end of the block.

    Blocks may be nested; the outermost one raises. Without effect in async activities and other executors.

    Raises
    ------
    durable_nb.exceptions.CancelledError
        At the end of the block, if the activity was cancelled meanwhile.
    RuntimeError
        Not inside an activity.
    """
    shield = current().shield
    if shield is None:
        yield
    else:
        with shield():
            yield


class _CompleteAsyncError(BaseException):
    """Leaves an activity that somebody else will complete."""


def raise_complete_async() -> NoReturn:
    """Leave the activity open: it is completed later through ``Client.get_async_activity_handle``."""
    raise _CompleteAsyncError


def client() -> Client:
    """The worker's client, for use inside an ``async def`` activity.

    Raises
    ------
    RuntimeError
        In a sync activity, outside an activity, or in an ``ActivityEnvironment`` made without a client.
    """
    found = current().client
    if found is None:
        raise RuntimeError(
            "No client available. The client is only available in `async def` activities; not in `def` activities. "
            "In tests you can pass a client when creating ActivityEnvironment."
        )
    return found


def payload_converter() -> PayloadConverter:
    """The payload converter of the running activity; decodes the ``RawValue`` of a dynamic one."""
    return current().payload_converter


def metric_meter() -> MetricMeter:
    """A meter that records nothing.

    Raises
    ------
    RuntimeError
        Outside an activity, or in a sync activity that runs in another process.
    """
    meter = current().metric_meter
    if meter is None:
        raise RuntimeError("Metrics meter not available in non-threaded sync activities, such as multiprocess ones")
    return meter


_Definition = ActivityDefinition
"""The name that the SDK gives it; tools reach for it."""


def _seconds(timeout: timedelta | float | None) -> float | None:
    return timeout.total_seconds() if isinstance(timeout, timedelta) else timeout
