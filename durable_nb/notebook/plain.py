"""Blocks as plain text, for terminals, GitHub, nbconvert and screen readers. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from durable_nb.analytics.lane_cells import BREAK_LEGEND, LEGEND, lane_cells
from durable_nb.analytics.lanes import Lane
from durable_nb.analytics.time_axis import TimeAxis
from durable_nb.notebook.blocks import Block, Fields, Listing, Message, Preformatted, Table, Timeline, Title
from durable_nb.notebook.text import format_duration, format_instant, format_table

TIMELINE_WIDTH = 60
"""Characters of the time axis."""

_LABEL_WIDTH = 24


def render_text(blocks: Sequence[Block]) -> str:
    """The blocks as text, an empty line between parts."""
    return "\n\n".join(part for part in map(_render, blocks) if part)


def _render(block: Block) -> str:
    if isinstance(block, Title):
        return "  ".join(part for part in (block.kind, block.name, block.state) if part)
    if isinstance(block, Fields):
        size = max((len(name) for name, _ in block.pairs), default=0)
        indent = "\n" + " " * (size + 4)
        return "\n".join(f"  {name.ljust(size)}  {value.replace(chr(10), indent)}" for name, value in block.pairs)
    if isinstance(block, Table):
        text = format_table(block.header, block.rows, widths=block.caps) if block.rows else ""
        return "\n".join(part for part in (block.title, text, block.note) if part)
    if isinstance(block, Message):
        return f"{block.title}\n  " + block.text.replace("\n", "\n  ") if block.title else block.text
    if isinstance(block, Preformatted):
        return block.text
    if isinstance(block, Listing):
        return "\n".join([*([block.title] if block.title else []), *(f"  {line}" for line, _ in block.lines)])
    return render_timeline(block)


def render_timeline(timeline: Timeline, width: int = TIMELINE_WIDTH) -> str:
    """One line for each lane, bars of block characters, the length of each lane at its end."""
    if not timeline.lanes:
        return ""
    size = min(_LABEL_WIDTH, max(len(lane.label) for lane in timeline.lanes))
    lines = [axis_caption(timeline.axis)]
    for lane in timeline.lanes:
        label = lane.label if len(lane.label) <= size else lane.label[: size - 1] + "…"
        bar = "".join(glyph for glyph, _ in lane_cells(lane, timeline.axis, width))
        lines.append(f"{label.ljust(size)} |{bar}| {lane_note(lane)}".rstrip())
    if timeline.more:
        lines.append(f"… and {timeline.more:,} more")
    lines.append(legend(timeline.axis))
    return "\n".join(lines)


def axis_caption(axis: TimeAxis) -> str:
    """When the axis begins, how long it is, and how much of that is left out."""
    text = f"timeline from {format_instant(axis.start, milliseconds=True)}, {format_duration(axis.end - axis.start)}"
    if not axis.breaks:
        return text
    idle = format_duration(sum(gap.end - gap.start for gap in axis.breaks))
    return f"{text}, of which {idle} in which nothing ran are left out"


def legend(axis: TimeAxis) -> str:
    """What the characters of a bar mean."""
    return f"{LEGEND}  {BREAK_LEGEND}" if axis.breaks else LEGEND


def lane_note(lane: Lane) -> str:
    """Length of a lane and, where there was more than one, its number of attempts."""
    runs = [segment for segment in lane.segments if segment.kind == "run"]
    length = format_duration(lane.segments[-1].end - lane.segments[0].start) if lane.segments else ""
    return f"{length}, {len(runs)} attempts" if len(runs) > 1 else length
