"""Capsules that hold much: what attempts printed goes along, and runs are never in memory together."""

from __future__ import annotations

import json
import tracemalloc
import zipfile
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from durable_nb.analytics.exports import RunRecord, read_capsule, read_runs, record_of_history, write_capsule
from durable_nb.client import Client
from durable_nb.engine import imports, open_engine
from durable_nb.errors import CapsuleError, StoreError
from durable_nb.model.events import Event
from durable_nb.model.payload import Payload
from durable_nb.model.records import OutputRow, RunFilter

MEGABYTE = 1024**2


def printed(record: RunRecord, text: str = "hello", **changes: object) -> OutputRow:
    """Output of an attempt of the run."""
    chunks = json.dumps([["stdout", f"{text}\n"], ["log", "INFO done\n"]]).encode()
    row = OutputRow(record.run.run_key, 5, 1, "1", "echo", chunks, len(text), 0, b'{"done":1.0}', 77)
    return msgspec.structs.replace(row, **changes)


def with_output(record: RunRecord, *rows: OutputRow) -> RunRecord:
    return msgspec.structs.replace(record, outputs=list(rows or [printed(record)]))


@pytest.fixture
def client(tmp_path: Path) -> Iterator[Client]:
    handle = open_engine(f"sqlite:///{tmp_path}/store.db", own_thread=True)
    yield Client(handle)
    handle.close()


def stored(client: Client) -> list[RunRecord]:
    return list(read_runs(client.engine.store, RunFilter("default", limit=0)))


# -- what attempts printed -----------------------------------------------------------------------------------------


def test_output_is_an_entry_of_its_own_and_only_where_there_is_some(tmp_path: Path, gallery: list[RunRecord]) -> None:
    write_capsule(tmp_path / "x.capsule", [gallery[0], with_output(gallery[1])])
    with zipfile.ZipFile(tmp_path / "x.capsule") as archive:
        assert [name for name in archive.namelist() if "output" in name] == ["runs/2/output.json"]
    first, second = read_capsule(tmp_path / "x.capsule").runs
    assert first.outputs == []
    assert second.outputs == [printed(gallery[1])]


@pytest.mark.parametrize("chunks", [b"not JSON", b'[["stdout"]]', b'[["stdout", 5]]', b"\xff"])
def test_output_that_cannot_be_shown_is_refused(tmp_path: Path, gallery: list[RunRecord], chunks: bytes) -> None:
    write_capsule(tmp_path / "x.capsule", [with_output(gallery[0], printed(gallery[0], chunks=chunks))])
    with pytest.raises(CapsuleError, match=r"runs/1/output\.json' cannot be read"):
        read_capsule(tmp_path / "x.capsule")


async def test_output_goes_from_store_to_store(client: Client, gallery: list[RunRecord], tmp_path: Path) -> None:
    closed = [record for record in gallery if record.is_closed][:2]
    opened = record_of_history("", gallery[4].events[:3])
    assert not opened.is_closed
    records = [with_output(record, printed(record, record.run.run_id)) for record in (*closed, opened)]
    write_capsule(tmp_path / "x.capsule", records)
    imported = await client.import_capsule(tmp_path / "x.capsule")
    for outcome in imported:
        handle = client.get_workflow_handle(outcome.workflow_id, run_id=outcome.run_id)
        (output,) = await handle.output()
        assert output.stdout == f"{outcome.original_run_id}\n"
    await client.export(tmp_path / "y.capsule")
    again = {str(record.outputs[0].chunks) for record in read_capsule(tmp_path / "y.capsule").runs}
    assert again == {str(record.outputs[0].chunks) for record in records}


