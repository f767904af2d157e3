"""W8: events replayed per second. And the check that one very large run works."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from pathlib import Path
from typing import Any

from benchmarks.catalog import Check, Metric, Outcome, Sizes
from benchmarks.children import run
from benchmarks.measure import Stopwatch, quantile

EVENTS_PER_STEP = 6
"""Scheduled, started, completed, and the three events of the workflow task that follows."""


async def replay(system: Any, folder: Path, events: int, count: int) -> dict[str, Any]:
    """Cell of W8: make a history of sequential activities by running it, then replay it."""
    from benchmarks.system_durable_nb import Chain  # noqa: PLC0415 - this cell is about durable_nb only
    from durable_nb.worker import Replayer  # noqa: PLC0415

    await system.open()
    await system.run_chain("long", events // EVENTS_PER_STEP)
    history = await system.client.get_workflow_handle("long").fetch_history()
    replayer = Replayer(workflows=[Chain])
    await replayer.replay_workflow(history)
    walls, cpu = [], 0.0
    for _ in range(count):
        with Stopwatch() as watch:
            await replayer.replay_workflow(history)
        walls.append(watch.wall)
        cpu += watch.cpu
    return {"walls": walls, "cpu": cpu, "events": len(history.events)}


async def big_run(system: Any, folder: Path, pending: int, events: int) -> dict[str, Any]:
    """Cell of the check: all of ``pending`` activities open at once, then steps until the history has ``events``."""
    from benchmarks.big_run import QUEUE, Big, Gate, wait_behind_gate  # noqa: PLC0415
    from benchmarks.system_durable_nb import add_one  # noqa: PLC0415
    from durable_nb.worker import Worker  # noqa: PLC0415

    await system.open()
    client = system.client
    async with Worker(client, task_queue=QUEUE, workflows=[Big], activities=[wait_behind_gate, add_one]):
        handle = await client.start_workflow(
            Big.run, args=[pending, events], id="big", task_queue=QUEUE, task_timeout=timedelta(minutes=1)
        )
        open_at_once = 0
        while open_at_once < pending:
            await asyncio.sleep(0.05)
            history = (await handle.fetch_history()).to_json_dict()
            kinds = [event["eventType"] for event in history["events"]]
            open_at_once = kinds.count("EVENT_TYPE_ACTIVITY_TASK_SCHEDULED") - kinds.count(
                "EVENT_TYPE_ACTIVITY_TASK_COMPLETED"
            )
        Gate.open.set()
        with Stopwatch() as watch:
            result = await handle.result()
    events_seen = (await handle.fetch_history()).to_json_dict()["events"]
    gapless = [int(event["eventId"]) for event in events_seen] == list(range(1, len(events_seen) + 1))
    return {
        "pending": open_at_once,
        "events": len(events_seen),
        "gapless": gapless,
        "result": result,
        "wall": watch.wall,
    }


def w8(system: str, folder: Path, sizes: Sizes) -> Outcome:
    """Events per second of one long history, by ``durable_nb.worker.Replayer``; durable_nb only."""
    seen = run(system, "replay:replay", folder, events=sizes.replay_events, count=sizes.replays).result
    events = seen["events"]
    cpu = seen["cpu"] / (events * sizes.replays) * 1e6
    return [Metric("W8", "replay", events / quantile(seen["walls"], 0.5), "events/s", cpu, "event")], []


def big(system: str, folder: Path, sizes: Sizes) -> Outcome:
    """One run with very many events and pending activities."""
    seen = run(system, "replay:big_run", folder, pending=sizes.pending, events=sizes.replay_events).result
    holds = seen["pending"] >= sizes.pending and seen["events"] >= sizes.replay_events and seen["gapless"]
    text = f"{seen['pending']:,} pending at once, {seen['events']:,} events, {seen['wall']:.1f} s to the end"
    return [], [Check("big", "a run of very many events and pending activities works", holds, text)]
