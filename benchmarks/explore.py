"""W9: asking a store of a million events; and what asking costs an engine in the same kernel.

The store is written straight into SQLite (``explore_store``); each question is asked by a process of its own, through
``durable_nb.sql`` as a user would. Measured with the libraries imported; what importing them costs is told beside it.
"""

from __future__ import annotations

import asyncio
import resource
import threading
import time
from pathlib import Path
from typing import Any

from benchmarks.catalog import Metric, Outcome, Sizes
from benchmarks.children import run
from benchmarks.measure import Stopwatch, quantile
from benchmarks.throughput import in_flight

QUESTION = (
    "SELECT activity_type, status, count(*) AS n, avg(run_us) AS run_us, sum(backoff_us) AS backoff_us "
    "FROM activities GROUP BY ALL"
)
"""Joins six kinds of rows and reads their JSON: nearly half of the events, and all attempts."""

QUESTION_OF_ALL = "SELECT event_type, count(*) AS n, sum(size_bytes) AS bytes FROM events GROUP BY ALL"
"""Needs every event with its attributes."""

_LIVE_QUESTION = "SELECT workflow_type, status, count(*) AS n, avg(duration_us) AS mean_us FROM runs GROUP BY ALL"


def _peak_megabytes() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6


async def fill(system: Any, folder: Path, events: int) -> dict[str, Any]:
    """Cell that makes the store."""
    from benchmarks.explore_store import BigStore  # noqa: PLC0415 - of this cell only

    made = BigStore(folder / "durable.db").add(events)
    await system.open()
    return {"events": made}


async def ask(system: Any, folder: Path, stream: bool, fresh: int, question: str = QUESTION) -> dict[str, Any]:
    """Cell of the first answer, of later ones, and of refreshes by ``fresh`` new events."""
    from benchmarks.explore_store import BigStore  # noqa: PLC0415 - of this cell only

    url = f"sqlite:///{folder / 'durable.db'}"
    with Stopwatch() as importing:
        import duckdb  # noqa: F401, PLC0415
        import pandas as pd  # noqa: F401, PLC0415

        if stream:
            import pyarrow  # noqa: ICN001, F401, PLC0415
        from durable_nb.analytics import open_explorer  # noqa: PLC0415
    with Stopwatch() as first:
        explorer = open_explorer(url, stream=stream)
        answer = explorer.frame(question)
    again = []
    for _ in range(5):
        with Stopwatch() as watch:
            explorer.frame(question)
        again.append(watch.wall)
    peak = _peak_megabytes()
    store = BigStore.again(folder / "durable.db")
    refreshes = []
    for _ in range(5):
        store.add(fresh)
        with Stopwatch() as watch:
            explorer.refresh()
        refreshes.append(watch.wall)
    await system.open()
    return {
        "importing": importing.wall,
        "first": first.wall,
        "cpu": first.cpu,
        "again": again,
        "refreshes": refreshes,
        "peak": peak,
        "counted": int(answer.n.sum()),
    }


async def live(system: Any, folder: Path, count: int, width: int, rounds: int) -> dict[str, Any]:
    """Cell of W1 with and without a question every second in the same process, by turns.

    Turns are short and many, for the speed of a machine drifts: neighbours are compared. The stores are several, so
    that none grows beyond the million events that the rest of W9 is about.
    """
    import durable_nb  # noqa: PLC0415 - of this cell only

    await system.open()
    asked = [0]

    def keep_asking(stop: threading.Event) -> None:
        # In the middle of each second, so that a turn of any length has as many as it lasts seconds, on average.
        pause = 0.5
        while not stop.wait(pause):
            begun = time.perf_counter()
            durable_nb.sql(_LIVE_QUESTION, client=system.client)
            asked[0] += 1
            pause = max(0.0, 1.0 - (time.perf_counter() - begun))

    await in_flight((f"warm-{n}" for n in range(width * 4)), system.run_one, width)
    await asyncio.to_thread(durable_nb.sql, _LIVE_QUESTION, client=system.client)
    alone: list[float] = []
    beside: list[float] = []
    for turn in range(rounds):
        for kind in (alone, beside) if turn % 2 else (beside, alone):
            stop = threading.Event()
            thread = threading.Thread(target=keep_asking, args=(stop,))
            if kind is beside:
                # What the round before wrote is not part of this one.
                await asyncio.to_thread(durable_nb.sql, _LIVE_QUESTION, client=system.client)
                thread.start()
            begun = time.perf_counter()
            await in_flight((f"{turn}-{id(kind)}-{n}" for n in range(count)), system.run_one, width)
            kind.append(count / (time.perf_counter() - begun))
            stop.set()
            if kind is beside:
                await asyncio.to_thread(thread.join)
    return {"alone": alone, "beside": beside, "asked": asked[0]}


def w9(system: str, folder: Path, sizes: Sizes) -> Outcome:
    """A million events: first answer with and without ADBC, refresh, memory; an engine's speed beside questions."""
    events = run(system, "explore:fill", folder, events=sizes.explored).result["events"]
    metrics = []
    peak = 0.0
    fresh = f"refresh of {sizes.refreshed:,} events"
    for name, stream in (("ADBC", True), ("the plain driver", False)):
        seen = run(system, "explore:ask", folder, stream=stream, fresh=sizes.refreshed).result
        peak = max(peak, seen["peak"])
        cpu = seen["cpu"] / events * 1e6
        metrics += [
            Metric("W9", f"first answer, {name}", seen["first"], "s", cpu, "event"),
            Metric("W9", f"imports before it, {name}", seen["importing"], "s"),
            Metric("W9", f"later answers, {name}", quantile(seen["again"], 0.5), "s"),
            Metric("W9", f"{fresh}, {name}", quantile(seen["refreshes"], 0.5) * 1e3, "ms"),
        ]
        seen = run(
            system, "explore:ask", folder, stream=stream, fresh=sizes.refreshed, question=QUESTION_OF_ALL
        ).result  # fmt: skip
        peak = max(peak, seen["peak"])
        cpu = seen["cpu"] / events * 1e6
        metrics += [
            Metric("W9", f"first answer of all events, {name}", seen["first"], "s", cpu, "event"),
            Metric("W9", f"{fresh} where all are held, {name}", quantile(seen["refreshes"], 0.5) * 1e3, "ms"),
        ]
    metrics.append(Metric("W9", "peak memory", peak, "MB"))
    pairs: list[float] = []
    for number in range(sizes.live_stores):
        live_folder = folder.parent / f"live-{number}"
        live_folder.mkdir()
        seen = run(
            system, "explore:live", live_folder, count=sizes.one * sizes.live_factor, width=sizes.one_in_flight,
            rounds=sizes.live_rounds,
        ).result  # fmt: skip
        pairs += [beside / alone for beside, alone in zip(seen["beside"], seen["alone"], strict=True)]
    kept = 100 * quantile(pairs, 0.5)
    metrics.append(Metric("W9", "speed kept beside a question a second", kept, "%"))
    return metrics, []
