"""W4: latency of one small workflow at a time. W7: import, and from process start to the first result."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from benchmarks.catalog import Metric, Outcome, Sizes
from benchmarks.children import ENVIRONMENT, ROOT, run
from benchmarks.measure import Stopwatch, quantile
from benchmarks.system import System

IMPORTS = {"durable_nb": "durable_nb.workflow", "dbos": "dbos"}


async def one_at_a_time(system: System, folder: Path, count: int) -> dict[str, Any]:
    """Cell of W4: seconds of each run."""
    await system.open()
    for n in range(20):
        await system.run_one(f"warm-{n}")
    latencies = []
    with Stopwatch() as watch:
        for n in range(count):
            begun = time.perf_counter()
            await system.run_one(f"key-{n}")
            latencies.append(time.perf_counter() - begun)
    return {"latencies": latencies, "cpu": watch.cpu}


def w4(system: str, folder: Path, sizes: Sizes) -> Outcome:
    """Milliseconds from start to result of a one-activity workflow, nothing else running."""
    seen = run(system, "latency:one_at_a_time", folder, count=sizes.latencies).result
    latencies = [seconds * 1000 for seconds in seen["latencies"]]
    cpu = seen["cpu"] / sizes.latencies * 1e6
    return [
        Metric("W4", "latency p50", quantile(latencies, 0.5), "ms", cpu, "workflow"),
        Metric("W4", "latency p99", quantile(latencies, 0.99), "ms"),
    ], []


def import_seconds(module: str) -> float:
    """Time of ``import module`` in a fresh interpreter, without the interpreter's own start."""
    code = f"import time; t = time.perf_counter(); import {module}; print(time.perf_counter() - t)"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env=ENVIRONMENT, capture_output=True, text=True, check=True
    )
    return float(done.stdout)


def w7(system: str, folder: Path, sizes: Sizes) -> Outcome:
    """Medians; a first round fills the bytecode cache and is not counted."""
    imports = [import_seconds(IMPORTS[system]) for _ in range(sizes.imports + 1)][1:]
    starts, cpus = [], []
    for n in range(sizes.starts + 1):
        empty = folder / f"start-{n}"
        empty.mkdir()
        seen = run(system, "starts:first_result", empty)
        starts.append(seen.seconds)
        cpus.append(seen.cpu_seconds)
    cpu = quantile(cpus[1:], 0.5) * 1e6
    return [
        Metric("W7", "import", quantile(imports, 0.5), "s"),
        Metric("W7", "process start to first result", quantile(starts[1:], 0.5), "s", cpu, "start"),
    ], []
