"""Items of a slow iterator, read by a thread of their own while others are worked on."""

from __future__ import annotations

import threading
from collections.abc import Generator, Iterator
from queue import Queue
from typing import Generic, TypeVar

T = TypeVar("T")


class _End(Generic[T]):
    """What comes after the last item: nothing, or why there are no more."""

    def __init__(self, error: BaseException | None) -> None:
        self.error = error


def read_ahead(items: Iterator[T], ahead: int) -> Generator[T]:
    """The same items; at most ``ahead`` wait. What the iterator raises is raised here.

    The iterator is used by no other thread any more once this one is at its end or closed.
    """
    waiting: Queue[T | _End[T]] = Queue(ahead)
    stop = threading.Event()

    def read() -> None:
        error: BaseException | None = None
        try:
            for item in items:
                waiting.put(item)
                if stop.is_set():
                    break
        except BaseException as raised:  # raised again by who waits
            error = raised
        waiting.put(_End(error))

    thread = threading.Thread(target=read, name="durable_nb reader", daemon=True)
    thread.start()
    ended = False
    try:
        while True:
            found = waiting.get()
            if isinstance(found, _End):
                ended = True
                if found.error is not None:
                    raise found.error
                return
            yield found
    finally:
        stop.set()
        while not ended:
            ended = isinstance(waiting.get(), _End)
        thread.join()
