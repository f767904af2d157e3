"""Exports as callers ask for them: of a handle, of a client, of a whole tree; on a real engine."""

from __future__ import annotations

import json
import os
import zipfile
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from durable_nb.client import Client, RPCError
from durable_nb.errors import ExportError
from durable_nb.testing import WorkflowEnvironment
from durable_nb.worker import Worker
from tests.replay import activities, scenes


@pytest.fixture
async def client() -> AsyncIterator[Client]:
    """A store with a family, a chain of three runs and a failed run."""
    async with (
        await WorkflowEnvironment.start_time_skipping() as environment,
        Worker(
            environment.client,
            task_queue=scenes.QUEUE,
            workflows=scenes.WORKFLOWS,
            activities=activities.ALL,
            graceful_shutdown_timeout=timedelta(0),
        ),
    ):
        stage = scenes.Stage(environment.client)
        await scenes.children(stage)
        await scenes.continued(stage)
        await stage.finish(await stage.start(scenes.gallery.Fails, "plain", id="failed"))
        yield environment.client


async def test_a_handle_exports_its_run(client: Client, tmp_path: Path) -> None:
    handle = client.get_workflow_handle("family")
    written = await handle.export(tmp_path / "family.json")
    assert (written.runs, written.format) == (1, "json")
    assert json.loads((tmp_path / "family.json").read_text()) == (await handle.fetch_history()).to_json_dict()
    trace = await handle.export(tmp_path / "family.trace.json", children=True)
    assert trace.runs == 7


async def test_a_chain_is_followed_in_both_directions(client: Client, tmp_path: Path) -> None:
    assert (await client.get_workflow_handle("looping").export(tmp_path / "chain.zip", chain=True)).runs == 3
    with zipfile.ZipFile(tmp_path / "chain.zip") as archive:
        assert len(archive.namelist()) == 4


async def test_a_client_exports_what_a_filter_selects(client: Client, tmp_path: Path) -> None:
    count = (await client.count_workflows()).count
    assert (await client.export(tmp_path / "all.xes")).runs == count == 11
    query = "ExecutionStatus = 'Failed'"
    failed = (await client.count_workflows(query)).count
    assert (await client.export(tmp_path / "failed.csv", query)).runs == failed == 3
    assert (await client.export(tmp_path / "two.csv", limit=2)).runs == 2
    assert (await client.export(tmp_path / "none.csv", limit=0)).runs == 0
    nothing = "ExecutionStatus = 'Failed' AND ExecutionStatus = 'Completed'"
    assert (await client.export(tmp_path / "nothing.csv", nothing)).runs == 0


async def test_times_in_a_filter_hold_for_exports_too(client: Client, tmp_path: Path) -> None:
    starts = sorted([run.start_time async for run in client.list_workflows()])
    query = f"StartTime > '{starts[4].isoformat()}'"
    expected = (await client.count_workflows(query)).count
    assert (await client.export(tmp_path / "later.csv", query)).runs == expected == sum(at > starts[4] for at in starts)
    assert 0 < expected < len(starts)


async def test_runs_are_named_by_handles_and_ids_and_keep_their_order(client: Client, tmp_path: Path) -> None:
    named = ["failed", client.get_workflow_handle("family")]
    await client.export(tmp_path / "named.zip", runs=named)
    with zipfile.ZipFile(tmp_path / "named.zip") as archive:
        assert [name.partition("/")[0] for name in archive.namelist()] == ["failed", "family", "index.csv"]
    assert (await client.export(tmp_path / "one.csv", runs=named, limit=1)).runs == 1
    with pytest.raises(TypeError, match="names no run"):
        await client.export(tmp_path / "x.csv", runs=[5])


async def test_spans_of_clients_and_handles_go_to_an_exporter(client: Client) -> None:
    exporter = InMemorySpanExporter()
    family = await client.get_workflow_handle("family").send_spans(exporter, children=True)
    spans = exporter.get_finished_spans()
    assert len(spans) == family
    assert len({span.context.trace_id for span in spans}) == 1
    assert sum(span.name.startswith("RunWorkflow:") for span in spans) == 7
    exporter.clear()
    await client.send_spans(exporter, "ExecutionStatus = 'Failed'")
    assert sum(span.name.startswith("RunWorkflow:") for span in exporter.get_finished_spans()) == 3


async def test_mistakes_are_told_and_write_nothing(client: Client, tmp_path: Path) -> None:
    with pytest.raises(RPCError, match="not found"):
        await client.get_workflow_handle("nobody").export(tmp_path / "x.json")
    with pytest.raises(RPCError):
        await client.export(tmp_path / "x.csv", "Colour = 'red'")
    with pytest.raises(ExportError):
        await client.export(tmp_path / "x.doc")
    assert not os.listdir(tmp_path)


async def test_pages_are_followed_to_the_last_run(
    client: Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from durable_nb.analytics.exports import reading

    for page in (1, 2, 11, 12):
        monkeypatch.setattr(reading, "PAGE", page)
        assert (await client.export(tmp_path / f"{page}.csv")).runs == 11
        assert (await client.export(tmp_path / f"limit-{page}.csv", limit=5)).runs == 5
