"""The columns that a question names: what it is answered from must make no difference to the answer."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from durable_nb.analytics import VIEWS, Explorer, open_explorer
from durable_nb.analytics.named import named_columns, view_of
from durable_nb.errors import QueryError
from tests.analytics.random_sql import Dice
from tests.simulated import simulated

TINY = 40
"""Runs of a store in which dice may join anything with anything."""


@pytest.fixture(scope="module")
def explorer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Explorer]:
    """Of the simulated store, with everything held."""
    opened = open_explorer(simulated(Path(tmp_path_factory.mktemp("named"))))
    opened.cursor().close()
    yield opened
    opened.close()


def named(explorer: Explorer, query: str) -> dict[str, set[str]] | None:
    found = named_columns(explorer.mirror.cursor(), query)
    return None if found is None else {name: set(columns) for name, columns in found.columns.items()}


def rows(explorer: Explorer, query: str) -> list[str]:
    return sorted(map(repr, explorer.frame(query, as_="arrow", limit=None).to_pylist()))


@pytest.mark.parametrize("name", VIEWS)
def test_each_column_alone_shows_what_it_shows_beside_all_others(explorer: Explorer, name: str) -> None:
    cursor = explorer.mirror.cursor()
    columns = [column.name for column in VIEWS[name].columns]
    whole = cursor.execute(f"SELECT {', '.join(columns)} FROM {name}").fetchall()
    for place, column in enumerate(columns):
        cursor.execute(view_of(name).narrow_ddl(name, {column}))
        alone = cursor.execute(f"SELECT {column} FROM temp.{name}").fetchall()
        cursor.execute(f"DROP VIEW temp.{name}")
        assert sorted(map(repr, alone)) == sorted(repr((row[place],)) for row in whole), column


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("SELECT count(*) FROM runs", {"runs": set()}),
        ("SELECT count(*) FILTER (status = 'Failed') FROM runs", {"runs": {"status"}}),
        ('SELECT r."STATUS" FROM Runs_v1 AS r', {"runs_v1": {"status"}}),
        ("FROM runs SELECT workflow_id AS identity ORDER BY 1", {"runs": {"workflow_id", "identity"}}),
        ("SELECT status, count(*) AS runs FROM runs AS r GROUP BY ALL ORDER BY runs", {"runs": {"status"}}),
        ("SELECT * FROM (SELECT status FROM runs) AS x", {"runs": {"status"}}),
        ("WITH x AS (SELECT run_key FROM runs) SELECT x.*, y.* FROM x, (VALUES (1)) AS y", {"runs": {"run_key"}}),
        ("SELECT status FROM runs WHERE (SELECT count(*) FROM timers) > 0", {"runs": {"status"}, "timers": {"status"}}),
        ("SELECT 1 FROM runs r JOIN timers t USING (run_key)", {"runs": {"run_key"}, "timers": {"run_key"}}),
        (
            "WITH s AS (FROM runs SELECT run_key WHERE duration_us > 9) FROM activities SELECT run_us, run_key",
            {"runs": {"run_key", "duration_us"}, "activities": {"run_key", "duration_us", "run_us"}},
        ),
        (
            "SELECT max(duration_us) OVER (PARTITION BY workflow_type) FROM runs WHERE failure->>'$.message' LIKE ?",
            {"runs": {"duration_us", "workflow_type", "failure"}},
        ),
        (
            "FROM runs SELECT CAST(memo AS VARCHAR) WHERE start_time > TIMESTAMPTZ '2020-01-01' AND NOT memo IS NULL",
            {"runs": {"start_time", "memo"}},
        ),
    ],
)
def test_columns_are_found_wherever_they_stand(explorer: Explorer, query: str, found: dict[str, set[str]]) -> None:
    assert named(explorer, query) == found


UNNAMED = [
    "FROM runs",
    "TABLE runs",
    "SELECT * EXCLUDE (memo) FROM runs",
    "SELECT r.* FROM runs r",
    "SELECT r FROM runs r",
    "SELECT to_json(Runs) FROM runs",
    "SELECT count(r) FROM runs AS r",
    "SELECT runs.status, x.runs FROM runs, (SELECT 1 AS runs) AS x",
    "SELECT COLUMNS('.*_id') FROM runs",
    "SELECT #2 FROM runs",
    "SELECT b FROM runs AS r(a, b)",
    "SELECT count(*) FROM runs NATURAL JOIN timers",
    "SELECT status FROM main.runs",
    "SUMMARIZE runs",
    "DESCRIBE runs",
    "PIVOT runs ON status USING count(*) GROUP BY workflow_type",
    "SELECT * FROM runs UNPIVOT (value FOR name IN (workflow_id, run_id))",
    "EXPLAIN SELECT status FROM runs",
    "WITH x AS (FROM runs) SELECT status FROM x",
    "SELECT * FROM (SELECT 1), runs",
    "SELECT r.* FROM (SELECT 1) AS x JOIN runs AS r ON TRUE",
    "SELECT (SELECT r.*) FROM runs AS r",
    "SELECT count(*), any_value(COLUMNS(*)) FROM runs",
    "SELECT status FROM runs ORDER BY ALL",
]


@pytest.mark.parametrize("query", UNNAMED)
def test_a_question_that_may_read_columns_without_naming_them_gets_whole_views(explorer: Explorer, query: str) -> None:
    assert named(explorer, query) is None


@pytest.mark.parametrize(
    "query",
    [
        "SELECT workflow_type, status, count(*), avg(duration_us) FROM runs GROUP BY ALL",
        "SELECT DISTINCT ON (workflow_type) workflow_type FROM runs WHERE status <> 'Running' ORDER BY workflow_type",
        "SELECT run_key, continued_to_run_id FROM runs WHERE continued_to_run_id IS NOT NULL",
        "SELECT a.run_key, a.attempt, r.status FROM attempts a JOIN runs r USING (run_key) WHERE a.status = 'Failed'",
        "SELECT task_queue, count(*) FROM attempts GROUP BY 1",
        "SELECT child_run_key, status FROM children",
        "SELECT (SELECT count(*) FROM timers t WHERE t.run_key = r.run_key) AS timers FROM runs r",
        "SELECT status FROM runs UNION ALL SELECT status FROM signals",
        "SELECT list(DISTINCT event_type ORDER BY event_type) FROM events",
        "WITH runs AS (SELECT status AS s FROM runs) SELECT s, count(*) FROM runs GROUP BY s",
    ],
)
def test_an_answer_is_the_same_from_narrow_views(
    explorer: Explorer, query: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("pyarrow")
    assert named(explorer, query) is not None
    answer = rows(explorer, query)
    assert answer
    monkeypatch.setattr("durable_nb.analytics.access.wanted_of_named", lambda *_: None)
    assert rows(explorer, query) == answer


def test_a_wrong_name_is_explained_by_all_columns_that_there_are(explorer: Explorer) -> None:
    with pytest.raises(QueryError, match="identity"):
        explorer.frame("SELECT identitty FROM runs")


def test_a_macro_that_reads_more_than_its_question_names_gets_it(explorer: Explorer) -> None:
    explorer.cursor().execute("CREATE MACRO senders() AS (SELECT count(DISTINCT identity) FROM runs)")
    assert explorer.frame("SELECT senders() AS n, status FROM runs LIMIT 1").n[0] > 0


@pytest.mark.parametrize("macro", ["first_row()", "FIRST_ROW()", "(FROM first_rows())"])
def test_a_macro_that_reads_whole_rows_gets_all_columns(explorer: Explorer, macro: str) -> None:
    connection = explorer.cursor()
    connection.execute(
        "CREATE OR REPLACE MACRO first_row() AS (SELECT to_json(r) FROM runs r ORDER BY run_key LIMIT 1)"
    )
    connection.execute("CREATE OR REPLACE MACRO first_rows() AS TABLE SELECT first_row()")
    found = explorer.frame(f"SELECT {macro} AS whole, run_key FROM runs LIMIT 1").whole[0]
    assert len(json.loads(found)) == len(VIEWS["runs"].columns)


def test_a_question_that_failed_for_want_of_a_macro_is_read_anew_when_it_is_there(explorer: Explorer) -> None:
    query = "SELECT not_yet() AS n, status FROM runs LIMIT 1"
    with pytest.raises(QueryError, match="not_yet does not exist"):
        explorer.frame(query)
    explorer.cursor().execute("CREATE MACRO not_yet() AS (SELECT count(*) FROM (DESCRIBE runs))")
    assert explorer.frame(query).n[0] == len(VIEWS["runs"].columns)


@pytest.mark.parametrize("depth", [100, 400, 900])
def test_a_tree_may_be_as_deep_as_duckdb_takes_it(explorer: Explorer, depth: int) -> None:
    assert explorer.frame(f"SELECT 1{' + 1' * depth} AS n FROM runs LIMIT 1").n[0] == depth + 1


def test_what_another_thread_makes_it_forget_is_read_anew(explorer: Explorer, monkeypatch: pytest.MonkeyPatch) -> None:
    class Forgetful(dict[str, Any]):
        def __setitem__(self, query: str, needs: Any) -> None:
            """Somebody else clears it at once."""

    monkeypatch.setattr(explorer, "_narrow", Forgetful())
    assert explorer.frame("SELECT count(*) AS n FROM runs").n[0] > 0


def test_views_of_one_question_are_gone_with_it(explorer: Explorer) -> None:
    explorer.frame("SELECT status FROM runs LIMIT 1")
    assert len(explorer.frame("FROM runs LIMIT 1").columns) == len(VIEWS["runs"].columns)


def answer(explorer: Explorer, query: str) -> list[str] | str:
    """Rows, or why there are none; which value does not fit a type depends on which a plan reads first."""
    try:
        return rows(explorer, query)
    except QueryError as error:
        text = str(error)
        return "DNB800 types do not fit" if "Conversion Error" in text else text


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
def test_questions_made_by_dice_have_the_same_answer_from_narrow_views(
    tmp_path: Path, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("pyarrow")
    dice, answered = Dice(seed), 0
    (tmp_path / "whole").mkdir()
    with (
        closing(open_explorer(simulated(tmp_path, TINY))) as narrow,
        closing(open_explorer(simulated(tmp_path / "whole", TINY))) as whole,
    ):
        for _ in range(60):
            query = dice.question()
            found = answer(narrow, query)
            answered += isinstance(found, list) and named(narrow, query) is not None
            with monkeypatch.context() as patched:
                patched.setattr("durable_nb.analytics.access.wanted_of_named", lambda *_: None)
                expected = answer(whole, query)
            assert found == expected or "DNB800 types do not fit" in (found, expected), query
    assert answered > 15
