"""What the engine measures of itself: plain integers, added to where things happen, read when somebody asks.

Nothing here locks. The engine's counts are written on its loop, those of commits by the writer's thread only; a reader
on another thread may see a count that is one behind. The hot path pays for two readings of the clock and one bucket
for each workflow task, one count for each attempt, and as much for each commit: under one per cent of a step's CPU.
What can be derived is derived when somebody asks (cache hits); times of activities are in the view ``attempts``.

Names are Temporal's where Temporal has the metric, else they begin with ``durable_nb_``. Times are in seconds.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import msgspec

from durable_nb.model.enums import WorkflowExecutionStatus
from durable_nb.model.requests import MetricSample

if TYPE_CHECKING:
    from durable_nb.core.state import ExecutionState
    from durable_nb.engine.engine import Engine
    from durable_nb.model.records import AttemptRow
    from durable_nb.model.tasks import WorkflowTask

_MICROSECOND = 1000
TIMES_NS = tuple(
    n * _MICROSECOND
    for n in (50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 1_000_000, 5_000_000)
)
"""Upper bounds of buckets of short times, in nanoseconds: what the clock gives."""

LONG_TIMES_US = (1_000, 10_000, 100_000, 500_000, 1_000_000, 5_000_000, 30_000_000, 120_000_000, 600_000_000,
                 3_600_000_000, 86_400_000_000)  # fmt: skip
SIZES = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024)

_SECOND_NS, _SECOND_US = 1_000_000_000, 1_000_000

_ENDS = {
    WorkflowExecutionStatus.COMPLETED: "temporal_workflow_completed",
    WorkflowExecutionStatus.FAILED: "temporal_workflow_failed",
    WorkflowExecutionStatus.CANCELED: "temporal_workflow_canceled",
    WorkflowExecutionStatus.CONTINUED_AS_NEW: "temporal_workflow_continue_as_new",
    WorkflowExecutionStatus.TERMINATED: "durable_nb_workflow_terminated",
    WorkflowExecutionStatus.TIMED_OUT: "durable_nb_workflow_timed_out",
}
_ATTEMPT_ENDS = ("completed", "failed", "timed_out", "canceled", "lost")


class Histogram:
    """Counts of values by size. ``counts`` has one more entry than ``bounds``: what is larger than all."""

    __slots__ = ("bounds", "counts", "total")

    def __init__(self, bounds: Sequence[int]) -> None:
        self.bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        self.total = 0

    def record(self, value: int) -> None:
        """Count a value in the first bucket whose bound it does not exceed."""
        self.counts[bisect_left(self.bounds, value)] += 1
        self.total += value

    @property
    def count(self) -> int:
        """How many values were recorded."""
        return sum(self.counts)

    def samples(self, name: str, unit: str, scale: int) -> Iterable[MetricSample]:
        """Prometheus's long form: cumulative buckets by ``le``, the sum, the count."""
        seen = 0
        for bound, count in zip(self.bounds, self.counts, strict=False):
            seen += count
            yield MetricSample(f"{name}_bucket", {"le": f"{bound / scale:g}"}, "histogram", seen, "")
        seen += self.counts[-1]
        yield MetricSample(f"{name}_bucket", {"le": "+Inf"}, "histogram", seen, "")
        yield MetricSample(f"{name}_sum", {}, "histogram", self.total / scale, unit)
        yield MetricSample(f"{name}_count", {}, "histogram", seen, "")


