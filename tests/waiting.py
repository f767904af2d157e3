"""Waiting in tests: for an event of a history or for a condition, never for time to pass.

Nothing here has a limit of its own: any guess is too short on a machine that is busy enough. A wait in vain is ended by
the time limit of its test, which prints where every thread stands.
"""

from __future__ import annotations

import asyncio
import inspect
import time
from collections.abc import Callable
from typing import Any

from durable_nb.client import WorkflowHandle

PAUSE = 0.001
"""Seconds between two looks at a condition that nobody tells of."""


async def recorded(handle: WorkflowHandle[Any, Any], event: str, count: int = 1) -> None:
    """Wait until the history has so many events of a type (``TimerStarted``); the engine tells of each.

    Raises
    ------
    AssertionError
        The run closed without them.
    """
    seen = []
    async for each in handle.fetch_history_events(wait_new_event=True):
        seen.append(each.event_type.title)
        if seen.count(event) >= count:
            return
    raise AssertionError(f"closed with {seen.count(event)} of {count} {event}: {seen}")


async def until(condition: Callable[[], Any]) -> Any:
    """Wait until a condition, a plain or a coroutine function, holds; what it gave. For what nobody tells of."""
    while True:
        found = condition()
        if inspect.isawaitable(found):
            found = await found
        if found:
            return found
        await asyncio.sleep(PAUSE)


def block_until(condition: Callable[[], Any]) -> Any:
    """The same where no loop runs: it blocks its thread."""
    while not (found := condition()):
        time.sleep(PAUSE)
    return found
