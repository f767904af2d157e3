"""Imports go downward only, and in no ring."""

from __future__ import annotations

import subprocess
import sys
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import grimp
import pytest

ROOT = Path(__file__).resolve().parent.parent


def ring_of(imports: dict[str, set[str]]) -> list[str]:
    """Names of one ring, or nothing."""
    try:
        TopologicalSorter(imports).prepare()
    except CycleError as error:
        return list(error.args[1])
    return []


def test_a_ring_would_be_found() -> None:
    assert set(ring_of({"a": {"b"}, "b": {"c"}, "c": {"a"}})) == {"a", "b", "c"}
    assert ring_of({"a": {"b"}, "b": set()}) == []


def test_no_modules_import_each_other_in_a_ring() -> None:
    graph = grimp.build_graph("durable_nb", exclude_type_checking_imports=True, cache_dir=None)
    imports = {module: graph.find_modules_directly_imported_by(module) for module in graph.modules}
    assert ring_of(imports) == []


@pytest.mark.slow
def test_the_layers_of_pyproject_hold() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "importlinter.cli", "lint"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
