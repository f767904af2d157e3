"""Runs that move from one store to another by a capsule: copied, replayed, gone on with, or refused."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from durable_nb.analytics.exports import RunRecord, read_capsule, read_runs, record_of_history, write_capsule
from durable_nb.client import Client, WorkflowExecutionStatus, WorkflowHandle, WorkflowHistory
from durable_nb.engine import open_engine
from durable_nb.errors import CapsuleError, StoreError
from durable_nb.model.attributes import TimerStarted, WorkflowExecutionTerminated, WorkflowTaskScheduled
from durable_nb.model.events import Event
from durable_nb.model.records import DefinitionRow, RunFilter
from durable_nb.worker import Replayer
from tests.analytics_exports.travellers import Guide, Side, Traveller
from tests.replay import scenes

Opener = Callable[[], Client]


@pytest.fixture(params=["memory", "sqlite"])
async def open_client(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Opener]:
    """Opens a store of its own at each call."""
    handles = []

    def make() -> Client:
        number = len(handles)
        url = "memory://" if request.param == "memory" else f"sqlite:///{tmp_path}/store-{number}.db"
        handle = open_engine(url, own_thread=False)
        handles.append(handle)
        return Client(handle)

    yield make
    for handle in handles:
        tasks = handle.engine.tasks
        handle.close()
        await asyncio.gather(*tasks, return_exceptions=True)


class OneSource:
    """Knows one definition."""

    def __init__(self, row: DefinitionRow) -> None:
        self.row = row

    def get_definition(self, digest: str) -> DefinitionRow | None:
        return self.row

    def latest_definition(self, kind: str, name: str) -> DefinitionRow | None:
        return self.row


def stored(client: Client) -> list[RunRecord]:
    return list(read_runs(client.engine.store, RunFilter("default", limit=0)))


async def replay(workflows: list[type], records: list[RunRecord]) -> dict[str, Exception | None]:
    replayer = Replayer(workflows=workflows)
    failures = {}
    for record in records:
        history = WorkflowHistory(record.run.workflow_id, record.events)
        result = await replayer.replay_workflow(history, raise_on_replay_failure=False)
        failures[record.run.run_id] = result.replay_failure
    return {run_id: failure for run_id, failure in failures.items() if failure is not None}


# -- closed runs ---------------------------------------------------------------------------------------------------


async def test_closed_runs_arrive_as_they_were_and_replay(
    open_client: Opener, gallery: list[RunRecord], tmp_path: Path
) -> None:
    closed = [record for record in gallery if record.is_closed]
    write_capsule(tmp_path / "x.capsule", closed)
    client = open_client()
    imported = await client.import_capsule(tmp_path / "x.capsule")
    assert {outcome.outcome for outcome in imported} == {"copied"}
    assert repr(imported) == f"<Imported {len(closed)} copied>"
    arrived = {record.run.run_id: record for record in stored(client)}
    assert arrived.keys() == {record.run.run_id for record in closed}
    for record in closed:
        found = arrived[record.run.run_id]
        assert list(found.events) == list(record.events)
        assert list(found.attempts) == list(record.attempts)
        same = msgspec.structs.replace(
            found.run, run_key=record.run.run_key, version=record.run.version, history_size=record.run.history_size
        )
        assert same == msgspec.structs.replace(record.run, wake_at=0)
    assert await replay(scenes.WORKFLOWS, list(arrived.values())) == {}


async def test_importing_again_changes_nothing(open_client: Opener, gallery: list[RunRecord], tmp_path: Path) -> None:
    write_capsule(tmp_path / "x.capsule", gallery[:5])
    client = open_client()
    await client.import_capsule(tmp_path / "x.capsule")
    before = stored(client)
    again = await client.import_capsule(tmp_path / "x.capsule")
    assert {outcome.outcome for outcome in again} == {"present"}
    assert stored(client) == before


async def test_a_closed_run_that_names_an_open_one_stays_as_it_was_and_may_come_again(
    open_client: Opener, by_workflow: dict[str, list[RunRecord]], tmp_path: Path
) -> None:
    parent = by_workflow["family"][0]
    child = next(r for r in by_workflow["family-named"] if r.run.parent_run_id == parent.run.run_id)
    opened = record_of_history(child.run.workflow_id, child.events[:3])
    still_open = msgspec.structs.replace(
        opened, run=msgspec.structs.replace(opened.run, run_id=child.run.run_id, start_time=child.run.start_time)
    )
    assert not still_open.is_closed
    write_capsule(tmp_path / "x.capsule", [parent, still_open])
    client = open_client()
    first = await client.import_capsule(tmp_path / "x.capsule")
    assert [outcome.outcome for outcome in first] == ["copied", "terminated"]
    again = await client.import_capsule(tmp_path / "x.capsule")
    assert [outcome.outcome for outcome in again] == ["present", "terminated"]
    assert len({first[1].run_id, again[1].run_id, child.run.run_id}) == 3
    found = {record.run.run_id: record for record in stored(client)}
    assert list(found[parent.run.run_id].events) == list(parent.events)


async def test_what_was_imported_can_be_exported_and_imported_again(
    open_client: Opener, gallery: list[RunRecord], tmp_path: Path
) -> None:
    first, second = open_client(), open_client()
    write_capsule(tmp_path / "1.capsule", gallery[:5])
    await first.import_capsule(tmp_path / "1.capsule")
    await first.export(tmp_path / "2.capsule")
    await second.import_capsule(tmp_path / "2.capsule")
    histories = [{record.run.run_id: list(record.events) for record in stored(client)} for client in (first, second)]
    assert histories[0] == histories[1]
    assert len(histories[0]) == 5


async def test_definitions_arrive_unsigned_and_do_not_run(
    open_client: Opener, gallery: list[RunRecord], tmp_path: Path
) -> None:
    class Sources:
        def get_definition(self, digest: str) -> DefinitionRow | None:
            return None

        def latest_definition(self, kind: str, name: str) -> DefinitionRow | None:
            return DefinitionRow(f"{kind}:{name}", name, kind, "raise SystemExit", "cell [1]", 5, "signature")

    write_capsule(tmp_path / "x.capsule", gallery[:1], lookup=Sources())
    client = open_client()
    await client.import_capsule(tmp_path / "x.capsule")
    row = client.engine.store.latest_definition("activity", "flaky")
    assert row is not None
    assert (row.source, row.signature) == ("raise SystemExit", "")


# -- open runs -----------------------------------------------------------------------------------------------------


async def half_way(client: Client, side: Side, workflow: Any = Traveller.run, *args: Any) -> WorkflowHandle[Any, Any]:
    """A run whose slow activity is under way."""
    name = "traveller" if workflow is Traveller.run else "guide"
    handle = await client.start_workflow(workflow, *args, id=name, task_queue="q")
    await side.arrived.wait()
    return handle


async def capsule_of_half(open_client: Opener, path: Path, seconds: float = 0.01) -> str:
    """A run exported half way from a store of its own; returns its run ID."""
    client, side = open_client(), Side("A")
    async with side.worker(client):
        handle = await half_way(client, side, Traveller.run, seconds)
        await handle.export(path)
        assert side.ran == ["quick", "slow 1"]
        side.gate.set()
        await handle.terminate()
    return handle.first_execution_run_id or ""


async def test_an_open_run_goes_on_where_it_is_imported_and_nothing_that_ended_runs_again(
    open_client: Opener, tmp_path: Path
) -> None:
    original = await capsule_of_half(open_client, tmp_path / "x.capsule")
    client, side = open_client(), Side("B")
    side.gate.set()
    async with side.worker(client):
        (outcome,) = await client.import_capsule(tmp_path / "x.capsule", resume=True)
        assert (outcome.outcome, outcome.original_run_id) == ("resumed", original)
        assert outcome.run_id != original
        handle = client.get_workflow_handle("traveller", result_type=list)
        await handle.signal("greet", "hello")
        result = await handle.result()
    assert result[:3] == ["here A", "slow B", "hello"]
    assert side.ran == ["slow 2"]
    (record,) = stored(client)
    assert record.run.run_id == outcome.run_id
    lost = [attempt for attempt in record.attempts if attempt.outcome == "lost"]
    assert [attempt.attempt for attempt in lost] == [1]
    assert await replay([Traveller], [record]) == {}


async def test_a_run_is_resumed_before_its_worker_comes(open_client: Opener, tmp_path: Path) -> None:
    await capsule_of_half(open_client, tmp_path / "x.capsule")
    client, side = open_client(), Side("B")
    side.gate.set()
    await client.import_capsule(tmp_path / "x.capsule", resume=True)
    await client.get_workflow_handle("traveller").signal("greet", "early")
    async with side.worker(client):
        result = await client.get_workflow_handle("traveller", result_type=list).result()
    assert result[:3] == ["here A", "slow B", "early"]


async def test_a_run_is_not_resumed_before_its_sources_are_here(
    open_client: Opener, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else it would go on without them after a restart, and could not be imported again."""
    await capsule_of_half(open_client, tmp_path / "x.capsule")
    capsule = read_capsule(tmp_path / "x.capsule")
    source = DefinitionRow("digest", "Traveller", "workflow", "class Traveller: ...", "cell [1]", 5, "")
    write_capsule(tmp_path / "x.capsule", capsule.runs, lookup=OneSource(source), overwrite=True)
    client = open_client()

    def die(_: object) -> None:
        raise StoreError("the disk is full")

    with monkeypatch.context() as dying:
        dying.setattr(client.engine.store, "put_definitions", die)
        with pytest.raises(StoreError):
            await client.import_capsule(tmp_path / "x.capsule", resume=True)
    assert stored(client) == []
    (outcome,) = await client.import_capsule(tmp_path / "x.capsule", resume=True)
    assert outcome.outcome == "resumed"
    assert client.engine.store.get_definition("digest") is not None


