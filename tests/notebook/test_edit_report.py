"""What is said after an edit, and the small parts around it; pure."""

from __future__ import annotations

from typing import Any

import pytest

from durable_nb.errors import NotebookError
from durable_nb.notebook.counting import plural, verb
from durable_nb.notebook.edit_views import (
    EditReport,
    command_words,
    diff_lines,
    lost_block,
    report_blocks,
    source_lines,
)
from durable_nb.notebook.editing import OpenRuns
from durable_nb.notebook.headers import Header, read_header
from durable_nb.notebook.html import render_html
from durable_nb.notebook.plain import render_text
from durable_nb.notebook.progress_line import ProgressLine
from durable_nb.runtime.errors import NondeterminismError, RestrictedWorkflowAccessError
from durable_nb.worker._trial import Tried
from tests.store.samples import run_row

NASTY = "<script>alert('x')</script>\x1b[31m\x07\u202e\ud800\x00"
PLACE = "/tmp/c.py, line 12, in Order.run"


def tried(workflow_id: str = "a", failure: Exception | None = None, digest: str = "d" * 64) -> Tried:
    return Tried(run_row(1, workflow_id, definition=digest), 9, failure, False)


def differs(
    recorded: str = "ActivityTaskScheduled charge", where: str = "/tmp/c.py, line 12, in Order.run"
) -> Exception:
    return NondeterminismError("x", event_id=14, recorded=recorded, actual="TimerStarted 30 s", where=where)


def text(report: EditReport) -> str:
    return render_text(report_blocks(report, lambda file: "cell [5]" if file == "/tmp/c.py" else ""))


def test_the_headline_counts_and_names_the_first_difference() -> None:
    report = EditReport("Order", "n" * 64, [tried()] * 12, [tried("b", differs())] * 3, [])
    assert text(report).startswith(
        "Order: 12 continue, 3 stay on the code that they started with: "
        "event 14 recorded ActivityTaskScheduled charge, new code StartTimer 30 s, cell [5], line 12, in Order.run\n"
    )


@pytest.mark.parametrize(
    ("report", "said"),
    [
        (EditReport("Order", "n", [tried()], [], []), "Order: 1 open run continues on the new code"),
        (
            EditReport("Order", "n", [], [tried("b", KeyError("k"))], []),
            "on the code that it started with: the new",
        ),
        (EditReport("Order", "n", [tried()], [], [run_row(2)]), "1 continues, 1 could not be judged yet and stays"),
        (EditReport("Order", "n", [], [], [], 3), "Order: 3 open runs stay pinned to the code of before"),
        (EditReport("Order", "n", [], [tried("b", differs(""))], []), "after event 14 no further command was recorded"),
        (
            EditReport("Order", "n", [], [tried("b", differs())], [], missing=frozenset({"d" * 64})),
            "Their code is not in this kernel: %workflow restore Order",
        ),
    ],
)
def test_each_outcome_has_its_sentence(report: EditReport, said: str) -> None:
    assert said in text(report)


def test_new_code_that_raises_is_named_with_its_line_and_the_remedy() -> None:
    code = compile("def run():\n    raise error\n", "/tmp/c.py", "exec")

    def raised(error: Exception) -> Exception:
        scope: dict[str, Any] = {"error": error}
        exec(code, scope)
        with pytest.raises(type(error)) as caught:
            scope["run"]()
        return caught.value

    said = text(EditReport("Order", "n", [], [tried("b", raised(KeyError("sku")))], []))
    assert "the new code raises KeyError: 'sku', cell [5], line 2, in run\n" in said
    assert said.splitlines()[-1].endswith("KeyError: 'sku'  cell [5], line 2, in run")
    clock = RestrictedWorkflowAccessError(
        "time.time", override_message="called time.time", where=PLACE, fix="use workflow.time()"
    )
    said = text(EditReport("Order", "n", [], [tried("b", raised(clock))], []))
    assert "the new code raises DNB120 called time.time, cell [5], line 2, in run; use workflow.time()\n" in said
    assert "\\n" not in said


def test_nothing_is_said_where_no_run_is_open() -> None:
    assert report_blocks(EditReport("Order", "n", [], [], [])) == []


