"""Moments, comparisons and plans as people see them, whatever hides in the values; and the commands' own words."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from durable_nb import workflow
from durable_nb.client._bulk import BulkPlan, BulkRow
from durable_nb.client._comparison import Comparison, Side
from durable_nb.core.alignment import Step
from durable_nb.errors import NotebookError
from durable_nb.model.attributes import WorkflowTaskFailed
from durable_nb.model.enums import WorkflowExecutionStatus, WorkflowTaskFailedCause
from durable_nb.model.events import Event
from durable_nb.model.failure import Failure
from durable_nb.model.payload import Payload
from durable_nb.notebook.bulk import plan_blocks, progress_line
from durable_nb.notebook.commands import parse_line
from durable_nb.notebook.comparisons import comparison_blocks
from durable_nb.notebook.html import render_html
from durable_nb.notebook.lineage import fork_note, lineage_facts, origin_note
from durable_nb.notebook.live.state import Picture, run_state
from durable_nb.notebook.moments import moment_blocks, value_text
from durable_nb.notebook.plain import render_text
from durable_nb.notebook.subcommands.at import _bind
from durable_nb.notebook.views import list_blocks
from durable_nb.testing import WorkflowEnvironment
from durable_nb.worker import Worker
from tests.notebook.values import run

EVIL = "<script>alert(1)</script>\x1b[31m\ud800"


class Nasty:
    def __repr__(self) -> str:
        raise ValueError("no")


@workflow.defn
class Holds:
    """Keeps things that are hard to show."""

    def __init__(self) -> None:
        self.evil = EVIL
        self.nasty = Nasty()
        self.big = "x" * 10_000_000
        self.number = float("nan")

    @workflow.run
    async def run(self) -> None:
        here = EVIL
        await workflow.wait_condition(lambda: bool(here) and False)


@pytest.fixture(scope="module")
def moment() -> Iterator[Any]:
    async def visit() -> Any:
        async with await WorkflowEnvironment.start_local() as env:
            client = env.client
            async with Worker(client, task_queue="q", workflows=[Holds]):
                handle = await client.start_workflow(Holds.run, id="holds", task_queue="q")
                await handle.query("__stack_trace")  # answered behind the first workflow task
                return await handle.at(-1)

    found = asyncio.run(visit())
    yield found
    found.close()


def safe(html: str, text: str) -> None:
    assert "<script" not in html
    assert "&lt;script&gt;" in html
    for shown in (html, text):
        assert "\x1b" not in shown
        shown.encode()


def test_a_moment_is_shown_safely_and_shortly(moment: Any) -> None:
    blocks = moment_blocks(moment, lambda file: "cell [7]" if file.endswith("test_travel_views.py") else "")
    html, text = render_html(blocks), render_text(blocks)
    safe(html, text)
    assert len(html) < 20_000
    assert "<Nasty instance at" in text
    assert "conditions that are not true" in text
    assert "cell [7], line" in text


@pytest.mark.parametrize(
    "value", [None, EVIL, [EVIL] * 1000, {"a": {"b": {"c": {"d": {"e": 1}}}}}, Nasty(), b"\xff" * 9999]
)
def test_the_text_of_a_value_is_bounded_and_never_raises(value: object) -> None:
    text = value_text(value)
    assert len(text) < 500
    assert "\x1b" not in text
    text.encode()


def test_names_are_bound_only_where_they_are_free(moment: Any) -> None:
    namespace: dict[str, Any] = {"here": "mine"}
    lines = _bind(namespace, moment, names=True)
    assert namespace["here"] == "mine"
    assert namespace["moment"] is moment
    assert "here" in lines[1]
    del namespace["here"]
    _bind(namespace, moment, names=True)
    assert namespace["here"] == EVIL
    namespace["moment"] = "mine"
    assert "not bound" in _bind(namespace, moment, names=False)[-1]
    assert namespace["moment"] == "mine"


# -- comparisons -------------------------------------------------------------------------------------------------------


def side(workflow_id: str, *steps: Step, definition: str = "d") -> Side:
    start = Step("workflow", "W", 1, 0, outcome="completed", end_event_id=99, end_time=5)
    status = WorkflowExecutionStatus.COMPLETED
    return Side(workflow_id, f"run-of-{workflow_id}", "W", status, None, 5, definition, [start, *steps], {}, {})


def step(at: int, name: str = "act", result: bytes = b"1") -> Step:
    return Step("activity", name, at, at, str(at), None, "completed", at + 1, at + 9, [json_payload(result)])


def json_payload(data: bytes) -> Payload:
    return Payload({"encoding": b"json/plain"}, data)


def test_a_comparison_says_where_they_part_and_escapes_what_it_shows() -> None:
    evil = b'"<script>alert(1)</script>\\u001b[31m"'
    found = Comparison(side("a", step(5)), side("b", step(5, result=evil)), ["--- x", "+++ y", "-<script>"])
    html, text = render_html(comparison_blocks(found)), render_text(comparison_blocks(found))
    safe(html, text)
    assert "they part here" in text
    assert "activity act: another result" in text
    assert "the code of the two runs differs" in text


def test_runs_that_did_the_same_say_so() -> None:
    text = render_text(comparison_blocks(Comparison(side("a", step(5)), side("b", step(5)))))
    assert "the same" in text
    assert "part here" not in text


def test_of_very_many_steps_those_that_differ_are_shown() -> None:
    left = [step(n) for n in range(5, 3005)]
    right = [step(n, result=b"2" if n == 2000 else b"1") for n in range(5, 3005)]
    text = render_text(comparison_blocks(Comparison(side("a", *left), side("b", *right))))
    assert len(text.splitlines()) < 60
    assert "steps that are the same are left out" in text
    assert "another result" in text


# -- plans -------------------------------------------------------------------------------------------------------------


def test_a_plan_shows_what_would_be_done_and_what_cannot() -> None:
    rows = [BulkRow("a", "", would="tried now: x"), BulkRow("b", "", problem=f"cannot: {EVIL}")]
    plan = BulkPlan(SimpleNamespace(), "retry", rows)  # type: ignore[arg-type]
    html, text = render_html(plan_blocks(plan)), render_text(plan_blocks(plan))
    safe(html, text)
    assert "1 of 2 can be done" in text
    assert "nothing has been written" in text


def test_progress_is_one_line_that_is_updated_and_never_floods() -> None:
    published: list[tuple[str, bool]] = []
    clock = iter(range(1000))

    def publish(data: dict[str, str], metadata: object, *, transient: dict[str, str], update: bool) -> None:
        published.append((data["text/plain"], update))

    told = progress_line(publish, lambda: next(clock) * 0.05)("retry", 100)
    for done in range(1, 101):
        told(done, done // 50, 100)
    assert published[0] == ("retry: 4 of 100 runs", False) or not published[0][1]
    assert published[-1] == ("retry: 100 of 100 runs, 2 failed", True)
    assert len(published) < 60


# -- lineage -----------------------------------------------------------------------------------------------------------


def failed(cause: WorkflowTaskFailedCause, message: str) -> Event:
    return Event(9, 0, WorkflowTaskFailed(cause=cause, failure=Failure(message), base_run_id="old-run"))


def test_a_run_says_which_run_it_goes_on_from() -> None:
    reset = WorkflowTaskFailedCause.RESET_WORKFLOW
    assert lineage_facts(run(), [failed(reset, "bad luck")]) == [
        ("goes on from", "run old-run, up to event 8: bad luck")
    ]
    assert lineage_facts(run(), [failed(WorkflowTaskFailedCause.NON_DETERMINISTIC_ERROR, "x")]) == []


def test_a_fork_is_known_by_its_memo_and_a_memo_of_others_does_no_harm() -> None:
    memo = {"durable_nb.fork": json_payload(b'{"workflowId":"order-1","runId":"r","eventId":13}')}
    assert fork_note(memo) == "fork of order-1 at event 13"
    assert lineage_facts(run(memo=memo), []) == [("goes on from", "fork of order-1 at event 13")]
    assert fork_note({"durable_nb.fork": json_payload(b"[]")}) == "a fork"
    assert fork_note({}) == ""


def test_without_its_history_the_run_that_it_was_made_from_is_named() -> None:
    made = run(reset_from_run_id="01a2-old-run", reset_event_id=13)
    assert lineage_facts(made, []) == [("goes on from", "run 01a2-old-run, up to event 12")]
    assert origin_note(made) == "reset from run …ld-run at event 13"
    assert origin_note(run()) == ""
    assert "reset from run …ld-run at event 13" in render_text(list_blocks([made]))
    assert ["goes on from", "run 01a2-old-run, up to event 12"] in run_state(Picture(made))["run"]["facts"]


# -- commands ----------------------------------------------------------------------------------------------------------


def test_options_of_the_commands_are_read() -> None:
    frame = object()
    command, options = parse_line("retry --runs {frame} --yes", {"frame": frame})
    assert (command.name, options.runs, options.yes, options.id) == ("retry", [frame], True, "")
    _, options = parse_line("fork order-1 --activity 2 --result '{\"price\": 10}'", {})
    assert (options.activity, options.result) == ("2", [{"price": 10}])
    _, options = parse_line("at order-1 -1 --debug", {})
    assert (options.event, options.debug, options.no_bind) == (-1, True, False)


@pytest.mark.parametrize("line", ["retry", "fork order-1 --runs {frame} --event-id 3"])
def test_a_line_names_one_run_or_many(line: str) -> None:
    command, options = parse_line(line, {"frame": []})
    with pytest.raises(NotebookError, match="say which run"):
        command.run(SimpleNamespace(), options)  # type: ignore[arg-type]