async def test_without_resume_the_copy_stands_still_and_replays(open_client: Opener, tmp_path: Path) -> None:
    original = await capsule_of_half(open_client, tmp_path / "x.capsule", 3600)
    client, side = open_client(), Side("B")
    async with side.worker(client):
        (outcome,) = await client.import_capsule(tmp_path / "x.capsule")
    assert outcome.outcome == "terminated"
    assert outcome.run_id != original
    (record,) = stored(client)
    assert record.run.status == WorkflowExecutionStatus.TERMINATED
    assert isinstance(record.events[-1].attributes, WorkflowExecutionTerminated)
    assert "copy" in record.events[-1].attributes.reason
    assert [attempt.outcome for attempt in record.attempts] == ["completed", "canceled"]
    assert (record.activities, record.workflow_task, record.transfers) == ([], None, [])
    assert side.ran == []
    assert client.engine.store.next_wake() == 0
    assert await replay([Traveller], [record]) == {}


async def test_a_parent_and_its_child_find_each_other_again(open_client: Opener, tmp_path: Path) -> None:
    first, side = open_client(), Side("A")
    async with side.worker(first):
        handle = await half_way(first, side, Guide.run)
        assert (await handle.export(tmp_path / "x.capsule", children=True)).runs == 2
        await handle.export(tmp_path / "alone.capsule")
        side.gate.set()
        await handle.terminate()
    second, side = open_client(), Side("B")
    side.gate.set()
    with pytest.raises(CapsuleError, match="waits for its child 'traveller'"):
        await second.import_capsule(tmp_path / "alone.capsule", resume=True)
    assert stored(second) == []
    async with side.worker(second):
        imported = await second.import_capsule(tmp_path / "x.capsule", resume=True)
        assert [outcome.outcome for outcome in imported] == ["resumed", "resumed"]
        await second.get_workflow_handle("traveller").signal("greet", "hi")
        result = await second.get_workflow_handle("guide", result_type=list).result()
    assert result[:3] == ["here A", "slow B", "hi"]
    by_id = {record.run.workflow_id: record for record in stored(second)}
    assert by_id["traveller"].run.parent_run_id == by_id["guide"].run.run_id
    assert await replay([Traveller, Guide], list(by_id.values())) == {}


