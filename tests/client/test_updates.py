"""Updates: stages, results, rejections, ids, and the end of waiting."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from durable_nb.client import (
    Client,
    RPCError,
    RPCStatusCode,
    RPCTimeoutOrCancelledError,
    WithStartWorkflowOperation,
    WorkflowUpdateFailedError,
    WorkflowUpdateRPCTimeoutOrCancelledError,
    WorkflowUpdateStage,
)
from durable_nb.client._defaults import DEFAULT_TASK_QUEUE
from durable_nb.common import WorkflowIDConflictPolicy
from durable_nb.exceptions import ApplicationError, WorkflowAlreadyStartedError
from durable_nb.model.attributes import UpdateOutcome
from durable_nb.model.failure import ApplicationFailureInfo, Failure
from durable_nb.model.requests import UpdateResult, UpdateWithStartResult
from tests.client.fake_frontend import NEVER, FakeFrontend, started
from tests.client.orders import Order, OrderWorkflow, Receipt

SHORT = timedelta(microseconds=1)
ACCEPTED, COMPLETED = WorkflowUpdateStage.ACCEPTED, WorkflowUpdateStage.COMPLETED
REJECTED = UpdateOutcome(
    failure=Failure(message="too low", application_failure_info=ApplicationFailureInfo(type="ValueError"))
)


def success(client: Client, *values) -> UpdateOutcome:
    return UpdateOutcome(success=client.data_converter.to_payloads(values) if values else None)


async def test_execute_update_sends_one_request_and_decodes_by_the_annotation(client, handle, frontend: FakeFrontend):
    frontend.answer("update_workflow", UpdateResult("r1", success(client, Receipt(9))))
    assert await handle.execute_update(OrderWorkflow.reprice, 9) == Receipt(9)
    request = frontend.only("update_workflow")
    assert (request.name, request.target.workflow_id, request.wait_completed) == ("reprice", "o", True)
    assert client.data_converter.from_payloads(request.args) == [9]
    assert len(request.update_id) == 36
    assert [verb for verb, _ in frontend.requests] == ["update_workflow"]


async def test_an_update_by_name_takes_an_id_and_a_result_type(client, handle, frontend: FakeFrontend):
    frontend.answer("update_workflow", UpdateResult("r1", success(client, {"total": 2})))
    assert await handle.execute_update("reprice", args=[2], id="once", result_type=Receipt) == Receipt(2)
    assert frontend.only("update_workflow").update_id == "once"


async def test_an_update_without_result_gives_none(client, handle, frontend: FakeFrontend):
    frontend.answer("update_workflow", UpdateResult("r1", success(client)))
    assert await handle.execute_update(OrderWorkflow.clear) is None


async def test_an_accepted_update_is_polled_for_when_its_result_is_asked_for(client, handle, frontend: FakeFrontend):
    frontend.answer("update_workflow", UpdateResult("r1"))
    frontend.answer("poll_update", UpdateResult("r1"), UpdateResult("r1", success(client, Receipt(1))))
    update = await handle.start_update(OrderWorkflow.reprice, 1, wait_for_stage=ACCEPTED, id="u")
    assert not frontend.only("update_workflow").wait_completed
    assert (update.id, update.workflow_id, update.workflow_run_id) == ("u", "o", "r1")
    assert await update.result() == Receipt(1)
    assert await update.result() == Receipt(1)
    [(poll,), _] = frontend.all("poll_update")
    assert (poll.update_id, poll.target.workflow_id, poll.target.run_id) == ("u", "o", "r1")


async def test_waiting_for_completed_polls_where_the_engine_answers_early(client, handle, frontend: FakeFrontend):
    frontend.answer("update_workflow", UpdateResult("r1"))
    frontend.answer("poll_update", UpdateResult("r1", success(client, Receipt(1))))
    update = await handle.start_update(OrderWorkflow.reprice, 1, wait_for_stage=COMPLETED)
    assert len(frontend.all("poll_update")) == 1
    assert await update.result() == Receipt(1)


async def test_a_rejected_update_fails_with_its_cause(handle, frontend: FakeFrontend):
    frontend.answer("update_workflow", UpdateResult("r1", REJECTED), UpdateResult("r1", REJECTED))
    with pytest.raises(WorkflowUpdateFailedError) as caught:
        await handle.execute_update("reprice", 0)
    assert isinstance(caught.value.cause, ApplicationError)
    assert caught.value.cause.type == "ValueError"
    update = await handle.start_update("reprice", 0, wait_for_stage=ACCEPTED)
    with pytest.raises(WorkflowUpdateFailedError):
        await update.result()


async def test_nobody_can_wait_for_admission(handle, frontend: FakeFrontend):
    with pytest.raises(ValueError, match="ADMITTED wait stage not supported"):
        await handle.start_update("x", wait_for_stage=WorkflowUpdateStage.ADMITTED)
    assert frontend.requests == []


async def test_a_closed_workflow_takes_no_update(handle, frontend: FakeFrontend):
    frontend.answer("update_workflow", RPCError("closed", RPCStatusCode.NOT_FOUND))
    with pytest.raises(RPCError) as caught:
        await handle.execute_update("x")
    assert caught.value.status is RPCStatusCode.NOT_FOUND


async def test_the_end_of_waiting_has_an_error_of_its_own(handle, frontend: FakeFrontend):
    frontend.answer("update_workflow", NEVER, RPCError("late", RPCStatusCode.DEADLINE_EXCEEDED), UpdateResult("r1"))
    frontend.answer("poll_update", NEVER)
    with pytest.raises(WorkflowUpdateRPCTimeoutOrCancelledError):
        await handle.execute_update("x", rpc_timeout=SHORT)
    with pytest.raises(RPCTimeoutOrCancelledError):
        await handle.execute_update("x")
    update = await handle.start_update("x", wait_for_stage=ACCEPTED)
    with pytest.raises(WorkflowUpdateRPCTimeoutOrCancelledError):
        await update.result(rpc_timeout=SHORT)


async def test_cancelling_the_waiting_task_is_told_as_the_end_of_waiting(handle, frontend: FakeFrontend):
    frontend.answer("update_workflow", NEVER)
    task = asyncio.create_task(handle.execute_update("x"))
    await asyncio.sleep(0)  # one turn of the loop brings the task to its request
    assert frontend.requests
    task.cancel()
    with pytest.raises(WorkflowUpdateRPCTimeoutOrCancelledError):
        await task


async def test_a_handle_made_for_an_update_id_waits_for_that_update(client, frontend: FakeFrontend):
    frontend.answer("poll_update", *[UpdateResult("r1", success(client, {"total": 1}))] * 3)
    handle = client.get_workflow_handle("o", run_id="r1")
    assert await handle.get_update_handle_for(OrderWorkflow.reprice, "u").result() == Receipt(1)
    assert await handle.get_update_handle("u", result_type=Receipt).result() == Receipt(1)
    assert await handle.get_update_handle("u", workflow_run_id="r0").result() == {"total": 1}
    assert [request.target.run_id for (request,) in frontend.all("poll_update")] == ["r1", "r1", "r0"]


# -- update-with-start ---------------------------------------------------------------------------------------------


@pytest.fixture
def operation():
    return WithStartWorkflowOperation(
        OrderWorkflow.run, Order(1), id="o", id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING
    )


async def test_update_with_start_is_one_request(client, frontend: FakeFrontend, operation):
    frontend.answer(
        "update_with_start",
        UpdateWithStartResult(started("r1", "r0"), UpdateResult("r1", success(client, Receipt(1)))),
    )
    assert await client.execute_update_with_start_workflow(
        OrderWorkflow.reprice, 1, start_workflow_operation=operation, id="u"
    ) == Receipt(1)
    request = frontend.only("update_with_start")
    assert (request.start.workflow_type, request.start.task_queue) == ("OrderWorkflow", DEFAULT_TASK_QUEUE)
    assert request.start.id_conflict_policy is WorkflowIDConflictPolicy.USE_EXISTING
    assert (request.update.update_id, request.update.name, request.update.wait_completed) == ("u", "reprice", True)
    assert request.update.target.workflow_id == "o"
    handle = await operation.workflow_handle()
    assert (handle.id, handle.result_run_id, handle.first_execution_run_id) == ("o", "r1", "r0")


async def test_an_operation_is_used_once(client, frontend: FakeFrontend, operation):
    frontend.answer("update_with_start", UpdateWithStartResult(started(), UpdateResult("r1", success(client))))
    await client.execute_update_with_start_workflow("x", start_workflow_operation=operation)
    with pytest.raises(RuntimeError, match="cannot be reused"):
        await client.execute_update_with_start_workflow("x", start_workflow_operation=operation)


async def test_the_handle_may_be_awaited_before_the_call(client, frontend: FakeFrontend, operation):
    waiting = asyncio.create_task(operation.workflow_handle())
    await asyncio.sleep(0)
    assert not waiting.done()
    frontend.answer("update_with_start", UpdateWithStartResult(started("r1"), UpdateResult("r1")))
    update = await client.start_update_with_start_workflow(
        "x", wait_for_stage=ACCEPTED, start_workflow_operation=operation
    )
    assert update.workflow_run_id == "r1"
    assert (await waiting).result_run_id == "r1"


async def test_an_operation_may_be_described_outside_of_any_loop(client, frontend: FakeFrontend):
    operation = await asyncio.to_thread(
        lambda: WithStartWorkflowOperation("W", id="o", id_conflict_policy=WorkflowIDConflictPolicy.FAIL)
    )
    frontend.answer("update_with_start", UpdateWithStartResult(started(), UpdateResult("r1", success(client))))
    await client.execute_update_with_start_workflow("x", start_workflow_operation=operation)
    assert (await operation.workflow_handle()).id == "o"


async def test_a_start_that_fails_fails_call_and_handle(client, frontend: FakeFrontend, operation):
    frontend.answer("update_with_start", WorkflowAlreadyStartedError("o", "OrderWorkflow"))
    with pytest.raises(WorkflowAlreadyStartedError):
        await client.execute_update_with_start_workflow("x", start_workflow_operation=operation)
    with pytest.raises(WorkflowAlreadyStartedError):
        await operation.workflow_handle()


async def test_a_rejected_update_leaves_the_handle_of_the_started_workflow(client, frontend, operation):
    frontend.answer("update_with_start", UpdateWithStartResult(started("r1"), UpdateResult("r1", REJECTED)))
    with pytest.raises(WorkflowUpdateFailedError):
        await client.execute_update_with_start_workflow("x", start_workflow_operation=operation)
    assert (await operation.workflow_handle()).result_run_id == "r1"


async def test_a_deadline_of_update_with_start_is_the_end_of_waiting(client, frontend: FakeFrontend, operation):
    frontend.answer("update_with_start", NEVER)
    with pytest.raises(WorkflowUpdateRPCTimeoutOrCancelledError):
        await client.execute_update_with_start_workflow("x", start_workflow_operation=operation, rpc_timeout=SHORT)
    with pytest.raises(RPCError) as late:
        await operation.workflow_handle()
    assert late.value.status is RPCStatusCode.DEADLINE_EXCEEDED


async def test_the_conflict_policy_must_be_said():
    with pytest.raises(ValueError, match="WorkflowIDConflictPolicy is required"):
        WithStartWorkflowOperation("W", id="o", id_conflict_policy=WorkflowIDConflictPolicy.UNSPECIFIED)


async def test_an_update_is_for_the_current_run_of_the_chain_that_the_handle_started(client, frontend: FakeFrontend):
    frontend.answer("start_workflow", started("r1", "r0"))
    frontend.answer("update_workflow", UpdateResult("r5", success(client)))
    handle = await client.start_workflow("W", id="o")
    await handle.execute_update("x")
    target = frontend.only("update_workflow").target
    assert (target.run_id, target.first_execution_run_id) == ("", "r0")