async def test_output_that_the_store_cannot_take_does_not_undo_the_import(
    client: Client, gallery: list[RunRecord], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(rows: list[OutputRow]) -> None:
        raise StoreError("the disk is full")

    monkeypatch.setattr(client.engine.store, "put_outputs", full)
    write_capsule(tmp_path / "x.capsule", [with_output(gallery[0])])
    (outcome,) = await client.import_capsule(tmp_path / "x.capsule")
    assert outcome.outcome == "copied"
    assert len(stored(client)) == 1


# -- one at a time -------------------------------------------------------------------------------------------------


def big_runs(model: RunRecord, count: int) -> Iterator[RunRecord]:
    """Copies of a run, each with an id and an input of a megabyte of its own."""
    first = model.events[0]
    for number in range(1, count + 1):
        payload = Payload({"encoding": b"binary/plain"}, number.to_bytes(4, "big") + bytes(MEGABYTE))
        run_id = f"00000000-0000-7000-8000-{number:012d}"
        begun = msgspec.structs.replace(
            first.attributes,
            input=[payload],
            workflow_id=f"big-{number}",
            original_execution_run_id=run_id,
            first_execution_run_id=run_id,
        )
        yield record_of_history("", [Event(1, first.event_time, begun), *model.events[1:]])


def test_writing_and_reading_take_the_memory_of_one_run(tmp_path: Path, gallery: list[RunRecord]) -> None:
    count = 24
    tracemalloc.start()
    try:
        write_capsule(tmp_path / "x.capsule", big_runs(gallery[0], count))
        capsule = read_capsule(tmp_path / "x.capsule")
        assert sum(len(record.events) for record in capsule.runs) == len(gallery[0].events) * count
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < count * MEGABYTE / 2
    assert [record.run.workflow_id for record in capsule.runs[3:5]] == ["big-4", "big-5"]
    assert capsule.runs[-1].run.workflow_id == f"big-{count}"


@pytest.mark.slow
async def test_an_import_takes_the_memory_of_a_part(
    client: Client, gallery: list[RunRecord], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(imports, "PART_BYTES", MEGABYTE)
    count = 24
    write_capsule(tmp_path / "x.capsule", big_runs(gallery[0], count))
    tracemalloc.start()
    try:
        imported = await client.import_capsule(tmp_path / "x.capsule")
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert len(imported) == count
    assert peak < count * MEGABYTE / 2
    assert [record.run.run_id for record in stored(client)][::-1] == [outcome.run_id for outcome in imported]


def test_a_file_that_was_exchanged_is_found_out(tmp_path: Path, gallery: list[RunRecord]) -> None:
    write_capsule(tmp_path / "x.capsule", gallery[:2])
    capsule = read_capsule(tmp_path / "x.capsule")
    write_capsule(tmp_path / "x.capsule", gallery[2:3], overwrite=True)
    with pytest.raises(CapsuleError, match="changed or damaged"):
        list(capsule.runs)
    with pytest.raises(CapsuleError, match="is missing"):
        capsule.runs[1]


async def test_what_was_written_before_a_refusal_is_taken_back(
    client: Client, gallery: list[RunRecord], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The last run's id is taken in another namespace, which only the commit finds out."""
    monkeypatch.setattr(imports, "PART_RUNS", 2)
    closed = [record for record in gallery if record.is_closed][:7]
    write_capsule(tmp_path / "last.capsule", closed[-1:])
    await Client(client.engine, namespace="other").import_capsule(tmp_path / "last.capsule")
    write_capsule(tmp_path / "x.capsule", [with_output(record) for record in closed])
    with pytest.raises(CapsuleError, match="taken in this store"):
        await client.import_capsule(tmp_path / "x.capsule")
    assert stored(client) == []
    write_capsule(tmp_path / "x.capsule", closed[:-1], overwrite=True)
    assert {outcome.outcome for outcome in await client.import_capsule(tmp_path / "x.capsule")} == {"copied"}
    assert len(stored(client)) == len(closed) - 1


async def test_an_import_that_died_half_way_leaves_whole_runs_and_is_completed_by_the_next(
    client: Client, gallery: list[RunRecord], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Died(BaseException):
        """The process is gone: nothing is taken back."""

    def die(*_: object) -> None:
        raise Died

    closed = [record for record in gallery if record.is_closed][:5]
    write_capsule(tmp_path / "x.capsule", [with_output(record) for record in closed])
    store = client.engine.store
    with monkeypatch.context() as dying:
        dying.setattr(imports, "PART_RUNS", 2)
        rest = [store.put_outputs, die]

        def put_once(rows: list[OutputRow]) -> None:
            rest.pop(0)(rows)

        dying.setattr(store, "put_outputs", put_once)
        dying.setattr(store, "delete_run", die)
        with pytest.raises(Died):
            await client.import_capsule(tmp_path / "x.capsule")
    events = {record.run.run_id: record.events for record in closed}
    half = stored(client)
    assert len(half) == 4
    assert all(record.events == events[record.run.run_id] for record in half)
    assert sum(len(record.outputs) for record in half) == 2
    outcomes = [outcome.outcome for outcome in await client.import_capsule(tmp_path / "x.capsule")]
    assert outcomes == ["present"] * 4 + ["copied"]
    assert [len(record.outputs) for record in stored(client)] == [1] * 5
