"""``ActivityEnvironment``: an activity under test, with the test in the role of the worker."""

from __future__ import annotations

import asyncio
import dataclasses
import threading
from datetime import UTC, datetime
from typing import Any

import pytest
import temporalio.testing

from durable_nb import activity
from durable_nb.activity import ActivityCancellationDetails
from durable_nb.converter import DefaultPayloadConverter
from durable_nb.exceptions import CancelledError
from durable_nb.testing._activity import ActivityEnvironment


@activity.defn
async def waits() -> str:
    activity.heartbeat(1)
    try:
        await asyncio.Event().wait()
    except asyncio.CancelledError:
        return f"{activity.is_cancelled()} {activity.cancellation_details()}"
    return "never"


@activity.defn
def spins(begun: threading.Event) -> str:
    begun.set()
    pause = threading.Event()
    try:
        for _ in range(10_000):
            pause.wait(0.001)
    except CancelledError:
        return "stopped"
    return "never"


@activity.defn(no_thread_cancel_exception=True)
def polls(begun: threading.Event) -> str:
    begun.set()
    activity.wait_for_cancelled_sync(10)
    return f"polled {activity.is_cancelled()}"


def add(a: int, b: int = 1) -> int:
    assert activity.in_activity()
    return a + b


async def test_an_async_activity_is_awaited_and_heartbeats_are_heard() -> None:
    env = ActivityEnvironment()
    heard: list[Any] = []

    def on_heartbeat(*details: Any) -> None:
        heard.append(details)
        env.cancel()

    env.on_heartbeat = on_heartbeat
    assert await env.run(waits) == f"True {ActivityCancellationDetails(cancel_requested=True)}"
    assert heard == [(1,)]


async def test_only_the_first_cancel_counts_and_its_details_are_seen() -> None:
    env = ActivityEnvironment()
    run = asyncio.ensure_future(env.run(waits))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    env.cancel(ActivityCancellationDetails(timed_out=True))
    env.cancel(ActivityCancellationDetails(paused=True))
    assert await run == f"True {ActivityCancellationDetails(timed_out=True)}"


async def test_what_is_run_in_a_cancelled_environment_is_cancelled() -> None:
    env = ActivityEnvironment()
    env.cancel()
    with pytest.raises(asyncio.CancelledError):
        await env.run(waits)


async def test_a_worker_shutdown_is_seen_before_and_during() -> None:
    @activity.defn
    async def until() -> bool:
        await activity.wait_for_worker_shutdown()
        return activity.is_worker_shutdown()

    env = ActivityEnvironment()
    run = asyncio.ensure_future(env.run(until))
    await asyncio.sleep(0)
    env.worker_shutdown()
    assert await run
    assert await env.run(until)


def test_any_function_runs_with_positional_and_keyword_arguments() -> None:
    env = ActivityEnvironment()
    assert env.run(add, 1, b=5) == 6
    assert not activity.in_activity()


@pytest.mark.parametrize(("fn", "expected"), [(spins, "stopped"), (polls, "polled True")])
def test_a_sync_activity_is_cancelled_from_another_thread(fn: Any, expected: str) -> None:
    env = ActivityEnvironment()
    begun = threading.Event()

    def cancel() -> None:
        begun.wait()
        env.cancel()

    other = threading.Thread(target=cancel)
    other.start()
    assert env.run(fn, begun) == expected
    other.join()


async def test_info_converter_meter_and_client_are_the_environments() -> None:
    class MyConverter(DefaultPayloadConverter):
        pass

    marker: Any = object()
    env = ActivityEnvironment(client=marker)
    env.info = dataclasses.replace(env.default_info(), attempt=7)
    env.payload_converter = MyConverter()

    async def look() -> None:
        assert activity.info().attempt == 7
        assert activity.payload_converter() is env.payload_converter
        assert activity.metric_meter() is env.metric_meter
        assert activity.client() is marker

    await env.run(look)
    with pytest.raises(RuntimeError, match="only available in `async def` activities"):
        env.run(activity.client)


def test_default_info_is_the_sdks() -> None:
    theirs = temporalio.testing.ActivityEnvironment.default_info()
    ours = ActivityEnvironment.default_info()
    for field in dataclasses.fields(ours):
        own, expected = getattr(ours, field.name), getattr(theirs, field.name)
        if isinstance(expected, datetime):
            expected = datetime(1970, 1, 1, tzinfo=UTC)  # theirs depends on the time zone of the machine
        if field.name != "priority":
            assert own == expected, field.name
