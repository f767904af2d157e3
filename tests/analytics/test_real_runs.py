"""The views over runs that an engine made: lineage, and every row against the history that it was made of."""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from durable_nb import activity, workflow
from durable_nb.analytics import Explorer, open_explorer
from durable_nb.client import Client, WorkflowFailureError
from durable_nb.common import RetryPolicy
from durable_nb.engine import open_engine
from durable_nb.exceptions import ApplicationError
from durable_nb.model.enums import EventType
from durable_nb.model.events import TERMINAL_EVENT_TYPES, decode_attributes
from durable_nb.worker import Worker
from tests.simulated import SMALL, simulated

QUEUE = "real"
SHORT = timedelta(seconds=20)


@activity.defn
async def flaky(good_at: int) -> str:
    if activity.info().attempt < good_at:
        raise ApplicationError("not yet", type="NotYet")
    return "done"


@activity.defn
async def local() -> str:
    return "near"


@workflow.defn
class Child:
    @workflow.run
    async def run(self, fail: bool) -> str:
        if fail:
            raise ApplicationError("child gave up", type="GaveUp")
        return "grown"


@workflow.defn
class Parent:
    def __init__(self) -> None:
        self.told: list[str] = []

    @workflow.run
    async def run(self, generation: int) -> str:
        if generation == 0:
            workflow.continue_as_new(1)
        policy = RetryPolicy(initial_interval=timedelta(milliseconds=1))
        done = await workflow.execute_activity(
            flaky, 3, start_to_close_timeout=SHORT, retry_policy=policy, summary="try"
        )
        near = await workflow.execute_local_activity(local, start_to_close_timeout=SHORT)
        grown = await workflow.execute_child_workflow(Child.run, False, id="child-good")
        try:
            await workflow.execute_child_workflow(Child.run, True, id="child-bad")
        except Exception as error:
            grown += f" {type(error).__name__}"
        await workflow.sleep(0.001)
        await workflow.wait_condition(lambda: bool(self.told))
        return " ".join([done, near, grown, *self.told])

    @workflow.signal
    def tell(self, what: str) -> None:
        self.told.append(what)

    @workflow.update
    def double(self, number: int) -> int:
        if number < 0:
            raise ApplicationError("negative", type="Negative")
        return number * 2


@workflow.defn
class Grower:
    @workflow.run
    async def run(self) -> str:
        done = await workflow.execute_activity(flaky, 1, start_to_close_timeout=SHORT)
        await workflow.sleep(0.001)
        return done


@pytest.fixture
async def client(tmp_path: Path) -> AsyncIterator[Client]:
    engine = open_engine(f"sqlite:///{tmp_path}/real.db", own_thread=False)
    client = Client(engine)
    async with Worker(client, task_queue=QUEUE, workflows=[Parent, Child, Grower], activities=[flaky, local]):
        yield client
    engine.close()


@pytest.fixture
async def family(client: Client) -> Client:
    """A workflow with a predecessor, two children, retries, a local activity, a timer, messages; and a reset of it."""
    handle = await client.start_workflow(Parent.run, 0, id="parent", task_queue=QUEUE, memo={"who": "me"})
    current = client.get_workflow_handle("parent")
    assert await current.execute_update(Parent.double, 21) == 42
    with pytest.raises(Exception, match="Workflow update failed"):
        await current.execute_update(Parent.double, -1)
    await current.signal(Parent.tell, "hello")
    assert await handle.result() == "done near grown ChildWorkflowError hello"
    return client


@pytest.mark.slow
async def test_the_runs_of_a_family_are_linked(family: Client) -> None:
    runs = family.runs().set_index("run_id")
    parents = runs[runs.workflow_type == "Parent"].sort_values("run_key")
    first, second = parents.index
    assert parents.status.tolist() == ["ContinuedAsNew", "Completed"]
    assert (parents.continued_to_run_id[first], parents.continued_from_run_id[second]) == (second, first)
    assert parents.initiator[second] == "Workflow"
    assert set(parents.first_execution_run_id) == {first}
    children = runs[runs.workflow_type == "Child"]
    assert set(children.parent_run_id) == {second}
    assert set(children.root_run_id) == {second}
    assert sorted(children.status) == ["Completed", "Failed"]
    assert parents.memo[first] == '{"who":"me"}'
    assert parents.result[second] == '"done near grown ChildWorkflowError hello"'
    seen = family.sql("SELECT * FROM children ORDER BY initiated_event_id")
    assert seen.status.tolist() == ["Completed", "Failed"]
    assert set(seen.child_run_id) == set(children.index)
    assert set(seen.child_run_key) == set(children.run_key)
    assert seen.root_failure_type.tolist()[1] == "GaveUp"


