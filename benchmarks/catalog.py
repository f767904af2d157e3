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

    @property
    def full(self) -> bool:
        return self == Sizes()


QUICK = Sizes(
    one=200, chains=32, width=100, latencies=50, sleepers=300, starts=2, imports=2, replay_events=1000, pending=200
)


@dataclass(frozen=True, slots=True)
class Target:
    """``higher`` tells which way is better."""

    at_least: float
    goal: float
    higher: bool = False

    def mark(self, value: float) -> str:
        """``goal``, ``pass`` or ``MISS``."""
        if self._reaches(value, self.goal):
            return "goal"
        return "pass" if self._reaches(value, self.at_least) else "MISS"

    def _reaches(self, value: float, bound: float) -> bool:
        return value >= bound if self.higher else value <= bound


TARGETS: dict[tuple[str, str], Target] = {
    ("W1", "one-activity workflows"): Target(2000, 6000, higher=True),
    ("W2", "sequential steps"): Target(5000, 13_000, higher=True),
    ("W3", "500 parallel activities"): Target(0.12, 0.05),
    ("W4", "latency p50"): Target(2.5, 1.2),
    ("W4", "latency p99"): Target(6, 3),
    ("W5", "kill -9, recovery"): Target(1.0, 0.4),
    ("W6", "start 5,000 sleepers"): Target(3, 1),
    ("W6", "disk"): Target(2, 1),
    ("W6", "memory"): Target(2, 2),
    ("W6", "ready after kill -9"): Target(0.3, 0.1),
    ("W7", "import"): Target(0.15, 0.08),
    ("W7", "process start to first result"): Target(0.35, 0.2),
    ("W8", "replay"): Target(20_000, 20_000, higher=True),
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
        return self.unit.endswith("/s")


@dataclass(frozen=True, slots=True)
class Check:
    """Something that must hold, not a speed."""

    workload: str
    claim: str
    holds: bool
    seen: str


Outcome = tuple[list[Metric], list[Check]]
