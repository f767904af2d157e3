"""``Worker``: definitions and activities of a program, served until the program says stop.

Tasks are not polled: registered with the engine, the worker is handed its tasks. Activities and the interceptors
around them run on the loop that ``run`` was awaited on, workflow code on the engine's loop, which is the same one
unless the engine has a thread of its own. Source: temporal-semantics section 7.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import logging
import warnings
from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Self, cast

from durable_nb.worker._assembly import build_port
from durable_nb.worker._interceptor import Interceptor
from durable_nb.worker._plugin import Plugin
from durable_nb.worker._registration import check_activities, check_executor, check_workflows
from durable_nb.worker._runner import UnsandboxedWorkflowRunner, WorkflowRunner
from durable_nb.worker._tuning import PollerBehavior, PollerBehaviorSimpleMaximum, WorkerTuner
from durable_nb.worker.workflow_sandbox import SandboxedWorkflowRunner

if TYPE_CHECKING:
    from types import TracebackType

    from durable_nb.client import Client
    from durable_nb.engine import EngineHandle
    from durable_nb.worker._config import WorkerConfig, WorkerDeploymentConfig
    from durable_nb.worker._port import HostPort
    from durable_nb.worker._shared_state import SharedStateManager

logger = logging.getLogger("durable_nb.worker._worker")

_SANDBOXED = SandboxedWorkflowRunner()
_UNSANDBOXED = UnsandboxedWorkflowRunner()
_FIVE_POLLERS = PollerBehaviorSimpleMaximum(maximum=5)


class Worker:
    """Serves workflows and activities on one task queue.

    Use it as ``async with Worker(...)``, or by ``run`` and ``shutdown``. Leaving the block shuts down: no new tasks,
    running activities get ``graceful_shutdown_timeout``, then they are cancelled.

    Parameters
    ----------
    client
        Whose namespace is served; its interceptors that are worker interceptors come first.
    task_queue
        Name of the queue.
    activities
        Decorated functions, bound methods and instances of decorated classes.
    workflows
        Decorated classes.
    activity_executor
        Where sync activities run; needed if there are any. A thread pool, or any other executor together with a
        ``shared_state_manager``.
    workflow_runner
        ``UnsandboxedWorkflowRunner()`` switches the guards against clock, randomness and I/O in workflow code off.
    interceptors
        The first is outermost.
    identity
        Who did the work, as recorded in events; the client's by default.
    max_cached_workflows, max_concurrent_activities, max_concurrent_local_activities, tuner
        Bounds. 100 activities and 100 local activities at a time by default.
    max_heartbeat_throttle_interval, default_heartbeat_throttle_interval
        How often heartbeats of activities are passed on.
    graceful_shutdown_timeout
        How long activities may go on once the worker shuts down.
    workflow_failure_exception_types
        Exceptions that fail the workflow instead of the workflow task.
    debug_mode
        Do not look for deadlocks in workflow code.
    on_fatal_error
        Awaited with the error after which the worker cannot go on.
    workflow_task_executor, nexus_service_handlers, max_concurrent_workflow_tasks, polling and versioning options, …
        Matters of a cluster: accepted, so that the same program runs there, and of no effect.

    Raises
    ------
    ValueError, TypeError
        Something in the configuration cannot work; the message says what, and what to do.
    """

    def __init__(
        self,
        client: Client,
        *,
        task_queue: str,
        activities: Sequence[Callable[..., Any]] = [],
        nexus_service_handlers: Sequence[Any] = [],
        workflows: Sequence[type] = [],
        activity_executor: concurrent.futures.Executor | None = None,
        workflow_task_executor: concurrent.futures.ThreadPoolExecutor | None = None,
        nexus_task_executor: concurrent.futures.ThreadPoolExecutor | None = None,
        workflow_runner: WorkflowRunner = _SANDBOXED,
        unsandboxed_workflow_runner: WorkflowRunner = _UNSANDBOXED,
        plugins: Sequence[Plugin] = [],
        interceptors: Sequence[Interceptor] = [],
        build_id: str | None = None,
        identity: str | None = None,
        max_cached_workflows: int = 1000,
        max_concurrent_workflow_tasks: int | None = None,
        max_concurrent_activities: int | None = None,
        max_concurrent_local_activities: int | None = None,
        max_concurrent_nexus_tasks: int | None = None,
        tuner: WorkerTuner | None = None,
        max_concurrent_workflow_task_polls: int | None = None,
        nonsticky_to_sticky_poll_ratio: float = 0.2,
        max_concurrent_activity_task_polls: int | None = None,
        no_remote_activities: bool = False,
        sticky_queue_schedule_to_start_timeout: timedelta = timedelta(seconds=10),
        max_heartbeat_throttle_interval: timedelta = timedelta(seconds=60),
        default_heartbeat_throttle_interval: timedelta = timedelta(seconds=30),
        max_activities_per_second: float | None = None,
        max_task_queue_activities_per_second: float | None = None,
        max_eager_activity_reservations_per_workflow_task: int = 3,
        graceful_shutdown_timeout: timedelta = timedelta(),
        plugin_shutdown_timeout: timedelta | None = timedelta(seconds=60),
        workflow_failure_exception_types: Sequence[type[BaseException]] = [],
        shared_state_manager: SharedStateManager | None = None,
        debug_mode: bool = False,
        disable_eager_activity_execution: bool = False,
        on_fatal_error: Callable[[BaseException], Awaitable[None]] | None = None,
        use_worker_versioning: bool = False,
        disable_safe_workflow_eviction: bool = False,
        deployment_config: WorkerDeploymentConfig | None = None,
        patch_activation_callback: Callable[[Any], bool] | None = None,
        workflow_task_poller_behavior: PollerBehavior = _FIVE_POLLERS,
        activity_task_poller_behavior: PollerBehavior = _FIVE_POLLERS,
        nexus_task_poller_behavior: PollerBehavior = _FIVE_POLLERS,
        disable_payload_error_limit: bool = False,
        max_workflow_task_external_storage_concurrency: int = 3,
    ) -> None:
        given = dict(locals())  # the keywords as they are; naming all of them again would only invite a slip
        del given["self"]
        self._set_up(cast("WorkerConfig", given))

    def _set_up(self, config: WorkerConfig) -> None:
        client = config["client"]
        self._initial_config = config.copy()
        from_client = [each for each in client.config(active_config=True)["plugins"] if isinstance(each, Plugin)]
        self._plugins: list[Plugin] = from_client + list(config["plugins"])
        for plugin in self._plugins:
            config = plugin.configure_worker(config)
        self._config = config
        activities, workflows = config.get("activities", ()), config.get("workflows", ())
        if config.get("nexus_service_handlers"):
            warnings.warn("Nexus is not supported: nexus_service_handlers are ignored", stacklevel=3)
        elif not activities and not workflows:
            raise ValueError("At least one activity, Nexus service, or workflow must be specified")
        executor, tuner = config.get("activity_executor"), config.get("tuner")
        if tuner is not None and any(
            config.get(name)
            for name in (
                "max_concurrent_workflow_tasks",
                "max_concurrent_activities",
                "max_concurrent_local_activities",
            )
        ):
            raise ValueError("Cannot specify max_concurrent_* arguments when also specifying tuner")
        check_executor(executor, config.get("max_concurrent_activities"), tuner)
        check_activities(activities, executor, config.get("shared_state_manager"))
        definitions = check_workflows(workflows)
        runner = config.get("workflow_runner")
        self._port = build_port(
            config, guards=isinstance(runner, SandboxedWorkflowRunner) or runner is None, on_fatal=self._fail_soon
        )
        for activity in activities:
            self._port.executor.register(activity)
        for definition in definitions:
            self._port.host.register(definition)
        self._started = False
        self._stop = asyncio.Event()
        self._stopped = asyncio.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._fatal: BaseException | None = None
        self._block: _Block | None = None

    # -- what it is ------------------------------------------------------------------------------------------------

    def config(self, *, active_config: bool = False) -> WorkerConfig:
        """Keywords that make an equal worker; with ``active_config`` as plugins left them."""
        config = (self._config if active_config else self._initial_config).copy()
        config["activities"] = list(config.get("activities", []))
        config["workflows"] = list(config.get("workflows", []))
        return config

    @property
    def task_queue(self) -> str:
        """Name of the task queue."""
        return self._config["task_queue"]

    @property
    def client(self) -> Client:
        """Client of the worker. A new one must be of the same engine; activities see it from then on."""
        return self._config["client"]

    @client.setter
    def client(self, value: Client) -> None:
        if value.engine is not self.client.engine:
            raise ValueError("New client is not on the same engine as the existing client")
        self._config["client"] = value
        self._port.executor.client = value

    @property
    def is_running(self) -> bool:
        """Whether the worker was started and is not shut down."""
        return self._started and not self.is_shutdown

    @property
    def is_shutdown(self) -> bool:
        """Whether the worker was shut down, completely."""
        return self._stopped.is_set()

    # -- running ---------------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Serve until ``shutdown``; returns when everything that ran has ended.

        Raises
        ------
        RuntimeError
            It was started before.
        BaseException
            The error after which the worker could not go on, for instance of a broken executor.
        """

        async def innermost(worker: Worker) -> None:
            await worker._run()

        call: Callable[[Worker], Awaitable[None]] = innermost
        for plugin in reversed(self._plugins):
            call = _wrapped(plugin, call)
        await call(self)

    async def _run(self) -> None:
        if self._started:
            raise RuntimeError("Already started")
        self._started = True
        try:
            await self._serve(asyncio.get_running_loop(), self.client.engine)
        finally:
            self._stopped.set()
        if self._fatal is not None:
            raise self._fatal

    async def _serve(self, loop: asyncio.AbstractEventLoop, engine: EngineHandle) -> None:
        port = self._port
        self._loop = loop
        port.executor.bind(loop)
        engine.register_worker(port)
        try:
            await self._stop.wait()
            if self._fatal is not None:
                await self._tell_fatal(self._fatal)
        except asyncio.CancelledError:
            logger.info("Worker cancelled, shutting down")
            raise
        finally:
            graceful = self._config.get("graceful_shutdown_timeout", timedelta())
            logger.info("Beginning worker shutdown, will wait %s before cancelling activities", graceful)
            await unregister(engine, port)
            await port.executor.shutdown(graceful.total_seconds())

    def _fail_soon(self, error: BaseException) -> None:
        """An activity met an error that no other will survive; called in any thread."""
        if self._fatal is None and self._loop is not None:
            self._fatal = error
            self._loop.call_soon_threadsafe(self._stop.set)

    async def _tell_fatal(self, error: BaseException) -> None:
        logger.error("Worker failed, shutting down", exc_info=error)
        tell = self._config.get("on_fatal_error")
        if tell is not None:
            try:
                await tell(error)
            except Exception:
                logger.warning("Fatal error handler failed", exc_info=True)

    async def shutdown(self) -> None:
        """Stop the worker and wait until it has stopped; may be called before ``run`` and more than once."""
        self._stop.set()
        await self._stopped.wait()

    async def __aenter__(self) -> Self:
        if self._block is not None:
            raise RuntimeError("Already started")
        task = asyncio.current_task()
        if task is None:
            raise RuntimeError("Can only use async with inside a task")
        self._block = _Block(self, task)
        return self

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._block is None:
            raise RuntimeError("Never started")
        await self._block.leave(exc_type, self._config.get("plugin_shutdown_timeout"))


