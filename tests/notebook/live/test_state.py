"""What the display of a run shows: every text safe, every part plain JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest

from durable_nb.converter import DataConverter
from durable_nb.model.attributes import WorkflowExecutionCompleted
from durable_nb.model.enums import WorkflowExecutionStatus
from durable_nb.model.events import Event
from durable_nb.model.failure import ApplicationFailureInfo, Failure
from durable_nb.model.progress import Progress
from durable_nb.model.records import Pace
from durable_nb.model.requests import (
    AttemptDescription,
    OutputDescription,
    PendingActivity,
    PendingChild,
    PendingTimer,
    PendingWorkflowTask,
    RunDescription,
)
from durable_nb.notebook.live.forms import Talk
from durable_nb.notebook.live.places import statement_at
from durable_nb.notebook.live.state import OUTPUT_SHOWN, Picture, run_state

SECOND = 1_000_000
NASTY = "<script>alert('x')</script>\x1b[31m\x07\u202e\ud800\x00"
CELL = "/tmp/ipykernel_1/123.py"


def description(**fields: Any) -> RunDescription:
    defaults: dict[str, Any] = {
        "namespace": "default", "workflow_id": "order-1", "run_id": "r1", "workflow_type": "Order", "task_queue": "q",
        "status": WorkflowExecutionStatus.RUNNING, "start_time": SECOND, "execution_time": SECOND, "close_time": 0,
        "history_length": 9, "history_size": 900, "first_execution_run_id": "r1", "memo": {}, "search_attributes": {},
    }  # fmt: skip
    return RunDescription(**{**defaults, **fields})


def activity(**fields: Any) -> PendingActivity:
    defaults: dict[str, Any] = {
        "activity_id": "1", "activity_type": "charge", "state": "started", "attempt": 1, "maximum_attempts": 0,
        "scheduled_at": SECOND, "last_started_at": 2 * SECOND,
    }  # fmt: skip
    return PendingActivity(**{**defaults, **fields})


def trace(*stacks: list[tuple[str, int, str]]) -> Mapping[str, Any]:
    return {
        "sources": {CELL: {"lineOffset": 0, "content": "first line\n    await approval(order)\nthird"}},
        "stacks": [
            {"locations": [{"filePath": file, "line": line, "functionName": name} for file, line, name in stack]}
            for stack in stacks
        ],
    }


WAITING = trace([(CELL, 2, "run"), ("/x/site-packages/durable_nb/runtime/conditions.py", 40, "wait_condition")])
APPROVE = {"kind": "signal", "name": "approve", "description": "Approve?", "fields": [], "free": False}


def texts(value: Any) -> list[str]:
    if isinstance(value, str):
        return [value]
    if isinstance(value, dict):
        return [text for each in value.values() for text in texts(each)]
    return [text for each in value for text in texts(each)] if isinstance(value, list) else []


def nasty_picture() -> Picture:
    failure = Failure(message=NASTY, stack_trace=NASTY, application_failure_info=ApplicationFailureInfo(type=NASTY))
    payloads = DataConverter.default.payload_converter.to_payloads([NASTY.replace("\ud800", "")])
    nasty = activity(activity_id=NASTY, activity_type=NASTY, last_failure=failure, heartbeat_details=payloads)
    run = description(
        workflow_id=NASTY, workflow_type=NASTY, run_id=NASTY, task_queue=NASTY, memo={NASTY: payloads[0]},
        pending_activities=[nasty],
        pending_timers=[PendingTimer(NASTY, 4, 9 * SECOND)], pending_children=[PendingChild(NASTY, NASTY, NASTY, 5)],
        pending_workflow_task=PendingWorkflowTask(3, SECOND, 5 * SECOND, failure),
    )  # fmt: skip
    attempts = [AttemptDescription(5, NASTY, NASTY, 1, 1, 2, 3, "failed", failure=failure)]
    outputs = [
        OutputDescription(5, NASTY, NASTY, 1, [("stdout", NASTY * 3), ("cut", NASTY)], 90, 0, Progress(1, 2, NASTY))
    ]
    places = trace([(NASTY, 1, NASTY)])
    return Picture(run, attempts, [], outputs, places, NASTY, now=3 * SECOND, definition_note=NASTY)


def test_nothing_in_a_payload_can_act_or_break_the_message() -> None:
    state = run_state(nasty_picture())
    json.dumps(state, allow_nan=False).encode()
    for text in texts(state):
        assert not any(sign in text for sign in "\x1b\x07\u202e\ud800\x00"), text
    assert state["run"]["raw_id"] == ""  # no line to type is made of an ID that cannot be typed


@pytest.mark.parametrize("value", [float("nan"), float("inf"), "x" * 10_000_000, ["\ud800"]])
def test_results_of_any_kind_are_shown_in_short(value: Any) -> None:
    try:
        result = DataConverter.default.payload_converter.to_payloads([value])
    except Exception:
        pytest.skip("the converter refuses it: it never reaches a history")
    run = description(status=WorkflowExecutionStatus.COMPLETED, close_time=9 * SECOND)
    state = run_state(Picture(run, events=[Event(9, 9 * SECOND, WorkflowExecutionCompleted(result=result))]))
    assert len(json.dumps(state, allow_nan=False)) < 5_000
    assert state["run"]["outcome"][0]["title"] == "result"


def test_the_current_step_is_the_authors_line_with_its_cell() -> None:
    (place,) = run_state(Picture(description(), trace=WAITING, cell_of=lambda file: "cell [3]"))["position"]
    assert place == {"where": "cell [3]", "line": 2, "function": "run", "source": "await approval(order)"}


@pytest.mark.parametrize(
    ("source", "line", "shown"),
    [
        ("x = 1\nawait a(b)\n", 2, "await a(b)"),
        ("r = await asyncio.gather(  # all\n    *[f(x) for x in y],  # each\n)\nnext()\n", 1,
         "r = await asyncio.gather(*[f(x) for x in y])"),
        ("    await f(\n        'a # b',\n        1,\n    )\n", 1, "await f('a # b', 1)"),
        ("await f(\n    a,\n)", 2, "a,"),
        ("await f(\n" + "    a,\n" * 50 + ")", 1, "await f("),
        ("x = '\nawait f()", 1, "x = '"),
        ("only", 7, ""),
        ("", 0, ""),
    ],
)  # fmt: skip
def test_a_step_is_the_whole_statement_where_that_is_short(source: str, line: int, shown: str) -> None:
    assert statement_at(source, line) == shown


def test_a_run_in_wait_condition_with_nothing_else_to_wait_for_shows_a_card() -> None:
    talk = Talk([APPROVE], [], [])
    waiting = run_state(Picture(description(), trace=WAITING, details="Refund of 120 €?", talk=talk))["talk"]
    assert (waiting["waits"], waiting["cards"], waiting["details"]) == (True, [APPROVE], "Refund of 120 €?")
    timeout = description(pending_timers=[PendingTimer("1", 4, 9 * SECOND)])
    assert run_state(Picture(timeout, trace=WAITING, talk=talk))["talk"]["cards"] == [APPROVE]


@pytest.mark.parametrize(
    "picture",
    [
        Picture(description(pending_activities=[activity()]), trace=WAITING, talk=Talk([APPROVE], [], [])),
        Picture(description(), trace=trace([(CELL, 2, "run")]), talk=Talk([APPROVE], [], [])),
        Picture(description(), trace=None, talk=Talk([APPROVE], [], [])),
        Picture(description(), trace=trace([(CELL, 2, "wait_condition")]), talk=Talk([APPROVE], [], [])),
    ],
)
def test_a_run_that_waits_for_something_else_shows_no_card_but_can_be_told(picture: Picture) -> None:
    talk = run_state(picture)["talk"]
    assert (talk["cards"], talk["signals"]) == ([], [APPROVE])


def test_a_closed_run_can_only_be_asked() -> None:
    run = description(status=WorkflowExecutionStatus.FAILED, close_time=9 * SECOND)
    query = {"kind": "query", "name": "state", "description": "", "fields": [], "free": False}
    talk = run_state(Picture(run, talk=Talk([APPROVE], [APPROVE], [query])))["talk"]
    assert (talk["signals"], talk["updates"], talk["queries"]) == ([], [], [query])


def test_an_activity_in_back_off_tells_attempt_error_and_the_instant_of_the_next() -> None:
    failure = Failure(message="card declined", application_failure_info=ApplicationFailureInfo(type="Declined"))
    waiting = activity(
        state="scheduled", attempt=3, maximum_attempts=5, next_attempt_at=12 * SECOND, last_failure=failure
    )
    (shown,) = run_state(Picture(description(pending_activities=[waiting])))["pending"]["activities"]
    assert (shown["state"], shown["attempt"], shown["of"], shown["next_at"]) == ("waits to retry", 3, 5, 12 * SECOND)
    assert shown["error"] == "Declined: card declined"


def test_progress_shows_as_a_bar_with_an_estimate() -> None:
    output = OutputDescription(5, "1", "charge", 1, [], 0, 0, Progress(5, 10, "rows", 2 * SECOND))
    picture = Picture(description(pending_activities=[activity()]), outputs=[output], now=7 * SECOND)
    (shown,) = run_state(picture)["pending"]["activities"]
    assert shown["progress"] == {
        "done": "5", "total": "10", "fraction": 0.5, "label": "rows", "ends_at": 12 * SECOND, "learned": False,
        "text": "",
    }  # fmt: skip


def test_heartbeat_details_show_as_a_bar_or_as_text() -> None:
    def progress(*details: Any) -> Any:
        payloads = DataConverter.default.payload_converter.to_payloads(details)
        run = description(pending_activities=[activity(heartbeat_details=payloads)])
        return run_state(Picture(run, now=3 * SECOND))["pending"]["activities"][0]["progress"]

    assert progress(3, 4)["fraction"] == 0.75
    assert progress("cursor-17")["text"] == '"cursor-17"'
    assert progress() is None


def test_an_activity_without_progress_tells_what_earlier_ones_took() -> None:
    picture = Picture(
        description(pending_activities=[activity()]), paces={"charge": [Pace(10 * SECOND, 0)]}, now=4 * SECOND
    )
    progress = run_state(picture)["pending"]["activities"][0]["progress"]
    assert (progress["ends_at"], progress["learned"], progress["fraction"]) == (12 * SECOND, True, -1)


def test_of_long_output_the_end_is_sent() -> None:
    output = OutputDescription(5, "1", "charge", 1, [("stdout", "a" * 30_000), ("stdout", "b" * 100)], 30_100, 0)
    (shown,) = run_state(Picture(description(), outputs=[output]))["output"]
    assert sum(len(text) for _, text in shown["pieces"]) == OUTPUT_SHOWN
    assert shown["pieces"][-1] == ["stdout", "b" * 100]
    assert shown["left_out"] == 30_100 - OUTPUT_SHOWN
