"""Two runs side by side: what ``Client.compare`` gives."""

from __future__ import annotations

import asyncio
import difflib
from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, NamedTuple

from durable_nb.client._execution import instant
from durable_nb.core.alignment import Pair, Step, align, parting, steps_of
from durable_nb.model.enums import WorkflowExecutionStatus
from durable_nb.model.requests import AttemptDescription, ReadHistory, Target

if TYPE_CHECKING:
    import pandas as pd

    from durable_nb.client._client import Client


class Side(NamedTuple):
    """One of the two runs. Durations are microseconds."""

    workflow_id: str
    run_id: str
    workflow_type: str
    status: WorkflowExecutionStatus
    started: datetime | None
    took: int
    """From start to close; 0 while it is open."""
    definition: str
    """Digest of the source that it ran on, "" where it is not known."""
    steps: Sequence[Step]
    run_times: dict[int, int]
    """Time that all attempts of an activity ran, by scheduled event id."""
    attempts: dict[int, int]

    def run_time(self, step: Step | None) -> int:
        """How long a step took: an activity's attempts, else from its first to its last event; 0 while it lasts."""
        if step is None or not step.end_time:
            return 0
        if step.kind == "workflow":
            return self.took
        return self.run_times.get(step.event_id, step.end_time - step.time)


class Comparison:
    """Two runs, aligned step by step.

    Attributes
    ----------
    left, right
        The runs.
    pairs
        Their steps, matched by what they are in the workflow and not by the clock.
    parting
        The first difference; None where both did the same.
    source_diff
        Unified diff of the two definitions, empty where they are the same or one is not stored.
    """

    def __init__(self, left: Side, right: Side, source_diff: Sequence[str] = ()) -> None:
        self.left = left
        self.right = right
        self.pairs = align(left.steps, right.steps)
        self.parting: Pair | None = parting(self.pairs)
        self.source_diff = list(source_diff)

    @property
    def same(self) -> bool:
        """Whether both runs did the same, however long it took."""
        return self.parting is None

    @property
    def differences(self) -> list[Pair]:
        """Pairs that are not the same, in order."""
        return [pair for pair in self.pairs if pair.differs]

    def frame(self) -> pd.DataFrame:
        """One row for each pair of steps.

        Returns
        -------
        DataFrame
            kind, name, differs (text, "" for the same); for both sides event_id (0: not there), ident, outcome,
            attempts, seconds (NaN while it lasts or where the step is missing).
        """
        import pandas as pd  # noqa: PLC0415 - only those who want frames pay for it

        rows = []
        for pair in self.pairs:
            row: dict[str, Any] = {"kind": pair.step.kind, "name": pair.step.name, "differs": ", ".join(pair.differs)}
            for name, side, step in (("left", self.left, pair.left), ("right", self.right, pair.right)):
                row |= {
                    f"{name}_event_id": step.event_id if step else 0,
                    f"{name}_ident": step.ident if step else "",
                    f"{name}_outcome": step.outcome if step else "",
                    f"{name}_attempts": side.attempts.get(step.event_id, 0) if step else 0,
                    f"{name}_seconds": side.run_time(step) / 1e6 if step and step.end_time else float("nan"),
                }
            rows.append(row)
        return pd.DataFrame(rows)

    def __repr__(self) -> str:
        if self.parting is None:
            return f"<Comparison of {self.left.workflow_id!r} and {self.right.workflow_id!r}: the same>"
        step = self.parting.step
        differs = ", ".join(self.parting.differs)
        return (
            f"<Comparison of {self.left.workflow_id!r} and {self.right.workflow_id!r}: they part at {step.kind} "
            f"{step.name} ({differs})>"
        )


async def compare_runs(client: Client, left: Target, right: Target) -> Comparison:
    """Read two runs and align them. Raises RPCError NOT_FOUND where one does not exist."""
    one, other = await _side(client, left), await _side(client, right)
    return Comparison(one, other, await asyncio.to_thread(_source_diff, client, one, other))


async def _side(client: Client, target: Target) -> Side:
    row, _ = await client.frontend.find_hosts(target)
    exact = Target(row.namespace, row.workflow_id, row.run_id)
    events = (await client.frontend.read_history(ReadHistory(exact))).events
    attempts: list[AttemptDescription] = await client.frontend.read_attempts(exact)
    run_times: dict[int, int] = {}
    counts: dict[int, int] = {}
    for attempt in attempts:
        key = attempt.scheduled_event_id
        run_times[key] = run_times.get(key, 0) + max(0, attempt.ended_at - attempt.started_at)
        counts[key] = max(counts.get(key, 0), attempt.attempt)
    return Side(
        row.workflow_id,
        row.run_id,
        row.workflow_type,
        WorkflowExecutionStatus(row.status),
        instant(row.start_time),
        row.close_time - row.start_time if row.close_time else 0,
        row.definition,
        steps_of(events),
        run_times,
        counts,
    )


def _source_diff(client: Client, left: Side, right: Side) -> list[str]:
    if left.definition == right.definition or not left.definition or not right.definition:
        return []
    engine = client.engine
    engine.settle()
    rows = [engine.run_blocking(engine.store.get_definition, side.definition) for side in (left, right)]
    if rows[0] is None or rows[1] is None:
        return []
    ours, theirs = (f"{row.name} {row.digest[:8]}, {row.origin}" for row in rows)
    lines = (row.source.splitlines() for row in rows)
    return list(difflib.unified_diff(*lines, fromfile=ours, tofile=theirs, lineterm=""))  # type: ignore[misc]
