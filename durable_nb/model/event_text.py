"""What an event says, as text: its attributes by name, payloads decoded, made safe. Pure."""

from __future__ import annotations

from enum import IntEnum

import msgspec

from durable_nb.model.attributes import UserMetadata
from durable_nb.model.events import Event
from durable_nb.model.failure import Failure, WorkflowExecution
from durable_nb.model.payload import Payload
from durable_nb.model.text import failure_text, format_duration, format_instant, payload_text, safe_text

_HIDDEN = frozenset(
    "identity request_id header sdk_metadata workflow_task_completed_event_id history_size_bytes namespace "
    "protocol_instance_id accepted_request_message_id accepted_request_sequencing_event_id original_execution_run_id "
    "first_execution_run_id root_workflow_execution workflow_id parent_initiated_event_id priority".split()
)
"""Fields that help a machine more than a reader; the exported JSON has them all."""

_DURATIONS = ("_timeout", "_interval", "_backoff", "_delay")


def attributes_text(event: Event, limit: int = 160) -> str:
    """Attributes of an event as ``name=value`` pairs, payloads decoded, defaults and technical fields left out."""
    return ", ".join(f"{name}={value}" for name, value in attribute_fields(event, limit))


def attribute_fields(event: Event, limit: int = 160) -> list[tuple[str, str]]:
    """Attributes of an event by name, as ``attributes_text`` shows them."""
    body = event.attributes
    default = type(body)()
    fields = []
    for name in body.__struct_fields__:
        value = getattr(body, name)
        if name not in _HIDDEN and value != getattr(default, name):
            fields.append((name, _field_text(name, value, limit)))
    return fields + metadata_facts(event.user_metadata)


def metadata_facts(metadata: UserMetadata | None) -> list[tuple[str, str]]:
    """Summary and details of an event or a run, where they were given."""
    if metadata is None:
        return []
    found = (("summary", metadata.summary), ("details", metadata.details))
    return [(name, payload_text(value)) for name, value in found if value is not None]


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
