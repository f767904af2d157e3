"""What people are shown of a run."""

from __future__ import annotations

import pytest

from durable_nb.core import activities, others, requests
from durable_nb.core.describe import describe, describe_attempt, describe_row
from durable_nb.core.rows import run_row
from durable_nb.core.transition import LEASED
from durable_nb.model.attributes import (
    ActivityTaskCancelRequested,
    RetryPolicyAttributes,
    StartChildWorkflowExecutionInitiated,
    TimerStarted,
    UserMetadata,
    WorkflowExecutionCompleted,
    WorkflowPropertiesModified,
)
from durable_nb.model.commands import WorkflowTaskFailure
from durable_nb.model.enums import WorkflowExecutionStatus, WorkflowTaskFailedCause
from durable_nb.model.failure import Failure, WorkflowExecution
from durable_nb.model.requests import (
    PendingActivity,
    PendingChild,
    PendingTimer,
    PendingWorkflowTask,
    RunDescription,
    SignalInput,
)
from tests.core.world import NOON, SECOND, World, activity, text

DOWN = Failure(message="down")


def described(world: World) -> RunDescription:
    return describe(world.state, world.rows.run)


def test_a_new_run_is_described_from_its_row_and_its_state_alike():
    world = World().start(memo={"m": text("1")[0]}, search_attributes={"s": text("2")[0]}, start_delay=5 * SECOND)
    expected = RunDescription(
        namespace="default",
        workflow_id="wf",
        run_id="run-1",
        workflow_type="W",
        task_queue="q",
        status=WorkflowExecutionStatus.RUNNING,
        start_time=NOON,
        execution_time=NOON + 5 * SECOND,
        close_time=0,
        history_length=1,
        history_size=world.state.history_size,
        first_execution_run_id="run-1",
        memo={"m": text("1")[0]},
        search_attributes={"s": text("2")[0]},
    )
    assert described(world) == expected
    assert describe_row(world.rows.run) == expected


def test_summary_and_schedule_come_from_the_state():
    metadata = UserMetadata(summary=text("hello")[0])
    found = described(World().start(user_metadata=metadata, cron_schedule="@daily"))
    assert (found.user_metadata, found.cron_schedule) == (metadata, "@daily")


def test_the_state_wins_over_an_older_row():
    world = World().start()
    old = run_row(world.state)
    world.task(WorkflowPropertiesModified(upserted_memo={"m": text("1")[0]}), WorkflowExecutionCompleted())
    found = describe(world.state, old)
    assert found == describe_row(world.rows.run)
    assert (found.status, found.history_length) == (WorkflowExecutionStatus.COMPLETED, 6)
    assert found.memo == {"m": text("1")[0]}


def test_a_running_activity():
    world = World().start()
    world.task(activity("a", retry_policy=RetryPolicyAttributes(maximum_attempts=3), heartbeat_timeout=9 * SECOND))
    world.now += SECOND
    world.do(lambda tx: activities.heartbeat(tx, 5, 1, text("half")))
    world.do(lambda tx: requests.signal(tx, SignalInput("go"), "me"))
    world.task(ActivityTaskCancelRequested(5))
    assert described(world).pending_activities == [
        PendingActivity(
            activity_id="a",
            activity_type="act",
            state="started",
            attempt=1,
            maximum_attempts=3,
            scheduled_at=NOON,
            last_started_at=NOON,
            last_heartbeat_at=NOON + SECOND,
            heartbeat_details=text("half"),
            cancel_requested=True,
            worker_identity="me@here",
        )
    ]


def test_an_activity_that_backs_off_shows_its_last_failure_and_its_next_attempt():
    world = World().start()
    world.task(activity("a"))
    found = world.attempt("a")
    world.do(lambda tx: activities.fail(tx, found, DOWN, "me@here"))
    pending = described(world).pending_activities[0]
    assert (pending.state, pending.attempt, pending.last_failure) == ("scheduled", 2, DOWN)
    assert pending.next_attempt_at == NOON + SECOND


