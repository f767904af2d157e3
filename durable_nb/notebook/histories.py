"""A history turned into blocks: one row for each event, with the attributes that people read. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from durable_nb.model.event_text import attributes_text
from durable_nb.model.events import Event
from durable_nb.notebook.blocks import Block, Message, Table, Title
from durable_nb.notebook.text import format_duration, format_instant, safe_text

MAX_EVENTS = 500
"""Rows shown before the middle is left out."""


def history_blocks(events: Sequence[Event], *, workflow_id: str = "", limit: int = MAX_EVENTS) -> list[Block]:
    """One row for each event: id, time since the start, type, and the attributes that people read."""
    if not events:
        return [Message("the history is empty")]
    begin = events[0].event_time
    shown = list(events) if len(events) <= limit else [*events[: limit // 2], *events[-(limit - limit // 2) :]]
    rows = [
        [
            str(event.event_id),
            f"+{format_duration(event.event_time - begin)}",
            event.event_type.title,
            attributes_text(event),
        ]
        for event in shown
    ]
    note = f"{len(events) - len(shown):,} events in the middle are left out" if len(shown) < len(events) else ""
    title = Title("history", safe_text(workflow_id), f"{len(events):,} events from {format_instant(begin)}")
    return [title, Table("", ["event", "time", "type", "attributes"], rows, {3: 110}, note)]
