"""``%%workflow_sql`` in a real kernel: a frame under the cell, and an interrupt that leaves everything usable."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.notebook.kernel import Kernel

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("default")]

FLOW = "%%workflow\n@workflow.defn\nasync def double(n: int) -> int:\n    return n * 2\n"
ENDLESS = (
    "%%workflow_sql\nSELECT count(*) FROM range(10000000) AS a, range(10000000) AS b WHERE a.range + b.range < {limit}"
)


@pytest.fixture
def kernel(tmp_path: Path) -> Iterator[Kernel]:
    made = Kernel(tmp_path)
    made.load()
    made.run(FLOW)
    yield made
    made.stop()


TELL = """\
import asyncio, pathlib, threading
from tests.waiting import until
async def tell():
    await until(lambda: any(thread.name == "durable_nb query" for thread in threading.enumerate()))
    pathlib.Path("asked").touch()
_ = asyncio.run_coroutine_threadsafe(tell(), client.engine.loop)
"""
"""The file ``asked`` is made when a question is under way."""


def test_a_question_is_interrupted_and_the_next_is_answered_by_the_same_engine(kernel: Kernel, tmp_path: Path) -> None:
    kernel.run("limit = -1\nhandle = await client.start_workflow(double, 21, id='d-1')\nprint(await handle.result())")
    shown = kernel.run("%%workflow_sql\nSELECT workflow_id, status, result FROM runs WHERE workflow_id = {handle.id}")
    assert "d-1" in shown.text
    assert "Completed" in shown.text
    assert "<table" in shown.html[-1]
    kernel.run(TELL)
    stopped = kernel.run(ENDLESS, on_output=kernel.interrupt_at(tmp_path / "asked"), check=False)
    assert (stopped.status, stopped.ename) == ("error", "KeyboardInterrupt")
    again = kernel.run(
        "other = await client.start_workflow(double, 4, id='d-2')\nawait other.result()\nprint(len(client.runs()))"
    )
    assert again.text.strip() == "2"
