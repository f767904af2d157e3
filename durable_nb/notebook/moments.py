"""A moment of a run (``WorkflowHandle.at``) turned into blocks: where the code stood, with what, waiting for what.

Values belong to user code: their ``repr`` may be long, slow to read or raise. ``value_text`` bounds what is shown and
never raises.
"""

from __future__ import annotations

import reprlib
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from durable_nb.model.event_text import attributes_text
from durable_nb.notebook.blocks import Block, Fields, Listing, Message, Table, Title
from durable_nb.notebook.text import CellNamer, format_instant, name_cells, payloads_text, safe_text
from durable_nb.notebook.views import closing_tone

if TYPE_CHECKING:
    from durable_nb.client._moment import Frame, Moment, Waiting

MOST_VARIABLES = 40
MOST_PENDING = 20
_VALUE = 300
"""Characters of a value."""

_repr = reprlib.Repr()
_repr.maxstring = _repr.maxother = _VALUE
_repr.maxlist = _repr.maxtuple = _repr.maxset = _repr.maxdict = _repr.maxdeque = 20
_repr.maxlevel = 4


def value_text(value: object) -> str:
    """A Python value as short safe text."""
    try:
        return safe_text(_repr.repr(value), _VALUE + 40)
    except BaseException as error:  # user code, interrupted or broken in any way
        if isinstance(error, KeyboardInterrupt | SystemExit):
            raise
        return f"<{safe_text(type(value).__name__, 60)}, whose repr raises {type(error).__name__}>"


def moment_blocks(moment: Moment, cell_of: CellNamer | None = None) -> list[Block]:
    """Where the code stood at an event, its variables, and what was pending."""
    event = moment.event
    state = f"event {event.event_id} {event.event_type.title}"
    tone = "bad" if moment.error is not None else closing_tone(event) or "busy"
    facts = [("event", attributes_text(event, 300) or "no attributes")]
    facts.append(("workflow time", format_instant(_microseconds(moment), milliseconds=True)))
    facts.append(("shows", safe_text(moment.note, 300)))
    if moment.code:
        facts.append(("code", safe_text(moment.code, 300)))
    if moment.current_details:
        facts.append(("details", safe_text(moment.current_details, 300)))
    blocks: list[Block] = [
        Title(f"{safe_text(moment.workflow_type, 80)} at", safe_text(moment.workflow_id), state, tone)
    ]
    blocks.append(Fields(facts))
    if moment.error is not None:
        error = moment.error
        text = name_cells(f"{type(error).__name__}: {error}", cell_of)
        blocks.append(Message(safe_text(text, 800, keep_lines=True), "bad", "the workflow task raises"))
    blocks += _code_blocks(moment, cell_of)
    blocks += [block for block in _pending_blocks(moment, cell_of) if block.rows]
    return blocks


def _microseconds(moment: Moment) -> int:
    return round(moment.time.timestamp() * 1_000_000)


# -- code --------------------------------------------------------------------------------------------------------------


def _code_blocks(moment: Moment, cell_of: CellNamer | None) -> list[Block]:
    if not moment.tasks:
        text = "the code has ended" if moment.is_closed else "no code waits here"
        return [Message(text), *_variables("attributes of the workflow object", moment.attributes)]
    first, *others = moment.tasks
    blocks = _stack(first, cell_of)
    blocks += _variables(f"local variables of {safe_text(first.frames[0].function, 80)}", _own(first.frames[0]))
    for frame in first.frames[1:]:
        blocks += _variables(f"local variables of {safe_text(frame.function, 80)}", _own(frame))
    blocks += _variables("attributes of self", moment.attributes)
    for task in others:
        blocks += _stack(task, cell_of)
        blocks += _variables(f"local variables of {safe_text(task.name, 80)}", _own(task.frames[-1]))
    return blocks


def _own(frame: Frame) -> dict[str, Any]:
    return {name: value for name, value in frame.variables.items() if name != "self"}


def _stack(task: Waiting, cell_of: CellNamer | None) -> list[Block]:
    """The lines at which a task waits, the innermost with the lines around it."""
    lines: list[tuple[str, str]] = []
    for frame in task.frames:
        lines.append((f"{safe_text(frame.function, 100)} at {place_text(frame, cell_of)}", ""))
        whole = frame is task.frames[-1]
        for line in frame.source:
            if whole or line.current:
                mark = "→" if line.current else " "
                lines.append((f"{mark} {line.number:>4}  {safe_text(line.text, 200)}", "busy" if line.current else ""))
    return [Listing(lines, safe_text(task.name, 100))]


def place_text(frame: Frame, cell_of: CellNamer | None) -> str:
    """``cell [2], line 12``."""
    label = (cell_of(frame.file) if cell_of is not None else "") or name_cells(frame.file, cell_of)
    return f"{safe_text(label, 200)}, line {frame.line}"


def _variables(title: str, values: Mapping[str, Any]) -> list[Block]:
    if not values:
        return []
    shown = list(values.items())[:MOST_VARIABLES]
    rows = [[safe_text(name, 60), safe_text(type(value).__name__, 40), value_text(value)] for name, value in shown]
    return [Table(title, ["name", "type", "value"], rows, {0: 30, 1: 20, 2: 100}, _more(len(values), MOST_VARIABLES))]


def _more(count: int, most: int) -> str:
    return f"… and {count - most:,} more" if count > most else ""


# -- pending work ------------------------------------------------------------------------------------------------------


def _pending_blocks(moment: Moment, cell_of: CellNamer | None) -> list[Table]:
    most = MOST_PENDING
    activities = [
        [safe_text(each.activity_type, 80), safe_text(each.activity_id, 60), payloads_text(each.input)]
        for each in moment.activities[:most]
    ]
    timers = [
        [safe_text(each.timer_id, 60), format_instant(each.fire_at, milliseconds=True)] for each in moment.timers[:most]
    ]
    children = [
        [safe_text(each.workflow_type, 80), safe_text(each.workflow_id, 80), "running" if each.run_id else "starting"]
        for each in moment.children[:most]
    ]
    conditions = [[_condition(each), place_text(each, cell_of)] for each in moment.conditions]
    signals = [[safe_text(name, 80), str(count)] for name, count in moment.buffered_signals.items()]
    return [
        _table("pending activities", ["activity", "id", "input"], activities, len(moment.activities)),
        _table("pending timers", ["timer", "fires"], timers, len(moment.timers)),
        _table("open children", ["type", "workflow ID", "state"], children, len(moment.children)),
        _table("conditions that are not true", ["condition", "at"], conditions[:most], len(conditions)),
        _table("signals without a handler", ["signal", "count"], signals[:most], len(signals)),
    ]


def _table(title: str, header: Sequence[str], rows: list[list[str]], count: int) -> Table:
    return Table(title, list(header), rows, {0: 60}, _more(count, MOST_PENDING))


def _condition(frame: Frame) -> str:
    return next((safe_text(line.text.strip(), 160) for line in frame.source if line.current), "")
