"""From the main thread to the engine's loop and back, without the kernel's own loop.

A magic or a display runs while the kernel's loop is busy with the very cell that asked, so it cannot await there.
It hands the coroutine to the engine's loop and waits in short steps: a keyboard interrupt ends the waiting at once
and cancels the request, never the workflow. Invariant: nothing here may be called on the engine's own thread.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
from collections.abc import Coroutine
from typing import Any, TypeVar

from durable_nb.errors import NotebookError

T = TypeVar("T")

_STEP = 0.1
"""Seconds between two looks for an interrupt (Windows does not break a longer wait)."""


def run_on(loop: asyncio.AbstractEventLoop, request: Coroutine[Any, Any, T], timeout: float | None = None) -> T:
    """The result of ``request``, run on ``loop``, a loop of another thread.

    Parameters
    ----------
    timeout
        Seconds to wait; None waits as long as it takes.

    Raises
    ------
    TimeoutError
        There was no answer within ``timeout``; the request was cancelled.
    NotebookError
        ``loop`` belongs to this thread or was closed: waiting would never end.
    KeyboardInterrupt
        The user interrupted; the request was cancelled.
    """
    if loop.is_closed() or not loop.is_running():
        request.close()
        raise NotebookError("the engine is not running", fix="run %reload_ext durable_nb")
    if _is_own(loop):
        request.close()
        raise NotebookError("this would wait for the engine on the engine's own thread", fix="await it instead")
    future = asyncio.run_coroutine_threadsafe(request, loop)
    try:
        return _wait(future, timeout)
    except BaseException:
        future.cancel()
        raise


def _is_own(loop: asyncio.AbstractEventLoop) -> bool:
    try:
        return asyncio.get_running_loop() is loop
    except RuntimeError:
        return False


def _wait(future: concurrent.futures.Future[T], timeout: float | None) -> T:
    left = timeout
    while True:
        step = _STEP if left is None else min(_STEP, left)
        try:
            return future.result(step)
        except TimeoutError:
            # A TimeoutError of the request itself is its answer; ours comes while the future is open.
            if future.done():
                return future.result()
            if left is not None:
                left -= step
                if left <= 0:
                    raise TimeoutError(f"the engine did not answer within {timeout:g} s") from None