def test_an_activity_that_waits_for_a_worker_has_no_next_attempt():
    world = World(lease=LEASED).start()
    world.task(activity("a"))
    pending = described(world).pending_activities[0]
    assert (pending.state, pending.next_attempt_at, pending.last_started_at) == ("scheduled", 0, 0)


def test_timers_are_listed_in_the_order_in_which_they_will_fire():
    world = World().start()
    world.task(TimerStarted("late", 9 * SECOND), TimerStarted("soon", 3 * SECOND))
    assert described(world).pending_timers == [
        PendingTimer("soon", 6, NOON + 3 * SECOND),
        PendingTimer("late", 5, NOON + 9 * SECOND),
    ]


def test_a_child_has_a_run_id_once_it_has_started():
    world = World().start()
    world.task(StartChildWorkflowExecutionInitiated(workflow_id="c", workflow_type="C"))
    assert described(world).pending_children == [PendingChild("c", "", "C", 5)]
    world.do(lambda tx: others.child_started(tx, 5, WorkflowExecution("c", "r")))
    assert described(world).pending_children == [PendingChild("c", "r", "C", 5)]


def test_a_workflow_task_that_failed_says_why_and_when_it_is_tried_again():
    world = World().start()
    assert described(world).pending_workflow_task == PendingWorkflowTask(1, NOON)
    world.fail_task(WorkflowTaskFailure(WorkflowTaskFailedCause.NON_DETERMINISTIC_ERROR, DOWN))
    assert described(world).pending_workflow_task == PendingWorkflowTask(2, NOON, NOON + SECOND, DOWN)
    world.pass_time(1)
    assert described(world).pending_workflow_task == PendingWorkflowTask(2, NOON + SECOND, 0, DOWN)
    world.task()
    assert described(world).pending_workflow_task is None


@pytest.mark.parametrize("reload", [False, True])
def test_what_ended_during_a_workflow_task_is_pending_no_more(reload):
    world = World().start()
    world.task(
        activity("a"),
        TimerStarted("t", SECOND),
        StartChildWorkflowExecutionInitiated(workflow_id="c", workflow_type="C"),
    )
    world.do(lambda tx: requests.signal(tx, SignalInput("go"), "me"))
    world.hold()
    world.complete_activity("a")
    world.pass_time(1)
    world.do(lambda tx: others.child_closed(tx, 7, WorkflowExecution("c", "r"), WorkflowExecutionCompleted()))
    if reload:
        world.reload()
    found = described(world)
    assert (found.pending_activities, found.pending_timers, found.pending_children) == ([], [], [])


def test_a_closed_run_has_nothing_pending():
    world = World().start()
    world.task(
        activity("a"),
        TimerStarted("t", SECOND),
        StartChildWorkflowExecutionInitiated(workflow_id="c", workflow_type="C"),
    )
    world.do(lambda tx: requests.signal(tx, SignalInput("go"), "me"))
    world.task(WorkflowExecutionCompleted())
    assert described(world) == describe_row(world.rows.run)


def test_an_attempt_with_its_failure_and_its_last_heartbeat():
    world = World().start()
    world.task(activity("a"))
    world.do(lambda tx: activities.heartbeat(tx, 5, 1, text("half")))
    found = world.attempt("a")
    world.now += SECOND
    world.do(lambda tx: activities.fail(tx, found, DOWN, "me@here"))
    shown = describe_attempt(world.rows.attempts[0])
    assert (shown.activity_id, shown.attempt, shown.outcome, shown.failure) == ("a", 1, "failed", DOWN)
    assert (shown.scheduled_at, shown.started_at, shown.ended_at) == (NOON, NOON, NOON + SECOND)
    assert (shown.next_attempt_at, shown.heartbeat_details) == (NOON + 2 * SECOND, text("half"))
    world.pass_time(1)
    world.complete_activity("a")
    shown = describe_attempt(world.rows.attempts[1])
    assert (shown.outcome, shown.failure, shown.heartbeat_details) == ("completed", None, text("half"))
