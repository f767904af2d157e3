"""Looking at a run: everything that its display needs.

``look`` asks the engine, on the engine's own loop; ``opened`` makes readable what came, where the picture is drawn.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from durable_nb.client._decoding import decoded
from durable_nb.model.enums import WorkflowExecutionStatus
from durable_nb.model.events import Event
from durable_nb.model.payload import Payload
from durable_nb.model.requests import (
    AttemptDescription,
    OutputDescription,
    QueryWorkflow,
    ReadHistory,
    RunDescription,
    Target,
)
from durable_nb.notebook import patience
from durable_nb.service import RPCError

if TYPE_CHECKING:
    from durable_nb.converter import PayloadCodec

WHOLE_HISTORY = 20_000
"""Events up to which the whole history is read; above, only the closing event is."""

REPLAYED = 2_000
"""Events up to which a run that is not in memory is replayed to say where it stands."""


Told = Mapping[str, Any] | Payload | None
"""What code answered: read already, a payload, or nothing."""


class Looked(NamedTuple):
    """A run at one moment, as it is stored."""

    run_key: int
    run: RunDescription
    attempts: list[AttemptDescription]
    events: list[Event]
    outputs: list[OutputDescription]
    trace: Told
    metadata: Told


class Seen(NamedTuple):
    """A run at one moment."""

    run_key: int
    run: RunDescription
    attempts: list[AttemptDescription]
    events: list[Event]
    outputs: list[OutputDescription]
    trace: Mapping[str, Any] | None
    metadata: Mapping[str, Any]


async def look(engine: Any, target: Target, before: Seen | None = None) -> Looked:
    """The run as it is now, as stored. What ``before`` saw and cannot have changed is not read again.

    Raises
    ------
    RPCError
        NOT_FOUND: there is no such run.
    StoreError, EngineStoppedError
        The store or the engine cannot answer.
    """
    frontend = engine.frontend
    run = await frontend.describe_workflow(target)
    exact = Target(target.namespace, target.workflow_id, run.run_id)
    if before is not None and before.run.run_id != run.run_id:
        before = None
    attempts = await frontend.read_attempts(exact)
    events = await _events(frontend, exact, run, before)
    outputs = await frontend.read_outputs(exact)
    run_key = before.run_key if before is not None else await _key(engine, exact)
    trace, metadata = await _ask_code(engine, exact, run, run_key, before)
    return Looked(run_key, run, attempts, events, outputs, trace, metadata)


async def _key(engine: Any, exact: Target) -> int:
    row = await engine.engine.read(engine.store.find_run, exact.namespace, exact.workflow_id, exact.run_id)
    return 0 if row is None else int(row.run_key)


async def _events(frontend: Any, exact: Target, run: RunDescription, before: Seen | None) -> list[Event]:
    if run.history_length > WHOLE_HISTORY:
        if not run.close_time:
            return []
        closing: list[Event] = (await frontend.read_history(ReadHistory(exact, close_event_only=True))).events
        return closing
    known = before.events if before is not None else []
    if len(known) >= run.history_length:
        return known
    page = await frontend.read_history(ReadHistory(exact, first_event_id=len(known) + 1))
    return [*known, *page.events]


async def _ask_code(
    engine: Any, exact: Target, run: RunDescription, run_key: int, before: Seen | None
) -> tuple[Told, Told]:
    """Where workflow code stands and what it can be told; only asked where that costs little."""
    if run.status is not WorkflowExecutionStatus.RUNNING:
        return None, before.metadata if before is not None else None
    if before is not None and before.trace is not None and before.run.history_length == run.history_length:
        return before.trace, before.metadata
    if run.pending_workflow_task is not None:
        return None, before.metadata if before is not None else None
    if run.history_length > REPLAYED and not _holds(engine, run_key):
        return None, None
    frontend = engine.frontend
    try:
        async with asyncio.timeout(patience.TRACE):
            if not await frontend.serves(run_key):
                return None, None
            trace = await _query(frontend, exact, "__enhanced_stack_trace")
            metadata = await _query(frontend, exact, "__temporal_workflow_metadata")
    except (RPCError, TimeoutError):
        return None, None
    return trace, metadata


def _holds(engine: Any, run_key: int) -> bool:
    slot = engine.engine.slots.get(run_key)
    port = slot.port if slot is not None else None
    return port is not None and port.holds_run(run_key)


async def _query(frontend: Any, exact: Target, name: str) -> Payload | None:
    answer = await frontend.query_workflow(QueryWorkflow(exact, name))
    return answer.result[0] if answer.result else None


def opened(looked: Looked, before: Seen | None = None, codec: PayloadCodec | None = None) -> Seen:
    """What came, with payloads decoded and the answers of code read; not for the engine's loop.

    What ``before`` has is not decoded again. Where the codec fails, things stay encoded.
    """
    run_key, run, attempts, events, outputs, trace, metadata = looked
    try:
        if codec is not None:
            known = _known(events, before)
            run, attempts = decoded(run, codec), decoded(attempts, codec)
            events = [*events[:known], *decoded(events[known:], codec)]
        trace, metadata = decoded([trace, metadata], codec)
    except Exception:  # whatever a codec of the user's raises: a run without its values is better than none
        trace = metadata = None
    return Seen(run_key, run, attempts, events, outputs, _read(trace), _read(metadata) or {})


def _known(events: list[Event], before: Seen | None) -> int:
    """Number of events at the beginning that ``look`` took over from ``before``."""
    count = len(before.events) if before is not None else 0
    return count if count and count <= len(events) and before and events[count - 1] is before.events[-1] else 0


def _read(answer: Told) -> Mapping[str, Any] | None:
    if not isinstance(answer, Payload):
        return answer
    if not answer.metadata.get("encoding", b"").startswith(b"json/"):
        return None  # still encoded
    value = json.loads(answer.data)
    return value if isinstance(value, dict) else None
