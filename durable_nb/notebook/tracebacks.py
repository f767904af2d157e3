"""Errors in cells: what happened, where, how to fix it; the wall of traceback stays one ``%tb`` away.

Only errors that durable_nb itself raised are shortened. The same exception types raised by the user's own code (an
``ApplicationError`` in an activity called as a plain function) keep the ordinary traceback, because there the user's
frames are the message.
"""

from __future__ import annotations

import asyncio
import dis
import re
import sys
import textwrap
from collections.abc import Callable
from traceback import walk_tb
from types import TracebackType
from typing import Any

from durable_nb.errors import DurableError
from durable_nb.exceptions import ApplicationError, FailureError, TemporalError, WorkflowAlreadyStartedError
from durable_nb.notebook.text import MESSAGE_LIMIT, CellNamer, safe_text, stack_tail
from durable_nb.runtime.errors import NotInWorkflowEventLoopError
from durable_nb.service import RPCError, RPCStatusCode

INTERRUPTS: tuple[type[BaseException], ...] = (KeyboardInterrupt, asyncio.CancelledError)
_CALLS = (TypeError, ValueError, RuntimeError)
"""What a call of ours with wrong arguments or in the wrong place gets (Temporal's classes for that)."""

SHORTENED: tuple[type[BaseException], ...] = (DurableError, TemporalError, *_CALLS, *INTERRUPTS)
"""Exception types whose traceback is shortened; WorkflowFailureError, RPCError and the like are TemporalErrors."""

_HINT = "(%tb shows the traceback)"

WIDTH = 100
"""Characters of a line of advice."""

_ADVICE = re.compile(r"  (fix|more|where) +")


def short_traceback(error: BaseException, traceback: TracebackType | None, cell_of: CellNamer) -> list[str]:
    """Lines that stand for a traceback: the error, its causes, the line of the cell, and where to see more."""
    if isinstance(error, INTERRUPTS):
        ended = "the query ended" if _in_query(traceback) else "only the waiting ended, the workflow goes on"
        return [f"interrupted: {ended}  {_HINT}"]
    lines: list[str] = []
    message = ""
    for depth, link in enumerate(_causes(error)):
        said = ("" if depth == 0 else "  " * depth + "caused by ") + _one(link, message)
        message = _message(link)
        # The lines of a message stay below its own, or they would pass for lines of ours.
        lines.append(said if isinstance(link, DurableError) else said.replace("\n", "\n" + "  " * (depth + 1)))
    if lines and (advice := _advice_for(error)):
        lines += map(_wrapped, advice)
    where = _cell_line(traceback, cell_of)
    stack = _remote_stack(error, cell_of)
    if stack:
        lines.append("raised by the activity or workflow at\n" + stack)
    lines.append(f"{where}  {_HINT}".strip())
    return lines


def _causes(error: BaseException) -> list[BaseException]:
    chain: list[BaseException] = []
    link: BaseException | None = error
    while link is not None and link not in chain and len(chain) < 12:
        chain.append(link)
        link = link.__cause__
    if isinstance(error, DurableError):
        return chain[:1]
    # Deeper causes that are no failures (the error of a driver) belong to the traceback.
    return [link for index, link in enumerate(chain) if index == 0 or isinstance(link, TemporalError)]


def _one(error: BaseException, said: str = "") -> str:
    """Kind and message; the kind alone where ``said`` has the message in it."""
    if isinstance(error, DurableError):
        return "\n".join(map(_wrapped, safe_text(str(error), 4000, keep_lines=True).split("\n")))
    name = type(error).__name__
    message = _message(error)
    if isinstance(error, ApplicationError) and error.type and error.type != name:
        name = f"{name} ({safe_text(error.type, 80)})"
    return f"{name}: {message}" if message and message not in said else name


def _message(error: BaseException) -> str:
    return safe_text(str(getattr(error, "message", error)), MESSAGE_LIMIT, keep_lines=True)


def _advice_for(error: BaseException) -> list[str]:
    """Where and how to fix it, for errors that have Temporal's words only and that everybody meets in a notebook."""
    if isinstance(error, WorkflowAlreadyStartedError):
        ident = repr(safe_text(error.workflow_id, 80))
        where = f"  where  workflow {ident} ({safe_text(error.workflow_type, 80)})"
        fix = (
            f"  fix    client.get_workflow_handle({ident}) is the handle of the run that is there; to get it by this "
            "call, pass id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING; for another run choose another id"
        )
        return [where, fix]
    if isinstance(error, NotInWorkflowEventLoopError):
        fix = "this belongs into workflow code, of which client.start_workflow(…) starts a run; an activity may be"
        return [f"  fix    {fix} called in a cell as the function that it is"]
    if isinstance(error, RPCError) and error.status is RPCStatusCode.NOT_FOUND:
        return ["  fix    %workflow list shows the runs"]
    return []


