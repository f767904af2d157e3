"""Reset: what comes again, what becomes of children, and who makes room."""

from __future__ import annotations

import asyncio

import pytest

from durable_nb.model import requests as ask
from durable_nb.model.enums import WorkflowExecutionStatus
from tests.engine.branching import child_runs, finished_tasks, parent, status
from tests.engine.scripts import SECOND, ScriptedWorker, text, until_signal


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
