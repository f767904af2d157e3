"""W1: many small workflows. W2: sequential steps. W3: one wide workflow."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

from benchmarks.catalog import Metric, Outcome, Sizes
from benchmarks.children import run
from benchmarks.measure import Stopwatch, quantile
from benchmarks.system import System

Work = Callable[[str], Awaitable[None]]


async def in_flight(keys: Iterator[str], work: Work, width: int) -> None:
    """``work(key)`` for all keys, ``width`` at a time; each lane takes the next key as soon as it is free."""

    async def lane() -> None:
        for key in keys:
            await work(key)

    await asyncio.gather(*[lane() for _ in range(width)])


async def _timed(system: System, work: Work, count: int, width: int) -> dict[str, Any]:
    await system.open()
    warm_up = max(width, count // 20)
    await in_flight((f"warm-{n}" for n in range(warm_up)), work, width)
    with Stopwatch() as watch:
        await in_flight((f"key-{n}" for n in range(count)), work, width)
    return {"wall": watch.wall, "cpu": watch.cpu}


async def many_ones(system: System, folder: Path, count: int, width: int) -> dict[str, Any]:
    """Cell of W1."""
    return await _timed(system, system.run_one, count, width)


async def many_chains(system: System, folder: Path, count: int, width: int, steps: int) -> dict[str, Any]:
    """Cell of W2."""
    return await _timed(system, lambda key: system.run_chain(key, steps), count, width)


async def fans(system: System, folder: Path, width: int, count: int) -> dict[str, Any]:
    """Cell of W3."""
    await system.open()
    await system.run_fan("warm", width)
    walls, cpu = [], 0.0
    for n in range(count):
        with Stopwatch() as watch:
            await system.run_fan(f"fan-{n}", width)
        walls.append(watch.wall)
        cpu += watch.cpu
    return {"walls": walls, "cpu": cpu}


def w1(system: str, folder: Path, sizes: Sizes) -> Outcome:
    """Workflows per second, one trivial activity each."""
    seen = run(system, "throughput:many_ones", folder, count=sizes.one, width=sizes.one_in_flight).result
    cpu = seen["cpu"] / sizes.one * 1e6
    return [Metric("W1", "one-activity workflows", sizes.one / seen["wall"], "workflows/s", cpu, "workflow")], []


def w2(system: str, folder: Path, sizes: Sizes) -> Outcome:
    """Sequential activities per second, over workflows of ten."""
    arguments = {"count": sizes.chains, "width": sizes.chain_in_flight, "steps": sizes.steps}
    seen = run(system, "throughput:many_chains", folder, **arguments).result
    steps = sizes.chains * sizes.steps
    return [Metric("W2", "sequential steps", steps / seen["wall"], "steps/s", seen["cpu"] / steps * 1e6, "step")], []


def w3(system: str, folder: Path, sizes: Sizes) -> Outcome:
    """Seconds of one workflow with many activities at once, the median of several."""
    seen = run(system, "throughput:fans", folder, width=sizes.width, count=sizes.fans).result
    cpu = seen["cpu"] / (sizes.fans * sizes.width) * 1e6
    name = f"{sizes.width} parallel activities"
    return [Metric("W3", name, quantile(seen["walls"], 0.5), "s", cpu, "activity")], []
