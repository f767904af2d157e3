"""The sources of the last cells are written behind the cells' back; who reads them from the store waits for them."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from durable_nb.analytics.exports import open_capsule
from durable_nb.notebook import extension
from tests.notebook.test_editing import SLEEP, Notebook, flow, notebook

__all__ = ["notebook"]

pytestmark = pytest.mark.slow


@pytest.fixture
def slow_disk(notebook: Notebook, monkeypatch: pytest.MonkeyPatch) -> Iterator[Notebook]:
    """A notebook whose sources reach the store only when somebody waits for them."""
    definitions, awaited = notebook.session.definitions, threading.Event()

    def settled() -> None:
        awaited.set()
        definitions.settle()

    notebook.session.engine.on_settle.insert(0, awaited.set)
    monkeypatch.setattr(definitions.restorer, "_settle", settled)
    notebook.session._disk.submit(awaited.wait)
    yield notebook
    awaited.set()


def test_a_comparison_shows_what_the_last_cell_changed(slow_disk: Notebook) -> None:
    slow_disk.cell(flow())
    assert slow_disk.finish(slow_disk.paid("a")[0]) == 3
    slow_disk.cell(flow(result="paid + 2"))
    assert slow_disk.finish(slow_disk.paid("b")[0]) == 4
    compared = slow_disk.shell.run_line_magic("workflow", "compare a b")
    assert {"-        return paid + 1", "+        return paid + 2"} <= set(compared.source_diff)


def test_a_capsule_holds_the_source_of_the_last_cell(slow_disk: Notebook, tmp_path: Path) -> None:
    slow_disk.cell(flow())
    slow_disk.paid("a")
    file = tmp_path / "a.capsule"
    slow_disk.shell.run_line_magic("workflow", f"export a {file}")
    assert {row.name for row in open_capsule(file).definitions} == {"Order", "pay"}


def test_a_comparison_in_python_shows_what_the_last_cell_changed(slow_disk: Notebook) -> None:
    slow_disk.cell(flow())
    slow_disk.finish(slow_disk.paid("a")[0])
    slow_disk.cell(flow(result="paid + 2"))
    slow_disk.finish(slow_disk.paid("b")[0])
    compared = slow_disk.ask(slow_disk.session.client.compare("a", "b"))
    assert {"-        return paid + 1", "+        return paid + 2"} <= set(compared.source_diff)


def test_a_capsule_that_python_writes_holds_the_source_of_the_last_cell(slow_disk: Notebook, tmp_path: Path) -> None:
    slow_disk.cell(flow())
    [handle] = slow_disk.paid("a")
    file = tmp_path / "a.capsule"
    slow_disk.ask(handle.export(file))
    assert {row.name for row in open_capsule(file).definitions} == {"Order", "pay"}


def test_sql_sees_the_source_of_the_last_cell(slow_disk: Notebook) -> None:
    slow_disk.cell(flow())
    found = slow_disk.session.client.sql("SELECT name FROM definitions")
    assert set(found["name"]) == {"Order", "pay"}


def test_a_notebook_that_is_unloaded_is_waited_for_no_more(notebook: Notebook) -> None:
    engine = notebook.session.engine
    assert len(engine.on_settle) == 1
    extension.unload_ipython_extension(notebook.shell)
    assert engine.on_settle == []


def test_a_closed_run_is_seen_on_the_version_that_the_last_cell_replaced(slow_disk: Notebook) -> None:
    slow_disk.cell(flow())
    [handle] = slow_disk.paid("a")
    assert slow_disk.finish(handle) == 3
    slow_disk.cell(flow(SLEEP, version="two"))
    moment: Any = slow_disk.ask(handle.at(5))
    assert moment.locals == {"n": 1}
    assert moment.code.endswith("from its stored source")
