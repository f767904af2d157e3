"""Classic mistakes of temporal-semantics 10: messages, cancellation, children, chains of runs."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import pytest

from durable_nb import activity, workflow
from durable_nb.client import Client, RPCError, WorkflowFailureError, WorkflowUpdateFailedError
from durable_nb.common import SearchAttributeKey, SearchAttributePair, TypedSearchAttributes
from durable_nb.exceptions import ActivityError, ApplicationError, CancelledError, WorkflowAlreadyStartedError
from durable_nb.worker import Replayer
from tests.acceptance.world import MINUTE, ONCE, events, fresh_id, kinds, outcome, serving, start
from tests.waiting import recorded, until


@workflow.defn
class Hops:
    @workflow.run
    async def run(self, left: int) -> str:
        try:
            if left:
                workflow.continue_as_new(left - 1)
        except Exception:
            return "continue-as-new was swallowed"
        return workflow.info().run_id


async def test_08_except_exception_does_not_swallow_continue_as_new(client: Client) -> None:
    async with serving(client, Hops):
        assert await outcome(client, Hops.run, 1) != "continue-as-new was swallowed"


async def test_22_result_follows_every_hop_and_a_handle_without_run_id_reaches_the_current_run(client: Client) -> None:
    async with serving(client, Hops, HopsAndWaits):
        handle = await start(client, Hops.run, 4)
        last = await handle.result()
        assert last not in {handle.result_run_id, handle.first_execution_run_id}
        assert len([run async for run in client.list_workflows()]) == 5
        handle = await start(client, HopsAndWaits.run, 3)
        await until(lambda: left(handle))
        await handle.signal(HopsAndWaits.finish)
        assert await handle.result() == "signalled in the last run"


async def left(handle: Any) -> bool:
    return bool(await handle.query("left") == 0)


@workflow.defn
class HopsAndWaits:
    def __init__(self) -> None:
        self.done = False
        self.hops = -1

    @workflow.run
    async def run(self, hops: int) -> str:
        self.hops = hops
        if hops:
            workflow.continue_as_new(hops - 1)
        await workflow.wait_condition(lambda: self.done)
        return "signalled in the last run"

    @workflow.signal
    def finish(self) -> None:
        self.done = True

    @workflow.query
    def left(self) -> int:
        return self.hops


@workflow.defn
class Waiting:
    def __init__(self) -> None:
        self.done = False
        self.seen: list[str] = []

    @workflow.run
    async def run(self) -> list[str]:
        await workflow.wait_condition(lambda: self.done)
        return self.seen

    @workflow.signal
    def tell(self, what: str) -> None:
        self.seen.append(what)

    @workflow.signal
    def finish(self) -> None:
        self.done = True


@workflow.defn
class TakenChild:
    @workflow.run
    async def run(self, child_id: str) -> str:
        try:
            await workflow.start_child_workflow(Waiting.run, id=child_id)
        except WorkflowAlreadyStartedError as error:
            return f"{error.workflow_type} {error.workflow_id}"
        return "started"


async def test_10_a_child_whose_id_is_taken_raises_workflow_already_started_error(client: Client) -> None:
    async with serving(client, TakenChild, Waiting):
        other = await start(client, Waiting.run)
        assert await outcome(client, TakenChild.run, other.id) == f"Waiting {other.id}"
        await other.terminate()


validated: list[int] = []


@workflow.defn
class Validated:
    def __init__(self) -> None:
        self.total = 0

    @workflow.run
    async def run(self) -> int:
        await workflow.wait_condition(lambda: self.total >= 10)
        return self.total

    @workflow.update
    async def add(self, number: int) -> int:
        self.total += number
        return self.total

    @add.validator
    def check(self, number: int) -> None:
        validated.append(number)
        if number < 0:
            raise ValueError("only positive numbers")


async def test_11_a_rejected_update_leaves_no_event_and_replay_runs_no_validator(client: Client) -> None:
    validated.clear()
    async with serving(client, Validated):
        handle = await start(client, Validated.run)
        assert await handle.execute_update(Validated.add, 3) == 3
        before = await kinds(handle)
        with pytest.raises(WorkflowUpdateFailedError) as raised:
            await handle.execute_update(Validated.add, -1)
        assert isinstance(raised.value.cause, ApplicationError)
        assert raised.value.cause.message == "only positive numbers"
        assert await kinds(handle) == before
        assert await handle.execute_update(Validated.add, 7) == 10
        assert await handle.result() == 10
        assert validated == [3, -1, 7]
        await Replayer(workflows=[Validated]).replay_workflow(await handle.fetch_history())
    assert validated == [3, -1, 7]


@workflow.defn
class EndsAtOnce:
    def __init__(self) -> None:
        self.count = 0

    @workflow.run
    async def run(self) -> int:
        await workflow.sleep(0.02)
        return self.count

    @workflow.signal
    def more(self) -> None:
        self.count += 1


async def test_12_no_acknowledged_signal_is_lost_and_none_stands_between_started_and_completed(client: Client) -> None:
    async with serving(client, EndsAtOnce):
        handle = await start(client, EndsAtOnce.run)
        sent = 0
        while True:
            try:
                await handle.signal(EndsAtOnce.more)
            except RPCError:
                break
            sent += 1
            await asyncio.sleep(0)
        assert await handle.result() == sent
        assert nothing_within_tasks(await kinds(handle))


def nothing_within_tasks(names: list[str]) -> bool:
    after = {following for name, following in pairwise(names) if name == "WORKFLOW_TASK_STARTED"}
    return after <= {"WORKFLOW_TASK_COMPLETED", "WORKFLOW_TASK_FAILED"}


entered: list[None] = []
gate = {"open": False}


@activity.defn
async def passes_gate() -> None:
    entered.append(None)
    await until(lambda: gate["open"])


@workflow.defn
class EndsWithItsTask(EndsAtOnce):
    @workflow.run
    async def run(self) -> int:
        await workflow.execute_local_activity(passes_gate, start_to_close_timeout=MINUTE)
        return self.count


async def test_12b_a_signal_during_a_task_waits_for_its_end_and_is_not_closed_over(client: Client) -> None:
    entered.clear()
    gate["open"] = False
    async with serving(client, EndsWithItsTask, activities=[passes_gate]):
        handle = await start(client, EndsWithItsTask.run)
        await until(lambda: entered)
        await handle.signal(EndsWithItsTask.more)
        gate["open"] = True
        assert await handle.result() == 1
        names = await kinds(handle)
    assert nothing_within_tasks(names)
    assert "WORKFLOW_EXECUTION_SIGNALED" in names


@workflow.defn(name="Counts")
class OneArgument:
    @workflow.run
    async def run(self, number: int, missing: str = "default") -> str:
        return f"{number!r} {missing}"


async def test_13_with_a_default_the_shorter_call_works_and_a_wrong_count_fails_the_task_by_name(
    client: Client,
) -> None:
    async with serving(client, OneArgument):
        assert await outcome(client, "Counts", 1) == "1 default"
        handle = await start(client, "Counts", 1, "two", 3)
        failed = await until(lambda: failure(handle))
        assert "argument" in failed
        await handle.terminate()


@dataclass
class Parcel:
    weight: int


@workflow.defn
class Weighs:
    @workflow.run
    async def run(self, parcel: Parcel, unit: str = "g") -> str:
        return f"{type(parcel).__name__} {unit}"


async def test_13b_no_hint_is_used_where_the_number_of_arguments_differs(client: Client) -> None:
    async with serving(client, Weighs):
        assert await outcome(client, Weighs.run, Parcel(1), "kg") == "Parcel kg"
        assert await outcome(client, Weighs.run, Parcel(1)) == "dict g"


async def failure(handle: Any) -> str:
    for event in await events(handle):
        if "workflowTaskFailedEventAttributes" in event:
            return str(event["workflowTaskFailedEventAttributes"]["failure"]["message"])
    return ""


begun: list[str] = []
gates: list[asyncio.Event] = []


@activity.defn
async def deaf() -> str:
    begun.append("deaf")
    await gates[-1].wait()
    return "not cancelled"


@activity.defn
async def claims_cancel() -> None:
    raise CancelledError("nobody asked")


@workflow.defn
class CancelsDeaf:
    def __init__(self) -> None:
        self.enough = False

    @workflow.run
    async def run(self) -> str:
        handle = workflow.start_activity(
            deaf,
            start_to_close_timeout=MINUTE,
            cancellation_type=workflow.ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
        )
        await workflow.wait_condition(lambda: self.enough)
        handle.cancel()
        first = await handle
        try:
            await workflow.execute_activity(
                claims_cancel,
                start_to_close_timeout=MINUTE,
                retry_policy=ONCE,
            )
        except ActivityError as error:
            return f"{first}, {type(error.cause).__name__}"
        return first

    @workflow.signal
    def stop(self) -> None:
        self.enough = True


async def test_14_without_a_heartbeat_no_cancel_arrives_and_without_a_request_none_is_believed(client: Client) -> None:
    async with serving(client, CancelsDeaf, activities=[deaf, claims_cancel]):
        begun.clear()
        gates.append(asyncio.Event())
        handle = await start(client, CancelsDeaf.run)
        await until(lambda: begun)
        await handle.signal(CancelsDeaf.stop)
        await recorded(handle, "ActivityTaskCancelRequested")
        gates[-1].set()
        assert await handle.result() == "not cancelled, CancelledError"
        names = await kinds(handle)
        assert "ACTIVITY_TASK_CANCELED" not in names
        assert names.count("ACTIVITY_TASK_FAILED") == 1


@workflow.defn
class HandlesLate:
    def __init__(self) -> None:
        self.seen: list[str] = []
        self.ready = False

    @workflow.run
    async def run(self) -> list[str]:
        await workflow.wait_condition(lambda: self.ready)
        workflow.set_signal_handler("late", self.seen.append)
        await asyncio.sleep(0)
        await workflow.wait_condition(lambda: len(self.seen) == 3)
        return self.seen

    @workflow.signal
    def go(self) -> None:
        self.ready = True


async def test_16_signals_without_a_handler_wait_for_it_in_order(client: Client) -> None:
    async with serving(client, HandlesLate):
        handle = await start(client, HandlesLate.run)
        for text in ("one", "two", "three"):
            await handle.signal("late", text)
        await handle.signal("unknown", {"what": "ever"})
        await handle.signal(HandlesLate.go)
        assert await handle.result() == ["one", "two", "three"]
        assert "WORKFLOW_TASK_FAILED" not in await kinds(handle)


@workflow.defn
class OwnCancel:
    @workflow.run
    async def run(self, how: str) -> str:
        if how == "raise":
            raise asyncio.CancelledError
        await workflow.sleep(1000)
        return "slept"


async def test_21_a_run_is_cancelled_only_if_asked_and_a_cancel_before_the_first_task_counts(client: Client) -> None:
    handle = await start(client, OwnCancel.run, "sleep")
    await handle.cancel()
    async with serving(client, OwnCancel):
        with pytest.raises(WorkflowFailureError) as raised:
            await handle.result()
        assert isinstance(raised.value.cause, CancelledError)
        assert (await kinds(handle))[-1] == "WORKFLOW_EXECUTION_CANCELED"
        unasked = await start(client, OwnCancel.run, "raise")
        await until(lambda: over(unasked))
        assert "WORKFLOW_EXECUTION_CANCELED" not in await kinds(unasked)
        if (await kinds(unasked))[-1] != "WORKFLOW_EXECUTION_FAILED":
            await unasked.terminate()


async def over(handle: Any) -> bool:
    return bool({"WORKFLOW_TASK_FAILED", "WORKFLOW_EXECUTION_FAILED"} & set(await kinds(handle)))


@workflow.defn
class ParentThatLeaves:
    @workflow.run
    async def run(self, child_id: str, hops: int) -> None:
        if hops:
            await workflow.start_child_workflow(Waiting.run, id=child_id)
            workflow.continue_as_new(args=[child_id, 0])


async def test_23_children_are_terminated_when_their_parent_continues_as_new(client: Client) -> None:
    async with serving(client, ParentThatLeaves, Waiting):
        child = client.get_workflow_handle(fresh_id())
        await outcome(client, ParentThatLeaves.run, child.id, 1)

        async def status() -> bool:
            found = (await child.describe()).status
            return found is not None and found.name == "TERMINATED"

        await until(status)


COLOUR = SearchAttributeKey.for_keyword("Colour")


@workflow.defn
class Inherits:
    @workflow.run
    async def run(self, hops: int = 7, extra: str = "none") -> list[Any]:
        if hops == 1:
            workflow.upsert_memo({"added": True})
            workflow.continue_as_new(0)
        if hops == 2:
            workflow.continue_as_new()
        info = workflow.info()
        return [
            hops,
            extra,
            workflow.memo_value("kept"),
            workflow.memo_value("added", None),
            info.typed_search_attributes[COLOUR],
        ]


async def test_24_continue_as_new_keeps_memo_and_search_attributes_but_not_the_input(client: Client) -> None:
    options: Any = {
        "memo": {"kept": "yes"},
        "search_attributes": TypedSearchAttributes([SearchAttributePair(COLOUR, "red")]),
    }
    async with serving(client, Inherits):
        assert await outcome(client, Inherits.run, 1, "given", **options) == [0, "none", "yes", True, "red"]
        assert await outcome(client, Inherits.run, 2, "given", **options) == [7, "none", "yes", None, "red"]


async def test_an_application_error_in_a_handler_of_an_update_reaches_its_caller_only(client: Client) -> None:
    async with serving(client, RefusesInHandler):
        handle = await start(client, RefusesInHandler.run)
        with pytest.raises(WorkflowUpdateFailedError) as raised:
            await handle.execute_update(RefusesInHandler.add, 1)
        assert isinstance(raised.value.cause, ApplicationError)
        assert await handle.result() == "went on"


@workflow.defn
class RefusesInHandler:
    def __init__(self) -> None:
        self.asked = False

    @workflow.run
    async def run(self) -> str:
        await workflow.wait_condition(lambda: self.asked)
        return "went on"

    @workflow.update
    async def add(self, number: int) -> None:
        self.asked = True
        raise ApplicationError(f"no {number}")
