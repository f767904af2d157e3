"""Travel in time: a run as its code was at an event, rebuilt by replay in an instance of its own.

Nothing here knows a store or a cached instance, and nothing is written: the commands of the code are thrown away. An
instance stands still only at the end of a workflow task, so an event stands for the task that took it in: the state
shown is that at the end of the first completed workflow task that includes the event, its commands included. Where
there is none yet, it is the state at the end of the last completed one; where the code fails at the task, that task is
run once more, and the state is that in which it raised.
"""

from __future__ import annotations

import sys
import threading
import weakref
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from types import CodeType, FrameType, TracebackType
from typing import Any, NamedTuple

from durable_nb.model.attributes import (
    WorkflowTaskCompleted,
    WorkflowTaskFailed,
    WorkflowTaskScheduled,
    WorkflowTaskStarted,
    WorkflowTaskTimedOut,
)
from durable_nb.model.enums import WorkflowTaskFailedCause
from durable_nb.model.events import Event
from durable_nb.runtime import guards
from durable_nb.runtime.definition import WorkflowDefinition
from durable_nb.runtime.instance import WorkflowInstance
from durable_nb.runtime.interrupts import is_from_keyboard
from durable_nb.runtime.loop import Entered
from durable_nb.runtime.matching import COMMAND_EVENTS
from durable_nb.runtime.options import RuntimeOptions
from durable_nb.runtime.place import coroutine_frames, is_library
from durable_nb.runtime.replay import instance_of

RUN_TASK = "run"


class Stop(NamedTuple):
    """Where a replay stops.

    ``before`` and ``end`` count events: through ``before`` the tasks ahead of the wanted one have ended, through
    ``end`` the wanted one has. ``task_completed`` is its WorkflowTaskCompleted, 0 where there is none. ``fails`` says
    that the last task is to be run although it never completed, because the code failed in it.
    """

    before: int
    end: int
    task_completed: int
    fails: bool = False


def stop_at(events: Sequence[Event], event_id: int) -> Stop:
    """Where to stop for an event.

    Raises
    ------
    ValueError
        There is no such event.
    """
    if not 1 <= event_id <= len(events):
        raise ValueError(f"there is no event {event_id}: the history has events 1 to {len(events)}")
    before = end = completed = 0
    for event in events:
        if not isinstance(event.attributes, WorkflowTaskCompleted):
            continue
        before, end, completed = end, event.event_id, event.event_id
        while end < len(events) and type(events[end].attributes) in COMMAND_EVENTS:
            end += 1
        if end >= event_id:
            return Stop(before, end, completed)
    return Stop(end, end, 0, True) if _fails(events[end:]) else Stop(before, end, completed)


def _fails(rest: Sequence[Event]) -> bool:
    """Whether, behind the last completed task, the code was tried and failed."""
    ends = [e.attributes for e in rest if isinstance(e.attributes, WorkflowTaskFailed | WorkflowTaskTimedOut)]
    last = ends[-1] if ends else None
    return last is not None and not (
        isinstance(last, WorkflowTaskFailed) and last.cause is WorkflowTaskFailedCause.RESET_WORKFLOW
    )


class FrameState(NamedTuple):
    """One frame of workflow code: where it stands, and its local variables as they were."""

    filename: str
    line: int
    function: str
    variables: dict[str, Any]


class TaskState(NamedTuple):
    """A task of the workflow's loop that waits, outermost frame first. ``name`` is ``run``, ``signal: approve``, …"""

    name: str
    frames: list[FrameState]


class ConditionState(NamedTuple):
    """A ``wait_condition`` that is not true yet: where its predicate is written."""

    filename: str
    line: int


class Visit:
    """A run at a moment. Keeps the instance alive; ``close`` (or the end of this object) ends its coroutines."""

    def __init__(self, run: WorkflowInstance, stop: Stop, events: Sequence[Event]) -> None:
        self.stop = stop
        self.object = run.workflow_object
        self.time = run.time_us
        self.closed = run.terminal
        self.error: BaseException | None = None
        self.tasks: list[TaskState] = []
        self.conditions: list[ConditionState] = []
        self.buffered_signals: dict[str, int] = {}
        self.handlers: list[str] = []
        self.current_details = run.current_details
        self.unseen = [event.event_id for event in events[stop.end :]]
        self.close = weakref.finalize(self, run.evict)
        self.close.atexit = False

    def read(self, run: WorkflowInstance, ended: dict[CodeType, FrameState]) -> None:
        """Take down where the code stands. ``ended`` has the last frames of code that returned meanwhile."""
        self.error = run.task_error
        if self.error is not None:
            self.tasks = [TaskState("raised", _raised(self.error.__traceback__))]
        for task in run.loop.tasks:
            if not task.done():
                frames = [_frame_state(f) for f in coroutine_frames(task.get_coro()) if not is_library(f.f_code)]
                name = task.get_name().removesuffix(run.task_suffix)
                if frames:
                    self.tasks.append(TaskState(name, frames))
        code = run.definition.run_fn.__code__
        if code in ended and not any(task.name == RUN_TASK for task in self.tasks):
            self.tasks.append(TaskState(RUN_TASK, [ended[code]]))
        self.tasks.sort(key=lambda task: (task.name != "raised", task.name != RUN_TASK))
        self.conditions = [_condition(fn) for fn, future in run.conditions if not future.done()]
        if run.mail is not None:
            self.buffered_signals = {name: len(each) for name, each in run.mail.buffered.items() if each}
            self.handlers = [f"signal: {each.name}" for each in run.mail.signals.values()]
            self.handlers += [f"update: {each.name}" for each in run.mail.updates.values()]


