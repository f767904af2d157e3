"""Runs that follow each other: retries of workflows, cron, continue-as-new."""

from __future__ import annotations

import pytest

from durable_nb.model.attributes import (
    RetryPolicyAttributes,
    TimerStarted,
    UpsertWorkflowSearchAttributes,
    UserMetadata,
    WorkflowExecutionCanceled,
    WorkflowExecutionCompleted,
    WorkflowExecutionContinuedAsNew,
    WorkflowExecutionFailed,
    WorkflowExecutionStarted,
    WorkflowPropertiesModified,
)
from durable_nb.model.commands import Command
from durable_nb.model.enums import ContinueAsNewInitiator as Initiator
from durable_nb.model.enums import RetryState, WorkflowExecutionStatus
from tests.core.endings import NO, NULL, signal, terminate
from tests.core.world import NOON, SECOND, World, text

# -- retries of workflows ----------------------------------------------------------------------------------------------


def test_a_workflow_without_a_policy_is_not_retried():
    world = World().start()
    world.task(WorkflowExecutionFailed(NO))
    failed = world.last(WorkflowExecutionFailed)
    assert (failed.retry_state, failed.new_execution_run_id) == (RetryState.RETRY_POLICY_NOT_SET, "")
    assert len(world.runs) == 1


def test_a_failed_run_is_followed_by_its_next_attempt_after_the_back_off():
    world = World().start(input=text("in"), retry_policy=RetryPolicyAttributes(maximum_attempts=2))
    world.task(WorkflowExecutionFailed(NO))
    failed = world.runs[1].events[-1].attributes
    assert (failed.retry_state, failed.new_execution_run_id) == (RetryState.IN_PROGRESS, world.state.run_id)
    started = world.last(WorkflowExecutionStarted)
    assert (started.attempt, started.initiator, started.continued_failure) == (2, Initiator.RETRY, NO)
    assert (started.first_workflow_task_backoff, started.input) == (SECOND, text("in"))
    assert (started.continued_execution_run_id, started.first_execution_run_id) == ("run-1", "run-1")
    assert started.original_execution_run_id == world.state.run_id
    assert world.titles() == ["WorkflowExecutionStarted"]
    world.pass_time(1)
    assert world.titles() == ["WorkflowExecutionStarted", "WorkflowTaskScheduled"]
    world.task(WorkflowExecutionFailed(NO))
    assert world.last(WorkflowExecutionFailed).retry_state is RetryState.MAXIMUM_ATTEMPTS_REACHED
    assert len(world.runs) == 2


def test_both_runs_of_a_succession_are_in_one_unit():
    world = World().start(retry_policy=RetryPolicyAttributes())
    tx = world.task(WorkflowExecutionFailed(NO))
    assert tx.successor is not None
    assert tx.successor.expected_version == 0
    assert tx.successor.state.first_execution_run_id == "run-1"


