"""A question brings in what it needs: never too little, and not everything."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from durable_nb.analytics import VIEWS, Explorer, open_explorer
from durable_nb.analytics.event_types import ALL_TYPES, NO_TYPES
from durable_nb.analytics.wanted import EVERYTHING, wanted
from durable_nb.errors import QueryError
from durable_nb.model.enums import EventType
from tests.simulated import simulated

EMPTY = {"schedules", "metrics"}
"""Views of which the simulated store has no row."""


@pytest.fixture
def fresh(tmp_path: Path) -> Iterator[Callable[[], Explorer]]:
    """Explorers of one store, each of which holds nothing yet."""
    url = simulated(tmp_path)
    made: list[Explorer] = []

    def make() -> Explorer:
        for explorer in made:
            explorer.close()
        made.append(open_explorer(url))
        return made[-1]

    yield make
    made[-1].close()


def held(explorer: Explorer) -> set[int]:
    """Types of the events that are held."""
    found = explorer.mirror.cursor().execute("SELECT DISTINCT event_type FROM mirror.main.events").fetchall()
    return {number for (number,) in found}


def rows(explorer: Explorer, query: str) -> list[Any]:
    table = explorer.frame(query, as_="arrow", limit=None)
    return sorted(map(repr, table.to_pylist()))


@pytest.mark.parametrize("name", VIEWS)
def test_a_view_shows_the_same_alone_as_with_everything_held(fresh: Callable[[], Explorer], name: str) -> None:
    pytest.importorskip("pyarrow")
    alone = rows(fresh(), f"SELECT * FROM {name}")
    whole = fresh()
    whole.cursor()
    assert held(whole) > {1, 5, 6, 7, 10, 11, 12}
    assert rows(whole, f"SELECT * FROM {name}") == alone
    assert alone or name in EMPTY


def test_a_question_about_runs_brings_in_how_they_began_and_ended_only(fresh: Callable[[], Explorer]) -> None:
    explorer = fresh()
    explorer.frame("SELECT * FROM runs")
    kept = held(explorer)
    assert int(EventType.WORKFLOW_EXECUTION_STARTED) in kept
    assert not kept & {int(EventType.ACTIVITY_TASK_SCHEDULED), int(EventType.WORKFLOW_TASK_SCHEDULED)}
    attempts = explorer.mirror.cursor().execute("SELECT count(*) FROM mirror.main.attempts").fetchall()
    assert attempts == [(0,)]


def test_a_question_brings_in_no_more_than_the_columns_that_it_names_need(fresh: Callable[[], Explorer]) -> None:
    explorer = fresh()
    explorer.frame("SELECT workflow_type, status, count(*) FROM runs GROUP BY ALL")
    assert held(explorer) == set()
    explorer.frame("SELECT identity FROM runs")
    assert held(explorer) == {int(EventType.WORKFLOW_EXECUTION_STARTED)}
    assert explorer.frame("SELECT failure_type FROM runs WHERE status = 'Failed'").failure_type.notna().all()


def test_later_questions_add_what_they_need_and_nothing_comes_twice(fresh: Callable[[], Explorer]) -> None:
    whole = fresh().frame("SELECT count(*) AS n FROM events").n[0]
    explorer = fresh()
    for query in ("FROM runs", "FROM activities", "FROM workflow_tasks", "FROM timers, attempts LIMIT 1"):
        explorer.frame(f"{query}")
    assert explorer.frame("SELECT count(*) AS n FROM events").n[0] == whole
    assert explorer.frame("SELECT count(*) - count(DISTINCT seq) AS n FROM events").n[0] == 0


def test_events_of_a_small_store_stand_in_their_order_whatever_was_asked_before(fresh: Callable[[], Explorer]) -> None:
    explorer = fresh()
    explorer.frame("FROM activities")
    numbers = explorer.frame("SELECT seq FROM events").seq
    assert numbers.is_monotonic_increasing
    assert numbers.is_unique


@pytest.mark.parametrize(
    "query",
    [
        "SELECT * FROM query_table('ru' || 'ns')",
        "FROM query('FROM ' || 'runs')",
        "FROM json_execute_serialized_sql(json_serialize_sql('FROM ev' || 'ents'))",
        "SELECT count(*) FROM mirror.main.events",
        "SELECT count(*) FROM Internal.Attempts",
        "WITH x AS (FROM EVENTS_v1) SELECT * FROM x",
    ],
)
def test_what_may_reach_any_row_wants_everything(query: str) -> None:
    found = wanted(query)
    assert found.types == ALL_TYPES
    assert found.attempts or "EVENTS_v1" in query


@pytest.mark.parametrize("query", ["SHOW TABLES", "SELECT 1", "SELECT * FROM information_schema.tables", "DESCRIBE ru"])
def test_questions_about_views_see_all_of_them_and_need_no_rows(query: str) -> None:
    found = wanted(query)
    assert found.views == EVERYTHING.views
    assert found.types == NO_TYPES


def test_a_name_counts_wherever_it_stands() -> None:
    assert wanted('SELECT * FROM "RUNS" JOIN activities_v1 a USING (run_key)').views == {"runs", "activities"}
    assert wanted("SELECT * FROM (FROM/**/timers)").views == {"timers"}


def test_a_misspelt_view_beside_a_right_one_is_recognized(fresh: Callable[[], Explorer]) -> None:
    with pytest.raises(QueryError, match='Did you mean "activities"'):
        fresh().frame("SELECT * FROM runs JOIN activites USING (run_key)")


def test_a_list_of_views_is_whole_at_once(fresh: Callable[[], Explorer]) -> None:
    assert set(VIEWS) <= set(fresh().frame("SHOW TABLES").name)
    explorer = fresh()
    explorer.frame("SELECT count(*) FROM runs")
    shown = explorer.frame("SELECT view_name FROM duckdb_views() WHERE view_name IN (SELECT 'timers' FROM runs)")
    assert shown.view_name.tolist() == ["timers"]
