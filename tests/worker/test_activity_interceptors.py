"""Interceptors of activities: order, what they may change, and what they see."""

from __future__ import annotations

import dataclasses
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from durable_nb import activity
from durable_nb.worker._interceptor import (
    ActivityInboundInterceptor,
    ActivityOutboundInterceptor,
    ExecuteActivityInput,
    Interceptor,
)
from tests.worker.executor_rig import Rig, details_of, payloads, value_of

trace: list[str] = []


@activity.defn
async def echo(text: str) -> str:
    activity.heartbeat(text)
    return f"{text} {activity.info().activity_id}"


@activity.defn
def echo_in_thread(text: str) -> str:
    activity.heartbeat(text)
    return f"{text} {activity.info().activity_id}"


@activity.defn
def beat_and_fail(text: str) -> None:
    activity.heartbeat(text)
    raise ValueError(text)


class Named(Interceptor):
    def __init__(self, name: str) -> None:
        self.name = name

    def intercept_activity(self, next: ActivityInboundInterceptor) -> ActivityInboundInterceptor:
        return Inbound(next, self.name)


class Inbound(ActivityInboundInterceptor):
    def __init__(self, next: ActivityInboundInterceptor, name: str) -> None:
        super().__init__(next)
        self.name = name

    def init(self, outbound: ActivityOutboundInterceptor) -> None:
        trace.append(f"init {self.name}")
        with pytest.raises(RuntimeError, match="Can only execute heartbeat after interceptor init"):
            activity.heartbeat()
        super().init(Outbound(outbound, self.name))

    async def execute_activity(self, input: ExecuteActivityInput) -> Any:
        trace.append(f"execute {self.name} {input.fn.__name__} {sorted(input.headers)} {input.executor is None}")
        result = await super().execute_activity(dataclasses.replace(input, args=[f"{input.args[0]}{self.name}"]))
        return f"{result}-{self.name}"


class Outbound(ActivityOutboundInterceptor):
    def __init__(self, next: ActivityOutboundInterceptor, name: str) -> None:
        super().__init__(next)
        self.name = name

    def info(self) -> activity.Info:
        info = super().info()
        return dataclasses.replace(info, activity_id=info.activity_id + self.name)

    def heartbeat(self, *details: Any) -> None:
        super().heartbeat(*details, self.name)


@pytest.fixture(autouse=True)
def _clean() -> None:
    trace.clear()


@pytest.mark.parametrize("name", ["echo", "echo_in_thread"])
async def test_the_first_interceptor_is_outermost_and_all_may_change_what_passes(name: str) -> None:
    with ThreadPoolExecutor(1) as pool:
        rig = Rig(echo, echo_in_thread, executor=pool, interceptors=[Named("a"), Named("b")])
        outcome = await rig.run(name, "x", header={"h": payloads(1)[0]})
    assert value_of(outcome) == "xab 1ab-b-a"
    is_async = name == "echo"
    assert trace == [
        "init a",
        "init b",
        f"execute a {name} ['h'] {is_async}",
        f"execute b {name} ['h'] {is_async}",
    ]


async def test_heartbeats_pass_the_interceptors_from_the_innermost_out() -> None:
    with ThreadPoolExecutor(1) as pool:
        rig = Rig(beat_and_fail, executor=pool, interceptors=[Named("a"), Named("b")])
        outcome = await rig.run("beat_and_fail", "x")
    # Sent already, or still held back and so in the outcome: that is a matter of threads.
    assert [*rig.heartbeats, details_of(outcome.last_heartbeat_details)][0] == ["xab", "b", "a"]


async def test_an_interceptor_may_put_its_own_function_in_place() -> None:
    class Replace(Interceptor):
        def intercept_activity(self, next: ActivityInboundInterceptor) -> ActivityInboundInterceptor:
            return Replacing(next)

    class Replacing(ActivityInboundInterceptor):
        async def execute_activity(self, input: ExecuteActivityInput) -> Any:
            def other(*args: Any) -> str:
                return f"replaced {args} {activity.in_activity()}"

            return await super().execute_activity(dataclasses.replace(input, fn=other))

    with ThreadPoolExecutor(1) as pool:
        rig = Rig(echo_in_thread, executor=pool, interceptors=[Replace()])
        assert await rig.result("echo_in_thread", "x") == "replaced ('x',) True"
