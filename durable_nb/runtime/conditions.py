"""``wait_condition`` and ``sleep`` (temporal-semantics 2.6 and 3.4)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING

from durable_nb.model.attributes import UserMetadata
from durable_nb.runtime.timers import start_timer, timer_metadata

if TYPE_CHECKING:
    from durable_nb.runtime.instance import WorkflowInstance


async def sleep(run: WorkflowInstance, duration: float, summary: str | None = None) -> None:
    """Wait for a timer, even for one of no duration."""
    future: asyncio.Future[None] = asyncio.Future(loop=run.loop)
    timer = start_timer(run, duration, _finish, (future,), None, _metadata(run, summary))
    try:
        await future
    except asyncio.CancelledError:
        timer.cancel()
        raise


def _finish(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)


def _metadata(run: WorkflowInstance, summary: str | None) -> UserMetadata | None:
    return UserMetadata(summary=run.converter.to_payload(summary)) if summary else None


async def wait_condition(
    run: WorkflowInstance, fn: Callable[[], bool], timeout: float | None, timeout_summary: str | None
) -> None:
    """Wait until ``fn`` is true at the end of a turn of the loop."""
    run.assert_writable("wait condition")
    cancelled_before = run.cancel_reason is not None
    future: asyncio.Future[bool] = asyncio.Future(loop=run.loop)
    run.conditions.append((fn, future))
    try:
        if timeout is None:
            await future
        else:
            await _wait_with_timeout(run, future, timeout, timeout_summary)
    except TimeoutError:
        if run.single_batch and not cancelled_before and run.cancel_reason is not None:
            raise asyncio.CancelledError from None
        raise
    if run.single_batch and not cancelled_before and run.cancel_reason is not None:
        raise asyncio.CancelledError


async def _wait_with_timeout(
    run: WorkflowInstance, future: asyncio.Future[bool], timeout: float, summary: str | None
) -> None:
    metadata = _metadata(run, summary)
    if metadata is None:
        await asyncio.wait_for(future, timeout)
        return
    token = timer_metadata.set(metadata)
    try:
        await asyncio.wait_for(future, timeout)
    finally:
        timer_metadata.reset(token)


def check_conditions(run: WorkflowInstance) -> None:
    """Resolve every condition that is true now, in the order of registration; forget those whose wait is over."""
    run.conditions = [each for each in run.conditions if not each[1].done() and not _holds(*each)]


def _holds(fn: Callable[[], bool], future: asyncio.Future[bool]) -> bool:
    if fn():
        future.set_result(True)
        return True
    return False
