"""What the services and the store say, read from outside; the promises are checked against this."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

from durable_nb.client import Client, WorkflowExecutionStatus
from durable_nb.service import RPCError, RPCStatusCode

STORE, LEDGER = "durable.db", "services.db"


@dataclass(frozen=True, slots=True)
class Call:
    """One call of a service, that is one attempt of an activity; ``outcome`` None: the kernel died during it."""

    service: str
    key: str
    order_id: str
    attempt: int
    kernel: int
    begun: float
    ended: float | None
    outcome: str | None


@dataclass
class Histories:
    """What the store knows of the orders."""

    finished: set[str] = field(default_factory=set)
    open: set[str] = field(default_factory=set)
    lengths: dict[str, int] = field(default_factory=dict)
    """Events of each finished order."""
    completed: set[str] = field(default_factory=set)
    """Keys (``workflow_id/activity_id``) of activities whose result is recorded."""


def read_calls(folder: Path) -> list[Call]:
    """Every call, in the order they began."""
    with closing(sqlite3.connect(f"file:{folder / LEDGER}?mode=ro", uri=True)) as ledger:
        query = "SELECT service, key, order_id, attempt, kernel, begun, ended, outcome FROM calls ORDER BY id"
        return [Call(*row) for row in ledger.execute(query)]


def count_effects(folder: Path, service: str) -> dict[str, int]:
    """How often the service did its work, for each order."""
    with closing(sqlite3.connect(f"file:{folder / LEDGER}?mode=ro", uri=True)) as ledger:
        query = "SELECT order_id, count(*) FROM effects WHERE service = ? GROUP BY order_id"
        return dict(ledger.execute(query, [service]))


def effects_so_far(folder: Path, service: str) -> int:
    """Number of effects of the service; 0 before the notebook has made the ledger."""
    try:
        return sum(count_effects(folder, service).values())
    except sqlite3.OperationalError:
        return 0


async def read_histories(folder: Path, scratch: Path, orders: list[str]) -> Histories:
    """Read a copy of the store, so that the look disturbs nothing; ``scratch`` must not exist yet."""
    scratch.mkdir()
    for path in folder.glob(f"{STORE}*"):
        shutil.copy2(path, scratch)
    client = await Client.connect(f"sqlite:///{scratch / STORE}")
    seen = Histories()
    for order_id in orders:
        handle = client.get_workflow_handle(order_id)
        try:
            description = await handle.describe()
        except RPCError as error:
            if error.status is RPCStatusCode.NOT_FOUND:
                continue
            raise
        events = (await handle.fetch_history()).to_json_dict()["events"]
        if description.status is WorkflowExecutionStatus.RUNNING:
            seen.open.add(order_id)
        else:
            seen.finished.add(order_id)
            seen.lengths[order_id] = len(events)
        seen.completed |= completed_keys(order_id, events)
    return seen


def completed_keys(order_id: str, events: list[dict]) -> set[str]:
    """Keys of the activities that a history (as Temporal's JSON) calls completed."""
    ids = {
        event["eventId"]: event["activityTaskScheduledEventAttributes"]["activityId"]
        for event in events
        if event["eventType"] == "EVENT_TYPE_ACTIVITY_TASK_SCHEDULED"
    }
    return {
        f"{order_id}/{ids[event['activityTaskCompletedEventAttributes']['scheduledEventId']]}"
        for event in events
        if event["eventType"] == "EVENT_TYPE_ACTIVITY_TASK_COMPLETED"
    }
