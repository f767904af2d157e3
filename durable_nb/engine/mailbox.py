"""Queries and updates for runs whose code only another process has: a row asks, a row answers.

They are the only requests that need workflow code at once and leave nothing in history before it ran. Everything else
is written by whatever process receives it. An update is asked for until it is accepted: its completion is an event,
and whoever waits for it hears of it when that is stored, after however long a time.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import msgspec
from msgspec.structs import replace

from durable_nb.exceptions import WorkflowAlreadyStartedError
from durable_nb.model.attributes import UpdateOutcome
from durable_nb.model.requests import (
    QueryResult,
    QueryWorkflow,
    StartedWorkflow,
    UpdateResult,
    UpdateWithStart,
    UpdateWithStartResult,
    UpdateWorkflow,
)
from durable_nb.service import RPCError, RPCStatusCode

if TYPE_CHECKING:
    from durable_nb.engine.engine import Engine
    from durable_nb.engine.frontend import Frontend

LOOK_EVERY = 0.02
"""Seconds between looks for the reply."""

ANSWER_WITHIN = 30.0
"""Seconds after which the sender gives up: nobody who has the code took the message."""


class _Reply(msgspec.Struct, omit_defaults=True):
    query: QueryResult | None = None
    run_id: str = ""
    outcome: UpdateOutcome | None = None
    started: StartedWorkflow | None = None
    already_started: tuple[str, str, str | None] | None = None
    error: str = ""
    status: int = 0


_encoder = msgspec.json.Encoder()


def serves_start(engine: Engine, request: UpdateWithStart) -> bool:
    """Whether a worker of this process has the code of the workflow that is to be started."""
    start = request.start
    return engine.workers.for_workflow(start.namespace, start.task_queue, start.workflow_type) is not None


def has_company(engine: Engine) -> bool:
    """Whether another process has the store open."""
    return len(engine.store.list_processes()) > 1


async def ask_query(engine: Engine, run_key: int, request: QueryWorkflow) -> QueryResult:
    """Have another process answer a query."""
    reply = await _ask(engine, run_key, "query", _encoder.encode(request))
    return reply.query or QueryResult()


async def ask_update(engine: Engine, run_key: int, request: UpdateWorkflow) -> UpdateResult:
    """Have another process admit an update and wait until it is accepted."""
    reply = await _ask(engine, run_key, "update", _encoder.encode(replace(request, wait_completed=False)))
    return UpdateResult(reply.run_id, reply.outcome)


async def ask_update_with_start(engine: Engine, request: UpdateWithStart) -> UpdateWithStartResult:
    """Have another process start (or use) a run with an update, at once; wait until the update is accepted."""
    request = replace(request, update=replace(request.update, wait_completed=False))
    reply = await _ask(engine, 0, "update_with_start", _encoder.encode(request))
    if reply.already_started is not None:
        workflow_id, workflow_type, run_id = reply.already_started
        raise WorkflowAlreadyStartedError(workflow_id, workflow_type, run_id=run_id)
    started = reply.started or StartedWorkflow(reply.run_id, reply.run_id, False)
    return UpdateWithStartResult(started, UpdateResult(reply.run_id, reply.outcome))


async def _ask(engine: Engine, run_key: int, kind: str, body: bytes) -> _Reply:
    store = engine.store
    number = store.put_message(run_key, kind, engine.process_key, body, engine.clock.now())
    try:
        deadline = engine.loop.time() + ANSWER_WITHIN
        while engine.loop.time() < deadline:
            answer = store.read_reply(number)
            if answer is not None:
                reply = msgspec.json.decode(answer, type=_Reply)
                if reply.error:
                    raise RPCError(reply.error, RPCStatusCode(reply.status))
                return reply
            await asyncio.sleep(LOOK_EVERY)
    finally:
        store.delete_message(number)
    raise RPCError(
        "no process that has this workflow's code answered; run the cell that defines it, or start a worker for it",
        RPCStatusCode.DEADLINE_EXCEEDED,
    )


class Mailbox:
    """Answers messages of other processes for runs whose code this process has."""

    def __init__(self, engine: Engine, frontend: Frontend) -> None:
        self._engine = engine
        self._frontend = frontend
        self._answering: set[int] = set()

    def look(self) -> None:
        """Take what is ours to answer."""
        engine = self._engine
        for message in engine.store.take_messages(100):
            if message.sender == engine.process_key or message.message_id in self._answering:
                continue
            self._answering.add(message.message_id)
            engine.spawn(self._answer(message.message_id, message.run_key, message.kind, message.body))

    async def _answer(self, number: int, run_key: int, kind: str, body: bytes) -> None:
        try:
            if not await self._is_ours(run_key, kind, body):
                return
            try:
                reply = await self._carry_out(kind, body)
            except WorkflowAlreadyStartedError as error:
                reply = _Reply(already_started=(error.workflow_id, error.workflow_type, error.run_id))
            except RPCError as error:
                reply = _Reply(error=error.message, status=int(error.status))
            self._engine.store.reply_message(number, _encoder.encode(reply))
        finally:
            self._answering.discard(number)

    async def _is_ours(self, run_key: int, kind: str, body: bytes) -> bool:
        if kind != "update_with_start":
            return await self._frontend.serves(run_key)
        return serves_start(self._engine, msgspec.json.decode(body, type=UpdateWithStart))

    async def _carry_out(self, kind: str, body: bytes) -> _Reply:
        if kind == "query":
            answer = await self._frontend.query_workflow(msgspec.json.decode(body, type=QueryWorkflow))
            return _Reply(query=answer)
        if kind == "update_with_start":
            both = await self._frontend.update_with_start(msgspec.json.decode(body, type=UpdateWithStart))
            return _Reply(run_id=both.update.run_id, outcome=both.update.outcome, started=both.started)
        result = await self._frontend.update_workflow(msgspec.json.decode(body, type=UpdateWorkflow))
        return _Reply(run_id=result.run_id, outcome=result.outcome)
