"""The documented columns are the columns, with their types; and every view can be told about."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from durable_nb.analytics.feeds import open_feed
from durable_nb.analytics.mirror import Mirror
from durable_nb.analytics.views import VIEWS, describe
from durable_nb.store.memory import MemoryStore

NAMES = (
    "runs events activities attempts timers signals updates children workflow_tasks workers schedules definitions"
).split()


@pytest.fixture(scope="module")
def mirror() -> Iterator[Mirror]:
    store = MemoryStore()
    mirror = Mirror(open_feed(store))
    mirror.refresh()
    yield mirror
    mirror.close()


def test_the_twelve_views_are_there() -> None:
    assert set(NAMES) <= set(VIEWS)


@pytest.mark.parametrize("name", list(VIEWS))
def test_a_view_has_exactly_the_documented_columns_and_types(mirror: Mirror, name: str) -> None:
    view = VIEWS[name]
    documented = [(column.name, column.type) for column in view.columns]
    for called in (view.name, view.versioned_name):
        actual = mirror.cursor().execute(f"DESCRIBE {called}").fetchall()
        assert [(row[0], row[1]) for row in actual] == documented


@pytest.mark.parametrize("name", list(VIEWS))
def test_every_column_says_what_it_means_and_what_its_unit_is(name: str) -> None:
    for column in VIEWS[name].columns:
        assert column.meaning, column.name
        assert column.meaning[0].isupper() or column.meaning.split()[0] in {"received", "workflow", "1..n", "1"}, column
        if column.name.endswith("_us"):
            assert (column.unit, column.type) == ("µs", "BIGINT"), column.name
        if column.name.endswith(("_at", "_time")):
            assert (column.unit, column.type) == ("UTC", "TIMESTAMP WITH TIME ZONE"), column.name


def test_the_description_of_a_view_names_all_its_columns() -> None:
    text = describe("runs")
    assert text.startswith("runs (runs_v1): One row per run.")
    for column in VIEWS["runs"].columns:
        assert f"\n{column.name} " in text
    assert describe("runs_v1") == text


def test_the_list_of_views_names_each_with_its_meaning() -> None:
    lines = describe().splitlines()
    assert [line.split()[0] for line in lines] == list(VIEWS)


def test_a_mistyped_view_is_recognized() -> None:
    with pytest.raises(ValueError, match="did you mean 'activities'"):
        describe("activitys")


def test_an_empty_store_answers_every_view(mirror: Mirror) -> None:
    for name in VIEWS:
        assert mirror.cursor().execute(f"SELECT * FROM {name}").fetchall() == []
