"""Retry of open and closed runs, previews, and the code that branches go on by."""

from __future__ import annotations

import pytest

from durable_nb.model import requests as ask
from durable_nb.model.tasks import ActivityOutcome
from durable_nb.service import RPCError
from tests.engine.branching import AGAIN, FATAL, finished_tasks, fork, gather
from tests.engine.conftest import until
from tests.engine.scripts import ScriptedWorker, sequence, text


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
