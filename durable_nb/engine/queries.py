"""Answering queries: from the cached instance, or by a read-only replay of the history.

An open run is asked on its own version only. A closed one, too, where that can be made again; else the code of now
answers, and a notice says so.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import TYPE_CHECKING, Any, NamedTuple, NoReturn

from durable_nb.engine.finding import recall
from durable_nb.engine.inputs import Query
from durable_nb.engine.notices import Notice
from durable_nb.engine.ports import WorkerPort
from durable_nb.engine.slot import RunSlot
from durable_nb.model.enums import WorkflowExecutionStatus
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
        row = (await engine.read(engine.store.load_run, run_key)).run
        is_open = row.status == WorkflowExecutionStatus.RUNNING
        run = _Run(row.namespace, row.task_queue, row.workflow_type, row.definition, row.workflow_id, row.run_id)
    else:
        is_open, started = state.is_open, state.started
        where = state.namespace, started.task_queue, started.workflow_type
        run = _Run(*where, state.definition, state.workflow_id, state.run_id)
    port = engine.workers.for_workflow(*run[:4])
    if port is None:
        port = _refuse(engine, run) if is_open else await _look_back(engine, run, item.query.name)
    answer: QueryAnswer | Awaitable[QueryAnswer]
    if port.holds_run(run_key) and slot.open_task is None:
        answer = port.answer_query(run_key, item.query, None)
    else:
        answer = port.answer_query(run_key, item.query, await replay_task(engine, run_key))
    if isinstance(answer, QueryAnswer):
        return answer
    return await answer


class _Run(NamedTuple):
    namespace: str
    task_queue: str
    workflow_type: str
    digest: str
    workflow_id: str
    run_id: str


async def _look_back(engine: Engine, run: _Run, query: str) -> WorkerPort:
    """Who answers for a closed run whose code is served no more: that code made again, else the code of now."""
    port, why = await recall(engine, *run[:4])
    if port is not None:
        return port
    port = engine.workers.for_workflow(*run[:3])
    if port is None:
        _refuse(engine, run, why)
    elif not query.startswith("__"):  # those that every display asks
        now = port.definition_digest(run.workflow_type)
        message = (
            f"it closed on version {run.digest[:8]} of {run.workflow_type}, which is not here"
            f"{f' ({why})' if why else ''}; query {query} was answered by the code of now, version {now[:8]}"
        )
        engine.notices.tell(Notice("answered_by_other_code", message, run.workflow_id, run.run_id, run.workflow_type))
    return port


def _refuse(engine: Engine, run: _Run, why: str = "") -> NoReturn:
    known = engine.workers.for_workflow(*run[:3]) is not None
    what = f"version {run.digest[:8]} of the workflow type" if known else "the workflow type"
    raise RPCError(
        f"no worker of this process has {what} {run.workflow_type!r} on task queue {run.task_queue!r}"
        f"{f' ({why})' if why else ''}; run the cell that defines it, or start a worker for it",
        RPCStatusCode.FAILED_PRECONDITION,
    )


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
