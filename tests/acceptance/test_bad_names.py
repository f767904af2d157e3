"""Names, ids and options of the wrong type, and text that has no stored form: told at once, and no run is lost.

The danger is not the error but its absence: what is written and cannot be read makes a run that never loads again. So
every case here is looked at through a store that was closed and opened again.
"""

from __future__ import annotations

import asyncio
import logging
import os
import re
from collections.abc import Callable, Coroutine, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from durable_nb import activity, workflow
from durable_nb.client import Client, WorkflowFailureError
from durable_nb.common import Priority, RetryPolicy
from durable_nb.exceptions import ActivityError, ApplicationError
from durable_nb.service import RPCError, RPCStatusCode
from durable_nb.testing import WorkflowEnvironment
from durable_nb.worker import Worker

MINUTE = timedelta(minutes=1)
ONCE = RetryPolicy(maximum_attempts=1)
HALF = os.fsdecode(b"report-\xff.csv")
"""A file name that is no UTF-8: Python puts half of a surrogate pair in its place."""

Make = Callable[[], BaseException]


class Unspeakable(Exception):
    def __str__(self) -> str:
        raise RuntimeError("no text")


@activity.defn
async def echo(value: Any) -> Any:
    return value


ERRORS: dict[str, Make] = {
    "number": lambda: ApplicationError(5),  # type: ignore[arg-type]
    "nothing": lambda: ApplicationError(None),  # type: ignore[arg-type]
    "error": lambda: ApplicationError(ValueError("inner")),  # type: ignore[arg-type]
    "class": lambda: ApplicationError("m", type=KeyError),  # type: ignore[arg-type]
    "yes": lambda: ApplicationError("m", non_retryable="yes"),  # type: ignore[arg-type]
    "half": lambda: ValueError(f"cannot read {HALF}"),
    "unspeakable": Unspeakable,
}
MESSAGES = {
    "number": "5",
    "nothing": "Application error",
    "error": "inner",
    "class": "KeyError: m",
    "yes": "m",
    "half": "ValueError: cannot read report-\\udcff.csv",
    "unspeakable": "Unspeakable: <Unspeakable whose str() raises RuntimeError>",
}


@activity.defn
async def fails(how: str) -> None:
    error = ERRORS[how]()
    raise error


@pytest.fixture(autouse=True)
def unheard() -> Iterator[None]:
    """No log records: what runs tests in several processes cannot send half a character to another."""
    logging.disable(logging.CRITICAL)
    yield
    logging.disable(logging.NOTSET)


def run_echo(**options: Any) -> Coroutine[Any, Any, Any]:
    return workflow.execute_activity(echo, 1, **({"start_to_close_timeout": MINUTE} | options))


def child(**options: Any) -> Coroutine[Any, Any, Any]:
    return workflow.execute_child_workflow("Waits", **options)


def upsert(key: Any) -> Coroutine[Any, Any, Any]:
    workflow.upsert_memo({key: 1})
    return workflow.sleep(0)


def patched(patch: Any) -> Coroutine[Any, Any, Any]:
    workflow.patched(patch)
    return workflow.sleep(0)


