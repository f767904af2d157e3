"""``%%workflow_sql``: variables are bound wherever they stand, and the frame is the cell's value."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pandas as pd
import pytest
from IPython.core.completer import provisionalcompleter

from durable_nb.client import _frames
from durable_nb.errors import NotebookError
from durable_nb.notebook import extension
from durable_nb.notebook.sql_magic import ProgressLine, bind

FLOW = "%%workflow\n@workflow.defn\nasync def double(n: int) -> int:\n    return n * 2\n"
EVIL = "x' OR 1=1; DROP VIEW runs; --"


def test_a_variable_becomes_a_parameter_and_never_text() -> None:
    bound = bind("SELECT * FROM runs WHERE workflow_id = {name} OR workflow_id = { name }", {"name": EVIL})
    assert bound.text == "SELECT * FROM runs WHERE workflow_id = $value_1 OR workflow_id = $value_1"
    assert (bound.params, bound.tables) == ({"value_1": EVIL}, {})


def test_strings_comments_and_structs_are_left_alone() -> None:
    query = """SELECT '{name}', "{name}", {'name': 1}, $${name}$$ -- {name}\n/* {name} */"""
    assert bind(query, {}) == (query, {}, {})


def test_dollar_names_and_attributes_are_variables_too() -> None:
    bound = bind("SELECT $n + {order.total}", {"n": 1, "order": SimpleNamespace(total=2.5)})
    assert bound.text == "SELECT $value_1 + $value_2"
    assert bound.params == {"value_1": 1, "value_2": 2.5}


def test_a_frame_becomes_a_table() -> None:
    frame = pd.DataFrame({"a": [1]})
    bound = bind("SELECT * FROM {prices} JOIN {prices} USING (a)", {"prices": frame})
    assert bound.text == "SELECT * FROM frame_1 JOIN frame_1 USING (a)"
    assert bound.tables == {"frame_1": frame}


def test_an_unknown_variable_is_said_with_a_suggestion() -> None:
    with pytest.raises(NotebookError, match="no variable"):
        bind("SELECT {tresh}", {"thresh": 1})


@pytest.fixture
def run(shell: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], Any]]:
    """Runs cells in a shell with the extension and a workflow ``d-1`` that is completed; gives a cell's value."""
    monkeypatch.setenv("DURABLE_NB_STORE", f"sqlite:///{tmp_path}/test.db")
    extension.load_ipython_extension(shell)

    def cell(text: str) -> Any:
        done = shell.run_cell(text)
        done.raise_error()
        return done.result

    cell(FLOW)
    cell("handle = await client.start_workflow(double, 21, id='d-1')\nresult = await handle.result()")
    yield cell
    engine = shell.durable_nb.engine if hasattr(shell, "durable_nb") else None
    extension.unload_ipython_extension(shell)
    _frames.set_current(None)
    if engine is not None:
        engine.close()


@pytest.mark.slow
def test_the_cell_shows_a_frame_of_what_was_asked(run: Callable[[str], Any]) -> None:
    run("kind = 'double'\nids = ['d-1', 'other']")
    frame = run(
        "%%workflow_sql\nSELECT workflow_id, status, result FROM runs\n"
        "WHERE workflow_type = {kind} AND workflow_id IN {ids}"
    )
    assert frame.to_dict("records") == [{"workflow_id": "d-1", "status": "Completed", "result": "42"}]


@pytest.mark.slow
def test_the_frame_can_be_kept_limited_and_of_another_kind(run: Callable[[str], Any], shell: Any, capsys: Any) -> None:
    assert run("%%workflow_sql kept << --limit 2 --as polars\nSELECT event_id FROM events ORDER BY 1") is None
    assert shell.user_ns["kept"].to_dict(as_series=False) == {"event_id": [1, 2]}
    said = capsys.readouterr().out
    assert "cut after 2 rows" in said
    assert "kept: 2 rows, 1 column\n" in said


@pytest.mark.slow
def test_a_word_of_pythons_is_no_name_to_keep_a_frame_under(run: Callable[[str], Any], shell: Any, capsys: Any) -> None:
    shell.run_cell("%%workflow_sql class <<\nSELECT 1 AS n")
    assert "'class' is a word of Python's" in capsys.readouterr().out
    assert "class" not in shell.user_ns


@pytest.mark.slow
def test_a_query_fits_on_a_line(run: Callable[[str], Any]) -> None:
    assert run("%workflow_sql --limit 5 SELECT count(*) AS n FROM runs").n.tolist() == [1]


@pytest.mark.slow
def test_help_names_the_views_and_the_columns_of_one(run: Callable[[str], Any], capsys: Any) -> None:
    run("%workflow_sql")
    assert "attempts" in capsys.readouterr().out
    run("%workflow_sql --help timers")
    assert "fire_at" in capsys.readouterr().out


@pytest.mark.slow
def test_what_is_no_question_is_refused_without_a_traceback(run: Callable[[str], Any], shell: Any, capsys: Any) -> None:
    capsys.readouterr()
    shell.run_cell("%%workflow_sql\nDROP VIEW runs")
    said = capsys.readouterr().out
    assert "DNB801 a query may only ask" in said
    assert "Traceback" not in said
    assert run("%workflow_sql SELECT count(*) AS n FROM runs").n.tolist() == [1]


@pytest.mark.slow
def test_views_and_columns_of_the_query_are_completed(run: Callable[[str], Any], shell: Any) -> None:
    def offered(text: str) -> list[str]:
        with provisionalcompleter():
            return [found.text for found in shell.Completer.completions(text, len(text))]

    assert "attempts" in offered("%%workflow_sql\nSELECT * FROM atte")
    assert "backoff_us" in offered("%%workflow_sql\nSELECT 1 FROM attempts WHERE bac")
    assert "attempts" not in offered("x = atte")


@pytest.mark.slow
def test_the_plain_functions_ask_the_store_of_the_notebook(run: Callable[[str], Any]) -> None:
    assert run("import durable_nb\ndurable_nb.sql('SELECT workflow_id FROM runs').workflow_id.tolist()") == ["d-1"]
    assert run("handle.events().event_type.iloc[-1]") == "WorkflowExecutionCompleted"


@pytest.mark.slow
def test_unloading_takes_the_magic_and_its_completion_back(shell: Any, run: Callable[[str], Any]) -> None:
    engine = shell.durable_nb.engine
    extension.unload_ipython_extension(shell)
    engine.close()
    assert "workflow_sql" not in shell.magics_manager.magics["cell"]
    assert shell.Completer.custom_matchers == []


def test_a_long_query_tells_on_one_line_how_far_it_is_and_a_short_one_nothing() -> None:
    published: list[tuple[str, bool]] = []
    now = [0.0]

    class Publisher:
        def publish(self, data: dict[str, str], *, update: bool, **_: Any) -> None:
            published.append((data["text/plain"], update))

    line = ProgressLine(SimpleNamespace(display_pub=Publisher()), clock=lambda: now[0])
    for at, text in ((0.5, "early"), (1.1, "1 row"), (1.2, "too soon"), (1.5, "2 rows")):
        now[0] = at
        line.tell(text)
    line.close()
    assert published == [("1 row", False), ("2 rows", True), ("", True)]
    short = ProgressLine(SimpleNamespace(display_pub=None), clock=lambda: 0.0)
    short.tell("fast")
    short.close()
