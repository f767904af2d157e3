"""Answering queries: from the cached instance, or by a read-only replay of the history."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import TYPE_CHECKING, Any

from durable_nb.engine.inputs import Query
from durable_nb.engine.slot import RunSlot
from durable_nb.model.tasks import QueryAnswer, WorkflowTask
from durable_nb.service import RPCError, RPCStatusCode

if TYPE_CHECKING:
    from durable_nb.engine.engine import Engine


def answer(engine: Engine, slot: RunSlot, item: Query) -> None:
    """Answer from the durable state of the run."""
    engine.spawn(_answer(engine, slot.run_key, slot, item))


async def _answer(engine: Engine, run_key: int, slot: RunSlot, item: Query) -> None:
    try:
        item.result = await _ask(engine, run_key, slot, item)
    except asyncio.CancelledError:
        raise
    except Exception as error:
        item.fail(error)
    else:
        item.succeed()


async def _ask(engine: Engine, run_key: int, slot: RunSlot, item: Query) -> QueryAnswer:
    state = slot.state
    if state is None:
        loaded = await engine.read(engine.store.load_run, run_key)
        row = loaded.run
        where = (row.namespace, row.task_queue, row.workflow_type)
    else:
        where = (state.namespace, state.started.task_queue, state.started.workflow_type)
    port = engine.workers.for_workflow(*where)
    if port is None:
        raise RPCError(
            f"no worker of this process has the workflow type {where[2]!r} on task queue {where[1]!r}; "
            "run the cell that defines it, or start a worker for it",
            RPCStatusCode.FAILED_PRECONDITION,
        )
    answer: QueryAnswer | Awaitable[QueryAnswer]
    if port.holds_run(run_key) and slot.open_task is None:
        answer = port.answer_query(run_key, item.query, None)
    else:
        answer = port.answer_query(run_key, item.query, await replay_task(engine, run_key))
    if isinstance(answer, QueryAnswer):
        return answer
    return await answer


async def replay_task(engine: Engine, run_key: int) -> WorkflowTask:
    """A task that holds the whole history, for a replay that records nothing."""
    loaded: Any = await engine.read(engine.store.load_run, run_key)
    if loaded is None:
        raise RPCError("workflow execution not found", RPCStatusCode.NOT_FOUND)
    row = loaded.run
    return WorkflowTask(
        row.namespace,
        row.workflow_id,
        row.run_id,
        row.workflow_type,
        row.task_queue,
        1,
        loaded.events,
        0,
        0,
        len(loaded.events),
        row.history_size,
        definition=row.definition,
    )
