"""Runs far larger than anybody should make: they work, and are told in time to continue as new."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from durable_nb import activity, workflow
from durable_nb.client import Client
from durable_nb.engine import open_engine
from durable_nb.worker import Replayer, Worker

MINUTE = timedelta(minutes=1)


@activity.defn
async def number(value: int) -> int:
    return value


@workflow.defn
class Collects:
    def __init__(self) -> None:
        self.seen: list[int] = []

    @workflow.run
    async def run(self, count: int) -> bool:
        await workflow.wait_condition(lambda: len(self.seen) >= count)
        return self.seen == list(range(count))

    @workflow.signal
    def add(self, value: int) -> None:
        self.seen.append(value)


@workflow.defn
class Nests:
    @workflow.run
    async def run(self, levels: int) -> int:
        return 1 + await workflow.execute_child_workflow(Nests.run, levels - 1) if levels else 0


@workflow.defn
class FansOut:
    @workflow.run
    async def run(self, count: int) -> int:
        tasks = [workflow.execute_activity(number, n, start_to_close_timeout=MINUTE) for n in range(count)]
        return sum(await asyncio.gather(*tasks))


@workflow.defn
class Steps:
    """Counts its steps until continue-as-new is suggested, and then goes on as if it had not been."""

    @workflow.run
    async def run(self, steps: int) -> list[int]:
        suggested = []
        for step in range(steps):
            await workflow.execute_activity(number, step, start_to_close_timeout=MINUTE)
            if workflow.info().is_continue_as_new_suggested():
                suggested.append(workflow.info().get_current_history_length())
        return suggested


@pytest_asyncio.fixture
async def client() -> AsyncIterator[Client]:
    engine = open_engine("memory://", own_thread=False)
    client = Client(engine)
    async with Worker(
        client,
        task_queue="q",
        workflows=[Collects, Nests, FansOut, Steps],
        activities=[number],
        max_concurrent_activities=100,
    ):
        yield client
    engine.close()


@pytest.mark.slow
async def test_ten_thousand_signals_arrive_in_order(client: Client) -> None:
    handle = await client.start_workflow(Collects.run, 10_000, id="w", task_queue="q")
    for begin in range(0, 10_000, 500):
        await asyncio.gather(*(handle.signal(Collects.add, n) for n in range(begin, begin + 500)))
    assert await handle.result() is True


async def test_a_hundred_levels_of_children(client: Client) -> None:
    assert await client.execute_workflow(Nests.run, 100, id="w", task_queue="q") == 100


@pytest.mark.slow
async def test_two_thousand_activities_pending_at_once(client: Client) -> None:
    assert await client.execute_workflow(FansOut.run, 2000, id="w", task_queue="q") == sum(range(2000))


@pytest.mark.slow
async def test_ten_thousand_events_work_and_replay(client: Client) -> None:
    assert await client.execute_workflow(Steps.run, 1700, id="w", task_queue="q") == []
    history = await client.get_workflow_handle("w").fetch_history()
    assert len(history.events) > 10_000
    assert (await Replayer(workflows=[Steps]).replay_workflow(history)).replay_failure is None


async def suggested_in(url: str, *, then: Callable[[Client], None] = lambda _: None) -> list[int]:
    """At which lengths of its history a run of 120 events saw the suggestion, in a process that opens the store."""
    engine = open_engine(url, own_thread=False)
    client = Client(engine)
    then(client)
    async with Worker(client, task_queue="q", workflows=[Steps], activities=[number]):
        seen: list[int] = await client.execute_workflow(Steps.run, 20, id="w", task_queue="q")
    engine.close()
    return seen


async def test_the_length_that_suggests_continue_as_new_is_kept_in_the_store(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = f"sqlite:///{tmp_path}/runs.db"
    seen = await suggested_in(url, then=lambda client: client.suggest_continue_as_new_at(50))
    assert seen[0] in range(50, 60)
    assert (await suggested_in(url))[0] in range(50, 60)
    monkeypatch.setenv("DURABLE_NB_SUGGEST_CONTINUE_AS_NEW", "80")
    assert (await suggested_in(url))[0] in range(80, 90)
    monkeypatch.delenv("DURABLE_NB_SUGGEST_CONTINUE_AS_NEW")
    assert await suggested_in(url, then=lambda client: client.suggest_continue_as_new_at(None)) == []
    assert await suggested_in(url) == []


@pytest.mark.parametrize("events", [0, -1, True, "50", 1.5])
def test_a_length_that_is_none_is_refused(client: Client, events: Any) -> None:
    with pytest.raises(ValueError, match=f"{events!r} is no number of events"):
        client.suggest_continue_as_new_at(events)


async def test_continue_as_new_is_suggested_at_the_length_that_was_set_and_never_forced(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("DURABLE_NB_SUGGEST_CONTINUE_AS_NEW", "50")
    suggested = await suggested_in("memory://")
    assert suggested[0] in range(50, 60)
    assert suggested[-1] > 100
