"""Temporal's history JSON, both ways.

The form is protobuf's JSON of the message ``History`` (temporal-semantics section 9): lowerCamelCase names, 64-bit
integers as text, durations ``"0.250s"``, instants in RFC 3339, bytes in base64, enumerations by full name, unset
fields left out, the attributes key always there. How a field is spelt follows from its annotation in
``model.attributes`` (``model.scalars``); ``json_fields`` compiles that once per class.

Reading also takes short enumeration names (``TimerStarted``), snake_case names, numbers for 64-bit integers, numeric
time offsets, and fields that this version does not know. Events of unknown type are skipped where they say that a
worker may ignore them, else they are an error. Instants are exact to the microsecond; finer digits are cut.

Invariant: ``history_from_json(history_to_json("", events)) == events``.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from durable_nb.converter import json_fields
from durable_nb.converter.json_fields import read_struct, write_struct
from durable_nb.errors import HistoryFormatError
from durable_nb.model.attributes import Attributes, UserMetadata
from durable_nb.model.enums import EventType
from durable_nb.model.events import ATTRIBUTES, Event
from durable_nb.model.spelling import nearest

__all__ = ["HistoryFormatError", "history_from_json", "history_to_dict", "history_to_json"]

_PREFIX = "EVENT_TYPE_"


def _attributes_key(event_type: EventType) -> str:
    title = event_type.title
    return f"{title[0].lower()}{title[1:]}EventAttributes"


_KEYS = {event_type: _attributes_key(event_type) for event_type in ATTRIBUTES}


def history_to_dict(workflow_id: str, events: Sequence[Event], run_id: str = "") -> dict[str, Any]:
    """A history as the dict that its JSON holds.

    Parameters
    ----------
    workflow_id, run_id
        Written to the first event where it lacks them: the run ID seeds the workflow's randomness on replay.
    events
        In order of their ids.
    """
    written = [_write_event(event) for event in events]
    if written and isinstance(written[0].get(_KEYS[EventType.WORKFLOW_EXECUTION_STARTED]), dict):
        started = written[0][_KEYS[EventType.WORKFLOW_EXECUTION_STARTED]]
        if workflow_id:
            started.setdefault("workflowId", workflow_id)
        if run_id:
            started.setdefault("originalExecutionRunId", run_id)
    return {"events": written}


def history_to_json(workflow_id: str, events: Sequence[Event], run_id: str = "") -> str:
    """A history as JSON text; parameters as for ``history_to_dict``."""
    return json.dumps(history_to_dict(workflow_id, events, run_id), separators=(",", ":"))


def _write_event(event: Event) -> dict[str, Any]:
    kind = event.event_type
    written: dict[str, Any] = {"eventId": str(event.event_id)}
    if event.event_time:
        written["eventTime"] = json_fields.write_instant(event.event_time)
    written["eventType"] = _PREFIX + kind.name
    written[_KEYS[kind]] = attributes = write_struct(event.attributes)
    if kind is EventType.WORKFLOW_EXECUTION_STARTED:
        # A replayer of the official SDK does not survive a first event without these objects (section 9.1).
        attributes.setdefault("workflowType", {})
        attributes.setdefault("taskQueue", {})
    if event.user_metadata is not None:
        written["userMetadata"] = write_struct(event.user_metadata)
    return written


def history_from_json(history: str | bytes | Mapping[str, Any]) -> list[Event]:
    """The events of a history in JSON.

    Parameters
    ----------
    history
        JSON text, or what parsing it gives.

    Raises
    ------
    HistoryFormatError
        The text is no history; names the event and the field. Also a ValueError.
    """
    parsed = history
    if isinstance(history, (str, bytes)):
        try:
            parsed = msgspec.json.decode(history)
        except msgspec.DecodeError as error:
            raise HistoryFormatError(f"the history is not JSON: {error}") from error
    listed = parsed.get("events") if isinstance(parsed, Mapping) else None
    if not isinstance(listed, list):
        raise HistoryFormatError('a history is a JSON object with a list "events"')
    events = []
    for position, written in enumerate(listed, start=1):
        try:
            event = _read_event(written)
        except HistoryFormatError as error:
            number = written.get("eventId", written.get("event_id")) if isinstance(written, Mapping) else None
            raise HistoryFormatError(f"event {number or f'at position {position}'}: {error.message}") from error
        if event is not None:
            events.append(event)
    return events


def _read_event(written: Any) -> Event | None:
    if not isinstance(written, Mapping):
        raise HistoryFormatError(f"an event is a JSON object, not {type(written).__name__}")

    def field(camel: str, snake: str) -> Any:
        value = written.get(camel)
        return written.get(snake) if value is None else value

    name = field("eventType", "event_type")
    kind = json_fields.find_member(EventType, name)
    if kind is None:
        if field("workerMayIgnore", "worker_may_ignore"):
            return None
        raise _unknown_type(name)
    event_id = field("eventId", "event_id")
    if event_id is None:
        raise HistoryFormatError("eventId is missing")
    metadata = field("userMetadata", "user_metadata")
    time = field("eventTime", "event_time")
    return Event(
        event_id=json_fields.read_integer(event_id, "eventId"),
        event_time=0 if time is None else json_fields.read_instant(time, "eventTime"),
        attributes=_read_attributes(EventType(kind), written),
        user_metadata=None if metadata is None else read_struct(UserMetadata, metadata, "userMetadata"),
    )


def _read_attributes(kind: EventType, written: Mapping[str, Any]) -> Attributes:
    key = _KEYS[kind]
    attributes = written.get(key)
    if attributes is None:
        attributes = written.get(json_fields.snake_case(key))
    if attributes is None:
        others = [name for name in written if name.endswith(("EventAttributes", "event_attributes"))]
        found = f", found {', '.join(others)}" if others else ""
        raise HistoryFormatError(f"an event of type {kind.title} must have {key}{found}")
    return read_struct(ATTRIBUTES[kind], attributes, key)


def _unknown_type(name: Any) -> HistoryFormatError:
    if name is None:
        return HistoryFormatError("eventType is missing")
    close = nearest(str(name), [member for kind in EventType for member in (kind.title, _PREFIX + kind.name)])
    hint = f'; did you mean "{close}"?' if close else ""
    return HistoryFormatError(f"event type {name!r} is unknown and may not be ignored{hint}")
