"""A history turned into blocks: one row for each event, with the attributes that people read. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from enum import IntEnum

import msgspec

from durable_nb.model.events import Event
from durable_nb.model.failure import Failure, WorkflowExecution
from durable_nb.model.payload import Payload
from durable_nb.notebook.blocks import Block, Message, Table, Title
from durable_nb.notebook.text import failure_text, format_duration, format_instant, payload_text, safe_text
from durable_nb.notebook.views import metadata_facts

MAX_EVENTS = 500
"""Rows shown before the middle is left out."""

_HIDDEN = frozenset(
    "identity request_id header sdk_metadata workflow_task_completed_event_id history_size_bytes namespace "
    "protocol_instance_id accepted_request_message_id accepted_request_sequencing_event_id original_execution_run_id "
    "first_execution_run_id root_workflow_execution workflow_id parent_initiated_event_id priority".split()
)
"""Fields that help a machine more than a reader; the exported JSON has them all."""

_DURATIONS = ("_timeout", "_interval", "_backoff", "_delay")


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


def attributes_text(event: Event, limit: int = 160) -> str:
    """Attributes of an event as ``name=value`` pairs, payloads decoded, defaults and technical fields left out."""
    body = event.attributes
    default = type(body)()
    parts = []
    for name in body.__struct_fields__:
        value = getattr(body, name)
        if name not in _HIDDEN and value != getattr(default, name):
            parts.append(f"{name}={_field_text(name, value, limit)}")
    parts += [f"{name}={value}" for name, value in metadata_facts(event.user_metadata)]
    return ", ".join(parts)


def _field_text(name: str, value: object, limit: int) -> str:  # one return for each kind of field
    if isinstance(value, Payload):
        return payload_text(value, limit)
    if isinstance(value, Failure):
        return failure_text(value, limit).replace("\n", "; ")
    if isinstance(value, WorkflowExecution):
        return safe_text(value.workflow_id, limit)
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, IntEnum):
        return value.name.lower()
    if isinstance(value, int) and name.endswith(_DURATIONS):
        return format_duration(value)
    if isinstance(value, int) and name.endswith("_time"):
        return format_instant(value)
    if isinstance(value, list):
        return "[" + ", ".join(_field_text("", item, limit) for item in value) + "]"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{safe_text(k, 60)}: {_field_text('', v, limit)}" for k, v in value.items()) + "}"
    if isinstance(value, msgspec.Struct):
        default = type(value)()
        pairs = [(field, getattr(value, field)) for field in value.__struct_fields__]
        shown = [f"{field}={_field_text(field, v, limit)}" for field, v in pairs if v != getattr(default, field)]
        return "(" + ", ".join(shown) + ")"
    return safe_text(value, limit)
