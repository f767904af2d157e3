"""What the engine measures of itself agrees with what is stored, and every process can be asked about."""

from __future__ import annotations

import asyncio
from bisect import bisect_left
from collections import Counter
from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from durable_nb.analytics.exports import RunRecord, read_runs
from durable_nb.client import Client
from durable_nb.engine import open_engine
from durable_nb.engine.metrics import SIZES, Histogram
from durable_nb.model.records import RunFilter
from durable_nb.model.requests import MetricSample
from durable_nb.worker import Worker
from tests.replay import activities, scenes

Samples = dict[tuple[str, tuple[tuple[str, str], ...]], float]


def by_name(samples: list[MetricSample]) -> Samples:
    found = {(each.name, tuple(sorted(each.labels.items()))): each.value for each in samples}
    assert len(found) == len(samples)
    return found


async def played(*chosen: scenes.Scene, cached: int = 1000) -> tuple[Samples, list[RunRecord]]:
    """Measurements after some scenes, played side by side, and what the store holds then."""
    async with scenes.staged(cached) as stage:
        client = stage.client
        await asyncio.gather(*(scene(stage) for scene in chosen))
        samples = await client.metrics()
        return by_name(samples), list(read_runs(client.engine.store, RunFilter("default", limit=0)))


async def test_attempts_and_ends_of_runs_are_those_of_the_store() -> None:
    samples, records = await played(scenes.outcomes, scenes.failures, scenes.workflow_retries, scenes.continued)
    runs = [record.run for record in records]
    outcomes = Counter(attempt.outcome for record in records for attempt in record.attempts)
    assert outcomes["failed"] > 3
    for outcome, count in outcomes.items():
        assert samples["durable_nb_activity_attempts", (("outcome", outcome),)] == count
    statuses = Counter(run.status for run in runs)
    names = {2: "temporal_workflow_completed", 3: "temporal_workflow_failed", 6: "temporal_workflow_continue_as_new"}
    assert {status: samples[name, ()] for status, name in names.items()} == dict(statuses)
    assert samples["temporal_workflow_endtoend_latency_count", ()] == len(runs)
    took = sum(run.close_time - run.start_time for run in runs) / 1e6
    assert samples["temporal_workflow_endtoend_latency_sum", ()] == pytest.approx(took)


async def test_workflow_tasks_hit_the_cache_or_are_replayed() -> None:
    chosen = scenes.outcomes, scenes.timers, scenes.continued
    hit, records = await played(*chosen)
    missed, _ = await played(*chosen, cached=0)
    assert hit["temporal_sticky_cache_hit", ()] > 5
    assert hit["temporal_sticky_cache_miss", ()] == hit["durable_nb_replayed_events", ()] == 0
    assert missed["temporal_sticky_cache_hit", ()] == 0
    assert missed["temporal_sticky_cache_miss", ()] == missed["temporal_workflow_task_replay_latency_count", ()] > 3
    tasks_again = missed["temporal_workflow_task_execution_latency_count", ()] - len(records)
    assert missed["temporal_sticky_cache_miss", ()] == tasks_again
    assert missed["durable_nb_replayed_events", ()] > 30
    tasks = hit["temporal_workflow_task_execution_latency_count", ()]
    # The first task of a run can neither hit nor miss.
    assert tasks == hit["temporal_sticky_cache_hit", ()] + len(records)


async def test_failed_workflow_tasks_are_counted() -> None:
    samples, _ = await played(scenes.mended)
    assert samples["temporal_workflow_task_execution_failed", ()] >= 1


async def test_commits_and_their_sizes_add_up() -> None:
    samples, _ = await played(scenes.fan_out)
    assert 0 < samples["durable_nb_commits", ()] <= samples["durable_nb_commit_units", ()]
    assert samples["durable_nb_commit_batch_size_count", ()] == samples["durable_nb_commits", ()]
    assert samples["durable_nb_commit_batch_size_sum", ()] == samples["durable_nb_commit_units", ()]
    assert samples["durable_nb_commit_latency_count", ()] == samples["durable_nb_commits", ()]


