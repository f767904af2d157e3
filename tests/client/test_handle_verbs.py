"""Signal, query, cancel, terminate and describe: whom they address, what they send, what they raise."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from durable_nb.client import (
    Client,
    RPCError,
    RPCStatusCode,
    WorkflowExecutionStatus,
    WorkflowQueryFailedError,
    WorkflowQueryRejectedError,
)
from durable_nb.common import QueryRejectCondition, SearchAttributeKey
from durable_nb.converter import encode_search_attributes
from durable_nb.model.attributes import UserMetadata
from durable_nb.model.failure import Failure
from durable_nb.model.requests import PendingActivity, QueryResult, RunDescription
from tests.client.fake_frontend import NEVER, FakeEngine, FakeFrontend, started
from tests.client.orders import OrderWorkflow, Receipt

SHORT = timedelta(microseconds=1)


def answer(client: Client, *values) -> QueryResult:
    return QueryResult(result=client.data_converter.to_payloads(values))


async def test_a_signal_goes_to_the_current_run_by_its_name(client, handle, frontend: FakeFrontend):
    frontend.answer("signal_workflow", None, None, None)
    await handle.signal(OrderWorkflow.approve, "me")
    await handle.signal(OrderWorkflow.close)
    await handle.signal("any name", args=[1, 2])
    (first,), (second,), (third,) = frontend.all("signal_workflow")
    assert (first.target.workflow_id, first.target.run_id, first.identity) == ("o", "", "tester")
    assert [request.signal.name for request in (first, second, third)] == ["approve", "close-it", "any name"]
    assert client.data_converter.from_payloads(first.signal.args) == ["me"]
    assert client.data_converter.from_payloads(third.signal.args) == [1, 2]
    assert len({request.signal.request_id for request in (first, second, third)}) == 3


async def test_a_started_workflow_is_addressed_by_id_and_guarded_by_its_chain(client, frontend: FakeFrontend):
    frontend.answer("start_workflow", started("run-2", "run-1"))
    for verb in ("signal_workflow", "cancel_workflow", "terminate_workflow"):
        frontend.answer(verb, None)
    handle = await client.start_workflow("Ping", id="p")
    await handle.signal("go")
    await handle.cancel(reason="late")
    await handle.terminate("a", 1, reason="bad")
    assert frontend.only("signal_workflow").target.first_execution_run_id == ""
    cancel, terminate = frontend.only("cancel_workflow"), frontend.only("terminate_workflow")
    for request in (cancel, terminate):
        assert (request.target.run_id, request.target.first_execution_run_id) == ("", "run-1")
        assert request.identity == "tester"
    assert cancel.reason == "late"
    assert terminate.reason == "bad"
    assert client.data_converter.from_payloads(terminate.details) == ["a", 1]


async def test_terminate_without_details_sends_none(handle, frontend: FakeFrontend):
    frontend.answer("terminate_workflow", None)
    await handle.terminate()
    assert frontend.only("terminate_workflow").details is None
    assert frontend.only("terminate_workflow").reason == ""


async def test_a_query_is_decoded_by_the_annotation_of_its_method(client, handle, frontend: FakeFrontend):
    frontend.answer("query_workflow", answer(client, Receipt(3)), answer(client, "x"), answer(client, {"total": 1}))
    assert await handle.query(OrderWorkflow.receipt) == Receipt(3)
    assert await handle.query(OrderWorkflow.item_at, 2) == "x"
    assert await handle.query("receipt", result_type=Receipt) == Receipt(1)
    first, second, _ = (request for (request,) in frontend.all("query_workflow"))
    assert (first.name, first.args, first.reject_condition) == ("receipt", [], 1)
    assert client.data_converter.from_payloads(second.args) == [2]


async def test_a_query_without_payload_gives_none(handle, frontend: FakeFrontend):
    frontend.answer("query_workflow", QueryResult(result=[]))
    assert await handle.query("nothing") is None


async def test_a_failed_query_has_the_message_of_the_handler(handle, frontend: FakeFrontend):
    frontend.answer(
        "query_workflow",
        QueryResult(failure=Failure(message="known queries: receipt", stack_trace="line 4")),
        RPCError("no such query", RPCStatusCode.INVALID_ARGUMENT),
    )
    with pytest.raises(WorkflowQueryFailedError) as caught:
        await handle.query("x")
    assert caught.value.message == "known queries: receipt"
    assert caught.value.__cause__ is not None
    with pytest.raises(WorkflowQueryFailedError, match="no such query"):
        await handle.query("x")


async def test_a_query_of_an_unknown_workflow_stays_an_rpc_error(handle, frontend: FakeFrontend):
    frontend.answer("query_workflow", RPCError("no such run", RPCStatusCode.NOT_FOUND))
    with pytest.raises(RPCError) as caught:
        await handle.query("x")
    assert caught.value.status is RPCStatusCode.NOT_FOUND


async def test_a_rejected_query_names_the_status(handle, frontend: FakeFrontend):
    frontend.answer("query_workflow", QueryResult(rejected=WorkflowExecutionStatus.FAILED))
    with pytest.raises(WorkflowQueryRejectedError) as caught:
        await handle.query("x", reject_condition=QueryRejectCondition.NOT_COMPLETED_CLEANLY)
    assert caught.value.status is WorkflowExecutionStatus.FAILED
    assert frontend.only("query_workflow").reject_condition == 3


async def test_the_client_has_a_reject_condition_for_queries_that_name_none(engine: FakeEngine):
    client = Client(engine, default_workflow_query_reject_condition=QueryRejectCondition.NOT_OPEN)
    engine.frontend.answer("query_workflow", QueryResult(result=[]), QueryResult(result=[]))
    handle = client.get_workflow_handle("w")
    await handle.query("x")
    await handle.query("x", reject_condition=QueryRejectCondition.NONE)
    assert [request.reject_condition for (request,) in engine.frontend.all("query_workflow")] == [2, 1]


@pytest.mark.parametrize(
    ("verb", "call"),
    [
        ("signal_workflow", lambda handle: handle.signal("x", rpc_timeout=SHORT)),
        ("query_workflow", lambda handle: handle.query("x", rpc_timeout=SHORT)),
        ("cancel_workflow", lambda handle: handle.cancel(rpc_timeout=SHORT)),
        ("terminate_workflow", lambda handle: handle.terminate(rpc_timeout=SHORT)),
        ("describe_workflow", lambda handle: handle.describe(rpc_timeout=SHORT)),
        ("read_history", lambda handle: handle.fetch_history(rpc_timeout=SHORT)),
    ],
)
async def test_every_verb_gives_up_after_rpc_timeout(handle, frontend: FakeFrontend, verb, call):
    frontend.answer(verb, NEVER)
    with pytest.raises(RPCError, match="Timeout expired") as caught:
        await call(handle)
    assert caught.value.status is RPCStatusCode.DEADLINE_EXCEEDED


def description(client: Client) -> RunDescription:
    def encode(value):
        return client.data_converter.to_payloads([value])[0]

    return RunDescription(
        namespace="default",
        workflow_id="o",
        run_id="r2",
        workflow_type="OrderWorkflow",
        task_queue="q",
        status=WorkflowExecutionStatus.RUNNING,
        start_time=1_500_000,
        execution_time=2_000_000,
        close_time=0,
        history_length=7,
        history_size=900,
        first_execution_run_id="r1",
        memo={"receipt": encode(Receipt(4))},
        search_attributes=encode_search_attributes({"Team": ["a"]}),
        parent_workflow_id="parent",
        parent_run_id="r0",
        user_metadata=UserMetadata(summary=encode("one line")),
        pending_activities=[PendingActivity("1", "charge", "scheduled", 3, 5, 0)],
    )


@pytest.mark.parametrize(
    ("parent", "root", "expected"),
    [
        (("", ""), ("", ""), ("o", "r2")),
        (("parent", "r0"), ("top", "r-1"), ("top", "r-1")),
        (("", ""), ("top", "r-1"), ("top", "r-1")),
    ],
    ids=["no parent", "a child", "a successor of one"],
)
async def test_a_run_without_a_parent_is_its_own_root(client, handle, frontend: FakeFrontend, parent, root, expected):
    told = description(client)
    told.parent_workflow_id, told.parent_run_id = parent
    told.root_workflow_id, told.root_run_id = root
    frontend.answer("describe_workflow", told)
    found = await handle.describe()
    assert (found.root_id, found.root_run_id) == expected


async def test_a_description_decodes_what_the_engine_knows(client, handle, frontend: FakeFrontend):
    frontend.answer("describe_workflow", description(client))
    found = await handle.describe()
    assert (found.id, found.run_id, found.workflow_type, found.task_queue) == ("o", "r2", "OrderWorkflow", "q")
    assert found.status is WorkflowExecutionStatus.RUNNING
    assert found.start_time == datetime(1970, 1, 1, 0, 0, 1, 500_000, tzinfo=UTC)
    assert found.execution_time == datetime(1970, 1, 1, 0, 0, 2, tzinfo=UTC)
    assert found.close_time is None
    assert (found.parent_id, found.parent_run_id, found.root_id) == ("parent", "r0", None)
    assert found.search_attributes == {"Team": ["a"]}
    assert [pair.value for pair in found.typed_search_attributes] == ["a"]
    assert found.typed_search_attributes.get(SearchAttributeKey.for_keyword("Team")) == "a"
    assert await found.static_summary() == "one line"
    assert await found.static_details() is None
    assert [activity.attempt for activity in found.pending_activities] == [3]
    assert list(found.pending_timers) == list(found.pending_children) == []
    assert found.pending_workflow_task is None
    assert found.raw_description.history_size == 900


async def test_memo_values_are_decoded_with_and_without_hints(client, handle, frontend: FakeFrontend):
    frontend.answer("describe_workflow", description(client))
    found = await handle.describe()
    assert await found.memo() == {"receipt": {"total": 4}}
    assert await found.memo_value("receipt", type_hint=Receipt) == Receipt(4)
    assert await found.memo_value("none", 3) == 3
    assert await found.memo_value("none", None) is None
    with pytest.raises(KeyError, match="none"):
        await found.memo_value("none")
