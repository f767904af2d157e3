"""What is shown of a bar or mark that was opened: payloads decoded, errors whole, nothing that does harm."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import pytest

from durable_nb.model import attributes as a
from durable_nb.model.enums import WorkflowExecutionStatus
from durable_nb.model.failure import WorkflowExecution
from durable_nb.model.payload import Payload
from durable_nb.model.requests import PendingActivity
from durable_nb.widgets.details import Item, item_text, value_text
from durable_nb.widgets.layout import RunPicture
from tests.notebook.values import HOSTILE, SECOND, T0, attempt, failure, history, payload, run

FORBIDDEN = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\u200b\ufeff\ud800-\udfff]")


async def shown(picture: RunPicture, decode: Any = None, **request: Any) -> dict[str, str]:
    return dict(await item_text(picture, Item.of(request), decode=decode))


def picture(value: Any = "book") -> RunPicture:
    """A closed run: an activity that failed once, a signal, an update, a child that failed."""
    bad = failure("declined", "CardError", stack_trace='  File "x.py", line 3, in charge\n    raise CardError\n')
    events = history(
        a.WorkflowExecutionStarted(workflow_type="Order", input=[payload({"item": value})]),
        a.ActivityTaskScheduled(
            activity_id="1", activity_type="charge", input=[payload(value), payload(2)],
            start_to_close_timeout=5 * SECOND, retry_policy=a.RetryPolicyAttributes(SECOND, 2.0, 0, 3, []),
        ),
        a.ActivityTaskStarted(scheduled_event_id=2),
        a.ActivityTaskCompleted(scheduled_event_id=2, result=[payload("receipt")]),
        a.WorkflowExecutionSignaled(signal_name="approve", input=[payload(True)]),
        a.WorkflowExecutionUpdateAccepted(
            accepted_request=a.UpdateRequestAttributes(input=a.UpdateInput(name="set", args=[payload(5)]))
        ),
        a.StartChildWorkflowExecutionInitiated(workflow_id="c", workflow_type="Ship", input=[payload("to")]),
        a.ChildWorkflowExecutionFailed(
            initiated_event_id=7, failure=failure("lost", "ShipError"), workflow_execution=WorkflowExecution("c", "r")
        ),
        a.WorkflowExecutionCompleted(result=[payload({"ok": True})]),
    )  # fmt: skip
    attempts = [
        attempt(1, 1, 2, "failed", scheduled_event_id=2, failure=bad, worker_identity="9@host", next_attempt_at=T0),
        attempt(2, 3, 4, scheduled_event_id=2, heartbeat_details=[payload("half")]),
    ]
    return RunPicture(
        run(status=WorkflowExecutionStatus.COMPLETED, close_time=T0 + 9 * SECOND, memo={"owner": payload("ada")}),
        attempts,
        events,
    )


async def test_an_attempt_shows_its_input_its_error_and_its_options() -> None:
    said = await shown(picture(), kind="activity", event=2, ident="1", attempt=1)
    assert said["input"] == '"book"\n2'
    assert said["failure"].startswith("CardError: declined")
    assert 'File "x.py", line 3, in charge' in said["failure"]
    assert said["worker"] == "9@host"
    assert said["timeouts"] == "start to close 5.0 s"
    assert said["retries"] == "after 1.0 s, times 2, at most 3 attempts"
    assert "result" not in said


async def test_the_attempt_that_completed_shows_the_result() -> None:
    said = await shown(picture(), kind="activity", event=2, ident="1", attempt=2)
    assert said["result"] == '"receipt"'
    assert said["last heartbeat"] == '"half"'


async def test_the_run_a_signal_an_update_and_a_child_show_their_payloads() -> None:
    closed = picture()
    said = await shown(closed, kind="workflow", event=1)
    assert (said["input"], said["result"], said["memo owner"]) == ('{"item": "book"}', '{"ok": true}', '"ada"')
    assert (await shown(closed, kind="event", event=5))["input"] == "true"
    assert (await shown(closed, kind="event", event=6))["arguments"] == "5"
    child = await shown(closed, kind="child", event=7)
    assert (child["input"], child["failure"]) == ('"to"', "ShipError: lost")


async def test_what_runs_or_waits_shows_what_is_known_so_far() -> None:
    waits = PendingActivity(
        "7", "charge", "scheduled", 3, 0, T0, next_attempt_at=T0 + SECOND, last_failure=failure("again", "E")
    )
    said = await shown(RunPicture(run(pending_activities=[waits])), kind="activity", ident="7", attempt=3)
    assert said["state"] == "scheduled"
    assert said["last failure"] == "E: again"
    assert said["next attempt"].endswith("UTC")


async def test_a_codec_makes_encrypted_payloads_readable_and_a_lost_key_hides_nothing_else() -> None:
    async def decode(payloads: Sequence[Payload]) -> list[Payload]:
        if b"1" in payloads[0].data:
            raise ValueError("no key 1")
        return [Payload({"encoding": b"json/plain"}, bytes(byte ^ 1 for byte in p.data)) for p in payloads]

    locked = Payload({"encoding": b"binary/encrypted"}, bytes(byte ^ 1 for byte in b'"secret"'))
    lost = Payload({"encoding": b"binary/encrypted"}, b"1")
    events = history(a.WorkflowExecutionStarted(input=[locked]), a.WorkflowExecutionCompleted(result=[lost]))
    said = await shown(RunPicture(run(close_time=T0), [], events), decode, kind="workflow", event=1)
    assert said["input"] == '"secret"'
    assert said["result"] == "cannot be decoded: ValueError: no key 1"
    plain = await shown(RunPicture(run(close_time=T0), [], events), kind="workflow", event=1)
    assert plain["input"] == "<binary/encrypted, 8 B>"


@pytest.mark.parametrize(
    "request_", [None, 3, [], {}, {"kind": 5, "event": "x"}, {"kind": "event", "event": 10**30}, {"kind": "no such"}]
)
async def test_any_request_of_a_browser_gets_an_answer(request_: Any) -> None:
    assert all(isinstance(text, str) for _, text in await item_text(picture(), Item.of(request_)))


@pytest.mark.parametrize("text", HOSTILE)
async def test_hostile_payloads_and_errors_come_out_as_safe_text(text: str) -> None:
    bad = failure(text, text, stack_trace=text)
    hostile = RunPicture(
        run(workflow_type=text, run_id=text, task_queue=text, memo={text: payload(text)}),
        [attempt(1, 1, 2, "failed", scheduled_event_id=2, failure=bad, worker_identity=text)],
        picture(text).events,
    )
    for request in ({"kind": "workflow", "event": 1}, {"kind": "activity", "event": 2, "attempt": 1, "ident": text}):
        for name, said in (await shown(hostile, **request)).items():
            assert FORBIDDEN.search(name) is None
            assert FORBIDDEN.search(said) is None
            assert len(said) < 30_000


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (payload({"a": 1}), '{"a": 1}'),
        (payload(list(range(60))), "[\n  0,\n  1,"),
        (payload("first\nsecond"), "first\nsecond"),
        (payload(float("nan")), "NaN"),
        (Payload({"encoding": b"json/plain"}, b"{broken"), "{broken"),
        (Payload({"encoding": b"json/plain"}, b"[" * 50_000), "[[["),
        (payload("x" * 10_000_000), '"xxx'),
        (Payload({"encoding": b"arrow/table"}, b"123"), "<arrow/table, 3 B>"),
    ],
)
def test_values_keep_their_lines_and_are_never_too_long(value: Payload, expected: str) -> None:
    text = value_text(value)
    assert text.startswith(expected)
    assert len(text) < 21_000
