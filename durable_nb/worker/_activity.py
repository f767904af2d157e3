"""The activity side of a worker: from an activity task to its outcome.

Async activities run as one asyncio task on the worker's loop; sync ones in the executor the user gave. Which path an
attempt takes, and everything about a definition that a path needs, is settled at registration, so that a trivial
activity costs one task and two conversions. Retries, timeouts and what an outcome means for the workflow are the
engine's business; only cancellation and heartbeats come back here.
Invariant: every task given to ``start`` is reported exactly once. Source: temporal-semantics sections 3.2 and 7.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import contextvars
from asyncio import _get_running_loop
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

from durable_nb._hop import Hop
from durable_nb.activity import ActivityCancellationDetails
from durable_nb.activity import logger as activity_logger
from durable_nb.activity._context import Flag, enter
from durable_nb.activity._definition import ActivityDefinition, must_have_definition
from durable_nb.exceptions import ApplicationError
from durable_nb.metric_meter import MetricMeter
from durable_nb.model.failure import ApplicationFailureInfo, Failure
from durable_nb.model.progress import is_report
from durable_nb.model.spelling import nearest
from durable_nb.model.storable import as_text
from durable_nb.model.tasks import ActivityOutcome, ActivityTask
from durable_nb.policies import RawValue
from durable_nb.worker import _output
from durable_nb.worker._activity_call import ActivityCalls, call_in_thread
from durable_nb.worker._heartbeat import HeartbeatThrottle, HeartbeatTiming, SendHeartbeat
from durable_nb.worker._running import Report, RunningActivity, verdict
from durable_nb.worker._serialization import wants_context, with_context

if TYPE_CHECKING:
    from durable_nb.client import Client
    from durable_nb.converter import DataConverter
    from durable_nb.engine.outputs import AttemptOutput
    from durable_nb.model.payload import Payload
    from durable_nb.worker._interceptor import Interceptor
    from durable_nb.worker._shared_state import SharedStateManager

OpenOutput = Callable[[ActivityTask], "AttemptOutput | None"]
"""From an attempt to where its output is kept."""

_WORKER_SHUTDOWN = ActivityCancellationDetails(worker_shutdown=True)
_DEBUG = 10
_NO_ARGUMENTS: tuple[Any, ...] = ()


class ActivityExecutor:
    """Runs attempts of the registered activities.

    Parameters
    ----------
    executor
        For sync activities; None where there are none.
    shared_state
        What activities in an executor other than threads share with this process.
    send_heartbeat
        Task token and encoded details to the engine, and its reply back.
    max_concurrent
        Attempts at the same time; the engine asks ``free_slots`` before it starts one.
    on_fatal
        Called with an error after which the worker cannot go on: a broken executor.
    open_output
        Where what an attempt prints and logs is kept; asked when it first does. None: nowhere.
    """

    _loop: asyncio.AbstractEventLoop
    _hop: Hop
    """Both from ``bind``."""

    def __init__(
        self,
        *,
        task_queue: str,
        data_converter: DataConverter,
        send_heartbeat: SendHeartbeat,
        executor: concurrent.futures.Executor | None = None,
        shared_state: SharedStateManager | None = None,
        interceptors: Sequence[Interceptor] = (),
        client: Client | None = None,
        max_concurrent: int = 100,
        timing: HeartbeatTiming | None = None,
        decode_headers: bool = False,
        on_fatal: Callable[[BaseException], None] | None = None,
        open_output: OpenOutput | None = None,
    ) -> None:
        self.task_queue = task_queue
        self.data_converter = data_converter
        self.payload_converter = data_converter.payload_converter
        self.client = client
        self.metric_meter = MetricMeter.noop
        self.worker_shutdown = Flag()
        self.max_concurrent = max_concurrent
        self.running: dict[bytes, RunningActivity] = {}
        self.local: dict[bytes, RunningActivity] = {}
        self._definitions: dict[str, ActivityDefinition] = {}
        self._dynamic: ActivityDefinition | None = None
        self.calls = ActivityCalls(executor, shared_state, data_converter, interceptors, self.worker_shutdown)
        self._has_codec = data_converter.payload_codec is not None
        self._contextual = wants_context(data_converter)
        self._decode_headers = decode_headers
        self._send_heartbeat = send_heartbeat
        self._timing = timing or HeartbeatTiming()
        self._on_fatal = on_fatal
        self.open_output = open_output
        self._idle: asyncio.Event | None = None
        self._context = contextvars.Context()

    # -- definitions -----------------------------------------------------------------------------------------------

    def register(self, fn: Callable[..., Any]) -> ActivityDefinition:
        """Add an activity, or replace the one of that name.

        Raises
        ------
        TypeError
            Not decorated.
        NameError
            Its annotations name something unknown.
        """
        definition = must_have_definition(fn)
        _ = definition.arg_types, definition.arity  # read now, so that errors show at registration
        if definition.name is None:
            self._dynamic = definition
        else:
            self._definitions[definition.name] = definition
        return definition

    def serves(self, activity_type: str) -> bool:
        return activity_type in self._definitions or self._dynamic is not None

    @property
    def names(self) -> list[str]:
        """Registered activity types, sorted."""
        return sorted(self._definitions)

    def not_registered(self, activity_type: str) -> str:
        """What to tell somebody who asked for an activity that is not here."""
        near = nearest(activity_type, self._definitions)
        hint = f"; did you mean {near}?" if near else ""
        return (
            f"Activity function {activity_type} is not registered on this worker, "
            f"available activities: {', '.join(self.names) or '(none)'}{hint}"
        )

    # -- life ------------------------------------------------------------------------------------------------------

    def bind(self, loop: asyncio.AbstractEventLoop) -> None:
        """Fix the loop of async activities, and the context variables that activities inherit: the caller's."""
        self._loop = loop
        self._hop = Hop(loop)
        self._context = contextvars.copy_context()

    def free_slots(self) -> int:
        return self.max_concurrent - len(self.running)

    async def shutdown(self, graceful_seconds: float) -> None:
        """Tell activities, wait, cancel those that are left, wait for them. On the worker's loop."""
        self.worker_shutdown.set()
        self.calls.notify_shutdown()
        self._idle = asyncio.Event()
        self._check_idle()
        if graceful_seconds > 0 and not self._idle.is_set():
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(graceful_seconds):
                    await self._idle.wait()
        for running in (*self.running.values(), *self.local.values()):
            running.cancel(_WORKER_SHUTDOWN)
        await self._idle.wait()

    def _check_idle(self) -> None:
        if self._idle is not None and not self.running and not self.local:
            self._idle.set()

    # -- tasks -----------------------------------------------------------------------------------------------------

    def start(self, task: ActivityTask, report: Report) -> None:
        """Run one attempt; ``report`` is called exactly once, in any thread. Call it on any loop; it never blocks."""
        if self.open_output is not None:
            _output.listen()
        registry = self.local if task.is_local else self.running
        definition = self._definitions.get(task.activity_type) or self._dynamic
        if definition is None:
            message = self.not_registered(task.activity_type)
            report(_failed(message.replace(" is not", f" for workflow {task.workflow_id} is not", 1), "NotFoundError"))
            return
        running = RunningActivity(self, task, definition, report, registry)
        if self._contextual:
            running.use_converter(with_context(self.data_converter, task))
        registry[task.task_token] = running
        calls = self.calls
        direct = not definition.is_async and calls.takes_calls_of_any_thread and not calls.interceptors
        if direct and not self._has_codec:
            self._submit(running)
        elif _get_running_loop() is self._loop:
            self._spawn(running)
        elif not self._hop.post(self._spawn, running):
            self._finish(running, _failed("the event loop of the worker is closed", "WorkerShutdown"))

    def cancel_local(self, task_token: bytes, details: ActivityCancellationDetails) -> None:
        """Ask a local activity to stop; without effect once it ended."""
        running = self.local.get(task_token)
        if running is not None:
            self._hop.run(running.cancel, details)

    def new_throttle(self, running: RunningActivity) -> HeartbeatThrottle:
        return HeartbeatThrottle(
            running.task.task_token,
            running.task.heartbeat_timeout,
            loop=self._loop,
            timing=self._timing,
            converter=running.converter,
            send=self._send_heartbeat,
            on_reply=running.cancel_by_reply,
            on_error=running.cancel_by_heartbeat_error,
        )

    def _spawn(self, running: RunningActivity) -> None:
        running.asyncio_task = self._loop.create_task(self._run(running), context=self._context.copy())

    def _submit(self, running: RunningActivity) -> None:
        running.use_thread()
        try:
            self.calls.must_have_executor(running).submit(self._context.copy().run, self._run_in_thread, running)
        except Exception as error:
            self._finish(running, self._failure(running, error))

    async def _run(self, running: RunningActivity) -> None:
        """One attempt on the worker's loop: any activity, with codec and interceptors where there are any."""
        enter(running)
        task, definition = running.task, running.definition
        try:
            if activity_logger.logger.isEnabledFor(_DEBUG):
                activity_logger.debug("Starting activity")
            running.entered = True
            if definition.is_async and running.cancelled.is_set():
                running.cancel_task()  # requested before the first step: it strikes at the first await
            # A local activity never left the process: the codec covers its marker, not its arguments.
            codec = self._has_codec and not task.is_local
            if codec:
                task = await self._decoded(task, running.converter)
            args = self._arguments(running, task.input)
            if task.heartbeat_details:
                self._read_heartbeat_details(running, task.heartbeat_details)
            if self.calls.interceptors or not definition.is_async:
                result = await self.calls.call(running, args, task.header)
            else:
                fewest, most = definition.arity
                if len(args) < fewest or (most is not None and len(args) > most):
                    raise definition.argument_error(len(args)) or AssertionError
                result = await definition.run(*args)
            running.done = True
            payloads = running.payload_converter.to_payloads((result,))
            if codec:
                payloads = await running.converter.encode_payloads(payloads)
            outcome = ActivityOutcome(payloads)
        except BaseException as error:
            if isinstance(error, GeneratorExit) and self._is_dropped(running):
                raise
            running.done = True
            outcome = self._failure(running, error)
            if self._has_codec and not task.is_local and outcome.failure is not None:
                outcome = await self._encoded(outcome.failure, running.converter)
        if running.throttle is not None:
            left = await running.throttle.close()
            outcome.last_heartbeat_details = None if outcome.result is not None else left
        self._finish(running, outcome)

    def _is_dropped(self, running: RunningActivity) -> bool:
        """Whether the coroutine of an attempt is being closed because its loop has ended: the attempt is lost then.

        A ``GeneratorExit`` that the activity raises comes up in a step of its own asyncio task.
        """
        return running.asyncio_task is not None and running.asyncio_task is not asyncio.current_task(self._loop)

    def _run_in_thread(self, running: RunningActivity) -> None:
        """One attempt in a thread, from arguments to report, where nothing needs the loop."""
        enter(running)
        task = running.task
        try:
            if activity_logger.logger.isEnabledFor(_DEBUG):
                activity_logger.debug("Starting activity")
            args = self._arguments(running, task.input)
            if task.heartbeat_details:
                self._read_heartbeat_details(running, task.heartbeat_details)
            wrong = running.definition.argument_error(len(args))
            if wrong is not None:
                raise wrong
            result = call_in_thread(running.canceller, running.definition.run, args)
            running.done = True
            outcome = ActivityOutcome(running.payload_converter.to_payloads((result,)))
        except BaseException as error:
            running.done = True
            outcome = self._failure(running, error)
        if running.throttle is not None:
            left = running.throttle.close_now()
            outcome.last_heartbeat_details = None if outcome.result is not None else left
        self._finish(running, outcome)

    def _finish(self, running: RunningActivity, outcome: ActivityOutcome) -> None:
        running.registry.pop(running.task.task_token, None)
        running.done = True
        if running.output is not None:
            running.output.close()
        running.report(outcome)
        if self._idle is not None:
            self._hop.run(self._check_idle)

    # -- values ----------------------------------------------------------------------------------------------------

    def _arguments(self, running: RunningActivity, payloads: Sequence[Payload]) -> Sequence[Any]:
        definition = running.definition
        if definition.name is not None and not payloads:
            return _NO_ARGUMENTS
        hints = definition.arg_types if definition.name is not None else [RawValue] * len(payloads)
        if hints is not None and len(hints) != len(payloads):
            hints = None
        try:
            args = running.payload_converter.from_payloads(payloads, hints)
        except Exception as error:
            raise ApplicationError("Failed decoding arguments") from error
        return args if definition.name is not None else [args]

    def _read_heartbeat_details(self, running: RunningActivity, payloads: Sequence[Payload]) -> None:
        try:
            # A report of progress is not the activity's own.
            own = [payload for payload in payloads if not is_report(payload)]
            running.previous_details = running.payload_converter.from_payloads(own)
        except Exception as error:
            raise ApplicationError("Failed decoding heartbeat details", non_retryable=True) from error

    def _failure(self, running: RunningActivity, error: BaseException) -> ActivityOutcome:
        """Outcome of an attempt that was left by an exception; never raises."""
        try:
            meaning = verdict(running, error)
            if isinstance(meaning, ActivityOutcome):
                return meaning
            if self._on_fatal is not None and isinstance(error, concurrent.futures.BrokenExecutor):
                self._on_fatal(error)
            return ActivityOutcome(failure=running.converter.to_failure(meaning))
        except BaseException as problem:
            activity_logger.exception(f"Exception handling failed, original error: {as_text(error)}")
            return _failed(f"Failed building exception result: {problem}")

    # -- codec -----------------------------------------------------------------------------------------------------

    async def _decoded(self, task: ActivityTask, converter: DataConverter) -> ActivityTask:
        """A copy of the task with the codec undone."""
        header = task.header
        try:
            arguments = await converter.decode_payloads(task.input) if task.input else task.input
            if header and self._decode_headers:
                header = {key: (await converter.decode_payloads([value]))[0] for key, value in header.items()}
        except Exception as error:
            raise ApplicationError("Failed decoding arguments") from error
        try:
            details = task.heartbeat_details and await converter.decode_payloads(task.heartbeat_details)
        except Exception as error:
            raise ApplicationError("Failed decoding heartbeat details", non_retryable=True) from error
        return replace(task, input=arguments, header=header, heartbeat_details=details)

    async def _encoded(self, failure: Failure, converter: DataConverter) -> ActivityOutcome:
        """Outcome of a failure with the codec applied; never raises."""
        try:
            return ActivityOutcome(failure=await converter.encode_failure_payloads(failure))
        except GeneratorExit:
            raise  # the loop has ended
        except BaseException as problem:
            activity_logger.exception("Exception handling failed: the payload codec refused the failure")
            return _failed(f"Failed building exception result: {problem}")


def _failed(message: str, kind: str = "") -> ActivityOutcome:
    return ActivityOutcome(failure=Failure(message=message, application_failure_info=ApplicationFailureInfo(type=kind)))
