"""What ``start_workflow`` and ``execute_workflow`` ask of the engine and hand back."""

from __future__ import annotations

import inspect
from datetime import UTC, datetime, timedelta

import pytest

from durable_nb.client import Client, RPCError, RPCStatusCode, WorkflowHandle
from durable_nb.client._defaults import DEFAULT_TASK_QUEUE
from durable_nb.common import (
    Priority,
    RetryPolicy,
    SearchAttributeKey,
    SearchAttributePair,
    TypedSearchAttributes,
    WorkflowIDConflictPolicy,
    WorkflowIDReusePolicy,
)
from durable_nb.exceptions import WorkflowAlreadyStartedError
from durable_nb.model.attributes import PriorityAttributes, RetryPolicyAttributes, WorkflowExecutionCompleted
from durable_nb.model.requests import StartWorkflow
from tests.client.fake_frontend import NEVER, FakeFrontend, closing, started
from tests.client.orders import Order, OrderWorkflow, PingWorkflow, Receipt, TransferWorkflow

NEW, SAME_ID = WorkflowIDReusePolicy, WorkflowIDConflictPolicy


def decoded(client: Client, payloads) -> list:
    return client.data_converter.from_payloads(payloads)


async def test_a_start_by_method_sends_name_arguments_and_defaults(client, frontend: FakeFrontend):
    frontend.answer("start_workflow", started("run-7", "run-5"))
    handle = await client.start_workflow(OrderWorkflow.run, Order(3), id="order-3")
    request: StartWorkflow = frontend.only("start_workflow")
    assert (request.namespace, request.workflow_id, request.workflow_type) == ("default", "order-3", "OrderWorkflow")
    assert (request.task_queue, request.identity) == (DEFAULT_TASK_QUEUE, "tester")
    assert decoded(client, request.input) == [{"item": "book", "number": 3}]
    assert request.id_reuse_policy is NEW.ALLOW_DUPLICATE
    assert request.id_conflict_policy is SAME_ID.UNSPECIFIED
    assert (request.header, request.memo, request.signal, request.priority) == ({}, None, None, None)
    assert request.request_id
    assert isinstance(handle, WorkflowHandle)
    assert (handle.id, handle.run_id, handle.result_run_id) == ("order-3", None, "run-7")
    assert handle.first_execution_run_id == "run-5"


async def test_each_start_has_a_request_id_of_its_own(client, frontend: FakeFrontend):
    frontend.answer("start_workflow", started(), started())
    await client.start_workflow("Ping", id="a")
    await client.start_workflow("Ping", id="a")
    [first], [second] = frontend.all("start_workflow")
    assert first.request_id != second.request_id


async def test_a_start_without_arguments_sends_no_payload(client, frontend: FakeFrontend):
    frontend.answer("start_workflow", started())
    await client.start_workflow(PingWorkflow.run, id="p")
    assert frontend.only("start_workflow").input == []


async def test_none_is_an_argument_like_any_other(client, frontend: FakeFrontend):
    frontend.answer("start_workflow", started())
    await client.start_workflow("Anything", None, id="p")
    assert decoded(client, frontend.only("start_workflow").input) == [None]


async def test_several_arguments_go_by_args_and_trailing_defaults_may_be_left_out(client, frontend: FakeFrontend):
    frontend.answer("start_workflow", started(), started())
    await client.start_workflow(TransferWorkflow.run, args=["a", "b"], id="t")
    await client.start_workflow(TransferWorkflow.run, args=["a", "b", 5], id="t")
    [two], [three] = frontend.all("start_workflow")
    assert two.workflow_type == "transfer"
    assert decoded(client, two.input) == ["a", "b"]
    assert decoded(client, three.input) == ["a", "b", 5]


async def test_every_option_reaches_the_request(client, frontend: FakeFrontend):
    frontend.answer("start_workflow", started())
    when = datetime(2026, 11, 1, tzinfo=UTC)
    await client.start_workflow(
        "Ping",
        id="p",
        task_queue="gpu",
        execution_timeout=timedelta(hours=2),
        run_timeout=timedelta(minutes=30),
        task_timeout=timedelta(seconds=5),
        id_reuse_policy=NEW.REJECT_DUPLICATE,
        id_conflict_policy=SAME_ID.USE_EXISTING,
        retry_policy=RetryPolicy(maximum_attempts=3),
        memo={"team": "a"},
        search_attributes=TypedSearchAttributes([SearchAttributePair(SearchAttributeKey.for_datetime("Due"), when)]),
        static_summary="one line",
        static_details="more lines",
        start_delay=timedelta(milliseconds=1500),
        priority=Priority(priority_key=1),
        request_eager_start=True,
        rpc_metadata={"x": "y"},
        rpc_timeout=timedelta(seconds=9),
    )
    request: StartWorkflow = frontend.only("start_workflow")
    assert request.task_queue == "gpu"
    assert (request.execution_timeout, request.run_timeout, request.task_timeout) == (
        7_200_000_000,
        1_800_000_000,
        5_000_000,
    )
    assert (request.id_reuse_policy, request.id_conflict_policy) == (NEW.REJECT_DUPLICATE, SAME_ID.USE_EXISTING)
    assert request.retry_policy == RetryPolicyAttributes(1_000_000, 2.0, 100_000_000, 3)
    assert decoded(client, [request.memo["team"]]) == ["a"]
    assert request.search_attributes["Due"].metadata["type"] == b"Datetime"
    assert decoded(client, [request.user_metadata.summary, request.user_metadata.details]) == ["one line", "more lines"]
    assert request.start_delay == 1_500_000
    assert request.priority == PriorityAttributes(priority_key=1)


