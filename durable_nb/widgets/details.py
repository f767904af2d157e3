"""What a timeline shows of a bar or mark when it is opened: payloads decoded, errors whole, as safe text. Pure.

A request comes from the browser: ``{"run", "kind", "event", "ident", "attempt"}``, where ``kind`` is that of the lane,
or ``event`` for a mark. It is data of somebody else: whatever it holds, the answer is a list of fields.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, NamedTuple

from durable_nb.model import attributes as a
from durable_nb.model.event_text import attribute_fields
from durable_nb.model.events import Event
from durable_nb.model.failure import Failure
from durable_nb.model.payload import Payload
from durable_nb.model.text import (
    CellNamer,
    failure_text,
    format_duration,
    format_instant,
    format_size,
    name_cells,
    payload_text,
    safe_text,
    stack_tail,
)
from durable_nb.widgets.layout import RunPicture

VALUE_LIMIT = 20_000
"""Characters shown of one value."""

_PRETTY_LIMIT = 65_536
"""Bytes of JSON above which a value is shown as it stands."""

Field = tuple[str, "str | list[Payload] | Failure"]
Decode = Callable[[Sequence[Payload]], Awaitable[list[Payload]]]
"""A payload codec's way back."""


class Item(NamedTuple):
    """A request of the browser, checked."""

    run: str
    kind: str
    event: int
    ident: str
    attempt: int

    @classmethod
    def of(cls, request: object) -> Item:
        """The request as it came; what is missing or of another type is empty."""
        given: Mapping[str, Any] = request if isinstance(request, Mapping) else {}

        def text(name: str) -> str:
            value = given.get(name)
            return value if isinstance(value, str) else ""

        def number(name: str) -> int:
            value = given.get(name)
            return value if isinstance(value, int) else 0

        return cls(text("run"), text("kind"), number("event"), text("ident"), number("attempt"))


def item_fields(picture: RunPicture, item: Item) -> list[Field]:
    """Fields of an item, payloads still as they are stored."""
    if item.kind == "workflow":
        return _workflow(picture)
    if item.kind == "activity":
        return _activity(picture, item)
    if item.kind == "child":
        return _child(picture, item)
    found = _event(picture, item.event)
    return _attributes(found) if found is not None else [("note", "the event is not in the history that was read")]


async def item_text(
    picture: RunPicture, item: Item, *, decode: Decode | None = None, cell_of: CellNamer | None = None
) -> list[tuple[str, str]]:
    """Fields of an item as safe text.

    Parameters
    ----------
    decode
        The codec of the client, where it has one: what is encrypted in the store is readable to who holds the key.
    cell_of
        Names cells in stack traces.
    """
    texts = []
    for name, value in item_fields(picture, item):
        if isinstance(value, list):
            payloads = value
            if decode is not None and payloads:
                try:
                    payloads = await decode(payloads)
                except Exception as error:  # a key that is gone must not hide the rest
                    texts.append((name, safe_text(f"cannot be decoded: {type(error).__name__}: {error}", 400)))
                    continue
            texts.append((name, "\n".join(value_text(payload) for payload in payloads)))
        elif isinstance(value, Failure):
            texts.append((name, _failure(value, cell_of)))
        else:
            texts.append((name, value))
    return texts


def value_text(payload: Payload, limit: int = VALUE_LIMIT) -> str:
    """A payload for reading: JSON with its lines and indents, anything else by its encoding and size."""
    encoding = payload.metadata.get("encoding", b"").decode("utf-8", "replace")
    if not encoding.startswith("json/") or len(payload.data) > _PRETTY_LIMIT:
        return payload_text(payload, limit)
    try:
        value = json.loads(payload.data)
    except (ValueError, RecursionError):
        return payload_text(payload, limit)
    if isinstance(value, str) and "\n" in value:
        return safe_text(value, limit, keep_lines=True)
    compact = json.dumps(value, ensure_ascii=False)
    text = compact if len(compact) <= 100 else json.dumps(value, ensure_ascii=False, indent=2)
    return safe_text(text, limit, keep_lines=True)


def _failure(failure: Failure, cell_of: CellNamer | None) -> str:
    text = name_cells(failure_text(failure, 4000), cell_of)
    last = failure
    for last in failure.chain():
        if last.stack_trace:
            break
    return f"{text}\n{stack_tail(last.stack_trace, cell_of)}" if last.stack_trace else text


def _event(picture: RunPicture, event_id: int) -> Event | None:
    events = picture.events
    if events and 1 <= event_id <= len(events) and events[event_id - 1].event_id == event_id:
        return events[event_id - 1]
    return next((event for event in events if event.event_id == event_id), None)


def _attributes(event: Event) -> list[Field]:
    body = event.attributes
    if isinstance(body, a.WorkflowExecutionSignaled):
        return [("input", body.input or []), ("identity", safe_text(body.identity))]
    if isinstance(body, a.WorkflowExecutionUpdateAccepted):
        request = body.accepted_request.input if body.accepted_request is not None else None
        return [("arguments", (request.args if request is not None else None) or [])]
    fields: list[Field] = [("event type", event.event_type.title)]
    failure = getattr(body, "failure", None)
    if isinstance(failure, Failure):
        fields.append(("failure", failure))
    return fields + [(name, text) for name, text in attribute_fields(event, 2000) if name != "failure"]


