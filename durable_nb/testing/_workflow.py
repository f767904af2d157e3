"""A store and an engine for tests of workflows, with time that can be skipped.

With time skipping the clock runs as usual and jumps to the next deadline whenever nothing happens by itself while
somebody waits for a workflow's result: a workflow that sleeps for a month is tested in milliseconds. While an activity
runs nothing is skipped.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any, Self

from durable_nb.client import Client
from durable_nb.converter import DataConverter
from durable_nb.engine import EngineHandle, open_engine
from durable_nb.engine.clock import SkippingClock

CHECK_EVERY = 0.001
"""Seconds between looks at whether anything still goes on; two quiet looks in a row let time jump."""


class WorkflowEnvironment:
    """Where workflows run in a test; use it as an asynchronous context manager.

    Examples
    --------
    >>> async with await WorkflowEnvironment.start_time_skipping() as env:  # doctest: +SKIP
    ...     async with Worker(env.client, task_queue="q", workflows=[Reminder]):
    ...         await env.client.execute_workflow(Reminder.run, id="r", task_queue="q")
    """

    def __init__(
        self, client: Client, *, handle: EngineHandle | None = None, clock: SkippingClock | None = None
    ) -> None:
        self._client = client
        self._handle = handle
        self._clock = clock
        self._paused = 0
        self._sleepers = 0
        self._skipper = asyncio.get_running_loop().create_task(self._skip()) if clock is not None else None

    @staticmethod
    def from_client(client: Client) -> WorkflowEnvironment:
        """An environment on a client that exists; it skips no time and is not closed with the environment."""
        return WorkflowEnvironment(client)

    @staticmethod
    async def start_local(
        *,
        namespace: str = "default",
        data_converter: DataConverter = DataConverter.default,
        interceptors: Sequence[Any] = (),
        default_workflow_query_reject_condition: Any = None,
        identity: str | None = None,
        dev_server_database_filename: str | None = None,
        search_attributes: Sequence[Any] = (),
        **_: Any,
    ) -> WorkflowEnvironment:
        """An environment in real time, in memory or, with ``dev_server_database_filename``, in that SQLite file.

        Parameters that describe a server process (ip, port, download, UI, runtime, …) are accepted and ignored:
        there is none.
        """
        url = "memory://" if dev_server_database_filename is None else f"sqlite:///{dev_server_database_filename}"
        handle = open_engine(url, own_thread=False)
        client = _client(
            handle,
            namespace,
            data_converter,
            interceptors,
            default_workflow_query_reject_condition,
            identity,
        )
        return WorkflowEnvironment(client, handle=handle)

    @staticmethod
    async def start_time_skipping(
        *,
        data_converter: DataConverter = DataConverter.default,
        interceptors: Sequence[Any] = (),
        default_workflow_query_reject_condition: Any = None,
        identity: str | None = None,
        namespace: str = "default",
        **_: Any,
    ) -> WorkflowEnvironment:
        """An environment in memory that skips time; see the module docstring."""
        clock = SkippingClock()
        handle = open_engine("memory://", own_thread=False, clock=clock)
        client = _client(
            handle, namespace, data_converter, interceptors, default_workflow_query_reject_condition, identity
        )
        return WorkflowEnvironment(client, handle=handle, clock=clock)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.shutdown()

    @property
    def client(self) -> Client:
        """Client of the environment."""
        return self._client

    @property
    def supports_time_skipping(self) -> bool:
        """Whether time can be skipped here."""
        return self._clock is not None

    async def shutdown(self) -> None:
        """Stop the engine; what was in memory is gone."""
        if self._skipper is not None:
            self._skipper.cancel()
        if self._handle is not None:
            self._handle.close()

    async def sleep(self, duration: timedelta | float) -> None:
        """Let this much of the environment's time pass: skipped where that is supported, slept otherwise."""
        seconds = duration.total_seconds() if isinstance(duration, timedelta) else float(duration)
        if self._clock is None:
            await asyncio.sleep(seconds)
            return
        end = self._clock.now() + int(seconds * 1e6)
        while (left := end - self._clock.now()) > 0:
            await self._quiet()
            self._clock.advance(min(left, self._to_next_deadline() or left))
        await self._quiet()

    async def get_current_time(self) -> datetime:
        """The environment's present, UTC."""
        now = self._clock.now() / 1e6 if self._clock is not None else None
        return datetime.now(UTC) if now is None else datetime.fromtimestamp(now, UTC)

    @contextmanager
    def auto_time_skipping_disabled(self) -> Iterator[None]:
        """Within the block time is skipped only by ``sleep``."""
        self._paused += 1
        try:
            yield
        finally:
            self._paused -= 1

    def _to_next_deadline(self) -> int:
        """Microseconds to the next deadline of any run; 0 when there is none ahead."""
        assert self._handle is not None  # noqa: S101 - only environments with a clock of their own ask
        assert self._clock is not None  # noqa: S101
        at = self._handle.upkeep.next_wake
        return max(at - self._clock.now(), 0) if at else 0

    async def _quiet(self) -> None:
        """Wait until two looks in a row find that nothing goes on."""
        assert self._handle is not None  # noqa: S101
        engine, looks = self._handle.engine, 0
        while looks < 2:
            await asyncio.sleep(CHECK_EVERY)
            looks = looks + 1 if engine.is_quiet else 0

    async def _skip(self) -> None:
        """Jump whenever somebody waits for a result and nothing else will happen."""
        assert self._handle is not None  # noqa: S101
        assert self._clock is not None  # noqa: S101
        while True:
            await self._quiet()
            if not self._paused and len(self._handle.engine.watchers):
                self._clock.advance(self._to_next_deadline())


def _client(
    handle: EngineHandle,
    namespace: str,
    data_converter: DataConverter,
    interceptors: Sequence[Any],
    reject_condition: Any,
    identity: str | None,
) -> Client:
    options: Mapping[str, Any] = {
        "namespace": namespace,
        "data_converter": data_converter,
        "interceptors": interceptors,
        "default_workflow_query_reject_condition": reject_condition,
        "identity": identity or handle.identity,
    }
    return Client(handle, **options)
