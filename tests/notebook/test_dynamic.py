"""The dynamic workflow has versions like any other: pinned, judged after an edit, collected, restored."""

from __future__ import annotations

from typing import Any

import pytest

from tests.notebook.test_editing import PAY, SLEEP, Notebook, flow, notebook
from tests.notebook.test_restoring import Restart, flush, handle, restart

__all__ = ["notebook", "restart"]

pytestmark = pytest.mark.slow


def dynamic(first: str = PAY, result: str = "paid + 1", version: str = "one", options: str = "") -> str:
    """The workflow of ``test_editing``, for any type."""
    return (
        flow(first, result, version, options)
        .replace("@workflow.defn\n", "from durable_nb.common import RawValue\nfrom collections.abc import Sequence\n"
                 "@workflow.defn(dynamic=True)\n")
        .replace("async def run(self, n: int)", "async def run(self, args: Sequence[RawValue])")
        .replace("        paid =", "        n = workflow.payload_converter().from_payload(args[0].payload, int)\n"
                 "        paid =")
    )  # fmt: skip


def paid(notebook: Notebook, workflow_id: str, kind: str = "Anything") -> Any:
    """A run that waits for approval."""
    found = notebook.start(workflow_id, kind=kind)
    notebook.until(workflow_id, "ActivityTaskCompleted")
    notebook.until(workflow_id, "WorkflowTaskCompleted", 2)
    return found


def test_an_edit_moves_the_runs_that_agree_whatever_their_type(notebook: Notebook) -> None:
    notebook.cell(dynamic())
    handles = [paid(notebook, "a", "Apples"), paid(notebook, "b", "Pears")]
    old = notebook.digest("a")
    assert old
    said = notebook.cell(dynamic(result="paid + 100", version="two"))
    assert "(dynamic): 2 open runs continue on the new code" in said
    assert notebook.digest("a") != old
    assert [notebook.version(each) for each in handles] == ["two", "two"]
    assert [notebook.finish(each) for each in handles] == [102, 102]


def test_a_run_that_would_diverge_stays_and_its_version_goes_with_it(notebook: Notebook) -> None:
    notebook.cell(dynamic())
    one = paid(notebook, "a")
    old = notebook.digest("a")
    said = notebook.cell(dynamic(SLEEP, version="two"))
    assert "(dynamic): 1 stays on the code that it started with: event 5 recorded ActivityTaskScheduled pay" in said
    assert notebook.version(one) == "one"
    assert notebook.version(notebook.start("b", kind="Anything")) == "two"
    shown = notebook.shell.run_line_magic("workflow", "definitions").value
    assert [(line.name, line.state, line.runs) for line in shown if line.kind == "workflow"] == [
        ("", "current", 1),
        ("", "pinned", 1),
    ]
    assert notebook.finish(one) == 3
    notebook.cell("x = 1")
    assert old not in notebook.hosted(None)  # type: ignore[arg-type]


def test_a_type_that_gets_a_definition_of_its_own_takes_no_run_from_the_dynamic_code_unasked(
    notebook: Notebook,
) -> None:
    notebook.cell(dynamic())
    one = paid(notebook, "a", "Order")
    old = notebook.digest("a")
    said = notebook.cell(flow(SLEEP, version="two"))
    assert "Order: 1 stays on the code that it started with" in said
    assert "not in this kernel" not in said
    assert (notebook.digest("a"), notebook.version(one)) == (old, "one")
    assert "Order: 1 open run continues on the new code" in notebook.cell(flow(version="three"))
    assert notebook.version(one) == "three"
    assert notebook.finish(one) == 3


def test_runs_of_types_with_a_definition_of_their_own_are_left_alone(notebook: Notebook) -> None:
    notebook.cell(flow())
    [one] = notebook.paid("a")
    assert "open run" not in notebook.cell(dynamic(SLEEP, version="two"))
    assert notebook.version(one) == "one"


def test_fail_refuses_a_dynamic_workflow_that_would_strand_runs(notebook: Notebook) -> None:
    notebook.cell(dynamic())
    one = paid(notebook, "a")
    said = notebook.cell(dynamic(SLEEP, options="--on-edit fail"), check=False)
    assert "(dynamic) was not registered: 1 of 1 open runs would have to stay" in said
    assert notebook.finish(one) == 3


def test_after_a_restart_pinned_and_current_runs_go_on_on_their_stored_source(restart: Restart) -> None:
    first = restart()
    first.cell(dynamic())
    paid(first, "a", "Apples")
    first.cell(dynamic(SLEEP, version="two"))
    first.start("b", kind="Pears")
    first.until("b", "TimerStarted")
    flush(first)
    second = restart()
    assert "2 runs are unfinished: 2 go on" in second.welcome  # type: ignore[attr-defined]
    assert "(dynamic), pay were restored from the store" in second.welcome  # type: ignore[attr-defined]
    assert [second.version(handle(second, each)) for each in "ab"] == ["one", "two"]
    assert second.finish(handle(second, "a")) == 3


def test_code_of_somebody_else_waits_for_the_users_word(restart: Restart) -> None:
    first = restart("somebody else")
    first.cell(dynamic())
    paid(first, "a", "Apples")
    flush(first)
    second = restart()
    welcome = second.welcome  # type: ignore[attr-defined]
    assert "Apples (1 run): run orders.ipynb cell [1]" in welcome
    assert "%workflow restore (dynamic)" in welcome
    magic = second.shell.run_line_magic
    assert "class Order" in repr(magic("workflow", "restore (dynamic)"))
    assert "1 open run goes on" in repr(magic("workflow", "restore a --yes"))
    assert second.finish(handle(second)) == 3


def test_running_the_cell_again_says_which_runs_go_on(restart: Restart) -> None:
    first = restart("somebody else")
    first.cell(dynamic())
    paid(first, "a", "Apples")
    flush(first)
    second = restart()
    assert "1 unfinished run of Apples goes on" in second.cell(dynamic())
    assert second.finish(handle(second)) == 3
