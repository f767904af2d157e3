"""How ``result`` waits, follows a chain of runs, and says why a run did not complete."""

from __future__ import annotations

from datetime import timedelta

import pytest

from durable_nb import exceptions
from durable_nb.client import (
    Client,
    Interceptor,
    OutboundInterceptor,
    RPCError,
    RPCStatusCode,
    WorkflowContinuedAsNewError,
    WorkflowFailureError,
)
from durable_nb.model import attributes as a
from durable_nb.model.failure import ActivityFailureInfo, ApplicationFailureInfo, Failure
from durable_nb.model.requests import HistoryPage
from tests.client.fake_frontend import NEVER, FakeEngine, FakeFrontend, closing
from tests.client.orders import OrderWorkflow, Receipt


def completed(client: Client, *values, following: str = "") -> a.WorkflowExecutionCompleted:
    return a.WorkflowExecutionCompleted(
        result=client.data_converter.to_payloads(values) if values else None, new_execution_run_id=following
    )


async def outcome(client: Client, frontend: FakeFrontend, attributes: a.Attributes) -> BaseException:
    """Cause of the failure that ``result`` raises for a closing event."""
    frontend.answer("read_history", closing(attributes))
    with pytest.raises(WorkflowFailureError, match="Workflow execution failed") as caught:
        await client.get_workflow_handle("w").result()
    assert caught.value.cause is caught.value.__cause__
    return caught.value.cause


async def test_a_result_is_waited_for_and_decoded_by_the_return_annotation(client, frontend: FakeFrontend):
    frontend.answer("read_history", closing(completed(client, Receipt(5))))
    assert await client.get_workflow_handle_for(OrderWorkflow.run, "o").result() == Receipt(5)
    request = frontend.only("read_history")
    assert (request.target.workflow_id, request.target.run_id) == ("o", "")
    assert (request.wait_new_event, request.close_event_only) == (True, True)


async def test_a_run_without_result_gives_none(client, frontend: FakeFrontend):
    frontend.answer("read_history", closing(completed(client)))
    assert await client.get_workflow_handle("w").result() is None


async def test_several_results_give_the_first_with_a_warning(client, frontend: FakeFrontend):
    frontend.answer("read_history", closing(completed(client, 1, 2)))
    with pytest.warns(UserWarning, match="Expected single result, got 2"):
        assert await client.get_workflow_handle("w").result() == 1


async def test_a_handle_of_a_run_waits_for_that_run(client, frontend: FakeFrontend):
    frontend.answer("read_history", closing(completed(client, 1)))
    await client.get_workflow_handle("w", run_id="run-4").result()
    assert frontend.only("read_history").target.run_id == "run-4"


async def test_an_early_answer_without_event_is_asked_again_for_the_same_run(client, frontend: FakeFrontend):
    frontend.answer("read_history", HistoryPage("run-3", [], False), closing(completed(client, 1)))
    asked = []
    original = frontend.read_history

    async def noting(request):
        asked.append(request.target.run_id)
        return await original(request)

    frontend.read_history = noting
    assert await client.get_workflow_handle("w").result() == 1
    assert asked == ["", "run-3"]


async def test_a_chain_is_followed_through_continue_as_new_retry_cron_and_timeout(client, frontend: FakeFrontend):
    frontend.answer(
        "read_history",
        closing(a.WorkflowExecutionContinuedAsNew(new_execution_run_id="r2")),
        closing(a.WorkflowExecutionFailed(failure=Failure(message="no"), new_execution_run_id="r3")),
        closing(completed(client, "cron", following="r4")),
        closing(a.WorkflowExecutionTimedOut(new_execution_run_id="r5")),
        closing(completed(client, "end")),
    )
    runs: list[str] = []
    original = frontend.read_history

    async def noting(request):
        runs.append(request.target.run_id)
        return await original(request)

    frontend.read_history = noting
    assert await client.get_workflow_handle("w", run_id="r1").result() == "end"
    assert runs == ["r1", "r2", "r3", "r4", "r5"]