@pytest.mark.slow
async def test_attempts_activities_and_messages_of_a_run_are_told(family: Client) -> None:
    attempts = family.sql("SELECT * FROM attempts ORDER BY attempt")
    assert attempts.status.tolist() == ["Failed", "Failed", "Completed"]
    assert attempts.failure_type.tolist()[:2] == ["NotYet", "NotYet"]
    assert attempts.backoff_us.tolist()[:2] == [1000, 2000]
    assert (attempts.run_us >= 0).all()
    assert (attempts.queue_us >= 0).all()
    [far] = family.sql("SELECT * FROM activities WHERE NOT is_local").to_dict("records")
    assert (far["status"], far["attempts"], far["result"]) == ("Completed", 3, '"done"')
    assert far["summary"] == '"try"'
    assert far["backoff_us"] == 3000
    assert far["queue_us"] + far["run_us"] + far["backoff_us"] <= far["duration_us"] + 1000
    [near] = family.sql("SELECT * FROM activities WHERE is_local").to_dict("records")
    assert (near["activity_type"], near["status"], near["result"]) == ("local", "Completed", '"near"')
    updates = family.sql("SELECT update_name, status, input, result, failure_type FROM updates ORDER BY accepted_at")
    assert updates.status.tolist() == ["Completed", "Failed"]
    assert (updates.result[0], updates.failure_type[1]) == ("42", "Negative")
    [signal] = family.sql("SELECT signal_name, direction, status, input FROM signals").to_numpy().tolist()
    assert signal == ["tell", "received", "Received", '["hello"]']
    [timer] = family.sql("SELECT status, timeout_us FROM timers").to_numpy().tolist()
    assert timer == ["Fired", 1000]
    assert set(family.sql("SELECT status FROM workflow_tasks").status) == {"Completed"}


@pytest.mark.slow
async def test_a_reset_run_tells_where_it_comes_from(client: Client) -> None:
    handle = await client.start_workflow(Child.run, True, id="again", task_queue=QUEUE)
    with pytest.raises(WorkflowFailureError):
        await handle.result()
    done = client.sql("SELECT closed_event_id FROM workflow_tasks").closed_event_id[0]
    made = await handle.reset(int(done), reason="once more")
    with pytest.raises(WorkflowFailureError):
        await client.get_workflow_handle("again").result()
    runs = client.runs().set_index("run_id")
    assert runs.reset_from_run_id[made.run_id] == handle.result_run_id
    assert pd.isna(runs.reset_from_run_id[handle.result_run_id])
    cause = client.sql("SELECT cause, base_run_id FROM workflow_tasks WHERE cause IS NOT NULL").to_numpy().tolist()
    assert cause == [["ResetWorkflow", handle.result_run_id]]


async def grown_twice(client: Client) -> tuple[Any, Any]:
    """A run that closed, and a fork of it from behind its activity; the times of the first are long ago."""
    handle = await client.start_workflow(Grower.run, id="first", task_queue=QUEUE)
    assert await handle.result() == "done"
    done = client.sql("SELECT closed_event_id FROM activities").closed_event_id[0]
    copy = await handle.fork(int(done))
    assert await copy.result() == "done"
    return handle, copy


