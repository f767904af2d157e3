"""Running one activity in a test, without worker, engine or store.

The functions of ``durable_nb.activity`` work inside; the test plays the worker: it sets ``info``, hears heartbeats,
cancels and shuts down. Source: temporal-semantics 1.4.
"""

from __future__ import annotations

import asyncio
import functools
from asyncio import _get_running_loop
from collections.abc import Callable, Coroutine
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

from durable_nb.activity import ActivityCancellationDetails, Info
from durable_nb.activity._context import ActivityContext, Flag, enter, leave
from durable_nb.activity._definition import definition_of
from durable_nb.converter import DataConverter, PayloadConverter
from durable_nb.metric_meter import MetricMeter
from durable_nb.policies import Priority
from durable_nb.worker._activity_call import call_in_thread, is_coroutine_function
from durable_nb.worker._thread_cancel import ThreadCanceller

if TYPE_CHECKING:
    from durable_nb.client import Client

P = ParamSpec("P")
R = TypeVar("R")

_REQUESTED = ActivityCancellationDetails(cancel_requested=True)


class ActivityEnvironment:
    """An environment for activities under test; several may run in it at the same time.

    Attributes
    ----------
    info
        What ``activity.info()`` returns; change it by ``dataclasses.replace``.
    on_heartbeat
        Called with the details of every heartbeat, unthrottled.
    payload_converter, metric_meter
        What the functions of that name return; read when ``run`` is called.
    """

    def __init__(self, client: Client | None = None) -> None:
        self.info = self.default_info()
        self.on_heartbeat: Callable[..., None] = lambda *details: None
        self.payload_converter: PayloadConverter = DataConverter.default.payload_converter
        self.metric_meter: MetricMeter = MetricMeter.noop
        self._client = client
        self._details: ActivityCancellationDetails | None = None
        self._shut_down = False
        self._running: set[_ActivityUnderTest] = set()

    @staticmethod
    def default_info() -> Info:
        """A new ``Info`` of a first attempt at the beginning of 1970."""
        start = datetime(1970, 1, 1, tzinfo=UTC)
        return Info(
            activity_id="test",
            activity_type="unknown",
            attempt=1,
            current_attempt_scheduled_time=start,
            heartbeat_details=[],
            heartbeat_timeout=None,
            is_local=False,
            namespace="default",
            schedule_to_close_timeout=timedelta(seconds=1),
            scheduled_time=start,
            start_to_close_timeout=timedelta(seconds=1),
            started_time=start,
            task_queue="test",
            task_token=b"test",
            workflow_id="test",
            workflow_namespace="default",
            workflow_run_id="test-run",
            workflow_type="test",
            priority=Priority.default,
            retry_policy=None,
        )

    def run(self, fn: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        """Call ``fn`` as an activity: its result, or an awaitable of it where ``fn`` is async.

        A sync one runs in the calling thread, where ``cancel`` from another thread raises ``CancelledError``.
        """
        activity = _ActivityUnderTest(self, fn, self._client)
        if activity.context.is_async:
            return activity.run_async(fn, args, kwargs)  # type: ignore[arg-type, return-value]
        return activity.run_sync(fn, args, kwargs)  # type: ignore[no-any-return]

    def cancel(self, cancellation_details: ActivityCancellationDetails = _REQUESTED) -> None:
        """Cancel what runs and what will run; only the first call has an effect."""
        if self._details is None:
            self._details = cancellation_details
            for activity in tuple(self._running):
                activity.cancel(cancellation_details)

    def worker_shutdown(self) -> None:
        """Tell what runs and what will run that the worker shuts down; only the first call has an effect."""
        self._shut_down = True
        for activity in tuple(self._running):
            activity.context.worker_shutdown.set()

    def _begin(self, activity: _ActivityUnderTest) -> None:
        self._running.add(activity)
        if self._shut_down:
            activity.context.worker_shutdown.set()
        if self._details is not None:
            activity.context.cancellation_details = self._details
            activity.context.cancelled.set()

    def _end(self, activity: _ActivityUnderTest) -> None:
        self._running.discard(activity)


class _ActivityUnderTest:
    """One call in an environment."""

    def __init__(self, env: ActivityEnvironment, fn: Callable[..., Any], client: Client | None) -> None:
        self._env = env
        definition = definition_of(fn)
        is_async = is_coroutine_function(fn)
        self._canceller: ThreadCanceller | None = None
        if not is_async and not (definition is not None and definition.no_thread_cancel_exception):
            self._canceller = ThreadCanceller()
        self._task: asyncio.Task[Any] | None = None
        self.context = ActivityContext(
            lambda: env.info,
            cancelled=Flag(),
            worker_shutdown=Flag(),
            heartbeat=self._heartbeat,
            payload_converter=env.payload_converter,
            is_async=is_async,
            shield=None if self._canceller is None else self._canceller.shielded,
            metric_meter=env.metric_meter,
            client=client if is_async else None,
        )

    async def run_async(
        self, fn: Callable[..., Coroutine[Any, Any, Any]], args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Any:
        self._env._begin(self)
        token = enter(self.context)
        try:
            self._task = asyncio.get_running_loop().create_task(fn(*args, **kwargs))
            if self.context.cancelled.is_set():
                self._task.cancel("Activity cancelled")
            return await self._task
        finally:
            leave(token)
            self._env._end(self)

    def run_sync(self, fn: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        self._env._begin(self)
        token = enter(self.context)
        try:
            return call_in_thread(self._canceller, functools.partial(fn, **kwargs), args)
        finally:
            leave(token)
            self._env._end(self)

    def _heartbeat(self, *details: Any) -> None:
        self._env.on_heartbeat(*details)  # looked up now: a test may set it while the activity runs

    def cancel(self, details: ActivityCancellationDetails) -> None:
        self.context.cancellation_details = details
        self.context.cancelled.set()
        if self._canceller is not None:
            self._canceller.cancel()
        if self._task is not None:
            loop = self._task.get_loop()
            if _get_running_loop() is loop:
                self._task.cancel("Activity cancelled")
            else:
                loop.call_soon_threadsafe(self._task.cancel, "Activity cancelled")
