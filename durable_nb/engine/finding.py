"""Runs by what callers call them."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from durable_nb.engine.admission import admit_texts
from durable_nb.engine.ports import WorkerPort
from durable_nb.model.records import RunRow
from durable_nb.model.requests import Target
from durable_nb.service import RPCError, RPCStatusCode

if TYPE_CHECKING:
    from durable_nb.engine.engine import Engine

_FEW = 500
"""Runs whose origin is read on the loop."""
_MOST_ORIGINS = 50_000


async def find_row(engine: Engine, target: Target) -> RunRow:
    """The stored row of a run.

    Raises
    ------
    RPCError
        NOT_FOUND: there is none. INVALID_ARGUMENT: there can be none.
    """
    admit_texts(workflow_id=target.workflow_id, run_id=target.run_id)
    row: RunRow | None = await engine.read(engine.store.find_run, target.namespace, target.workflow_id, target.run_id)
    if row is None:
        raise not_found(target)
    return row


async def push(engine: Engine, run_key: int, make: Any, *args: Any) -> Any:
    """Give a run an input, made with ``args`` and a future; what that gets as its result."""
    future: asyncio.Future[Any] = engine.loop.create_future()
    engine.push(run_key, make(*args, future))
    return await future


def not_found(target: Target) -> RPCError:
    """Nobody knows this workflow or run."""
    run = f", run {target.run_id!r}" if target.run_id else ""
    return RPCError(f"workflow execution not found: {target.workflow_id!r}{run}", RPCStatusCode.NOT_FOUND)


async def read_origins(engine: Engine, run_keys: Sequence[int]) -> dict[int, tuple[str, int]]:
    """The runs that runs were made from, by run key: run ID, and the event that says so; for most there is none.

    It never changes, so what was asked once is not read again: displays ask ten times a second.
    """
    known = engine.origins
    unknown = [key for key in run_keys if key not in known]
    if unknown:
        many = len(unknown) > _FEW
        read = engine.loop.run_in_executor(None, engine.store.read_origins, unknown) if many else None
        found = await (read or engine.read(engine.store.read_origins, unknown))
        if len(known) > _MOST_ORIGINS:
            known.clear()
        known |= {key: found.get(key) for key in unknown}
        return {key: origin for key in run_keys if (origin := known.get(key) or found.get(key))}
    return {key: origin for key in run_keys if (origin := known[key])}


async def recall(
    engine: Engine, namespace: str, task_queue: str, workflow_type: str, digest: str
) -> tuple[WorkerPort | None, str]:
    """A port that can look back at closed runs of a version which nobody here serves; why there is none."""
    why = ""
    for entry in engine.workers.entries if digest else ():
        port = entry.port
        if (port.namespace, port.task_queue) == (namespace, task_queue):
            problem = await port.recall_workflow(workflow_type, digest)
            if not problem:
                return port, ""
            why = why or problem
    return None, why


async def find_hosts(engine: Engine, target: Target) -> tuple[RunRow, list[WorkerPort]]:
    """A run's row, and the ports of this process that have its workflow type, those of its own task queue first."""
    row = await find_row(engine, target)
    ports = [entry.port for entry in engine.workers.entries if entry.port.namespace == row.namespace]
    found = [port for port in ports if port.has_workflow(row.workflow_type)]
    found.sort(key=lambda port: port.task_queue != row.task_queue)
    return row, found
