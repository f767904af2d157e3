"""Activities that belong to an instance, methods and callable classes, after a restart."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from durable_nb.notebook.restoring import activity_types_in
from tests.notebook.test_editing import Notebook, notebook
from tests.notebook.test_restoring import Restart, flush, handle, restart

__all__ = ["notebook", "restart"]

pytestmark = pytest.mark.slow

PAYMENTS = """\
from durable_nb import activity

class Payments:
    def __init__(self, rate: int = 2) -> None:
        self.rate = rate

    @activity.defn
    async def charge(self, n: int) -> int:
        return n * self.rate

    @activity.defn
    async def refund(self, n: int) -> int:
        return -n * self.rate
"""
CHARGER = """\
@activity.defn(name="charge")
class Charger:
    def __init__(self, rate):
        self.rate = rate

    def __call__(self, n: int) -> int:
        return n * self.rate
"""
FLOW = """\
%%workflow
from datetime import timedelta

@workflow.defn
class Order:
    def __init__(self) -> None:
        self.go = False

    @workflow.run
    async def run(self, n: int) -> int:
        await workflow.wait_condition(lambda: self.go)
        return await workflow.execute_activity({call}, n, start_to_close_timeout=timedelta(seconds=10))

    @workflow.signal
    def approve(self) -> None:
        self.go = True
