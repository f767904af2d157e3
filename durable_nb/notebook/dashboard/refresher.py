"""A thread that calls something again and again, until it is told to stop; errors are told, not raised."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

REST = 4.0
"""Times as long as a call worked that the thread rests at least: a big store is not asked all the time. Processor time
counts: beside a busy cell most of a call is waiting for the interpreter, and the answer would come ever more seldom."""


class Refresher:
    """Calls ``work`` now, every ``every`` seconds, and soon after ``nudge``.

    Parameters
    ----------
    work
        Called on the thread; False ends it.
    fail
        Told of what ``work`` raised.
    """

    def __init__(self, every: float, work: Callable[[], bool], fail: Callable[[Exception], None]) -> None:
        self._every = every
        self._work = work
        self._fail = fail
        self._nudged = threading.Event()
        self._stopped = threading.Event()
        self._thread: threading.Thread | None = None

    @property
    def is_running(self) -> bool:
        return self._thread is not None and self._thread.is_alive() and not self._stopped.is_set()

    def start(self) -> None:
        """Begin, or go on after ``stop``."""
        if self.is_running:
            return
        # An old thread that is still at its last call keeps its own event and ends by it.
        self._stopped = threading.Event()
        self._nudged = threading.Event()
        self._thread = threading.Thread(
            target=self._run, args=(self._stopped, self._nudged), name="durable_nb dashboard", daemon=True
        )
        self._thread.start()

    def nudge(self) -> None:
        """Call ``work`` at once."""
        self._nudged.set()

    def stop(self) -> None:
        """No further call; one that is under way ends by itself."""
        self._stopped.set()
        self._nudged.set()

    def join(self, timeout: float | None = None) -> None:
        """Wait for the thread's end; for tests."""
        if self._thread is not None:
            self._thread.join(timeout)

    def _run(self, stopped: threading.Event, nudged: threading.Event) -> None:
        while not stopped.is_set():
            nudged.clear()
            begun = time.thread_time()
            try:
                goes_on = self._work()
            except Exception as error:  # whatever it was: the next look may succeed
                self._fail(error)
                goes_on = True
            if not goes_on or stopped.is_set():
                stopped.set()
                return
            nudged.wait(max(self._every, REST * (time.thread_time() - begun)))