def _workflow(picture: RunPicture) -> list[Field]:
    run, _, events = picture
    fields: list[Field] = [
        ("workflow type", safe_text(run.workflow_type)),
        ("run ID", safe_text(run.run_id)),
        ("task queue", safe_text(run.task_queue)),
        ("history", f"{run.history_length:,} events, {format_size(run.history_size)}"),
    ]
    if events and isinstance(started := events[0].attributes, a.WorkflowExecutionStarted):
        fields.append(("input", started.input or []))
    fields += [(f"memo {safe_text(name, 60)}", [value]) for name, value in run.memo.items()]
    last = events[-1].attributes if events else None
    if isinstance(last, a.WorkflowExecutionCompleted):
        fields.append(("result", last.result or []))
    failure = getattr(last, "failure", None)
    if isinstance(failure, Failure) and run.close_time:
        fields.append(("failure", failure))
    return fields


def _activity(picture: RunPicture, item: Item) -> list[Field]:
    fields: list[Field] = []
    scheduled = _event(picture, item.event) if item.event else None
    body = scheduled.attributes if scheduled is not None else None
    if isinstance(body, a.ActivityTaskScheduled):
        fields.append(("input", body.input or []))
    attempt = next((x for x in picture.attempts if _is_attempt(x, item)), None)
    if attempt is not None:
        if attempt.outcome == "completed":
            fields += _activity_result(picture, item.event)
        if attempt.failure is not None:
            fields.append(("failure", attempt.failure))
        if attempt.heartbeat_details:
            fields.append(("last heartbeat", attempt.heartbeat_details))
        if attempt.next_attempt_at:
            fields.append(("next attempt", format_instant(attempt.next_attempt_at, milliseconds=True)))
        if attempt.worker_identity:
            fields.append(("worker", safe_text(attempt.worker_identity)))
    else:
        fields += _pending(picture, item)
    if isinstance(body, a.ActivityTaskScheduled):
        fields += _options(body)
    return fields or [("note", "nothing more is known of this attempt")]


def _is_attempt(attempt: Any, item: Item) -> bool:
    if attempt.attempt != item.attempt:
        return False
    return bool(attempt.scheduled_event_id == item.event if item.event else attempt.activity_id == item.ident)


def _activity_result(picture: RunPicture, scheduled_event_id: int) -> list[Field]:
    for event in reversed(picture.events):
        body = event.attributes
        if isinstance(body, a.ActivityTaskCompleted) and body.scheduled_event_id == scheduled_event_id:
            return [("result", body.result or [])]
    return []


def _pending(picture: RunPicture, item: Item) -> list[Field]:
    pending = next((p for p in picture.run.pending_activities if safe_text(p.activity_id, 120) == item.ident), None)
    if pending is None:
        return []
    fields: list[Field] = [("state", safe_text(pending.state))]
    if pending.next_attempt_at:
        fields.append(("next attempt", format_instant(pending.next_attempt_at, milliseconds=True)))
    if pending.last_failure is not None:
        fields.append(("last failure", pending.last_failure))
    if pending.heartbeat_details:
        fields.append(("last heartbeat", pending.heartbeat_details))
    if pending.worker_identity:
        fields.append(("worker", safe_text(pending.worker_identity)))
    return fields


def _options(body: a.ActivityTaskScheduled) -> list[Field]:
    limits = {
        "start to close": body.start_to_close_timeout,
        "schedule to close": body.schedule_to_close_timeout,
        "schedule to start": body.schedule_to_start_timeout,
        "heartbeat": body.heartbeat_timeout,
    }
    set_limits = ", ".join(f"{name} {format_duration(value)}" for name, value in limits.items() if value)
    fields: list[Field] = [("timeouts", set_limits)] if set_limits else []
    policy = body.retry_policy
    if policy is not None:
        most = f", at most {policy.maximum_attempts} attempts" if policy.maximum_attempts else ""
        first = format_duration(policy.initial_interval)
        fields.append(("retries", f"after {first}, times {policy.backoff_coefficient:g}{most}"))
    return fields


def _child(picture: RunPicture, item: Item) -> list[Field]:
    initiated = _event(picture, item.event)
    fields: list[Field] = []
    if initiated is not None and isinstance(body := initiated.attributes, a.StartChildWorkflowExecutionInitiated):
        fields += [("workflow type", safe_text(body.workflow_type)), ("input", body.input or [])]
    for event in picture.events:
        ended = event.attributes
        if getattr(ended, "initiated_event_id", 0) != item.event:
            continue
        if isinstance(ended, a.ChildWorkflowExecutionCompleted):
            fields.append(("result", ended.result or []))
        elif isinstance(ended, a.ChildWorkflowExecutionFailed) and ended.failure is not None:
            fields.append(("failure", ended.failure))
    return fields or [("note", "the event is not in the history that was read")]
