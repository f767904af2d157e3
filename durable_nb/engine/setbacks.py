"""What becomes of a step that was not written: a lost race, a store that failed, a value that nobody can write.

Invariant: whoever waits for something in the step is answered or waits on, and the engine's own work is repeated.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from durable_nb.engine import effects
from durable_nb.engine.inputs import Query
from durable_nb.engine.slot import IDLE, RunSlot
from durable_nb.engine.steps import Step
from durable_nb.engine.writer import Outcome
from durable_nb.errors import StoreValueError
from durable_nb.model.records import Conflict
from durable_nb.service import RPCError, RPCStatusCode

if TYPE_CHECKING:
    from durable_nb.engine.engine import Engine

logger = logging.getLogger("durable_nb.engine")

RETRY_AFTER_FAULT = 1.0
"""Seconds until the engine's own work is tried again after a fault of the store."""


def lose_race(engine: Engine, slot: RunSlot, step: Step, conflict: Conflict) -> None:
    """Another process was faster: decide again on what it left."""
    engine.metrics.conflicts += 1
    effects.give_back_slots(engine, step.tx)
    engine.slots.forget(slot)
    if step.tx.expected_version == 0:
        _never_was(engine, slot)
        for item in step.inputs:
            item.conflict(conflict)
        return
    slot.inputs.extendleft(reversed(step.inputs))
    engine.requeue(slot)


def repeat_later(engine: Engine, slot: RunSlot, step: Step, error: Exception) -> None:
    """The store failed: callers hear of it, the engine's own work is kept and repeated."""
    effects.give_back_slots(engine, step.tx)
    slot.phase = IDLE
    engine.slots.forget(slot)
    slot.inputs.extendleft(reversed(step.inputs))
    refuse_callers(slot, error)
    if step.tx.expected_version == 0:
        _never_was(engine, slot)
    elif slot.inputs:
        engine.loop.call_later(RETRY_AFTER_FAULT, engine.requeue, slot)


def refuse_callers(slot: RunSlot, error: Exception) -> None:
    """Answer with the error whoever waits in the slot; what is the engine's own stays."""
    kept = [item for item in slot.inputs if item.future is None]
    for item in slot.inputs:
        if item.future is not None:
            item.fail(error)
    slot.inputs.clear()
    slot.inputs.extend(kept)


def isolate(engine: Engine, slot: RunSlot, step: Step, error: Exception) -> None:
    """A step cannot be written: find out what of it, so that nothing else is lost.

    It is done again without what workflow code asked for, then with one input at a time; the one that is left is
    refused.
    """
    logger.error("a step of run %s failed", step.tx.state.run_id, exc_info=error)
    effects.give_back_slots(engine, step.tx)
    engine.slots.forget(slot)
    taken = step.inputs + [query for query in step.queries if query not in step.inputs]
    if step.tx.expected_version == 0:
        for item in [*taken, *slot.inputs]:
            item.fail(_fault(error))
        slot.inputs.clear()
        _never_was(engine, slot)
        return
    if step.ended_task:
        slot.refusal = error
    elif len(taken) > 1:
        slot.careful = True
    else:
        taken = [other for item in taken if (other := item.refused(_fault(error))) is not None]
    slot.inputs.extendleft(reversed(taken))
    if slot.inputs:
        engine.requeue(slot)


def answer_late(tokens: Sequence[Any], answer: Sequence[Outcome], stopped: Exception) -> None:
    """Steps that were in flight when the engine stopped: who asked for what is written hears so, all that would
    follow is the next engine's.
    """
    for (_, step), outcome in zip(tokens, answer, strict=True):
        for item in step.inputs:
            if outcome is None and type(item) is not Query:
                item.succeed()
            item.fail(stopped)  # whoever waits for more than the writing


def _never_was(engine: Engine, slot: RunSlot) -> None:
    """The first commit of a run failed: who waits for its events looks for another run of the workflow ID."""
    engine.slots.pop(slot.run_key, None)
    engine.watchers.vanished(slot.run_key)


def _fault(error: Exception) -> RPCError:
    if isinstance(error, StoreValueError):
        fault = RPCError(str(error), RPCStatusCode.INVALID_ARGUMENT)
    else:
        fault = RPCError(f"the engine failed on this run: {error}", RPCStatusCode.INTERNAL)
    fault.__cause__ = error
    return fault
