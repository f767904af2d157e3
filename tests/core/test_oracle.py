"""Temporal's own Replayer accepts what the core writes around failures, buffering, retries and resets."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from durable_nb.core import activities, closing, requests
from durable_nb.model.attributes import SdkMetadata, TimerCanceled, TimerStarted, WorkflowExecutionCompleted
from durable_nb.model.commands import WorkflowTaskFailure
from durable_nb.model.enums import WorkflowTaskFailedCause
from durable_nb.model.failure import ApplicationFailureInfo, Failure
from durable_nb.model.payload import Payload
from durable_nb.model.requests import ResetWorkflow, SignalInput, Target
from tests.core.world import SECOND, World, activity, reset
from tests.runtime.oracle import Oracle

pytestmark = pytest.mark.slow

FLAGS = SdkMetadata([1, 2, 3], [], "temporal-python", "1.35.0")
BUG = WorkflowTaskFailure(WorkflowTaskFailedCause.WORKFLOW_WORKER_UNHANDLED_FAILURE, Failure(message="bug"))
DOWN = Failure(message="down", application_failure_info=ApplicationFailureInfo(type="OSError"))
RESULT = [Payload({"encoding": b"json/plain"}, b'["go"]')]


@pytest.fixture(scope="module")
def oracle() -> Iterator[Oracle]:
    """Temporal's offline Replayer in a process of its own."""
    judge = Oracle()
    yield judge
    judge.close()


def verdict(oracle: Oracle, world: World) -> str | None:
    return oracle.failure("../core/oracle_flows", "Busy", world.events)


def go(world: World) -> None:
    world.do(lambda tx: requests.signal(tx, SignalInput("go"), "me"))


def busy() -> World:
    """The first task fails once; the first activity needs two attempts; then the second task is open."""
    world = World().start()
    world.fail_task(BUG)
    world.pass_time(1)
    world.task(activity("1"), activity("2"), TimerStarted("1", 100 * SECOND), sdk_metadata=FLAGS)
    found = world.attempt("1")
    world.do(lambda tx: activities.fail(tx, found, DOWN, "me@here"))
    world.pass_time(1)
    world.complete_activity("1")
    return world


def finished() -> World:
    """The signal and the second activity's end arrive while the second task is held; the third task times out once."""
    world = busy()
    open_task = world.hold()
    go(world)
    world.complete_activity("2")
    world.end(open_task, TimerCanceled("1"))
    world.hold()
    world.pass_time(10)
    world.task(WorkflowExecutionCompleted(RESULT))
    return world


def test_a_run_with_failed_held_and_timed_out_tasks_is_accepted(oracle):
    world = finished()
    assert {"WorkflowTaskFailed", "WorkflowTaskTimedOut"} < set(world.titles())
    assert verdict(oracle, world) is None


def test_a_completion_that_was_refused_over_a_signal_is_accepted(oracle):
    world = busy()
    world.task(TimerCanceled("1"))
    go(world)
    world.complete_activity("2")
    open_task = world.hold()
    go(world)
    assert world.end(open_task, WorkflowExecutionCompleted(RESULT)) is not None
    world.task(WorkflowExecutionCompleted(RESULT))
    assert verdict(oracle, world) is None


def test_a_terminated_run_is_accepted(oracle):
    world = busy()
    world.hold()
    go(world)
    world.do(lambda tx: closing.terminate(tx, "enough", None, "me"))
    assert verdict(oracle, world) is None


def test_a_reset_run_is_accepted_and_goes_on(oracle):
    world = finished()
    second = next(e.event_id for e in world.events if isinstance(e.attributes, TimerCanceled)) - 1
    request = ResetWorkflow(Target("default", "wf"), second, reason="again")
    world.commit(reset(world, request, 50, "new-run"))
    assert verdict(oracle, world) is None
    world.task(TimerCanceled("1"))
    world.complete_activity("2")
    world.task(WorkflowExecutionCompleted(RESULT))
    assert not world.state.is_open
    assert verdict(oracle, world) is None


def test_the_judge_rejects_what_the_code_did_not_ask_for(oracle):
    world = busy()
    world.task(TimerStarted("2", SECOND))
    assert verdict(oracle, world) is not None
