"""Reset, fork and retry on a running engine: who goes on, what comes along, what is refused."""

from __future__ import annotations

import asyncio

import pytest

from durable_nb.exceptions import WorkflowAlreadyStartedError
from durable_nb.model import requests as ask
from durable_nb.model.attributes import (
    ActivityTaskCompleted,
    ActivityTaskFailed,
    ActivityTaskScheduled,
    StartChildWorkflowExecutionInitiated,
    TimerStarted,
    WorkflowExecutionCompleted,
    WorkflowExecutionFailed,
    WorkflowTaskCompleted,
)
from durable_nb.model.enums import WorkflowExecutionStatus
from durable_nb.model.failure import ActivityFailureInfo, ApplicationFailureInfo, Failure
from durable_nb.model.tasks import ActivityOutcome
from durable_nb.service import RPCError, RPCStatusCode
from tests.engine.conftest import until
from tests.engine.scripts import SECOND, ScriptedWorker, activity, sequence, text, until_signal

FATAL = Failure("down", application_failure_info=ApplicationFailureInfo("Down", non_retryable=True))
AGAIN = Failure("busy", application_failure_info=ApplicationFailureInfo("Busy"))


def parent(history):
    """Starts a child, sleeps an hour beside it, ends with how the child ended."""
    asked = [StartChildWorkflowExecutionInitiated(workflow_id="child", workflow_type="C"), TimerStarted("t", SECOND)]
    ends = [e for e in history if e.event_type.title.startswith("ChildWorkflowExecution")]
    over = [e.event_type.title for e in ends if e.event_type.title != "ChildWorkflowExecutionStarted"]
    return [*asked, WorkflowExecutionCompleted(text(over[0]))] if over else asked


def gather(history):
    """Two activities side by side; fails with the first that fails."""
    asked = [activity(1), activity(2)]
    for event in history:
        attributes = event.attributes
        if isinstance(attributes, ActivityTaskFailed):
            info = ActivityFailureInfo(scheduled_event_id=attributes.scheduled_event_id)
            return [*asked, WorkflowExecutionFailed(Failure("x", cause=attributes.failure, activity_failure_info=info))]
    done = history.count(ActivityTaskCompleted)
    return [*asked, WorkflowExecutionCompleted(text("both"))] if done == 2 else asked


async def finished_tasks(d, workflow_id="w", run_id=""):
    return [e.event_id for e in await d.events(workflow_id, run_id) if isinstance(e.attributes, WorkflowTaskCompleted)]


def fork(d, **options):
    return d.frontend.branch_workflow(ask.ForkWorkflow(d.target(), **options))


async def child_runs(d):
    """Until the child has started and its parent knows."""
    while "ChildWorkflowExecutionStarted" not in await d.event_names():
        await d.settle()


async def status(d, workflow_id="w", run_id=""):
    return (await d.frontend.describe_workflow(d.target(workflow_id, run_id))).status


# -- reset -------------------------------------------------------------------------------------------------------------


async def test_updates_after_the_point_are_asked_again_and_survive_a_restart(driver):
    d = driver()
    d.handle.register_worker(ScriptedWorker({"W": until_signal()}))
    await d.start("W")
    await d.frontend.update_workflow(ask.UpdateWorkflow(d.target(), "u1", "set", text("v"), wait_completed=True))
    run_id = await d.reset(ask.ResetWorkflow(d.target(), to=ask.ResetTo.FIRST_TASK))
    await d.settle()
    names = await d.event_names(run_id=run_id)
    assert names.count("WorkflowExecutionUpdateAccepted") == 1
    again = await d.frontend.poll_update(ask.PollUpdate(d.target(run_id=run_id), "u1"))
    assert again.outcome.success == text("v")