async def test_random_numbers_go_on_as_they_would_have(open_client: Opener, tmp_path: Path) -> None:
    """The seed is the original run ID, so both continuations of one run draw the same."""
    await capsule_of_half(open_client, tmp_path / "x.capsule")
    drawn = []
    for name in "BC":
        client, side = open_client(), Side(name)
        side.gate.set()
        async with side.worker(client):
            await client.import_capsule(tmp_path / "x.capsule", resume=True)
            handle = client.get_workflow_handle("traveller", result_type=list)
            await handle.signal("greet", "hello")
            drawn.append((await handle.result())[-2:])
    assert drawn[0] == drawn[1]


async def test_an_overdue_timer_fires_after_the_import(open_client: Opener, tmp_path: Path) -> None:
    await capsule_of_half(open_client, tmp_path / "x.capsule", 0.001)
    record = read_capsule(tmp_path / "x.capsule").runs[0]
    assert any(isinstance(event.attributes, TimerStarted) for event in record.events)
    client, side = open_client(), Side("B")
    side.gate.set()
    async with side.worker(client):
        await client.import_capsule(tmp_path / "x.capsule", resume=True)
        handle = client.get_workflow_handle("traveller")
        await handle.signal("greet", "hello")
        await handle.result()
    names = [event.event_type.title for event in stored(client)[0].events]
    assert "TimerFired" in names


