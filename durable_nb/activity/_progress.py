"""``durable_nb.progress``: how far a loop has come, for people who look at the run.

Inside an activity it heartbeats under the hood, so a display of the run shows a bar, an activity with a heartbeat
timeout stays alive, and one that was cancelled hears of it. In workflow code it only iterates. Anywhere else it draws
a plain bar: in a notebook as an output of the cell that is updated in its place, else on stderr. Whatever happens to
the bar, the iteration is that of the iterable.
"""

from __future__ import annotations

import math
import sys
import time
import uuid
from collections.abc import AsyncIterable, AsyncIterator, Iterable, Iterator
from typing import Any, Generic, TypeVar, overload

from durable_nb.activity._context import current_or_none
from durable_nb.runtime.direct import in_workflow

T = TypeVar("T")

_WIDTH = 30
_DRAW_EVERY = 0.1


@overload
def progress(steps: float, total: float, label: str | None = None) -> None: ...


@overload
def progress(steps: AsyncIterable[T], total: float | None = None, label: str | None = None) -> AsyncSteps[T]: ...


@overload
def progress(steps: Iterable[T], total: float | None = None, label: str | None = None) -> Steps[T]: ...


def progress(steps: Any, total: float | None = None, label: str | None = None) -> Any:
    """Report progress: ``progress(i, n)``, or ``for x in progress(items)`` in the manner of tqdm.

    Parameters
    ----------
    steps
        A number: steps done by now. An iterable, also an asynchronous one: report while going through it.
    total
        Steps in all. For an iterable its length by default; a generator has none, then steps are only counted.
    label
        What is being done, in a few words.

    Returns
    -------
    None for a number, otherwise an iterable (an asynchronous one for an asynchronous one) of the same items.

    Raises
    ------
    TypeError
        ``steps`` is neither, or it is a number and ``total`` is missing, or ``total`` is text.
    """
    if isinstance(total, str):  # where tqdm has its description
        raise TypeError(f"the second argument is the number of steps in all: write progress(…, label={total!r})")
    if isinstance(steps, int | float):
        if total is None:
            raise TypeError("progress(i, n) needs the number of steps in all: write progress(3, 10)")
        _report(float(steps), float(total), label or "", None)
        return None
    if hasattr(steps, "__aiter__"):
        return AsyncSteps(steps, total, label)
    if hasattr(steps, "__iter__"):
        return Steps(steps, total, label)
    raise TypeError(
        f"progress() takes the number of steps done, or an iterable, not {type(steps).__name__}: "
        "write progress(3, 10) or `for x in progress(items)`"
    )


class _Counting:
    def __init__(self, items: Any, total: float | None, label: str | None) -> None:
        if total is None:
            try:
                total = len(items)
            except TypeError:
                total = 0
        self._items = items
        self._label = label or ""
        self._done = 0
        self._bar: _Bar | None = None
        self.total = float(total)

    def _tell(self) -> None:
        if current_or_none() is None and self._bar is None and not in_workflow():
            self._bar = _Bar()
        _report(self._done, self.total, self._label, self._bar)


class Steps(_Counting, Generic[T]):
    """The items of an iterable; how many were taken is reported."""

    def __len__(self) -> int:
        if not self.total:
            raise TypeError("the number of steps is not known")
        return int(self.total)

    def __iter__(self) -> Iterator[T]:
        self._done = 0
        self._tell()
        try:
            for item in self._items:
                yield item
                self._done += 1
                self._tell()
        finally:
            if self._bar is not None:
                self._bar.end()
                self._bar = None


class AsyncSteps(_Counting, Generic[T]):
    """The items of an asynchronous iterable; how many were taken is reported."""

    async def __aiter__(self) -> AsyncIterator[T]:
        self._done = 0
        self._tell()
        try:
            async for item in self._items:
                yield item
                self._done += 1
                self._tell()
        finally:
            if self._bar is not None:
                self._bar.end()
                self._bar = None


def _report(done: float, total: float, label: str, bar: _Bar | None) -> None:
    if not (math.isfinite(done) and math.isfinite(total)):
        return
    context = current_or_none()
    if context is not None:
        if context.report_progress is not None:
            context.report_progress(float(done), total, label)
    elif not in_workflow():
        (bar or _loose).draw(done, total, label)


class _Bar:
    """A line that is drawn over and over, ten times a second at most."""

    def __init__(self) -> None:
        self._began = time.monotonic()
        self._again_at = 0.0
        self._line: _Written | _Shown | None = None

    def draw(self, done: float, total: float, label: str) -> None:
        now = time.monotonic()
        is_last = 0 < total <= done
        if now < self._again_at and not is_last:
            return
        shell = _notebook_shell()
        if self._line is None or (isinstance(self._line, _Shown) and not self._line.is_of_this_cell(shell)):
            self._began = now
            self._line = _Written() if shell is None else _Shown(shell)
        self._again_at = now + _DRAW_EVERY
        self._line.draw(bar_line(done, total, label, now - self._began))
        if is_last:
            self.end()

    def end(self) -> None:
        if self._line is not None:
            self._line.end()
        self._line, self._again_at = None, 0.0


class _Written:
    """A line of a terminal."""

    def __init__(self) -> None:
        self._width = 0

    def draw(self, line: str) -> None:
        if sys.stderr is not None:
            sys.stderr.write("\r" + line.ljust(self._width))
            sys.stderr.flush()
        self._width = len(line)

    def end(self) -> None:
        if sys.stderr is not None:
            sys.stderr.write("\n")


class _Shown:
    """An output of a cell. A stream would mix with what the loop prints, and be saved with all its states."""

    def __init__(self, shell: Any) -> None:
        self._publish = shell.display_pub.publish
        self._cell = shell.execution_count
        self._ident = {"display_id": f"durable_nb-{uuid.uuid4().hex}"}
        self._is_there = False

    def is_of_this_cell(self, shell: Any) -> bool:
        """False for what a cell that was interrupted left: its output may be gone."""
        return shell is not None and bool(shell.execution_count == self._cell)

    def draw(self, line: str) -> None:
        self._publish(data={"text/plain": line}, transient=self._ident, update=self._is_there)
        self._is_there = True

    def end(self) -> None:
        """It stays as it is."""


def _notebook_shell() -> Any:
    """IPython's shell, where it runs in a Jupyter kernel, else None; nothing is imported to find out."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    return None if getattr(shell, "kernel", None) is None else shell


_loose = _Bar()
"""For ``progress(i, n)``, which has nothing to keep a bar in."""


def bar_line(done: float, total: float, label: str, seconds: float) -> str:
    """``label 40% |████      | 4/10 [00:02<00:03]``; without a total only what was counted."""
    head = f"{label} " if label else ""
    if total <= 0:
        return f"{head}{done:g} [{_clock(seconds)}]"
    fraction = min(1.0, max(0.0, done / total))
    cells = int(fraction * _WIDTH)
    left = _clock(seconds * (1 - fraction) / fraction) if fraction > 0 else "?"
    bar = "█" * cells + " " * (_WIDTH - cells)
    return f"{head}{fraction:4.0%} |{bar}| {done:g}/{total:g} [{_clock(seconds)}<{left}]"


def _clock(seconds: float) -> str:
    whole = int(seconds)
    hours, rest = divmod(whole, 3600)
    return f"{hours}:{rest // 60:02d}:{rest % 60:02d}" if hours else f"{rest // 60:02d}:{rest % 60:02d}"