async def test_an_update_that_the_new_code_rejects_is_not_asked_for_ever(driver):
    d = driver()
    worker = ScriptedWorker({"W": until_signal()})
    d.handle.register_worker(worker)
    await d.start("W")
    await d.frontend.update_workflow(ask.UpdateWorkflow(d.target(), "u1", "set", text("v"), wait_completed=True))
    offered = []
    original = worker.run_workflow_task

    def rejecting(run_key, task):
        offered.append([update.update_id for update in task.updates])
        for update in task.updates:
            update.name = "bad"
        return original(run_key, task)

    worker.run_workflow_task = rejecting
    run_id = await d.reset(ask.ResetWorkflow(d.target(), to=ask.ResetTo.FIRST_TASK))
    await d.settle()
    assert offered == [["u1"]]
    await d.frontend.signal_workflow(ask.SignalWorkflow(d.target(run_id=run_id), ask.SignalInput("stop")))
    assert (await d.close_event(run_id=run_id)).event_type.title == "WorkflowExecutionCompleted"
    assert offered == [["u1"], []]


async def test_a_running_child_goes_on_and_reports_to_the_new_run(driver):
    d = driver()
    d.handle.register_worker(ScriptedWorker({"P": parent, "C": until_signal()}))
    await d.start("P")
    await child_runs(d)
    d.clock.advance(2 * SECOND)
    await d.settle()
    last = (await finished_tasks(d))[-1]
    run_id = await d.reset(ask.ResetWorkflow(d.target(), last))
    await d.settle()
    assert await status(d, "child") is WorkflowExecutionStatus.RUNNING
    await d.frontend.signal_workflow(ask.SignalWorkflow(d.target("child"), ask.SignalInput("stop")))
    assert (await d.close_event(run_id=run_id)).attributes.result == text("ChildWorkflowExecutionCompleted")


async def test_a_child_that_fell_with_its_closed_parent_is_reported_to_the_new_run(driver):
    d = driver()
    d.handle.register_worker(ScriptedWorker({"P": parent, "C": until_signal()}))
    first = await d.start("P")
    await child_runs(d)
    d.clock.advance(2 * SECOND)
    await d.settle()
    await d.frontend.terminate_workflow(ask.TerminateWorkflow(d.target()))
    while await status(d, "child") is WorkflowExecutionStatus.RUNNING:
        await d.settle()
    last = (await finished_tasks(d))[-1]
    request = ask.ResetWorkflow(d.target(run_id=first.run_id), last)
    assert (await d.frontend.preview_branch(request)).children == ["child"]
    run_id = await d.reset(request)
    assert (await d.close_event(run_id=run_id)).attributes.result == text("ChildWorkflowExecutionTerminated")


async def test_a_reset_to_before_the_child_ends_it_and_starts_another(driver):
    d = driver()
    d.handle.register_worker(ScriptedWorker({"P": parent, "C": until_signal()}))
    await d.start("P")
    await child_runs(d)
    old = (await d.frontend.describe_workflow(d.target("child"))).run_id
    run_id = await d.reset(ask.ResetWorkflow(d.target(), to=ask.ResetTo.FIRST_TASK))
    await child_runs(d)
    assert await status(d, "child", old) is WorkflowExecutionStatus.TERMINATED
    assert (await d.frontend.describe_workflow(d.target("child"))).parent_run_id == run_id
    assert await status(d, "child") is WorkflowExecutionStatus.RUNNING


@pytest.mark.parametrize("open_driver", ["sqlite"], indirect=True)  # a memory store ends with its engine
async def test_news_of_a_child_waits_for_a_parent_whose_process_died_after_the_reset(driver):
    d = driver()
    d.handle.register_worker(ScriptedWorker({"P": parent, "C": until_signal()}))
    await d.start("P")
    await child_runs(d)
    d.clock.advance(2 * SECOND)
    await d.settle()
    run_id = await d.reset(ask.ResetWorkflow(d.target(), (await finished_tasks(d))[-1]))
    d.handle.close()
    later = driver()
    later.handle.register_worker(ScriptedWorker({"P": parent, "C": until_signal()}))
    await later.frontend.signal_workflow(ask.SignalWorkflow(later.target("child"), ask.SignalInput("stop")))
    assert (await later.close_event(run_id=run_id)).attributes.result == text("ChildWorkflowExecutionCompleted")


