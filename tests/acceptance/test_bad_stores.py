"""Store files that cannot be used, through the ways in that people take: what happened, where, and the remedy."""

from __future__ import annotations

import os
import sqlite3
import stat
from pathlib import Path

import pytest

import durable_nb
from durable_nb import workflow
from durable_nb.client import Client
from durable_nb.engine.notices import Notice
from durable_nb.errors import (
    StoreCorruptedError,
    StoreError,
    StoreGoneError,
    StoreLockedError,
    StoreReadOnlyError,
    StoreUrlError,
    StoreVersionError,
)
from durable_nb.worker import Worker
from tests.permissions import ordinary_user


@workflow.defn
class Quick:
    @workflow.run
    async def run(self) -> str:
        return "done"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A store that holds one run."""
    path = tmp_path / "durable.db"
    durable_nb.connect(f"sqlite:///{path}").engine.close()
    return path


async def refusal(path: Path, kind: type[StoreError], options: str = "") -> StoreError:
    """What both ways in say; they agree."""
    url = f"sqlite:///{path}{options}"
    with pytest.raises(kind) as caught:
        durable_nb.connect(url)
    with pytest.raises(kind) as again:
        await Client.connect(url)
    assert str(again.value) == str(caught.value)
    assert caught.value.fix
    assert str(path) in str(caught.value)
    return caught.value


async def test_a_file_that_is_no_store_is_left_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("my notes " * 1000)
    error = await refusal(path, StoreCorruptedError)
    assert "backup" in error.fix
    assert path.read_text() == "my notes " * 1000


async def test_a_damaged_store_is_told(path: Path) -> None:
    with path.open("r+b") as file:
        file.write(os.urandom(2000))
    assert "backup" in (await refusal(path, StoreCorruptedError)).fix


async def test_a_store_of_a_newer_version_asks_for_a_newer_package(path: Path) -> None:
    connection = sqlite3.connect(path)
    connection.execute("INSERT INTO schema_version VALUES (9999, 0)")
    connection.commit()
    connection.close()
    assert "newer" in str(await refusal(path, StoreVersionError))


async def test_a_read_only_file_is_told() -> None:
    with ordinary_user() as folder:
        path = folder / "durable.db"
        durable_nb.connect(f"sqlite:///{path}").engine.close()
        path.chmod(stat.S_IRUSR)
        assert "permissions" in (await refusal(path, StoreReadOnlyError)).fix


async def test_a_missing_directory_is_named(tmp_path: Path) -> None:
    assert "does not exist" in str(await refusal(tmp_path / "no" / "durable.db", StoreUrlError))


async def test_a_directory_is_no_store(tmp_path: Path) -> None:
    assert "file name" in (await refusal(tmp_path, StoreUrlError)).fix


async def test_a_lock_that_lasts_is_told_to_the_caller_and_outlived_by_the_run(path: Path) -> None:
    client = await Client.connect(f"sqlite:///{path}?busy_timeout=0.02")
    other = sqlite3.connect(path, isolation_level=None)
    try:
        async with Worker(client, task_queue="q", workflows=[Quick]):
            other.execute("BEGIN IMMEDIATE")
            with pytest.raises(StoreLockedError, match="end what holds it"):
                await client.start_workflow(Quick.run, id="w", task_queue="q")
            other.execute("ROLLBACK")
            assert await client.execute_workflow(Quick.run, id="w", task_queue="q") == "done"
    finally:
        other.close()
        client.engine.close()


def take_away(path: Path, replaced: bool) -> None:
    for each in path.parent.glob("durable.db*"):
        each.unlink()
    if replaced:
        path.write_bytes(b"")


@pytest.mark.parametrize("replaced", [False, True], ids=["removed", "replaced"])
async def test_a_file_that_is_removed_while_it_is_open_takes_nothing_more(path: Path, replaced: bool) -> None:
    url = f"sqlite:///{path}"
    client = await Client.connect(url)
    notices: list[Notice] = []
    client.engine.on_notice(notices.append)
    async with Worker(client, task_queue="q", workflows=[Quick]):
        assert await client.execute_workflow(Quick.run, id="before", task_queue="q") == "done"
        take_away(path, replaced)
        with pytest.raises(StoreGoneError, match="removed or replaced") as caught:
            await client.start_workflow(Quick.run, id="after", task_queue="q")
        assert str(path) in str(caught.value)
        assert "connect again" in caught.value.fix
        assert {each.kind for each in notices} == {"store_fault"}
        assert len((await client.get_workflow_handle("before").fetch_history()).events) == 5, "can still be saved"
    again = await Client.connect(url)
    async with Worker(again, task_queue="q", workflows=[Quick]):
        assert await again.execute_workflow(Quick.run, id="after", task_queue="q") == "done"
    again.engine.close()
