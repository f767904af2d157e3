"""The innermost call of an activity behind interceptors: on the loop, in a thread, or in another process.

``_activity`` prepares arguments and makes an outcome of what comes back; nothing here knows tasks or outcomes.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import contextvars
import inspect
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from durable_nb.activity._context import Flag
from durable_nb.exceptions import CancelledError
from durable_nb.worker._interceptor import (
    ActivityInboundInterceptor,
    ActivityOutboundInterceptor,
    ExecuteActivityInput,
    Interceptor,
)
from durable_nb.worker._thread_cancel import ThreadCanceller

if TYPE_CHECKING:
    from durable_nb.activity import Info
    from durable_nb.converter import DataConverter
    from durable_nb.model.payload import Payload
    from durable_nb.worker._running import RunningActivity
    from durable_nb.worker._shared_state import SharedStateManager


class ActivityCalls:
    """How a worker calls activities; one per worker.

    ``executor`` may be replaced at any time; running activities stay where they are.
    """

    def __init__(
        self,
        executor: concurrent.futures.Executor | None,
        shared_state: SharedStateManager | None,
        data_converter: DataConverter,
        interceptors: Sequence[Interceptor],
        worker_shutdown: Flag,
    ) -> None:
        self._use(executor)
        self.interceptors = tuple(interceptors)
        self._shared_state = shared_state
        self._converter_class = data_converter.payload_converter_class
        self._worker_shutdown = worker_shutdown
        self.foreign_shutdown: threading.Event | None = None

    def replace_executor(self, executor: concurrent.futures.Executor, shared_state: SharedStateManager | None) -> None:
        self._use(executor)
        self._shared_state = shared_state
        self.foreign_shutdown = None

    def _use(self, executor: concurrent.futures.Executor | None) -> None:
        self.executor = executor
        self.in_threads = isinstance(executor, concurrent.futures.ThreadPoolExecutor)
        # That of trio-asyncio, for one, takes calls only from its loop: submit is a coroutine function there.
        submit = getattr(executor, "submit", None)
        self.takes_calls_of_any_thread = self.in_threads and not is_coroutine_function(submit)

    def must_have_executor(self, running: RunningActivity) -> concurrent.futures.Executor:
        """The executor. RuntimeError where there is none."""
        if self.executor is None:
            raise RuntimeError(
                f"activity {running.task.activity_type} is not async and the worker has no activity_executor"
            )
        return self.executor

    def notify_shutdown(self) -> None:
        """Tell activities in other processes."""
        if self.foreign_shutdown is not None:
            asyncio.get_running_loop().run_in_executor(None, self.foreign_shutdown.set)

    async def call(self, running: RunningActivity, args: Sequence[Any], headers: Mapping[str, Payload]) -> Any:
        """Call the activity through the interceptors; returns its result, raises what it raises."""
        inbound: ActivityInboundInterceptor = _Innermost(self, running)
        if not self.interceptors:
            return await inbound.execute_activity(self._input(running, args, headers))
        running.put_interceptor(None)
        for interceptor in reversed(self.interceptors):
            inbound = interceptor.intercept_activity(inbound)
        inbound.init(_Outermost(running))
        return await inbound.execute_activity(self._input(running, args, headers))

    def _input(
        self, running: RunningActivity, args: Sequence[Any], headers: Mapping[str, Payload]
    ) -> ExecuteActivityInput:
        executor = None if running.definition.is_async else self.executor
        return ExecuteActivityInput(fn=running.definition.fn, args=args, executor=executor, headers=headers)

    async def in_thread(self, running: RunningActivity, fn: Callable[..., Any], args: Sequence[Any]) -> Any:
        """Call in the thread pool, with the context variables of the caller."""
        canceller = running.use_thread()
        context = contextvars.copy_context()
        executor, loop = self.must_have_executor(running), asyncio.get_running_loop()
        result, error = await loop.run_in_executor(executor, context.run, _ending, canceller, fn, args)
        if error is not None:
            raise error
        return result

    async def in_process(self, running: RunningActivity, fn: Callable[..., Any], args: Sequence[Any]) -> Any:
        """Call in an executor of another kind; its activities learn of cancellation by events only."""
        # Here, because few workers have such an executor, and pickle is slow to import.
        from durable_nb.worker._process import ProcessCall, run_in_process, unpack_end  # noqa: PLC0415

        loop = asyncio.get_running_loop()
        shared, token = self._shared_state, running.task.task_token
        sender = None
        if shared is not None:
            # Each is a round trip to the manager's process: off the loop.
            running.foreign_cancelled = await loop.run_in_executor(None, shared.new_event)
            if self.foreign_shutdown is None:
                self.foreign_shutdown = await loop.run_in_executor(None, shared.new_event)
            for flag, event in (
                (running.cancelled, running.foreign_cancelled),
                (self._worker_shutdown, self.foreign_shutdown),
            ):
                if flag.is_set():
                    await loop.run_in_executor(None, event.set)
            sender = await shared.register_heartbeater(token, _heartbeater(running))
        try:
            call = ProcessCall(
                running.info(),
                sender,
                running.foreign_cancelled,
                self.foreign_shutdown,
                self._converter_class,
                fn,
                args,
                running.host.open_output is not None,
            )
            future = self.must_have_executor(running).submit(run_in_process, *call.packed())
            end = unpack_end(await asyncio.wrap_future(future))
        finally:
            if shared is not None:
                await shared.unregister_heartbeater(token)
        for stream, text in end.output:
            running.record(stream, text)
        return end.get()


class _Innermost(ActivityInboundInterceptor):
    """Ends the chain of inbound interceptors."""

    def __init__(self, calls: ActivityCalls, running: RunningActivity) -> None:
        self._calls = calls
        self._running = running

    def init(self, outbound: ActivityOutboundInterceptor) -> None:
        self._running.put_interceptor(outbound)

    async def execute_activity(self, input: ExecuteActivityInput) -> Any:
        running, calls, fn = self._running, self._calls, input.fn
        definition = running.definition
        is_async = definition.is_async
        if fn is definition.fn:
            wrong = definition.argument_error(len(input.args))
            if wrong is not None:
                raise wrong
        else:
            is_async = is_coroutine_function(fn)  # an interceptor put its own function in place
        if is_async:
            return await (definition.run if fn is definition.fn else fn)(*input.args)
        if calls.in_threads:
            fn = definition.run if fn is definition.fn else fn
            return await calls.in_thread(running, fn, input.args)
        return await calls.in_process(running, fn, input.args)


class _Outermost(ActivityOutboundInterceptor):
    """Ends the chain of outbound interceptors."""

    def __init__(self, running: RunningActivity) -> None:
        self._running = running

    def info(self) -> Info:
        return type(self._running).make_info(self._running)

    def heartbeat(self, *details: Any) -> None:
        type(self._running).heartbeat(self._running, *details)


def call_in_thread(canceller: ThreadCanceller | None, fn: Callable[..., Any], args: Sequence[Any]) -> Any:
    """Call a sync activity in this thread, open to cancellation only meanwhile."""
    if canceller is None:
        return fn(*args)
    try:
        canceller.enter()
        return fn(*args)
    finally:
        while not canceller.left:
            with contextlib.suppress(CancelledError):  # it may strike on the way in; the activity is over
                canceller.leave()


def is_coroutine_function(fn: Any) -> bool:
    """Whether calling ``fn`` gives something to await."""
    return inspect.iscoroutinefunction(fn) or inspect.iscoroutinefunction(type(fn).__call__)


def _ending(
    canceller: ThreadCanceller | None, fn: Callable[..., Any], args: Sequence[Any]
) -> tuple[Any, BaseException | None]:
    """Result and error as values: a StopIteration must not travel through a future."""
    try:
        return call_in_thread(canceller, fn, args), None
    except BaseException as error:
        return None, error


def _heartbeater(running: RunningActivity) -> Callable[..., None]:
    """Heartbeats of another process, with this activity as context; an error cancels the activity."""
    context = contextvars.copy_context()
    loop = asyncio.get_running_loop()

    def beat(*details: Any) -> None:
        try:
            # A copy each time: a context cannot be entered twice, and interceptors may be slow.
            context.copy().run(running.heartbeat, *details)
        except Exception as error:
            loop.call_soon_threadsafe(running.cancel_by_heartbeat_error, error)

    return beat
