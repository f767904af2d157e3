"""The chain of interceptors, headers, codecs and contexts: what stands between a call and the engine."""

from __future__ import annotations

import dataclasses

import pytest

from durable_nb.client import (
    Client,
    Interceptor,
    OutboundInterceptor,
    WithStartWorkflowOperation,
    WorkflowUpdateFailedError,
    WorkflowUpdateStage,
)
from durable_nb.common import HeaderCodecBehavior, WorkflowIDConflictPolicy
from durable_nb.converter import DataConverter, DefaultPayloadConverter, PayloadCodec, WithSerializationContext
from durable_nb.exceptions import ApplicationError
from durable_nb.model.attributes import UpdateOutcome, WorkflowExecutionCompleted
from durable_nb.model.payload import Payload
from durable_nb.model.requests import HistoryPage, QueryResult, UpdateResult, UpdateWithStartResult
from durable_nb.model.tasks import HeartbeatReply
from tests.client.fake_frontend import FakeEngine, closing, started

VERBS = {name for name in vars(OutboundInterceptor) if not name.startswith("_")}


class Noting(Interceptor):
    """Notes each verb with a label, and lets it pass."""

    def __init__(self, label: str, seen: list[str]) -> None:
        self.label, self.seen = label, seen

    def intercept_client(self, next: OutboundInterceptor) -> OutboundInterceptor:
        outer = self

        class Outbound(OutboundInterceptor):
            def __getattribute__(self, name: str):
                if name in VERBS:
                    outer.seen.append(f"{outer.label}:{name}")
                return super().__getattribute__(name)

        return Outbound(next)


async def call_everything(client: Client, frontend) -> None:
    """One call of each verb of the chain."""
    for verb in ("signal_workflow", "cancel_workflow", "terminate_workflow", "complete_activity", "fail_activity"):
        frontend.answer(verb, None)
    frontend.answer("cancel_activity", None)
    frontend.answer("heartbeat_activity", HeartbeatReply())
    frontend.answer("start_workflow", started())
    frontend.answer("query_workflow", QueryResult(result=[]))
    frontend.answer("update_workflow", UpdateResult("r1"))
    frontend.answer("update_with_start", UpdateWithStartResult(started(), UpdateResult("r1")))
    frontend.answer("read_history", HistoryPage("r1", [], True))
    frontend.answer("list_workflows", [])
    frontend.answer("count_workflows", {})
    frontend.answer("describe_workflow", ValueError("asked"))
    handle = await client.start_workflow("W", id="w")
    await handle.signal("s")
    await handle.query("q")
    await handle.start_update("u", wait_for_stage=WorkflowUpdateStage.ACCEPTED)
    await handle.cancel()
    await handle.terminate()
    await handle.fetch_history()
    with pytest.raises(ValueError, match="asked"):
        await handle.describe()
    operation = WithStartWorkflowOperation("W", id="w", id_conflict_policy=WorkflowIDConflictPolicy.FAIL)
    await client.start_update_with_start_workflow(
        "u", start_workflow_operation=operation, wait_for_stage=WorkflowUpdateStage.ACCEPTED
    )
    assert [run async for run in client.list_workflows()] == []
    await client.count_workflows()
    activity = client.get_async_activity_handle(task_token=b"t")
    await activity.heartbeat()
    await activity.complete()
    await activity.fail(ApplicationError("x"))
    await activity.report_cancellation()


async def test_every_verb_passes_every_interceptor_the_first_one_first(engine: FakeEngine):
    seen: list[str] = []
    client = Client(engine, interceptors=[Noting("a", seen), Noting("b", seen)])
    await call_everything(client, engine.frontend)
    assert {note.partition(":")[2] for note in seen} == VERBS
    assert [note[0] for note in seen] == ["a", "b"] * len(VERBS)


async def test_the_chain_is_built_once(engine: FakeEngine):
    built: list[OutboundInterceptor] = []

    class Counting(Interceptor):
        def intercept_client(self, next):
            built.append(next)
            return super().intercept_client(next)

    client = Client(engine, interceptors=[Counting()])
    await call_everything(client, engine.frontend)
    assert len(built) == 1


class Stamping(Interceptor):
    """Adds a header and changes arguments."""

    def intercept_client(self, next):
        class Outbound(OutboundInterceptor):
            async def start_workflow(self, input):
                input.headers = {"trace": Payload(data=b"1")}
                return await super().start_workflow(dataclasses.replace(input, args=["changed"]))

            async def signal_workflow(self, input):
                input.headers = {"trace": Payload(data=b"2")}
                await super().signal_workflow(input)

            async def query_workflow(self, input):
                input.headers = {"trace": Payload(data=b"3")}
                return await super().query_workflow(input)

            async def start_workflow_update(self, input):
                input.headers = {"trace": Payload(data=b"4")}
                return await super().start_workflow_update(input)

        return Outbound(next)