@pytest.mark.slow
async def test_what_happened_in_the_run_before_a_fork_is_told_apart_and_counted_once(client: Client) -> None:
    _, copy = await grown_twice(client)
    for view in ("activities", "timers", "signals", "updates", "children", "workflow_tasks", "events"):
        assert {"is_inherited"} <= set(client.sql(f"DESCRIBE {view}").column_name)
    seen = client.sql(
        "SELECT is_inherited, count(*) AS n, min(r.start_time) - min(e.event_time) AS before "
        "FROM events e JOIN runs r USING (run_key) WHERE r.run_id = $id GROUP BY ALL ORDER BY ALL",
        {"id": copy.result_run_id},
    )
    assert seen.is_inherited.tolist() == [False, True]
    assert seen.before[0] == pd.Timedelta(0) < seen.before[1]
    activities = client.sql("SELECT workflow_id, is_inherited, queue_us FROM activities ORDER BY workflow_id")
    assert activities.is_inherited.tolist() == [False, True]
    assert activities.queue_us.isna().tolist() == [False, True]
    timers = client.sql("SELECT workflow_id, is_inherited FROM timers ORDER BY workflow_id")
    assert timers.is_inherited.tolist() == [False, False]
    for frame in (client.stats.latency().frame, client.stats.latency_distribution().frame):
        assert set(frame[frame.part.isin(["queue", "total"])].groupby("part").n.sum()) == {1}
    assert client.stats.slowest_activities().frame.n.tolist() == [1]
    assert client.stats.retry_distribution().frame.activities.tolist() == [1]
    assert client.stats.throughput(of="activities", every="1d").frame.started.sum() == 1
    tasks = client.stats.latency(of="workflow_tasks").frame.set_index("part")
    assert tasks.n["run"] == client.sql("SELECT count(*) AS n FROM workflow_tasks WHERE NOT is_inherited").n[0]


@pytest.mark.slow
async def test_an_activity_that_runs_anew_in_a_fork_took_no_longer_than_the_fork(client: Client) -> None:
    handle = await client.start_workflow(Grower.run, id="first", task_queue=QUEUE)
    await handle.result()
    copy = await handle.fork(int(client.sql("SELECT scheduled_event_id AS n FROM activities").n[0]))
    await copy.result()
    ran = client.sql(
        "SELECT a.is_inherited, a.duration_us, epoch_us(a.closed_at) - epoch_us(r.start_time) AS since_the_fork, "
        "epoch_us(r.start_time) - epoch_us(a.scheduled_at) AS before "
        "FROM activities a JOIN runs r USING (run_key) WHERE r.run_id = $id",
        {"id": copy.result_run_id},
    ).iloc[0]
    assert ran.before > 0
    assert not ran.is_inherited
    assert ran.duration_us == ran.since_the_fork


@pytest.mark.slow
async def test_the_critical_path_of_a_fork_begins_with_it(client: Client) -> None:
    handle, copy = await grown_twice(client)
    runs = client.runs().set_index("run_id")
    for made in (handle, copy):
        path = client.stats.critical_path(made).frame
        run = runs.loc[made.result_run_id]
        assert path.began_at.iloc[0] == run.start_time
        assert path.ended_at.iloc[-1] == run.close_time
        assert (path.duration_s >= 0).all()
    assert path["kind"].tolist() == ["Reset", "Workflow task", "Timer", "Workflow task"]


@pytest.mark.slow
async def test_the_critical_path_of_a_run_that_never_began_is_the_wait_for_a_worker(client: Client) -> None:
    handle = await client.start_workflow(Child.run, False, id="unserved", task_queue="nobody")
    await handle.terminate("nobody came")
    [step] = client.stats.critical_path(handle).frame.to_dict("records")
    [run] = client.runs().to_dict("records")
    assert (step["kind"], step["began_at"], step["ended_at"]) == (
        "Until terminated",
        run["start_time"],
        run["close_time"],
    )
    assert client.stats.critical_path_of_type("Child").frame["kind"].tolist() == ["Until terminated"]


@pytest.mark.slow
async def test_a_run_that_is_ended_before_it_may_begin_took_no_time(client: Client) -> None:
    handle = await client.start_workflow(Child.run, False, id="later", task_queue=QUEUE, start_delay=timedelta(hours=1))
    await handle.terminate("not needed")
    [run] = client.runs().to_dict("records")
    assert (run["status"], run["duration_us"]) == ("Terminated", 0)
    assert run["close_time"] < run["execution_time"]


# -- every row against the history ---------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A simulated store: its explorer, and its events read by other means."""
    url = simulated(tmp_path_factory.mktemp("many"), SMALL)
    explorer = open_explorer(url)
    with sqlite3.connect(url.removeprefix("sqlite:///")) as connection:
        rows = connection.execute(
            "SELECT run_key, event_id, event_type, event_time, attributes FROM events ORDER BY seq"
        ).fetchall()
    connection.close()
    yield explorer, rows
    explorer.close()


