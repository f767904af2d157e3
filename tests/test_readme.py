"""The README's first code works as it stands, and its commands are ones that CI runs."""

from __future__ import annotations

import asyncio
import re
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

from notebooks.demo.kernel import Kernel

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}[^\n]*\n(.*?)^```", README, re.MULTILINE | re.DOTALL)


def test_the_first_code_is_on_screen_one() -> None:
    before = README[: README.index("```python")]
    assert len(before.splitlines()) <= 25


def test_every_command_is_in_a_block_that_ci_executes() -> None:
    fences = set(re.findall(r"^```(\S+)", README, re.MULTILINE))
    assert fences == {"bash", "python", "text"}
    assert [body.strip() for body in blocks("bash")][:2] == ["make demo", "make lab"]


def test_a_command_that_ci_does_not_run_is_found(tmp_path: Path) -> None:
    (tmp_path / ".ci").mkdir()
    script = tmp_path / ".ci" / "readme"
    script.write_text((ROOT / ".ci" / "readme").read_text(encoding="utf-8"), encoding="utf-8")
    (tmp_path / ".ci" / "run").write_text("make test\n", encoding="utf-8")
    (tmp_path / "README.md").write_text("```bash ci-run\nmake test\nmake cake\n```\n", encoding="utf-8")
    done = subprocess.run([sys.executable, script], capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert "`make cake`" in done.stderr


@pytest.mark.slow
def test_the_first_code_runs_in_a_kernel(tmp_path: Path) -> None:
    cells = [nbformat.v4.new_code_cell(body) for body in blocks("python")]
    notebook = nbformat.v4.new_notebook(cells=cells)

    async def main() -> None:
        async with Kernel(tmp_path, {"DURABLE_NB_STORE": f"sqlite:///{tmp_path / 'durable.db'}"}) as kernel:
            await kernel.run_notebook(notebook)

    asyncio.run(main())
    told = {
        cell.source.strip().splitlines()[-1]: out.data["text/plain"]
        for cell in notebook.cells
        for out in cell.outputs
        if out.output_type == "execute_result"
    }
    pages = [len(f"page {page}") for page in range(20)]
    assert told["await handle.result()"] == str(sum(pages))
    assert told["await other.result()"] == str(sum(pages[:-1]) - 100)
    (frame,) = [text for line, text in told.items() if line.startswith("durable_nb.sql")]
    assert "measure" in frame
    assert "Completed" in frame
