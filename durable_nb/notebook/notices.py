"""What the engine has to say by itself: workflow code that raised, tasks that cannot run, a store that went away.

A plain exception in workflow code does not end the run: it is tried again for ever, silently, unless somebody says
so. Invariant: each kind of trouble is told when it first appears, and five hundred runs with the same bug make two
messages, not five hundred.
"""

from __future__ import annotations

import contextvars
import threading
from collections.abc import Callable
from typing import Any, NamedTuple, Protocol

from durable_nb.model.failure import Failure
from durable_nb.notebook.blocks import Block, Message
from durable_nb.notebook.html import render_html
from durable_nb.notebook.plain import render_text
from durable_nb.notebook.text import (
    CellNamer,
    failure_line,
    failure_text,
    name_cells,
    root_failure,
    safe_text,
)
from durable_nb.notebook.views import stack_blocks

QUIET = 30.0
"""Seconds during which the same trouble of the same workflow type is only counted."""


VARIANTS = 3
"""Different texts of one trouble that are told within ``QUIET``."""


class NoticeLike(Protocol):
    """What ``engine`` calls a notice."""

    kind: str
    workflow_id: str
    run_id: str
    workflow_type: str
    message: str
    failure: Failure | None
    definition: str
    fix: str


class Told(NamedTuple):
    """Whether to tell a notice, and how many like it were kept back since the last."""

    tell: bool
    held_back: int = 0


class _Recent:
    """What was told of one kind of trouble of one workflow type."""

    __slots__ = ("held_back", "told")

    def __init__(self) -> None:
        self.told: list[tuple[float, str]] = []
        self.held_back = 0


class NoticeLimiter:
    """Decides which notices are told; ``now`` is a parameter, in seconds.

    Of one workflow type, the same text is told once and at most ``VARIANTS`` texts in ``quiet`` seconds: messages
    that hold the ID of their run are all different.
    """

    def __init__(self, quiet: float = QUIET) -> None:
        self._quiet = quiet
        self._recent: dict[tuple[str, str], _Recent] = {}

    def admit(self, kind: str, workflow_type: str, text: str, now: float) -> Told:
        """Whether to tell this one."""
        recent = self._recent.setdefault((kind, workflow_type), _Recent())
        recent.told = [found for found in recent.told if now - found[0] < self._quiet]
        if len(recent.told) >= VARIANTS or any(text == said for _, said in recent.told):
            recent.held_back += 1
            return Told(False)
        recent.told.append((now, text))
        held_back, recent.held_back = recent.held_back, 0
        return Told(True, held_back)

    def forget(self, workflow_type: str) -> None:
        """Tell everything about a workflow type again: its definition was changed."""
        for key in [key for key in self._recent if key[1] == workflow_type]:
            del self._recent[key]


def notice_blocks(notice: NoticeLike, held_back: int = 0, cell_of: CellNamer | None = None) -> list[Block]:
    """A notice as a message: which run, what happened, and that the run is not lost."""
    kind, ident = safe_text(notice.workflow_type, 80), safe_text(notice.workflow_id, 80)
    raised = notice.kind == "workflow_task_failed"
    lines = [safe_text(notice.message, 600, keep_lines=True)] if notice.message and not raised else []
    if notice.failure is not None:
        lines.append(name_cells(failure_text(notice.failure), cell_of))
    if raised:
        title = f"workflow code raised in {kind} {ident}"
        after = ["The run is not lost: it stays open and is tried again. Fix the cell and run it."]
    else:
        title = " ".join(part for part in (safe_text(notice.kind.replace("_", " "), 60), kind, ident) if part)
        after = []
    if held_back:
        after.append(f"({held_back:,} more like this were not shown)")
    stack = stack_blocks(notice.failure.stack_trace, cell_of) if notice.failure is not None else []
    last = [Message("\n".join(after))] if after else []
    return [Message("\n".join(lines), "bad", title), *stack, *last]


def _on_a_thread(task: Callable[[], None]) -> None:
    threading.Thread(target=task, name="durable_nb notice", daemon=True).start()


class NoticeBoard:
    """Shows notices in the cell that is current; ``post`` may be called on any thread and never raises.

    Parameters
    ----------
    publish
        Puts a MIME bundle under the current cell.
    clock
        Seconds, growing.
    note
        Workflow type and digest of its version in, what to do where it is missing; may read the store.
    cell_of
        Names cells in stack traces.
    wanted
        Whether to show a notice after all; asked where the showing runs, so it may wait.
    start
        Runs the showing; on a thread of its own, because a slow front end or store must not hold up the engine.
    """

    def __init__(
        self,
        publish: Callable[[dict[str, Any]], None],
        clock: Callable[[], float],
        *,
        note: Callable[[str, str], str] | None = None,
        cell_of: CellNamer | None = None,
        wanted: Callable[[NoticeLike], bool] = lambda _: True,
        start: Callable[[Callable[[], None]], None] = _on_a_thread,
    ) -> None:
        self._publish = publish
        self._clock = clock
        self._note = note
        self._cell_of = cell_of
        self._wanted = wanted
        self._start = start
        self._lock = threading.Lock()
        self.limiter = NoticeLimiter()

    def post(self, notice: NoticeLike) -> None:
        """Show a notice, or count it."""
        with self._lock:
            failure = notice.failure
            text = notice.message if failure is None else failure_line(root_failure(failure))
            told = self.limiter.admit(notice.kind, notice.workflow_type, text, self._clock())
        if told.tell:
            self._start(lambda: self._show(notice, told.held_back))

    def _show(self, notice: NoticeLike, held_back: int) -> None:
        try:
            if not self._wanted(notice):
                return
            blocks = notice_blocks(notice, held_back, self._cell_of)
            fix = notice.fix
            if notice.kind == "definition_missing" and notice.workflow_type and self._note is not None:
                fix = self._note(notice.workflow_type, notice.definition)
            if fix:
                blocks.append(Message(safe_text(fix, 400), "warn"))
            data = {"text/plain": render_text(blocks), "text/html": render_html(blocks)}
            # An empty context: an inherited one may still point to the cell that once started the run.
            contextvars.Context().run(self._publish, data)
        except Exception:  # noqa: S110 - a front end that has gone is no fault of the engine
            pass
