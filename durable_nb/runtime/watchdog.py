"""Finds workflow code that does not yield, and stops it (temporal-semantics 2.9).

One daemon thread per process looks at all hosts a few times a second and sleeps when nothing runs. A step begins anew
with each workflow task that a replay comes to, and only the author's code can fail to yield: a long history, or
thousands of results at once, take us the time that they take. A step that takes too long gets an exception injected;
``Watch.disarm`` makes sure that it can hit nothing but that step: injecting and disarming exclude each other, and what
was injected but not yet raised is taken back. A step that waits in C code, for a lock say, the exception does not reach
before that returns: then nothing goes on, and all that can be done is to say so.
"""

from __future__ import annotations

import logging
import os
import sys
import threading
import weakref
from threading import get_ident
from time import monotonic
from types import FrameType
from typing import Protocol

from durable_nb.runtime.async_exceptions import raise_in_thread, withdraw
from durable_nb.runtime.errors import DeadlockInterrupt
from durable_nb.runtime.place import Place, describe, is_library

logger = logging.getLogger("durable_nb.runtime")

_IDLE_POLLS = 20


class Run(Protocol):
    """What is watched: an instance."""

    started_event_id: int
    """Of the WorkflowTaskStarted that it came to last."""


class Watch:
    """What a host shows the watchdog: when the step that runs now began, and in which thread."""

    __slots__ = (
        "__weakref__", "_fired", "_lock", "_reached", "_run", "_since", "_told", "started", "thread_id", "timeout"
    )  # fmt: skip

    def __init__(self, timeout: float) -> None:
        self.timeout = timeout
        self.started = 0.0
        """``time.monotonic()`` at the begin of the step, 0.0 while none runs."""
        self.thread_id = 0
        self._run: Run | None = None
        self._reached = 0
        """The workflow task at which the run was when it was last looked at."""
        self._since = 0.0
        """When it was seen to have come there."""
        self._fired = ""
        self._told = False
        """Whether it was said that this step cannot be interrupted."""
        self._lock = threading.Lock()
        _dog.watch(self)

    def arm(self, run: Run) -> None:
        """A step of a run begins."""
        self.thread_id = get_ident()
        self._run = run
        self._reached = run.started_event_id
        self._told = False
        self.started = monotonic()
        if _dog.asleep:
            _dog.wake()

    def disarm(self) -> str:
        """The step is over. The message of the deadlock if it took too long, else ""."""
        with self._lock:
            self.started = 0.0
            self._run = None
            fired, self._fired = self._fired, ""
        if fired:
            withdraw()
        return fired

    def check(self, now: float) -> None:
        """Called by the watchdog."""
        started, run = self.started, self._run
        if not started or run is None:
            return
        if run.started_event_id != self._reached:
            self._reached, self._since = run.started_event_id, now
        taken = now - max(started, self._since)
        if taken < self.timeout:
            return
        frame = sys._current_frames().get(self.thread_id)
        place = _authors_place(frame)
        if place is None or _debugged(frame):
            return
        where = describe(place)
        with self._lock:
            if self.started != started:
                return
            self._fired = (
                f"[TMPRL1101] Potential deadlock detected: workflow didn't yield within {self.timeout:g} second(s)"
                f"\n  where  {where}"
                "\n  fix    move what takes long or blocks into an activity, or await something in between"
            )
            raise_in_thread(self.thread_id, DeadlockInterrupt)
        if taken >= 2 * self.timeout and not self._told:
            self._told = True
            logger.error(
                "Workflow code blocks the engine and cannot be interrupted, for %.1f seconds so far: until the call "
                "returns, no workflow of this process goes on and no outcome of an activity is taken\n  where  %s\n"
                "  fix    wait for locks, threads, queues and connections in an activity; if the call never returns, "
                "restart the process",
                taken,
                where,
            )


class _Watchdog:
    def __init__(self) -> None:
        self.asleep = True
        self._watches: weakref.WeakSet[Watch] = weakref.WeakSet()
        self._awake = threading.Event()
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None

    def watch(self, watch: Watch) -> None:
        with self._lock:
            self._watches.add(watch)

    def wake(self) -> None:
        """Something runs again."""
        self.asleep = False
        self._awake.set()
        if self._thread is None or not self._thread.is_alive():
            with self._lock:
                if self._thread is None or not self._thread.is_alive():
                    self._thread = threading.Thread(target=self._run, name="durable_nb-watchdog", daemon=True)
                    self._thread.start()

    def _run(self) -> None:
        idle = 0
        pause = threading.Event()
        while True:
            with self._lock:
                watches = list(self._watches)
            pause.wait(min((watch.timeout for watch in watches), default=2.0) / 4)
            now = monotonic()
            idle = 0 if any(watch.started for watch in watches) else idle + 1
            for watch in watches:
                watch.check(now)
            del watches
            if idle > _IDLE_POLLS:
                self._sleep()
                idle = 0

    def _sleep(self) -> None:
        """Until a step begins."""
        self._awake.clear()
        self.asleep = True
        # Steps that begin from here on wake it; one that began a moment ago saw it awake, and would run unwatched.
        with self._lock:
            is_needed = any(watch.started for watch in self._watches)
        if not is_needed:
            self._awake.wait()
        self.asleep = False


def _authors_place(frame: FrameType | None) -> Place | None:
    """Where the author's code is within the step; None while ours is at work alone."""
    while frame is not None and frame.f_code.co_filename not in _STEPS_BEGIN_IN:
        if not is_library(frame.f_code):
            return frame.f_code, frame.f_lineno
        frame = frame.f_back
    return None


_STEPS_BEGIN_IN = frozenset(os.path.join(os.path.dirname(__file__), name) for name in ("host.py", "replay.py"))
"""Below these frames stands whoever called us: the program, where the engine shares its loop."""


def _debugged(frame: FrameType | None) -> bool:
    """Whether somebody steps through the code: then time means nothing."""
    debugpy = sys.modules.get("debugpy")
    if debugpy is not None and debugpy.is_client_connected():
        return True
    bdb = sys.modules.get("bdb")
    # The outermost frame does not count: bdb leaves its mark on it when the user continues.
    while bdb is not None and frame is not None and frame.f_back is not None:
        if isinstance(getattr(frame.f_trace, "__self__", None), bdb.Bdb):
            return True
        frame = frame.f_back
    return False


_dog = _Watchdog()
