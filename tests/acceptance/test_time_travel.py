"""What people do with the past of a run: look at a moment, fork, retry, reset; by the public names only."""

from __future__ import annotations

import asyncio
import dataclasses
import gc
import json
import pdb  # noqa: T100
import weakref
from collections.abc import Sequence
from typing import Any

import pytest

from durable_nb import activity, workflow
from durable_nb.api.common.v1 import Payload
from durable_nb.client import Client, WorkflowFailureError
from durable_nb.common import RetryPolicy
from durable_nb.converter import DataConverter, PayloadCodec
from durable_nb.errors import DefinitionMissingError
from durable_nb.exceptions import ApplicationError
from durable_nb.service import RPCError
from durable_nb.workflow import NondeterminismError
from tests.acceptance.world import MINUTE, backs_off, fresh_id, serving, start
from tests.waiting import recorded, until

TALLY: list[str] = []
BROKEN: dict[str, bool] = {}


@activity.defn
async def price(item: str) -> int:
    TALLY.append(item)
    if BROKEN.get(item):
        raise ApplicationError(f"{item} is out of stock", non_retryable=True)
    return len(item)


@activity.defn
async def flaky(item: str) -> str:
    TALLY.append(item)
    if BROKEN.get(item):
        raise RuntimeError("not today")
    return item.upper()


@workflow.defn
class Basket:
    """Two activities, one after the other, then a wait for a signal."""

    def __init__(self) -> None:
        self.total = 0
        self.paid = False
        self.notes: list[str] = []

    @workflow.run
    async def run(self, items: list[str]) -> str:
        for position, item in enumerate(items):
            cost = await workflow.execute_activity(price, item, start_to_close_timeout=MINUTE)
            self.total += cost
            self.notes.append(f"{position}:{cost}")
        limit = 100
        if self.total > limit:
            return f"too dear: {self.total}"
        await workflow.wait_condition(lambda: self.paid)
        return f"paid {self.total}"

    @workflow.signal
    async def pay(self, how: str) -> None:
        receipt = f"receipt {how}"
        await workflow.sleep(0.001)
        self.notes.append(receipt)
        self.paid = True

    @workflow.update
    async def note(self, text: str) -> int:
        self.notes.append(text)
        return len(self.notes)


async def event_of(handle: Any, name: str, number: int = 1) -> int:
    found = [e.event_id for e in (await handle.fetch_history()).events if e.event_type.title == name]
    return found[number - 1]


async def paid_basket(client: Client) -> Any:
    handle = await start(client, Basket.run, ["ab", "cde"])
    await has_prices(handle, 2)
    await handle.signal(Basket.pay, "card")
    assert await handle.result() == "paid 5"
    return handle


async def has_prices(handle: Any, count: int) -> None:
    """Wait until the prices are known and the run waits for its payment: one workflow task for each, and the first."""
    await recorded(handle, "WorkflowTaskCompleted", count + 1)


@pytest.fixture(autouse=True)
def _clean() -> None:
    TALLY.clear()
    BROKEN.clear()


# -- at ----------------------------------------------------------------------------------------------------------------


async def test_a_moment_has_the_locals_the_object_and_the_line_where_the_code_stood(client: Client) -> None:
    async with serving(client, Basket, activities=[price]):
        handle = await paid_basket(client)
        first = await event_of(handle, "ActivityTaskScheduled")
        moment = await handle.at(first)
    assert moment.locals == {"items": ["ab", "cde"], "position": 0, "item": "ab"}
    assert isinstance(moment.workflow, Basket)
    assert moment.attributes == {"total": 0, "paid": False, "notes": []}
    assert moment.where is not None
    current = next(line.text.strip() for line in moment.where.source if line.current)
    assert current.startswith("cost = await workflow.execute_activity(price")
    assert [(each.activity_id, each.activity_type) for each in moment.activities] == [("1", "price")]
    assert moment.event_id == first
    assert moment.note == f"the end of the workflow task that took in event {first}, completed by event 4"


async def test_an_event_in_the_middle_of_a_task_shows_the_end_of_that_task(client: Client) -> None:
    async with serving(client, Basket, activities=[price]):
        handle = await paid_basket(client)
        completed = await event_of(handle, "ActivityTaskCompleted")
        states = [(await handle.at(n)).attributes["total"] for n in (1, 3, 5, completed - 1, completed, completed + 2)]
    assert states == [0, 0, 0, 2, 2, 2]


