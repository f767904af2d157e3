"""What a cell says about open runs after an edit, and how stored source and its differences are shown. Pure."""

from __future__ import annotations

import difflib
import traceback
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from durable_nb.errors import DurableError
from durable_nb.model.records import RunRow
from durable_nb.notebook.blocks import Block, Listing, Message, Table
from durable_nb.notebook.counting import plural, verb
from durable_nb.notebook.text import CellNamer, safe_text
from durable_nb.runtime.errors import NondeterminismError
from durable_nb.worker._trial import Tried

MOST_RUNS = 20
MOST_LINES = 120

_COMMANDS = {
    "ActivityTaskScheduled": "ScheduleActivityTask",
    "ActivityTaskCancelRequested": "RequestCancelActivityTask",
    "TimerStarted": "StartTimer",
    "TimerCanceled": "CancelTimer",
    "StartChildWorkflowExecutionInitiated": "StartChildWorkflowExecution",
    "SignalExternalWorkflowExecutionInitiated": "SignalExternalWorkflowExecution",
    "RequestCancelExternalWorkflowExecutionInitiated": "RequestCancelExternalWorkflowExecution",
    "MarkerRecorded": "RecordMarker",
    "WorkflowPropertiesModified": "ModifyWorkflowProperties",
    "WorkflowExecutionCompleted": "CompleteWorkflowExecution",
    "WorkflowExecutionFailed": "FailWorkflowExecution",
    "WorkflowExecutionCanceled": "CancelWorkflowExecution",
    "WorkflowExecutionContinuedAsNew": "ContinueAsNewWorkflowExecution",
}
"""Temporal's names of the commands that become these events."""


class EditReport(NamedTuple):
    """What became of the open runs of one edited workflow type."""

    workflow_type: str
    digest: str
    continued: list[Tried]
    stay: list[Tried]
    unjudged: list[RunRow]
    pinned: int = 0
    """Runs that stay because of ``--on-edit pin``."""
    old_source: str = ""
    new_source: str = ""
    lost: Mapping[str, str] = {}
    """Names that source cannot make again, with the reason."""
    missing: frozenset[str] = frozenset()
    """Digests that runs stay on and whose code is not in this kernel."""
    only_newest: int = 0
    """Number of runs that were looked at where there may be more; 0 where that were all."""


def report_blocks(report: EditReport, cell_of: CellNamer | None = None) -> list[Block]:
    """The report as blocks; nothing where no run was open."""
    blocks: list[Block] = []
    name = safe_text(report.workflow_type, 80)
    continued, stay = len(report.continued), len(report.stay)
    if report.pinned:
        text = f"{name}: {plural(report.pinned, 'open run')} {verb(report.pinned, 'stay')} pinned to the code of before"
        blocks.append(Message(text, "warn"))
    elif continued or stay or report.unjudged:
        blocks.append(_headline(report, name, cell_of))
    if report.stay:
        blocks.append(_stay_table(report, cell_of))
        if report.old_source and report.new_source:
            lines = diff_lines(report.old_source, report.new_source, newest(report.stay), report.digest)
            if lines:
                blocks.append(Listing(lines, "what was edited"))
    return blocks


def lost_block(name: str, lost: Mapping[str, str]) -> Message:
    """That open runs could not be restored from source after this kernel."""
    title = f"{safe_text(name, 80)}: after this kernel, open runs need this cell again; its source alone is not enough"
    lines = [f"{safe_text(each, 60)}: {safe_text(why, 200)}" for each, why in lost.items()]
    return Message("\n".join(lines), "warn", title)


def _headline(report: EditReport, name: str, cell_of: CellNamer | None) -> Message:
    continued, stay = len(report.continued), len(report.stay)
    unjudged = len(report.unjudged)
    if not stay and not unjudged and not report.only_newest:
        return Message(f"{name}: {plural(continued, 'open run')} {verb(continued, 'continue')} on the new code", "good")
    parts = [f"{continued:,} {verb(continued, 'continue')}"] if continued else []
    if stay:
        it = "it" if stay == 1 else "they"
        parts.append(f"{stay:,} {verb(stay, 'stay')} on the code that {it} started with")
    if unjudged:
        parts.append(f"{unjudged:,} could not be judged yet and {verb(unjudged, 'stay')} on old code")
    if report.only_newest:
        parts.append(f"only the newest {report.only_newest:,} were looked at and the others stay, until the next edit")
    text = f"{name}: {', '.join(parts)}"
    if stay:
        text += ": " + reason(report.stay[0], cell_of)
    waits = {tried.run.definition for tried in report.stay} & report.missing
    if waits:
        text += (
            "\nTheir code is not in this kernel: %workflow restore "
            + name
            + " shows it and runs it, or run the old cell again"
        )
    return Message(text, "warn")