async def test_a_reset_of_a_closed_run_ends_a_later_one_in_the_commit_that_stores_its_heir(driver, monkeypatch):
    d = driver()
    d.handle.register_worker(ScriptedWorker({"W": until_signal()}))
    first = (await d.start("W")).run_id
    await d.frontend.signal_workflow(ask.SignalWorkflow(d.target(), ask.SignalInput("stop")))
    await d.close_event(run_id=first)
    later = (await d.start("W")).run_id
    await d.settle()
    store, units = d.handle.store, []
    commit = store.commit
    monkeypatch.setattr(store, "commit", lambda given: units.extend(given) or commit(given))
    heir = await d.reset(ask.ResetWorkflow(d.target(run_id=first), to=ask.ResetTo.FIRST_TASK))
    ended = await d.close_event(run_id=later)
    assert (ended.event_type.title, ended.attributes.reason) == ("WorkflowExecutionTerminated", f"reset: run {first}")
    together = next(unit for unit in units if any(write.run.run_id == later for write in unit.writes))
    assert [write.run.run_id for write in together.writes] == [later, heir]
    assert (await d.close_event(run_id=heir)).attributes.result == text("stopped"), "its signal was said again"


async def test_a_signal_that_meets_the_reset_of_its_run_is_not_lost(driver):
    d = driver()
    d.handle.register_worker(ScriptedWorker({"W": until_signal("never")}))
    await d.start("W")
    await d.settle()
    signals = [
        d.frontend.signal_workflow(ask.SignalWorkflow(d.target(), ask.SignalInput(f"s{n}", request_id=f"r{n}")))
        for n in range(20)
    ]
    signals.insert(10, d.reset(ask.ResetWorkflow(d.target(), to=ask.ResetTo.FIRST_TASK)))
    await asyncio.gather(*signals)
    await d.settle()
    heard = [e.attributes.signal_name for e in await d.events() if hasattr(e.attributes, "signal_name")]
    assert sorted(heard) == sorted(f"s{n}" for n in range(20))


# -- fork --------------------------------------------------------------------------------------------------------------


async def test_a_fork_leaves_the_original_alone_and_has_its_own_id(driver):
    d = driver()
    d.handle.register_worker(ScriptedWorker({"W": sequence(2)}))
    first = await d.start("W")
    await d.close_event()
    before = await d.events()
    second = next(e.event_id for e in before if isinstance(e.attributes, ActivityTaskCompleted))
    made = await fork(d, event_id=second)
    assert (made.workflow_id, made.base_run_id, made.event_id) == ("w-fork-1", first.run_id, second)
    await d.close_event("w-fork-1")
    assert await d.events(run_id=first.run_id) == before
    events = await d.events("w-fork-1")
    assert events[1:second] == before[1:second]
    assert (await fork(d, event_id=second)).workflow_id == "w-fork-2"
    row = d.handle.store.find_run("default", "w-fork-1")
    assert row.first_execution_run_id == made.run_id


async def test_a_fork_tells_where_it_comes_from(driver):
    d = driver()
    d.handle.register_worker(ScriptedWorker({"W": sequence(2)}))
    first = await d.start("W")
    await d.close_event()
    memo = {"note": text("from w")[0]}
    made = await fork(d, event_id=4, new_workflow_id="copy", reason="what if", memo=memo)
    described = await d.frontend.describe_workflow(d.target("copy"))
    assert described.memo == memo
    failed = next(e for e in await d.events("copy") if e.event_type.title == "WorkflowTaskFailed").attributes
    assert (failed.base_run_id, failed.new_run_id) == (first.run_id, made.run_id)
    assert failed.failure.message == "fork of workflow 'w' at event 3: what if"


async def test_a_fork_with_another_result_goes_on_with_that(driver):
    d = driver()
    worker = ScriptedWorker({"W": sequence(2)})
    d.handle.register_worker(worker)
    await d.start("W")
    await d.close_event()
    worker.executions.clear()
    made = await fork(d, activity_id="1", result=text("edited"))
    await d.close_event(made.workflow_id)
    results = [e.attributes.result for e in await d.events(made.workflow_id) if hasattr(e.attributes, "result")]
    assert results == [text("edited"), text("2"), text("done")]
    assert [each[1] for each in worker.executions] == ["2"]


async def test_a_fork_at_an_activity_runs_it_again(driver):
    d = driver()
    worker = ScriptedWorker({"W": sequence(2)})
    d.handle.register_worker(worker)
    await d.start("W")
    await d.close_event()
    worker.executions.clear()
    made = await fork(d, activity_id="1")
    assert made.activities == ["act (1)"]
    await d.close_event(made.workflow_id)
    assert [each[1] for each in worker.executions] == ["1", "2"]


