"""One line of timeline for each run of a list: read from the store, within bounds."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

from durable_nb.analytics.lanes import run_lanes
from durable_nb.analytics.strip import Strip, run_strip
from durable_nb.model.requests import RunDescription, Target
from durable_nb.service import RPCError

MOST_RUNS = 100
"""Runs of one list that get a line: reading attempts costs about a millisecond each."""

LONGEST = 5000
"""Events up to which a run gets a line."""


async def read_strips(frontend: Any, runs: Sequence[RunDescription], *, now: int = 0) -> dict[str, Strip]:
    """Lines by run ID; a run that is very long, or was deleted meanwhile, has none. To be awaited on any loop."""
    chosen = [run for run in runs[:MOST_RUNS] if run.history_length <= LONGEST]
    strips = await asyncio.gather(*(_strip(frontend, run, now) for run in chosen))
    return {run.run_id: strip for run, strip in zip(chosen, strips, strict=True) if strip is not None}


async def _strip(frontend: Any, run: RunDescription, now: int) -> Strip | None:
    target = Target(run.namespace, run.workflow_id, run.run_id)
    try:
        attempts = await frontend.read_attempts(target)
        described = run if run.close_time else await frontend.describe_workflow(target)
    except RPCError:
        return None
    return run_strip(run_lanes(described, attempts, now=now))
