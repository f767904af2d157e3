"""Moving open runs to another version of their code, after a dry replay found that they agree with it.

A replay takes time and the engine goes on meanwhile. So each move names how far the history was when it was judged, and
is refused where the run has gone on since: it is then judged again. Invariant: the digest of a run changes only
together with the proof that its whole history agrees with the new code, in one transition.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from durable_nb.core import workflow_tasks
from durable_nb.core.transition import Transition
from durable_nb.engine.inputs import Input
from durable_nb.engine.slot import RunSlot
from durable_nb.service import RPCError

if TYPE_CHECKING:
    from durable_nb.engine.engine import Engine

CHUNK = 20
"""Runs that are moved at a time; other work of the engine comes in between."""


class Move(NamedTuple):
    """One run; ``next_event_id`` is the length of the judged history plus one."""

    run_key: int
    next_event_id: int


class Repin(Input):
    """Pin an open run to a version; a failed workflow task is tried on it at once. ``result``: whether it was done."""

    __slots__ = ("digest", "next_event_id")

    def __init__(self, digest: str, next_event_id: int, future: asyncio.Future[Any] | None) -> None:
        super().__init__(future)
        self.digest = digest
        self.next_event_id = next_event_id

    def apply(self, tx: Transition, slot: RunSlot) -> None:
        state = tx.state
        # With a port the slot holds an instance of the old code: it was asked to reload, but a task came between.
        stale = slot.open_task is not None or slot.port is not None or state.buffered
        self.result = state.is_open and not stale and state.next_event_id == self.next_event_id
        if self.result:
            state.definition = self.digest
            tx.touched = tx.listed = True
            workflow_tasks.retry_now(tx)


async def repin(engine: Engine, digest: str, moves: Sequence[Move]) -> list[Move]:
    """Move runs to the version ``digest``, on the engine's loop; gives those that have gone on since they were judged.

    Runs that are closed by now, or gone, are among these.
    """
    left: list[Move] = []
    for at in range(0, len(moves), CHUNK):
        chunk = moves[at : at + CHUNK]
        waiting = [_push(engine, digest, move) for move in chunk]
        for move, done in zip(chunk, await asyncio.gather(*waiting, return_exceptions=True), strict=True):
            if isinstance(done, RPCError) or done is False:
                left.append(move)
            elif isinstance(done, BaseException):
                raise done
    return left


def _push(engine: Engine, digest: str, move: Move) -> asyncio.Future[Any]:
    future: asyncio.Future[Any] = engine.loop.create_future()
    slot = engine.slots.get(move.run_key)
    if slot is not None and slot.open_task is None:
        slot.reload = True  # its instance runs the old code
    engine.push(move.run_key, Repin(digest, move.next_event_id, future))
    return future
