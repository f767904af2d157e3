"""Part of W9: from the call to the packed picture of a run of two thousand activities."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from benchmarks.catalog import Metric, Outcome, Sizes
from benchmarks.children import run
from benchmarks.measure import quantile


async def draw(system: Any, folder: Path, activities: int, count: int) -> dict[str, Any]:
    """Cell: one wide run, then its timeline ``count`` times, each time read anew."""
    from durable_nb.model.requests import Target  # noqa: PLC0415 - this cell is about durable_nb only
    from durable_nb.widgets.packing import unpack  # noqa: PLC0415
    from durable_nb.widgets.reading import TimelineReader  # noqa: PLC0415

    await system.open()
    await system.run_fan("wide", activities)
    walls, packed = [], b""
    for _ in range(count):
        begun = time.perf_counter()
        packed = await TimelineReader(system.client.frontend, Target("default", "wide")).packed() or b""
        walls.append(time.perf_counter() - begun)
    bars = unpack(packed)["bar_kind"].count(2)
    return {"walls": walls, "bytes": len(packed), "bars": bars}


def timeline(system: str, folder: Path, sizes: Sizes) -> Outcome:
    """Milliseconds from the call to the payload; durable_nb only."""
    seen = run(system, "timeline:draw", folder, activities=sizes.timeline, count=sizes.timelines).result
    assert seen["bars"] == sizes.timeline
    return [Metric("W9", "timeline of a wide run", quantile(seen["walls"], 0.5) * 1000, "ms")], []
