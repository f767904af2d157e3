"""Objects that show themselves in a cell, and what is asked of the engine to show them.

A view is a picture of one moment: blocks and the values they were made from. Asking has a bounded ``patience``: a
display never blocks a cell for longer, it then says that the engine is busy.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from durable_nb.client import Client
from durable_nb.model.events import Event
from durable_nb.model.requests import AttemptDescription, ReadHistory, RunDescription, Target
from durable_nb.notebook import patience
from durable_nb.notebook.blocks import Block, Message, Title
from durable_nb.notebook.bulk import plan_blocks
from durable_nb.notebook.comparisons import comparison_blocks
from durable_nb.notebook.histories import history_blocks
from durable_nb.notebook.html import render_html
from durable_nb.notebook.moments import moment_blocks
from durable_nb.notebook.plain import TIMELINE_WIDTH, render_text, render_timeline
from durable_nb.notebook.text import CellNamer, safe_text
from durable_nb.notebook.views import list_blocks, run_blocks, timeline_block

WHOLE_HISTORY = 2000
"""Events up to which a run's whole history is read for its picture; above, only the closing event is."""


class View:
    """Shows itself as HTML and as text. ``value`` is what it was made from."""

    def __init__(self, blocks: Sequence[Block], value: Any = None) -> None:
        self.blocks = list(blocks)
        self.value = value

    def __repr__(self) -> str:
        return render_text(self.blocks)

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, Any]:
        return bundle(self.blocks)


class LiveView(View):
    """A view that keeps itself up to date where it can: ``live`` gives the MIME bundle, None where it cannot."""

    def __init__(self, blocks: Sequence[Block], value: Any, live: Callable[[], dict[str, Any] | None]) -> None:
        super().__init__(blocks, value)
        self._live = live

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, Any]:
        return self._live() or bundle(self.blocks)


def bundle(blocks: Sequence[Block]) -> dict[str, Any]:
    """MIME bundle of blocks: ``text/plain`` and ``text/html``."""
    return {"text/plain": render_text(blocks), "text/html": render_html(blocks)}


def timeline_text(
    run: RunDescription,
    attempts: Sequence[AttemptDescription],
    events: Sequence[Event] = (),
    *,
    now: int = 0,
    width: int = TIMELINE_WIDTH,
) -> str:
    """The timeline of a run as text: one line for each activity, timer and child, each attempt a bar.

    Parameters
    ----------
    run, attempts
        Answers of ``describe_workflow`` and ``read_attempts`` (``handle.describe().raw_info`` holds the first).
    events
        The whole history, for timers and children; without it only activities are drawn.
    now
        Microseconds since the epoch up to which open bars are drawn; 0 means the last known instant.
    width
        Characters of the time axis.
    """
    return render_timeline(timeline_block(run, attempts, events, now=now), width)


async def handle_timeline(handle: Any, *, width: int = TIMELINE_WIDTH) -> str:
    """The timeline of a handle's run as text (``timeline_text``), read from its engine.

    Raises
    ------
    RPCError
        NOT_FOUND: no such run.
    """
    target = Target(handle._client.namespace, handle.id, handle.run_id or handle.result_run_id or "")
    run, attempts, events = await read_run(handle._client.frontend, target)
    return timeline_text(run, attempts, events, now=run.close_time or now_us(), width=width)


async def read_run(frontend: Any, target: Target) -> tuple[RunDescription, list[AttemptDescription], list[Event]]:
    """What a picture of a run needs, from the engine."""
    run = await frontend.describe_workflow(target)
    exact = Target(target.namespace, target.workflow_id, run.run_id)
    attempts = await frontend.read_attempts(exact)
    events: list[Event] = []
    if run.history_length <= WHOLE_HISTORY:
        events = (await frontend.read_history(ReadHistory(exact))).events
    elif run.close_time:
        events = (await frontend.read_history(ReadHistory(exact, close_event_only=True))).events
    return run, attempts, events


def now_us() -> int:
    """Microseconds since the epoch."""
    return time.time_ns() // 1000


