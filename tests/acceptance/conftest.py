"""Clients on stores that end with the test."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from durable_nb.client import Client
from durable_nb.testing import WorkflowEnvironment


@pytest.fixture
async def client() -> AsyncIterator[Client]:
    """Client of an engine in memory, in real time."""
    async with await WorkflowEnvironment.start_local() as env:
        yield env.client


@pytest.fixture
async def file_client(tmp_path: Path) -> AsyncIterator[Client]:
    """Client of an engine on a SQLite file, in real time."""
    async with await WorkflowEnvironment.start_local(dev_server_database_filename=str(tmp_path / "runs.db")) as env:
        yield env.client


@pytest.fixture
async def skipping() -> AsyncIterator[WorkflowEnvironment]:
    """An environment that skips time."""
    async with await WorkflowEnvironment.start_time_skipping() as env:
        yield env
