"""Ctrl-C while workflow code runs.

A ``KeyboardInterrupt`` fails the workflow task like any other bug, or else it would end the engine's loop with the work
of other runs in hand. Where a person pressed Ctrl-C, which strikes whatever runs in the main thread, the program hears
of it all the same: a moment later, between two callbacks of its loop.
"""

from __future__ import annotations

import asyncio
import opcode
import signal
import threading

_RAISE = opcode.opmap["RAISE_VARARGS"]


def is_from_keyboard(error: BaseException) -> bool:
    """Whether it comes of a signal, not of a ``raise`` in code."""
    if not isinstance(error, KeyboardInterrupt) or threading.current_thread() is not threading.main_thread():
        return False
    traceback = error.__traceback__
    if traceback is None:
        return False
    while traceback.tb_next is not None:
        traceback = traceback.tb_next
    code = traceback.tb_frame.f_code
    handler = signal.getsignal(signal.SIGINT)
    if code is getattr(getattr(handler, "func", handler), "__code__", None):
        return True  # a handler in Python, such as asyncio's
    return code.co_code[traceback.tb_lasti] != _RAISE


def pass_on(error: BaseException | None) -> None:
    """Let the program hear of a Ctrl-C that struck workflow code; other errors stay where they are."""
    if error is None or not is_from_keyboard(error):
        return
    try:
        asyncio.get_running_loop().call_soon(signal.raise_signal, signal.SIGINT)
    except RuntimeError:  # no loop is running, so nothing else is in hand
        raise error from None
