"""What every acceptance test needs: a worker around a client, a run with a fresh id, a look at its history."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from datetime import timedelta
from itertools import count
from typing import Any

from durable_nb import activity
from durable_nb.client import Client, WorkflowHandle
from durable_nb.common import RetryPolicy
from durable_nb.worker import Worker

QUEUE = "acceptance"
MINUTE = timedelta(minutes=1)
SOON = timedelta(milliseconds=5)
QUICKLY = RetryPolicy(initial_interval=timedelta(milliseconds=1), backoff_coefficient=1.0)
ONCE = RetryPolicy(maximum_attempts=1)

_numbers = count(1)


@activity.defn
async def note(text: str) -> str:
    """Gives back what it is given."""
    return text


def fresh_id() -> str:
    """A workflow id that no other run of this process has."""
    return f"run-{next(_numbers)}"


@asynccontextmanager
async def serving(
    client: Client, *workflows: type, activities: Sequence[Callable[..., Any]] = (), **options: Any
) -> AsyncIterator[Worker]:
    """A worker with threads for sync activities."""
    with ThreadPoolExecutor(4) as threads:
        options = {"task_queue": QUEUE, "activity_executor": threads} | options
        async with Worker(client, workflows=list(workflows), activities=list(activities), **options) as worker:
            yield worker


async def start(client: Client, workflow: Any, *args: Any, **options: Any) -> WorkflowHandle[Any, Any]:
    """Start a run with a fresh id."""
    return await client.start_workflow(
        workflow, **({"args": args} if args else {}), **({"id": fresh_id(), "task_queue": QUEUE} | options)
    )


async def outcome(client: Client, workflow: Any, *args: Any, **options: Any) -> Any:
    """Result of a run with a fresh id."""
    return await (await start(client, workflow, *args, **options)).result()


async def events(handle: WorkflowHandle[Any, Any]) -> list[dict[str, Any]]:
    """The history as Temporal's JSON has it."""
    history = await handle.fetch_history()
    found: list[dict[str, Any]] = history.to_json_dict()["events"]
    return found


async def backs_off(handle: WorkflowHandle[Any, Any]) -> bool:
    """Whether an activity of the run waits for its next attempt."""
    pending = (await handle.describe()).pending_activities
    return bool(pending) and pending[0].next_attempt_at > 0


async def kinds(handle: WorkflowHandle[Any, Any]) -> list[str]:
    """Event types, shortened: ``ACTIVITY_TASK_SCHEDULED`` and so on."""
    return [event["eventType"].removeprefix("EVENT_TYPE_") for event in await events(handle)]


async def has(handle: WorkflowHandle[Any, Any], kind: str) -> bool:
    """Whether there is such an event. Where time is skipped, ``recorded`` would let it: somebody waits for the run."""
    return kind in await kinds(handle)
