"""Sync activities in executors of other kinds than threads: the call that travels, and its end that comes back.

Everything goes as bytes, pickled here, so that functions and classes defined in a notebook (``__main__``) can travel
by cloudpickle where that is installed, whatever the executor itself does. An exception comes back as a value, since
one that cannot be unpickled would break a whole process pool.
"""

from __future__ import annotations

import pickle
import threading
import time
import traceback
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import msgspec

from durable_nb.activity import Info
from durable_nb.activity._context import ActivityContext, Flag, ForeignFlag, enter, leave
from durable_nb.exceptions import ApplicationError
from durable_nb.model.progress import Progress
from durable_nb.model.text_pieces import Pieces
from durable_nb.worker import _output
from durable_nb.worker._shared_state import SharedHeartbeatSender

if TYPE_CHECKING:
    from durable_nb.converter import PayloadConverter


class RemoteTraceback(Exception):
    """Stands as the cause of an exception that was raised in another process; its text is the traceback there."""

    def __str__(self) -> str:
        return f"\n{self.args[0]}"


class ProcessCall(msgspec.Struct):
    """One attempt, ready to travel. Events and sender are None where the worker has no shared state manager."""

    info: Info
    sender: SharedHeartbeatSender | None
    cancelled: threading.Event | None
    worker_shutdown: threading.Event | None
    payload_converter_class: type[PayloadConverter]
    fn: Callable[..., Any]
    args: Sequence[Any]
    keep_output: bool = False

    def packed(self) -> tuple[bytes, bool]:
        """Pickled form, and whether notebook definitions may be inside.

        Raises
        ------
        TypeError
            The activity or an argument cannot be pickled.
        """
        from_notebook = _is_from_main(self.fn) or any(_is_from_main(type(value)) for value in self.args)
        try:
            return _dumps(self, from_notebook), from_notebook
        except Exception as error:
            notebook_only = from_notebook and _cloudpickle() is None
            advice = "; install cloudpickle, or move the activity to a module" if notebook_only else ""
            raise TypeError(
                f"activity {self.info.activity_type} or one of its arguments cannot travel to another process: "
                f"{error}{advice}"
            ) from error


class ProcessEnd(msgspec.Struct):
    """How a call ended in the other process."""

    result: Any = None
    error: BaseException | None = None
    traceback_text: str = ""
    output: list[list[str]] = []
    """What it printed and logged: pairs of stream and text. It comes with the end, not before."""

    def get(self) -> Any:
        """The result; raises the error of the activity."""
        if self.error is None:
            return self.result
        raise self.error from RemoteTraceback(self.traceback_text)


def run_in_process(packed: bytes, from_notebook: bool) -> bytes:
    """Entry point in the other process: a packed ``ProcessCall`` in, a pickled ``ProcessEnd`` out."""
    call: ProcessCall = pickle.loads(packed)  # noqa: S301 - from our own worker
    context = _context_of(call)
    kept = Pieces()
    if call.keep_output:
        _output.listen()
        context.record = kept.write
    token = enter(context)
    try:
        end = ProcessEnd(result=call.fn(*call.args))
    except BaseException as error:
        end = ProcessEnd(error=error, traceback_text=traceback.format_exc())
    finally:
        leave(token)
    end.output = kept.all()
    try:
        return _checked(end, from_notebook)
    except Exception as error:
        return _dumps(_replacement(end, error), from_notebook)


def unpack_end(packed: bytes) -> ProcessEnd:
    """What ``run_in_process`` sent."""
    end: ProcessEnd = pickle.loads(packed)  # noqa: S301 - from our own executor
    return end


def _context_of(call: ProcessCall) -> ActivityContext:
    info = call.info
    sender = call.sender

    def heartbeat(*details: Any) -> None:
        if sender is None:
            raise RuntimeError(
                "heartbeats from another process need a shared state manager: give the worker "
                "shared_state_manager=SharedStateManager.create_from_multiprocessing(multiprocessing.Manager())"
            )
        sender.send_heartbeat(info.task_token, *details)

    context = ActivityContext(
        lambda: info,
        cancelled=Flag() if call.cancelled is None else ForeignFlag(call.cancelled),
        worker_shutdown=Flag() if call.worker_shutdown is None else ForeignFlag(call.worker_shutdown),
        heartbeat=heartbeat,
        payload_converter=call.payload_converter_class(),
        is_async=False,
    )
    if sender is not None:
        report = paced(lambda done, total, label: sender.send_heartbeat(info.task_token, Progress(done, total, label)))
        context.report_progress = report
    return context


def paced(report: Callable[[float, float, str], object]) -> Callable[[float, float, str], None]:
    """``report`` called ten times a second at most, and at the last step."""
    again_at = 0.0

    def call(done: float, total: float, label: str) -> None:
        nonlocal again_at
        now = time.monotonic()
        if now >= again_at or done == total:
            again_at = now + 0.1
            report(done, total, label)

    return call


def _checked(end: ProcessEnd, from_notebook: bool) -> bytes:
    """Pickled end that is known to come to life again where it carries an exception."""
    packed = _dumps(end, from_notebook)
    if end.error is not None:
        pickle.loads(packed)  # noqa: S301 - made here, a line ago
    return packed


def _replacement(end: ProcessEnd, problem: Exception) -> ProcessEnd:
    """What to send in place of an end that cannot be pickled."""
    if end.error is None:
        error: BaseException = TypeError(
            f"the result of the activity, {type(end.result).__name__}, cannot travel between processes: {problem}"
        )
    else:
        error = ApplicationError(str(end.error), type=type(end.error).__name__)
    return ProcessEnd(error=error, traceback_text=end.traceback_text, output=end.output)


def _is_from_main(fn: Any) -> bool:
    module = getattr(fn, "__module__", None) or type(fn).__module__
    return module == "__main__"


def _cloudpickle() -> Any:
    try:
        import cloudpickle  # noqa: PLC0415 - optional and slow to import; only for notebook code in other processes
    except ImportError:
        return None
    return cloudpickle


def _dumps(value: Any, from_notebook: bool) -> bytes:
    cloudpickle = _cloudpickle() if from_notebook else None
    return pickle.dumps(value) if cloudpickle is None else bytes(cloudpickle.dumps(value))