class EngineMetrics:
    """The counts of one engine."""

    __slots__ = (
        "attempts",
        "conflicts",
        "end_to_end",
        "evictions",
        "faults",
        "first_tasks",
        "misses",
        "replay_latency",
        "replayed_events",
        "runs",
        "task_failures",
        "task_latency",
    )

    def __init__(self) -> None:
        self.task_latency = Histogram(TIMES_NS)
        self.replay_latency = Histogram(TIMES_NS)
        self.end_to_end = Histogram(LONG_TIMES_US)
        self.first_tasks = self.misses = self.replayed_events = 0
        self.task_failures = self.evictions = self.conflicts = self.faults = 0
        self.attempts = dict.fromkeys(_ATTEMPT_ENDS, 0)
        self.runs = dict.fromkeys(_ENDS, 0)

    @property
    def hits(self) -> int:
        """Workflow tasks whose run was cached: all but those that began with event 1."""
        return self.task_latency.count - self.first_tasks - self.misses

    # -- told by the engine ----------------------------------------------------------------------------------------

    def ran_from_the_beginning(self, task: WorkflowTask, nanoseconds: int) -> None:
        """Workflow code ran for a task that began with event 1: a run's first one, or a replay."""
        if not task.previous_started_event_id:
            self.first_tasks += 1
            return
        self.misses += 1
        self.replayed_events += len(task.events)
        self.replay_latency.record(nanoseconds)

    def attempts_ended(self, attempts: Iterable[AttemptRow]) -> None:
        """Attempts of activities are over, and that is durable."""
        counts = self.attempts
        for attempt in attempts:
            counts[attempt.outcome] += 1

    def run_ended(self, state: ExecutionState) -> None:
        """A run is closed, and that is durable."""
        self.runs[state.status] += 1
        self.end_to_end.record(max(state.close_time - state.start_time, 0))


def read_metrics(engine: Engine) -> list[MetricSample]:
    """All measurements as they are now; called on the engine's loop."""
    return [*_counts(engine.metrics), *_commits(engine), *_present(engine)]


def metrics_document(engine: Engine) -> str:
    """``read_metrics`` as JSON, for the process's row in the store."""
    return msgspec.json.encode(read_metrics(engine)).decode()


def _count(name: str, value: float, **labels: str) -> MetricSample:
    return MetricSample(name, labels, "counter", value)


def _counts(metrics: EngineMetrics) -> Iterable[MetricSample]:
    yield from metrics.task_latency.samples("temporal_workflow_task_execution_latency", "seconds", _SECOND_NS)
    yield from metrics.replay_latency.samples("temporal_workflow_task_replay_latency", "seconds", _SECOND_NS)
    yield _count("temporal_workflow_task_execution_failed", metrics.task_failures)
    yield _count("temporal_sticky_cache_hit", metrics.hits)
    yield _count("temporal_sticky_cache_miss", metrics.misses)
    yield _count("temporal_sticky_cache_total_forced_eviction", metrics.evictions)
    yield _count("durable_nb_replayed_events", metrics.replayed_events)
    for outcome, number in metrics.attempts.items():
        yield _count("durable_nb_activity_attempts", number, outcome=outcome)
    yield _count("temporal_activity_execution_failed", metrics.attempts["failed"])
    yield from metrics.end_to_end.samples("temporal_workflow_endtoend_latency", "seconds", _SECOND_US)
    for status, name in _ENDS.items():
        yield _count(name, metrics.runs[status])


def _commits(engine: Engine) -> Iterable[MetricSample]:
    stats = engine.writer.stats
    yield _count("durable_nb_commits", stats.commits)
    yield _count("durable_nb_commit_units", stats.units)
    yield from stats.batch_sizes.samples("durable_nb_commit_batch_size", "units", 1)
    yield from stats.latency.samples("durable_nb_commit_latency", "seconds", _SECOND_NS)
    yield _count("durable_nb_commit_conflicts", engine.metrics.conflicts)
    yield _count("durable_nb_store_faults", engine.metrics.faults)


def _present(engine: Engine) -> Iterable[MetricSample]:
    def gauge(name: str, value: float, **labels: str) -> MetricSample:
        return MetricSample(name, labels, "gauge", value, "")

    depths = engine.queue_depths()
    for queue, depth in depths.items():
        yield gauge("durable_nb_queue_depth", depth, queue=queue)
    yield gauge("temporal_sticky_cache_size", sum(slot.port is not None for slot in engine.slots.values()))
    yield gauge("durable_nb_cached_runs", len(engine.slots))
    queues: dict[str, list[int]] = {}
    for entry in engine.workers.entries:
        found = queues.setdefault(entry.port.task_queue, [0, 0, 0])
        for index, number in enumerate((entry.capacity, entry.running, len(entry.waiting))):
            found[index] += number
    for queue, (capacity, running, waiting) in queues.items():
        labels = {"task_queue": queue, "worker_type": "ActivityWorker"}
        yield gauge("temporal_worker_task_slots_available", max(capacity - running, 0), **labels)
        yield gauge("temporal_worker_task_slots_used", running, **labels)
        yield gauge("durable_nb_activities_waiting_for_slots", waiting, task_queue=queue)
