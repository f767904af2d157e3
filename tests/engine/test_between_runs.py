"""What runs do to each other: children, parent close, signals and cancels between workflows, cron and retry chains."""

from __future__ import annotations

import asyncio

import pytest

from durable_nb.model import requests as ask
from durable_nb.model.attributes import (
    RequestCancelExternalWorkflowExecutionInitiated,
    RetryPolicyAttributes,
    SignalExternalWorkflowExecutionInitiated,
    StartChildWorkflowExecutionInitiated,
    WorkflowExecutionCompleted,
    WorkflowExecutionFailed,
)
from durable_nb.model.enums import ParentClosePolicy
from durable_nb.model.failure import ApplicationFailureInfo, Failure, WorkflowExecution
from tests.engine.scripts import SECOND, ScriptedWorker, sequence, text, until_signal


def parent_of(child_type, **options):
    """Starts one child and ends with the name of the event that ended it."""

    def script(history):
        asked = [StartChildWorkflowExecutionInitiated(workflow_id="child", workflow_type=child_type, **options)]
        ends = [e.event_type.title for e in history if e.event_type.title.startswith("ChildWorkflowExecution")]
        ends += [e.event_type.title for e in history if e.event_type.title == "StartChildWorkflowExecutionFailed"]
        over = [name for name in ends if name != "ChildWorkflowExecutionStarted"]
        return [*asked, WorkflowExecutionCompleted(text(over[0]))] if over else asked

    return script


async def test_a_parent_hears_of_its_childs_start_and_end(driver):
    d = driver()
    d.handle.register_worker(ScriptedWorker({"P": parent_of("C"), "C": sequence(2)}))
    await d.start("P", "parent")
    assert (await d.close_event("parent")).attributes.result == text("ChildWorkflowExecutionCompleted")
    names = await d.event_names("parent")
    assert names.index("ChildWorkflowExecutionStarted") < names.index("ChildWorkflowExecutionCompleted")
    started = (await d.events("child"))[0].attributes
    assert started.parent_workflow_execution.workflow_id == "parent"
    assert started.root_workflow_execution.workflow_id == "parent"


async def test_the_engine_is_not_quiet_while_runs_tell_each_other_something(driver):
    d = driver()
    d.handle.register_worker(ScriptedWorker({"P": parent_of("C"), "C": sequence(2)}))
    await d.start("P", "parent")
    ending = asyncio.ensure_future(d.close_event("parent"))
    engine = d.handle.engine
    told = 0
    while not ending.done():
        owed = any(slot.state is not None and slot.state.transfers for slot in engine.slots.values())
        assert not owed or not engine.is_quiet
        told += owed
        await asyncio.sleep(0)
    assert told


async def test_a_child_whose_id_is_in_use_fails_to_start(driver):
    d = driver()
    d.handle.register_worker(ScriptedWorker({"P": parent_of("C"), "C": until_signal()}))
    await d.start("C", "child")
    await d.start("P", "parent")
    assert (await d.close_event("parent")).attributes.result == text("StartChildWorkflowExecutionFailed")


async def test_a_hundred_levels_of_children_complete(driver):
    d = driver()

    def level(number):
        def script(history):
            if number == 100:
                return [WorkflowExecutionCompleted(text("bottom"))]
            asked = [
                StartChildWorkflowExecutionInitiated(workflow_id=f"level-{number + 1}", workflow_type=f"L{number + 1}")
            ]
            over = any(e.event_type.title == "ChildWorkflowExecutionCompleted" for e in history)
            return [*asked, WorkflowExecutionCompleted(text(str(number)))] if over else asked

        return script

    d.handle.register_worker(ScriptedWorker({f"L{n}": level(n) for n in range(101)}))
    await d.start("L0", "level-0")
    assert (await d.close_event("level-0")).attributes.result == text("0")


@pytest.mark.parametrize(
    ("policy", "last_event"),
    [
        (ParentClosePolicy.TERMINATE, "WorkflowExecutionTerminated"),
        (ParentClosePolicy.REQUEST_CANCEL, "WorkflowExecutionCancelRequested"),
        (ParentClosePolicy.ABANDON, None),
    ],
)
async def test_the_parent_close_policy_decides_what_becomes_of_an_open_child(driver, policy, last_event):
    d = driver()

    def parent(history):
        asked = [
            StartChildWorkflowExecutionInitiated(workflow_id="child", workflow_type="C", parent_close_policy=policy)
        ]
        started = any(e.event_type.title == "ChildWorkflowExecutionStarted" for e in history)
        return [*asked, WorkflowExecutionCompleted(text("gone"))] if started else asked

    d.handle.register_worker(ScriptedWorker({"P": parent, "C": until_signal()}))
    await d.start("P", "parent")
    await d.close_event("parent")
    if last_event == "WorkflowExecutionTerminated":
        assert (await d.close_event("child")).event_type.title == last_event
        return
    while last_event and last_event not in await d.event_names("child"):
        await d.settle()
    assert (await d.frontend.describe_workflow(d.target("child"))).status == 1


