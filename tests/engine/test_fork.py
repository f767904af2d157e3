"""Fork: a copy of a run under another workflow ID."""

from __future__ import annotations

import pytest

from durable_nb.exceptions import WorkflowAlreadyStartedError
from durable_nb.model import requests as ask
from durable_nb.model.attributes import (
    ActivityTaskCompleted,
    ActivityTaskScheduled,
)
from durable_nb.model.enums import WorkflowExecutionStatus
from durable_nb.service import RPCError, RPCStatusCode
from tests.engine.branching import fork, parent, status
from tests.engine.conftest import until
from tests.engine.scripts import ScriptedWorker, sequence, text, until_signal


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
