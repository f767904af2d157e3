"""What callers can do with runs: updates with start, ids, reset, memo, interceptors, converters, large values."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pydantic
import pytest

from durable_nb import activity, workflow
from durable_nb.client import (
    Client,
    Interceptor,
    OutboundInterceptor,
    RPCError,
    RPCStatusCode,
    StartWorkflowInput,
    WithStartWorkflowOperation,
    WorkflowFailureError,
    WorkflowQueryFailedError,
    WorkflowUpdateFailedError,
    WorkflowUpdateStage,
)
from durable_nb.common import WorkflowIDConflictPolicy, WorkflowIDReusePolicy
from durable_nb.contrib.pydantic import pydantic_data_converter
from durable_nb.converter import DataConverter, PayloadCodec
from durable_nb.exceptions import CancelledError, WorkflowAlreadyStartedError
from durable_nb.model.payload import Payload
from durable_nb.worker import (
    ActivityInboundInterceptor,
    ExecuteActivityInput,
    ExecuteWorkflowInput,
    HandleSignalInput,
    StartActivityInput,
    WorkflowInboundInterceptor,
    WorkflowInterceptorClassInput,
    WorkflowOutboundInterceptor,
)
from durable_nb.worker import Interceptor as WorkerInterceptor
from tests.acceptance.world import MINUTE, QUEUE, events, fresh_id, has, kinds, outcome, serving, start
from tests.waiting import until


@activity.defn
async def shout(text: str) -> str:
    return text.upper()


@workflow.defn
class Basket:
    def __init__(self) -> None:
        self.items: list[str] = []
        self.done = False

    @workflow.run
    async def run(self, owner: str = "nobody") -> str:
        await workflow.wait_condition(lambda: self.done)
        return await workflow.execute_activity(
            shout, f"{owner}: {', '.join(self.items)}", start_to_close_timeout=MINUTE
        )

    @workflow.update
    async def add(self, item: str) -> int:
        self.items.append(item)
        return len(self.items)

    @workflow.signal
    def finish(self) -> None:
        self.done = True

    @workflow.query
    def content(self) -> list[str]:
        return self.items


async def test_update_with_start_starts_once_and_then_updates(client: Client) -> None:
    async with serving(client, Basket, activities=[shout]):
        name = fresh_id()
        for number, item in enumerate(["bread", "salt"], 1):
            operation = WithStartWorkflowOperation(
                Basket.run, "ann", id=name, task_queue=QUEUE, id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING
            )
            assert (
                await client.execute_update_with_start_workflow(Basket.add, item, start_workflow_operation=operation)
                == number
            )
            handle = await operation.workflow_handle()
        await handle.signal(Basket.finish)
        assert await handle.result() == "ANN: BREAD, SALT"


async def test_an_update_handle_gives_the_result_later_and_again_by_its_id(client: Client) -> None:
    async with serving(client, Basket, activities=[shout]):
        handle = await start(client, Basket.run)
        update = await handle.start_update(Basket.add, "x", wait_for_stage=WorkflowUpdateStage.ACCEPTED, id="once")
        assert await update.result() == 1
        assert await handle.execute_update(Basket.add, "ignored", id="once") == 1
        assert await handle.get_update_handle("once", result_type=int).result() == 1
        assert await handle.query(Basket.content) == ["x"]
        await handle.terminate()


async def test_id_policies_decide_what_a_second_start_does(client: Client) -> None:
    async with serving(client, Basket, activities=[shout]):
        first = await start(client, Basket.run)
        with pytest.raises(WorkflowAlreadyStartedError) as raised:
            await start(client, Basket.run, id=first.id)
        assert (raised.value.workflow_id, raised.value.run_id) == (first.id, first.result_run_id)
        same = await start(client, Basket.run, id=first.id, id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING)
        assert same.result_run_id == first.result_run_id
        other = await start(
            client, Basket.run, id=first.id, id_conflict_policy=WorkflowIDConflictPolicy.TERMINATE_EXISTING
        )
        assert other.result_run_id != first.result_run_id
        await other.signal(Basket.finish)
        await other.result()
        with pytest.raises(WorkflowAlreadyStartedError):
            await start(client, Basket.run, id=first.id, id_reuse_policy=WorkflowIDReusePolicy.REJECT_DUPLICATE)
        with pytest.raises(WorkflowAlreadyStartedError):
            await start(
                client, Basket.run, id=first.id, id_reuse_policy=WorkflowIDReusePolicy.ALLOW_DUPLICATE_FAILED_ONLY
            )
        await (await start(client, Basket.run, id=first.id)).terminate()


async def test_unknown_names_are_answered_with_what_is_known(client: Client) -> None:
    async with serving(client, Basket, activities=[shout]):
        handle = await start(client, Basket.run)
        with pytest.raises(WorkflowQueryFailedError, match=r"contents.*content"):
            await handle.query("contents")
        with pytest.raises(WorkflowUpdateFailedError) as raised:
            await handle.execute_update("ad", "x")
        assert "add" in str(raised.value.cause)
        await handle.terminate()
        with pytest.raises(RPCError) as missing:
            await client.get_workflow_handle("nobody").describe()
        assert missing.value.status is RPCStatusCode.NOT_FOUND
        unknown = await start(client, "Baskets")
        await client.service_client.engine.settle()
        assert "WORKFLOW_TASK_COMPLETED" not in await kinds(unknown)
        await unknown.terminate()


async def test_memo_summary_and_details_are_described(client: Client) -> None:
    async with serving(client, Basket, activities=[shout]):
        handle = await start(
            client, Basket.run, memo={"who": "Zoë"}, static_summary="a basket", static_details="of *bread*"
        )
        described = await handle.describe()
        assert await described.memo() == {"who": "Zoë"}
        assert await described.memo_value("who") == "Zoë"
        assert (await described.static_summary(), await described.static_details()) == ("a basket", "of *bread*")
        await handle.terminate()
        closed = await handle.describe()
        assert (await closed.static_summary(), await closed.static_details()) == ("a basket", "of *bread*")


async def test_an_update_does_not_reach_a_later_chain_under_the_same_id(client: Client) -> None:
    async with serving(client, Basket, activities=[shout]):
        first = await start(client, Basket.run)
        await first.terminate()
        second = await start(client, Basket.run, id=first.id)
        with pytest.raises(RPCError) as missing:
            await first.execute_update(Basket.add, "bread")
        assert missing.value.status is RPCStatusCode.NOT_FOUND
        await second.execute_update(Basket.add, "milk")
        assert await second.query(Basket.content) == ["milk"]
        await second.terminate()


async def test_a_start_delay_and_timeouts_hold(skipping: Any) -> None:
    async with serving(skipping.client, Basket, activities=[shout]):
        handle = await start(
            skipping.client, Basket.run, start_delay=timedelta(hours=1), run_timeout=timedelta(hours=2)
        )
        assert "WORKFLOW_TASK_SCHEDULED" not in await kinds(handle)
        await skipping.sleep(timedelta(minutes=61))
        await until(lambda: has(handle, "WORKFLOW_TASK_COMPLETED"))
        with pytest.raises(WorkflowFailureError):
            await handle.result()
        assert (await kinds(handle))[-1] == "WORKFLOW_EXECUTION_TIMED_OUT"


@workflow.defn
class Reasoned:
    @workflow.run
    async def run(self) -> str:
        try:
            await workflow.sleep(1000)
        except asyncio.CancelledError:
            return f"cancelled: {workflow.cancellation_reason()}"
        return "slept"


async def test_a_cancel_brings_its_reason(client: Client) -> None:
    async with serving(client, Reasoned):
        handle = await start(client, Reasoned.run)
        await handle.cancel(reason="out of stock")
        assert await handle.result() == "cancelled: out of stock"


@pytest.mark.slow
async def test_ten_megabytes_and_every_script_pass_through_a_file(file_client: Client) -> None:
    client, big = file_client, "ä" * 5_000_000
    async with serving(client, Echo, activities=[echo]):
        assert await outcome(client, Echo.run, big) == big
        odd = "𝔘 \u0000 \u2028 עברית 日本語 🧶 \\ \" '; DROP TABLE runs; --"
        assert await outcome(client, Echo.run, odd, id=odd.replace("\0", "")) == odd


@activity.defn
async def echo(value: Any) -> Any:
    return value


@workflow.defn
class Echo:
    @workflow.run
    async def run(self, value: Any) -> Any:
        return await workflow.execute_activity(echo, value, start_to_close_timeout=MINUTE)


class Secret(PayloadCodec):
    """Not a cipher anybody should use, but nothing readable is left."""

    async def encode(self, payloads: Sequence[Payload]) -> list[Payload]:
        return [
            Payload(
                metadata={"encoding": b"binary/secret"},
                data=bytes(
                    b ^ 0x5A
                    for b in json.dumps([{k: v.decode() for k, v in p.metadata.items()}, p.data.hex()]).encode()
                ),
            )
            for p in payloads
        ]

    async def decode(self, payloads: Sequence[Payload]) -> list[Payload]:
        found = []
        for payload in payloads:
            assert payload.metadata["encoding"] == b"binary/secret"
            metadata, data = json.loads(bytes(b ^ 0x5A for b in payload.data))
            found.append(Payload(metadata={k: v.encode() for k, v in metadata.items()}, data=bytes.fromhex(data)))
        return found


async def test_an_encrypting_codec_covers_everything_a_run_stores(client: Client) -> None:
    secret = Client(**(client.config() | {"data_converter": replace(DataConverter.default, payload_codec=Secret())}))
    async with serving(secret, Basket, activities=[shout]):
        handle = await start(secret, Basket.run, "ann", memo={"who": "ann"})
        assert await handle.execute_update(Basket.add, "bread") == 1
        assert await handle.query(Basket.content) == ["bread"]
        await handle.signal(Basket.finish)
        assert await handle.result() == "ANN: BREAD"
        assert await (await handle.describe()).memo_value("who") == "ann"
        exported = (await handle.fetch_history()).to_json()
    for readable in ("ann", "bread", "ANN: BREAD"):
        assert base64.b64encode(f'"{readable}"'.encode()).decode() not in exported


class Person(pydantic.BaseModel):
    name: str
    age: int


@activity.defn
async def birthday(person: Person) -> Person:
    return Person(name=person.name, age=person.age + 1)


@workflow.defn
class Ages:
    @workflow.run
    async def run(self, people: list[Person]) -> list[Person]:
        return [await workflow.execute_activity(birthday, p, start_to_close_timeout=MINUTE) for p in people]


async def test_pydantic_models_travel_through_a_run(client: Client) -> None:
    typed = Client(**(client.config() | {"data_converter": pydantic_data_converter}))
    async with serving(typed, Ages, activities=[birthday]):
        people = await outcome(typed, Ages.run, [Person(name="Ann", age=1)])
    assert people == [Person(name="Ann", age=2)]


seen: list[str] = []


class ClientSide(Interceptor):
    def intercept_client(self, next: OutboundInterceptor) -> OutboundInterceptor:
        return ClientOutbound(super().intercept_client(next))


class ClientOutbound(OutboundInterceptor):
    async def start_workflow(self, input: StartWorkflowInput) -> Any:
        seen.append(f"client start {input.workflow}")
        return await super().start_workflow(input)


class WorkerSide(WorkerInterceptor):
    def intercept_activity(self, next: ActivityInboundInterceptor) -> ActivityInboundInterceptor:
        return ActivitySide(next)

    def workflow_interceptor_class(self, input: WorkflowInterceptorClassInput) -> type[WorkflowInboundInterceptor]:
        return Inbound


class ActivitySide(ActivityInboundInterceptor):
    async def execute_activity(self, input: ExecuteActivityInput) -> Any:
        seen.append("activity")
        return f"<{await super().execute_activity(input)}>"


class Inbound(WorkflowInboundInterceptor):
    def init(self, outbound: WorkflowOutboundInterceptor) -> None:
        super().init(Outbound(outbound))

    async def execute_workflow(self, input: ExecuteWorkflowInput) -> Any:
        seen.append("workflow")
        return await super().execute_workflow(input)

    async def handle_signal(self, input: HandleSignalInput) -> None:
        seen.append(f"signal {input.signal}")
        await super().handle_signal(input)


class Outbound(WorkflowOutboundInterceptor):
    def start_activity(self, input: StartActivityInput) -> Any:
        seen.append(f"schedules {input.activity}")
        return super().start_activity(input)


async def test_interceptors_see_every_side_of_a_run(client: Client) -> None:
    seen.clear()
    watched = Client(**(client.config() | {"interceptors": [ClientSide()]}))
    async with serving(watched, Basket, activities=[shout], interceptors=[WorkerSide()]):
        handle = await start(watched, Basket.run, "ann", start_signal="finish")
        assert await handle.result() == "<ANN: >"
    assert sorted(seen) == sorted(["client start Basket", "workflow", "signal finish", "schedules shout", "activity"])


async def test_a_list_and_a_count_show_open_and_closed_runs(client: Client) -> None:
    async with serving(client, Basket, activities=[shout]):
        runs = [await start(client, Basket.run) for _ in range(3)]
        await runs[0].terminate()
        statuses = {run.id: run.status.name async for run in client.list_workflows() if run.status is not None}
        assert statuses == {runs[0].id: "TERMINATED", runs[1].id: "RUNNING", runs[2].id: "RUNNING"}
        assert (await client.count_workflows()).count == 3
        for run in runs[1:]:
            await run.cancel()
            with pytest.raises(WorkflowFailureError) as raised:
                await run.result()
            assert isinstance(raised.value.cause, CancelledError)
    assert "WORKFLOW_EXECUTION_CANCEL_REQUESTED" in [
        event["eventType"].removeprefix("EVENT_TYPE_") for event in await events(runs[1])
    ]
