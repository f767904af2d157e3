"""Runs, lists and histories as text and HTML: what they say, and that no string of a payload can do harm."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from durable_nb.model import attributes as a
from durable_nb.model.enums import WorkflowExecutionStatus, WorkflowTaskFailedCause
from durable_nb.model.events import Event
from durable_nb.model.failure import Failure, TimeoutFailureInfo
from durable_nb.model.payload import Payload
from durable_nb.model.requests import PendingActivity, PendingChild, PendingTimer, PendingWorkflowTask
from durable_nb.notebook.blocks import Block, Table
from durable_nb.notebook.display import timeline_text
from durable_nb.notebook.histories import history_blocks
from durable_nb.notebook.html import render_html
from durable_nb.notebook.plain import render_text
from durable_nb.notebook.text import (
    failure_line,
    failure_text,
    format_duration,
    format_instant,
    format_size,
    name_cells,
    payload_map_text,
    payload_text,
    safe_text,
    stack_tail,
)
from durable_nb.notebook.views import DefinitionLine, closing_tone, definitions_blocks, list_blocks, run_blocks
from tests.notebook.values import HOSTILE, SECOND, T0, activity_failure, attempt, failure, history, payload, run

FORBIDDEN = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\u200b\ufeff\ud800-\udfff]")
SAFE_TAGS = {"div", "p", "b", "code", "table", "thead", "tbody", "tr", "th", "td", "span", "small", "br"}


class Tags(HTMLParser):
    """Collects tags and attributes, and complains about tags that are not closed."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.seen: set[str] = set()
        self.attributes: set[str] = set()
        self.open: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.add(tag)
        self.attributes |= {name for name, _ in attrs}
        if tag != "br":
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def check_safe(blocks: list[Block]) -> None:
    text, html = render_text(blocks), render_html(blocks)
    for shown in (text, html):
        assert FORBIDDEN.search(shown) is None
        shown.encode()
    tags = Tags(html)
    assert tags.open == []
    assert tags.seen <= SAFE_TAGS
    assert tags.attributes <= {"style", "scope"}
    assert len(html) < 100_000


@pytest.mark.parametrize("text", HOSTILE)
def test_no_string_of_a_run_can_do_harm(text: str) -> None:
    bad = failure(text, text, stack_trace=text)
    described = run(
        workflow_id=text,
        workflow_type=text,
        run_id=text,
        task_queue=text,
        cron_schedule=text,
        parent_workflow_id=text,
        memo={text: payload(text)},
        search_attributes={text: payload([text])},
        user_metadata=a.UserMetadata(summary=payload(text), details=payload(text)),
        pending_activities=[
            PendingActivity(text, text, "scheduled", 2, 3, T0, last_failure=activity_failure(bad, text))
        ],
        pending_timers=[PendingTimer(text, 3, T0)],
        pending_children=[PendingChild(text, text, text, 3)],
        pending_workflow_task=PendingWorkflowTask(2, T0, last_failure=bad),
    )
    attempts = [attempt(1, 1, 2, "failed", activity_type=text, activity_id=text, failure=bad)]
    closing = history(a.WorkflowExecutionFailed(failure=bad))
    check_safe(run_blocks(described, attempts, closing, now=T0 + 5 * SECOND))
    check_safe(list_blocks([described]))
    check_safe(definitions_blocks([DefinitionLine("workflow", text, text, "current", 3, text, text)]))
    events = history(
        a.WorkflowExecutionStarted(workflow_type=text, input=[payload({text: [text]})], memo={text: payload(text)}),
        a.WorkflowExecutionSignaled(
            signal_name=text, input=[Payload({"encoding": text.encode("utf-8", "replace")}, b"x")]
        ),
        a.WorkflowExecutionTerminated(reason=text, details=[payload(text)]),
    )
    check_safe(history_blocks(events, workflow_id=text))


@given(st.text(), st.booleans())
def test_safe_text_is_printable_and_short(text: str, keep_lines: bool) -> None:
    shown = safe_text(text, 40, keep_lines=keep_lines)
    assert FORBIDDEN.search(shown.replace("\n", "") if keep_lines else shown) is None
    shown.encode()
    assert len(shown) <= 40 * 10 + 40


