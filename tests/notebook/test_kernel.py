"""The notebook layer in a real kernel: load, define, await, interrupt, kill, go on."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.notebook.kernel import Kernel, Output

pytestmark = [pytest.mark.slow, pytest.mark.timeout(120), pytest.mark.filterwarnings("default")]

FLOW = """\
%%workflow
from datetime import timedelta

@activity.defn
async def pay(n: int) -> int:
    with open("payments.txt", "a") as log:
        log.write(f"{n}\\n")
    return n * 2

@workflow.defn
class OrderWorkflow:
    def __init__(self) -> None:
        self.go = False

    @workflow.run
    async def run(self, n: int) -> int:
        paid = await workflow.execute_activity(pay, n, start_to_close_timeout=timedelta(seconds=10))
        await workflow.wait_condition(lambda: self.go)
        return paid + 1

    @workflow.signal
    def approve(self) -> None:
        self.go = True

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
    made.run("%load_ext durable_nb")
    made.run(FLOW)
    yield made
    made.stop()


def test_loading_is_fast_lean_and_offers_what_cells_need(tmp_path: Path) -> None:
    Kernel(tmp_path).warm_up()
    kernel = Kernel(tmp_path)
    try:
        out = kernel.run("import time; t = time.perf_counter()\n%load_ext durable_nb\ntook = time.perf_counter() - t")
        assert "store sqlite:///" in out.text
        assert "no run is unfinished" in out.text
        assert (tmp_path / "durable.db").exists()
        heavy = "[name for name in ('pandas', 'plotly', 'duckdb', 'numpy', 'temporalio') if name in sys.modules]"
        out = kernel.run(f"import sys\nprint(took, {heavy}, client, workflow.__name__, activity.__name__)")
        seconds, rest = out.text.split(" ", 1)
        assert float(seconds) < 1.5, "0.7 s on a quiet machine"
        assert rest.startswith("[] <Client of sqlite:///")
        assert "durable_nb.workflow durable_nb.activity" in rest
        assert "already loaded" in kernel.run("%load_ext durable_nb").text
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
    assert "<table>" in out.html[-1]
    assert out.seconds < 2


def test_magics_work_without_await_and_while_a_cell_blocks(kernel: Kernel) -> None:
    kernel.run("%workflow start OrderWorkflow --id magic-1 --input 3")
    out = kernel.run(
        "import time; time.sleep(0.3)\nq = %workflow query magic-1 waits\nprint(q)\n"
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


def interrupt_once(kernel: Kernel, after: str) -> tuple[list[float], Callable[[Output], None]]:
    """Interrupt when ``after`` was printed and the cell had a moment to begin waiting."""
    when: list[float] = []
    seen: list[float] = []

    def watch(output: Output) -> None:
        if after in output.text and not seen:
            seen.append(time.monotonic())
        if seen and not when and time.monotonic() - seen[0] > 0.5:
            when.append(time.monotonic())
            kernel.interrupt()

    return when, watch


WAITS = {
    "await": "await handle.result()",
    "magic": "r = %workflow result {handle}",
    "asyncio": "import asyncio; await asyncio.sleep(60)",
    "thread": "import time; time.sleep(60)",
}


@pytest.mark.parametrize("kind", WAITS)
def test_a_waiting_cell_is_interrupted_at_once_and_the_engine_goes_on(kernel: Kernel, kind: str) -> None:
    ident, wait = f"wait-{kind}", WAITS[kind]
    kernel.run(f"handle = await client.start_workflow(OrderWorkflow.run, 5, id='{ident}')")
    when, watch = interrupt_once(kernel, "waiting")
    out = kernel.run(f"print('waiting', flush=True)\n{wait}", on_output=watch, check=False)
    assert out.status == "error"
    assert out.ename in ("KeyboardInterrupt", "CancelledError")
    if kind in ("await", "magic"):
        assert "only the waiting ended, the workflow goes on" in out.traceback
    assert time.monotonic() - when[0] < 1.5
    after = kernel.run("await handle.signal(OrderWorkflow.approve)\nprint('got', await handle.result())")
    assert "got 11" in after.text


BUGGY = (
    "%%workflow\n@workflow.defn\nclass Buggy:\n    @workflow.run\n    async def run(self, n: int) -> int:\n        {}\n"
)


def test_a_bug_in_workflow_code_is_loud_and_the_fixed_cell_goes_on(kernel: Kernel) -> None:
    kernel.run(BUGGY.format("return {}['sku']"))
    out = kernel.run(
        "handle = await client.start_workflow(Buggy.run, 1, id='buggy-1')\n"
        "import asyncio\nawait asyncio.sleep(0.5)\nhandle"
    )
    assert "workflow code raised in Buggy buggy-1" in out.text
    assert "KeyError" in out.text
    assert "The run is not lost" in out.text
    assert "fix the cell and run it" in out.text
    kernel.run(BUGGY.format("return n + 1"))
    assert "fixed 2" in kernel.run("print('fixed', await handle.result())").text


def test_after_kill_the_next_kernel_names_the_cell_and_goes_on(tmp_path: Path) -> None:
    first = Kernel(tmp_path)
    try:
        first.run("%load_ext durable_nb")
        first.run(FLOW)
        first.run("hs = [await client.start_workflow(OrderWorkflow.run, n, id=f'o-{n}') for n in range(3)]")
        first.run("import time\nwhile len(open('payments.txt').readlines()) < 3: time.sleep(0.01)\ntime.sleep(0.3)")
    finally:
        first.kill()
    second = Kernel(tmp_path)
    try:
        welcome = second.run("%load_ext durable_nb").text
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
