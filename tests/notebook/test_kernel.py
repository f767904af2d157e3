"""The notebook layer in a real kernel: load, define, await, interrupt, kill, go on."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.notebook.kernel import ORDER, Kernel

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("default")]

FLOW = f"""\
{ORDER}
    @workflow.query
    def waits(self) -> bool:
        return not self.go
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("notebook")


@pytest.fixture(scope="module")
def kernel(folder: Path) -> Iterator[Kernel]:
    made = Kernel(folder)
    made.load()
    made.run(FLOW)
    yield made
    made.stop()


def test_loading_is_lean_and_offers_what_cells_need(tmp_path: Path) -> None:
    kernel = Kernel(tmp_path)
    try:
        out = kernel.load()
        assert "store sqlite:///" in out.text
        assert "no run is unfinished" in out.text
        assert (tmp_path / "durable.db").exists()
        heavy = "[name for name in ('pandas', 'plotly', 'duckdb', 'numpy', 'temporalio') if name in sys.modules]"
        out = kernel.run(f"import sys\nprint({heavy}, client, workflow.__name__, activity.__name__)")
        assert out.text.startswith("[] <Client of sqlite:///")
        assert "durable_nb.workflow durable_nb.activity" in out.text
        assert "already loaded" in kernel.load().text
        assert "store sqlite:///" in kernel.run("%reload_ext durable_nb").text
        assert "workflow show" in kernel.run("%workflow show --help").text
    finally:
        kernel.stop()


def test_one_cell_may_define_start_and_await(kernel: Kernel) -> None:
    out = kernel.run(
        "%%workflow\n@workflow.defn\nasync def double(n: int) -> int:\n    return n * 2\n\n"
        "print(await client.execute_workflow(double, 21, id='double-1'))\n"
    )
    assert "42" in out.text
    assert "registered workflow double" in out.text


def test_a_handle_shows_itself_as_table_and_text(kernel: Kernel) -> None:
    out = kernel.run("handle = await client.start_workflow(OrderWorkflow.run, 1, id='show-1')\nhandle")
    assert "OrderWorkflow  show-1  RUNNING" in out.text
    assert "<table" in "".join(out.html)


def test_magics_work_without_await_and_in_the_middle_of_a_cell(kernel: Kernel) -> None:
    kernel.run("%workflow start OrderWorkflow --id magic-1 --input 3")
    out = kernel.run(
        "q = %workflow query magic-1 waits\nprint(q)\n"
        "%workflow signal magic-1 approve\nr = %workflow result magic-1\nprint('result', r)"
    )
    assert "True" in out.text
    assert "result 7" in out.text
    shown = kernel.run("%workflow show magic-1").text
    assert "COMPLETED" in shown
    assert "result" in shown
    assert "pay" in shown
    assert "magic-1" in kernel.run("%workflow list --status completed").text
    assert "ActivityTaskCompleted" in kernel.run("%workflow history magic-1").text


def test_errors_are_short_and_the_traceback_is_one_command_away(kernel: Kernel) -> None:
    out = kernel.run("x = 1\n%workflow show magic-7", check=False)
    assert "there is no workflow 'magic-7': did you mean 'magic-1'?" in out.traceback
    assert len(out.traceback.splitlines()) < 8
    assert "raise" not in out.traceback
    more = kernel.run("%tb", check=False)
    assert "NotebookError" in more.traceback
    assert "Traceback" in more.traceback


IN_THE_LOOP = "import asyncio, pathlib\nasyncio.get_running_loop().call_soon(pathlib.Path('waits').touch)\n"
IN_THE_ENGINE = """\
import asyncio, pathlib
from tests.waiting import until
async def tell(engine):
    await until(lambda: len(engine.engine.watchers))
    pathlib.Path("waits").touch()
_ = asyncio.run_coroutine_threadsafe(tell(client.engine), client.engine.loop)
"""
FOR_EVER = 1000
WAITS = {
    "await": f"{IN_THE_LOOP}await handle.result()",
    "magic": f"{IN_THE_ENGINE}r = %workflow result {{handle}}",
    "asyncio": f"{IN_THE_LOOP}await asyncio.sleep({FOR_EVER})",
    "thread": f"import pathlib, time; pathlib.Path('waits').touch(); time.sleep({FOR_EVER})",
}
"""Cells that wait, and make the file ``waits`` when they do."""