async def test_handlers_that_wait_are_shown_with_their_own_locals(client: Client) -> None:
    async with serving(client, Basket, activities=[price]):
        handle = await paid_basket(client)
        moment = await handle.at(await event_of(handle, "WorkflowExecutionSignaled"))
    names = [task.name for task in moment.tasks]
    assert names == ["run", "signal: pay"]
    assert moment.tasks[1].frames[0].variables["receipt"] == "receipt card"
    assert moment.handlers == ["signal: pay"]
    assert len(moment.conditions) == 1
    assert [line.text.strip() for line in moment.conditions[0].source if line.current] == [
        "await workflow.wait_condition(lambda: self.paid)"
    ]
    assert len(moment.timers) == 1


async def test_the_last_event_shows_the_locals_with_which_the_code_returned(client: Client) -> None:
    async with serving(client, Basket, activities=[price]):
        handle = await paid_basket(client)
        moment = await handle.at(-1)
    assert moment.is_closed
    assert moment.locals["limit"] == 100
    assert moment.attributes["notes"] == ["0:2", "1:3", "receipt card"]


async def test_looking_back_changes_nothing_and_runs_no_activity(client: Client) -> None:
    async with serving(client, Basket, activities=[price]):
        handle = await start(client, Basket.run, ["ab"])
        await has_prices(handle, 1)
        before = (await handle.fetch_history()).events
        for n in range(1, len(before) + 1):
            (await handle.at(n)).attributes["notes"].append("vandal")
        assert (await handle.fetch_history()).events == before
        assert TALLY == ["ab"]
        await handle.signal(Basket.pay, "cash")
        assert await handle.result() == "paid 2"
        assert (await handle.at(-1)).attributes["notes"] == ["0:2", "receipt cash"]


async def test_an_event_that_does_not_exist_is_refused(client: Client) -> None:
    async with serving(client, Basket, activities=[price]):
        handle = await paid_basket(client)
        with pytest.raises(ValueError, match=r"no event 999: the history has events 1 to \d+"):
            await handle.at(999)


async def test_without_a_worker_the_definition_is_passed(client: Client) -> None:
    async with serving(client, Basket, activities=[price]):
        handle = await paid_basket(client)
    with pytest.raises(DefinitionMissingError, match="no worker of this process has workflow 'Basket'"):
        await handle.at(5)
    assert (await handle.at(5, workflows=[Basket])).locals["item"] == "ab"


async def test_a_failing_task_shows_where_it_raises_and_with_what(client: Client) -> None:
    async with serving(client, Stumbles, activities=[price]):
        handle = await start(client, Stumbles.run, "ab")
        await recorded(handle, "WorkflowTaskFailed")
        moment = await handle.at(-1)
        assert isinstance(moment.error, KeyError)
        assert moment.locals == {"item": "ab", "cost": 2, "rates": {"cd": 1}}
        assert [line.text.strip() for line in moment.where.source if line.current] == ["return cost * rates[item]"]
        assert "fails" in moment.note
        await handle.terminate()


@workflow.defn
class Stumbles:
    @workflow.run
    async def run(self, item: str) -> int:
        cost = await workflow.execute_activity(price, item, start_to_close_timeout=MINUTE)
        rates = {"cd": 1}
        return cost * rates[item]


async def test_a_moment_lets_go_of_its_run(client: Client) -> None:
    async with serving(client, Basket, activities=[price]):
        handle = await paid_basket(client)
        moment = await handle.at(5)
        workflow_object = weakref.ref(moment.workflow)
        del moment
        gc.collect()
    assert workflow_object() is None