ASKED: dict[str, tuple[Callable[[], Coroutine[Any, Any, Any]], str]] = {
    "activity id": (lambda: run_echo(activity_id=5), "activityId"),
    "task queue": (lambda: run_echo(task_queue=5), "taskQueue"),
    "half an activity id": (lambda: run_echo(activity_id=HALF), "surrogates not allowed"),
    "timeout": (lambda: run_echo(start_to_close_timeout=5), r"write timedelta\(seconds=5\)"),
    "negative timeout": (lambda: run_echo(start_to_close_timeout=-MINUTE), "is negative"),
    "attempts": (lambda: run_echo(retry_policy=RetryPolicy(maximum_attempts=2.5)), "maximum_attempts must be int"),  # type: ignore[arg-type]
    "error types": (
        lambda: run_echo(retry_policy=RetryPolicy(non_retryable_error_types=[ValueError])),  # type: ignore[list-item]
        "write 'ValueError'",
    ),
    "one error type": (
        lambda: run_echo(retry_policy=RetryPolicy(non_retryable_error_types="ValueError")),
        r"write \['ValueError'\]",
    ),
    "interval": (
        lambda: run_echo(retry_policy=RetryPolicy(initial_interval=1)),  # type: ignore[arg-type]
        r"write timedelta\(seconds=1\)",
    ),
    "fairness": (lambda: run_echo(priority=Priority(fairness_key=5)), "fairness_key must be a string"),  # type: ignore[arg-type]
    "child id": (lambda: child(id=5), "workflowId"),
    "cron": (lambda: child(cron_schedule=None), "cronSchedule"),
    "child's memo": (lambda: child(memo={HALF: 1}), "surrogates not allowed"),
    "target": (lambda: workflow.get_external_workflow_handle(5).signal("x"), "workflowId"),  # type: ignore[arg-type]
    "reason": (lambda: workflow.get_external_workflow_handle("x").cancel(reason=5), "reason"),  # type: ignore[arg-type]
    "memo": (lambda: upsert(HALF), "surrogates not allowed"),
    "patch": (lambda: patched(5), "id of a patch must be str"),
}


@workflow.defn
class Asks:
    """Asks for what it is told, after it has waited once."""

    @workflow.run
    async def run(self, what: str) -> Any:
        await workflow.sleep(0.001)
        return await ASKED[what][0]()


@workflow.defn(name="Asks")
class Mended:
    @workflow.run
    async def run(self, _what: str) -> str:
        await workflow.sleep(0.001)
        return "mended"


@workflow.defn
class Fails:
    @workflow.run
    async def run(self, how: str, inside: bool) -> None:
        if inside:
            raise ApplicationError(5) if how == "number" else ApplicationError(HALF)  # type: ignore[arg-type]
        await workflow.execute_activity(fails, how, start_to_close_timeout=MINUTE, retry_policy=ONCE)


@workflow.defn
class Waits:
    def __init__(self) -> None:
        self.heard: list[str] = []

    @workflow.run
    async def run(self) -> list[str]:
        await workflow.wait_condition(lambda: bool(self.heard))
        return self.heard

    @workflow.signal
    def tell(self, text: str) -> None:
        self.heard.append(text)


@workflow.defn
class SleepsForever:
    @workflow.run
    async def run(self) -> str:
        forever = timedelta.max
        retry = RetryPolicy(initial_interval=forever, maximum_interval=forever)
        done = await workflow.execute_activity(
            echo, "done", schedule_to_close_timeout=forever, heartbeat_timeout=forever, retry_policy=retry
        )
        try:
            await asyncio.wait_for(workflow.sleep(forever), 0.001)
        except TimeoutError:
            return str(done)
        return "woke"


def environment(path: Path) -> Coroutine[Any, Any, WorkflowEnvironment]:
    return WorkflowEnvironment.start_local(dev_server_database_filename=str(path / "runs.db"))


async def failed_task(client: Client, workflow_id: str) -> str:
    """Why the first workflow task that failed did so."""
    async for event in client.get_workflow_handle(workflow_id).fetch_history_events(wait_new_event=True):
        if event.event_type.title == "WorkflowTaskFailed":
            return str(event.attributes.failure.message)  # type: ignore[attr-defined]
    raise AssertionError("no task failed")


@pytest.mark.slow
async def test_what_workflow_code_asks_for_wrongly_fails_the_task_and_mended_code_goes_on(tmp_path: Path) -> None:
    async with (
        await environment(tmp_path) as env,
        Worker(env.client, task_queue="q", workflows=[Asks, Waits], activities=[echo]),
    ):
        for what, (_, message) in ASKED.items():
            await env.client.start_workflow(Asks.run, what, id=what, task_queue="q")
            assert re.search(message, await failed_task(env.client, what)), what
    async with await environment(tmp_path) as env, Worker(env.client, task_queue="q", workflows=[Mended]):
        handles = [env.client.get_workflow_handle(what) for what in ASKED]
        assert await asyncio.gather(*(handle.result() for handle in handles)) == ["mended"] * len(ASKED)