def counts(rows: list[Any], *types: EventType) -> Counter[str]:
    return Counter(EventType(kind).title for _, _, kind, _, _ in rows if kind in types)


@pytest.mark.slow
def test_the_views_have_as_many_rows_as_there_are_facts(many: tuple[Explorer, list[Any]]) -> None:
    explorer, rows = many
    n = Counter(EventType(kind) for _, _, kind, _, _ in rows)
    expected = {
        "events": len(rows),
        "runs": n[EventType.WORKFLOW_EXECUTION_STARTED],
        "timers": n[EventType.TIMER_STARTED],
        "updates": n[EventType.WORKFLOW_EXECUTION_UPDATE_ACCEPTED],
        "children": n[EventType.START_CHILD_WORKFLOW_EXECUTION_INITIATED],
        "signals": n[EventType.WORKFLOW_EXECUTION_SIGNALED] + n[EventType.SIGNAL_EXTERNAL_WORKFLOW_EXECUTION_INITIATED],
    }
    assert all(expected.values()), expected
    for view, count in expected.items():
        assert explorer.frame(f"SELECT count(*) AS n FROM {view}").n[0] == count, view
    scheduled = n[EventType.ACTIVITY_TASK_SCHEDULED]
    assert explorer.frame("SELECT count(*) AS n FROM activities WHERE NOT is_local").n[0] == scheduled
    tasks = explorer.frame("SELECT count(*) AS n FROM workflow_tasks WHERE scheduled_event_id IS NOT NULL").n[0]
    assert tasks == n[EventType.WORKFLOW_TASK_SCHEDULED]


@pytest.mark.slow
def test_the_end_of_every_run_and_activity_is_that_of_its_history(many: tuple[Explorer, list[Any]]) -> None:
    explorer, rows = many
    ends = {key: EventType(kind).title for key, _, kind, _, _ in rows if kind in TERMINAL_EVENT_TYPES}
    status = explorer.frame("SELECT run_key, status FROM runs").set_index("run_key").status
    for key, found in status.items():
        assert found == ends.get(key, "WorkflowExecutionRunning").removeprefix("WorkflowExecution")
    closings = {
        EventType.ACTIVITY_TASK_COMPLETED,
        EventType.ACTIVITY_TASK_FAILED,
        EventType.ACTIVITY_TASK_TIMED_OUT,
        EventType.ACTIVITY_TASK_CANCELED,
    }
    closed = {
        (key, decode_attributes(kind, text).scheduled_event_id): (EventType(kind).title, at)  # type: ignore[attr-defined]
        for key, _, kind, at, text in rows
        if kind in closings
    }
    frame = explorer.frame(
        "SELECT run_key, scheduled_event_id, status, epoch_us(closed_at) AS closed_at FROM activities "
        "WHERE NOT is_local"
    )
    seen = 0
    for row in frame.itertuples():
        end = closed.get((row.run_key, row.scheduled_event_id))
        if end is None:
            assert row.status in {"Scheduled", "Started", "BackingOff", "Abandoned"}
        else:
            seen += 1
            assert (row.status, row.closed_at) == (end[0].removeprefix("ActivityTask"), end[1])
    assert seen == len(closed) > 100


@pytest.mark.slow
def test_the_times_of_an_activity_are_the_sums_of_its_attempts(many: tuple[Explorer, list[Any]]) -> None:
    explorer, _ = many
    attempts = explorer.frame("SELECT * FROM attempts")
    sums = attempts.groupby(["run_key", "scheduled_event_id"])[["queue_us", "run_us", "backoff_us"]].sum()
    activities = explorer.frame("SELECT * FROM activities WHERE NOT is_local AND attempts > 0")
    told = activities.set_index(["run_key", "scheduled_event_id"])[["queue_us", "run_us", "backoff_us"]].fillna(0)
    pd.testing.assert_frame_equal(told.sort_index(), sums.loc[told.index].sort_index(), check_dtype=False)
    ended = activities[activities.status.isin(["Completed", "Failed"])]
    parts = ended[["queue_us", "run_us", "backoff_us"]].fillna(0).sum(axis=1)
    assert (parts <= ended.duration_us).all()