@given(st.binary(max_size=200), st.sampled_from([b"json/plain", b"json/protobuf", b"binary/plain", b"", b"\xff"]))
def test_any_bytes_can_be_shown(data: bytes, encoding: bytes) -> None:
    assert FORBIDDEN.search(payload_text(Payload({"encoding": encoding}, data))) is None


@pytest.mark.parametrize(
    ("shown", "expected"),
    [
        (payload_text(payload({"a": "ä"})), '{"a": "ä"}'),
        (payload_text(Payload({"encoding": b"binary/null"})), "null"),
        (payload_text(Payload({"encoding": b"binary/encrypted"}, b"1234")), "<binary/encrypted, 4 B>"),
        (payload_text(Payload({}, b"1")), "<unknown encoding, 1 B>"),
        (payload_text(payload("x" * 100_000)), '"' + "x" * 159 + "… (100.0 kB)"),
        (payload_map_text({"k": payload(1), "l": payload("v")}), 'k=1, l="v"'),
        (safe_text("a\nb\x1b"), "a\\nb\\x1b"),
        (safe_text("a\nb\tc", keep_lines=True), "a\nb    c"),
        (safe_text("abcdef", 4), "abcd… (+2 characters)"),
        (format_duration(0), "0 µs"),
        (format_duration(1500), "2 ms"),
        (format_duration(3_400_000), "3.4 s"),
        (format_duration(302 * SECOND), "5 min 02 s"),
        (format_duration(7 * 3600 * SECOND), "7 h 00 min"),
        (format_duration(51 * 3600 * SECOND), "2 d 03 h"),
        (format_duration(-SECOND), "-1.0 s"),
        (format_instant(0), "-"),
        (format_instant(10**21), f"{10**21} µs after 1970"),
        (format_instant(1_500, milliseconds=True), "1970-01-01 00:00:00.001 UTC"),
        (format_size(850), "850 B"),
        (format_size(3_400_000), "3.4 MB"),
    ],
)
def test_values_are_shown_as_people_read_them(shown: str, expected: str) -> None:
    assert shown == expected


def test_a_running_workflow_says_what_it_waits_for() -> None:
    bad = activity_failure(failure("card declined", "CardError"))
    described = run(
        pending_activities=[
            PendingActivity("1", "charge", "scheduled", 3, 5, T0, next_attempt_at=T0 + 8 * SECOND, last_failure=bad),
            PendingActivity("2", "ship", "started", 1, 0, T0, last_started_at=T0 + SECOND),
            PendingActivity("3", "mail", "started", 1, 0, T0, cancel_requested=True),
        ],
        pending_timers=[PendingTimer("1", 7, T0 + 65 * SECOND)],
        pending_children=[PendingChild("child-1", "r", "Payment", 9)],
    )
    text = render_text(run_blocks(described, now=T0 + 5 * SECOND))
    assert "OrderWorkflow  order-1  RUNNING" in text
    assert re.search(r"charge +1 +waits to retry +3 of 5 +CardError: card declined +in 3\.0 s", text)
    assert re.search(r"ship +2 +started +1 +is running", text)
    assert re.search(r"mail +3 +cancel requested", text)
    assert re.search(r"1 +in 1 min 00 s", text)
    assert re.search(r"Payment +child-1", text)


@pytest.mark.parametrize(
    ("body", "status", "expected"),
    [
        (a.WorkflowExecutionCompleted(result=[payload({"ok": True})]), "COMPLETED", 'result  {"ok": true}'),
        (a.WorkflowExecutionCompleted(), "COMPLETED", "result  none"),
        (a.WorkflowExecutionTerminated(reason="too old"), "TERMINATED", "too old"),
        (a.WorkflowExecutionCanceled(), "CANCELED", "as requested"),
        (a.WorkflowExecutionTimedOut(), "TIMED_OUT", "longer than its timeout"),
        (a.WorkflowExecutionContinuedAsNew(new_execution_run_id="next"), "CONTINUED_AS_NEW", "continues as  next"),
        (
            a.WorkflowExecutionFailed(failure=activity_failure(failure("card declined", "CardError"))),
            "FAILED",
            "activity charge: Activity task failed\n    caused by CardError: card declined",
        ),
    ],
)
def test_a_closed_workflow_shows_its_outcome(body: a.Attributes, status: str, expected: str) -> None:
    closed = run(status=WorkflowExecutionStatus[status], close_time=T0 + 90 * SECOND)
    text = render_text(run_blocks(closed, [], history(body)))
    assert status in text
    assert expected in text
    assert "after 1 min 30 s" in text


