"""Cells that are edited while runs are open: who goes on on the new code, who stays, and what is said."""

from __future__ import annotations

import gc
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from durable_nb.errors import StoreLockedError
from durable_nb.notebook import extension
from tests.waiting import recorded, until

pytestmark = pytest.mark.slow

FLOW = """\
%%workflow {options}
from datetime import timedelta

@activity.defn
async def pay(n: int) -> int:
    return n * 2

@workflow.defn
class Order:
    def __init__(self) -> None:
        self.go = False

    @workflow.run
    async def run(self, n: int) -> int:
        {first}
        await workflow.wait_condition(lambda: self.go)
        return {result}

    @workflow.signal
    def approve(self) -> None:
        self.go = True

    @workflow.query
    def version(self) -> str:
        return {version!r}
"""
PAY = "paid = await workflow.execute_activity(pay, n, start_to_close_timeout=timedelta(seconds=10))"
SLEEP = "await workflow.sleep(30); paid = 0"


def flow(first: str = PAY, result: str = "paid + 1", version: str = "one", options: str = "") -> str:
    return FLOW.format(first=first, result=result, version=version, options=options)


class Notebook:
    """A shell with the extension."""

    def __init__(self, shell: Any, capsys: Any) -> None:
        self.shell = shell
        self._capsys = capsys
        extension.load_ipython_extension(shell)
        self.session = shell.durable_nb

    def cell(self, text: str, *, check: bool = True) -> str:
        self._capsys.readouterr()
        result = self.shell.run_cell(text, store_history=True)
        if check:
            result.raise_error()
        return str(self._capsys.readouterr().out)

    def start(self, workflow_id: str, n: int = 1, kind: str = "Order") -> Any:
        client = self.session.client
        return self.session.run(client.start_workflow(kind, n, id=workflow_id))

    def ask(self, request: Any) -> Any:
        return self.session.run(request)

    def until(self, workflow_id: str, event: str, count: int = 1) -> None:
        """Wait until an event is in the history."""
        self.ask(recorded(self.session.client.get_workflow_handle(workflow_id), event, count))

    def paid(self, *workflow_ids: str) -> list[Any]:
        """Runs that wait for approval."""
        handles = [self.start(each) for each in workflow_ids]
        for each in workflow_ids:
            self.until(each, "ActivityTaskCompleted")
            self.until(each, "WorkflowTaskCompleted", 2)
        return handles

    def version(self, handle: Any) -> str:
        return str(self.ask(handle.query("version")))

    def finish(self, handle: Any) -> Any:
        self.ask(handle.signal("approve"))
        return self.ask(handle.result())

    def digest(self, workflow_id: str) -> str:
        return str(self.session.engine.store.find_run("default", workflow_id).definition)

    def hosted(self, kind: str = "Order") -> list[str]:
        """Digests that the engine serves, read on its own loop: a registration is posted there, not made at once."""

        async def served() -> list[str]:
            return list(self.session.worker.port.host.versions.digests(kind))

        return list(self.ask(served()))

    def until_dropped(self, digest: str, kind: str = "Order") -> None:
        """Wait until the engine serves a version no more."""
        served = self.session.worker.port.host.versions.digests
        self.ask(until(lambda: digest not in served(kind)))


