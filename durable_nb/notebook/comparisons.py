"""Two runs side by side (``Client.compare``) as blocks: where they part, step by step, and what the code changed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from durable_nb.notebook.blocks import Block, Listing, Message, Table, Title
from durable_nb.notebook.text import (
    failure_line,
    format_duration,
    format_instant,
    payloads_text,
    root_failure,
    safe_text,
)

if TYPE_CHECKING:
    from durable_nb.client._comparison import Comparison, Side
    from durable_nb.core.alignment import Pair, Step

MOST_STEPS = 200
AROUND = 3
"""Steps shown before and after one that differs, where there are too many."""

MOST_LINES = 200
"""Lines of the difference of the definitions."""


def comparison_blocks(comparison: Comparison) -> list[Block]:
    """Both runs in columns, the first difference in words, the steps in a table."""
    left, right = comparison.left, comparison.right
    names = _names(left, right)
    count = len(comparison.differences)
    state = "the same" if comparison.same else f"{count} difference{'s' if count > 1 else ''}"
    title = Title("compare", f"{names[0]} with {names[1]}", state, "good" if comparison.same else "warn")
    blocks: list[Block] = [title, _sides(comparison, names)]
    if comparison.parting is not None:
        text = _parting_text(comparison.parting, names)
        blocks.append(Message(text, "bad", "they part here"))
    blocks.append(_steps(comparison, names))
    if comparison.source_diff:
        shown = comparison.source_diff[:MOST_LINES]
        lines = [(safe_text(line, 200), {"-": "bad", "+": "good", "@": "busy"}.get(line[:1], "")) for line in shown]
        if len(shown) < len(comparison.source_diff):
            lines.append((f"… and {len(comparison.source_diff) - len(shown):,} more lines", ""))
        blocks.append(Listing(lines, "the code of the two runs differs"))
    return blocks


def _names(left: Side, right: Side) -> tuple[str, str]:
    if left.workflow_id != right.workflow_id:
        return safe_text(left.workflow_id, 60), safe_text(right.workflow_id, 60)
    # Runs of one workflow: the ends of the run IDs tell them apart, their beginnings are times.
    return f"run …{safe_text(left.run_id[-8:])}", f"run …{safe_text(right.run_id[-8:])}"


def _sides(comparison: Comparison, names: tuple[str, str]) -> Table:
    sides = comparison.left, comparison.right
    rows = [
        ["workflow ID", *(safe_text(side.workflow_id, 80) for side in sides)],
        ["run ID", *(safe_text(side.run_id, 60) for side in sides)],
        ["type", *(safe_text(side.workflow_type, 80) for side in sides)],
        ["status", *(side.status.name.replace("_", " ").lower() for side in sides)],
        ["started", *(_started(side) for side in sides)],
        ["took", *(format_duration(side.took) if side.took else "" for side in sides)],
        ["input", *(payloads_text(side.steps[0].input) for side in sides)],
        ["came to", *(_came_to(side.steps[0]) for side in sides)],
    ]
    if sides[0].definition != sides[1].definition:
        rows.append(["definition", *(side.definition[:12] or "unknown" for side in sides)])
    return Table("", ["", *names], rows, {1: 60, 2: 60})


def _started(side: Side) -> str:
    return "" if side.started is None else format_instant(round(side.started.timestamp() * 1_000_000))


def _came_to(step: Step) -> str:
    if step.failure is not None:
        return f"{step.outcome}: {failure_line(root_failure(step.failure), 120)}"
    return f"{step.outcome} {payloads_text(step.result)}".strip()


def _parting_text(pair: Pair, names: tuple[str, str]) -> str:
    step = pair.step
    lines = [f"{step.kind} {safe_text(step.name, 100)}: {_differs(pair)}"]
    for name, side in zip(names, pair[:2], strict=True):
        if side is None:
            lines.append(f"{name}: nothing of that kind")
        else:
            parts = [f"event {side.event_id}"]
            if side.input or "input" in pair.differs:
                parts.append(f"input {payloads_text(side.input) or 'none'}")
            if side.outcome:
                parts.append(_came_to(side))
            lines.append(f"{name}: {', '.join(parts)}")
    return "\n".join(lines)


def _differs(pair: Pair) -> str:
    words = {
        "only left": "only the first has it",
        "only right": "only the second has it",
        "moved": "at another place",
        "input": "another input",
        "outcome": "another outcome",
        "result": "another result",
        "failure": "another failure",
    }
    return ", ".join(words[each] for each in pair.differs)


def _steps(comparison: Comparison, names: tuple[str, str]) -> Table:
    pairs = comparison.pairs
    shown = _shown(pairs)
    rows = [
        [
            "≠" if pair.differs else "",
            pair.step.kind,
            safe_text(pair.step.name, 80),
            *_cells(comparison.left, pair.left),
            *_cells(comparison.right, pair.right),
            _differs(pair),
        ]
        for pair in shown
    ]
    header = ["", "kind", "name", f"event of {names[0]}", "outcome", "took", f"event of {names[1]}", "outcome", "took"]
    note = f"{len(pairs) - len(shown):,} steps that are the same are left out" if len(shown) < len(pairs) else ""
    return Table("step by step", [*header, "differs in"], rows, {2: 40}, note)


def _shown(pairs: Sequence[Pair]) -> list[Pair]:
    """All, or, of very many, those that differ with some around them."""
    if len(pairs) <= MOST_STEPS:
        return list(pairs)
    near: set[int] = set(range(AROUND))
    for at, pair in enumerate(pairs):
        if pair.differs:
            near.update(range(at - AROUND, at + AROUND + 1))
    return [pairs[at] for at in sorted(near) if 0 <= at < len(pairs)][:MOST_STEPS]


def _cells(side: Side, step: Step | None) -> list[str]:
    if step is None:
        return ["", "", ""]
    attempts = side.attempts.get(step.event_id, 0)
    outcome = f"{step.outcome}, {attempts} attempts" if attempts > 1 else step.outcome
    return [str(step.event_id), outcome, format_duration(side.run_time(step)) if step.end_time else ""]
