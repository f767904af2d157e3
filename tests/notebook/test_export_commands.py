"""``%workflow export`` and ``import`` on a real engine in a shell."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from durable_nb.analytics.exports import read_capsule
from durable_nb.errors import CapsuleError, ExportError, NotebookError
from durable_nb.notebook import extension

CELL = """\
%%workflow
@activity.defn
async def charge(amount: int) -> str:
    return f"charged {amount}"

@workflow.defn
class Order:
    @workflow.run
    async def run(self, amount: int) -> str:
        return await charge(amount)
"""


@pytest.fixture
def magic(shell: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], Any]]:
    """Runs a line of ``%workflow``; the notebook has the cell above."""
    monkeypatch.setenv("DURABLE_NB_STORE", f"sqlite:///{tmp_path}/test.db")
    monkeypatch.chdir(tmp_path)
    extension.load_ipython_extension(shell)
    shell.run_cell(CELL).raise_error()
    engines = [shell.durable_nb.engine]

    def run(line: str) -> Any:
        value = shell.run_line_magic("workflow", line)
        if shell.durable_nb.engine not in engines:
            engines.append(shell.durable_nb.engine)
        return value

    for number in (1, 2):
        run(f"start Order --id order-{number} --input {number} --wait")
    yield run
    extension.unload_ipython_extension(shell)
    for engine in engines:
        engine.close()


def text(shown: Any) -> str:
    return str(shown._repr_mimebundle_()["text/plain"])


def test_a_run_is_exported_by_the_end_of_the_file_name(magic: Callable[[str], Any], tmp_path: Path) -> None:
    assert "1 run written to order.json" in text(magic("export order-1 order.json"))
    assert json.loads((tmp_path / "order.json").read_text())["events"][0]["eventId"] == "1"
    magic("export order-1 order.html")
    assert "charged 1" in (tmp_path / "order.html").read_text()
    magic("export order-1 trace --format chrome")
    assert "traceEvents" in (tmp_path / "trace").read_text()


def test_a_star_exports_all_runs_or_those_of_a_filter(magic: Callable[[str], Any]) -> None:
    assert "2 runs written" in text(magic("export * all.csv"))
    assert "1 run written" in text(magic("export * one.csv --query \"WorkflowId = 'order-2'\""))
    assert "1 run written" in text(magic("export --limit 1 * newest.csv"))


def test_slips_say_what_to_write(magic: Callable[[str], Any]) -> None:
    with pytest.raises(NotebookError, match="did you mean"):
        magic("export ordr-1 x.json")
    with pytest.raises(NotebookError, match="select several runs"):
        magic("export order-1 x.json --limit 3")
    with pytest.raises(ExportError, match="does not tell a format"):
        magic("export order-1 x.doc")
    magic("export order-1 x.json")
    with pytest.raises(ExportError, match="exists"):
        magic("export order-1 x.json")
    magic("export order-1 x.json --overwrite")


def test_a_capsule_carries_the_sources_and_is_imported_elsewhere(
    magic: Callable[[str], Any], tmp_path: Path, shell: Any
) -> None:
    magic("export * orders.capsule")
    capsule = read_capsule(tmp_path / "orders.capsule")
    assert {row.name for row in capsule.definitions} >= {"Order"}
    magic(f"connect sqlite:///{tmp_path}/other.db")
    shown = magic("import orders.capsule")
    assert "order-1" in text(shown)
    assert "copied" in text(shown)
    assert "was here already" in text(magic("import orders.capsule"))
    assert "charged 1" in text(magic("show order-1"))
    with pytest.raises(CapsuleError, match="no such file"):
        magic("import nowhere.capsule")
