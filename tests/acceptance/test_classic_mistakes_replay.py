"""Classic mistakes of temporal-semantics 10: replay, exported histories, patches."""

from __future__ import annotations

import logging

import pytest

from durable_nb import workflow
from durable_nb.client import (
    Client,
    WorkflowHistory,
)
from durable_nb.worker import Replayer
from tests.acceptance.world import MINUTE, events, note, serving, start
from tests.waiting import recorded

asks_at_first = {"code": True}


@workflow.defn
class Logging:
    @workflow.run
    async def run(self) -> str:
        workflow.logger.warning("before")
        await workflow.execute_activity(note, "a", start_to_close_timeout=MINUTE)
        return "a result that depends on nothing"


@workflow.defn(name="Logging")
class SameCommandsOtherResult:
    @workflow.run
    async def run(self) -> str:
        await workflow.execute_activity(note, "other input", start_to_close_timeout=MINUTE)
        return "another result"


@workflow.defn(name="Logging")
class OtherCommands:
    @workflow.run
    async def run(self) -> str:
        await workflow.sleep(1)
        return "a result that depends on nothing"


async def test_19_replay_compares_commands_not_values_and_does_not_log(
    client: Client, caplog: pytest.LogCaptureFixture
) -> None:
    async with serving(client, Logging, activities=[note]):
        handle = await start(client, Logging.run)
        await handle.result()
        history = await handle.fetch_history()
    assert sum("before" in record.getMessage() for record in caplog.records) == 1
    caplog.clear()
    caplog.set_level(logging.DEBUG)
    await Replayer(workflows=[Logging]).replay_workflow(history)
    await Replayer(workflows=[SameCommandsOtherResult]).replay_workflow(history)
    assert not any("before" in record.getMessage() for record in caplog.records)
    with pytest.raises(workflow.NondeterminismError):
        await Replayer(workflows=[OtherCommands]).replay_workflow(history)


async def test_20_exported_histories_carry_the_flags_of_the_core(client: Client) -> None:
    async with serving(client, Logging, activities=[note]):
        handle = await start(client, Logging.run)
        await handle.result()
        completed = next(e for e in await events(handle) if "workflowTaskCompletedEventAttributes" in e)
        exported = await handle.fetch_history()
    assert completed["workflowTaskCompletedEventAttributes"]["sdkMetadata"]["coreUsedFlags"]
    again = WorkflowHistory.from_json(handle.id, exported.to_json())
    assert again.to_json_dict() == exported.to_json_dict()


@workflow.defn
class PatchedLater:
    def __init__(self) -> None:
        self.go_on = False

    @workflow.run
    async def run(self) -> list[bool]:
        first = workflow.patched("p") if asks_at_first["code"] else False
        await workflow.wait_condition(lambda: self.go_on)
        return [first, workflow.patched("p"), workflow.patched("p")]

    @workflow.signal
    def finish(self) -> None:
        self.go_on = True


async def test_25_a_patch_is_decided_once_in_a_run(client: Client) -> None:
    async with serving(client, PatchedLater):
        handle = await start(client, PatchedLater.run)
        await recorded(handle, "WorkflowTaskCompleted")
        await handle.signal(PatchedLater.finish)
        assert await handle.result() == [True, True, True]
        markers = [e for e in await events(handle) if "markerRecordedEventAttributes" in e]
        assert len(markers) == 1
        await Replayer(workflows=[PatchedLater]).replay_workflow(await handle.fetch_history())


async def test_25b_a_patch_that_replay_has_declined_stays_declined(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(asks_at_first, "code", False)
    async with serving(client, PatchedLater):
        handle = await start(client, PatchedLater.run)
        await recorded(handle, "WorkflowTaskCompleted")
    asks_at_first["code"] = True
    async with serving(client, PatchedLater):
        await handle.signal(PatchedLater.finish)
        assert await handle.result() == [False, False, False]
