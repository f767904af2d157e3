"""Fork, retry and reset: going on from the past of a run; by the public names only."""

from __future__ import annotations

import asyncio
import dataclasses
import json
from collections.abc import Sequence

import pytest

from durable_nb import workflow
from durable_nb.api.common.v1 import Payload
from durable_nb.client import Client, WorkflowFailureError
from durable_nb.converter import DataConverter, PayloadCodec
from durable_nb.service import RPCError
from durable_nb.workflow import NondeterminismError
from tests.acceptance.baskets import BROKEN, TALLY, Basket, Patient, event_of, flaky, has_prices, paid_basket, price
from tests.acceptance.world import MINUTE, backs_off, fresh_id, serving, start
from tests.waiting import until

pytestmark = pytest.mark.usefixtures("whole_baskets")


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
