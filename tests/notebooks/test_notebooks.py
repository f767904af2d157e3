"""Every notebook of the repository runs as it stands, in a real kernel, and may be run again."""

from __future__ import annotations

import asyncio
import shutil
from collections import Counter
from pathlib import Path

import nbformat
import pytest

from notebooks.demo.facts import read_calls
from notebooks.demo.kernel import Kernel

FOLDER = Path(__file__).resolve().parent.parent.parent / "notebooks"
NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))
FIRST = FOLDER / "00_first_success.ipynb"


def run(path: Path, folder: Path) -> nbformat.NotebookNode:
    """Run a notebook from the top in a new kernel working in ``folder``; the notebook with its outputs."""
    notebook = nbformat.read(path, as_version=4)
    shutil.copytree(FOLDER / "data", folder / "data", dirs_exist_ok=True)

    async def main() -> None:
        async with Kernel(folder, {"DURABLE_NB_STORE": f"sqlite:///{folder / 'durable.db'}"}) as kernel:
            await kernel.run_notebook(notebook)

    asyncio.run(main())
    return notebook


def text_of(notebook: nbformat.NotebookNode) -> str:
    outputs = [out for cell in notebook.cells if cell.cell_type == "code" for out in cell.outputs]
    return "\n".join(out.get("text", "") or str(out.get("data", {}).get("text/plain", "")) for out in outputs)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.name)
def test_notebooks_are_stored_without_outputs_and_with_their_kernel_named(path: Path) -> None:
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    assert notebook.metadata.kernelspec.name == "python3"
    assert [cell.outputs for cell in notebook.cells if cell.cell_type == "code" and cell.outputs] == []


@pytest.mark.slow
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.name)
def test_notebooks_run_as_they_stand(path: Path, tmp_path: Path) -> None:
    run(path, tmp_path)


@pytest.mark.slow
def test_running_the_first_notebook_again_calls_no_service_again(tmp_path: Path) -> None:
    first = run(FIRST, tmp_path)
    calls = read_calls(tmp_path)
    again = run(FIRST, tmp_path)
    assert read_calls(tmp_path) == calls
    for notebook in (first, again):
        assert "600 orders have their result" in text_of(notebook)
        assert "0 orders were charged twice; 1 kernel(s)" in text_of(notebook)
    outcomes = Counter(call.outcome for call in calls)
    assert {"ok", "unavailable", "answer lost", "duplicate refused"} <= set(outcomes)
