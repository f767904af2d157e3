"""Refuses, while workflow code runs, calls that a replay cannot repeat or that act on the world.

Installed once per process, on first use, as thin wrappers around functions of ``time``, ``random``, ``uuid``,
``secrets``, ``os``, ``builtins`` and methods of ``threading.Thread``, ``subprocess.Popen`` and ``socket.socket``. A
wrapper asks one thing, whether the running loop of its thread is a workflow's, so other code pays some tens of
nanoseconds, and workflow steps themselves pay nothing. The clock, randomness and files are refused to the author's own
code only (logging reads the clock, libraries read their data); blocking and side effects are refused to libraries
that workflow code calls as well, save logging. What is written in C and cannot be wrapped (``datetime.now``) is left
to the lint of the notebook. Source: temporal-semantics 2.10.
"""

from __future__ import annotations

import builtins
import functools
import os
import random
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

from durable_nb.runtime.errors import RestrictedWorkflowAccessError
from durable_nb.runtime.loop import here
from durable_nb.runtime.place import describe, frame_place, is_library

_unrestricted = threading.local()
Refuse = Callable[[str, str], None]

_state: dict[str, bool] = {"installed": False}
_installing = threading.Lock()

_CLOCK = "workflow.time() or workflow.now()"
_RANDOM = "workflow.random()"
_ACTIVITY = "an activity"

_OWN: dict[str, tuple[tuple[str, ...], str]] = {
    "time": (("time", "time_ns"), _CLOCK),
    "random": (
        (
            "random",
            "randint",
            "randrange",
            "choice",
            "choices",
            "shuffle",
            "sample",
            "uniform",
            "gauss",
            "normalvariate",
        ),
        _RANDOM,
    ),
    "uuid": (("uuid1", "uuid4"), "workflow.uuid4()"),
    "secrets": (("token_bytes", "token_hex", "token_urlsafe", "randbelow", "choice"), _RANDOM),
    "os": (("urandom", "getrandom"), _RANDOM),
    "builtins": (("open", "input"), _ACTIVITY),
}
"""Refused when workflow code itself calls them."""

_ALL: dict[str, tuple[tuple[str, ...], str]] = {
    "time": (("sleep",), "await workflow.sleep(…)"),
    "os": (("system", "popen"), _ACTIVITY),
}
"""Refused to the libraries that workflow code calls, too."""

_METHODS = (
    ("threading", "Thread", "start", "asyncio.create_task(…), or an activity"),
    ("subprocess", "Popen", "__init__", _ACTIVITY),
    ("socket", "socket", "connect", _ACTIVITY),
    ("socket", "socket", "bind", _ACTIVITY),
)


def installed() -> bool:
    """Whether the wrappers are in place."""
    return _state["installed"]


def install() -> None:
    """Put the wrappers in place, once."""
    if installed():
        return
    with _installing:
        if installed():
            return
        # Not at the top: importing workflows must be quick, and these are slow.
        import secrets  # noqa: PLC0415
        import socket  # noqa: PLC0415
        import subprocess  # noqa: PLC0415
        import uuid  # noqa: PLC0415

        modules: dict[str, Any] = {
            "time": time,
            "random": random,
            "uuid": uuid,
            "secrets": secrets,
            "os": os,
            "builtins": builtins,
            "threading": threading,
            "subprocess": subprocess,
            "socket": socket,
        }
        for table, refuse in ((_OWN, _refuse_author), (_ALL, _refuse_all)):
            for module, (names, instead) in table.items():
                for name in names:
                    original = getattr(modules[module], name, None)
                    if original is not None:
                        setattr(modules[module], name, _GuardedFunction(original, module, name, instead, refuse))
        for module, cls, name, instead in _METHODS:
            owner = getattr(modules[module], cls)
            setattr(owner, name, _guarded_method(getattr(owner, name), f"{module}.{cls}.{name}", instead))
        _state["installed"] = True


def uninstall() -> None:
    """Take the wrappers off again; for tests."""
    with _installing:
        if not installed():
            return  # some of the modules may not even be imported
        for module, (names, _) in (*_OWN.items(), *_ALL.items()):
            for name in names:
                _unwrap(sys.modules[module], name)
        for module, cls, name, _ in _METHODS:
            _unwrap(getattr(sys.modules[module], cls), name)
        _state["installed"] = False


def _unwrap(owner: Any, name: str) -> None:
    guarded: Any = getattr(owner, name, None)
    if getattr(guarded, "__durable_nb_guard__", False):
        setattr(owner, name, guarded.__wrapped__)


class _GuardedFunction:
    """Stands for a function of C: unlike a function of Python it does not turn into a method as a class attribute."""

    __durable_nb_guard__ = True

    def __init__(self, original: Callable[..., Any], module: str, name: str, instead: str, refuse: Refuse) -> None:
        functools.update_wrapper(self, original)
        self.__module__ = module
        self.__qualname__ = name
        self._call = original
        self._label = name if module == "builtins" else f"{module}.{name}"
        self._instead = instead
        self._refuse = refuse

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        loop = here.loop
        if loop is not None and loop.guarded:
            self._refuse(self._label, self._instead)
        return self._call(*args, **kwargs)

    def __repr__(self) -> str:
        return repr(self._call)

    def __reduce__(self) -> str:
        return self.__qualname__  # pickled by name, as the original is


def _guarded_method(original: Callable[..., Any], label: str, instead: str) -> Callable[..., Any]:
    @functools.wraps(original)
    def guarded(*args: Any, **kwargs: Any) -> Any:
        loop = here.loop
        if loop is not None and loop.guarded:
            _refuse_all(label, instead)
        return original(*args, **kwargs)

    guarded.__durable_nb_guard__ = True  # type: ignore[attr-defined]
    return guarded


def _refuse_author(label: str, instead: str) -> None:
    caller = sys._getframe(2)
    if not is_library(caller.f_code) and not is_unrestricted():
        raise _error(label, instead, caller)


def _refuse_all(label: str, instead: str) -> None:
    if is_unrestricted():
        return
    frame: FrameType | None = sys._getframe(2)
    start = frame
    while frame is not None:
        code = frame.f_code
        if not is_library(code):
            raise _error(label, instead, start)
        if code.co_filename.startswith(_LOGGING):
            return  # A handler may write wherever it likes: the logger is silent in replay.
        frame = frame.f_back


_LOGGING = os.path.join(os.path.dirname(os.__file__), "logging", "")


def _error(label: str, instead: str, frame: FrameType | None) -> RestrictedWorkflowAccessError:
    return RestrictedWorkflowAccessError(
        label,
        where=describe(frame_place(frame)),
        fix=f"use {instead} instead, or, if it cannot matter, put the call under "
        "workflow.unsafe.sandbox_unrestricted()",
    )


def is_unrestricted() -> bool:
    """Whether the guards are lifted in this thread."""
    return getattr(_unrestricted, "value", False)


@contextmanager
def unrestricted() -> Iterator[None]:
    """Within, everything may be called."""
    before = is_unrestricted()
    _unrestricted.value = True
    try:
        yield
    finally:
        _unrestricted.value = before
