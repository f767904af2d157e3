"""The asyncio loop on which the code of one run executes.

It has a FIFO ready queue and nothing else: no selector, no threads, no wall clock. ``call_later`` makes a durable
timer, ``time()`` is workflow time. Whatever is not defined here raises NotImplementedError, which is what
``asyncio.AbstractEventLoop`` does. Invariant: handles run in the order in which they became ready
(temporal-semantics 2.1 and 2.3).
"""

from __future__ import annotations

import asyncio
import contextvars
import logging
import sys
import threading
import warnings
from asyncio import Future, Task, _get_running_loop, _set_running_loop
from collections.abc import Callable, Coroutine, Generator
from typing import TYPE_CHECKING, Any, TypeVar

from durable_nb.runtime.errors import NotInWorkflowEventLoopError

if TYPE_CHECKING:
    from durable_nb.runtime.instance import WorkflowInstance

T = TypeVar("T")

logger = logging.getLogger("durable_nb.runtime")

_TASKS_BEFORE_SWEEP = 8


class ReadyHandle:
    """A callback that waits for its turn; has the methods of ``asyncio.Handle`` that code may use."""

    __slots__ = ("args", "callback", "context")

    def __init__(
        self, callback: Callable[..., Any] | None, args: tuple[Any, ...], context: contextvars.Context | None
    ) -> None:
        self.callback = callback
        self.args = args
        self.context = context

    def cancel(self) -> None:
        """Do not run it."""
        self.callback = None
        self.args = ()

    def cancelled(self) -> bool:
        """Whether it was cancelled."""
        return self.callback is None

    def get_context(self) -> contextvars.Context | None:
        """Context that the callback runs in."""
        return self.context


class WorkflowLoop(asyncio.AbstractEventLoop):
    """Private loop of one run; only its ``WorkflowInstance`` drives it."""

    __slots__ = ("_exception_handler", "_sweep_at", "_task_count", "guarded", "instance", "ready", "tasks")

    def __init__(self, instance: WorkflowInstance, *, guarded: bool) -> None:
        self.instance = instance
        self.guarded = guarded
        """Whether ``guards`` refuse clock, randomness and I/O while code runs here."""
        self.ready: list[Any] = []
        self.tasks: list[Task[Any]] = []
        """Strong references, because asyncio holds weak ones only; finished tasks are swept out now and then."""
        self._sweep_at = _TASKS_BEFORE_SWEEP
        self._task_count = 0
        self._exception_handler: Callable[[asyncio.AbstractEventLoop, dict[str, Any]], Any] | None = None

    # -- driven by the instance ------------------------------------------------------------------------------------

    def run_ready(self) -> None:
        """Run handles until none is ready or the activation has failed."""
        instance = self.instance
        while self.ready:
            batch = self.ready
            self.ready = []
            for handle in batch:
                callback = handle.callback
                if callback is None:
                    continue
                context = handle.context
                try:
                    if context is None:
                        callback(*handle.args)
                    else:
                        context.run(callback, *handle.args)
                except (SystemExit, KeyboardInterrupt) as error:
                    instance.fail_task(error)
                except BaseException as error:
                    self._callback_failed(handle, error)
                if instance.task_error is not None:
                    return

    def _callback_failed(self, handle: ReadyHandle, error: BaseException) -> None:
        self.call_exception_handler({"message": f"Exception in callback {handle.callback!r}", "exception": error})

    def soon(self, callback: Callable[..., Any], *args: Any) -> None:
        """``call_soon`` for the runtime's own callbacks, which need neither a context nor a handle to cancel."""
        self.ready.append(ReadyHandle(callback, args, None))

    def spawn(self, coroutine: Coroutine[Any, Any, Any], name: str) -> Task[Any]:
        """``create_task`` without the check for read-only contexts; for queries."""
        task = Task(coroutine, loop=self, name=self.instance.task_name(name))
        self.keep(task)
        return task

    def keep(self, task: Task[Any]) -> None:
        """Hold a strong reference until the task is done."""
        # Not a done callback: that would cost a handle per task. Sweeping costs O(1) a task on average.
        task._log_destroy_pending = False  # type: ignore[attr-defined]  # dropping a run is no accident
        tasks = self.tasks
        tasks.append(task)
        if len(tasks) > self._sweep_at:
            tasks = self.tasks = [each for each in tasks if not each.done()]
            self._sweep_at = max(_TASKS_BEFORE_SWEEP, 2 * len(tasks))

    # -- asyncio.AbstractEventLoop ----------------------------------------------------------------------------------

    def call_soon(  # type: ignore[override]
        self, callback: Callable[..., Any], *args: Any, context: contextvars.Context | None = None
    ) -> ReadyHandle:
        if self.instance.read_only:
            self.instance.assert_writable("schedule task", while_evicting=True)
        handle = ReadyHandle(callback, args, contextvars.copy_context() if context is None else context)
        self.ready.append(handle)
        return handle

    def call_later(  # type: ignore[override]
        self, delay: float, callback: Callable[..., Any], *args: Any, context: contextvars.Context | None = None
    ) -> ReadyHandle:
        return self.instance.start_timer(delay, callback, args, context, None)

    def call_at(  # type: ignore[override]
        self, when: float, callback: Callable[..., Any], *args: Any, context: contextvars.Context | None = None
    ) -> ReadyHandle:
        # Callers compute ``when`` as time() + delay; the float sum loses digits below the millisecond.
        return self.instance.start_timer(round(when - self.time(), 3), callback, args, context, None)

    def time(self) -> float:
        return self.instance.time_us * 1000 / 1e9  # From nanoseconds: workflow ids may be made of every digit.

    def create_future(self) -> Future[Any]:
        caller = sys._getframe(1).f_code
        if caller.co_name in _UNORDERED and caller.co_filename == asyncio.tasks.__file__:
            _warn_unordered("asyncio.wait", "workflow.wait")
        elif caller.co_name == "get" and sys._getframe(2).f_code.co_name == "_wait_for_one":
            _warn_unordered("asyncio.as_completed", "workflow.as_completed")
        return Future(loop=self)

    def create_task(
        self,
        coro: Coroutine[Any, Any, T] | Generator[Any, None, T],
        *,
        name: str | None = None,
        context: contextvars.Context | None = None,
    ) -> Task[T]:
        instance = self.instance
        instance.assert_writable("create task")
        if name is None:
            # asyncio would count over the whole process, so that a replay would see other names.
            self._task_count += 1
            name = f"Task-{self._task_count}"
        task: Task[T] = Task(coro, loop=self, name=instance.task_name(name), context=context)
        self.keep(task)
        return task

    def get_task_factory(self) -> None:
        return None

    def get_debug(self) -> bool:
        return False

    def is_running(self) -> bool:
        return True

    def is_closed(self) -> bool:
        return False

    def get_exception_handler(self) -> Any:
        return self._exception_handler

    def set_exception_handler(self, handler: Any) -> None:
        self._exception_handler = handler

    def default_exception_handler(self, context: dict[str, Any]) -> None:
        error = context.get("exception")
        lines = [str(context.get("message") or "Unhandled exception in event loop")]
        lines += [f"{key}: {context[key]!r}" for key in sorted(context) if key not in ("message", "exception")]
        logger.error("\n".join(lines), exc_info=error)

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        if self.instance is None or self.instance.evicted:
            return
        try:
            if self._exception_handler is None:
                self.default_exception_handler(context)
            else:
                self._exception_handler(self, context)
        except (SystemExit, KeyboardInterrupt):
            raise
        except BaseException as error:
            if self._exception_handler is None:
                logger.exception("Exception in default exception handler")
            else:
                self.default_exception_handler(
                    {"message": "Unhandled error in exception handler", "exception": error, "context": context}
                )


