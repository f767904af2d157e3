"""What a notebook adds: the time that ``%load_ext`` takes, and what is left of W1 and W2 beside open displays."""

from __future__ import annotations

from pathlib import Path

from benchmarks.catalog import Metric, Outcome, Sizes
from benchmarks.kernel import Kernel
from benchmarks.live_display import measure
from benchmarks.measure import quantile

LOAD = """
import time
begun = time.perf_counter()
get_ipython().run_line_magic("load_ext", "durable_nb")
print(time.perf_counter() - begun)
"""


def notebook(system: str, folder: Path, sizes: Sizes) -> Outcome:
    """Seconds of ``%load_ext`` with an empty store, each in a fresh kernel; per cent kept beside displays."""
    loads = []
    for number in range(sizes.kernels):
        home = folder / f"kernel-{number}"
        home.mkdir()
        kernel = Kernel(home)
        try:
            loads.append(float(kernel.run(LOAD)))
        finally:
            kernel.stop()
    metrics = [Metric("notebook", "%load_ext, empty store", quantile(loads, 0.5), "s")]
    pairs = measure(sizes.display_pairs, sizes.one * 2 // 5, sizes.chains * 4 // 3)
    for place, name in enumerate(("W1", "W2")):
        kept = [100 * without[place]["all"] / with_[place]["all"] for without, with_ in pairs]
        metrics.append(Metric("notebook", f"{name} kept beside open displays", quantile(kept, 0.5), "%"))
    return metrics, []
