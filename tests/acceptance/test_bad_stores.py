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
from durable_nb.errors import (
    StoreCorruptedError,
    StoreError,
    StoreLockedError,
    StoreReadOnlyError,
    StoreUrlError,
    StoreVersionError,
)
from durable_nb.worker import Worker


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
    connection.execute("UPDATE schema_version SET version = 9999")
    connection.commit()
    connection.close()
    assert "newer" in str(await refusal(path, StoreVersionError))


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="root may write everything")
async def test_a_read_only_file_is_told(path: Path) -> None:
    path.chmod(stat.S_IRUSR)  # noqa: ASYNC240 - nothing else runs
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
