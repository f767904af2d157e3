"""Attempts that are left by something else than an ``Exception``: an outcome like any other, and nothing hangs."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from durable_nb import activity
from durable_nb.converter import DataConverter, PayloadCodec
from durable_nb.exceptions import ApplicationError
from durable_nb.model.payload import Payload
from durable_nb.worker import ActivityInboundInterceptor, ExecuteActivityInput, Interceptor
from tests.worker.executor_rig import Rig, activity_task, failure_type, settle


class OddError(BaseException):
    """Neither an ``Exception`` nor one of Python's own."""


EXITS = {kind.__name__: kind for kind in (GeneratorExit, KeyboardInterrupt, SystemExit, OddError, StopAsyncIteration)}


@activity.defn
async def leave(kind: str) -> None:
    raise EXITS[kind]("odd")


@activity.defn
async def leave_late(kind: str) -> None:
    await asyncio.sleep(0)
    raise EXITS[kind]("odd")


@activity.defn
def leave_thread(kind: str) -> None:
    raise EXITS[kind]("odd")


class Through(Interceptor):
    def intercept_activity(self, next: ActivityInboundInterceptor) -> ActivityInboundInterceptor:
        return Onward(next)


class Onward(ActivityInboundInterceptor):
    async def execute_activity(self, input: ExecuteActivityInput) -> Any:
        return await super().execute_activity(input)


@pytest.mark.parametrize("interceptors", [(), (Through(),)], ids=["plain", "intercepted"])
@pytest.mark.parametrize("name", ["leave", "leave_late", "leave_thread"])
@pytest.mark.parametrize("kind", EXITS)
async def test_an_attempt_fails_whatever_it_raises(kind: str, name: str, interceptors: tuple[Interceptor, ...]) -> None:
    with ThreadPoolExecutor(1) as pool:
        rig = Rig(leave, leave_late, leave_thread, executor=pool, interceptors=interceptors)
        end = rig.start(activity_task(name, kind))
        outcome = await end
        await rig.executor.shutdown(0)
    assert failure_type(outcome) == kind
    assert outcome.failure is not None
    assert outcome.failure.message == "odd"
    assert len(rig.reports) == 1


def test_one_that_is_dropped_with_its_loop_reports_nothing() -> None:
    @activity.defn
    async def wait() -> None:
        await asyncio.Event().wait()

    async def begin() -> tuple[Rig, Any]:
        rig = Rig(wait)
        task = activity_task("wait")
        rig.start(task)
        await settle()
        return rig, rig.executor.running[task.task_token].asyncio_task

    loop = asyncio.new_event_loop()
    rig, task = loop.run_until_complete(begin())
    loop.close()
    task._log_destroy_pending = False
    task.get_coro().close()
    assert rig.reports == []


class Refusing(PayloadCodec):
    """Refuses what is marked."""

    async def encode(self, payloads: Sequence[Payload]) -> list[Payload]:
        for payload in payloads:
            if b"refused" in payload.data:
                raise asyncio.CancelledError if b"cancelled" in payload.data else ValueError("refused")
        return list(payloads)

    async def decode(self, payloads: Sequence[Payload]) -> list[Payload]:
        return list(payloads)


@activity.defn
async def beat(details: str) -> str:
    activity.heartbeat("first")
    activity.heartbeat(details)
    return "done"


@activity.defn
def beat_in_thread() -> str:
    activity.heartbeat("first")
    activity.heartbeat(10**5000)  # more digits than Python writes
    return "done"


async def test_details_that_cannot_be_encoded_any_more_do_not_take_the_outcome_along(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with ThreadPoolExecutor(1) as pool:
        rig = Rig(beat, beat_in_thread, executor=pool, data_converter=DataConverter(payload_codec=Refusing()))
        assert await rig.result("beat", "refused") == "done"
        rig = Rig(beat, beat_in_thread, executor=pool)
        assert await rig.result("beat_in_thread") == "done"
        await rig.executor.shutdown(0)
    assert [record.message.split(" (")[0] for record in caplog.records] == 2 * ["Failed recording heartbeat"]


async def test_a_codec_that_gives_up_on_a_failure_leaves_one_that_says_so() -> None:
    @activity.defn
    async def refuse() -> None:
        raise ApplicationError("no", "refused cancelled")

    rig = Rig(refuse, data_converter=DataConverter(payload_codec=Refusing()))
    outcome = await rig.run("refuse")
    await rig.executor.shutdown(0)
    assert outcome.failure is not None
    assert outcome.failure.message.startswith("Failed building exception result")
