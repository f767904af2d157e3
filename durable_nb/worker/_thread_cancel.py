"""Cancelling a sync activity: an exception raised in the thread that runs it.

Invariant: the exception can reach activity code only. It is sent while the thread is known to be inside the activity,
and one that is still on its way when the activity ends is withdrawn (``leave``), so that it never strikes the
executor's own code. Source: temporal-semantics section 7.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from durable_nb.exceptions import CancelledError
from durable_nb.runtime.async_exceptions import raise_in_thread, withdraw


class ThreadCanceller:
    """Raises ``CancelledError`` in the thread of one sync activity, at most once."""

    __slots__ = ("_lock", "_pending", "_sent", "_shields", "_thread_id", "left")

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._thread_id: int | None = None
        self._pending = False
        self._sent = False
        self._shields = 0
        self.left = False

    def enter(self) -> None:
        """The calling thread begins the activity."""
        with self._lock:
            self._thread_id = threading.get_ident()
            self._send()

    def leave(self) -> None:
        """The activity is over; nothing is raised in the thread once ``left`` is True.

        The exception may arrive in these very lines: then call again.
        """
        with self._lock:
            self._thread_id = None
            self._pending = False
            if self._sent:
                withdraw()
                self._sent = False
            self.left = True

    def cancel(self) -> None:
        """Raise in the thread now, or at the end of its outermost shield."""
        with self._lock:
            self._pending = True
            self._send()

    @contextmanager
    def shielded(self) -> Iterator[None]:
        """Hold the exception back inside the block; raise it at the end of the outermost one."""
        with self._lock:
            self._shields += 1
        try:
            yield
        finally:
            with self._lock:
                self._shields -= 1
                due = self._pending and self._shields == 0
                if due:
                    self._pending = False
            if due:
                raise CancelledError

    def _send(self) -> None:
        if self._pending and self._shields == 0 and self._thread_id is not None:
            self._pending = False
            self._sent = True
            raise_in_thread(self._thread_id, CancelledError)
