"""An edited cell: how long a thousand open runs keep it waiting, and how much of it the engine notices."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

from benchmarks.catalog import Metric, Outcome, Sizes
from benchmarks.children import run
from durable_nb import activity, workflow

STEPS = 8
"""Activities of a run before it waits: a history of 51 events."""

TICK = 0.005


@activity.defn
async def step(n: int) -> int:
    return n + 1


@workflow.defn
class Waiting:
    """Some steps, then a wait for its end."""

    def __init__(self) -> None:
        self.done = False

    @workflow.run
    async def run(self, n: int) -> int:
        for _ in range(STEPS):
            n = await workflow.execute_activity(step, n, start_to_close_timeout=timedelta(minutes=1))
        await workflow.wait_condition(lambda: self.done)
        return n


async def edit(system: Any, folder: Path, runs: int) -> dict[str, Any]:
    """Cell: start the runs, let them come to rest, then judge and move them as an edited cell does."""
    await system.open()
    return await asyncio.get_running_loop().run_in_executor(None, _edit, folder, runs)


def _edit(folder: Path, runs: int) -> dict[str, Any]:
    from durable_nb.client import Client  # noqa: PLC0415 - start-up of other cells must not pay for these
    from durable_nb.engine import open_engine  # noqa: PLC0415
    from durable_nb.notebook.editing import OpenRuns  # noqa: PLC0415
    from durable_nb.notebook.versions import VersionKeeper  # noqa: PLC0415
    from durable_nb.worker._embedded import EmbeddedWorker  # noqa: PLC0415

    engine = open_engine(f"sqlite:///{folder}/edit.db", own_thread=True)
    client = Client(engine)
    worker = EmbeddedWorker(client, task_queue="edit")

    def ask(request: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(request, engine.loop).result(120)

    worker.register_activity(step)
    worker.register_workflow(Waiting, "old")
    worker.start()
    ask(_start(client, runs))
    open_runs = OpenRuns(engine, worker, VersionKeeper(worker, lambda _: []), ask)
    found: list[Any] = []
    while len(found) < runs or any(row.next_event_id <= STEPS * 6 for row in found):
        time.sleep(0.1)
        found = open_runs.on_other_versions("Waiting", "new")
    worker.register_workflow(Waiting, "new")
    stop, lags = _watch(engine)
    begun, used = time.perf_counter(), time.process_time()
    found = open_runs.on_other_versions("Waiting", "new")
    verdicts = open_runs.judge(Waiting, found)
    judged, used = time.perf_counter() - begun, time.process_time() - used
    moved = open_runs.move(Waiting, "new", verdicts.agree)
    whole = time.perf_counter() - begun
    stop()
    count, events = len(moved.continued), found[0].next_event_id - 1
    engine.close()
    assert count == runs
    return {"judged": judged, "whole": whole, "cpu": used, "events": events, "lag": max(lags, default=0.0)}


async def _start(client: Any, runs: int) -> None:
    starts = [client.start_workflow(Waiting.run, n, id=f"run-{n}", task_queue="edit") for n in range(runs)]
    await asyncio.gather(*starts)


def _watch(engine: Any) -> tuple[Callable[[], None], list[float]]:
    """How late the engine's loop wakes while the cell works; what stops watching, and the seconds."""
    lags: list[float] = []
    state = {"on": True}

    async def watch() -> None:
        while state["on"]:
            due = engine.loop.time() + TICK
            await asyncio.sleep(TICK)
            lags.append(engine.loop.time() - due)

    asyncio.run_coroutine_threadsafe(watch(), engine.loop)
    return lambda: state.update(on=False), lags


def editing(system: str, folder: Path, sizes: Sizes) -> Outcome:
    """Seconds of the dry replay, and of it with the moves; durable_nb only."""
    seen = run(system, "editing:edit", folder, runs=sizes.open_runs).result
    return [
        Metric("edit", "dry replay of open runs", seen["judged"], "s", seen["cpu"] / sizes.open_runs * 1e6, "run"),
        Metric("edit", "dry replay and moves", seen["whole"], "s"),
        Metric("edit", "engine late meanwhile", seen["lag"] * 1000, "ms"),
    ], []