async def test_slots_and_queues_are_shown_as_they_are_now(tmp_path: Path) -> None:
    handle = open_engine("memory://", own_thread=False)
    client = Client(handle)
    async with Worker(
        client, task_queue="q", workflows=scenes.WORKFLOWS, activities=activities.ALL, max_concurrent_activities=1,
        graceful_shutdown_timeout=timedelta(0),
    ):  # fmt: skip
        for number in range(3):
            await client.start_workflow("CancelsActivity", 0, id=f"w-{number}", task_queue="q")
        name = "durable_nb_activities_waiting_for_slots", (("task_queue", "q"),)
        while not (samples := by_name(await client.metrics()))[name]:  # noqa: ASYNC110 - no signal tells of it
            await asyncio.sleep(0)
        labels = (("task_queue", "q"), ("worker_type", "ActivityWorker"))
        assert samples["temporal_worker_task_slots_used", labels] == 1
        assert samples["temporal_worker_task_slots_available", labels] == 0
        assert samples["durable_nb_cached_runs", ()] == 3
        assert {queue for name, labels in samples if name == "durable_nb_queue_depth" for _, queue in labels} == {
            "ready",
            "commit",
            "inputs",
        }
    tasks = handle.engine.tasks
    handle.close()
    await asyncio.gather(*tasks, return_exceptions=True)
    activities.arrived.clear()


async def beat(handle: Any) -> None:
    """One heartbeat now."""
    await handle.upkeep._heartbeat(handle.clock.now())


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["memory", "sqlite"])
async def test_the_view_shows_every_process_as_of_its_heartbeat(tmp_path: Path, kind: str) -> None:
    from durable_nb.analytics import open_explorer

    url = "memory://" if kind == "memory" else f"sqlite:///{tmp_path}/x.db"
    handles = [open_engine(url, own_thread=False)]
    if kind == "sqlite":
        handles.append(open_engine(url, own_thread=True))
    store = handles[0].store
    explorer = open_explorer(store)
    assert len(explorer.frame("SELECT * FROM metrics")) == 0
    await beat(handles[0])
    for other in handles[1:]:
        asyncio.run_coroutine_threadsafe(beat(other), other.loop).result()
    frame = explorer.frame("SELECT * FROM metrics")
    assert set(frame.process_key) == {handle.process_key for handle in handles}
    assert set(frame.kind) == {"counter", "gauge", "histogram"}
    assert frame.value.notna().all()
    expected = by_name(await handles[0].frontend.read_metrics())
    found = frame[frame.process_key == handles[0].process_key]
    names = {
        (name, tuple(sorted(msgspec.json.decode(labels).items())))
        for name, labels in zip(found.name, found.labels, strict=True)
    }
    assert names == expected.keys()
    explorer.close()
    for handle in handles:
        tasks = handle.engine.tasks if handle.engine.is_on_loop() else []
        handle.close()
        await asyncio.gather(*tasks, return_exceptions=True)


def test_a_process_that_leaves_takes_its_measurements_along(tmp_path: Path) -> None:
    from durable_nb.store import open_store

    store = open_store(f"sqlite:///{tmp_path}/x.db")
    key = store.register_process("p", 1).process_key
    assert store.heartbeat(key, 2, "[]")
    assert store.heartbeat(key, 3)  # one without measurements keeps the last ones
    assert [row.metrics for row in store.list_processes()] == ["[]"]
    store.unregister_process(key)
    assert store.list_processes() == []
    store.close()


@given(st.lists(st.integers(0, 5000)))
def test_a_histogram_counts_every_value_in_its_bucket(values: list[int]) -> None:
    histogram = Histogram(SIZES)
    for value in values:
        histogram.record(value)
    samples = list(histogram.samples("x", "units", 1))
    buckets = {sample.labels["le"]: sample.value for sample in samples if sample.name == "x_bucket"}
    for bound in SIZES:
        assert buckets[f"{bound:g}"] == sum(value <= bound for value in values)
    assert buckets["+Inf"] == samples[-1].value == len(values)
    assert samples[-2].value == sum(values)
    assert [bisect_left(SIZES, bound) for bound in SIZES] == list(range(len(SIZES)))
