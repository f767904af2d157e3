"""Raising an exception in another thread, and taking one back that is still on its way.

CPython notes in one flag of the interpreter that something is to be raised, and takes the flag down only when a thread
raises. Withdrawing by ``PyThreadState_SetAsyncExc(thread, NULL)`` leaves it up: from then on every thread looks for
something to do at each call, and in CPython 3.11 the first call under ``sys.settrace`` never ends (a debugger,
coverage, ``handle.at``). So what is withdrawn is replaced by an exception of our own, which is raised and caught here.
"""

from __future__ import annotations

import threading


class _Withdrawn(BaseException):
    """Takes the place of what was to be raised; never seen outside of ``withdraw``."""


def raise_in_thread(thread_id: int, error: type[BaseException]) -> None:
    """Ask CPython to raise ``error`` in a thread at its next bytecode; nothing happens where the thread is gone."""
    # Here, because few programs come this far and the module is slow to import.
    import ctypes  # noqa: PLC0415

    ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread_id), ctypes.py_object(error))


def withdraw() -> None:
    """Take back what ``raise_in_thread`` may have on its way to the calling thread.

    What was on its way may still be raised in the first lines of this call.
    """
    try:
        raise_in_thread(threading.get_ident(), _Withdrawn)
        while True:  # raised at the next turn
            pass
    except _Withdrawn:
        return


def keep_for_ever(value: object) -> None:
    """Never free an object, not even when the interpreter ends."""
    import ctypes  # noqa: PLC0415 - as above

    ctypes.pythonapi.Py_IncRef(ctypes.py_object(value))
