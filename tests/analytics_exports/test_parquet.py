"""All views as Parquet: what is in the files is what the views answer, with and without Arrow."""

from __future__ import annotations

import importlib.util
import json
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import duckdb
import pytest

from durable_nb.analytics import VIEWS, open_explorer
from durable_nb.analytics.exports import write_runs
from durable_nb.client import Client, RPCError
from durable_nb.engine import open_engine
from durable_nb.errors import ExportError
from durable_nb.store import open_store
from durable_nb.store.protocol import Store
from durable_nb.testing import simulate_store

pytestmark = pytest.mark.slow  # DuckDB is loaded and a store is made.


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> str:
    return simulate_store(tmp_path_factory.mktemp("parquet") / "shop.db", runs=60, seed=3)


@pytest.fixture
def store(url: str) -> Iterator[Store]:
    opened = open_store(url)
    yield opened
    open_explorer(opened).close()
    opened.close()


@pytest.fixture(params=["arrow", "rows"])
def driver(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    if request.param == "rows":
        monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    return str(request.param)


@pytest.mark.usefixtures("driver")
def test_the_files_hold_what_the_views_answer(store: Store, tmp_path: Path) -> None:
    written = write_runs(tmp_path / "shop.parquet", None, store=store)
    explorer = open_explorer(store)
    assert {file.stem for file in (tmp_path / "shop.parquet").iterdir()} == set(VIEWS)
    assert written.runs == explorer.frame("SELECT count(*) AS n FROM runs").n[0] > 50
    cursor = explorer.cursor()
    with duckdb.connect() as reader:
        reader.execute("SET TimeZone = 'UTC'")
        for view in VIEWS.values():
            file = str(tmp_path / "shop.parquet" / f"{view.name}.parquet")
            items = ", ".join(f"{c.name}::VARCHAR AS {c.name}" for c in view.columns)
            question = f"SELECT {items} FROM {{}} ORDER BY ALL"
            cursor.execute(question.format(view.name))
            expected = cursor.fetchall()
            assert reader.execute(question.format(f"'{file}'")).fetchall() == expected
            kinds = {name: kind for name, kind, *_ in reader.execute(f"DESCRIBE SELECT * FROM '{file}'").fetchall()}
            assert kinds == {c.name: "VARCHAR" if c.type == "JSON" else c.type for c in view.columns}


@pytest.mark.usefixtures("driver")
def test_each_file_explains_itself(store: Store, tmp_path: Path) -> None:
    write_runs(tmp_path / "x", None, format="parquet", store=store)
    with duckdb.connect() as reader:
        rows = reader.execute(
            "SELECT key::VARCHAR, value::VARCHAR FROM parquet_kv_metadata(?)", [str(tmp_path / "x" / "runs.parquet")]
        ).fetchall()
    found = {key: value for key, value in rows if key.startswith("durable_nb")}
    assert found["durable_nb.view"] == VIEWS["runs"].versioned_name
    columns = json.loads(found["durable_nb.columns"].encode().decode("unicode_escape"))
    assert columns.keys() == {column.name for column in VIEWS["runs"].columns}


def test_nothing_is_overwritten_unasked_and_no_rest_stays(store: Store, tmp_path: Path) -> None:
    target = tmp_path / "x.parquet"
    target.mkdir()
    write_runs(target, None, store=store)  # an empty directory is free
    (target / "mine.txt").write_text("mine")
    with pytest.raises(ExportError, match="not empty"):
        write_runs(target, None, store=store)
    write_runs(target, None, store=store, overwrite=True)
    assert (target / "mine.txt").read_text() == "mine"
    (tmp_path / "file.parquet").write_text("x")
    with pytest.raises(ExportError, match="is a file"):
        write_runs(tmp_path / "file.parquet", None, store=store, overwrite=True)
    with pytest.raises(ExportError, match="there is no directory"):
        write_runs(tmp_path / "missing" / "x.parquet", None, store=store)
    assert {path.name for path in tmp_path.iterdir()} == {"x.parquet", "file.parquet"}


# -- some runs -----------------------------------------------------------------------------------------------------


@pytest.fixture
async def client(url: str) -> AsyncIterator[Client]:
    handle = open_engine(url, own_thread=True)
    yield Client(handle)
    open_explorer(handle.store).close()
    handle.close()


def rows_of(folder: Path, question: str) -> list[tuple[object, ...]]:
    """Answer of DuckDB where each ``{view}`` is the file of that view."""
    with duckdb.connect() as reader:
        return reader.execute(question.format_map({name: f"'{folder}/{name}.parquet'" for name in VIEWS})).fetchall()


def run_ids(folder: Path) -> set[object]:
    return {run_id for (run_id,) in rows_of(folder, "SELECT run_id FROM {runs}")}


async def test_runs_are_chosen_by_frame_id_or_filter(client: Client, tmp_path: Path) -> None:
    failed = client.sql("SELECT workflow_id, run_id FROM runs WHERE status = 'Failed'")
    assert (await client.export(tmp_path / "frame.parquet", runs=failed)).runs == len(failed) > 1
    assert run_ids(tmp_path / "frame.parquet") == set(failed["run_id"])
    query = "ExecutionStatus = 'Failed'"
    await client.export(tmp_path / "filter.parquet", query)
    assert run_ids(tmp_path / "filter.parquet") == set(failed["run_id"])
    assert (await client.export(tmp_path / "newest.parquet", query, limit=1)).runs == 1
    one = failed["workflow_id"].iloc[0]
    await client.export(tmp_path / "ids.parquet", runs=[one])
    await client.get_workflow_handle(one).export(tmp_path / "handle", format="parquet")
    assert run_ids(tmp_path / "ids.parquet") == run_ids(tmp_path / "handle")
    assert len(run_ids(tmp_path / "handle")) == 1
    with pytest.raises(RPCError, match="not found: 'nobody'"):
        await client.export(tmp_path / "x.parquet", runs=[one, "nobody"])
    with pytest.raises(ExportError, match="a filter and runs"):
        await client.export(tmp_path / "x.parquet", query, runs=failed)
    assert not (tmp_path / "x.parquet").exists()


@pytest.mark.usefixtures("driver")
async def test_every_view_holds_what_belongs_to_them_and_nothing_else(client: Client, tmp_path: Path) -> None:
    chosen = client.sql("SELECT run_key, workflow_id, run_id FROM runs WHERE workflow_type = 'OrderWorkflow' LIMIT 5")
    await client.export(tmp_path / "x.parquet", runs=chosen)
    keys = {"keys": chosen["run_key"].tolist()}
    for name, view in VIEWS.items():
        (found,) = rows_of(tmp_path / "x.parquet", f"SELECT count(*) FROM {{{name}}}")[0]
        if any(column.name == "run_key" for column in view.columns):
            asked = client.sql(f"SELECT count(*) AS n FROM {name} WHERE run_key IN (SELECT unnest($keys))", keys)
            assert found == asked.n[0], name
        elif name != "definitions":
            assert found == 0, name
    used = client.sql(
        "SELECT digest FROM definitions WHERE digest IN (SELECT definition_digest FROM runs WHERE list_contains($keys, "
        "run_key)) OR name IN (SELECT activity_type FROM activities WHERE list_contains($keys, run_key))",
        keys,
    )
    assert {d for (d,) in rows_of(tmp_path / "x.parquet", "SELECT digest FROM {definitions}")} == set(used["digest"])
    assert rows_of(tmp_path / "x.parquet", "SELECT count(*) FROM {events}") > [(10,)]


async def test_relatives_come_along_and_no_run_is_an_answer_too(client: Client, tmp_path: Path) -> None:
    (parent,) = client.sql("SELECT parent_run_id FROM runs WHERE parent_run_id IS NOT NULL LIMIT 1").iloc[0]
    named = client.sql("SELECT workflow_id, run_id FROM runs WHERE run_id = $id", {"id": parent})
    await client.export(tmp_path / "family.parquet", runs=named, children=True)
    family = client.sql("SELECT run_id FROM runs WHERE run_id = $id OR parent_run_id = $id", {"id": parent})
    assert run_ids(tmp_path / "family.parquet") >= set(family["run_id"])
    assert len(family) > 1
    assert (await client.export(tmp_path / "none.parquet", "WorkflowType = 'Nothing'")).runs == 0
    assert {file.stem for file in (tmp_path / "none.parquet").iterdir()} == set(VIEWS)


async def test_without_a_choice_it_is_the_whole_store(client: Client, tmp_path: Path) -> None:
    written = await client.export(tmp_path / "x.parquet")
    assert written.format == "parquet"
    assert written.runs == client.sql("SELECT count(*) AS n FROM runs").n[0]