async def test_without_following_continue_as_new_is_an_error_that_names_the_next_run(client, frontend: FakeFrontend):
    frontend.answer("read_history", closing(a.WorkflowExecutionContinuedAsNew(new_execution_run_id="r2")))
    with pytest.raises(WorkflowContinuedAsNewError) as caught:
        await client.get_workflow_handle("w").result(follow_runs=False)
    assert caught.value.new_execution_run_id == "r2"


async def test_without_following_a_run_speaks_for_itself_though_another_follows(client, frontend: FakeFrontend):
    frontend.answer(
        "read_history",
        closing(completed(client, "first", following="r2")),
        closing(a.WorkflowExecutionFailed(failure=Failure(message="no"), new_execution_run_id="r2")),
    )
    handle = client.get_workflow_handle("w")
    assert await handle.result(follow_runs=False) == "first"
    with pytest.raises(WorkflowFailureError):
        await handle.result(follow_runs=False)


async def test_a_failed_run_has_the_chain_of_its_failure_as_cause(client, frontend: FakeFrontend):
    failure = Failure(
        message="Activity task failed",
        activity_failure_info=ActivityFailureInfo(activity_type="charge", activity_id="1"),
        cause=Failure(message="card", application_failure_info=ApplicationFailureInfo(type="CardError")),
    )
    cause = await outcome(client, frontend, a.WorkflowExecutionFailed(failure=failure))
    assert isinstance(cause, exceptions.ActivityError)
    assert isinstance(cause.cause, exceptions.ApplicationError)
    assert (cause.cause.type, cause.cause.message) == ("CardError", "card")


async def test_a_cancelled_run_has_a_cancelled_error_with_details_as_cause(client, frontend: FakeFrontend):
    details = client.data_converter.to_payloads(["why"])
    cause = await outcome(client, frontend, a.WorkflowExecutionCanceled(details=details))
    assert isinstance(cause, exceptions.CancelledError)
    assert (cause.message, list(cause.details)) == ("Workflow cancelled", ["why"])


async def test_a_terminated_run_has_the_reason_as_cause(client, frontend: FakeFrontend):
    details = client.data_converter.to_payloads([1, 2])
    cause = await outcome(client, frontend, a.WorkflowExecutionTerminated(reason="enough", details=details))
    assert isinstance(cause, exceptions.TerminatedError)
    assert (cause.message, list(cause.details)) == ("enough", [1, 2])
    silent = await outcome(client, frontend, a.WorkflowExecutionTerminated())
    assert silent.message == "Workflow terminated"


async def test_a_timed_out_run_has_a_timeout_as_cause(client, frontend: FakeFrontend):
    cause = await outcome(client, frontend, a.WorkflowExecutionTimedOut())
    assert isinstance(cause, exceptions.TimeoutError)
    assert (cause.message, cause.type) == ("Workflow timed out", exceptions.TimeoutType.START_TO_CLOSE)


async def test_waiting_ends_with_rpc_timeout(client, frontend: FakeFrontend):
    frontend.answer("read_history", NEVER)
    with pytest.raises(RPCError) as caught:
        await client.get_workflow_handle("w").result(rpc_timeout=timedelta(microseconds=1))
    assert caught.value.status is RPCStatusCode.DEADLINE_EXCEEDED


async def test_an_interceptor_sees_the_history_request_behind_a_result():
    seen = []

    class Seeing(Interceptor):
        def intercept_client(self, next):
            class Outbound(OutboundInterceptor):
                def fetch_workflow_history_events(self, input):
                    seen.append((input.id, input.run_id, input.wait_new_event))
                    return super().fetch_workflow_history_events(input)

            return Outbound(next)

    engine = FakeEngine()
    client = Client(engine, interceptors=[Seeing()])
    empty, last = HistoryPage("r1", [], False), closing(completed(client, 7), "r1")
    engine.frontend.answer("read_history", empty, last)
    assert await client.get_workflow_handle("w").result() == 7
    assert seen == [("w", None, True)]