_UNORDERED = frozenset({"_wait"})


def _warn_unordered(stock: str, ordered: str) -> None:
    frame = sys._getframe(2)
    depth = 3
    # Blame the line of workflow code, not asyncio's.
    while frame.f_back is not None and frame.f_code.co_filename.startswith(_ASYNCIO_DIRECTORY):
        frame = frame.f_back
        depth += 1
    warnings.warn(
        f"{stock} keeps its futures in a set, so their order can differ in a replay: use {ordered}, which takes the "
        f"same arguments and keeps the order",
        RuntimeWarning,
        stacklevel=depth,
    )


_ASYNCIO_DIRECTORY = asyncio.__file__.rpartition("__init__")[0]


class _Here(threading.local):
    loop: WorkflowLoop | None = None


here = _Here()
"""``here.loop`` is the loop of the workflow code that runs in this thread, None while none does.

The same as asyncio's running loop, which costs a system call to ask for.
"""


def maybe_current() -> WorkflowInstance | None:
    """The run whose code calls, None outside workflow code."""
    loop = here.loop
    return None if loop is None else loop.instance


def current() -> WorkflowInstance:
    """The run whose code calls.

    Raises
    ------
    NotInWorkflowEventLoopError
        The caller is not workflow code.
    """
    loop = here.loop
    if loop is not None:
        return loop.instance
    raise NotInWorkflowEventLoopError


def release(waiter: Future[None]) -> None:
    """Let whoever awaits ``waiter`` go on."""
    if not waiter.done():
        waiter.set_result(None)


class Entered:
    """``with Entered(loop):`` makes it the running loop of this thread; the one before is restored.

    Async generators must not be adopted by the loop outside, so its hooks are put aside as well.
    """

    __slots__ = ("_here", "_hooks", "_loop", "_outer", "_task")

    def __init__(self, loop: WorkflowLoop) -> None:
        self._loop = loop

    def __enter__(self) -> None:
        outer = self._outer = _get_running_loop()
        self._task = None
        if outer is not None:
            self._hooks = sys.get_asyncgen_hooks()
            sys.set_asyncgen_hooks(None, None)
            if _ONE_TASK_A_THREAD:
                self._task = _swap_current_task(outer, None)
        _set_running_loop(self._loop)
        self._here, here.loop = here.loop, self._loop

    def __exit__(self, *_: object) -> None:
        outer = self._outer
        here.loop = self._here
        _set_running_loop(outer)
        if outer is not None:
            sys.set_asyncgen_hooks(*self._hooks)
            if self._task is not None:
                _swap_current_task(outer, self._task)


_ONE_TASK_A_THREAD = sys.version_info >= (3, 14)
"""From 3.14 on a task cannot step while another task of the same thread is in a step, whatever its loop."""

if _ONE_TASK_A_THREAD:
    from asyncio.tasks import _swap_current_task  # type: ignore[attr-defined]
