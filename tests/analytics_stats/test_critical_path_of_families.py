"""The critical path of real runs whose children have children and go on in other runs."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from durable_nb import activity, workflow
from durable_nb.analytics import open_explorer
from durable_nb.analytics import statistics as stats
from durable_nb.client import Client
from durable_nb.common import RetryPolicy
from durable_nb.exceptions import ApplicationError, ChildWorkflowError
from durable_nb.testing import WorkflowEnvironment
from durable_nb.worker import Worker

pytestmark = pytest.mark.slow

QUEUE = "q"


@activity.defn
async def work() -> str:
    return "done"


@workflow.defn
class Grandchild:
    @workflow.run
    async def run(self) -> str:
        return await workflow.execute_activity(work, start_to_close_timeout=timedelta(minutes=1))


@workflow.defn
class Child:
    """Sleeps an hour, goes on in another run, and has a child of its own there."""

    @workflow.run
    async def run(self, rounds: int) -> str:
        if rounds:
            await workflow.sleep(3600)
            workflow.continue_as_new(rounds - 1)
        return await workflow.execute_child_workflow(Grandchild.run)


@workflow.defn
class Failing:
    @workflow.run
    async def run(self) -> None:
        await workflow.sleep(60)
        raise ApplicationError("no")


@workflow.defn
class Parent:
    @workflow.run
    async def run(self, kind: str) -> str:
        if kind == "chain":
            return str(await workflow.execute_child_workflow(Child.run, 1, id="child"))
        policy = RetryPolicy(maximum_attempts=2, initial_interval=timedelta(minutes=10))
        try:
            if kind == "retried":
                await workflow.execute_child_workflow(Failing.run, id="failing", retry_policy=policy)
            else:
                await workflow.execute_child_workflow(
                    "Nobody", id="nobody", task_queue="nowhere", run_timeout=timedelta(minutes=5)
                )
        except ChildWorkflowError:
            await workflow.sleep(30)
        return "over"


async def path_of(kind: str) -> tuple[Any, Any]:
    """The path of a parent, and its row."""
    async with await WorkflowEnvironment.start_time_skipping() as environment:
        client: Client = environment.client
        workflows = [Parent, Child, Grandchild, Failing]
        async with Worker(client, task_queue=QUEUE, workflows=workflows, activities=[work]):
            await client.execute_workflow(Parent.run, kind, id="parent", task_queue=QUEUE)
        explorer = open_explorer(client.engine.store)
        found = stats.critical_path(explorer, "parent").frame
        run = explorer.frame("SELECT * FROM runs WHERE workflow_id = 'parent'").iloc[0]
        explorer.close()
    return found, run


def steps(frame: Any) -> list[tuple[int, str, str]]:
    """Without tasks, starts and steps that took no time."""
    chosen = frame[(frame["duration_s"] >= 1) | frame["kind"].isin(["Activity", "Child"])]
    return list(zip(chosen["level"], chosen["kind"], chosen["name"], strict=True))


async def test_it_goes_down_to_grandchildren_and_back_along_a_chain() -> None:
    frame, run = await path_of("chain")
    assert steps(frame) == [(1, "Timer", "timer"), (2, "Activity", "work")]
    kinds = list(zip(frame["level"], frame["workflow_type"], frame["kind"], strict=True))
    assert [kind for kind in kinds if kind[2].startswith("Child")] == [
        (0, "Parent", "Child start"),
        (1, "Child", "Child start"),
        (1, "Child", "Child end"),
        (0, "Parent", "Child end"),
    ]
    assert [kind for kind in kinds if kind[2] == "Start"] == [
        (0, "Parent", "Start"),
        (1, "Child", "Start"),
        (1, "Child", "Start"),
        (2, "Grandchild", "Start"),
    ]
    require_whole(frame, run)


async def test_a_child_that_was_retried_is_gone_through_with_its_back_off() -> None:
    frame, run = await path_of("retried")
    assert steps(frame) == [(1, "Timer", "timer"), (1, "Start", ""), (1, "Timer", "timer"), (0, "Timer", "timer")]
    assert frame.loc[frame["kind"] == "Start", "duration_s"].max() == pytest.approx(600, abs=1)
    require_whole(frame, run)


async def test_a_child_that_nobody_ran_stays_one_step() -> None:
    frame, run = await path_of("nobody")
    assert steps(frame) == [(0, "Child", "Nobody"), (0, "Timer", "timer")]
    require_whole(frame, run)


def require_whole(frame: Any, run: Any) -> None:
    assert frame["duration_s"].sum() == pytest.approx(run["duration_us"] / 1e6)
    assert (frame["began_at"].iloc[1:].reset_index(drop=True) == frame["ended_at"].iloc[:-1]).all()
    assert (frame["duration_s"] >= 0).all()