async def test_whatever_stands_in_an_error_its_run_can_be_read_again(tmp_path: Path) -> None:
    async with (
        await environment(tmp_path) as env,
        Worker(env.client, task_queue="q", workflows=[Fails], activities=[fails]),
    ):
        for how in ERRORS:
            with pytest.raises(WorkflowFailureError):
                await env.client.execute_workflow(Fails.run, args=[how, False], id=how, task_queue="q")
    async with await environment(tmp_path) as env:
        for how, message in MESSAGES.items():
            with pytest.raises(WorkflowFailureError) as caught:
                await env.client.get_workflow_handle(how).result()
            assert isinstance(caught.value.cause, ActivityError)
            assert str(caught.value.cause.cause) == message


@pytest.mark.parametrize(("how", "message"), [("number", "5"), ("half", "report-\\udcff.csv")])
async def test_the_error_of_a_workflow_can_be_read_again(tmp_path: Path, how: str, message: str) -> None:
    async with await environment(tmp_path) as env, Worker(env.client, task_queue="q", workflows=[Fails]):
        await env.client.start_workflow(Fails.run, args=[how, True], id="w", task_queue="q")
        with pytest.raises(WorkflowFailureError):
            await env.client.get_workflow_handle("w").result()
    async with await environment(tmp_path) as env:
        with pytest.raises(WorkflowFailureError) as caught:
            await env.client.get_workflow_handle("w").result()
        assert str(caught.value.cause) == message


@pytest.mark.parametrize("option", ["id", "task_queue", "memo", "workflow", "start_signal"])
async def test_a_start_with_half_a_character_is_refused(tmp_path: Path, option: str) -> None:
    options: dict[str, Any] = {"id": "w", "task_queue": "q"} | {option: {HALF: 1} if option == "memo" else HALF}
    kind = options.pop("workflow", "Waits")
    async with await environment(tmp_path) as env:
        with pytest.raises(RPCError, match="half of a surrogate pair") as caught:
            await env.client.start_workflow(kind, **options)
        assert caught.value.status is RPCStatusCode.INVALID_ARGUMENT
        assert [run async for run in env.client.list_workflows()] == []


async def test_a_message_with_half_a_character_is_refused_and_the_run_goes_on(tmp_path: Path) -> None:
    async with await environment(tmp_path) as env, Worker(env.client, task_queue="q", workflows=[Waits]):
        handle = await env.client.start_workflow(Waits.run, id="w", task_queue="q")
        for refused in (
            handle.signal(HALF, "x"),
            handle.start_update(HALF, "x", wait_for_stage=2),  # type: ignore[call-overload]
            handle.cancel(reason=HALF),
            handle.terminate(reason=HALF),
            env.client.get_workflow_handle(HALF).describe(),
        ):
            with pytest.raises(RPCError, match="half of a surrogate pair"):
                await refused
        await handle.signal(Waits.tell, HALF)
        assert await handle.result() == [HALF], "a value may hold it: JSON escapes it"


async def test_a_number_for_a_task_queue_is_refused(tmp_path: Path) -> None:
    async with await environment(tmp_path) as env:
        with pytest.raises(RPCError, match="task_queue must be str, not int"):
            await env.client.start_workflow("Waits", id="w", task_queue=5)  # type: ignore[call-overload]


async def test_durations_without_end_are_recorded_as_a_thousand_years(tmp_path: Path) -> None:
    async with (
        await environment(tmp_path) as env,
        Worker(env.client, task_queue="q", workflows=[SleepsForever], activities=[echo]),
    ):
        result = await env.client.execute_workflow(
            SleepsForever.run, id="w", task_queue="q", execution_timeout=timedelta.max, run_timeout=timedelta.max
        )
        assert result == "done"
