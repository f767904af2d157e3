"""Sizes of the workloads, and what each metric must reach (DESIGN section 6, columns "at least" and "goal")."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Sizes:
    """How much work each workload does. Targets are only compared at the full size."""

    one: int = 2000
    one_in_flight: int = 64
    chains: int = 200
    chain_in_flight: int = 16
    steps: int = 10
    width: int = 500
    fans: int = 3
    latencies: int = 400
    sleepers: int = 5000
    starts: int = 5
    imports: int = 7
    replay_events: int = 10_000
    replays: int = 3
    pending: int = 2000
    explored: int = 1_000_000
    refreshed: int = 1000
    live_factor: int = 2
    live_rounds: int = 10
    live_stores: int = 3
    timeline: int = 2000
    timelines: int = 5
    open_runs: int = 1000
    kernels: int = 5
    display_pairs: int = 100

    @property
    def full(self) -> bool:
        return self == Sizes()


QUICK = Sizes(
    one=200, chains=32, width=100, latencies=50, sleepers=300, starts=2, imports=2, replay_events=1000, pending=200,
    timeline=200, timelines=2, open_runs=50, explored=20_000, live_factor=1, live_rounds=1, live_stores=1,
    kernels=1, display_pairs=1,
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Target:
    """What to reach on the machine of DESIGN section 6, a quiet one; elsewhere ratios tell more than absolutes.

    ``higher`` tells which way is better. ``dbos`` is what DBOS reached on that machine: how many times better than it
    the targets are is the same on any machine, so a run beside DBOS is judged by that (``mark_times``).
    """

    at_least: float
    goal: float
    higher: bool = False
    dbos: float | None = None

    def mark(self, value: float) -> str:
        """``goal``, ``pass`` or ``MISS`` by the value itself."""
        if self._reaches(value, self.goal):
            return "goal"
        return "pass" if self._reaches(value, self.at_least) else "MISS"

    def _reaches(self, value: float, bound: float) -> bool:
        return value >= bound if self.higher else value <= bound

    def times(self, bound: float) -> float | None:
        """How many times better than DBOS ``bound`` is; None where DBOS was not measured."""
        if self.dbos is None:
            return None
        return bound / self.dbos if self.higher else self.dbos / bound

    def mark_times(self, times: float) -> str:
        """``goal``, ``pass`` or ``MISS`` by how many times better than DBOS in the same run; "" without a bound."""
        at_least, goal = self.times(self.at_least), self.times(self.goal)
        if at_least is None or goal is None:
            return ""
        return "goal" if times >= goal else "pass" if times >= at_least else "MISS"


TARGETS: dict[tuple[str, str], Target] = {
    ("W1", "one-activity workflows"): Target(2000, 6000, higher=True, dbos=144),
    ("W2", "sequential steps"): Target(5000, 13_000, higher=True, dbos=380),
    ("W3", "500 parallel activities"): Target(0.12, 0.05, dbos=1.9),
    ("W4", "latency p50"): Target(2.5, 1.2, dbos=7.4),
    ("W4", "latency p99"): Target(6, 3, dbos=10),
    ("W5", "kill -9, recovery"): Target(1.0, 0.4, dbos=4.9),
    ("W6", "start 5,000 sleepers"): Target(3, 1, dbos=82),
    ("W6", "disk"): Target(2, 1, dbos=15),
    ("W6", "memory"): Target(2, 2),
    ("W6", "ready after kill -9"): Target(0.3, 0.1, dbos=1.1),
    ("W7", "import"): Target(0.15, 0.08, dbos=0.43),
    ("W7", "process start to first result"): Target(0.35, 0.2, dbos=0.88),
    ("W8", "replay"): Target(20_000, 20_000, higher=True),
    ("W9", "first answer, ADBC"): Target(1.5, 1.2),
    ("W9", "first answer, the plain driver"): Target(4, 3),
    ("W9", "refresh of 1,000 events, ADBC"): Target(20, 10),
    ("W9", "refresh of 1,000 events, the plain driver"): Target(20, 10),
    ("W9", "peak memory"): Target(500, 400),
    ("W9", "speed kept beside a question a second"): Target(95, 98, higher=True),
    ("W9", "timeline of a wide run"): Target(300, 150),
    ("edit", "dry replay of open runs"): Target(3, 1.5),
    ("notebook", "%load_ext, empty store"): Target(0.7, 0.35),
    ("notebook", "W1 kept beside open displays"): Target(95, 98, higher=True),
    ("notebook", "W2 kept beside open displays"): Target(95, 98, higher=True),
}
"""By workload and name of the metric. Seconds, milliseconds, KiB or units per second, as the metric says."""


@dataclass(frozen=True, slots=True)
class Metric:
    """One number of one system."""

    workload: str
    name: str
    value: float
    unit: str
    cpu_us: float | None = None
    """CPU microseconds for each unit of work, children included."""
    per: str = ""
    """The unit of work that ``cpu_us`` counts."""

    @property
    def higher_is_better(self) -> bool:
        return self.unit.endswith("/s") or self.unit == "%"


@dataclass(frozen=True, slots=True)
class Check:
    """Something that must hold, not a speed."""

    workload: str
    claim: str
    holds: bool
    seen: str


Outcome = tuple[list[Metric], list[Check]]
