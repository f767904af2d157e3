"""``python -m benchmarks [--only W1,W3] [--quick] [--vs dbos] [--json FILE] [--repeat N]``."""

from __future__ import annotations

import argparse
import json
import os
import platform
import sqlite3
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from importlib.util import find_spec
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks import crash, editing, explore, idle, latency, notebook, replay, throughput, timeline
from benchmarks.catalog import QUICK, TARGETS, Check, Metric, Outcome, Sizes
from benchmarks.children import CellError
from benchmarks.limits import Limit, measure_limits
from benchmarks.table import checks_table, limits_table, metrics_table, ratio

Workload = Callable[[str, Path, Sizes], Outcome]

WORKLOADS: dict[str, Workload] = {
    "W1": throughput.w1,
    "W2": throughput.w2,
    "W3": throughput.w3,
    "W4": latency.w4,
    "W5": crash.w5,
    "W6": idle.w6,
    "W7": latency.w7,
    "W8": replay.w8,
    "W9": explore.w9,
    "timeline": timeline.timeline,
    "edit": editing.editing,
    "notebook": notebook.notebook,
    "big": replay.big,
}
ONLY_OURS = {"W8", "W9", "timeline", "edit", "notebook", "big"}
ONCE = {"W6", "W9", "notebook", "big"}
"""Long, and steady enough: one round whatever ``--repeat`` says."""


@dataclass
class Results:
    """What a system did: medians over the rounds, and every check of every round."""

    metrics: list[Metric] = field(default_factory=list)
    checks: list[Check] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    samples: dict[str, list[float]] = field(default_factory=dict)


def options(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """The command line, checked."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="Speed of durable_nb on this machine.")
    parser.add_argument("--only", metavar="W1,W3", help=f"some of {', '.join(WORKLOADS)}")
    parser.add_argument("--quick", action="store_true", help="small sizes, one round: only to see that all of it runs")
    parser.add_argument("--vs", choices=["dbos"], help="the same workloads on DBOS (make bench installs it)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write everything measured")
    parser.add_argument("--repeat", type=int, metavar="N", help="rounds; the median counts (3; other systems 1)")
    parser.add_argument("--dir", type=Path, metavar="DIR", help="where stores are made (the system's temporary folder)")
    chosen = parser.parse_args(arguments)
    by_folded = {name.lower(): name for name in WORKLOADS}
    names = [name.strip().lower() for name in chosen.only.split(",")] if chosen.only else list(by_folded)
    unknown = [name for name in names if name not in by_folded]
    if unknown:
        parser.error(f"unknown workload {', '.join(unknown)}; there are {', '.join(WORKLOADS)}")
    if chosen.vs and find_spec(chosen.vs) is None:
        parser.error(f"{chosen.vs} is not installed here: `make bench` installs it, or: pip install -e '.[bench]'")
    if chosen.repeat is not None and chosen.repeat < 1:
        parser.error("--repeat must be at least 1")
    chosen.only = [by_folded[name] for name in names]
    return chosen


def middle(rounds: Sequence[Metric]) -> Metric:
    """The metric of the round whose value is the median, with the median of the CPU times."""
    first = rounds[0]
    cpus = [metric.cpu_us for metric in rounds if metric.cpu_us is not None]
    value = median(metric.value for metric in rounds)
    return Metric(first.workload, first.name, value, first.unit, median(cpus) if cpus else None, first.per)


def measure(system: str, names: Sequence[str], sizes: Sizes, repeat: int, scratch: Path) -> Results:
    """Run the workloads on ``system``; a workload that fails is reported and the others go on."""
    results = Results()
    for name in names:
        rounds: list[list[Metric]] = []
        begun = time.perf_counter()
        try:
            for number in range(1 if name in ONCE else repeat):
                folder = scratch / f"{system}-{name}-{number}" / "store"
                folder.mkdir(parents=True)
                metrics, checks = WORKLOADS[name](system, folder, sizes)
                rounds.append(metrics)
                results.checks += checks
        except CellError as error:
            results.errors.append(f"{name}: {error}")
            print(f"{system} {name} FAILED: {error}", file=sys.stderr)
            continue
        print(f"{system} {name} measured in {time.perf_counter() - begun:.1f} s", file=sys.stderr)
        for same in zip(*rounds, strict=True):
            results.metrics.append(middle(same))
            results.samples[f"{same[0].workload} {same[0].name}"] = [metric.value for metric in same]
    return results


def machine() -> dict[str, Any]:
    """What the numbers depend on."""
    return {
        "system": platform.platform(),
        "processors": os.cpu_count(),
        "python": platform.python_version(),
        "sqlite": sqlite3.sqlite_version,
    }


def report(
    about: dict[str, Any], sizes: Sizes, limits: Sequence[Limit], ours: Results, theirs: Results | None
) -> dict[str, Any]:
    """All of it, ready for JSON."""

    def rows(results: Results, others: Results | None) -> list[dict[str, Any]]:
        known = {(metric.workload, metric.name): metric for metric in others.metrics} if others else {}
        listed = []
        for metric in results.metrics:
            key = (metric.workload, metric.name)
            row = asdict(metric) | {"samples": results.samples[f"{metric.workload} {metric.name}"]}
            if key in TARGETS and sizes.full:
                row |= asdict(TARGETS[key]) | {"reached": TARGETS[key].mark(metric.value)}
            times = ratio(metric, known.get(key))
            if times is not None:
                row["times_better"] = times
                if key in TARGETS and sizes.full:
                    row["reached_by_ratio"] = TARGETS[key].mark_times(times)
            listed.append(row)
        return listed

    systems = {"durable_nb": (ours, theirs), **({"dbos": (theirs, None)} if theirs else {})}
    return {
        "machine": about,
        "sizes": asdict(sizes),
        "limits": [asdict(limit) for limit in limits],
        "systems": {
            name: {
                "metrics": rows(results, others),
                "checks": [asdict(check) for check in results.checks],
                "errors": results.errors,
            }
            for name, (results, others) in systems.items()
            if results is not None
        },
    }


def main() -> int:
    """1 when a workload failed or a check does not hold; a missed target is shown, not an error."""
    chosen = options()
    sizes = QUICK if chosen.quick else Sizes()
    with tempfile.TemporaryDirectory(prefix="durable-nb-bench-", dir=chosen.dir) as name:
        scratch = Path(name)
        about = machine()
        limits = measure_limits(scratch, 0.3 if chosen.quick else 1.0)
        repeat = chosen.repeat or (1 if chosen.quick else 3)
        ours = measure("durable_nb", chosen.only, sizes, repeat, scratch)
        theirs = None
        if chosen.vs:
            shared = [name for name in chosen.only if name not in ONLY_OURS]
            theirs = measure(chosen.vs, shared, sizes, chosen.repeat or 1, scratch)

    print(
        f"\n{about['system']}, {about['processors']} processors, Python {about['python']}, SQLite {about['sqlite']}\n"
    )
    print(limits_table(limits), end="\n\n")
    if ours.metrics:
        targets = TARGETS if sizes.full else {}
        print(metrics_table(ours.metrics, targets, theirs.metrics if theirs else [], chosen.vs), end="\n\n")
    if not sizes.full:
        print("Small sizes: these numbers only show that everything runs.\n")
    print(checks_table(ours.checks))
    if chosen.json:
        chosen.json.parent.mkdir(parents=True, exist_ok=True)
        chosen.json.write_text(json.dumps(report(about, sizes, limits, ours, theirs), indent=2) + "\n")
    failed = ours.errors or (theirs.errors if theirs else []) or not all(check.holds for check in ours.checks)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