@pytest.mark.slow
async def test_temporals_own_replayer_accepts_copies_of_runs_that_were_open(
    open_client: Opener, by_workflow: dict[str, list[RunRecord]], tmp_path: Path
) -> None:
    from tests.replay.judge import verdicts

    chosen = [by_workflow[name][0] for name in ("outcomes", "timers", "mailbox", "fan-out")]
    # What a workflow task decided is committed together; between two tasks a run may be cut anywhere.
    cuts = [
        (whole, count)
        for whole in chosen
        for count in range(2, len(whole.events))
        if isinstance(whole.events[count - 1].attributes, WorkflowTaskScheduled)
    ]
    records = []
    for number, (whole, count) in enumerate(cuts):
        cut = record_of_history(f"{whole.run.workflow_id}-{number}", whole.events[:count])
        run = msgspec.structs.replace(cut.run, workflow_id=f"{whole.run.workflow_id}-{number}", run_id=f"run-{number}")
        records.append(msgspec.structs.replace(cut, run=run))
    write_capsule(tmp_path / "x.capsule", records)
    client = open_client()
    imported = await client.import_capsule(tmp_path / "x.capsule")
    assert {outcome.outcome for outcome in imported} == {"terminated"}
    copies = stored(client)
    assert await replay(scenes.WORKFLOWS, copies) == {}
    cases = [
        (f"{r.run.workflow_id} copy", r.run.workflow_type, WorkflowHistory(r.run.workflow_id, r.events).to_json())
        for r in copies
    ]
    judged = await asyncio.to_thread(verdicts, cases)
    assert {name: verdict["failure"] for name, verdict in judged.items() if verdict["failure"]} == {}
    assert len(judged) == len(cuts) > 20


# -- what does not fit ---------------------------------------------------------------------------------------------


async def refused(client: Client, call: Awaitable[Any], message: str) -> None:
    before = stored(client)
    with pytest.raises(CapsuleError, match=message):
        await call
    assert stored(client) == before


async def test_a_workflow_id_in_use_is_refused_and_nothing_is_written(open_client: Opener, tmp_path: Path) -> None:
    await capsule_of_half(open_client, tmp_path / "x.capsule")
    client, side = open_client(), Side("B")
    async with side.worker(client):
        await half_way(client, side, Traveller.run, 3600)
        await refused(
            client,
            client.import_capsule(tmp_path / "x.capsule", resume=True),
            "workflow ID 'traveller' has an open run",
        )
        (outcome,) = await client.import_capsule(tmp_path / "x.capsule")
        assert outcome.outcome == "terminated"
        side.gate.set()


async def test_a_run_that_is_here_with_another_history_is_refused(
    open_client: Opener, gallery: list[RunRecord], tmp_path: Path
) -> None:
    client = open_client()
    write_capsule(tmp_path / "x.capsule", gallery[:1])
    await client.import_capsule(tmp_path / "x.capsule")
    last = gallery[0].events[-1]
    later = Event(last.event_id, last.event_time + 1, last.attributes, last.user_metadata)
    other = msgspec.structs.replace(gallery[0], events=[*gallery[0].events[:-1], later])
    write_capsule(tmp_path / "y.capsule", [*gallery[1:4], other])
    await refused(client, client.import_capsule(tmp_path / "y.capsule"), "another history")


async def test_a_run_id_of_another_namespace_is_refused(
    open_client: Opener, gallery: list[RunRecord], tmp_path: Path
) -> None:
    client = open_client()
    write_capsule(tmp_path / "x.capsule", gallery[:2])
    await client.import_capsule(tmp_path / "x.capsule")
    other = Client(client.engine, namespace="other")
    await refused(client, other.import_capsule(tmp_path / "x.capsule"), "taken in this store")


@pytest.mark.parametrize("change", ["gap", "double start", "event after the end"])
async def test_a_history_that_no_engine_writes_is_refused(
    open_client: Opener, gallery: list[RunRecord], tmp_path: Path, change: str
) -> None:
    record = gallery[0]
    events = list(record.events)
    if change == "gap":
        del events[4]
    elif change == "double start":
        events[1] = Event(2, events[1].event_time, events[0].attributes)
    else:
        events[5] = Event(6, events[5].event_time, events[-1].attributes)
    run = msgspec.structs.replace(record.run, next_event_id=len(events) + 1)
    write_capsule(tmp_path / "x.capsule", [gallery[1], msgspec.structs.replace(record, events=events, run=run)])
    client = open_client()
    await refused(client, client.import_capsule(tmp_path / "x.capsule"), "no engine writes")
