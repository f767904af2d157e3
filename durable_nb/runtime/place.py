"""Where workflow code is: the innermost frame that belongs to its author.

Used only when something is wrong, or in replay, where the place of each command is noted for the message of a
``NondeterminismError``.
"""

from __future__ import annotations

import os
import site
import sys
from collections.abc import Iterable
from types import CodeType, FrameType
from typing import Any

_PACKAGE = os.path.dirname(os.path.dirname(os.path.abspath(__file__))) + os.sep
# ``sysconfig`` says less (nothing of Debian's packages, nothing of a user's own) and takes 2 ms of every start.
_LIBRARIES = tuple(
    os.path.join(folder, "")
    for folder in (
        os.path.dirname(os.__file__),
        *site.getsitepackages(),
        *([site.getusersitepackages()] if site.ENABLE_USER_SITE else ()),
    )
)
_ours: dict[CodeType, bool] = {}

Place = tuple[CodeType, int]
"""Code object and line."""


def is_library_file(file: str) -> bool:
    """Whether a file belongs to Python, an installed package or this one."""
    return file.startswith((_PACKAGE, "<frozen", *_LIBRARIES))


def is_library(code: CodeType) -> bool:
    """Whether code belongs to Python, an installed package or this one, not to the author of a workflow."""
    known = _ours.get(code)
    if known is None:
        known = _ours[code] = is_library_file(code.co_filename)
        if len(_ours) > 10_000:
            _ours.clear()  # cells that were run again and again
    return known


def caller_place() -> Place | None:
    """Innermost author's frame that is running; None where there is none."""
    return frame_place(sys._getframe(2))


def waiting_place(tasks: Iterable[Any]) -> Place | None:
    """Innermost author's frame of the first task that waits somewhere."""
    for task in tasks:
        if task.done():
            continue
        for frame in reversed(coroutine_frames(task.get_coro())):
            if not is_library(frame.f_code):
                return frame.f_code, frame.f_lineno
    return None


def coroutine_frames(coroutine: Any) -> list[FrameType]:
    """Frames of a suspended chain of coroutines, outermost first."""
    frames = []
    while coroutine is not None:
        frame = getattr(coroutine, "cr_frame", None) or getattr(coroutine, "gi_frame", None)
        if frame is None:
            break
        frames.append(frame)
        coroutine = getattr(coroutine, "cr_await", None) or getattr(coroutine, "gi_yieldfrom", None)
    return frames


def describe(place: Place | None) -> str:
    """Place as messages show it: file, line, function; "" for None. Who shows it names the cell of a file."""
    if place is None:
        return ""
    code, line = place
    return f"{code.co_filename}, line {line}, in {code.co_qualname}"


def frame_place(frame: FrameType | None) -> Place | None:
    """Innermost author's frame at or outside ``frame``."""
    while frame is not None:
        if not is_library(frame.f_code):
            return frame.f_code, frame.f_lineno
        frame = frame.f_back
    return None