def test_a_failed_workflow_task_is_loud_and_says_that_the_run_goes_on() -> None:
    stack = "Traceback\n" + "\n".join(f'  File "x", line {i}' for i in range(50)) + "\nKeyError: 'x'"
    task = PendingWorkflowTask(
        4, T0, next_attempt_at=T0 + 20 * SECOND, last_failure=failure("'x'", "KeyError", stack_trace=stack)
    )
    text = render_text(run_blocks(run(pending_workflow_task=task), now=T0 + SECOND))
    assert "the run stays open and is tried again; fix the cell and run it" in text
    assert "KeyError: 'x'" in text
    assert "attempt 4, next try in 19.0 s" in text
    assert "line 49" in text
    assert "line 3\n" not in text


def test_a_missing_definition_names_its_cell() -> None:
    task = PendingWorkflowTask(1, T0, waits_for_definition=True)
    text = render_text(run_blocks(run(pending_workflow_task=task), definition_note="run orders.ipynb cell [3]"))
    assert "waits for the definition of OrderWorkflow: run orders.ipynb cell [3]" in text


def test_long_lists_are_cut_and_say_so() -> None:
    pending = [PendingActivity(str(i), "a", "scheduled", 1, 0, T0) for i in range(2000)]
    text = render_text(run_blocks(run(pending_activities=pending)))
    assert "… and 1,980 more" in text
    assert "… and 1,960 more" in text
    assert len(text.splitlines()) < 100
    assert "the newest 2 are shown" in render_text(list_blocks([run(), run()], limit=2))


def test_a_list_has_one_row_for_each_run() -> None:
    done = run(workflow_id="b", status=WorkflowExecutionStatus.COMPLETED, close_time=T0 + SECOND)
    waits = run(
        pending_workflow_task=PendingWorkflowTask(1, T0, waits_for_definition=True),
        pending_timers=[PendingTimer("1", 1, T0)],
    )
    text = render_text(list_blocks([done, waits]))
    assert re.search(r"b +OrderWorkflow +COMPLETED +2026-\d\d-\d\d \S+ UTC +1\.0 s", text)
    assert re.search(r"order-1 +OrderWorkflow +RUNNING .* its definition, 1 timer", text)
    assert render_text(list_blocks([])) == "no workflow runs match"


# -- histories -----------------------------------------------------------------------------------------------------


def test_a_list_says_that_the_code_of_a_run_raises() -> None:
    stuck = run(pending_workflow_task=PendingWorkflowTask(3, T0, last_failure=failure("no", "KeyError")))
    assert "its code, which raises" in render_text(list_blocks([stuck]))


@pytest.mark.parametrize(
    ("body", "tone"),
    [(a.WorkflowExecutionFailed(), "bad"), (a.WorkflowExecutionCompleted(), "good"), (a.TimerFired(), "")],
)
def test_the_event_that_closes_a_run_has_its_tone(body: a.Attributes, tone: str) -> None:
    assert closing_tone(Event(9, T0, body)) == tone


def test_short_cells_are_not_broken_into_lines() -> None:
    html = render_html([Table("", ["workflow ID", "error"], [["order-1", "word " * 40]])])
    cells = re.findall(r"<t[hd] style=\"([^\"]*)\"", html)
    assert ["nowrap" in style for style in cells] == [True, True, True, False]


