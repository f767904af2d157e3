"""How a run closes: what that settles, terminate and timeouts, children and parents."""

from __future__ import annotations

import pytest

from durable_nb.core import others, workflow_tasks
from durable_nb.core.closing import CLOSE_CHILD, NOTIFY_PARENT
from durable_nb.core.start import start_child
from durable_nb.core.transition import LEASED
from durable_nb.model.attributes import (
    RetryPolicyAttributes,
    StartChildWorkflowExecutionInitiated,
    TimerStarted,
    UpsertWorkflowSearchAttributes,
    WorkflowExecutionCanceled,
    WorkflowExecutionCompleted,
    WorkflowExecutionContinuedAsNew,
    WorkflowExecutionFailed,
    WorkflowExecutionStarted,
    WorkflowExecutionTerminated,
    WorkflowExecutionTimedOut,
    WorkflowPropertiesModified,
    WorkflowTaskFailed,
)
from durable_nb.model.enums import ParentClosePolicy, RetryState, WorkflowExecutionStatus, WorkflowTaskFailedCause
from durable_nb.model.failure import Failure, WorkflowExecution
from durable_nb.model.payload import Payload
from tests.core.endings import NO, signal, terminate
from tests.core.world import NOON, SECOND, World, activity, text

# -- what a closing settles --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("command", "status"),
    [
        (WorkflowExecutionCompleted(text("r")), WorkflowExecutionStatus.COMPLETED),
        (WorkflowExecutionFailed(NO), WorkflowExecutionStatus.FAILED),
        (WorkflowExecutionCanceled(), WorkflowExecutionStatus.CANCELED),
    ],
)
def test_a_terminal_command_closes_the_run_and_leaves_no_row_behind(command, status):
    world = World().start(run_timeout=3600 * SECOND)
    world.task(activity(), TimerStarted("t", 5 * SECOND))
    signal(world)
    world.task(command)
    row = world.rows.run
    assert (row.status, row.close_time, row.wake_at) == (status, NOON, 0)
    assert (world.rows.activities, world.rows.workflow_task, world.rows.transfers) == ({}, None, {})
    assert world.state.next_deadline() == 0


def test_an_attempt_that_runs_when_its_run_closes_is_kept_as_canceled():
    world = World().start()
    world.task(activity("ran"))
    world.lease = LEASED
    signal(world)
    world.task(activity("waited"), WorkflowExecutionCompleted())
    assert [(row.activity_id, row.outcome) for row in world.rows.attempts] == [("ran", "canceled")]


def test_a_slot_that_was_taken_for_an_attempt_of_a_closing_run_is_given_back():
    world = World().start()
    tx = world.task(activity(), WorkflowExecutionCompleted())
    assert (tx.started_activities, tx.queued_activities) == ([], [])
    assert [a.attributes.activity_id for a in tx.unused_leases] == ["1"]
    assert world.outcomes() == []


def test_a_closed_run_does_nothing_any_more():
    world = World().start(run_timeout=10 * SECOND)
    world.task(activity(), TimerStarted("t", SECOND))
    terminate(world)
    version = world.state.version
    world.reload().pass_time(3600)
    assert world.state.version == version


# -- terminate and timeouts --------------------------------------------------------------------------------------------


def test_terminate_closes_at_once_even_over_an_open_task():
    world = World().start()
    open_task = world.hold()
    terminate(world)
    assert world.titles(3) == ["WorkflowTaskStarted", "WorkflowExecutionTerminated"]
    assert world.last(WorkflowExecutionTerminated) == WorkflowExecutionTerminated("stop it", text("why"), "me")
    assert not workflow_tasks.is_current(world.state, open_task)


@pytest.mark.parametrize("end", [terminate, lambda world: world.pass_time(8)], ids=["terminate", "time out"])
def test_what_was_buffered_is_written_before_a_run_is_closed_over_a_held_task(end):
    world = World().start(run_timeout=8 * SECOND)
    world.task(activity())
    signal(world)
    world.hold()
    world.complete_activity()
    signal(world)
    end(world)
    assert world.titles(8)[:-1] == [
        "WorkflowTaskStarted",
        "WorkflowTaskFailed",
        "ActivityTaskStarted",
        "ActivityTaskCompleted",
        "WorkflowExecutionSignaled",
    ]
    assert world.last(WorkflowTaskFailed).cause is WorkflowTaskFailedCause.FORCE_CLOSE_COMMAND
    assert not world.state.is_open


