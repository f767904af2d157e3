"""Temporal's offline Replayer accepts the export of a history written by hand and refuses a tampered one."""

from __future__ import annotations

from typing import Any

import pytest

from durable_nb.converter import DataConverter
from durable_nb.converter.history_json import history_from_json, history_to_json
from durable_nb.model import attributes as a
from durable_nb.model.events import Event
from tests.replay.judge import verdicts

START_US = 1_735_689_600_000_000


def exported(activity_type: str = "charge") -> str:
    payloads = DataConverter.default.to_payloads
    rows: list[a.Attributes] = [
        a.WorkflowExecutionStarted(
            workflow_type="Charging", task_queue="q", input=payloads([1]), original_execution_run_id="r"
        ),
        a.WorkflowTaskScheduled(task_queue="q"),
        a.WorkflowTaskStarted(scheduled_event_id=2),
        a.WorkflowTaskCompleted(
            scheduled_event_id=2, started_event_id=3, sdk_metadata=a.SdkMetadata(core_used_flags=[1, 2, 3])
        ),
        a.TimerStarted(timer_id="1", start_to_fire_timeout=3_000_000, workflow_task_completed_event_id=4),
        a.TimerFired(timer_id="1", started_event_id=5),
        a.WorkflowTaskScheduled(task_queue="q"),
        a.WorkflowTaskStarted(scheduled_event_id=7),
        a.WorkflowTaskCompleted(scheduled_event_id=7, started_event_id=8),
        a.ActivityTaskScheduled(
            activity_id="1",
            activity_type=activity_type,
            task_queue="q",
            input=payloads([1]),
            start_to_close_timeout=5_000_000,
            workflow_task_completed_event_id=9,
        ),
        a.ActivityTaskStarted(scheduled_event_id=10, attempt=2),
        a.ActivityTaskCompleted(result=payloads(["ok"]), scheduled_event_id=10, started_event_id=11),
        a.WorkflowTaskScheduled(task_queue="q"),
        a.WorkflowTaskStarted(scheduled_event_id=13),
        a.WorkflowTaskCompleted(scheduled_event_id=13, started_event_id=14),
        a.WorkflowExecutionCompleted(result=payloads(["ok"]), workflow_task_completed_event_id=15),
    ]
    events = [Event(number, START_US + number, row) for number, row in enumerate(rows, start=1)]
    text = history_to_json("wf", events)
    assert history_to_json("wf", history_from_json(text)) == text
    return text


def verdict(text: str) -> dict[str, Any]:
    return verdicts([("wf by hand", "Charging", text)], source="charging.py")["wf by hand"]


@pytest.mark.slow
def test_the_official_replayer_accepts_an_export() -> None:
    assert verdict(exported()) == {"name": "wf by hand", "failure": None, "strict": []}


@pytest.mark.slow
def test_the_official_replayer_refuses_a_tampered_export() -> None:
    assert "Activity type of scheduled event" in verdict(exported("other"))["failure"]