def handle_bundle(
    handle: Any,
    ask: Callable[[Any, float], Any],
    definition_note: Callable[[str, str], str] = lambda *_: "",
    cell_of: CellNamer | None = None,
) -> dict[str, Any]:
    """MIME bundle of a workflow handle.

    Parameters
    ----------
    ask
        Runs a coroutine on the engine's loop within some seconds, for instance ``session.run``.
    definition_note
        Workflow type and digest of its version in, where that is defined out; asked only when the run waits for it.
    """
    ident = safe_text(handle.id)
    try:
        frontend, namespace = handle._client.frontend, handle._client.namespace
        target = Target(namespace, handle.id, handle.run_id or handle.result_run_id or "")
        run, attempts, events = ask(read_run(frontend, target), patience.DISPLAY)
    except TimeoutError:
        return bundle([Title("workflow", ident), Message("the engine is busy; show the handle again", "warn")])
    except Exception as error:  # a display must show something, whatever went wrong
        return bundle([Title("workflow", ident), Message(safe_text(f"{type(error).__name__}: {error}", 400), "bad")])
    task = run.pending_workflow_task
    note = definition_note(run.workflow_type, run.definition) if task is not None and task.waits_for_definition else ""
    return bundle(run_blocks(run, attempts, events, now=now_us(), definition_note=note, cell_of=cell_of))


def install_formatters(shell: Any) -> Callable[[], None]:
    """Draw the client's values (executions, descriptions, histories) in a shell; returns what takes it back."""
    formatter = shell.display_formatter.mimebundle_formatter
    kinds: dict[tuple[str, str], Callable[..., Any]] = {
        ("durable_nb.client._execution", "WorkflowExecution"): partial(_execution_bundle, shell),
        ("durable_nb.client._execution", "WorkflowExecutionDescription"): partial(_description_bundle, shell),
        ("durable_nb.client._history", "WorkflowHistory"): _history_bundle,
        ("durable_nb.client._moment", "Moment"): partial(_moment_bundle, shell),
        ("durable_nb.client._comparison", "Comparison"): _comparison_bundle,
        ("durable_nb.client._bulk", "BulkPlan"): _plan_bundle,
    }
    for (module, name), draw in kinds.items():
        formatter.for_type_by_name(module, name, draw)

    def restore() -> None:
        for module, name in kinds:
            formatter.pop(f"{module}.{name}", None)

    return restore


def _execution_bundle(shell: Any, execution: Any, **_: Any) -> dict[str, Any]:
    return _live_run(shell, execution) or bundle(list_blocks([execution.raw_info]))


def _description_bundle(shell: Any, description: Any, **_: Any) -> dict[str, Any]:
    return _live_run(shell, description) or bundle(run_blocks(description.raw_info, now=now_us()))


def _live_run(shell: Any, execution: Any) -> dict[str, Any] | None:
    """A live display of the run, of the namespace and store of the notebook; None where it cannot live."""
    session = getattr(shell, "durable_nb", None)
    board = session.live_board() if session is not None else None
    run = execution.raw_info
    if board is None or session is None or run.namespace != session.client.namespace or not session.knows(run):
        return None
    client = Client(session.engine, namespace=run.namespace, data_converter=execution.data_converter)
    shown: dict[str, Any] = board.run_bundle(Target(run.namespace, run.workflow_id, run.run_id), client=client)
    return shown


def _moment_bundle(shell: Any, moment: Any, **_: Any) -> dict[str, Any]:
    session = getattr(shell, "durable_nb", None)
    return bundle(moment_blocks(moment, getattr(session, "cell_of", None)))


def _comparison_bundle(comparison: Any, **_: Any) -> dict[str, Any]:
    return bundle(comparison_blocks(comparison))


def _plan_bundle(plan: Any, **_: Any) -> dict[str, Any]:
    return bundle(plan_blocks(plan))


def _history_bundle(history: Any, **_: Any) -> dict[str, Any]:
    return bundle(history_blocks(history.events, workflow_id=history.workflow_id))