def test_a_history_shows_ids_times_types_and_decoded_attributes() -> None:
    events = history(
        a.WorkflowExecutionStarted(workflow_type="Order", input=[payload([1, 2])], workflow_run_timeout=60 * SECOND),
        a.ActivityTaskScheduled(activity_id="1", activity_type="charge", start_to_close_timeout=5 * SECOND),
        a.ActivityTaskTimedOut(
            failure=Failure(message="late", timeout_failure_info=TimeoutFailureInfo()), scheduled_event_id=2
        ),
        a.WorkflowTaskFailed(cause=WorkflowTaskFailedCause.NON_DETERMINISTIC_ERROR),
        a.MarkerRecorded(marker_name="Version", details={"x": [payload(3)]}),
    )
    text = render_text(history_blocks(events, workflow_id="order-1"))
    assert "history  order-1  5 events from 2026" in text
    assert re.search(
        r"1 +\+0 µs +WorkflowExecutionStarted +workflow_type=Order, input=\[\[1, 2\]\], workflow_run_timeout=1 min",
        text,
    )
    assert re.search(
        r"2 +\+1\.0 s +ActivityTaskScheduled +activity_id=1, activity_type=charge, start_to_close_timeout=5\.0 s", text
    )
    assert "failure=timeout (start-to-close): late" in text
    assert "cause=non_deterministic_error" in text
    assert "details={x: [3]}" in text
    assert render_text(history_blocks([])) == "the history is empty"


def test_the_middle_of_a_long_history_is_left_out() -> None:
    text = render_text(history_blocks(history(*[a.TimerFired(timer_id=str(i)) for i in range(30)]), limit=10))
    assert "20 events in the middle are left out" in text
    assert "timer_id=4" in text
    assert "timer_id=29" in text
    assert "timer_id=15" not in text


# -- timelines -----------------------------------------------------------------------------------------------------


def bars(text: str) -> dict[str, str]:
    return {line.split("|")[0].strip(): line.split("|")[1] for line in text.splitlines() if line.count("|") == 2}


def test_each_attempt_is_a_bar_with_its_outcome_and_back_off_between() -> None:
    attempts = [attempt(1, 0, 2, "failed"), attempt(2, 4, 6, "timed_out"), attempt(3, 8, 10)]
    text = timeline_text(run(close_time=T0 + 10 * SECOND), attempts, width=10)
    assert bars(text) == {"charge": "█✗╌╌█◷╌╌█✓"}
    assert "10.0 s, 3 attempts" in text
    assert "✗ failed" in text


def test_open_activities_grow_until_now() -> None:
    pending = PendingActivity("1", "charge", "started", 2, 0, T0, last_started_at=T0 + 4 * SECOND)
    text = timeline_text(
        run(pending_activities=[pending]), [attempt(1, 0, 2, "failed")], now=T0 + 10 * SECOND, width=10
    )
    assert bars(text) == {"charge": "█✗╌╌█████…"}
    waiting = PendingActivity("1", "charge", "scheduled", 2, 0, T0, next_attempt_at=T0 + 60 * SECOND)
    text = timeline_text(
        run(pending_activities=[waiting]), [attempt(1, 0, 2, "failed")], now=T0 + 10 * SECOND, width=10
    )
    assert bars(text) == {"charge": "█✗╌╌╌╌╌╌╌╌"}


def test_instant_attempts_each_keep_their_sign() -> None:
    attempts = [attempt(n, 0, 0, "failed") for n in (1, 2, 3)] + [attempt(4, 9, 10)]
    assert bars(timeline_text(run(), attempts, width=10))["charge"] == "✗✗✗╌╌╌╌╌╌✓"


def test_timers_children_and_activities_without_attempts_come_from_the_history() -> None:
    events = history(
        a.TimerStarted(timer_id="1"),
        a.StartChildWorkflowExecutionInitiated(workflow_type="Payment"),
        a.ActivityTaskScheduled(activity_id="9", activity_type="ship"),
        a.ActivityTaskStarted(scheduled_event_id=3),
        a.TimerFired(timer_id="1", started_event_id=1),
        a.ChildWorkflowExecutionFailed(initiated_event_id=2),
        a.ActivityTaskCompleted(scheduled_event_id=3),
        a.TimerStarted(timer_id="2"),
        a.TimerCanceled(timer_id="2", started_event_id=8),
        a.TimerStarted(timer_id="3"),
    )
    text = timeline_text(run(), [], events, now=T0 + 20 * SECOND, width=20)
    assert bars(text) == {
        "timer 1": "░░░✓                ",
        "child Payment": " ▓▓▓✗              ".ljust(20),
        "ship": "  ·███✓".replace("███✓", "██✓").ljust(20),
        "timer 2": "       ⊘".ljust(20),
        "timer 3": " " * 9 + "░" * 10 + "…",
    }