def test_a_final_failure_or_a_passed_deadline_is_not_retried():
    policy = RetryPolicyAttributes(non_retryable_error_types=["ValueError"])
    world = World().start(retry_policy=policy)
    world.task(WorkflowExecutionFailed(NO))
    assert world.last(WorkflowExecutionFailed).retry_state is RetryState.NON_RETRYABLE_FAILURE
    world = World().start(retry_policy=RetryPolicyAttributes(), execution_timeout=SECOND // 2)
    world.task(WorkflowExecutionFailed(NO))
    assert world.last(WorkflowExecutionFailed).retry_state is RetryState.TIMEOUT


# -- cron --------------------------------------------------------------------------------------------------------------


def test_a_cron_workflow_waits_for_its_first_time():
    world = World().start(cron_schedule="@every 60s")
    assert world.titles() == ["WorkflowExecutionStarted"]
    assert world.last(WorkflowExecutionStarted).first_workflow_task_backoff == 60 * SECOND
    world.pass_time(60)
    assert world.titles()[-1] == "WorkflowTaskScheduled"


def test_each_completion_is_followed_by_the_next_time_with_the_last_result():
    world = World().start(cron_schedule="@every 60s", input=text("in"))
    world.pass_time(60)
    world.now += 70 * SECOND
    world.task(WorkflowExecutionCompleted(text("first")))
    assert world.runs[1].events[-1].attributes.new_execution_run_id == world.state.run_id
    started = world.last(WorkflowExecutionStarted)
    assert (started.initiator, started.last_completion_result) == (Initiator.CRON_SCHEDULE, text("first"))
    assert (started.attempt, started.cron_schedule, started.input) == (1, "@every 60s", text("in"))
    assert world.state.execution_time == NOON + 180 * SECOND


def test_a_cron_run_that_fails_keeps_the_last_result_and_tells_the_failure():
    world = World().start(cron_schedule="@every 60s")
    world.pass_time(60)
    world.task(WorkflowExecutionCompleted(text("good")))
    world.pass_time(60)
    world.task(WorkflowExecutionFailed(NO))
    started = world.last(WorkflowExecutionStarted)
    assert (started.last_completion_result, started.continued_failure) == (text("good"), NO)
    assert world.runs[2].events[-1].attributes.retry_state is RetryState.RETRY_POLICY_NOT_SET


def test_a_cron_run_is_retried_first_and_the_schedule_follows_when_retries_are_used_up():
    world = World().start(cron_schedule="@every 60s", retry_policy=RetryPolicyAttributes(maximum_attempts=2))
    world.pass_time(60)
    world.task(WorkflowExecutionFailed(NO))
    assert (world.state.started.initiator, world.state.started.attempt) == (Initiator.RETRY, 2)
    world.pass_time(1)
    world.task(WorkflowExecutionFailed(NO))
    assert (world.state.started.initiator, world.state.started.attempt) == (Initiator.CRON_SCHEDULE, 1)


@pytest.mark.parametrize("end", [terminate, lambda w: w.task(WorkflowExecutionCanceled())], ids=["terminate", "cancel"])
def test_a_canceled_or_terminated_cron_workflow_ends(end):
    world = World().start(cron_schedule="@every 60s")
    world.pass_time(60)
    end(world)
    assert len(world.runs) == 1


# -- continue-as-new ---------------------------------------------------------------------------------------------------


def chained(**options) -> World:
    world = World().start(
        input=text("old"),
        header={"h": text("h")[0]},
        execution_timeout=1000 * SECOND,
        run_timeout=100 * SECOND,
        task_timeout=20 * SECOND,
        retry_policy=RetryPolicyAttributes(maximum_attempts=3),
        memo={"m": text("1")[0], "gone": text("2")[0]},
        search_attributes={"s": text("1")[0]},
        user_metadata=UserMetadata(summary=text("sum")[0]),
        **options,
    )
    world.now += 5 * SECOND
    world.task(
        WorkflowPropertiesModified(upserted_memo={"gone": NULL, "n": text("3")[0]}),
        UpsertWorkflowSearchAttributes(search_attributes={"s": text("9")[0]}),
        TimerStarted("t", SECOND),
    )
    signal(world)
    return world


def test_what_continue_as_new_does_not_give_is_carried_over_but_for_input_and_header():
    world = chained()
    world.task(WorkflowExecutionContinuedAsNew())
    started = world.last(WorkflowExecutionStarted)
    assert (started.workflow_type, started.task_queue) == ("W", "q")
    assert (started.workflow_run_timeout, started.workflow_task_timeout) == (100 * SECOND, 20 * SECOND)
    assert started.workflow_execution_expiration_time == NOON + 1000 * SECOND
    assert started.retry_policy == RetryPolicyAttributes(maximum_attempts=3)
    assert started.memo == {"m": text("1")[0], "n": text("3")[0]}
    assert started.search_attributes == {"s": text("9")[0]}
    assert (started.input, started.header, started.attempt) == (None, None, 1)
    assert (started.initiator, started.continued_execution_run_id) == (Initiator.WORKFLOW, "run-1")
    assert (started.first_execution_run_id, world.state.first_execution_run_id) == ("run-1", "run-1")
    assert world.state.user_metadata == UserMetadata(summary=text("sum")[0])
    assert (world.state.timers, world.state.updates, world.state.cancel_requested) == ({}, {}, False)
    assert world.titles() == ["WorkflowExecutionStarted", "WorkflowTaskScheduled"]
    assert world.runs[1].run.status == WorkflowExecutionStatus.CONTINUED_AS_NEW


def test_what_continue_as_new_gives_wins():
    world = chained()
    asked = WorkflowExecutionContinuedAsNew(
        workflow_type="V",
        task_queue="p",
        input=text("new"),
        workflow_run_timeout=7 * SECOND,
        workflow_task_timeout=8 * SECOND,
        memo={},
        search_attributes={"z": text("z")[0]},
        header={"k": text("k")[0]},
    )
    world.task(Command(asked, retry_policy=RetryPolicyAttributes(maximum_attempts=9)))
    started = world.last(WorkflowExecutionStarted)
    assert (started.workflow_type, started.task_queue, started.input) == ("V", "p", text("new"))
    assert (started.workflow_run_timeout, started.workflow_task_timeout) == (7 * SECOND, 8 * SECOND)
    assert started.retry_policy.maximum_attempts == 9
    assert (started.memo, started.search_attributes) == ({}, {"z": text("z")[0]})
    assert started.header == {"k": text("k")[0]}
    assert world.runs[1].events[-1].attributes.new_execution_run_id == world.state.run_id


def test_continue_as_new_of_a_cron_workflow_goes_on_at_once_and_keeps_the_schedule():
    world = World().start(cron_schedule="@every 60s")
    world.pass_time(60)
    world.task(WorkflowExecutionContinuedAsNew())
    assert world.titles() == ["WorkflowExecutionStarted", "WorkflowTaskScheduled"]
    assert world.state.started.cron_schedule == "@every 60s"


def test_a_signal_that_has_not_been_seen_is_not_left_behind_by_continue_as_new():
    world = World().start()
    open_task = world.hold()
    signal(world)
    assert world.end(open_task, WorkflowExecutionContinuedAsNew()) is not None
    assert world.state.is_open
    assert len(world.runs) == 1
