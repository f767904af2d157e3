"""Clients on stores that end with the test."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from durable_nb.client import Client
from durable_nb.engine import open_engine
from durable_nb.engine.clock import ManualClock
from durable_nb.testing import WorkflowEnvironment
from tests.acceptance import baskets


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
async def clock() -> ManualClock:
    """The time of ``still_client``."""
    return ManualClock()


@pytest.fixture
async def still_client(clock: ManualClock) -> AsyncIterator[Client]:
    """Client of an engine in memory whose time stands still until the test moves ``clock``."""
    engine = open_engine("memory://", own_thread=False, clock=clock)
    yield Client(engine)
    engine.close()


@pytest.fixture
async def skipping() -> AsyncIterator[WorkflowEnvironment]:
    """An environment that skips time."""
    async with await WorkflowEnvironment.start_time_skipping() as env:
        yield env


@pytest.fixture
def whole_baskets() -> None:
    """No activity of ``baskets`` is broken, and none was counted."""
    baskets.TALLY.clear()
    baskets.BROKEN.clear()