def test_an_empty_timeline_is_nothing() -> None:
    assert timeline_text(run(), []) == ""
    assert "timeline" not in render_html(run_blocks(run()))


@given(
    st.lists(
        st.tuples(
            st.integers(0, 5),
            st.integers(0, 50),
            st.integers(0, 50),
            st.sampled_from(["completed", "failed", "lost", "odd"]),
        )
    ),
    st.integers(1, 120),
)
def test_any_attempts_can_be_drawn(rows: list[tuple[int, int, int, str]], width: int) -> None:
    attempts = [
        attempt(i + 1, start, start + length, outcome, activity_id=str(ident), scheduled_event_id=ident)
        for i, (ident, start, length, outcome) in enumerate(rows)
    ]
    drawn = bars(timeline_text(run(), attempts, width=width))
    assert all(len(bar) == width for bar in drawn.values())


# -- stacks --------------------------------------------------------------------------------------------------------

STACK = """\
Traceback (most recent call last):
  File "/x/durable_nb/runtime/instance.py", line 4, in _main
    result = await definition.run_fn(*args)

  File "/var/ipykernel_12/345.py", line 6, in run
    return helper()

  File "/x/lib/helpers.py", line 2, in helper
    return {}["sku\x1b"]
           ~~^^^^^^^
"""


def test_a_stack_shows_the_users_frames_with_cells_by_name() -> None:
    named = stack_tail(STACK, lambda file: "cell [3]" if file.endswith("345.py") else "")
    assert named.splitlines() == [
        "  cell [3], line 6, in run",
        "    return helper()",
        '  File "/x/lib/helpers.py", line 2, in helper',
        '    return {}["sku\\x1b"]',
        "           ~~^^^^^^^",
    ]
    assert stack_tail(STACK).startswith("  a cell, line 6")
    assert stack_tail(STACK, frames=1).startswith('  File "/x/lib/helpers.py"')
    assert stack_tail("") == ""


def test_a_stack_of_our_own_frames_only_says_nothing_to_a_user() -> None:
    assert stack_tail(STACK.split("\n\n", 1)[0]) == ""


def test_a_cause_that_says_nothing_new_is_only_named() -> None:
    three = failure("cannot: no", "E", cause=failure("no", "F", cause=failure("else", "G")))
    assert failure_text(three).splitlines() == ["E: cannot: no", "  caused by F", "    caused by G: else"]


def test_files_of_cells_are_named_in_any_text() -> None:
    text = "where  /var/ipykernel_12/345.py, line 5"
    assert name_cells(text, lambda _: "cell [3]") == "where  cell [3], line 5"
    assert name_cells(text) == "where  a cell, line 5"
    assert name_cells("no cell here") == "no cell here"


def test_a_run_that_waits_for_nothing_listed_waits_for_a_signal() -> None:
    assert "waits for a signal, an update or a condition" in render_text(run_blocks(run()))
    closed = run(status=WorkflowExecutionStatus.COMPLETED, close_time=T0)
    assert "waits for a signal" not in render_text(run_blocks(closed))


def test_messages_of_several_lines_are_whole_in_failures_and_one_line_in_tables() -> None:
    bad = failure("first\nsecond", "E", cause=failure("third\nfourth", "F"))
    assert failure_line(bad) == "E: first …"
    assert failure_text(bad).splitlines() == ["E: first", "  second", "  caused by F: third", "    fourth"]


def test_each_failed_attempt_is_kept_with_its_error() -> None:
    attempts = [attempt(n, n, n + 1, "failed", failure=failure(f"try {n}", "E")) for n in range(1, 13)]
    attempts += [attempt(13, 13, 14, "timed_out"), attempt(14, 14, 15)]
    text = render_text(run_blocks(run(), attempts))
    assert re.search(r"charge +12 +failed +E: try 12 +1\.0 s", text)
    assert re.search(r"charge +13 +timed out +1\.0 s", text)
    assert "try 3" not in text
    assert "the last 10 of 13 are shown" in text
    assert "attempts that failed" not in render_text(run_blocks(run(), [attempt(1, 0, 1)]))
