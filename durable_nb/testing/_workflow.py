"""A store and an engine for tests of workflows, with time that can be skipped.

With time skipping the clock runs as usual and jumps to the next deadline whenever nothing happens by itself while
somebody waits for a workflow's result: a workflow that sleeps for a month is tested in milliseconds. While an attempt
of an activity is open nothing is skipped, be it run by a worker or completed from outside.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any, Self

from durable_nb.client import Client, Interceptor, Plugin
from durable_nb.common import QueryRejectCondition
from durable_nb.converter import DataConverter
from durable_nb.engine import EngineHandle, open_engine
from durable_nb.engine.clock import SkippingClock
from durable_nb.testing._assertions import with_failing_assertions

CHECK_EVERY = 0.001
"""Seconds between looks at whether anything still goes on; two quiet looks in a row let time jump."""


class WorkflowEnvironment:
    """Where workflows run in a test; use it as an asynchronous context manager.

    With workers made from its ``client`` a failed ``assert`` in workflow code fails the run.

    Examples
    --------
    >>> async with await WorkflowEnvironment.start_time_skipping() as env:  # doctest: +SKIP
    ...     async with Worker(env.client, task_queue="q", workflows=[Reminder]):
    ...         await env.client.execute_workflow(Reminder.run, id="r", task_queue="q")
    """

    def __init__(
        self, client: Client, *, handle: EngineHandle | None = None, clock: SkippingClock | None = None
    ) -> None:
        self._client = with_failing_assertions(client)
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
        interceptors: Sequence[Interceptor] = [],
        plugins: Sequence[Plugin] = [],
        default_workflow_query_reject_condition: QueryRejectCondition | None = None,
        retry_config: Any = None,
        rpc_metadata: Mapping[str, str | bytes] = {},
        identity: str | None = None,
        tls: Any = False,
        ip: str = "127.0.0.1",
        port: int | None = None,
        download_dest_dir: str | None = None,
        ui: bool = False,
        runtime: Any = None,
        search_attributes: Sequence[Any] = (),
        dev_server_existing_path: str | None = None,
        dev_server_database_filename: str | None = None,
        dev_server_log_format: str | None = "pretty",
        dev_server_log_level: str | None = "warn",
        dev_server_download_version: str = "default",
        dev_server_extra_args: Sequence[str] = [],
        dev_server_download_ttl: timedelta | None = None,
        dev_server_startup_timeout: timedelta | None = None,
        ui_port: int | None = None,
    ) -> WorkflowEnvironment:
        """An environment in real time, in memory or, with ``dev_server_database_filename``, in that SQLite file.

        Parameters that describe a server process (ip, port, download, UI, runtime, …) are accepted and ignored:
        there is none. Search attributes need no registration.
        """
        url = "memory://" if dev_server_database_filename is None else f"sqlite:///{dev_server_database_filename}"
        handle = open_engine(url, own_thread=False)
        client = Client(
            handle,
            namespace=namespace,
            data_converter=data_converter,
            interceptors=interceptors,
            plugins=plugins,
            default_workflow_query_reject_condition=default_workflow_query_reject_condition,
            identity=identity or handle.identity,
        )
        return WorkflowEnvironment(client, handle=handle)

    @staticmethod
    async def start_time_skipping(
        *,
        data_converter: DataConverter = DataConverter.default,
        interceptors: Sequence[Interceptor] = [],
        plugins: Sequence[Plugin] = [],
        default_workflow_query_reject_condition: QueryRejectCondition | None = None,
        retry_config: Any = None,
        rpc_metadata: Mapping[str, str | bytes] = {},
        identity: str | None = None,
        port: int | None = None,
        download_dest_dir: str | None = None,
        runtime: Any = None,
        test_server_existing_path: str | None = None,
        test_server_download_version: str = "default",
        test_server_extra_args: Sequence[str] = [],
        test_server_download_ttl: timedelta | None = None,
        test_server_startup_timeout: timedelta | None = None,
    ) -> WorkflowEnvironment:
        """An environment in memory that skips time; see the module docstring.

        Parameters that describe a server process are accepted and ignored, as by ``start_local``.
        """
        clock = SkippingClock()
        handle = open_engine("memory://", own_thread=False, clock=clock)
        client = Client(
            handle,
            data_converter=data_converter,
            interceptors=interceptors,
            plugins=plugins,
            default_workflow_query_reject_condition=default_workflow_query_reject_condition,
            identity=identity or handle.identity,
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
        """Stop the engine; what was in memory is gone. A client that was given (``from_client``) stays open."""
        ending: list[asyncio.Task[Any]] = []
        if self._skipper is not None:
            self._skipper.cancel()
            ending.append(self._skipper)
        if self._handle is not None:
            ending += self._handle.engine.tasks
            self._handle.close()
        await asyncio.gather(*ending, return_exceptions=True)

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
        now = self._clock.now()
        # The alarm may be that of a timer which was cancelled since; the store knows what is really ahead.
        upcoming = self._handle.engine.store.next_wake()
        if 0 < upcoming <= now:
            upcoming = self._handle.upkeep.next_wake
        return max(upcoming - now, 0)

    async def _quiet(self) -> None:
        """Wait until two looks in a row find that nothing goes on."""
        looks = 0
        while looks < 2:
            await asyncio.sleep(CHECK_EVERY)
            looks = looks + 1 if self._is_quiet() else 0

    def _is_quiet(self) -> bool:
        """Whether no step is under way and no attempt of an activity is open, here or (asynchronous) elsewhere."""
        assert self._handle is not None  # noqa: S101
        engine = self._handle.engine
        return engine.is_quiet and not any(
            activity.started_time and not activity.backs_off
            for slot in engine.slots.values()
            if slot.state is not None and slot.state.is_open
            for activity in slot.state.activities.values()
        )

    async def _skip(self) -> None:
        """Jump whenever somebody waits for a result and nothing else will happen."""
        assert self._handle is not None  # noqa: S101
        assert self._clock is not None  # noqa: S101
        while True:
            await self._quiet()
            if not self._paused and len(self._handle.engine.watchers) and (ahead := self._to_next_deadline()):
                self._clock.advance(ahead)