async def test_a_breakpoint_stops_in_a_replay(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    stops: list[dict[str, Any]] = []

    class Recorder(pdb.Pdb):
        def interaction(self, frame: Any, traceback: Any) -> None:
            stops.append(dict(frame.f_locals))
            self.set_continue()

    monkeypatch.setattr("sys.breakpointhook", lambda: Recorder(nosigint=True).set_trace(frame_of_caller()))
    async with serving(client, Stops, activities=[price]):
        handle = await start(client, Stops.run, 3)
        await handle.result()
        stops.clear()
        await handle.at(-1, debug=True)
    assert [each["n"] for each in stops] == [0, 1, 2]


def frame_of_caller() -> Any:
    import sys

    return sys._getframe(2)


@workflow.defn
class Stops:
    @workflow.run
    async def run(self, count: int) -> int:
        for n in range(count):  # noqa: B007 - the debugger looks at it
            await workflow.sleep(0.001)
            if workflow.unsafe.is_replaying():
                breakpoint()  # noqa: T100 - what is tested
        return count


# -- fork, reset, retry ------------------------------------------------------------------------------------------------


async def test_a_fork_with_an_edited_result_takes_the_other_branch(client: Client) -> None:
    async with serving(client, Basket, activities=[price]):
        handle = await paid_basket(client)
        TALLY.clear()
        copy = await handle.fork(activity_id="2", result=200)
        assert copy.id == f"{handle.id}-fork-1"
        assert await copy.result() == "too dear: 202"
        assert TALLY == []
        assert await handle.result() == "paid 5"
        origin = await (await copy.describe()).memo_value("durable_nb.fork")
        assert (origin["workflowId"], origin["runId"]) == (handle.id, handle.result_run_id)
        assert origin["changed"] == "the result of activity 2 (price)"


async def test_a_fork_with_an_edited_input_begins_anew(client: Client) -> None:
    async with serving(client, Basket, activities=[price]):
        handle = await paid_basket(client)
        copy = await handle.fork(input=["x" * 101], id=fresh_id())
        assert await copy.result() == "too dear: 101"


async def test_a_fork_from_an_activity_runs_it_again(client: Client) -> None:
    async with serving(client, Basket, activities=[price]):
        handle = await paid_basket(client)
        TALLY.clear()
        copy = await handle.fork(activity_id="2", reapply_signals=True)
        assert await copy.result() == "paid 5"
        assert TALLY == ["cde"]


@workflow.defn
class NamedAfterItself:
    @workflow.run
    async def run(self) -> str:
        ident = workflow.info().workflow_id
        options = {"activity_id": f"{ident}-a", "start_to_close_timeout": MINUTE}
        await workflow.execute_activity(price, "ab", **options)
        return ident


async def test_a_fork_that_its_own_code_would_not_fit_is_refused_before_it_exists(client: Client) -> None:
    async with serving(client, NamedAfterItself, activities=[price]):
        handle = await start(client, NamedAfterItself.run)
        await handle.result()
        with pytest.raises(NondeterminismError):
            await handle.fork(await event_of(handle, "ActivityTaskCompleted"))
        with pytest.raises(RPCError, match="not found"):
            await client.get_workflow_handle(f"{handle.id}-fork-1").describe()
        copy = await handle.fork(4)
        assert await copy.result() == f"{handle.id}-fork-1"


async def test_reset_asks_updates_again_and_keeps_what_completed(client: Client) -> None:
    async with serving(client, Basket, activities=[price]):
        handle = await start(client, Basket.run, ["ab", "cde"])
        await has_prices(handle, 2)
        assert await handle.execute_update(Basket.note, "gift") == 3
        TALLY.clear()
        again = await handle.reset(activity_id="2", reason="price changed")
        assert again.id == handle.id
        await has_prices(again, 2)
        await again.signal(Basket.pay, "card")
        assert await again.result() == "paid 5"
        assert TALLY == ["cde"]
        assert "gift" in (await again.at(-1)).attributes["notes"]
        with pytest.raises(WorkflowFailureError):
            await client.get_workflow_handle(handle.id, run_id=handle.result_run_id).result()


async def test_lists_and_descriptions_tell_from_which_run_a_run_was_made(client: Client) -> None:
    async with serving(client, Basket, activities=[price]):
        handle = await paid_basket(client)
        again = await handle.reset(activity_id="2")
        copy = await handle.fork(activity_id="2")
        described = await again.describe()
        [ancestor] = await again.lineage()
        origin = (handle.result_run_id, ancestor.event_id)
        assert (described.reset_from_run_id, described.reset_event_id) == origin
        listed = {run.run_id: run async for run in client.list_workflows()}
        assert (listed[again.run_id].reset_from_run_id, listed[again.run_id].reset_event_id) == origin
        assert listed[copy.run_id].reset_from_run_id == handle.result_run_id
        first = listed[handle.result_run_id]
        assert (first.reset_from_run_id, first.reset_event_id) == (None, None)
        frame = client.runs().set_index("run_id")
        assert frame.reset_from_run_id[again.run_id] == described.reset_from_run_id, "the word of SQL is the same"
        assert await again.result() == "paid 5"
        await copy.terminate()


async def test_reset_wants_exactly_one_point(client: Client) -> None:
    handle = client.get_workflow_handle("any")
    with pytest.raises(ValueError, match="exactly one of"):
        await handle.reset()
    with pytest.raises(ValueError, match="exactly one of"):
        await handle.reset(4, first_task=True)


@workflow.defn
class Both:
    @workflow.run
    async def run(self, items: list[str]) -> list[int]:
        calls = [workflow.execute_activity(price, item, start_to_close_timeout=MINUTE) for item in items]
        return list(await asyncio.gather(*calls))


async def test_retry_of_a_failed_run_repeats_only_what_failed(client: Client) -> None:
    async with serving(client, Both, activities=[price]):
        BROKEN["bad"] = True
        handle = await start(client, Both.run, ["good", "bad"])
        with pytest.raises(WorkflowFailureError):
            await handle.result()
        TALLY.clear()
        BROKEN.clear()
        again = await handle.retry()
        assert again.id == handle.id
        assert await again.result() == [4, 3]
        assert "bad" in TALLY


@workflow.defn
class Patient:
    @workflow.run
    async def run(self) -> str:
        policy = RetryPolicy(initial_interval=MINUTE * 60)
        return await workflow.execute_activity(flaky, "slow", start_to_close_timeout=MINUTE, retry_policy=policy)


async def test_retry_of_an_open_run_ends_the_back_off(client: Client) -> None:
    async with serving(client, Patient, activities=[flaky]):
        BROKEN["slow"] = True
        handle = await start(client, Patient.run)
        await until(lambda: backs_off(handle))
        BROKEN.clear()
        await handle.retry()
        assert await handle.result() == "SLOW"
        with pytest.raises(RPCError, match="completed: there is nothing to retry"):
            await handle.retry()


# -- code that changed -------------------------------------------------------------------------------------------------


@workflow.defn(name="Delivery")
class Loses:
    @workflow.run
    async def run(self, item: str) -> str:
        await workflow.execute_activity(price, item, start_to_close_timeout=MINUTE)
        await workflow.sleep(0.001)
        return "lost"


@workflow.defn(name="Delivery")
class Delivers:
    @workflow.run
    async def run(self, item: str) -> str:
        await workflow.execute_activity(price, item, start_to_close_timeout=MINUTE)
        return await workflow.execute_activity(flaky, item, start_to_close_timeout=MINUTE)


async def test_a_reset_to_where_mended_code_differs_keeps_what_both_agree_on(client: Client) -> None:
    async with serving(client, Loses, activities=[price, flaky]):
        handle = await start(client, Loses.run, "ring")
        assert await handle.result() == "lost"
        with pytest.raises(ValueError, match="no task at which it differs"):
            await handle.reset(diverging=True)
    TALLY.clear()
    async with serving(client, Delivers, activities=[price, flaky]):
        await until(lambda: client.service_client.engine.workers.entries)
        again = await handle.reset(diverging=True, reason="deliver")
        assert await again.result() == "RING"
        assert TALLY == ["ring"]
        (ancestor,) = await again.lineage()
        assert (ancestor.run_id, ancestor.reason) == (handle.result_run_id, "deliver")
        assert await handle.lineage() == []
        with pytest.raises(ValueError, match="did not run on definition abc"):
            await handle.reset(bad_definition="abc")


class Reversed(PayloadCodec):
    async def encode(self, payloads: Sequence[Payload]) -> list[Payload]:
        return [
            Payload({"encoding": b"reversed"}, json.dumps([k, v.decode()]).encode()[::-1])
            for payload in payloads
            for k, v in [(payload.metadata["encoding"].decode(), payload.data)]
        ]

    async def decode(self, payloads: Sequence[Payload]) -> list[Payload]:
        found = [json.loads(payload.data[::-1]) for payload in payloads]
        return [Payload({"encoding": encoding.encode()}, data.encode()) for encoding, data in found]


async def test_payloads_behind_a_codec_are_seen_and_edited_in_the_clear(client: Client) -> None:
    converter = dataclasses.replace(DataConverter.default, payload_codec=Reversed())
    secret = Client(client.service_client, data_converter=converter)
    async with serving(secret, Basket, activities=[price]):
        handle = await paid_basket(secret)
        assert (await handle.at(-1)).attributes["total"] == 5
        copy = await handle.fork(activity_id="2", result=200)
        assert await copy.result() == "too dear: 202"
