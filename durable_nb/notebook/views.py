"""Values of the model turned into blocks: what a run and a list of runs say about themselves.

Pure functions; nothing here asks the engine or knows IPython. Strings of users are made safe here (``text``).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from durable_nb.analytics.lanes import run_lanes
from durable_nb.analytics.strip import Strip
from durable_nb.analytics.time_axis import compressed_axis
from durable_nb.client._output import safe_lines
from durable_nb.model.attributes import (
    WorkflowExecutionCanceled,
    WorkflowExecutionCompleted,
    WorkflowExecutionContinuedAsNew,
    WorkflowExecutionFailed,
    WorkflowExecutionTerminated,
    WorkflowExecutionTimedOut,
)
from durable_nb.model.enums import WorkflowExecutionStatus
from durable_nb.model.event_text import metadata_facts
from durable_nb.model.events import Event
from durable_nb.model.failure import Failure
from durable_nb.model.requests import (
    AttemptDescription,
    OutputDescription,
    PendingActivity,
    PendingWorkflowTask,
    RunDescription,
)
from durable_nb.notebook.blocks import Block, Fields, Listing, Message, Preformatted, Table, Timeline, Title
from durable_nb.notebook.lineage import lineage_facts, origin_note, own_memo
from durable_nb.notebook.text import (
    CellNamer,
    failure_line,
    failure_text,
    format_duration,
    format_instant,
    format_size,
    name_cells,
    payload_map_text,
    payloads_text,
    root_failure,
    safe_text,
    stack_tail,
)

MAX_LANES = 40
MAX_PENDING = 20
MAX_FAILED = 10

TONES = {
    WorkflowExecutionStatus.RUNNING: "busy",
    WorkflowExecutionStatus.COMPLETED: "good",
    WorkflowExecutionStatus.FAILED: "bad",
    WorkflowExecutionStatus.TIMED_OUT: "bad",
    WorkflowExecutionStatus.TERMINATED: "bad",
    WorkflowExecutionStatus.CANCELED: "warn",
    WorkflowExecutionStatus.CONTINUED_AS_NEW: "good",
}


_CLOSINGS: dict[type, str] = {
    WorkflowExecutionCompleted: "good",
    WorkflowExecutionContinuedAsNew: "good",
    WorkflowExecutionFailed: "bad",
    WorkflowExecutionTerminated: "bad",
    WorkflowExecutionTimedOut: "bad",
    WorkflowExecutionCanceled: "warn",
}


def closing_tone(event: Event) -> str:
    """Tone of an event that closes a run; "" for any other."""
    return _CLOSINGS.get(type(event.attributes), "")


def run_blocks(
    run: RunDescription,
    attempts: Sequence[AttemptDescription] = (),
    events: Sequence[Event] = (),
    *,
    now: int = 0,
    definition_note: str = "",
    cell_of: CellNamer | None = None,
) -> list[Block]:
    """Everything about one run: facts, what it waits for, its outcome, and a timeline of its attempts.

    Parameters
    ----------
    events
        The history, or just its last event for the result; timers and children are drawn only from a whole history.
    now
        Microseconds since the epoch, for "in 3 s" and for bars that still grow; 0 draws up to the last known instant.
    definition_note
        Said where the run waits for a definition that is not loaded: which cell has it.
    cell_of
        Names cells in stack traces.
    """
    blocks: list[Block] = [
        Title(safe_text(run.workflow_type), safe_text(run.workflow_id), run.status.name, TONES[run.status]),
        Fields([*_facts(run, now), *lineage_facts(run, events)]),
    ]
    if run.pending_workflow_task is not None:
        task = run.pending_workflow_task
        blocks += _workflow_task_blocks(task, run.workflow_type, now, definition_note, cell_of)
    blocks += outcome_blocks(events)
    pending = _pending_blocks(run, now)
    if not pending and run.pending_workflow_task is None and not run.close_time and run.history_length > 3:
        pending = [Message("nothing is pending: the workflow waits for a signal, an update or a condition")]
    blocks += pending
    blocks += _failed_attempts(attempts)
    blocks.append(timeline_block(run, attempts, events, now=now))
    return blocks


def timeline_block(
    run: RunDescription, attempts: Sequence[AttemptDescription], events: Sequence[Event] = (), *, now: int = 0
) -> Timeline:
    """Lanes of a run, at most ``MAX_LANES`` of them."""
    lanes = run_lanes(run, attempts, events, now=now)
    shown = [lane._replace(label=safe_text(lane.label, 60)) for lane in lanes[:MAX_LANES]]
    return Timeline(shown, compressed_axis(shown), len(lanes) - len(shown))


def run_facts(run: RunDescription) -> list[tuple[str, str]]:
    """Facts about a run by name, as they stand without a clock."""
    return _facts(run, 0)


def _facts(run: RunDescription, now: int) -> list[tuple[str, str]]:
    facts = [("run ID", safe_text(run.run_id)), ("started", format_instant(run.start_time))]
    if run.close_time:
        took = format_duration(run.close_time - run.start_time)
        facts.append(("closed", f"{format_instant(run.close_time)}, after {took}"))
    elif run.execution_time > run.start_time and run.execution_time > now > 0:
        facts.append(("begins", _when(run.execution_time, now)))
    facts.append(("history", f"{run.history_length:,} events, {format_size(run.history_size)}"))
    facts.append(("task queue", safe_text(run.task_queue)))
    if run.cron_schedule:
        facts.append(("cron", safe_text(run.cron_schedule)))
    if run.parent_workflow_id:
        facts.append(("parent", safe_text(run.parent_workflow_id)))
    memo = own_memo(run.memo)
    if memo:
        facts.append(("memo", payload_map_text(memo)))
    if run.search_attributes:
        facts.append(("search attributes", payload_map_text(run.search_attributes)))
    return facts + metadata_facts(run.user_metadata)


def _when(instant: int, now: int) -> str:
    if not instant:
        return "-"
    if not now:
        return format_instant(instant)
    return f"in {format_duration(instant - now)}" if instant > now else "now"


def _workflow_task_blocks(
    task: PendingWorkflowTask, workflow_type: str, now: int, definition_note: str, cell_of: CellNamer | None
) -> list[Block]:
    if task.waits_for_definition:
        note = definition_note or "run the cell or import the module that defines it"
        return [Message(f"waits for the definition of {safe_text(workflow_type)}: {note}", "warn")]
    if task.last_failure is None:
        return []
    root = task.last_failure
    text = name_cells(failure_text(root), cell_of)
    text += f"\nattempt {task.attempt}, next try {_when(task.next_attempt_at, now)}"
    title = "workflow code raised: the run stays open and is tried again; fix the cell and run it"
    return [Message(text, "bad", title), *stack_blocks(root.stack_trace, cell_of)]


def stack_blocks(stack: str, cell_of: CellNamer | None = None) -> list[Block]:
    """The end of a stack as lines whose columns stay below each other: marks under a line point into it."""
    lines = stack_tail(stack, cell_of).splitlines() if stack else []
    return [Listing([(line, "") for line in lines])] if lines else []


def _failed_attempts(attempts: Sequence[AttemptDescription]) -> list[Block]:
    """One row for each attempt that did not complete, in the order of their ends, with its error."""
    failed = sorted((a for a in attempts if a.outcome != "completed"), key=lambda a: a.ended_at)
    if not failed:
        return []
    rows = [
        [
            safe_text(attempt.activity_type, 80),
            str(attempt.attempt),
            safe_text(attempt.outcome.replace("_", " "), 20),
            failure_line(root_failure(attempt.failure), 200) if attempt.failure is not None else "",
            format_duration(attempt.ended_at - attempt.started_at),
        ]
        for attempt in failed[-MAX_FAILED:]
    ]
    note = f"the last {MAX_FAILED} of {len(failed):,} are shown" if len(failed) > MAX_FAILED else ""
    header = ["activity", "attempt", "outcome", "error", "took"]
    return [Table("attempts that failed", header, rows, {0: 30, 3: 70}, note)]


def _pending_blocks(run: RunDescription, now: int) -> list[Block]:
    blocks: list[Block] = []
    if run.pending_activities:
        header = ["activity", "id", "state", "attempt", "last error", "next attempt"]
        rows = [_activity_row(activity, now) for activity in run.pending_activities[:MAX_PENDING]]
        caps = {0: 30, 1: 16, 4: 60}
        blocks.append(Table("pending activities", header, rows, caps, _left_out(len(run.pending_activities))))
    if run.pending_timers:
        rows = [[safe_text(t.timer_id, 40), _when(t.fire_at, now)] for t in run.pending_timers[:MAX_PENDING]]
        blocks.append(Table("pending timers", ["timer", "fires"], rows, {}, _left_out(len(run.pending_timers))))
    if run.pending_children:
        children = run.pending_children[:MAX_PENDING]
        rows = [[safe_text(c.workflow_type, 60), safe_text(c.workflow_id, 80)] for c in children]
        blocks.append(Table("open children", ["type", "workflow ID"], rows, {}, _left_out(len(run.pending_children))))
    return blocks


def _left_out(count: int) -> str:
    return f"… and {count - MAX_PENDING:,} more" if count > MAX_PENDING else ""


def _activity_row(activity: PendingActivity, now: int) -> list[str]:
    of = f" of {activity.maximum_attempts}" if activity.maximum_attempts else ""
    state = "cancel requested" if activity.cancel_requested else activity.state
    if activity.state == "scheduled" and activity.next_attempt_at and activity.attempt > 1:
        state = "waits to retry"
    error = failure_line(root_failure(activity.last_failure), 200) if activity.last_failure is not None else ""
    following = _when(activity.next_attempt_at, now) if activity.state == "scheduled" else "is running"
    name, ident = safe_text(activity.activity_type, 80), safe_text(activity.activity_id, 40)
    return [name, ident, safe_text(state), f"{activity.attempt}{of}", error, following]


def outcome_blocks(events: Sequence[Event]) -> list[Block]:
    """Result or failure of a closed run, from the last event of its history; nothing for an open one."""
    if not events:
        return []
    body = events[-1].attributes
    if isinstance(body, WorkflowExecutionCompleted):
        return [Fields([("result", payloads_text(body.result, 600) or "none")])]
    if isinstance(body, WorkflowExecutionFailed):
        return [Message(failure_text(body.failure or Failure()), "bad", "failed")]
    if isinstance(body, WorkflowExecutionTerminated):
        return [Message(safe_text(body.reason) or "no reason was given", "bad", "terminated")]
    if isinstance(body, WorkflowExecutionCanceled):
        return [Message(payloads_text(body.details) or "as requested", "warn", "canceled")]
    if isinstance(body, WorkflowExecutionTimedOut):
        return [Message("the run took longer than its timeout", "bad", "timed out")]
    if isinstance(body, WorkflowExecutionContinuedAsNew):
        return [Fields([("continues as", safe_text(body.new_execution_run_id))])]
    return []


def list_blocks(
    runs: Sequence[RunDescription], *, limit: int = 0, strips: Mapping[str, Strip] | None = None
) -> list[Block]:
    """One row for each run, as they come (newest first).

    Parameters
    ----------
    strips
        By run ID: a line of timeline for a column of its own.
    """
    if not runs:
        return [Message("no workflow runs match")]
    rows = [
        [
            safe_text(run.workflow_id, 80),
            safe_text(run.workflow_type, 60),
            run.status.name,
            format_instant(run.start_time),
            format_duration(run.close_time - run.start_time) if run.close_time else "",
            waits_for(run),
        ]
        for run in runs
    ]
    note = f"the newest {limit} are shown: --limit shows more" if limit and len(runs) >= limit else ""
    header = ["workflow ID", "type", "status", "started", "took", "waits for"]
    if strips:
        header.append("timeline")
        for run, row in zip(runs, rows, strict=True):
            row.append(strips.get(run.run_id, ""))
    return [Table("", header, rows, {0: 44, 1: 30, 5: 44}, note)]


def waits_for(run: RunDescription) -> str:
    """What a run waits for and where it comes from, in a few words; "" where its row alone does not tell."""
    origin = origin_note(run)
    parts = [origin] if origin else []
    if run.close_time:
        return ", ".join(parts)
    if run.pending_workflow_task is not None and run.pending_workflow_task.waits_for_definition:
        parts.append("its definition")
    elif run.pending_workflow_task is not None and run.pending_workflow_task.last_failure is not None:
        parts.append("its code, which raises")
    for count, one, many in (
        (len(run.pending_activities), "activity", "activities"),
        (len(run.pending_timers), "timer", "timers"),
        (len(run.pending_children), "child", "children"),
    ):
        if count:
            parts.append(f"{count} {one if count == 1 else many}")
    return ", ".join(parts)


def output_blocks(outputs: Sequence[OutputDescription], workflow_id: str) -> list[Block]:
    """What the attempts of a run printed and logged, each under its own heading."""
    if not outputs:
        return [Message(f"no activity of {safe_text(workflow_id)} printed or logged anything")]
    blocks: list[Block] = []
    for output in outputs:
        kept = f"the first and last of {output.written:,} characters" if output.cut else ""
        name = safe_text(f"activity {output.activity_id}, attempt {output.attempt}", 200)
        blocks.append(Title(safe_text(output.activity_type, 80), name, kept))
        text = "".join(f"\n{text}\n" if stream == "cut" else text for stream, text in output.chunks)
        if text:
            blocks.append(Preformatted(safe_lines(text).rstrip("\n")))
    return blocks


class DefinitionLine(NamedTuple):
    """One version of a definition, as lists of definitions show it."""

    kind: str
    name: str
    version: str = ""
    """Digest; the first eight characters are shown."""
    state: str = ""
    """``current``, ``pinned`` (older, with open runs) or ``not here`` (stored, and open runs wait for it)."""
    runs: int = 0
    trust: str = ""
    origin: str = ""


def definitions_blocks(definitions: Sequence[DefinitionLine]) -> list[Block]:
    """One row for each version of each definition."""
    if not definitions:
        return [Message("no workflow or activity is defined yet: write @workflow.defn in a %%workflow cell")]
    rows = [
        [
            line.kind,
            safe_text(line.name or "(dynamic)", 80),
            safe_text(line.version[:8], 20),
            line.state,
            f"{line.runs:,}" if line.runs else "",
            safe_text(line.trust, 80),
            safe_text(line.origin, 120),
        ]
        for line in definitions
    ]
    header = ["kind", "name", "version", "state", "open runs", "stored source", "defined in"]
    return [Table("", header, rows, {5: 50, 6: 60})]
