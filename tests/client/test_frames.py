"""Frames for callers: plain functions that work on any loop and on none, and see what was awaited before."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from pandas.testing import assert_frame_equal

import durable_nb
from durable_nb import activity, workflow
from durable_nb.client import Client, _frames
from durable_nb.engine import open_engine
from durable_nb.errors import StoreUrlError
from durable_nb.service import RPCError, RPCStatusCode
from durable_nb.worker import Worker

QUEUE = "frames"


@activity.defn
async def weigh(value: object) -> int:
    return len(str(value))


@workflow.defn
class Weigh:
    @workflow.run
    async def run(self, value: object) -> int:
        return await workflow.execute_activity(weigh, value, start_to_close_timeout=timedelta(seconds=5))


@pytest.fixture
async def client(tmp_path: Path) -> AsyncIterator[Client]:
    engine = open_engine(f"sqlite:///{tmp_path}/frames.db", own_thread=False)
    client = Client(engine)
    async with Worker(client, task_queue=QUEUE, workflows=[Weigh], activities=[weigh]):
        yield client
    _frames.set_current(None)
    engine.close()


async def test_what_was_awaited_is_in_the_frame_also_on_the_engines_own_loop(client: Client) -> None:
    for number in range(3):
        handle = await client.start_workflow(Weigh.run, "abc", id=f"w-{number}", task_queue=QUEUE)
        assert await handle.result() == 3
        assert client.runs().workflow_id.tolist()[0] == f"w-{number}"
    frame = client.runs(workflow_type="Weigh", status="completed", limit=2)
    assert frame.workflow_id.tolist() == ["w-2", "w-1"]
    assert len(client.runs(status="Failed")) == 0
    with pytest.raises(ValueError, match="there is no status 'Runing': did you mean 'Running'"):
        client.runs(status="Runing")
    with pytest.raises(ValueError, match="there is no status 'x'; there are Running, "):
        client.runs(status="x")


async def test_a_handle_gives_the_events_activities_and_attempts_of_its_run(client: Client) -> None:
    handle = await client.start_workflow(Weigh.run, "abc", id="w", task_queue=QUEUE)
    await handle.result()
    events = handle.events()
    assert events.event_id.tolist() == list(range(1, len(events) + 1))
    assert events.event_type.iloc[0] == "WorkflowExecutionStarted"
    assert handle.activities()[["activity_type", "status", "result"]].to_numpy().tolist() == [
        ["weigh", "Completed", "3"]
    ]
    assert handle.attempts().status.tolist() == ["Completed"]


async def test_a_handle_without_a_run_id_means_the_current_run(client: Client) -> None:
    first = await client.start_workflow(Weigh.run, "a", id="again", task_queue=QUEUE)
    await first.result()
    second = await client.start_workflow(Weigh.run, "b", id="again", task_queue=QUEUE)
    await second.result()
    assert set(client.get_workflow_handle("again").events().run_id) == {second.result_run_id}
    assert set(client.get_workflow_handle("again", run_id=first.result_run_id).events().run_id) == {first.result_run_id}


async def test_a_workflow_that_is_not_there_is_said(client: Client) -> None:
    with pytest.raises(RPCError, match="workflow not found for ID: nobody") as raised:
        client.get_workflow_handle("nobody").events()
    assert raised.value.status is RPCStatusCode.NOT_FOUND


async def test_frames_come_in_three_kinds(client: Client) -> None:
    assert client.sql("SELECT 1 AS a", as_="polars").to_dict(as_series=False) == {"a": [1]}
    assert client.sql("SELECT 1 AS a", as_="arrow").to_pydict() == {"a": [1]}
    assert client.sql("SELECT 1 AS a").to_dict("list") == {"a": [1]}
    with pytest.raises(ValueError, match="as_ must be"):
        client.sql("SELECT 1", as_="excel")  # type: ignore[arg-type]


async def test_a_frame_may_stand_where_a_table_stands(client: Client) -> None:
    prices = pd.DataFrame({"kind": ["weigh"], "price": [2.5]})
    handle = await client.start_workflow(Weigh.run, "a", id="priced", task_queue=QUEUE)
    await handle.result()
    query = "SELECT sum(price) AS cost FROM attempts JOIN prices ON kind = activity_type"
    assert client.sql(query, tables={"prices": prices}).cost.tolist() == [2.5]


async def test_big_payloads_and_tables_are_decoded_on_demand(client: Client) -> None:
    table = pd.DataFrame({"n": np.arange(20_000), "label": "x"})
    handle = await client.start_workflow(Weigh.run, table, id="table", task_queue=QUEUE)
    await handle.result()
    found = client.sql("SELECT input, input_error, input_payloads, result_payload FROM runs")
    assert found.input.tolist() == ["[null]"]
    assert "kept in the blob table" in found.input_error[0]
    [decoded] = client.decode(found.input_payloads[0])
    assert_frame_equal(decoded, table)
    assert client.decode(found.result_payload)[0] == await handle.result()


async def test_the_current_store_is_that_of_the_client_that_connected_last(client: Client, tmp_path: Path) -> None:
    _frames.set_current(client)
    handle = await client.start_workflow(Weigh.run, "a", id="mine", task_queue=QUEUE)
    await handle.result()
    assert durable_nb.sql("SELECT workflow_id FROM runs").workflow_id.tolist() == ["mine"]
    assert durable_nb.explore().sql("SELECT count(*) FROM runs").fetchall() == [(1,)]
    with pytest.raises(StoreUrlError, match="there is no store yet"):
        durable_nb.sql("SELECT 1", url=f"sqlite:///{tmp_path}/nowhere.db")


def test_the_current_store_stays_when_nobody_keeps_its_client(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DURABLE_NB_STORE", f"sqlite:///{tmp_path}/another.db")
    durable_nb.connect(f"sqlite:///{tmp_path}/script.db").engine.close()
    gc.collect()
    try:
        assert len(durable_nb.sql("SELECT * FROM runs")) == 0
    finally:
        _frames.set_current(None)


def test_without_a_client_the_environment_names_the_store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    url = f"sqlite:///{tmp_path}/plain.db"
    client = durable_nb.connect(url)
    client.engine.close()
    del client
    gc.collect()
    _frames.set_current(None)
    monkeypatch.setenv("DURABLE_NB_STORE", url)
    assert len(durable_nb.sql("SELECT * FROM runs")) == 0


def test_a_script_without_a_loop_asks_through_an_engine_on_its_own_thread(tmp_path: Path) -> None:
    client = durable_nb.connect(f"sqlite:///{tmp_path}/script.db")
    try:
        assert len(client.runs()) == 0
        assert asyncio.run(asyncio.to_thread(lambda: len(client.runs()))) == 0
    finally:
        _frames.set_current(None)
        client.engine.close()
