"""Completing an activity from outside, by token and by ids."""

from __future__ import annotations

from datetime import timedelta

import pytest

from durable_nb.client import AsyncActivityCancelledError, AsyncActivityIDReference, Client, RPCError, RPCStatusCode
from durable_nb.exceptions import ApplicationError
from durable_nb.model.requests import ActivityReference
from durable_nb.model.tasks import HeartbeatReply
from tests.client.fake_frontend import NEVER, FakeFrontend

BY_TOKEN = ActivityReference("default", b"token")


@pytest.fixture
def handle(client: Client):
    return client.get_async_activity_handle(task_token=b"token")


def values(client: Client, payloads) -> list:
    return client.data_converter.from_payloads(payloads)


async def test_an_activity_is_named_by_token_or_by_ids(client: Client, frontend: FakeFrontend):
    frontend.answer("complete_activity", None, None, None)
    await client.get_async_activity_handle(task_token=b"token").complete()
    await client.get_async_activity_handle(workflow_id="w", run_id="r", activity_id="a").complete()
    await client.get_async_activity_handle(workflow_id="w", run_id=None, activity_id="a").complete()
    assert [reference for reference, _ in frontend.all("complete_activity")] == [
        BY_TOKEN,
        ActivityReference("default", b"", "w", "r", "a"),
        ActivityReference("default", b"", "w", "", "a"),
    ]


def test_ids_and_token_exclude_each_other_and_one_is_needed(client: Client):
    with pytest.raises(ValueError, match="cannot be present with other IDs"):
        client.get_async_activity_handle(task_token=b"t", workflow_id="w")
    for options in ({}, {"workflow_id": "w"}, {"activity_id": "a"}):
        with pytest.raises(ValueError, match="Workflow ID and activity ID are required"):
            client.get_async_activity_handle(**options)


async def test_completing_sends_the_result_and_none_is_a_result(client, handle, frontend: FakeFrontend):
    frontend.answer("complete_activity", None, None, None)
    await handle.complete({"a": 1})
    await handle.complete(None)
    await handle.complete()
    sent = [payloads for _, payloads in frontend.all("complete_activity")]
    assert [values(client, payloads) for payloads in sent] == [[{"a": 1}], [None], []]


async def test_failing_sends_the_failure_and_last_details(client, handle, frontend: FakeFrontend):
    frontend.answer("fail_activity", None)
    await handle.fail(ApplicationError("bad", type="Bad", non_retryable=True), last_heartbeat_details=[1])
    [(reference, failure, details)] = frontend.all("fail_activity")
    assert reference == BY_TOKEN
    assert (failure.message, failure.application_failure_info.type) == ("bad", "Bad")
    assert failure.application_failure_info.non_retryable
    assert values(client, details) == [1]


async def test_failing_without_new_details_keeps_those_of_the_last_heartbeat(handle, frontend: FakeFrontend):
    frontend.answer("fail_activity", None)
    await handle.fail(ValueError("bad"))
    [(_, _, details)] = frontend.all("fail_activity")
    assert details is None


async def test_reporting_a_cancellation_sends_details(client, handle, frontend: FakeFrontend):
    frontend.answer("cancel_activity", None)
    await handle.report_cancellation("stopped", 2)
    [(_, details)] = frontend.all("cancel_activity")
    assert values(client, details) == ["stopped", 2]


async def test_a_heartbeat_tells_to_stop_and_why(client, handle, frontend: FakeFrontend):
    frontend.answer(
        "heartbeat_activity",
        HeartbeatReply(),
        HeartbeatReply(cancel_requested=True),
        HeartbeatReply(paused=True),
        HeartbeatReply(reset=True),
    )
    await handle.heartbeat(1, "two")
    assert values(client, frontend.all("heartbeat_activity")[0][1]) == [1, "two"]
    for reason in ("cancel_requested", "paused", "reset"):
        with pytest.raises(AsyncActivityCancelledError) as caught:
            await handle.heartbeat()
        set_reasons = {name for name, value in vars(caught.value.details).items() if value}
        assert set_reasons == {reason}


async def test_a_heartbeat_of_a_finished_attempt_is_not_found(handle, frontend: FakeFrontend):
    frontend.answer("heartbeat_activity", HeartbeatReply(not_found=True))
    with pytest.raises(RPCError) as caught:
        await handle.heartbeat()
    assert caught.value.status is RPCStatusCode.NOT_FOUND


async def test_verbs_of_activities_give_up_after_rpc_timeout(handle, frontend: FakeFrontend):
    short = timedelta(microseconds=1)
    for verb in ("heartbeat_activity", "complete_activity", "fail_activity", "cancel_activity"):
        frontend.answer(verb, NEVER)
    for call in (
        handle.heartbeat(rpc_timeout=short),
        handle.complete(rpc_timeout=short),
        handle.fail(ValueError("x"), rpc_timeout=short),
        handle.report_cancellation(rpc_timeout=short),
    ):
        with pytest.raises(RPCError) as caught:
            await call
        assert caught.value.status is RPCStatusCode.DEADLINE_EXCEEDED


def test_handles_say_which_activity_they_are_for(client: Client, handle):
    assert repr(handle) == "<AsyncActivityHandle by task token>"
    by_ids = client.get_async_activity_handle(workflow_id="w", run_id=None, activity_id="a")
    assert repr(by_ids) == "<AsyncActivityHandle 'a' of workflow 'w'>"
    assert by_ids._id_or_token == AsyncActivityIDReference("w", None, "a")