async def test_interceptors_set_headers_and_change_inputs(engine: FakeEngine):
    client = Client(engine, interceptors=[Stamping()])
    frontend = engine.frontend
    frontend.answer("start_workflow", started())
    frontend.answer("signal_workflow", None)
    frontend.answer("query_workflow", QueryResult(result=[]))
    frontend.answer("update_workflow", UpdateResult("r1", UpdateOutcome(success=[])))
    handle = await client.start_workflow("W", "given", id="w", start_signal="s")
    await handle.signal("s")
    await handle.query("q")
    await handle.execute_update("u")
    start = frontend.only("start_workflow")
    assert client.data_converter.from_payloads(start.input) == ["changed"]
    assert start.header["trace"].data == start.signal.header["trace"].data == b"1"
    assert frontend.only("signal_workflow").signal.header["trace"].data == b"2"
    assert frontend.only("query_workflow").header["trace"].data == b"3"
    assert frontend.only("update_workflow").header["trace"].data == b"4"


class Reversing(PayloadCodec):
    """Turns data around, so that what it touched is seen."""

    async def encode(self, payloads):
        return [
            Payload(metadata={"encoding": b"reversed", "was": p.metadata.get("encoding", b"")}, data=p.data[::-1])
            for p in payloads
        ]

    async def decode(self, payloads):
        return [Payload(metadata={"encoding": p.metadata["was"]}, data=p.data[::-1]) for p in payloads]


async def test_a_codec_covers_every_payload_but_search_attributes(engine: FakeEngine):
    client = Client(engine, data_converter=DataConverter(payload_codec=Reversing()))
    frontend = engine.frontend
    frontend.answer("start_workflow", started())
    with pytest.warns(DeprecationWarning, match="search attributes"):
        handle = await client.start_workflow(
            "W",
            "input",
            id="w",
            memo={"m": "memo"},
            search_attributes={"Team": ["team"]},
            static_summary="summary",
            start_signal="s",
            start_signal_args=["signal"],
        )
    request = frontend.only("start_workflow")
    covered = [*request.input, *request.signal.args, request.memo["m"], request.user_metadata.summary]
    assert [payload.data[::-1] for payload in covered] == [b'"input"', b'"signal"', b'"memo"', b'"summary"']
    assert request.search_attributes["Team"].data == b'["team"]'
    result = await client.data_converter.encode(["result"])
    assert result[0].data == b'"tluser"'
    frontend.answer("read_history", closing(WorkflowExecutionCompleted(result=result)))
    assert await handle.result() == "result"


async def test_failures_pass_the_codec_too(engine: FakeEngine):
    client = Client(engine, data_converter=DataConverter(payload_codec=Reversing()))
    engine.frontend.answer("fail_activity", None)
    await client.get_async_activity_handle(task_token=b"t").fail(ApplicationError("x", "detail"))
    [(_, failure, _)] = engine.frontend.all("fail_activity")
    assert failure.application_failure_info.details[0].data == b'"liated"'
    engine.frontend.answer("update_workflow", UpdateResult("r1", UpdateOutcome(failure=failure)))
    handle = client.get_workflow_handle("w")
    update = await handle.start_update("u", wait_for_stage=WorkflowUpdateStage.COMPLETED)
    for _ in range(2):  # the record of the engine must not be decoded in place
        with pytest.raises(WorkflowUpdateFailedError) as caught:
            await update.result()
        assert list(caught.value.cause.details) == ["detail"]


@pytest.mark.parametrize(
    ("behavior", "data"),
    [
        (HeaderCodecBehavior.NO_CODEC, b"12"),
        (HeaderCodecBehavior.CODEC, b"21"),
        (HeaderCodecBehavior.WORKFLOW_ONLY_CODEC, b"12"),
    ],
)
async def test_headers_pass_the_codec_where_the_client_is_told_so(engine: FakeEngine, behavior, data):
    class Heading(Interceptor):
        def intercept_client(self, next):
            class Outbound(OutboundInterceptor):
                async def signal_workflow(self, input):
                    input.headers = {"trace": Payload(data=b"12")}
                    await super().signal_workflow(input)

            return Outbound(next)

    converter = DataConverter(payload_codec=Reversing())
    client = Client(engine, data_converter=converter, interceptors=[Heading()], header_codec_behavior=behavior)
    engine.frontend.answer("signal_workflow", None)
    await client.get_workflow_handle("w").signal("s")
    assert engine.frontend.only("signal_workflow").signal.header["trace"].data == data


class Knowing(DefaultPayloadConverter):
    """A converter that stamps payloads with the workflow they belong to."""

    workflow_id = "nobody"

    def with_context(self, context):
        told = Knowing()
        told.workflow_id = getattr(context, "workflow_id", "")
        return told

    def to_payloads(self, values):
        payloads = super().to_payloads(values)
        for payload in payloads:
            payload.metadata["for"] = self.workflow_id.encode()
        return payloads


async def test_a_converter_that_wants_to_know_is_told_the_workflow(engine: FakeEngine):
    assert issubclass(Knowing, WithSerializationContext)
    client = Client(engine, data_converter=DataConverter(payload_converter_class=Knowing))
    engine.frontend.answer("start_workflow", started())
    engine.frontend.answer("signal_workflow", None)
    handle = await client.start_workflow("W", 1, id="w-1")
    await handle.signal("s", 1)
    assert engine.frontend.only("start_workflow").input[0].metadata["for"] == b"w-1"
    assert engine.frontend.only("signal_workflow").signal.args[0].metadata["for"] == b"w-1"