def test_long_lists_of_runs_and_long_differences_are_cut() -> None:
    many = [tried(f"w{n}", differs()) for n in range(50)]
    report = EditReport("Order", "n", [], many, [], old_source="a\n" * 400, new_source="b\n" * 400)
    shown = text(report)
    assert "… and 30 more" in shown
    assert "more lines" in shown
    assert len(shown.splitlines()) < 180


def test_strings_of_users_are_safe_in_every_part() -> None:
    run = tried(NASTY, differs(NASTY, NASTY))
    report = EditReport(NASTY, NASTY, [], [run], [], old_source=f"x\n{NASTY}\n", new_source=f"y\n{NASTY}\nz", lost={})
    for blocks in (report_blocks(report), [lost_block(NASTY, {NASTY: NASTY})]):
        html, plain = render_html(blocks), render_text(blocks)
        assert "<script" not in html
        assert "\x1b" not in html + plain
        (html + plain).encode()
    assert "\x1b" not in "".join(line for line, _ in source_lines(NASTY))


def test_differences_are_unified_with_tones() -> None:
    lines = diff_lines("a\nb\n", "a\nc\n", "1" * 64, "2" * 64)
    assert lines == [
        ("--- version 11111111", "busy"),
        ("+++ version 22222222", "busy"),
        ("@@ -1,2 +1,2 @@", "busy"),
        (" a", ""),
        ("-b", "bad"),
        ("+c", "good"),
    ]


def test_commands_are_named_as_commands() -> None:
    assert command_words("TimerStarted 30 s") == "StartTimer 30 s"
    assert command_words("nothing") == "nothing"


# -- small parts ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "header"),
    [
        ("", Header()),
        ("--strict", Header(True)),
        ("--on-edit pin", Header(False, "pin")),
        ("--on-edit=fail --strict", Header(True, "fail")),
    ],
)
def test_the_header_of_a_cell_is_read(line: str, header: Header) -> None:
    assert read_header(line) == header


@pytest.mark.parametrize("line", ["--on-edit", "--on-edit never", "--strict=yes", "pin"])
def test_what_a_header_cannot_say_is_refused(line: str) -> None:
    with pytest.raises(NotebookError, match="DNB700"):
        read_header(line)


def test_progress_is_shown_when_it_takes_long_and_taken_away_at_the_end() -> None:
    shown: list[tuple[str, bool]] = []
    now = [0.0]

    def publish(data: dict[str, str], transient: dict[str, str], update: bool) -> None:
        assert transient["display_id"]
        shown.append((data["text/plain"], update))

    line = ProgressLine(publish, lambda: now[0])
    with line.of("replaying") as told:
        for done in range(1, 9):
            now[0] += 0.15
            told(done, 1000)
    assert shown == [
        ("replaying: 4 of 1,000", False),
        ("replaying: 6 of 1,000", True),
        ("replaying: 8 of 1,000", True),
        ("", True),
    ]
    shown.clear()
    with line.of("quick") as told:
        told(1, 1)
    assert shown == []


def test_an_interrupt_and_the_time_limit_leave_the_rest_unjudged(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [run_row(key) for key in range(1, 6)]
    now = [0.0]
    runs = OpenRuns(None, None, None, None, clock=lambda: now[0])  # type: ignore[arg-type]

    def interrupted(definition: Any, given: Any) -> Any:
        yield Tried(given[0], 1, None, False)
        raise KeyboardInterrupt

    def with_one_deleted(definition: Any, given: Any) -> Any:
        yield Tried(given[1], 1, None, False)
        raise KeyboardInterrupt

    def slow(definition: Any, given: Any) -> Any:
        for row in given:
            now[0] += 16
            yield Tried(row, 1, None, False)

    for behave, count, judged in ((interrupted, 1, 1), (slow, 2, 2), (with_one_deleted, 1, 2)):
        now[0] = 0.0
        monkeypatch.setattr(runs, "_tried", behave)
        monkeypatch.setattr("durable_nb.notebook.editing.WorkflowDefinition.must_from_class", lambda found: found)
        found = runs.judge(None, rows)
        assert (len(found.agree), found.unjudged) == (count, rows[judged:])


def test_numbers_of_things_read_well() -> None:
    assert [plural(1, "run"), plural(2, "activity"), plural(1000, "run")] == ["1 run", "2 activities", "1,000 runs"]
    assert [verb(1, "go"), verb(2, "go"), verb(1, "stay")] == ["goes", "go", "stays"]
