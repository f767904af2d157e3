"""Two engines on one store stand for two processes: races, takeover, and work that waits for whoever can do it."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
import pytest_asyncio

from durable_nb.engine import open_engine
from durable_nb.engine.clock import ManualClock
from durable_nb.engine.transfer_inputs import ExternalDelivered
from durable_nb.model import requests as ask
from durable_nb.model.attributes import (
    ActivityTaskScheduled,
    ActivityTaskStarted,
    RequestCancelExternalWorkflowExecutionInitiated,
    SignalExternalWorkflowExecutionInitiated,
    StartChildWorkflowExecutionInitiated,
    WorkflowExecutionCompleted,
    WorkflowExecutionContinuedAsNew,
)
from durable_nb.model.enums import WorkflowIDConflictPolicy
from durable_nb.model.failure import WorkflowExecution
from durable_nb.model.tasks import ActivityOutcome
from durable_nb.service import RPCError
from tests.engine.conftest import Driver, until
from tests.engine.scripts import ScriptedWorker, sequence, text, until_signal


@pytest_asyncio.fixture
async def two(tmp_path: Path):
    """Two drivers on one SQLite file."""
    clock = ManualClock()
    handles = [open_engine(f"sqlite:///{tmp_path}/runs.db", own_thread=False, clock=clock) for _ in range(2)]
    yield [Driver(handle, clock) for handle in handles]
    for handle in handles:
        handle.close()


async def test_a_signal_from_a_process_without_the_code_reaches_the_one_that_has_it(two):
    host, caller = two
    host.handle.register_worker(ScriptedWorker({"W": until_signal()}))
    await host.start("W")
    await caller.frontend.signal_workflow(ask.SignalWorkflow(caller.target(), ask.SignalInput("stop")))
    assert (await host.close_event()).attributes.result == text("stopped")


async def test_a_result_is_told_to_a_process_that_did_not_run_the_workflow(two):
    host, caller = two
    await caller.start("W")
    waiting = asyncio.ensure_future(caller.close_event())
    host.handle.register_worker(ScriptedWorker({"W": sequence(3)}))
    assert (await waiting).attributes.result == text("done")


async def test_a_result_that_another_process_stored_a_while_ago_is_told_at_once(two):
    host, caller = two
    await caller.start("W")
    host.handle.register_worker(ScriptedWorker({"W": sequence(3)}))
    await host.close_event()
    engine, upkeep = caller.handle.engine, caller.handle.upkeep
    engine.notice_changes()
    upkeep.turn()
    await until(lambda: upkeep._epoch == engine.epoch)  # what there is to notice was noticed; nobody waited yet
    closing = await asyncio.wait_for(caller.close_event(), 3)  # before the next heartbeat of the other
    assert closing.attributes.result == text("done")


async def test_both_processes_may_serve_a_run_and_its_history_stays_gapless(two):
    for driver in two:
        driver.handle.register_worker(ScriptedWorker({"W": until_signal("signal-99")}))
    await two[0].start("W")
    for number in range(100):
        driver = two[number % 2]
        await driver.frontend.signal_workflow(ask.SignalWorkflow(driver.target(), ask.SignalInput(f"signal-{number}")))
    await two[1].close_event()
    events = await two[0].events()
    assert [event.event_id for event in events] == list(range(1, len(events) + 1))
    signals = [e.attributes.signal_name for e in events if e.event_type.title == "WorkflowExecutionSignaled"]
    assert signals == [f"signal-{n}" for n in range(100)]


async def test_starts_of_one_id_by_two_processes_leave_one_run(two):
    for driver in two:
        driver.handle.register_worker(ScriptedWorker({"W": until_signal()}))
    outcomes = await asyncio.gather(*(driver.start("W") for driver in two), return_exceptions=True)
    assert sorted(type(outcome).__name__ for outcome in outcomes) == ["StartedWorkflow", "WorkflowAlreadyStartedError"]


async def test_an_attempt_of_a_process_that_left_is_taken_over_and_its_late_result_is_ignored(two):
    first, second = two
    slow = ScriptedWorker({"W": sequence(1)}, auto=False)
    first.handle.register_worker(slow)
    await first.start("W")
    await until(lambda: slow.started)
    second.handle.store.heartbeat(first.handle.process_key, 0)  # its heartbeat is as old as can be
    heir = ScriptedWorker({"W": sequence(1)}, auto=False)
    second.handle.register_worker(heir)
    second.handle.upkeep._next_look_for_dead = 0.0
    second.handle.upkeep.look()
    await until(lambda: heir.started)
    assert heir.executions == [("w", "1", 2)]
    _, late_report = slow.started[0]
    late_report(ActivityOutcome(result=text("late")))
    await first.settle()
    _, report = heir.started[0]
    report(ActivityOutcome(result=text("right")))
    await second.close_event()
    events = await second.events()
    completed = [e.attributes.result for e in events if e.event_type.title == "ActivityTaskCompleted"]
    started = [e.attributes.attempt for e in events if isinstance(e.attributes, ActivityTaskStarted)]
    assert (completed, started) == ([text("right")], [2])
    attempts = await second.frontend.read_attempts(second.target())
    assert [(a.attempt, a.outcome) for a in attempts] == [(1, "lost"), (2, "completed")]


async def test_an_activity_that_may_run_once_times_out_when_its_process_dies(two):
    first, second = two

    def once(history):
        from durable_nb.model.attributes import RetryPolicyAttributes, WorkflowExecutionCompleted

        asked = [
            ActivityTaskScheduled(
                "1", "act", "q", start_to_close_timeout=10**9, retry_policy=RetryPolicyAttributes(maximum_attempts=1)
            )
        ]
        over = any(event.event_type.title == "ActivityTaskTimedOut" for event in history)
        return [*asked, WorkflowExecutionCompleted(text("gave up"))] if over else asked

    slow = ScriptedWorker({"W": once}, auto=False)
    first.handle.register_worker(slow)
    await first.start("W")
    await until(lambda: slow.started)
    second.handle.store.heartbeat(first.handle.process_key, 0)
    heir = ScriptedWorker({"W": once}, auto=False)
    second.handle.register_worker(heir)
    second.handle.upkeep._next_look_for_dead = 0.0
    second.handle.upkeep.look()
    assert (await second.close_event()).attributes.result == text("gave up")
    assert heir.executions == []


async def test_a_query_is_answered_by_the_process_that_has_the_code(two):
    host, caller = two
    host.handle.register_worker(ScriptedWorker({"W": until_signal()}))
    await host.start("W")
    answer = await caller.frontend.query_workflow(ask.QueryWorkflow(caller.target(), "state"))
    assert answer.result[0].data.startswith(b'"state:')


async def test_an_update_is_carried_out_by_the_process_that_has_the_code(two):
    host, caller = two
    host.handle.register_worker(ScriptedWorker({"W": until_signal()}))
    await host.start("W")
    request = ask.UpdateWorkflow(caller.target(), "u", "good", text("v"), wait_completed=True)
    assert (await caller.frontend.update_workflow(request)).outcome.success == text("v")


async def test_a_query_without_any_process_that_has_the_code_says_what_to_do(tmp_path):
    handle = open_engine(f"sqlite:///{tmp_path}/runs.db", own_thread=False, clock=ManualClock())
    driver = Driver(handle, ManualClock())
    await driver.start("Missing")
    with pytest.raises(RPCError, match=r"Missing.*run the cell"):
        await driver.frontend.query_workflow(ask.QueryWorkflow(driver.target(), "state"))
    handle.close()


async def test_a_start_that_may_use_an_open_run_notices_that_another_process_closed_it(two):
    first, second = two
    for driver in two:
        driver.handle.register_worker(ScriptedWorker({"W": until_signal()}))
    await first.start("W")
    await second.frontend.terminate_workflow(ask.TerminateWorkflow(second.target()))
    started = await first.start("W", id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING)
    assert started.started


def tells(make):
    """Starts a child and, once it runs, asks for what ``make`` gives; ends with the name of the answer."""

    def script(history):
        asked = [StartChildWorkflowExecutionInitiated(workflow_id="child", workflow_type="C")]
        titles = [event.event_type.title for event in history]
        if "ChildWorkflowExecutionStarted" in titles:
            asked.append(make())
        answers = [title for title in titles if "External" in title and not title.endswith("Initiated")]
        return [*asked, WorkflowExecutionCompleted(text(answers[0]))] if answers else asked

    return script


def signal_child():
    return SignalExternalWorkflowExecutionInitiated(
        workflow_execution=WorkflowExecution("child"), signal_name="stop", child_workflow_only=True
    )


def cancel_child():
    return RequestCancelExternalWorkflowExecutionInitiated(
        workflow_execution=WorkflowExecution("child"), child_workflow_only=True
    )


def until_told(again):
    """A child that ends when it is told something, or goes on as new first."""

    def script(history):
        told = {"WorkflowExecutionSignaled", "WorkflowExecutionCancelRequested"}
        if told.isdisjoint(event.event_type.title for event in history):
            return []
        goes_on = WorkflowExecutionContinuedAsNew(workflow_type="C", task_queue="q")
        return [goes_on if again else WorkflowExecutionCompleted(text("told"))]

    return script


@pytest.mark.parametrize("again", [False, True], ids=["the child ends", "the child continues as new"])
@pytest.mark.parametrize(
    ("make", "answer"),
    [
        (signal_child, "ExternalWorkflowExecutionSignaled"),
        (cancel_child, "ExternalWorkflowExecutionCancelRequested"),
    ],
)
async def test_what_was_told_before_a_crash_counts_though_the_child_has_moved_on(two, make, answer, again):
    first, second = two
    scripts = {"P": tells(make), "C": until_told(again)}
    push, unheard = first.handle.engine.push, []

    def dies_before_the_answer(run_key, item):
        (unheard.append if isinstance(item, ExternalDelivered) else lambda _: push(run_key, item))(item)

    first.handle.engine.push = dies_before_the_answer
    first.handle.register_worker(ScriptedWorker(scripts))
    await first.start("P", "parent")
    await until(lambda: unheard)
    second.handle.store.heartbeat(first.handle.process_key, 0)
    second.handle.register_worker(ScriptedWorker(scripts))
    second.handle.upkeep._next_look_for_dead = 0.0
    second.handle.upkeep.look()
    assert (await second.close_event("parent")).attributes.result == text(answer)
    runs = await second.frontend.list_workflows(ask.ListWorkflows("default", workflow_id="child"))
    assert len(runs) == (2 if again else 1), "told again, the child would have gone on as new again"