@pytest.mark.parametrize("kind", WAITS)
def test_a_waiting_cell_is_interrupted_and_the_engine_goes_on(kernel: Kernel, folder: Path, kind: str) -> None:
    kernel.run(f"handle = await client.start_workflow(OrderWorkflow.run, 5, id='wait-{kind}')")
    interrupt = kernel.interrupt_at(folder / "waits", insist=kind == "thread")
    out = kernel.run(WAITS[kind], on_output=interrupt, check=False)
    assert out.status == "error"
    assert out.ename in ("KeyboardInterrupt", "CancelledError")
    if kind in ("await", "magic"):
        assert "only the waiting ended, the workflow goes on" in out.traceback
    after = kernel.run("await handle.signal(OrderWorkflow.approve)\nprint('got', await handle.result())")
    assert "got 11" in after.text


BUGGY = (
    "%%workflow\n@workflow.defn\nclass Buggy:\n    @workflow.run\n    async def run(self, n: int) -> int:\n        {}\n"
)
START_BUGGY = """\
import asyncio, threading
told = threading.Event()
client.engine.on_notice(lambda notice: told.set())
handle = await client.start_workflow(Buggy.run, 1, id="buggy-1")
await asyncio.to_thread(told.wait)
for thread in threading.enumerate():
    if thread.name == "durable_nb notice":
        thread.join()
handle
"""
"""Starts a run and waits until its trouble was told under the cell."""


def test_a_bug_in_workflow_code_is_loud_and_the_fixed_cell_goes_on(kernel: Kernel) -> None:
    kernel.run(BUGGY.format("return {}['sku']"))
    out = kernel.run(START_BUGGY)
    assert "workflow code raised in Buggy buggy-1" in out.text
    assert "KeyError" in out.text
    assert "The run is not lost" in out.text
    assert "fix the cell and run it" in out.text
    kernel.run(BUGGY.format("return n + 1"))
    assert "fixed 2" in kernel.run("print('fixed', await handle.result())").text


def test_after_kill_the_next_kernel_of_somebody_else_names_the_cell_and_goes_on_when_it_is_run(tmp_path: Path) -> None:
    first = Kernel(tmp_path, JUPYTER_DATA_DIR=str(tmp_path / "another user"))
    try:
        first.load()
        first.run(FLOW)
        first.run("hs = [await client.start_workflow(OrderWorkflow.run, n, id=f'o-{n}') for n in range(3)]")
        first.run("from tests.waiting import recorded\nfor h in hs: await recorded(h, 'ActivityTaskCompleted')")
        first.flush()
    finally:
        first.kill()
    second = Kernel(tmp_path)
    try:
        welcome = second.load().text
        assert "3 runs are unfinished: 3 wait for their definition" in welcome
        assert "OrderWorkflow (3 runs): run orders.ipynb cell [2]" in welcome
        second.run(
            "hs = [client.get_workflow_handle(f'o-{n}') for n in range(3)]\nfor h in hs: await h.signal('approve')"
        )
        shown = second.run("%workflow show o-1").text
        assert "waits for the definition of OrderWorkflow: run orders.ipynb cell [2]" in shown
        assert "pay" in shown
        again = second.run(FLOW).text
        assert "3 unfinished runs of OrderWorkflow go on" in again
        out = second.run("print('results', [await h.result() for h in hs])")
        assert "results [1, 3, 5]" in out.text
        assert sorted((tmp_path / "payments.txt").read_text().split()) == ["0", "1", "2"]
    finally:
        second.stop()
