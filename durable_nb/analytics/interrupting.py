"""Work that a keyboard interrupt ends at once and leaves everything usable."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

_STEP = 0.1
"""Seconds between two looks for an interrupt."""


def interruptible(
    work: Callable[[threading.Event], T], interrupt: Callable[[], None], look: Callable[[], None] = lambda: None
) -> T:
    """``work`` beside the main thread, which stays open for a keyboard interrupt; on other threads just ``work``.

    ``look`` is called a few times a second meanwhile.
    """
    stop, done = threading.Event(), threading.Event()
    if threading.current_thread() is not threading.main_thread():
        return work(stop)
    outcome: list[T] = []
    failure: list[BaseException] = []

    def run() -> None:
        try:
            if not stop.is_set():
                outcome.append(work(stop))
        except BaseException as error:
            failure.append(error)
        finally:
            done.set()

    thread = threading.Thread(target=run, name="durable_nb query", daemon=True)
    # An event, because a join that is interrupted takes its thread for ended (CPython 3.11).
    try:
        thread.start()
        while not done.wait(_STEP):
            look()
    except BaseException:
        # The interrupt may strike while the thread is being started: then it finds that it is not wanted any more.
        stop.set()
        while thread.is_alive() and not done.is_set():
            interrupt()
            done.wait(_STEP)
        raise
    if failure:
        raise failure[0]
    return outcome[0]
