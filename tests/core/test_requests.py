"""Requests from outside: start, signals, cancel requests, and what they do to a start delay or a back-off."""

from __future__ import annotations

import pytest

from durable_nb.core import requests
from durable_nb.model.attributes import (
    RetryPolicyAttributes,
    WorkflowExecutionCancelRequested,
    WorkflowExecutionCompleted,
    WorkflowExecutionFailed,
    WorkflowExecutionSignaled,
    WorkflowExecutionStarted,
)
from durable_nb.model.failure import Failure, WorkflowExecution
from durable_nb.model.requests import SignalInput
from tests.core.world import NOON, SECOND, World, text


def signal(world: World) -> None:
    world.do(lambda tx: requests.signal(tx, SignalInput("go", text("x"), request_id="r"), "me"))


def cancel(world: World) -> bool:
    return world.do(lambda tx: requests.request_cancel(tx, "enough", "me"))


def test_a_start_records_what_was_asked_and_opens_the_first_task():
    world = World().start(
        input=text("in"),
        execution_timeout=100 * SECOND,
        run_timeout=50 * SECOND,
        memo={"m": text("1")[0]},
        search_attributes={"s": text("2")[0]},
    )
    assert world.titles() == ["WorkflowExecutionStarted", "WorkflowTaskScheduled"]
    started = world.last(WorkflowExecutionStarted)
    assert started == WorkflowExecutionStarted(
        workflow_type="W",
        task_queue="q",
        input=text("in"),
        workflow_execution_timeout=100 * SECOND,
        workflow_run_timeout=50 * SECOND,
        workflow_task_timeout=10 * SECOND,
        original_execution_run_id="run-1",
        first_execution_run_id="run-1",
        workflow_execution_expiration_time=NOON + 100 * SECOND,
        memo={"m": text("1")[0]},
        search_attributes={"s": text("2")[0]},
        workflow_id="wf",
    )
    assert world.rows.run.wake_at == NOON + 50 * SECOND


def test_signal_with_start_puts_the_signal_right_after_started():
    world = World().start(signal=SignalInput("go", request_id="r"))
    assert world.titles() == ["WorkflowExecutionStarted", "WorkflowExecutionSignaled", "WorkflowTaskScheduled"]
    assert not world.do(lambda tx: requests.signal(tx, SignalInput("go", request_id="r"), "me"))


def test_a_signal_wakes_an_idle_run_once():
    world = World().start()
    world.task()
    signal(world)
    assert world.titles(5) == ["WorkflowExecutionSignaled", "WorkflowTaskScheduled"]
    signaled = world.last(WorkflowExecutionSignaled)
    assert (signaled.signal_name, signaled.input, signaled.identity) == ("go", text("x"), "me")


def test_a_signal_from_a_workflow_names_its_sender():
    world = World().start()
    sender = WorkflowExecution("other", "its-run")
    world.do(lambda tx: requests.signal(tx, SignalInput("go"), "me", sender))
    assert world.last(WorkflowExecutionSignaled).external_workflow_execution == sender


def test_a_start_delay_holds_the_first_task_back():
    world = World().start(start_delay=30 * SECOND)
    assert world.titles() == ["WorkflowExecutionStarted"]
    assert (world.rows.run.execution_time, world.rows.run.wake_at) == (NOON + 30 * SECOND, NOON + 30 * SECOND)
    world.pass_time(29.9)
    assert world.titles() == ["WorkflowExecutionStarted"]
    world.reload().pass_time(0.1)
    assert world.titles() == ["WorkflowExecutionStarted", "WorkflowTaskScheduled"]


def test_signal_with_start_keeps_the_start_delay():
    world = World().start(start_delay=30 * SECOND, signal=SignalInput("go"))
    assert world.titles() == ["WorkflowExecutionStarted", "WorkflowExecutionSignaled"]


@pytest.mark.parametrize("ask", [signal, cancel])
def test_a_signal_or_cancel_request_ends_a_start_delay_and_the_run_timeout_counts_from_there(ask):
    world = World().start(start_delay=30 * SECOND, run_timeout=100 * SECOND)
    assert world.rows.run.wake_at == NOON + 30 * SECOND
    world.now += 10 * SECOND
    ask(world)
    assert world.titles()[-1] == "WorkflowTaskScheduled"
    row = world.rows.run
    assert (row.execution_time, row.wake_at) == (NOON + 10 * SECOND, NOON + 110 * SECOND)
    world.task()
    world.reload().pass_time(100)
    assert world.titles()[-1] == "WorkflowExecutionTimedOut"


def back_off() -> World:
    world = World().start(retry_policy=RetryPolicyAttributes(initial_interval=60 * SECOND))
    world.task(WorkflowExecutionFailed(Failure(message="no")))
    return world


def cron() -> World:
    return World().start(cron_schedule="0 0 1 1 *")


@pytest.mark.parametrize("make", [back_off, cron])
def test_a_signal_waits_with_a_retry_or_a_cron_schedule(make):
    world = make()
    signal(world)
    assert world.titles() == ["WorkflowExecutionStarted", "WorkflowExecutionSignaled"]
    assert world.rows.run.execution_time > world.now


@pytest.mark.parametrize("make", [back_off, cron])
def test_a_cancel_request_does_not_wait_for_a_retry_or_a_cron_schedule(make):
    world = make()
    cancel(world)
    assert world.titles()[1:] == ["WorkflowExecutionCancelRequested", "WorkflowTaskScheduled"]


def test_a_second_cancel_request_changes_nothing():
    world = World().start()
    assert cancel(world)
    assert not cancel(world.reload())
    requested = world.last(WorkflowExecutionCancelRequested)
    assert (requested.cause, requested.identity) == ("enough", "me")
    assert world.titles().count("WorkflowExecutionCancelRequested") == 1


def test_a_cancel_request_that_is_buffered_counts_after_a_restart_too():
    world = World().start()
    open_task = world.hold()
    assert cancel(world)
    assert not cancel(world.reload())
    assert world.end(open_task, WorkflowExecutionCompleted()) is not None
    assert world.titles()[-2:] == ["WorkflowExecutionCancelRequested", "WorkflowTaskScheduled"]