async def test_a_fork_gives_a_stuck_activity_a_result(driver):
    d = driver()
    worker = ScriptedWorker({"W": sequence(1)}, auto=False)
    d.handle.register_worker(worker)
    await d.start("W")
    await until(lambda: worker.started)
    made = await fork(d, activity_id="1", result=text("by hand"))
    assert (await d.close_event(made.workflow_id)).event_type.title == "WorkflowExecutionCompleted"
    assert await status(d) is WorkflowExecutionStatus.RUNNING


async def test_a_fork_with_another_input_begins_anew(driver):
    d = driver()
    d.handle.register_worker(ScriptedWorker({"W": sequence(1)}))
    await d.start("W", input=text("old"))
    await d.close_event()
    made = await fork(d, input=text("new"))
    await d.close_event(made.workflow_id)
    events = await d.events(made.workflow_id)
    assert events[0].attributes.input == text("new")
    assert sum(isinstance(e.attributes, ActivityTaskScheduled) for e in events) == 1


async def test_signals_of_the_original_come_to_a_fork_only_when_asked(driver):
    d = driver()
    d.handle.register_worker(ScriptedWorker({"W": until_signal()}))
    await d.start("W")
    await d.settle()
    await d.frontend.signal_workflow(ask.SignalWorkflow(d.target(), ask.SignalInput("stop")))
    await d.close_event()
    alone = await fork(d, event_id=4)
    told = await fork(d, event_id=4, reapply_signals=True)
    assert (alone.signals, told.signals) == (0, 1)
    await d.close_event(told.workflow_id)
    assert await status(d, alone.workflow_id) is WorkflowExecutionStatus.RUNNING


async def test_a_fork_of_a_child_or_of_a_cron_run_is_neither(driver):
    d = driver()
    d.handle.register_worker(ScriptedWorker({"P": parent, "C": sequence(1)}))
    await d.start("P", "parent")
    await d.close_event("parent")
    await d.frontend.branch_workflow(ask.ForkWorkflow(d.target("child"), "child-copy", activity_id="1"))
    await d.close_event("child-copy")
    started = (await d.events("child-copy"))[0].attributes
    assert (started.parent_workflow_execution, started.cron_schedule) == (None, "")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({}, "say where to fork"),
        ({"event_id": 99}, "no event 99"),
        ({"activity_id": "1", "event_id": 5}, "not both"),
        ({"result": text("x")}, "give activity_id"),
        ({"input": text("x"), "event_id": 5}, "begins anew"),
        ({"activity_id": "7"}, "no activity with id '7'; its activities are 1"),
    ],
)
async def test_a_fork_that_makes_no_sense_is_refused_with_what_would(driver, options, words):
    d = driver()
    d.handle.register_worker(ScriptedWorker({"W": sequence(1)}))
    await d.start("W")
    await d.close_event()
    with pytest.raises(RPCError, match=words) as refused:
        await fork(d, **options)
    assert refused.value.status is RPCStatusCode.INVALID_ARGUMENT


async def test_a_fork_cannot_take_an_id_in_use_and_may_take_a_free_one(driver):
    d = driver()
    d.handle.register_worker(ScriptedWorker({"W": until_signal()}))
    await d.start("W")
    await d.settle()
    with pytest.raises(WorkflowAlreadyStartedError):
        await fork(d, event_id=4, new_workflow_id="w")
    await d.frontend.terminate_workflow(ask.TerminateWorkflow(d.target()))
    assert (await fork(d, event_id=4, new_workflow_id="w")).workflow_id == "w"


# -- retry -------------------------------------------------------------------------------------------------------------