async def test_a_signal_to_another_workflow_arrives_and_is_acknowledged(driver):
    d = driver()

    def sender(history):
        asked = [
            SignalExternalWorkflowExecutionInitiated(
                workflow_execution=WorkflowExecution("target", ""), signal_name="stop"
            )
        ]
        done = any(e.event_type.title == "ExternalWorkflowExecutionSignaled" for e in history)
        return [*asked, WorkflowExecutionCompleted(text("sent"))] if done else asked

    d.handle.register_worker(ScriptedWorker({"S": sender, "T": until_signal()}))
    await d.start("T", "target")
    await d.start("S", "sender")
    assert (await d.close_event("sender")).attributes.result == text("sent")
    assert (await d.close_event("target")).attributes.result == text("stopped")


async def test_a_cancel_of_an_unknown_workflow_is_reported_as_failed(driver):
    d = driver()

    def sender(history):
        asked = [RequestCancelExternalWorkflowExecutionInitiated(workflow_execution=WorkflowExecution("nobody", ""))]
        done = any(e.event_type.title == "RequestCancelExternalWorkflowExecutionFailed" for e in history)
        return [*asked, WorkflowExecutionCompleted(text("unknown"))] if done else asked

    d.handle.register_worker(ScriptedWorker({"S": sender}))
    await d.start("S", "sender")
    assert (await d.close_event("sender")).attributes.result == text("unknown")


async def test_a_failed_workflow_is_retried_by_its_policy_and_the_chain_is_linked(driver):
    d = driver()

    def flaky(history):
        if history[0].attributes.attempt < 3:
            return [WorkflowExecutionFailed(Failure("no", application_failure_info=ApplicationFailureInfo("Oops")))]
        return [WorkflowExecutionCompleted(text("third time"))]

    d.handle.register_worker(ScriptedWorker({"W": flaky}))
    policy = RetryPolicyAttributes(initial_interval=SECOND, backoff_coefficient=2.0)
    run_id = (await d.start("W", retry_policy=policy)).run_id
    for wait in (1, 2):
        closing = await d.close_event(run_id=run_id)
        run_id = closing.attributes.new_execution_run_id
        assert run_id
        await d.settle()
        d.clock.advance(wait * SECOND)
    assert (await d.close_event(run_id=run_id)).attributes.result == text("third time")


async def test_a_cron_workflow_runs_again_at_its_next_time_with_the_last_result(driver):
    d = driver()
    seen = []

    def job(history):
        seen.append(history[0].attributes.last_completion_result)
        return [WorkflowExecutionCompleted(text(f"run {len(seen)}"))]

    d.handle.register_worker(ScriptedWorker({"W": job}))
    run_id = (await d.start("W", cron_schedule="* * * * *")).run_id
    for _ in range(2):
        await d.settle()
        d.clock.advance(60 * SECOND)
        run_id = (await d.close_event(run_id=run_id)).attributes.new_execution_run_id
    assert seen == [None, text("run 1")]


async def test_a_parent_that_is_loaded_from_the_store_still_gets_its_childs_end(driver):
    d = driver()
    d.handle.register_worker(ScriptedWorker({"P": parent_of("C"), "C": until_signal()}))
    await d.start("P", "parent")
    while "ChildWorkflowExecutionStarted" not in await d.event_names("parent"):
        await d.settle()
    engine = d.handle.engine
    engine.slots.drop(engine.slots[engine.slots.open_runs["default", "parent"]])
    from durable_nb.model import requests as ask

    await d.frontend.signal_workflow(ask.SignalWorkflow(d.target("child"), ask.SignalInput("stop")))
    assert (await d.close_event("parent")).attributes.result == text("ChildWorkflowExecutionCompleted")


async def test_what_is_meant_for_a_child_does_not_reach_a_stranger_who_has_its_id_now(driver):
    d = driver()

    def tells_late(history):
        titles = [event.event_type.title for event in history]
        asked = [StartChildWorkflowExecutionInitiated(workflow_id="child", workflow_type="C")]
        if "WorkflowExecutionSignaled" in titles:
            target = WorkflowExecution("child")
            asked.append(
                SignalExternalWorkflowExecutionInitiated(
                    workflow_execution=target, signal_name="stop", child_workflow_only=True
                )
            )
        answers = [title for title in titles if title.startswith("SignalExternal") and title.endswith("Failed")]
        return [*asked, WorkflowExecutionCompleted(text(answers[0]))] if answers else asked

    d.handle.register_worker(ScriptedWorker({"P": tells_late, "C": sequence(0), "stranger": until_signal()}))
    await d.start("P", "parent")
    while "ChildWorkflowExecutionCompleted" not in await d.event_names("parent"):  # noqa: ASYNC110 - see ``until``
        await asyncio.sleep(0)
    await d.start("stranger", "child")
    await d.frontend.signal_workflow(ask.SignalWorkflow(d.target("parent"), ask.SignalInput("go")))
    assert (await d.close_event("parent")).attributes.result == text("SignalExternalWorkflowExecutionFailed")
    assert "WorkflowExecutionSignaled" not in await d.event_names("child")
