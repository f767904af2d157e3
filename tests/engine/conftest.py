"""An engine on the test's loop, on a memory store or a SQLite file."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from durable_nb.engine import EngineHandle, open_engine
from durable_nb.engine.clock import ManualClock
from durable_nb.model import requests as ask


class Driver:
    """Short words for what the tests ask of an engine."""

    def __init__(self, handle: EngineHandle, clock: ManualClock) -> None:
        self.handle = handle
        self.clock = clock
        self.frontend = handle.frontend

    async def start(self, kind: str, workflow_id: str = "w", **options: Any) -> ask.StartedWorkflow:
        started: ask.StartedWorkflow = await self.frontend.start_workflow(
            ask.StartWorkflow("default", workflow_id, kind, "q", **options)
        )
        return started

    async def reset(self, request: ask.ResetWorkflow) -> str:
        """The new run's ID."""
        return str((await self.frontend.branch_workflow(request)).run_id)

    def target(self, workflow_id: str = "w", run_id: str = "") -> ask.Target:
        return ask.Target("default", workflow_id, run_id)

    async def close_event(self, workflow_id: str = "w", run_id: str = "") -> Any:
        request = ask.ReadHistory(self.target(workflow_id, run_id), wait_new_event=True, close_event_only=True)
        return (await self.frontend.read_history(request)).events[0]

    async def events(self, workflow_id: str = "w", run_id: str = "") -> list[Any]:
        return (await self.frontend.read_history(ask.ReadHistory(self.target(workflow_id, run_id)))).events

    async def event_names(self, workflow_id: str = "w", run_id: str = "") -> list[str]:
        return [event.event_type.title for event in await self.events(workflow_id, run_id)]

    async def settle(self) -> None:
        await asyncio.sleep(0)
        await self.handle.engine.settle()


async def until(condition: Callable[[], Any]) -> None:
    """Give the engines turns until the condition holds; the test's own time limit ends a wait in vain."""
    while not condition():  # noqa: ASYNC110 - what is waited for has no signal, and that is what is tested
        await asyncio.sleep(0)


@pytest.fixture(params=["memory", "sqlite"])
def open_driver(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Callable[[], Driver]]:
    """Opens engines of 'processes' on one store; a memory store has one only."""
    handles: list[EngineHandle] = []
    clock = ManualClock()

    def opened() -> Driver:
        url = "memory://" if request.param == "memory" else f"sqlite:///{tmp_path}/runs.db"
        handle = open_engine(url, own_thread=False, clock=clock)
        handles.append(handle)
        return Driver(handle, clock)

    yield opened
    for handle in handles:
        handle.close()


@pytest.fixture
def driver(open_driver: Callable[[], Driver]) -> Callable[[], Driver]:
    return open_driver
