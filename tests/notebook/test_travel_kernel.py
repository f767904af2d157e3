"""``%workflow at`` in a real kernel: moments, bound variables, the slider, the debugger."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from queue import Empty

import pytest

from tests.notebook.kernel import Kernel
from tests.notebook.test_kernel import FLOW

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("default")]

FINISHED = """\
from tests.waiting import recorded
h = await client.start_workflow(OrderWorkflow.run, 21, id="order-1")
await recorded(h, "WorkflowTaskCompleted", 2)
await h.signal(OrderWorkflow.approve)
await h.result()
"""

STOPS = """\
%%workflow
@workflow.defn
class Stops:
    @workflow.run
    async def run(self, n: int) -> int:
        doubled = n * 2
        await workflow.sleep(0.01)
        breakpoint() if workflow.unsafe.is_replaying() else None
        return doubled
"""


@pytest.fixture(scope="module")
def kernel(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kernel]:
    made = Kernel(tmp_path_factory.mktemp("travel"))
    made.load()
    made.run(FLOW)
    made.run(FINISHED)
    made.run("%workflow list")  # what it imports at first is not what is tested
    yield made
    made.stop()


def test_a_moment_is_shown_with_the_line_of_the_cell_and_bound(kernel: Kernel) -> None:
    shown = kernel.run("%workflow at order-1 5")
    assert "bound in this notebook: moment, self, n\n" in shown.text
    assert "OrderWorkflow.run at cell [2], line 17" in shown.text
    assert "→   17          paid = await workflow.execute_activity(pay, n" in shown.text
    assert "pending activities" in shown.html[-1]
    assert kernel.run("moment.locals").text == "{'n': 21}"


def test_names_are_bound_and_never_overwritten_silently(kernel: Kernel) -> None:
    kernel.run("n = 5\npaid_before = 1")
    shown = kernel.run("%workflow at order-1 -1")
    assert "bound in this notebook: moment, self, paid" in shown.text
    assert "not bound, because you have variables of these names: n;" in shown.text
    assert kernel.run("n, paid, self.go").text == "(5, 42, True)"
    again = kernel.run("del n\n%workflow at order-1 -1")
    assert "bound in this notebook: moment, self, n, paid" in again.text


def test_variables_of_another_moment_give_way_to_those_of_the_present_one(kernel: Kernel) -> None:
    names = "[name for name in ('n', 'paid', 'self', 'moment') if name in globals()]"
    kernel.run("%workflow at order-1 -1")
    assert kernel.run(names).text == "['n', 'paid', 'self', 'moment']"
    kernel.run("%workflow at order-1 5")
    assert kernel.run(names).text == "['n', 'self', 'moment']"
    kernel.run("%workflow at order-1 5 --no-bind")
    assert kernel.run(names).text == "['moment']"


def test_without_an_event_it_is_a_slider_that_walks_lazily(kernel: Kernel) -> None:
    shown = kernel.run("slider = %workflow at order-1\nslider")
    assert "WorkflowExecutionStarted" in shown.text
    assert any("<table" in html for html in shown.html)
    assert kernel.run("slider.event_id = 6\nslider.moment.where.line").text == "18"
    assert kernel.run("slider.back.click()\nslider.event_id").text == "4"
    assert kernel.run("slider.forth.click()\nslider.event_id > 4").text == "True"
    assert kernel.run("h.history_slider().event_id").text == kernel.run("len(slider.journey)").text


def test_an_event_or_a_workflow_that_is_not_there_says_so_shortly(kernel: Kernel) -> None:
    missing = kernel.run("%workflow at order-1 99", check=False)
    assert "no event 99" in missing.traceback
    typo = kernel.run("%workflow at order-2 5", check=False)
    assert "did you mean 'order-1'" in typo.traceback
    assert len(typo.traceback.splitlines()) < 12


def answer(kernel: Kernel, answers: list[str]) -> None:
    """Type the next answer where the kernel waits for one."""
    with contextlib.suppress(Empty):
        kernel.client.get_stdin_msg(timeout=0.05)
        kernel.client.input(answers.pop(0) if answers else "c")


def test_a_breakpoint_in_workflow_code_stops_in_the_cell(kernel: Kernel) -> None:
    kernel.run(STOPS)
    kernel.run('await client.execute_workflow(Stops.run, 4, id="stops", task_queue="durable_nb")')
    answers = ["p doubled", "c"]
    shown = kernel.run("%workflow at stops -1 --debug", on_output=lambda _: answer(kernel, answers))
    assert answers == [], shown.text
    assert "\n8" in shown.text or "8\n" in shown.text
    assert kernel.run("moment.locals").text == "{'n': 4, 'doubled': 8}"


def test_runs_of_an_edited_cell_are_compared_with_what_the_edit_changed(kernel: Kernel) -> None:
    kernel.run(FLOW.replace("return paid + 1", "return paid + 2"))
    kernel.run(FINISHED.replace("order-1", "order-2"))
    shown = kernel.run("%workflow compare order-1 order-2")
    assert "another result" in shown.text
    assert "-        return paid + 1" in shown.text
    assert "+        return paid + 2" in shown.text


def test_all_rows_of_a_frame_of_runs_are_forked_after_a_plan(kernel: Kernel) -> None:
    kernel.run("runs = client.runs(workflow_type='OrderWorkflow')")
    plan = kernel.run("%workflow fork --runs {runs} --activity 1 --reapply")
    assert "nothing has been written" in plan.text
    done = kernel.run("plan = await client.bulk('fork', runs, activity_id='1', reapply_signals=True)\nawait plan.run()")
    assert "2 done" in done.text
    assert "copy order-1-fork-1 of events 1 to 5; runs again: pay (1); 1 signal again" in done.text
