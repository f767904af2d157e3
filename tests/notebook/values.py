"""Runs, attempts and events for tests of what they look like; times in microseconds from ``T0``."""

from __future__ import annotations

import json
from typing import Any

from durable_nb.model.attributes import Attributes
from durable_nb.model.enums import WorkflowExecutionStatus
from durable_nb.model.events import Event
from durable_nb.model.failure import ActivityFailureInfo, ApplicationFailureInfo, Failure
from durable_nb.model.payload import Payload
from durable_nb.model.requests import AttemptDescription, RunDescription

T0 = 1_795_000_000_000_000
SECOND = 1_000_000

HOSTILE = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "'; DROP TABLE runs; --",
    "a\x1b[31mred\x1b[0m\x07\x00",
    "over\u202egnirts\u2066x",
    "lone \ud800 surrogate \udfff",
    "line\nfeed\r\ttab",
    "zero\u200bwidth\ufeff",
    "x" * 1_000_000,
    "&amp; <b>",
    "\U000e0041 tag",
    "$(rm -rf /) {braces} %s %(x)s",
]


def payload(value: Any) -> Payload:
    return Payload({"encoding": b"json/plain"}, json.dumps(value, ensure_ascii=True).encode())


def failure(message: str, kind: str = "ValueError", **more: Any) -> Failure:
    return Failure(message=message, application_failure_info=ApplicationFailureInfo(type=kind), **more)


def activity_failure(cause: Failure, activity: str = "charge") -> Failure:
    return Failure(
        message="Activity task failed", cause=cause, activity_failure_info=ActivityFailureInfo(activity_type=activity)
    )


def run(**changes: Any) -> RunDescription:
    found: dict[str, Any] = {
        "namespace": "default",
        "workflow_id": "order-1",
        "run_id": "0199-run",
        "workflow_type": "OrderWorkflow",
        "task_queue": "durable_nb",
        "status": WorkflowExecutionStatus.RUNNING,
        "start_time": T0,
        "execution_time": T0,
        "close_time": 0,
        "history_length": 12,
        "history_size": 3400,
        "first_execution_run_id": "0199-run",
        "memo": {},
        "search_attributes": {},
    }
    return RunDescription(**{**found, **changes})


def attempt(number: int, start: float, end: float, outcome: str = "completed", **changes: Any) -> AttemptDescription:
    """An attempt of activity 1 ``charge``, scheduled at second 0; instants in seconds after ``T0``."""
    found: dict[str, Any] = {
        "scheduled_event_id": 5,
        "activity_id": "1",
        "activity_type": "charge",
        "attempt": number,
        "scheduled_at": T0,
        "started_at": T0 + int(start * SECOND),
        "ended_at": T0 + int(end * SECOND),
        "outcome": outcome,
    }
    return AttemptDescription(**{**found, **changes})


def history(*attributes: Attributes, step: float = 1.0) -> list[Event]:
    """Events 1..n, ``step`` seconds apart."""
    return [Event(i + 1, T0 + int(i * step * SECOND), body) for i, body in enumerate(attributes)]
