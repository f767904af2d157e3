"""The public Replayer, also on histories that were not made here."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from durable_nb import workflow
from durable_nb.client import WorkflowHistory
from durable_nb.model import attributes as a
from durable_nb.model.events import Event
from durable_nb.worker._replayer import Replayer, WorkflowReplayResult
from tests.runtime import flows, stories
from tests.runtime.driver import Driver

SMALLEST = {
    "events": [
        {
            "eventId": "1",
            "eventType": "EVENT_TYPE_WORKFLOW_EXECUTION_STARTED",
            "workflowExecutionStartedEventAttributes": {
                "workflowType": {"name": "W"},
                "taskQueue": {},
                "originalExecutionRunId": "r",
            },
        },
        {
            "eventId": "2",
            "eventType": "EVENT_TYPE_WORKFLOW_TASK_SCHEDULED",
            "workflowTaskScheduledEventAttributes": {},
        },
        {
            "eventId": "3",
            "eventTime": "2025-01-01T00:00:00Z",
            "eventType": "EVENT_TYPE_WORKFLOW_TASK_STARTED",
            "workflowTaskStartedEventAttributes": {"scheduledEventId": "2"},
        },
        {
            "eventId": "4",
            "eventType": "EVENT_TYPE_WORKFLOW_TASK_COMPLETED",
            "workflowTaskCompletedEventAttributes": {"scheduledEventId": "2", "startedEventId": "3"},
        },
        {
            "eventId": "5",
            "eventType": "EVENT_TYPE_WORKFLOW_EXECUTION_COMPLETED",
            "workflowExecutionCompletedEventAttributes": {"result": {}},
        },
    ]
}


@workflow.defn
class W:
    @workflow.run
    async def run(self) -> str:
        return workflow.now().isoformat()


def history(name: str = "random_ids") -> WorkflowHistory:
    return WorkflowHistory("workflow-1", stories.STORIES[name]().events)


def test_it_accepts_a_history_that_agrees_and_gives_the_result() -> None:
    result = asyncio.run(Replayer(workflows=[flows.RandomIds]).replay_workflow(history()))
    assert isinstance(result, WorkflowReplayResult)
    assert result.replay_failure is None
    assert result.history.run_id == "5b1f2c70-5d3a-4f0e-8a0b-0a1b2c3d4e5f"


def test_it_raises_or_gives_the_failure() -> None:
    wrong = history()
    wrong.events[0].attributes.original_execution_run_id = "other"  # type: ignore[attr-defined]
    replayer = Replayer(workflows=[flows.RandomIds])
    with pytest.raises(workflow.NondeterminismError, match="diverged at event 5"):
        asyncio.run(replayer.replay_workflow(wrong))
    result = asyncio.run(replayer.replay_workflow(wrong, raise_on_replay_failure=False))
    assert isinstance(result.replay_failure, workflow.NondeterminismError)


def test_an_unknown_type_is_a_runtime_error() -> None:
    with pytest.raises(RuntimeError, match=r"RandomIds is not registered .*available workflows: W"):
        asyncio.run(Replayer(workflows=[W]).replay_workflow(history()))


def test_many_histories_are_replayed_one_by_one_and_failures_kept_by_run_id() -> None:
    async def several() -> AsyncIterator[WorkflowHistory]:
        yield history()
        wrong = history("timers")
        wrong.events[4].attributes.timer_id = "9"  # type: ignore[attr-defined]
        yield wrong

    replayer = Replayer(workflows=[flows.RandomIds, flows.Timers])
    results = asyncio.run(replayer.replay_workflows(several(), raise_on_replay_failure=False))
    assert list(results.replay_failures) == ["run-1"]
    with pytest.raises(workflow.NondeterminismError):
        asyncio.run(replayer.replay_workflows(several()))


def test_the_smallest_history_of_the_protocol_can_be_replayed() -> None:
    found = WorkflowHistory.from_json("w", json.dumps(SMALLEST))
    assert asyncio.run(Replayer(workflows=[W]).replay_workflow(found)).replay_failure is None


def test_a_history_survives_the_way_through_json() -> None:
    for name in ("messages", "local_activities", "patched", "child_cancel_awaited"):
        before = history(name)
        after = WorkflowHistory.from_json("workflow-1", before.to_json())
        definition = getattr(flows, after.events[0].attributes.workflow_type)  # type: ignore[attr-defined]
        assert asyncio.run(Replayer(workflows=[definition]).replay_workflow(after)).replay_failure is None


def test_language_flag_1_decides_what_a_cancellation_of_a_completed_activity_does() -> None:
    from tests.runtime.test_flags import story_with_flag

    assert story_with_flag().replay().failure is None


def test_nothing_to_replay_with_is_an_error() -> None:
    with pytest.raises(ValueError, match="At least one workflow"):
        Replayer(workflows=[])
    with pytest.raises(ValueError, match="was it decorated"):
        Replayer(workflows=[int])


def test_the_configuration_can_be_read_back() -> None:
    replayer = Replayer(workflows=[W], namespace="n")
    config: Any = replayer.config()
    assert (config["workflows"], config["namespace"]) == ([W], "n")


def test_interceptors_see_the_replay() -> None:
    from durable_nb.worker import Interceptor
    from tests.runtime.test_interceptors import Inbound, seen

    class Mine(Interceptor):
        def workflow_interceptor_class(self, input: Any) -> Any:
            return Inbound

    seen.clear()
    found = WorkflowHistory.from_json("w", json.dumps(SMALLEST))
    asyncio.run(Replayer(workflows=[W], interceptors=[Mine()]).replay_workflow(found))
    assert "execute W []" in seen


@workflow.defn(name="Stuck")
class StillBroken:
    @workflow.run
    async def run(self) -> str:
        await workflow.sleep(1)
        raise KeyError("price")


@workflow.defn(name="Stuck")
class Mended:
    @workflow.run
    async def run(self) -> str:
        await workflow.sleep(1)
        return "paid"


@pytest.mark.parametrize("timed_out", [False, True])
async def test_a_task_that_failed_last_is_begun_anew_to_see_whether_the_code_gets_through_it_now(
    timed_out: bool,
) -> None:
    d = Driver(StillBroken)
    d.task()
    d.fire()
    d.task()
    failed = d.events[-1].attributes
    assert isinstance(failed, a.WorkflowTaskFailed)
    if timed_out:
        ids = {"scheduled_event_id": failed.scheduled_event_id, "started_event_id": failed.started_event_id}
        d.events[-1] = Event(d.events[-1].event_id, d.now, a.WorkflowTaskTimedOut(**ids))
    stuck = WorkflowHistory("w", d.events)
    broken = await Replayer(workflows=[StillBroken]).replay_workflow(stuck, raise_on_replay_failure=False)
    assert isinstance(broken.replay_failure, KeyError)
    mended = await Replayer(workflows=[Mended]).replay_workflow(stuck)
    assert mended.replay_failure is None