"""


def waiting(restart: Restart, *cells: str, call: str = "'charge'") -> Notebook:
    """A kernel that runs these cells, starts ``a`` before its activity, and is gone; the next one."""
    first = restart()
    for cell in (*cells, FLOW.format(call=call)):
        first.cell(cell)
    first.start("a", 7)
    first.until("a", "WorkflowTaskCompleted")
    flush(first)
    return restart()


def welcome(notebook: Notebook) -> str:
    return str(notebook.welcome)  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("call", "restored"),
    [
        ("Payments.charge", "Order, charge, refund"),
        ("payments.charge", "Order, charge, refund"),
        ("'charge'", "Order, charge"),
    ],
    ids=["by the method of the class", "by that of the instance", "by its name"],
)
def test_a_method_goes_on_with_an_instance_made_as_its_cell_made_it(restart: Restart, call: str, restored: str) -> None:
    notebook = waiting(restart, PAYMENTS, "RATE = 5\npayments = Payments(rate=RATE)", call=call)
    assert "1 run is unfinished: 1 goes on" in welcome(notebook)
    assert f"{restored} were restored from the store" in welcome(notebook)
    assert notebook.finish(handle(notebook)) == 35


@pytest.mark.parametrize("call", ["Charger", "charger"])
def test_an_instance_that_is_called_goes_on_too(restart: Restart, call: str) -> None:
    notebook = waiting(restart, CHARGER, "charger = Charger(6)", call=call)
    assert "Order, charge were restored from the store" in welcome(notebook)
    assert notebook.finish(handle(notebook)) == 42


def test_a_dynamic_activity_goes_on_for_the_names_that_have_none(restart: Restart) -> None:
    cell = (
        "from collections.abc import Sequence\nfrom durable_nb.common import RawValue\n"
        "@activity.defn(dynamic=True)\nasync def anything(args: Sequence[RawValue]) -> str:\n"
        "    return activity.info().activity_type\n"
    )
    notebook = waiting(restart, cell, call="'never heard of'")
    assert "Order, (dynamic) were restored from the store" in welcome(notebook)
    assert notebook.finish(handle(notebook)) == "never heard of"


def test_an_instance_of_an_imported_class_of_the_users_own_is_made_again(
    restart: Restart, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "dnb_test_payments.py").write_text(PAYMENTS)
    monkeypatch.syspath_prepend(str(tmp_path))
    cells = "from dnb_test_payments import Payments\npayments = Payments()"
    notebook = waiting(restart, cells, call="Payments.charge")
    assert "Order, charge, refund were restored from the store" in welcome(notebook)
    assert notebook.finish(handle(notebook)) == 14


def test_the_source_that_is_shown_before_it_runs_is_that_of_the_instance(restart: Restart) -> None:
    first = restart("somebody else")
    for cell in (PAYMENTS, "payments = Payments(3)", FLOW.format(call="Payments.charge")):
        first.cell(cell)
    first.start("a", 7)
    first.until("a", "WorkflowTaskCompleted")
    flush(first)
    notebook = restart()
    shown = repr(notebook.shell.run_line_magic("workflow", "restore Order"))
    assert "payments = Payments(3)" in shown
    assert "# the activity is payments.charge" in shown
    notebook.shell.run_line_magic("workflow", "restore Order --yes")
    assert notebook.finish(handle(notebook)) == 21


def test_an_instance_with_state_of_its_kernel_is_not_made_up_and_its_cell_is_named(restart: Restart) -> None:
    made = "import threading\npayments = Payments(3)\npayments.lock = threading.Lock()"
    notebook = waiting(restart, PAYMENTS, made, call="Payments.charge")
    said = welcome(notebook)
    assert "1 run is unfinished: 1 goes on" in said
    assert "activity charge (version" in said
    assert "payments was a Payments, which died with its kernel; run orders.ipynb cell [2]" in said
    notebook.ask(handle(notebook).signal("approve"))
    notebook.cell(PAYMENTS)
    notebook.cell(made)
    assert notebook.ask(handle(notebook).result()) == 21


@pytest.mark.parametrize(
    "made",
    [
        "def opened():\n    return 3\npayments = Payments(opened())",
        "payments = None\nfor rate in (1, 2): payments = Payments(rate)",
    ],
    ids=["a call that may do anything", "a turn of a loop"],
)
def test_a_statement_that_does_more_than_make_it_is_not_repeated(restart: Restart, made: str) -> None:
    notebook = waiting(restart, PAYMENTS, made, call="Payments.charge")
    assert "payments was a Payments, which died with its kernel; run orders.ipynb cell [2]" in welcome(notebook)


def test_an_instance_that_is_made_anew_is_stored_anew(restart: Restart) -> None:
    notebook = waiting(restart, PAYMENTS, "payments = Payments(3)", "payments = Payments(4)", call="Payments.charge")
    assert notebook.finish(handle(notebook)) == 28


def test_editing_the_class_alone_says_that_its_instance_runs_the_code_of_before(notebook: Notebook) -> None:
    notebook.cell(PAYMENTS)
    notebook.cell("payments = Payments(3)")
    assert "runs the code of before" not in notebook.cell(PAYMENTS)
    flush(notebook)
    said = notebook.cell(PAYMENTS.replace("n * self", "n + self"))
    assert "activity charge still runs the code of before, as payments was made from it: make payments anew" in said
    assert "cell [2]" in said
    assert "runs the code of before" not in notebook.cell("payments = Payments(3)")


def test_a_cell_with_methods_alone_says_that_they_need_an_instance(notebook: Notebook) -> None:
    said = notebook.cell(f"%%workflow\n{PAYMENTS}")
    assert "activities charge, refund: they are registered with an instance of Payments, as in x = Payments(…)" in said
    assert "registered nothing" not in said
    assert "registered with an instance" not in notebook.cell(f"%%workflow\n{PAYMENTS}\npayments = Payments()")


def test_where_each_activity_of_an_instance_was_made_is_listed(notebook: Notebook) -> None:
    notebook.cell(PAYMENTS)
    notebook.cell("payments = Payments(3)")
    lines: list[Any] = notebook.shell.run_line_magic("workflow", "definitions").value
    assert [(line.name, line.origin.endswith("cell [2]"), len(line.version)) for line in lines] == [
        ("charge", True, 64),
        ("refund", True, 64),
    ]
    assert lines[0].version != lines[1].version


def test_activities_of_classes_are_found_in_the_source_of_a_workflow() -> None:
    stub = CHARGER.replace("return n * self.rate", "...")
    assert activity_types_in(stub) == ["charge"]
    assert activity_types_in(CHARGER) == []