class _Block:
    """An ``async with`` block: ``run`` beside the block's body, whose task is cancelled if the worker fails."""

    def __init__(self, worker: Worker, body: asyncio.Task[Any]) -> None:
        self._worker = worker
        self._body = body
        self._error: BaseException | None = None
        self._leaving = False
        self._run_task = asyncio.get_running_loop().create_task(self._run())

    async def _run(self) -> None:
        try:
            await self._worker.run()
        except BaseException as error:  # it is raised where the block ends
            self._error = error
            self._worker._stopped.set()  # a plugin may have raised before anything ran
            if not self._leaving:
                self._body.cancel()

    async def leave(self, exc_type: type[BaseException] | None, plugin_timeout: timedelta | None) -> None:
        self._leaving = True
        await self._worker.shutdown()
        try:
            await asyncio.wait([self._run_task], timeout=plugin_timeout.total_seconds() if plugin_timeout else None)
        finally:
            self._run_task.cancel()  # no effect on one that is done, as it is unless a plugin hangs
        if self._error is not None and exc_type in (None, asyncio.CancelledError):
            raise self._error


async def unregister(engine: EngineHandle, port: HostPort) -> None:
    """Take the port from the engine and drop its instances; then the engine starts nothing more on it."""
    if engine.is_closed:
        return
    loop = asyncio.get_running_loop()
    done = asyncio.Event()
    engine.unregister_worker(port)
    engine.call_soon(port.evict_all)
    engine.call_soon(_tell, loop, done)
    with contextlib.suppress(TimeoutError):  # the engine is being closed under us: it starts nothing either
        async with asyncio.timeout(5):
            await done.wait()


def _tell(loop: asyncio.AbstractEventLoop, event: asyncio.Event) -> None:
    loop.call_soon_threadsafe(event.set)


def _wrapped(plugin: Plugin, call: Callable[[Worker], Awaitable[None]]) -> Callable[[Worker], Awaitable[None]]:
    async def run(worker: Worker) -> None:
        await plugin.run_worker(worker, call)

    return run