async def test_retry_ends_a_back_off_and_says_which(driver):
    d = driver()
    worker = ScriptedWorker({"W": sequence(1)}, auto=False)
    d.handle.register_worker(worker)
    await d.start("W")
    await until(lambda: worker.started)
    with pytest.raises(RPCError, match=r"nothing of workflow 'w'.* waits for a retry"):
        await d.frontend.branch_workflow(ask.RetryWorkflow(d.target()))
    worker.started.pop()[1](ActivityOutcome(failure=AGAIN))
    await d.settle()
    request = ask.RetryWorkflow(d.target())
    assert (await d.frontend.preview_branch(request)).activities == ["act (1)"]
    assert not worker.started
    assert (await d.frontend.branch_workflow(request)).activities == ["act (1)"]
    await until(lambda: worker.started)
    assert worker.started[0][0].attempt == 2


async def test_retry_tries_a_failing_workflow_task_at_once(driver):
    d = driver()
    worker = ScriptedWorker({"W": sequence(1)})
    worker.fail_next = ValueError("a bug")
    d.handle.register_worker(worker)
    await d.start("W")
    await d.settle()
    made = await d.frontend.branch_workflow(ask.RetryWorkflow(d.target()))
    assert (made.workflow_task, made.run_id) == (True, "")
    assert (await d.close_event()).event_type.title == "WorkflowExecutionCompleted"


async def test_a_failed_run_goes_on_before_the_failure_and_keeps_what_completed(driver):
    d = driver()
    worker = ScriptedWorker({"W": gather}, auto=False)
    d.handle.register_worker(worker)
    first = await d.start("W")
    await until(lambda: len(worker.started) == 2)
    (_, report_one), (_, report_two) = worker.started
    report_one(ActivityOutcome(failure=FATAL))
    report_two(ActivityOutcome(result=text("two")))
    assert (await d.close_event()).event_type.title == "WorkflowExecutionFailed"
    worker.started.clear()
    made = await d.frontend.branch_workflow(ask.RetryWorkflow(d.target()))
    assert (made.workflow_id, made.base_run_id, made.activities) == ("w", first.run_id, ["act (1)"])
    await until(lambda: worker.started)
    worker.started.pop()[1](ActivityOutcome(result=text("one")))
    assert (await d.close_event(run_id=made.run_id)).attributes.result == text("both")
    assert worker.started == []


async def test_a_terminated_run_goes_on_where_it_stood(driver):
    d = driver()
    worker = ScriptedWorker({"W": sequence(2)}, auto=False)
    d.handle.register_worker(worker)
    await d.start("W")
    await until(lambda: worker.started)
    await d.frontend.terminate_workflow(ask.TerminateWorkflow(d.target()))
    worker.started.clear()
    made = await d.frontend.branch_workflow(ask.RetryWorkflow(d.target()))
    await until(lambda: worker.started)
    worker.auto = True
    worker.started.pop()[1](ActivityOutcome(result=text("one")))
    assert (await d.close_event(run_id=made.run_id)).event_type.title == "WorkflowExecutionCompleted"


async def test_a_completed_run_has_nothing_to_retry(driver):
    d = driver()
    d.handle.register_worker(ScriptedWorker({"W": sequence(1)}))
    await d.start("W")
    await d.close_event()
    with pytest.raises(RPCError, match="completed: there is nothing to retry; reset or fork"):
        await d.frontend.branch_workflow(ask.RetryWorkflow(d.target()))


async def test_a_preview_writes_nothing(driver):
    d = driver()
    d.handle.register_worker(ScriptedWorker({"W": sequence(2)}))
    await d.start("W")
    await d.close_event()
    tasks = await finished_tasks(d)
    before = await d.frontend.count_workflows("default")
    for request in (
        ask.ResetWorkflow(d.target(), tasks[1]),
        ask.ForkWorkflow(d.target(), activity_id="1"),
    ):
        answer = await d.frontend.preview_branch(request)
        assert answer.run_id == ""
        assert answer.events[0].event_id == 1
    assert await d.frontend.count_workflows("default") == before


async def test_branches_go_on_by_the_code_of_the_day_unless_pinned(driver):
    d = driver()
    d.handle.register_worker(ScriptedWorker({"W": sequence(2)}))
    await d.start("W")
    await d.close_event()
    made = await fork(d, activity_id="1")
    await d.close_event(made.workflow_id)
    assert d.handle.store.find_run("default", made.workflow_id).definition == "digest of W"
    pinned = await fork(d, activity_id="1", definition="older")
    assert d.handle.store.find_run("default", pinned.workflow_id).definition == "older"
