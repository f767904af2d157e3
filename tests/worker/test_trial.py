"""Dry replays of stored runs: what they find, and what they leave alone."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Sequence
from datetime import timedelta
from typing import Any

import pytest
import pytest_asyncio

from durable_nb import workflow
from durable_nb.api.common.v1 import Payload
from durable_nb.client import Client
from durable_nb.converter import DataConverter, PayloadCodec
from durable_nb.engine import open_engine
from durable_nb.model.records import RunFilter
from durable_nb.runtime.definition import WorkflowDefinition
from durable_nb.runtime.errors import DeadlockError, NondeterminismError
from durable_nb.runtime.options import RuntimeOptions
from durable_nb.worker import Worker, _trial
from durable_nb.worker._trial import Tried, try_runs

OPTIONS = RuntimeOptions(
    payload_converter=DataConverter.default.payload_converter,
    failure_converter=DataConverter.default.failure_converter,
)


@workflow.defn(name="Nap")
class Nap:
    @workflow.run
    async def run(self, n: int) -> int:
        print("never seen in a trial")
        await workflow.sleep(timedelta(hours=n))
        return n


@workflow.defn(name="Nap")
class TwoNaps:
    @workflow.run
    async def run(self, n: int) -> int:
        await asyncio.gather(workflow.sleep(timedelta(hours=n)), workflow.sleep(timedelta(hours=2)))
        return n


@workflow.defn(name="Nap")
class NoNap:
    @workflow.run
    async def run(self, n: int) -> int:
        return n


@workflow.defn(name="Nap")
class Bug:
    @workflow.run
    async def run(self, n: int) -> int:
        raise KeyError(n)


@workflow.defn(name="Nap")
class Endless:
    @workflow.run
    async def run(self, n: int) -> int:
        while True:
            n += 1


@pytest_asyncio.fixture
async def store() -> AsyncIterator[Any]:
    """One run of ``Nap`` asleep, one of ``Fails`` whose task fails."""
    engine = open_engine("memory://", own_thread=False)
    client = Client(engine)

    async with Worker(client, task_queue="q", workflows=[Nap, _Fails]):
        await client.start_workflow("Nap", 1, id="nap", task_queue="q")
        await client.start_workflow("Fails", 1, id="fails", task_queue="q")
        await engine.engine.settle()
    yield engine.store
    engine.close()


@workflow.defn(name="Fails")
class _Fails:
    @workflow.run
    async def run(self, n: int) -> int:
        return {}[n]  # type: ignore[index]


def judge(store: Any, kind: Any, workflow_type: str = "Nap", codec: PayloadCodec | None = None) -> Tried:
    rows = store.list_runs(RunFilter("default", workflow_type=workflow_type))
    [tried] = try_runs(WorkflowDefinition.must_from_class(kind), OPTIONS, store, rows, codec)
    return tried


class Same(PayloadCodec):
    async def encode(self, payloads: Sequence[Payload]) -> list[Payload]:
        return list(payloads)

    decode = encode


async def test_payloads_are_decoded_also_where_a_loop_runs_as_it_does_in_a_cell(store: Any) -> None:
    tried = judge(store, Nap, codec=Same())
    assert (tried.failure, tried.agrees) == (None, True)


async def test_code_that_does_the_same_agrees_writes_nothing_and_prints_nothing(store: Any, capsys: Any) -> None:
    before = store.find_run("default", "nap")
    capsys.readouterr()
    tried = judge(store, Nap)
    assert (tried.failure, tried.agrees, tried.is_failing) == (None, True, False)
    assert tried.next_event_id == before.next_event_id
    assert store.find_run("default", "nap") == before
    assert capsys.readouterr().out == ""
    assert not isinstance(sys.stdout, _trial._Mute)


async def test_a_command_beyond_the_end_of_a_history_at_rest_is_a_difference(store: Any) -> None:
    tried = judge(store, TwoNaps)
    assert isinstance(tried.failure, NondeterminismError)
    assert (tried.failure.recorded, tried.failure.event_id) == ("", 5)
    assert "TimerStarted" in tried.failure.actual
    assert not tried.agrees


async def test_a_command_that_is_missing_is_one_too(store: Any) -> None:
    tried = judge(store, NoNap)
    assert isinstance(tried.failure, NondeterminismError)
    assert "TimerStarted" in tried.failure.recorded


async def test_a_bug_in_the_past_of_a_healthy_run_does_not_agree(store: Any) -> None:
    tried = judge(store, Bug)
    assert isinstance(tried.failure, KeyError)
    assert not tried.agrees


async def test_a_run_whose_task_fails_takes_any_code_that_fits_its_history(store: Any) -> None:
    tried = judge(store, _Fails, "Fails")
    assert tried.is_failing
    assert tried.agrees


@pytest.mark.slow
async def test_code_that_never_comes_back_is_interrupted(store: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_trial, "STEP_SECONDS", 0.2)
    tried = judge(store, Endless)
    assert isinstance(tried.failure, DeadlockError)
    assert not tried.agrees


async def test_other_threads_may_print_while_one_is_muted(capsys: Any) -> None:
    capsys.readouterr()
    with _trial._silent():
        print("mine")
        await asyncio.get_running_loop().run_in_executor(None, print, "theirs")
    print("after")
    assert capsys.readouterr().out == "theirs\nafter\n"