async def test_a_cron_schedule_is_passed_on(client, frontend: FakeFrontend):
    frontend.answer("start_workflow", started())
    await client.start_workflow("Ping", id="p", cron_schedule="0 3 * * *")
    assert frontend.only("start_workflow").cron_schedule == "0 3 * * *"


async def test_dictionary_search_attributes_work_with_a_warning_at_the_callers_line(client, frontend: FakeFrontend):
    frontend.answer("start_workflow", started(), started())
    frontend.answer("read_history", closing(WorkflowExecutionCompleted()))
    for call in (client.start_workflow, client.execute_workflow):
        with pytest.warns(DeprecationWarning, match="search attributes") as caught:
            await call("Ping", id="p", search_attributes={"Team": ["a"]})
        assert [warning.filename for warning in caught] == [__file__]
    assert decoded(client, [frontend.all("start_workflow")[0][0].search_attributes["Team"]]) == [["a"]]


async def test_signal_with_start_uses_a_running_workflow_by_default(client, frontend: FakeFrontend):
    frontend.answer("start_workflow", started(new=False))
    await client.start_workflow("Ping", id="p", start_signal="approve", start_signal_args=["me", 2])
    request: StartWorkflow = frontend.only("start_workflow")
    assert request.id_conflict_policy is SAME_ID.USE_EXISTING
    assert request.signal.name == "approve"
    assert request.signal.request_id
    assert decoded(client, request.signal.args) == ["me", 2]


async def test_terminate_if_running_becomes_the_conflict_policy_it_stands_for(client, frontend: FakeFrontend):
    frontend.answer("start_workflow", started())
    await client.start_workflow("Ping", id="p", id_reuse_policy=NEW.TERMINATE_IF_RUNNING)
    request: StartWorkflow = frontend.only("start_workflow")
    assert request.id_reuse_policy is NEW.ALLOW_DUPLICATE
    assert request.id_conflict_policy is SAME_ID.TERMINATE_EXISTING


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"id_reuse_policy": NEW.TERMINATE_IF_RUNNING, "id_conflict_policy": SAME_ID.FAIL}, "TERMINATE_EXISTING alone"),
        (
            {"id_reuse_policy": NEW.REJECT_DUPLICATE, "id_conflict_policy": SAME_ID.TERMINATE_EXISTING},
            "REJECT_DUPLICATE",
        ),
        ({"start_signal": "go", "id_conflict_policy": SAME_ID.FAIL}, "start_signal"),
        ({"cron_schedule": "* * * * *", "start_delay": timedelta(seconds=1)}, "start_delay"),
        ({"run_timeout": timedelta(seconds=-1)}, "run_timeout must not be negative"),
    ],
)
async def test_options_that_exclude_each_other_are_refused_before_anything_is_sent(client, frontend, options, words):
    with pytest.raises(RPCError, match=words) as caught:
        await client.start_workflow("Ping", id="p", **options)
    assert caught.value.status is RPCStatusCode.INVALID_ARGUMENT
    assert frontend.requests == []


async def test_a_timeout_that_is_no_timedelta_is_refused_with_the_right_spelling(client):
    with pytest.raises(TypeError, match=r"run_timeout must be a timedelta, not int: write timedelta\(seconds=30\)"):
        await client.start_workflow("Ping", id="p", run_timeout=30)


async def test_an_id_in_use_reaches_the_caller_as_it_is(client, frontend: FakeFrontend):
    frontend.answer("start_workflow", WorkflowAlreadyStartedError("p", "Ping", run_id="run-1"))
    with pytest.raises(WorkflowAlreadyStartedError) as caught:
        await client.start_workflow("Ping", id="p")
    assert caught.value.run_id == "run-1"


async def test_a_start_that_is_not_answered_in_time_raises_deadline_exceeded(client, frontend: FakeFrontend):
    frontend.answer("start_workflow", NEVER)
    with pytest.raises(RPCError, match="start_workflow") as caught:
        await client.start_workflow("Ping", id="p", rpc_timeout=timedelta(microseconds=1))
    assert caught.value.status is RPCStatusCode.DEADLINE_EXCEEDED


async def test_execute_workflow_waits_for_the_run_it_started_and_decodes_by_the_annotation(client, frontend):
    frontend.answer("start_workflow", started("run-9"))
    frontend.answer(
        "read_history", closing(WorkflowExecutionCompleted(result=client.data_converter.to_payloads([Receipt(12)])))
    )
    assert await client.execute_workflow(OrderWorkflow.run, Order(1), id="o") == Receipt(12)
    assert frontend.only("read_history").target.run_id == "run-9"


async def test_result_type_decodes_the_result_of_a_workflow_named_by_a_string(client, frontend: FakeFrontend):
    frontend.answer("start_workflow", started())
    frontend.answer(
        "read_history", closing(WorkflowExecutionCompleted(result=client.data_converter.to_payloads([Receipt(12)])))
    )
    assert await client.execute_workflow("OrderWorkflow", id="o", result_type=Receipt) == Receipt(12)


def test_the_signature_is_temporals_but_for_the_default_task_queue():
    temporalio = pytest.importorskip("temporalio.client")
    for verb in ("start_workflow", "execute_workflow"):
        ours = inspect.signature(getattr(Client, verb)).parameters
        theirs = inspect.signature(getattr(temporalio.Client, verb)).parameters
        assert list(ours) == list(theirs)
        assert [p.kind for p in ours.values()] == [p.kind for p in theirs.values()]
        for name in set(ours) - {"arg", "id", "task_queue", "priority"}:
            assert ours[name].default == theirs[name].default, name