def test_what_was_buffered_during_a_held_retry_is_written_too():
    world = World().start()
    world.fail_task(
        workflow_tasks.WorkflowTaskFailure(WorkflowTaskFailedCause.WORKFLOW_WORKER_UNHANDLED_FAILURE, Failure())
    )
    world.pass_time(1)
    world.hold()
    signal(world)
    terminate(world)
    assert world.titles(4) == ["WorkflowTaskFailed", "WorkflowExecutionSignaled", "WorkflowExecutionTerminated"]


def test_the_run_timeout_closes_the_run():
    world = World().start(run_timeout=20 * SECOND)
    world.task()
    world.pass_time(19.9)
    assert world.state.is_open
    world.pass_time(0.1)
    assert world.last(WorkflowExecutionTimedOut).retry_state is RetryState.RETRY_POLICY_NOT_SET
    assert world.rows.run.status == WorkflowExecutionStatus.TIMED_OUT


def test_the_run_timeout_starts_the_next_attempt_of_a_workflow_that_may_be_retried():
    world = World().start(run_timeout=20 * SECOND, retry_policy=RetryPolicyAttributes(maximum_attempts=2))
    world.task()
    world.pass_time(20)
    closed = world.runs[1].events[-1].attributes
    assert (closed.retry_state, closed.new_execution_run_id) == (RetryState.IN_PROGRESS, world.state.run_id)
    assert (world.state.started.attempt, world.state.is_open) == (2, True)
    world.pass_time(1)
    world.task()
    world.pass_time(20)
    assert world.last(WorkflowExecutionTimedOut).retry_state is RetryState.MAXIMUM_ATTEMPTS_REACHED


def test_the_execution_timeout_ends_the_whole_chain():
    policy = RetryPolicyAttributes(initial_interval=SECOND, backoff_coefficient=1.0)
    world = World().start(execution_timeout=10 * SECOND, retry_policy=policy, cron_schedule="@every 1s")
    world.pass_time(1)
    world.task(WorkflowExecutionFailed(NO))
    world.pass_time(1)
    assert world.state.started.workflow_execution_expiration_time == NOON + 10 * SECOND
    world.pass_time(8)
    timed_out = world.last(WorkflowExecutionTimedOut)
    assert (timed_out.retry_state, timed_out.new_execution_run_id) == (RetryState.TIMEOUT, "")
    assert len(world.runs) == 2


# -- children and parents ----------------------------------------------------------------------------------------------


def parent(policy: ParentClosePolicy, *, is_started: bool = True) -> World:
    world = World().start()
    world.task(StartChildWorkflowExecutionInitiated(workflow_id="c", workflow_type="C", parent_close_policy=policy))
    if is_started:
        world.do(lambda tx: others.child_started(tx, 5, WorkflowExecution("c", "child-run")))
    else:
        signal(world)
    return world


ENDS = [
    pytest.param(lambda w: w.task(WorkflowExecutionCompleted()), id="completed"),
    pytest.param(lambda w: w.task(WorkflowExecutionFailed(NO)), id="failed"),
    pytest.param(lambda w: w.task(WorkflowExecutionContinuedAsNew()), id="continued as new"),
    pytest.param(terminate, id="terminated"),
]


@pytest.mark.parametrize("end", ENDS)
@pytest.mark.parametrize(
    ("policy", "transfers"),
    [
        (ParentClosePolicy.UNSPECIFIED, {-5: CLOSE_CHILD}),
        (ParentClosePolicy.TERMINATE, {-5: CLOSE_CHILD}),
        (ParentClosePolicy.REQUEST_CANCEL, {-5: CLOSE_CHILD}),
        (ParentClosePolicy.ABANDON, {}),
    ],
)
def test_the_parent_close_policy_strikes_at_every_end(end, policy, transfers):
    world = parent(policy)
    end(world)
    assert {key: row.kind for key, row in world.runs[1].transfers.items()} == transfers


