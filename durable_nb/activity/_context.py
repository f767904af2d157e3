"""What stands behind ``activity.info()``, ``heartbeat()`` and the rest while an activity runs.

One ``ActivityContext`` per attempt, found through a context variable: the task of an async activity and the thread
of a sync one each see their own. Everything costly (``Info``, events to wait on) is made when first asked for,
because most activities never ask. Who delivers cancellation and sends heartbeats is decided in ``worker``.
"""

from __future__ import annotations

import asyncio
import contextvars
import threading
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from durable_nb.activity._info import ActivityCancellationDetails, Info
    from durable_nb.client import Client
    from durable_nb.common import MetricMeter
    from durable_nb.converter import PayloadConverter


_making_events = threading.Lock()


class Flag:
    """An event that is set once, can be awaited or waited for in a thread, and costs nothing until somebody waits.

    ``set`` may be called from any thread.
    """

    __slots__ = ("_is_set", "_thread_event", "_waiters")

    def __init__(self) -> None:
        self._is_set = False
        self._thread_event: threading.Event | None = None
        self._waiters: list[asyncio.Future[None]] | None = None

    def is_set(self) -> bool:
        return self._is_set

    def set(self) -> None:
        # The order matters: whoever registers after this line sees the flag, whoever registered before is woken.
        self._is_set = True
        if self._thread_event is not None:
            self._thread_event.set()
        for waiter in tuple(self._waiters or ()):
            waiter.get_loop().call_soon_threadsafe(_resolve, waiter)

    async def wait(self) -> None:
        waiter = asyncio.get_running_loop().create_future()
        if self._waiters is None:
            self._waiters = []
        self._waiters.append(waiter)
        try:
            if not self._is_set:
                await waiter
        finally:
            self._waiters.remove(waiter)

    def wait_sync(self, timeout: float | None = None) -> None:
        with _making_events:
            if self._thread_event is None:
                self._thread_event = threading.Event()
        if not self._is_set:
            self._thread_event.wait(timeout)


def _resolve(waiter: asyncio.Future[None]) -> None:
    if not waiter.done():
        waiter.set_result(None)


class ForeignFlag:
    """A ``Flag`` seen from another process: wraps an event of a ``SharedStateManager``."""

    __slots__ = ("_event",)

    def __init__(self, event: threading.Event) -> None:
        self._event = event

    def is_set(self) -> bool:
        return self._event.is_set()

    def set(self) -> None:
        self._event.set()

    async def wait(self) -> None:
        raise RuntimeError("not in async activity")

    def wait_sync(self, timeout: float | None = None) -> None:
        self._event.wait(timeout)


class ActivityContext:
    """The running attempt, as the functions of ``durable_nb.activity`` see it.

    It has no behaviour of a worker; ``worker`` and ``testing`` fill in the callables. What an attempt does not set
    itself is found on the class: making a context is on the hot path of a worker.
    """

    cancelled: Flag | ForeignFlag
    worker_shutdown: Flag | ForeignFlag
    payload_converter: PayloadConverter
    is_async: bool
    heartbeat: Callable[..., None] | None = None
    shield: Callable[[], AbstractContextManager[None]] | None = None
    metric_meter: MetricMeter | None = None
    client: Client | None = None
    cancellation_details: ActivityCancellationDetails | None = None
    make_info: Callable[[], Info]
    record: Callable[[str, str], None] | None = None
    """Keeps what the attempt prints and logs: stream and text. None where nobody keeps it."""
    report_progress: Callable[[float, float, str], None] | None = None
    """Takes steps done, steps in all and a label, as often as wanted. None where nobody is told."""
    _logger_details: Mapping[str, Any] | None = None

    def __init__(
        self,
        make_info: Callable[[], Info],
        *,
        cancelled: Flag | ForeignFlag,
        worker_shutdown: Flag | ForeignFlag,
        heartbeat: Callable[..., None],
        payload_converter: PayloadConverter,
        is_async: bool,
        shield: Callable[[], AbstractContextManager[None]] | None = None,
        metric_meter: MetricMeter | None = None,
        client: Client | None = None,
    ) -> None:
        self.make_info = make_info
        self.cancelled = cancelled
        self.worker_shutdown = worker_shutdown
        self.heartbeat = heartbeat
        self.is_async = is_async
        self.shield = shield
        self.payload_converter = payload_converter
        self.metric_meter = metric_meter
        self.client = client

    def info(self) -> Info:
        """Through the interceptors where there are any; not kept, since they may change it."""
        return self.make_info()

    @property
    def logger_details(self) -> Mapping[str, Any]:
        if self._logger_details is None:
            self._logger_details = self.info()._logger_details()
        return self._logger_details


_current: contextvars.ContextVar[ActivityContext] = contextvars.ContextVar("durable_nb.activity")
enter = _current.set
"""Make a context the current one; returns the token for ``leave``."""
leave = _current.reset


def current_or_none() -> ActivityContext | None:
    return _current.get(None)


def current() -> ActivityContext:
    """The context of the running activity.

    Raises
    ------
    RuntimeError
        Not inside an activity.
    """
    context = _current.get(None)
    if context is None:
        raise RuntimeError("Not in activity context")
    return context
