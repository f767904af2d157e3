"""What the display of a run shows, as plain data for the browser. Pure; every string is made safe here.

The data is cut into parts that change at different times, so that only what changed travels. Instants stay
microseconds since the epoch: the browser counts down by itself.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from durable_nb.client._output import safe_lines
from durable_nb.model import progress as progress_of
from durable_nb.model.enums import WorkflowExecutionStatus
from durable_nb.model.events import Event
from durable_nb.model.progress import Progress
from durable_nb.model.records import Pace
from durable_nb.model.requests import AttemptDescription, OutputDescription, PendingActivity, RunDescription
from durable_nb.notebook.blocks import Fields, Message
from durable_nb.notebook.lineage import lineage_facts
from durable_nb.notebook.live.estimates import remaining
from durable_nb.notebook.live.forms import Talk, cards
from durable_nb.notebook.live.places import places, waits_for_message
from durable_nb.notebook.text import (
    CellNamer,
    failure_line,
    failure_text,
    format_duration,
    name_cells,
    payloads_text,
    root_failure,
    safe_text,
    stack_tail,
)
from durable_nb.notebook.views import TONES, outcome_blocks, run_facts

MAX_PENDING = 50
MAX_FAILED = 20
MAX_OUTPUTS = 30
OUTPUT_SHOWN = 8_000
"""Characters of an attempt's output that travel to the browser: its end. ``%workflow show --output`` has the rest."""

Part = dict[str, Any]


class Picture(NamedTuple):
    """What is known about a run at one moment."""

    run: RunDescription
    attempts: Sequence[AttemptDescription] = ()
    events: Sequence[Event] = ()
    outputs: Sequence[OutputDescription] = ()
    trace: Mapping[str, Any] | None = None
    """Answer to ``__enhanced_stack_trace``; None where it was not to be had."""
    details: str = ""
    talk: Talk = Talk([], [], [])
    paces: Mapping[str, Sequence[Pace]] = {}
    """Earlier attempts by activity type."""
    now: int = 0
    definition_note: str = ""
    cell_of: CellNamer | None = None


def run_state(picture: Picture) -> dict[str, Any]:
    """All parts by name, as ``widgets.run_view.RunView`` has traits for them."""
    outputs = {(output.activity_id, output.attempt): output for output in picture.outputs}
    return {
        "run": _head(picture),
        "position": places(picture.trace, picture.cell_of),
        "pending": _pending(picture, outputs),
        "failed": _failed(picture.attempts),
        "talk": _talk(picture),
        "output": _outputs(picture),
    }


def _head(picture: Picture) -> Part:
    run = picture.run
    return {
        "type": safe_text(run.workflow_type, 120),
        "id": safe_text(run.workflow_id, 200),
        "raw_id": _sendable(run.workflow_id),
        "run_id": safe_text(run.run_id),
        "status": run.status.name.replace("_", " ").lower(),
        "tone": TONES[run.status],
        "open": run.status is WorkflowExecutionStatus.RUNNING,
        "started_at": run.start_time,
        "closed_at": run.close_time,
        "begins_at": run.execution_time if run.execution_time > max(run.start_time, picture.now) else 0,
        "facts": [list(pair) for pair in (*run_facts(run), *lineage_facts(run, picture.events))],
        "outcome": _outcome(picture.events) if run.close_time else [],
        "task": _task(picture),
        "now": picture.now,
    }


def _sendable(text: str) -> str:
    """Only what can be typed back into a line is put into one."""
    return text if text.isprintable() and len(text) < 500 else ""


def _outcome(events: Sequence[Event]) -> list[Part]:
    found: list[Part] = []
    for block in outcome_blocks(events):
        if isinstance(block, Message):
            found.append({"title": block.title, "text": block.text, "tone": block.tone})
        elif isinstance(block, Fields):
            found += [{"title": name, "text": value, "tone": ""} for name, value in block.pairs]
    return found


def _task(picture: Picture) -> Part | None:
    """The workflow task where it stands in the way: it failed, or nobody here has its code."""
    task = picture.run.pending_workflow_task
    if task is None:
        return None
    if task.waits_for_definition:
        note = picture.definition_note or "run the cell or import the module that defines it"
        text = f"waits for the definition of {safe_text(picture.run.workflow_type)}: {note}"
        return {"text": text, "tone": "warn", "attempt": task.attempt, "next_at": 0, "stack": ""}
    if task.last_failure is None:
        return None
    stack = task.last_failure.stack_trace
    return {
        "text": name_cells(failure_text(task.last_failure), picture.cell_of),
        "tone": "bad",
        "attempt": task.attempt,
        "next_at": task.next_attempt_at,
        "stack": stack_tail(stack, picture.cell_of) if stack else "",
    }


# -- what is pending -----------------------------------------------------------------------------------------------


