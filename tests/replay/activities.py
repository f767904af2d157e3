"""Activities that the gallery calls by name."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from typing import Any

from durable_nb import activity
from durable_nb.exceptions import ApplicationError

gates: defaultdict[str, asyncio.Event] = defaultdict(asyncio.Event)
"""Opened by the test when a local activity may end."""
arrived: defaultdict[str, asyncio.Event] = defaultdict(asyncio.Event)
"""Set when an activity has begun."""


@activity.defn
async def echo(value: Any) -> Any:
    return value


@activity.defn
async def flaky(good: int) -> int:
    if activity.info().attempt < good:
        raise ApplicationError("not yet", type="Early")
    return activity.info().attempt


@activity.defn
async def refuses(value: Any) -> None:
    raise ApplicationError("never", value, type="Refused", non_retryable=True)


@activity.defn
async def fails(value: Any) -> None:
    raise ValueError(f"cannot do {value}")


@activity.defn
async def hangs(value: Any) -> None:
    await asyncio.Event().wait()


@activity.defn
async def until_cancelled() -> str:
    arrived[activity.info().workflow_id].set()
    while True:
        activity.heartbeat("alive")
        await asyncio.sleep(0.005)


@activity.defn
async def running() -> None:
    await arrived[activity.info().workflow_id].wait()


@activity.defn
async def passes_gate(name: str) -> None:
    arrived[name].set()
    await gates[name].wait()


ALL = [echo, flaky, refuses, fails, hangs, until_cancelled, running, passes_gate]