@pytest.fixture
def notebook(shell: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> Iterator[Notebook]:
    monkeypatch.setenv("DURABLE_NB_STORE", f"sqlite:///{tmp_path}/test.db")
    made = Notebook(shell, capsys)
    yield made
    extension.unload_ipython_extension(shell)
    made.session.engine.close()


def test_runs_that_agree_go_on_on_the_new_code(notebook: Notebook) -> None:
    notebook.cell(flow())
    handles = notebook.paid("a", "b")
    old = notebook.digest("a")
    said = notebook.cell(flow(result="paid + 100", version="two"))
    assert "Order: 2 open runs continue on the new code" in said
    assert notebook.digest("a") != old
    assert notebook.version(handles[0]) == "two"
    assert [notebook.finish(handle) for handle in handles] == [102, 102]
    assert old not in notebook.hosted()


def test_runs_that_would_diverge_stay_on_the_code_they_started_with_and_the_cell_says_why(notebook: Notebook) -> None:
    notebook.cell(flow())
    [handle] = notebook.paid("a")
    old = notebook.digest("a")
    said = notebook.cell(flow(SLEEP, version="two"))
    assert "Order: 1 stays on the code that it started with: event 5 recorded ActivityTaskScheduled pay" in said
    assert "new code StartTimer 30 s (id 1), cell [2], line 15, in Order.run" in said
    assert "-        paid = await workflow.execute_activity(pay, n" in said
    assert "+        await workflow.sleep(30); paid = 0" in said
    assert notebook.digest("a") == old
    assert notebook.version(handle) == "one"
    other = notebook.start("new")
    assert notebook.version(other) == "two"
    assert notebook.finish(handle) == 3


def test_both_kinds_at_once_are_counted_apart(notebook: Notebook) -> None:
    notebook.cell(flow())
    notebook.paid("a", "b")
    patched = PAY + "\n        if n > 1: await workflow.sleep(30)"
    notebook.cell("import asyncio")
    for each in ("c", "d", "e"):
        notebook.start(each, 2)
        notebook.until(each, "WorkflowTaskCompleted", 2)
    said = notebook.cell(flow(patched, version="two"))
    assert (
        "Order: 2 continue, 3 stay on the code that they started with: after event 10 no further command was recorded"
        in said
    )
    assert len({notebook.digest(each) for each in "ab"} | {notebook.digest(each) for each in "cde"}) == 2


def test_an_old_version_is_collected_when_its_last_run_closes(notebook: Notebook) -> None:
    notebook.cell(flow())
    [handle] = notebook.paid("a")
    old = notebook.digest("a")
    notebook.cell(flow(SLEEP, version="two"))
    module = f"durable_nb_version_{old}"
    assert old in notebook.hosted()
    assert module in sys.modules
    notebook.finish(handle)
    notebook.until_dropped(old)
    assert module not in sys.modules
    gc.collect()
    assert notebook.session.engine.store.get_definition(old) is not None


def test_a_helper_that_is_edited_alone_is_an_edit_of_the_workflow(notebook: Notebook) -> None:
    notebook.cell("def price(n):\n    return n + 10\n")
    notebook.cell(flow(result="price(paid)"))
    handles = notebook.paid("a", "b")
    old = notebook.digest("a")
    said = notebook.cell("def price(n):\n    return n + 20\n")
    assert "Order: 2 open runs continue on the new code" in said
    assert notebook.digest("a") != old
    assert notebook.finish(handles[0]) == 22
    said = notebook.cell("def price(n):\n    return workflow.sleep(5)\n")
    assert "continue on the new code" in said or "continues on the new code" in said


def test_a_helper_below_its_workflow_counts_when_the_cell_is_over(notebook: Notebook) -> None:
    cell = flow(first="paid = await step(n)") + "\nasync def step(n):\n    {}\n"
    one = "return await workflow.execute_activity(pay, n, start_to_close_timeout=timedelta(seconds=10))"
    notebook.cell(cell.format(one))
    [handle] = notebook.paid("a")
    said = notebook.cell(cell.format("await workflow.sleep(30)"))
    assert said.count("stays on the code") == 1
    assert "in step" in said
    assert notebook.finish(handle) == 3


def test_a_pinned_run_never_sees_the_new_helper(notebook: Notebook) -> None:
    notebook.cell("def price(n):\n    return n + 10\n")
    notebook.cell(flow(result="price(paid)"))
    [handle] = notebook.paid("a")
    notebook.cell("%config DurableNB.on_edit = 'pin'")
    said = notebook.cell("def price(n):\n    return n + 20\n")
    assert "Order: 1 open run stays pinned" in said
    assert notebook.finish(handle) == 12
    assert notebook.finish(notebook.paid("b")[0]) == 22


def test_activities_may_change_freely(notebook: Notebook) -> None:
    notebook.cell(flow())
    notebook.paid("a")
    old = notebook.digest("a")
    said = notebook.cell(flow().replace("return n * 2", "return n * 3"))
    assert "open run" not in said
    assert notebook.digest("a") == old
    assert notebook.finish(notebook.paid("b")[0]) == 4


def test_pin_keeps_all_open_runs_where_they_are(notebook: Notebook) -> None:
    notebook.cell(flow())
    [handle] = notebook.paid("a")
    said = notebook.cell(flow(version="two", options="--on-edit pin"))
    assert "Order: 1 open run stays pinned to the code of before" in said
    assert notebook.version(handle) == "one"
    assert notebook.version(notebook.start("b")) == "two"
    assert notebook.finish(handle) == 3


def test_fail_refuses_a_definition_that_would_strand_runs_and_changes_nothing(notebook: Notebook) -> None:
    notebook.cell(flow())
    [handle] = notebook.paid("a")
    before, hosted = notebook.shell.user_ns["Order"], notebook.hosted()
    said = notebook.cell(flow(SLEEP, options="--on-edit fail"), check=False)
    assert "Order was not registered: 1 of 1 open runs would have to stay" in said
    assert "recorded ActivityTaskScheduled pay" in said
    assert notebook.shell.user_ns["Order"] is before
    assert notebook.hosted() == hosted
    assert notebook.version(notebook.start("b")) == "one"
    assert notebook.finish(handle) == 3


def test_where_there_are_more_runs_than_are_judged_fail_refuses_and_continue_says_so(
    notebook: Notebook, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in ("definitions", "editing"):
        monkeypatch.setattr(f"durable_nb.notebook.{module}.MAX_RUNS", 2)
    notebook.cell(flow())
    notebook.paid("a", "b", "c")
    said = notebook.cell(flow(version="two", options="--on-edit fail"), check=False)
    assert "Order was not registered: at least 2 runs are open, and not all of them can be judged" in said
    said = notebook.cell(flow(version="two"))
    assert "Order: 2 continue, only the newest 2 were looked at and the others stay, until the next edit" in said
    assert notebook.digest("a") != notebook.digest("c")


def test_a_store_that_cannot_be_read_leaves_the_cell_alone(notebook: Notebook, monkeypatch: pytest.MonkeyPatch) -> None:
    notebook.cell("def price(n):\n    return n\n")
    notebook.cell(flow(result="price(paid)"))
    [handle] = notebook.paid("a")

    def refuse(*_: Any) -> Any:
        raise StoreLockedError("somebody holds the write lock")

    with monkeypatch.context() as patch:
        patch.setattr(notebook.session.engine.store, "count_versions", refuse)
        said = notebook.cell("def price(n):\n    return n + 5\nprint('done')\n")
    assert "done" in said
    assert "open runs could not be judged: somebody holds the write lock" in said
    assert "Traceback" not in said
    assert notebook.finish(handle) == 2, "on the code of before, which was kept"


def test_fail_takes_a_definition_that_strands_nobody(notebook: Notebook) -> None:
    notebook.cell(flow())
    [handle] = notebook.paid("a")
    said = notebook.cell(flow(version="two", options="--on-edit fail"))
    assert "Order: 1 open run continues on the new code" in said
    assert notebook.version(handle) == "two"


@pytest.mark.parametrize("edit", ["    return (", "    1 / 0"])
def test_a_cell_that_fails_changes_nothing(notebook: Notebook, edit: str) -> None:
    notebook.cell(flow())
    [handle] = notebook.paid("a")
    old = notebook.digest("a")
    broken = flow(SLEEP, version="two").replace("@workflow.defn\n", f"def f():\n{edit}\nf()\n@workflow.defn\n")
    notebook.cell(broken, check=False)
    assert notebook.digest("a") == old
    assert notebook.version(handle) == "one"
    assert notebook.version(notebook.start("b")) == "one"
    assert notebook.finish(handle) == 3


def test_what_a_failed_cell_did_not_come_to_is_not_taken_for_what_is(notebook: Notebook) -> None:
    notebook.cell("from datetime import timedelta\nWAIT = timedelta(seconds=5)\nimport enum\n")
    notebook.cell("class Colour(enum.Enum):\n    RED = 1\n")
    wrong = "1 / 0\nWAIT = timedelta(seconds=7)\nclass Colour(enum.Enum):\n    RED = 2\n"
    notebook.cell(f"EARLIER = 3\n{wrong}", check=False)
    notebook.cell(flow(result="paid + WAIT.seconds + Colour.RED.value + EARLIER"))
    text = notebook.session.definitions.keeper.current["Order"].unit.text
    assert "WAIT = timedelta(seconds=5)" in text
    assert "RED = 1" in text
    assert "EARLIER = 3" in text


def test_running_a_cell_again_as_it_is_says_nothing_about_runs_and_keeps_their_version(notebook: Notebook) -> None:
    notebook.cell(flow())
    [handle] = notebook.paid("a")
    old = notebook.digest("a")
    said = notebook.cell(flow())
    assert "run" not in said.replace("registered workflow Order", "")
    assert notebook.digest("a") == old
    assert notebook.hosted() == [old]
    assert notebook.finish(handle) == 3


def test_a_fixed_bug_lets_the_failing_run_go_on_in_the_same_cell(notebook: Notebook) -> None:
    notebook.cell(flow("paid = {}['sku']"))
    notebook.shell.user_ns["handle"] = handle = notebook.start("a")
    notebook.until("a", "WorkflowTaskFailed")
    said = notebook.cell(flow(PAY, version="two"))
    assert "Order: 1 open run continues on the new code" in said
    assert notebook.finish(handle) == 3


def test_a_fix_that_fails_too_is_taken_and_the_next_one_helps(notebook: Notebook) -> None:
    notebook.cell(flow("paid = {}['sku']"))
    handle = notebook.start("a")
    notebook.until("a", "WorkflowTaskFailed")
    notebook.cell(flow("paid = [][1]"))
    notebook.cell(flow(PAY, version="two"))
    assert notebook.version(handle) == "two"
    assert notebook.finish(handle) == 3


def test_new_code_that_raises_in_the_past_of_a_healthy_run_is_not_given_to_it(notebook: Notebook) -> None:
    notebook.cell(flow())
    [handle] = notebook.paid("a")
    said = notebook.cell(flow("paid = {}['sku']"))
    assert "1 stays on the code that it started with: the new code raises KeyError: 'sku'" in said
    assert notebook.finish(handle) == 3


def test_going_back_to_the_first_code_takes_the_run_along(notebook: Notebook) -> None:
    notebook.cell(flow())
    [handle] = notebook.paid("a")
    old = notebook.digest("a")
    notebook.cell(flow(version="two"))
    assert notebook.digest("a") != old
    notebook.cell(flow())
    assert notebook.digest("a") == old
    assert notebook.hosted() == [old]
    assert notebook.finish(handle) == 3


def test_live_state_is_told_and_still_works_while_the_kernel_lives(notebook: Notebook) -> None:
    notebook.cell("import threading\nlock = threading.Lock()\n")
    said = notebook.cell(flow(result="paid + int(lock.locked())"))
    assert "Order: after this kernel, open runs need this cell again" in said
    assert "lock: lock, made by threading.Lock(): its statement calls threading.Lock" in said
    [handle] = notebook.paid("a")
    notebook.cell(flow(SLEEP, result="paid + int(lock.locked())", version="two"))
    assert notebook.finish(handle) == 2


def test_cells_of_before_the_extension_count(shell: Any, tmp_path: Path, monkeypatch: Any, capsys: Any) -> None:
    monkeypatch.setenv("DURABLE_NB_STORE", f"sqlite:///{tmp_path}/test.db")
    shell.run_cell("from datetime import timedelta as td\nLONG = td(seconds=7)\n", store_history=True).raise_error()
    notebook = Notebook(shell, capsys)
    try:
        said = notebook.cell(flow(result="paid if LONG else 0"))
        assert "its source alone is not enough" not in said
        assert "LONG = td(seconds=7)" in notebook.session.definitions.keeper.current["Order"].unit.text
    finally:
        extension.unload_ipython_extension(shell)
        notebook.session.engine.close()


def test_a_signal_that_only_the_version_of_the_run_has_is_known(notebook: Notebook) -> None:
    notebook.cell(flow())
    [handle] = notebook.paid("a")
    notebook.cell(flow(SLEEP, version="two").replace("approve", "agree"))
    assert "was recorded" in repr(notebook.shell.run_line_magic("workflow", "signal a approve"))
    assert notebook.ask(handle.result()) == 3


def test_runs_whose_code_cannot_be_kept_apart_are_told_of(
    notebook: Notebook, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = tmp_path / "dnb_test_prices.py"
    module.write_text("def price(n):\n    return n\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    try:
        notebook.cell("from dnb_test_prices import price\nRATE = 1\n")
        notebook.cell(flow(result="price(paid) + RATE"))
        notebook.paid("a")
        module.write_text("def price(n):\n    return n + 1\n")
        assert "see what this cell changed" not in notebook.cell("OTHER = 2")
        said = notebook.cell("RATE = 2")
        assert "open runs of Order see what this cell changed, as their code of before cannot run by itself" in said
        assert "Order imports dnb_test_prices, whose file has changed since" in said
    finally:
        sys.modules.pop("dnb_test_prices", None)


def test_an_unknown_value_of_on_edit_is_refused(notebook: Notebook) -> None:
    said = notebook.cell(flow(options="--on-edit pinn"), check=False)
    assert "did you mean 'pin'" in said
    assert "Order" not in notebook.session.types()


def test_two_edits_in_a_row_ask_every_run_again(notebook: Notebook) -> None:
    notebook.cell(flow())
    [handle] = notebook.paid("a")
    notebook.cell(flow(SLEEP, version="two"))
    other = notebook.start("b")
    notebook.until("b", "TimerStarted")
    said = notebook.cell(flow(version="three"))
    assert "Order: 1 continues, 1 stays on the code" in said
    assert notebook.version(handle) == "three"
    assert notebook.version(other) == "two"