def _pending(picture: Picture, outputs: Mapping[tuple[str, int], OutputDescription]) -> Part:
    run = picture.run
    return {
        "activities": [_activity(each, picture, outputs) for each in run.pending_activities[:MAX_PENDING]],
        "timers": [
            {"id": safe_text(timer.timer_id, 60), "fire_at": timer.fire_at}
            for timer in run.pending_timers[:MAX_PENDING]
        ],
        "children": [
            {"type": safe_text(child.workflow_type, 80), "id": safe_text(child.workflow_id, 120)}
            for child in run.pending_children[:MAX_PENDING]
        ],
        "more": max(0, len(run.pending_activities) - MAX_PENDING)
        + max(0, len(run.pending_timers) - MAX_PENDING)
        + max(0, len(run.pending_children) - MAX_PENDING),
    }


def _activity(
    activity: PendingActivity, picture: Picture, outputs: Mapping[tuple[str, int], OutputDescription]
) -> Part:
    running = activity.state == "started"
    failure = activity.last_failure
    return {
        "id": safe_text(activity.activity_id, 60),
        "type": safe_text(activity.activity_type, 80),
        "state": "cancel requested" if activity.cancel_requested else "running" if running
        else "waits to retry" if activity.next_attempt_at and activity.attempt > 1 else "queued",
        "attempt": activity.attempt,
        "of": activity.maximum_attempts,
        "since": activity.last_started_at if running else activity.scheduled_at,
        "next_at": 0 if running else activity.next_attempt_at,
        "error": failure_line(root_failure(failure), 300) if failure is not None else "",
        "stack": _stack(failure, picture.cell_of),
        "progress": _progress(activity, picture, outputs.get((activity.activity_id, activity.attempt)))
        if running else None,
    }  # fmt: skip


def _stack(failure: Any, cell_of: CellNamer | None) -> str:
    if failure is None:
        return ""
    stack = root_failure(failure).stack_trace
    return stack_tail(stack, cell_of) if stack else ""


def _progress(activity: PendingActivity, picture: Picture, output: OutputDescription | None) -> Part | None:
    """Bar and estimate; for details that are no progress, their text; None where there is nothing to say."""
    reported: Progress | None = output.progress if output is not None else None
    if reported is None:
        reported = progress_of.of_payloads(activity.heartbeat_details)
    paces = picture.paces.get(activity.activity_type, ())
    left = remaining(reported, activity.last_started_at, picture.now, paces)
    details = [payload for payload in activity.heartbeat_details if not progress_of.is_report(payload)]
    text = payloads_text(details, 120) if details and reported is None else ""
    if reported is None and left < 0 and not text:
        return None
    return {
        "done": _number(reported.done) if reported is not None else "",
        "total": _number(reported.total) if reported is not None and reported.total else "",
        "fraction": round(reported.fraction, 4) if reported is not None and reported.total else -1,
        "label": safe_text(reported.label, 80) if reported is not None else "",
        "ends_at": _rounded(picture.now + left) if left >= 0 else 0,
        "learned": bool(paces),
        "text": text,
    }


def _rounded(instant: int) -> int:
    """To a half second: an estimate that trembles by less is no news."""
    return instant // 500_000 * 500_000


def _number(value: float) -> str:
    return f"{value:,.0f}" if value == int(value) else f"{value:,.4g}"


# -- what went wrong, and what was said ----------------------------------------------------------------------------


def _failed(attempts: Sequence[AttemptDescription]) -> Part:
    failed = sorted((each for each in attempts if each.outcome != "completed"), key=lambda each: each.ended_at)
    return {
        "count": len(failed),
        "rows": [
            {
                "type": safe_text(each.activity_type, 80),
                "id": safe_text(each.activity_id, 60),
                "attempt": each.attempt,
                "outcome": each.outcome.replace("_", " "),
                "error": failure_line(root_failure(each.failure), 300) if each.failure is not None else "",
                "took": format_duration(each.ended_at - each.started_at),
            }
            for each in failed[-MAX_FAILED:]
        ],
    }


def _talk(picture: Picture) -> Part:
    run = picture.run
    is_open = run.status is WorkflowExecutionStatus.RUNNING
    waits = waits_for_message(run, picture.trace)
    talk = picture.talk
    return {
        "waits": waits,
        "details": safe_text(picture.details, 1000, keep_lines=True) if is_open else "",
        "cards": cards(talk, waits=waits),
        "signals": talk.signals if is_open else [],
        "updates": talk.updates if is_open else [],
        "queries": talk.queries,
    }


def _outputs(picture: Picture) -> list[Part]:
    newest = sorted(picture.outputs, key=lambda output: output.updated_at)[-MAX_OUTPUTS:]
    newest.sort(key=lambda output: (output.scheduled_event_id, output.attempt))
    return [_output(output) for output in newest if output.chunks]


def _output(output: OutputDescription) -> Part:
    left, pieces = OUTPUT_SHOWN, []
    for stream, text in reversed(output.chunks):
        if left <= 0:
            break
        pieces.append([stream, safe_lines(text[-left:])])
        left -= len(text)
    shown = min(output.written, OUTPUT_SHOWN)
    return {
        "name": safe_text(output.activity_type, 80),
        "id": safe_text(output.activity_id, 60),
        "attempt": output.attempt,
        "pieces": pieces[::-1],
        "left_out": max(0, output.written - shown),
    }