def _wrapped(line: str) -> str:
    """A long line of advice at the width of a page: a front end would cut through its words."""
    advice = _ADVICE.match(line)
    if advice is None or len(line) <= WIDTH:
        return line
    return textwrap.fill(
        line, WIDTH, subsequent_indent=" " * advice.end(), break_long_words=False, break_on_hyphens=False
    )


def _remote_stack(error: BaseException, cell_of: CellNamer) -> str:
    """End of the stack that the innermost failure brought with it from the activity or workflow."""
    for link in reversed(_causes(error)):
        failure = getattr(link, "failure", None) if isinstance(link, FailureError) else None
        stack = getattr(failure, "stack_trace", "")
        if stack:
            return stack_tail(stack, cell_of)
    return ""


_QUERY = "durable_nb.analytics.interrupting"
"""Waits for a query that runs beside the main thread."""


def _in_query(traceback: TracebackType | None) -> bool:
    return any(frame.f_globals.get("__name__") == _QUERY for frame, _ in walk_tb(traceback))


def _cell_line(traceback: TracebackType | None, cell_of: CellNamer) -> str:
    found = ""
    while traceback is not None:
        cell = cell_of(traceback.tb_frame.f_code.co_filename)
        if cell:
            found = f"{cell}, line {traceback.tb_lineno}"
        traceback = traceback.tb_next
    return found


_WAITING = frozenset({"asyncio", "concurrent", "threading", "contextlib", "selectors"})
"""Standard modules in which a wait ends when it is interrupted: not where the error comes from."""

_GUARDS = "durable_nb.runtime.guards"
"""Stand around ``time.sleep`` and the like also where it is the user's own code that waits."""


def is_told_by_us(error: BaseException, traceback: TracebackType | None) -> bool:
    """Whether our code raised an error for its caller to read, rather than stumbled over it."""
    if isinstance(error, INTERRUPTS):
        return is_ours(traceback, aside=_GUARDS)
    if not is_ours(traceback):
        return False
    if isinstance(error, DurableError | TemporalError):
        return True
    while traceback is not None and traceback.tb_next is not None:
        traceback = traceback.tb_next
    return traceback is not None and traceback.tb_frame.f_code.co_code[traceback.tb_lasti] == _RAISE


_RAISE = dis.opmap["RAISE_VARARGS"]


def is_ours(traceback: TracebackType | None, aside: str = "") -> bool:
    """Whether the innermost frame that raised belongs to durable_nb; waiting primitives and ``aside`` do not count."""
    package = ""
    while traceback is not None:
        module = str(traceback.tb_frame.f_globals.get("__name__", ""))
        found = module.split(".", 1)[0]
        if found not in _WAITING and module != aside:
            package = found
        traceback = traceback.tb_next
    return package == "durable_nb"


def install(shell: Any, cell_of: CellNamer) -> Callable[[], None]:
    """Shorten our errors in a shell; returns what takes it back. Handlers of others keep their exceptions."""
    previous_types, previous = tuple(getattr(shell, "custom_exceptions", ())), getattr(shell, "CustomTB", None)

    def show(self: Any, kind: type[BaseException], error: BaseException, traceback: Any, tb_offset: Any = None) -> Any:
        if previous is not None and previous_types and isinstance(error, previous_types):
            return previous(kind, error, traceback, tb_offset)
        # So that %tb finds it, as after any other error.
        sys.last_type, sys.last_value, sys.last_traceback = kind, error, traceback
        if not is_told_by_us(error, traceback):
            self.showtraceback((kind, error, traceback), running_compiled_code=True)  # as if this were not there
            return []
        lines = short_traceback(error, traceback, cell_of)
        self._showtraceback(kind, error, lines)
        return lines

    shell.set_custom_exc((*SHORTENED, *previous_types), show)

    def restore() -> None:
        shell.set_custom_exc(previous_types, None)
        if previous is not None:
            shell.CustomTB = previous

    return restore
