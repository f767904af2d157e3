"""Notices of the engine: loud the first time, never a flood, never harmful to the engine."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from durable_nb.notebook.html import render_html
from durable_nb.notebook.notices import NoticeBoard, NoticeLimiter, notice_blocks
from durable_nb.notebook.plain import render_text
from tests.notebook.values import failure


def test_the_same_trouble_is_told_once_in_a_while_and_counted_between() -> None:
    limiter = NoticeLimiter(quiet=30)
    told = [limiter.admit("workflow_task_failed", "Order", "KeyError", now) for now in (0, 1, 29, 30, 31, 61)]
    assert [t.tell for t in told] == [True, False, False, True, False, True]
    assert [t.held_back for t in told if t.tell] == [0, 2, 1]


def test_other_types_and_other_messages_are_told_at_once() -> None:
    limiter = NoticeLimiter()
    assert limiter.admit("k", "Order", "KeyError", 0).tell
    assert limiter.admit("k", "Order", "ValueError", 0).tell
    assert limiter.admit("k", "Payment", "KeyError", 0).tell


def test_an_edited_definition_makes_its_troubles_news_again() -> None:
    limiter = NoticeLimiter()
    limiter.admit("k", "Order", "KeyError", 0)
    limiter.forget("Order")
    assert limiter.admit("k", "Order", "KeyError", 1).tell


def test_messages_that_all_differ_are_no_flood_either() -> None:
    limiter = NoticeLimiter()
    told = [limiter.admit("k", "Order", f"order-{number}", 0).tell for number in range(500)]
    assert sum(told) == 3
    assert limiter.admit("k", "Order", "next", 31) == (True, 497)


def notice(**changes: Any) -> Any:
    bad = failure("'sku'", "KeyError", stack_trace='  File "cell", line 12, in run\n    order["sku"]')
    found = {
        "kind": "workflow_task_failed",
        "message": "",
        "workflow_id": "order-1",
        "workflow_type": "Order",
        "failure": bad,
    }
    return SimpleNamespace(**{"run_id": "r", "definition": "", "fix": "", **found, **changes})


def test_marks_under_a_line_of_code_stay_under_it_in_html() -> None:
    stack = '  File "cell", line 2, in run\n    return 1 // n\n           ~~^^~~'
    html = render_html(notice_blocks(notice(failure=failure("division", "ZeroDivisionError", stack_trace=stack))))
    assert "    return 1 // n\n           ~~^^~~\n</code></pre>" in html


def test_a_failed_workflow_task_is_explained() -> None:
    text = render_text(notice_blocks(notice(), 4))
    assert "workflow code raised in Order order-1" in text
    assert "KeyError: 'sku'" in text
    assert 'order["sku"]' in text
    assert "The run is not lost" in text
    assert "4 more like this" in text


def test_other_notices_show_their_message() -> None:
    text = render_text(notice_blocks(notice(kind="store_fault", message="disk full\x1b", failure=None, workflow_id="")))
    assert "store fault" in text
    assert "disk full\\x1b" in text


def test_the_board_publishes_text_and_html_and_keeps_back_repetitions() -> None:
    shown: list[dict[str, Any]] = []
    board = NoticeBoard(shown.append, lambda: 5.0, start=lambda task: task())
    board.post(notice(message="order-1"))
    board.post(notice(message="order-2"))
    assert len(shown) == 1
    assert set(shown[0]) == {"text/plain", "text/html"}


def test_a_front_end_that_fails_does_not_reach_the_engine() -> None:
    def broken(data: dict[str, Any]) -> None:
        raise RuntimeError("gone")

    NoticeBoard(broken, lambda: 0.0, start=lambda task: task()).post(notice())


def test_missing_definitions_name_their_cell() -> None:
    shown: list[dict[str, Any]] = []
    board = NoticeBoard(
        shown.append,
        lambda: 0.0,
        note=lambda name, digest: f"run cell [3] for {name} {digest}",
        start=lambda task: task(),
    )
    missing = {"kind": "definition_missing", "failure": None, "fix": "run the cell"}
    board.post(notice(message="Order is not defined", definition="1a2b", **missing))
    assert "run cell [3] for Order 1a2b" in shown[0]["text/plain"]
    assert "run the cell" not in shown[0]["text/plain"], "told once what to do"
    board.post(notice(message="no worker has activity 'charge'", workflow_type="", **missing))
    assert "run the cell" in shown[1]["text/plain"]