def visit(
    definition: WorkflowDefinition,
    options: RuntimeOptions,
    events: Sequence[Event],
    stop: Stop,
    *,
    namespace: str,
    workflow_id: str,
    run_id: str,
    debug: bool = False,
) -> Visit:
    """Replay to a stop and look around. Runs workflow code in the calling thread.

    Parameters
    ----------
    debug
        ``breakpoint()`` stops in the code, which it otherwise passes by, and there are no guards. (There is no
        deadlock watch here anyway.)

    Raises
    ------
    NondeterminismError
        The code does not do what the history says.
    Exception
        What else failed a replayed task.
    """
    run = instance_of(definition, options, workflow_id, events, namespace=namespace, run_id=run_id)
    if options.guards and not debug:
        guards.install()
    if debug:
        run.loop.guarded = False
    ended: dict[CodeType, FrameState] = {}
    here: Visit | None = None
    try:
        with Entered(run.loop), _breakpoints.within(stop=debug):
            if stop.before:
                run.feed(list(events[: stop.before]))
            rest = _failing(events, stop) if stop.fails else list(events[stop.before : stop.end])
            if rest:
                with _Endings(definition.run_fn.__code__, ended, active=not debug):
                    run.feed(rest)
            if run.task_error is not None and (not stop.fails or is_from_keyboard(run.task_error)):
                raise run.task_error
        here = Visit(run, stop, events)
        here.read(run, ended)
    finally:
        if here is None:
            run.evict()
    return here


def _failing(events: Sequence[Event], stop: Stop) -> list[Event]:
    """What the code gets when the task in which it fails is tried again: all that came since the last completed one."""
    rest = list(events[stop.before :])
    last = rest[-1].attributes
    if isinstance(last, WorkflowTaskStarted):
        return rest
    time = events[-1].event_time
    if not isinstance(last, WorkflowTaskScheduled):
        rest.append(Event(rest[-1].event_id + 1, time, WorkflowTaskScheduled()))
    scheduled = rest[-1].event_id
    rest.append(Event(scheduled + 1, time, WorkflowTaskStarted(scheduled)))
    return rest


class _Breakpoints:
    """What ``breakpoint()`` does during replays: nothing in a thread that replays, what it always does in others.

    There is one hook for all threads, and replays in several of them begin and end in any order. A replay that is
    debugged has the real hook in its place, because debuggers look for the frame that called it.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._passing: Counter[int] = Counter()
        self._stopping = 0
        self._real: Callable[..., Any] = sys.breakpointhook

    def _hook(self, *args: Any, **kwargs: Any) -> Any:
        return None if threading.get_ident() in self._passing else self._real(*args, **kwargs)

    @contextmanager
    def within(self, *, stop: bool) -> Iterator[None]:
        """Within, ``breakpoint()`` stops in this thread, or does nothing."""
        thread = threading.get_ident()
        with self._lock:
            if not self._passing and not self._stopping:
                self._real = sys.breakpointhook
            if stop:
                self._stopping += 1
                sys.breakpointhook = _debugger(self._real)
            else:
                self._passing[thread] += 1
                if not self._stopping:
                    sys.breakpointhook = self._hook
        try:
            yield
        finally:
            with self._lock:
                if stop:
                    self._stopping -= 1
                else:
                    self._passing[thread] -= 1
                    self._passing += Counter()  # without those that came to nothing
                if not self._stopping:
                    sys.breakpointhook = self._hook if self._passing else self._real


_breakpoints = _Breakpoints()


def _debugger(hook: Callable[..., Any]) -> Callable[..., Any]:
    """A kernel hands ``breakpoint()`` to debugpy, which does nothing as long as no debugger is attached to it."""
    debugpy = sys.modules.get("debugpy")
    if "debugpy" in getattr(hook, "__name__", "") and not (debugpy and debugpy.is_client_connected()):
        import pdb  # noqa: PLC0415, T100 - needed by nobody else, and slow to load

        return pdb.set_trace
    return hook


class _Endings:
    """Within, remembers the last state of the frames of one code object, so that what has returned can be looked at."""

    def __init__(self, code: CodeType, into: dict[CodeType, FrameState], *, active: bool) -> None:
        self._code = code
        self._into = into
        self._active = active
        self._outer = sys.gettrace()

    def __enter__(self) -> None:
        if self._active:
            sys.settrace(self._trace)

    def __exit__(self, *_: object) -> None:
        if self._active:
            sys.settrace(self._outer)

    def _trace(self, frame: FrameType, event: str, arg: Any) -> Any:
        return self._local if frame.f_code is self._code else None

    def _local(self, frame: FrameType, event: str, arg: Any) -> Any:
        if event == "return":
            self._into[frame.f_code] = _frame_state(frame)
        return self._local


def _frame_state(frame: FrameType) -> FrameState:
    code = frame.f_code
    return FrameState(code.co_filename, frame.f_lineno, code.co_qualname, dict(frame.f_locals))


def _raised(traceback: TracebackType | None) -> list[FrameState]:
    """Author's frames of an error, outermost first, each at the line where it stood."""
    frames = []
    while traceback is not None:
        if not is_library(traceback.tb_frame.f_code):
            frames.append(_frame_state(traceback.tb_frame)._replace(line=traceback.tb_lineno))
        traceback = traceback.tb_next
    return frames


def _condition(predicate: Any) -> ConditionState:
    code = getattr(predicate, "__code__", None)
    if code is None:
        return ConditionState("", 0)
    return ConditionState(code.co_filename, code.co_firstlineno)