def test_a_child_that_has_ended_is_not_closed():
    world = parent(ParentClosePolicy.TERMINATE)
    world.do(lambda tx: others.child_closed(tx, 5, WorkflowExecution("c", "child-run"), WorkflowExecutionCompleted()))
    world.task(WorkflowExecutionCompleted())
    assert world.rows.transfers == {}


@pytest.mark.parametrize(
    ("policy", "may_start"), [(ParentClosePolicy.TERMINATE, False), (ParentClosePolicy.ABANDON, True)]
)
def test_a_parent_that_closed_first_starts_only_the_children_it_abandons(policy, may_start):
    world = parent(policy, is_started=False)
    assert others.may_start_child(world.state, 5)
    world.task(WorkflowExecutionCompleted())
    assert others.may_start_child(world.reload().state, 5) is may_start


def test_a_child_that_started_while_its_parent_closed_is_closed_then_even_after_a_restart():
    world = parent(ParentClosePolicy.TERMINATE, is_started=False)
    world.task(WorkflowExecutionCompleted())
    world.reload().do(lambda tx: others.child_started(tx, 5, WorkflowExecution("c", "child-run")))
    assert {key: row.kind for key, row in world.rows.transfers.items()} == {-5: CLOSE_CHILD}
    assert world.reload().state.children[5].execution == WorkflowExecution("c", "child-run")
    world.do(lambda tx: tx.finish_transfer(-5))
    assert world.rows.transfers == {}


def test_a_child_that_is_abandoned_may_start_after_its_parent():
    world = parent(ParentClosePolicy.ABANDON, is_started=False)
    world.task(WorkflowExecutionCompleted())
    world.reload().do(lambda tx: others.child_started(tx, 5, WorkflowExecution("c", "child-run")))
    assert world.rows.transfers == {}


def child_of(world: World) -> World:
    """The child that the world's run has initiated with event 5, in a world of its own."""
    child = World()
    child.counter = 100
    key = child.context.new_run_key()
    child.commit(start_child(child.context, world.state, world.state.children[5], key, "child-run", child.now))
    return child


def test_a_child_knows_its_parent_and_the_root():
    child = child_of(parent(ParentClosePolicy.TERMINATE, is_started=False))
    started = child.last(WorkflowExecutionStarted)
    assert started.parent_workflow_execution == WorkflowExecution("wf", "run-1")
    assert started.root_workflow_execution == WorkflowExecution("wf", "run-1")
    assert (started.parent_initiated_event_id, started.task_queue) == (5, "q")
    row = child.rows.run
    assert (row.parent_run_id, row.root_run_id, row.parent_initiated_event_id) == ("run-1", "run-1", 5)


def test_a_grandchild_knows_the_root():
    child = child_of(parent(ParentClosePolicy.TERMINATE, is_started=False))
    child.task(StartChildWorkflowExecutionInitiated(workflow_id="g", workflow_type="G"))
    started = child_of(child).last(WorkflowExecutionStarted)
    assert started.parent_workflow_execution == WorkflowExecution("c", "child-run")
    assert started.root_workflow_execution == WorkflowExecution("wf", "run-1")


def test_only_the_last_run_of_a_chain_tells_the_parent():
    child = child_of(parent(ParentClosePolicy.TERMINATE, is_started=False))
    child.task(WorkflowExecutionContinuedAsNew())
    row = child.rows.run
    assert (row.parent_run_id, row.root_run_id, row.parent_initiated_event_id) == ("run-1", "run-1", 5)
    assert child.runs[101].transfers == {}
    child.task(WorkflowExecutionCompleted())
    closed_at = len(child.events)
    assert {key: row.kind for key, row in child.rows.transfers.items()} == {closed_at: NOTIFY_PARENT}


def test_memo_keeps_an_empty_list_and_search_attributes_lose_it():
    world = World().start()
    empty = Payload({"encoding": b"json/plain"}, b"[]")
    null = Payload({"encoding": b"json/plain"}, b"null")
    world.task(
        WorkflowPropertiesModified(upserted_memo={"a": empty, "b": text("x")[0]}),
        UpsertWorkflowSearchAttributes(search_attributes={"a": empty, "b": text("x")[0]}),
        WorkflowPropertiesModified(upserted_memo={"b": null}),
    )
    assert world.state.memo == {"a": empty}
    assert world.state.search_attributes == {"b": text("x")[0]}
    assert world.rows.run.memo is not None
