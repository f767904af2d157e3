"""Bringing the stored state of a run into its slot."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from durable_nb.core.loading import load
from durable_nb.engine import setbacks
from durable_nb.engine.slot import IDLE, RunSlot
from durable_nb.errors import StoreError
from durable_nb.service import RPCError, RPCStatusCode

if TYPE_CHECKING:
    from durable_nb.engine.engine import Engine

logger = logging.getLogger("durable_nb.engine")


async def load_slot(engine: Engine, slot: RunSlot) -> None:
    """Load the run, then let it step; what waits for a run that is not there, or cannot be read, is refused."""
    try:
        loaded = await engine.read(engine.store.load_run, slot.run_key)
        if loaded is not None:
            slot.state = load(loaded)
            slot.unsent = loaded.events
    except StoreError as error:
        engine.fault(error)
        slot.phase = IDLE
        setbacks.refuse_callers(slot, error)
        if slot.inputs:
            engine.loop.call_later(setbacks.RETRY_AFTER_FAULT, engine.requeue, slot)
        return
    except Exception as error:
        logger.exception("run %s cannot be loaded", slot.run_key)
        _refuse_all(engine, slot, RPCError(f"this run cannot be loaded: {error}", RPCStatusCode.DATA_LOSS))
        return
    if slot.state is None:
        _refuse_all(engine, slot, RPCError("workflow execution not found", RPCStatusCode.NOT_FOUND))
        return
    slot.phase = IDLE
    engine.slots.index(slot)
    engine.requeue(slot)


def _refuse_all(engine: Engine, slot: RunSlot, error: RPCError) -> None:
    slot.phase = IDLE
    while slot.inputs:
        slot.inputs.popleft().fail(error)
    engine.slots.pop(slot.run_key, None)