def reason(tried: Tried, cell_of: CellNamer | None = None) -> str:
    """Why a run cannot go on on the new code, in one line."""
    error = tried.failure
    if isinstance(error, NondeterminismError):
        where = f", {_place(error.where, cell_of)}" if error.where else ""
        recorded, actual = safe_text(error.recorded, 200), safe_text(command_words(error.actual), 200)
        if not error.recorded:
            return f"after event {error.event_id} no further command was recorded, new code {actual}{where}"
        return f"event {error.event_id} recorded {recorded}, new code {actual}{where}"
    raised = _raised_at(error, cell_of)
    fix = safe_text(error.fix, 200) if isinstance(error, DurableError) else ""
    said = safe_text(f"the new code raises {_said(error)}", 300)
    return said + (f", {raised}" if raised else "") + (f"; {fix}" if fix else "")


def _said(error: Exception | None) -> str:
    """What an error says happened: where and how to fix it have their own places."""
    return f"{error.code} {error.message}" if isinstance(error, DurableError) else f"{type(error).__name__}: {error}"


def _raised_at(error: Exception | None, cell_of: CellNamer | None) -> str:
    """The innermost line of a cell that an error passed through, else of a file that is not ours."""
    cell = file = ""
    for frame, line in traceback.walk_tb(error.__traceback__ if error is not None else None):
        code = frame.f_code
        name = cell_of(code.co_filename) if cell_of is not None else ""
        if name:
            cell = f"{name}, line {line}, in {code.co_qualname}"
        elif str(frame.f_globals.get("__name__", "")).partition(".")[0] not in _NOT_THE_USERS:
            file = f"{code.co_filename}, line {line}, in {code.co_qualname}"
    return safe_text(cell or file, 200)


_NOT_THE_USERS = frozenset({"durable_nb", "asyncio"})


def _place(where: str, cell_of: CellNamer | None) -> str:
    """``cell [5], line 12, in Order.run`` for a place in a file of a cell."""
    file, line, rest = where.partition(", line ")
    wait, _, path = file.rpartition("waits at ")
    found = cell_of(path) if cell_of is not None else ""
    return safe_text(("waits at " if wait or "waits at " in file else "") + (found or path) + line + rest, 200)


def command_words(text: str) -> str:
    """``StartTimer 30 s`` for ``TimerStarted 30 s``: what code does is named as a command."""
    kind, space, rest = text.partition(" ")
    return f"{_COMMANDS.get(kind, kind)}{space}{rest}"


def _stay_table(report: EditReport, cell_of: CellNamer | None) -> Table:
    rows = [
        [safe_text(tried.run.workflow_id, 60), tried.run.definition[:8] or "(unknown)", *_columns(tried, cell_of)]
        for tried in report.stay[:MOST_RUNS]
    ]
    more = len(report.stay) - len(rows)
    note = f"… and {more:,} more" if more else ""
    header = ["workflow ID", "stays on", "event", "recorded", "new code", "where"]
    return Table("", header, rows, {0: 30, 3: 40, 4: 40, 5: 50}, note)


def _columns(tried: Tried, cell_of: CellNamer | None) -> list[str]:
    error = tried.failure
    if isinstance(error, NondeterminismError):
        return [
            str(error.event_id),
            safe_text(error.recorded or "no further command", 200),
            safe_text(command_words(error.actual), 200),
            _place(error.where, cell_of),
        ]
    return ["", "", safe_text(_said(error), 300), _raised_at(error, cell_of)]


def diff_lines(old: str, new: str, old_digest: str = "", new_digest: str = "") -> list[tuple[str, str]]:
    """A unified difference, with tones."""
    found = difflib.unified_diff(
        old.splitlines(), new.splitlines(), f"version {old_digest[:8]}", f"version {new_digest[:8]}", lineterm=""
    )
    lines = [(safe_text(line, 300), _tone(line)) for line in found]
    if len(lines) > MOST_LINES:
        lines = [*lines[:MOST_LINES], (f"… and {len(lines) - MOST_LINES:,} more lines", "")]
    return lines


def source_lines(source: str) -> list[tuple[str, str]]:
    """Source as lines of a listing, all of it: who is asked to allow code must see the whole."""
    return [(safe_text(line, 2000), "") for line in source.splitlines()]


def _tone(line: str) -> str:
    if line.startswith(("+++", "---", "@@")):
        return "busy"
    return {"+": "good", "-": "bad"}.get(line[:1], "")


def newest(rows: Sequence[Tried]) -> str:
    """The digest that most of the runs that stay are on."""
    counts: dict[str, int] = {}
    for tried in rows:
        counts[tried.run.definition] = counts.get(tried.run.definition, 0) + 1
    return max(counts, key=lambda digest: counts[digest], default="")
