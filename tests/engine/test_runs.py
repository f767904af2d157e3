"""Runs from start to end: events and their order, workflow ID rules, signals, queries, updates, timers."""

from __future__ import annotations

import pytest

from durable_nb.exceptions import WorkflowAlreadyStartedError
from durable_nb.model import requests as ask
from durable_nb.model.attributes import WorkflowExecutionCompleted, WorkflowExecutionContinuedAsNew
from durable_nb.model.enums import WorkflowExecutionStatus, WorkflowIDConflictPolicy, WorkflowIDReusePolicy
from durable_nb.model.tasks import ActivityOutcome
from durable_nb.service import RPCError, RPCStatusCode
from tests.engine.conftest import until
from tests.engine.scripts import SECOND, ScriptedWorker, sequence, sleeper, text, until_signal


async def test_a_run_of_one_activity_has_exactly_temporals_eleven_events(driver):
    d = driver()
    d.handle.register_worker(ScriptedWorker({"W": sequence(1)}))
    await d.start("W")
    closing = await d.close_event()
    assert closing.attributes.result == text("done")
    assert await d.event_names() == [
        "WorkflowExecutionStarted",
        "WorkflowTaskScheduled",
        "WorkflowTaskStarted",
        "WorkflowTaskCompleted",
        "ActivityTaskScheduled",
        "ActivityTaskStarted",
        "ActivityTaskCompleted",
        "WorkflowTaskScheduled",
        "WorkflowTaskStarted",
        "WorkflowTaskCompleted",
        "WorkflowExecutionCompleted",
    ]
    assert [event.event_id for event in await d.events()] == list(range(1, 12))


async def test_a_sequential_step_costs_one_commit(driver):
    d = driver()
    d.handle.register_worker(ScriptedWorker({"W": sequence(10)}))
    before = d.handle.commit_stats.units
    await d.start("W")
    await d.close_event()
    assert d.handle.commit_stats.units - before == 11


async def test_an_open_workflow_id_refuses_a_second_start_and_names_the_run(driver):
    d = driver()
    d.handle.register_worker(ScriptedWorker({"W": until_signal()}))
    first = await d.start("W")
    with pytest.raises(WorkflowAlreadyStartedError) as refused:
        await d.start("W")
    assert refused.value.run_id == first.run_id


async def test_use_existing_answers_with_the_open_run(driver):
    d = driver()
    d.handle.register_worker(ScriptedWorker({"W": until_signal()}))
    first = await d.start("W")
    second = await d.start("W", id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING)
    assert (second.run_id, second.started) == (first.run_id, False)


async def test_terminate_existing_ends_the_open_run_and_starts_another(driver):
    d = driver()
    d.handle.register_worker(ScriptedWorker({"W": until_signal()}))
    first = await d.start("W")
    second = await d.start("W", id_conflict_policy=WorkflowIDConflictPolicy.TERMINATE_EXISTING)
    assert second.run_id != first.run_id
    assert (await d.event_names(run_id=first.run_id))[-1] == "WorkflowExecutionTerminated"


@pytest.mark.parametrize(
    ("policy", "allowed"),
    [
        (WorkflowIDReusePolicy.ALLOW_DUPLICATE, True),
        (WorkflowIDReusePolicy.ALLOW_DUPLICATE_FAILED_ONLY, False),
        (WorkflowIDReusePolicy.REJECT_DUPLICATE, False),
    ],
)
async def test_the_reuse_policy_decides_about_the_id_of_a_completed_run(driver, policy, allowed):
    d = driver()
    d.handle.register_worker(ScriptedWorker({"W": sequence(0)}))
    await d.start("W")
    await d.close_event()
    if allowed:
        assert (await d.start("W", id_reuse_policy=policy)).started
    else:
        with pytest.raises(WorkflowAlreadyStartedError):
            await d.start("W", id_reuse_policy=policy)


async def test_an_id_stays_forbidden_when_its_run_closes_while_a_start_is_decided(driver, monkeypatch):
    d = driver()
    d.handle.register_worker(ScriptedWorker({"W": until_signal()}))
    first = await d.start("W")

    read = d.handle.engine.read

    async def closed_meanwhile(*args):
        monkeypatch.setattr(d.handle.engine, "read", read)
        row = await read(*args)
        if row.status == WorkflowExecutionStatus.RUNNING:
            await d.frontend.signal_workflow(ask.SignalWorkflow(d.target(), ask.SignalInput("stop")))
            await d.close_event()
        return row

    # As where the run was begun by another process.
    monkeypatch.setattr(type(d.handle.engine.slots), "find", lambda *_: None)
    monkeypatch.setattr(d.handle.engine, "read", closed_meanwhile)
    with pytest.raises(WorkflowAlreadyStartedError) as refused:
        await d.start(
            "W",
            id_reuse_policy=WorkflowIDReusePolicy.REJECT_DUPLICATE,
            id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
        )
    assert refused.value.run_id == first.run_id


async def test_signal_with_start_puts_the_signal_right_after_the_start(driver):
    d = driver()
    d.handle.register_worker(ScriptedWorker({"W": until_signal()}))
    await d.start("W", signal=ask.SignalInput("stop", text("now")))
    await d.close_event()
    assert (await d.event_names())[:3] == [
        "WorkflowExecutionStarted",
        "WorkflowExecutionSignaled",
        "WorkflowTaskScheduled",
    ]


async def test_ten_thousand_signals_reach_one_run_in_order(driver):
    d = driver()
    d.handle.register_worker(ScriptedWorker({"W": until_signal()}))
    await d.start("W")
    for number in range(10_000):
        d.handle.engine.push(
            d.handle.engine.slots.open_runs["default", "w"],
            _signal(f"s{number}"),
        )
    await d.frontend.signal_workflow(ask.SignalWorkflow(d.target(), ask.SignalInput("stop")))
    await d.close_event()
    names = [e.attributes.signal_name for e in await d.events() if e.event_type.title == "WorkflowExecutionSignaled"]
    assert names == [*(f"s{n}" for n in range(10_000)), "stop"]


def _signal(name):
    from durable_nb.engine.inputs import Signal

    return Signal(ask.SignalInput(name), "me", None)


async def test_requests_to_an_unknown_workflow_are_not_found(driver):
    d = driver()
    for request in (
        d.frontend.signal_workflow(ask.SignalWorkflow(d.target("nobody"), ask.SignalInput("x"))),
        d.frontend.cancel_workflow(ask.CancelWorkflow(d.target("nobody"))),
        d.frontend.terminate_workflow(ask.TerminateWorkflow(d.target("nobody"))),
        d.frontend.describe_workflow(d.target("nobody")),
    ):
        with pytest.raises(RPCError) as refused:
            await request
        assert refused.value.status is RPCStatusCode.NOT_FOUND


async def test_requests_to_a_closed_run_are_not_found(driver):
    d = driver()
    d.handle.register_worker(ScriptedWorker({"W": sequence(0)}))
    started = await d.start("W")
    await d.close_event()
    with pytest.raises(RPCError) as refused:
        await d.frontend.signal_workflow(ask.SignalWorkflow(d.target(run_id=started.run_id), ask.SignalInput("x")))
    assert refused.value.status is RPCStatusCode.NOT_FOUND


async def test_cancel_guarded_by_another_chain_is_refused(driver):
    d = driver()
    d.handle.register_worker(ScriptedWorker({"W": until_signal()}))
    await d.start("W")
    guarded = ask.Target("default", "w", first_execution_run_id="another")
    with pytest.raises(RPCError) as refused:
        await d.frontend.cancel_workflow(ask.CancelWorkflow(guarded))
    assert refused.value.status is RPCStatusCode.NOT_FOUND


async def test_a_timer_fires_when_the_clock_reaches_it(driver):
    d = driver()
    d.handle.register_worker(ScriptedWorker({"W": sleeper(3600 * SECOND)}))
    await d.start("W")
    await d.settle()
    assert "TimerFired" not in await d.event_names()
    d.clock.advance(3600 * SECOND)
    await d.close_event()
    fired = next(e for e in await d.events() if e.event_type.title == "TimerFired")
    started = next(e for e in await d.events() if e.event_type.title == "TimerStarted")
    assert fired.event_time - started.event_time == 3600 * SECOND


async def test_event_times_never_go_back_when_the_clock_does(driver):
    d = driver()
    d.handle.register_worker(ScriptedWorker({"W": until_signal()}))
    await d.start("W")
    d.clock.advance(-3600 * SECOND)
    await d.frontend.signal_workflow(ask.SignalWorkflow(d.target(), ask.SignalInput("stop")))
    await d.close_event()
    times = [event.event_time for event in await d.events()]
    assert times == sorted(times)


async def test_a_query_is_answered_and_leaves_no_event(driver):
    d = driver()
    d.handle.register_worker(ScriptedWorker({"W": until_signal()}))
    await d.start("W")
    before = await d.event_names()
    answer = await d.frontend.query_workflow(ask.QueryWorkflow(d.target(), "state"))
    assert answer.result[0].data.startswith(b'"state:')
    assert await d.event_names() == before


async def test_a_closed_run_answers_queries_by_replay(driver):
    d = driver()
    d.handle.register_worker(ScriptedWorker({"W": sequence(1)}))
    await d.start("W")
    await d.close_event()
    answer = await d.frontend.query_workflow(ask.QueryWorkflow(d.target(), "state"))
    assert answer.result == text("state:11")


async def test_the_reject_condition_refuses_queries_to_closed_runs(driver):
    d = driver()
    d.handle.register_worker(ScriptedWorker({"W": sequence(0)}))
    await d.start("W")
    await d.close_event()
    answer = await d.frontend.query_workflow(ask.QueryWorkflow(d.target(), "state", reject_condition=2))
    assert answer.rejected is WorkflowExecutionStatus.COMPLETED


async def test_an_accepted_update_completes_and_its_id_finds_the_outcome_again(driver):
    d = driver()
    d.handle.register_worker(ScriptedWorker({"W": until_signal()}))
    await d.start("W")
    request = ask.UpdateWorkflow(d.target(), "u1", "good", text("v"), wait_completed=True)
    assert (await d.frontend.update_workflow(request)).outcome.success == text("v")
    assert (await d.frontend.update_workflow(request)).outcome.success == text("v")
    names = await d.event_names()
    assert names.count("WorkflowExecutionUpdateAccepted") == 1
    assert names[-2:] == ["WorkflowExecutionUpdateAccepted", "WorkflowExecutionUpdateCompleted"]


async def test_a_rejected_update_leaves_no_event_at_all(driver):
    d = driver()
    d.handle.register_worker(ScriptedWorker({"W": until_signal()}))
    await d.start("W")
    before = await d.event_names()
    result = await d.frontend.update_workflow(ask.UpdateWorkflow(d.target(), "u", "bad", wait_completed=True))
    assert result.outcome.failure.message == "rejected"
    assert await d.event_names() == before
    await d.frontend.signal_workflow(ask.SignalWorkflow(d.target(), ask.SignalInput("stop")))
    assert (await d.close_event()).attributes.result == text("stopped")


async def test_update_with_start_starts_once_and_updates_the_open_run_later(driver):
    d = driver()
    d.handle.register_worker(ScriptedWorker({"W": until_signal()}))

    async def call(update_id):
        start = ask.StartWorkflow("default", "w", "W", "q", id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING)
        update = ask.UpdateWorkflow(d.target(), update_id, "good", text(update_id), wait_completed=True)
        return await d.frontend.update_with_start(ask.UpdateWithStart(start, update))

    first, second = await call("a"), await call("b")
    assert first.started.started
    assert not second.started.started
    assert first.started.run_id == second.started.run_id
    assert second.update.outcome.success == text("b")


async def test_a_failed_workflow_task_is_tried_again_and_leaves_one_triple(driver):
    d = driver()
    worker = ScriptedWorker({"W": sequence(0)})
    worker.fail_next = RuntimeError("bug in the cell")
    notices = []
    d.handle.on_notice(notices.append)
    d.handle.register_worker(worker)
    await d.start("W")
    await d.settle()
    described = await d.frontend.describe_workflow(d.target())
    assert described.status is WorkflowExecutionStatus.RUNNING
    assert described.pending_workflow_task.last_failure.message == "bug in the cell"
    assert notices[0].kind == "workflow_task_failed"
    assert notices[0].message.endswith("(attempt 1): Bug: bug in the cell")
    d.clock.advance(SECOND)
    await d.close_event()
    assert (await d.event_names()).count("WorkflowTaskFailed") == 1


async def test_fixed_code_goes_on_at_once(driver):
    d = driver()
    worker = ScriptedWorker({"W": sequence(0)})
    worker.fail_next = RuntimeError("bug in the cell")
    d.handle.register_worker(worker)
    await d.start("W")
    await d.settle()
    d.handle.definitions_changed(worker)
    assert isinstance((await d.close_event()).attributes, WorkflowExecutionCompleted)


async def test_continue_as_new_follows_under_the_same_id_with_a_new_run(driver):
    d = driver()

    def script(history):
        if history[0].attributes.input == text("last"):
            return [WorkflowExecutionCompleted(text("end"))]
        return [WorkflowExecutionContinuedAsNew(input=text("last"))]

    d.handle.register_worker(ScriptedWorker({"W": script}))
    first = await d.start("W", input=text("first"))
    closing = await d.close_event(run_id=first.run_id)
    following = closing.attributes.new_execution_run_id
    assert (await d.close_event(run_id=following)).attributes.result == text("end")
    started = (await d.events(run_id=following))[0].attributes
    assert started.continued_execution_run_id == first.run_id
    assert started.first_execution_run_id == first.run_id


async def test_a_start_delay_holds_the_first_workflow_task_back(driver):
    d = driver()
    d.handle.register_worker(ScriptedWorker({"W": sequence(0)}))
    await d.start("W", start_delay=60 * SECOND)
    await d.settle()
    assert await d.event_names() == ["WorkflowExecutionStarted"]
    d.clock.advance(60 * SECOND)
    await d.close_event()


async def test_the_run_timeout_closes_the_run(driver):
    d = driver()
    d.handle.register_worker(ScriptedWorker({"W": until_signal()}))
    await d.start("W", run_timeout=5 * SECOND)
    d.clock.advance(5 * SECOND)
    assert (await d.close_event()).event_type.title == "WorkflowExecutionTimedOut"


async def test_ids_in_any_script_are_kept(driver):
    d = driver()
    d.handle.register_worker(ScriptedWorker({"W": sequence(0)}))
    name = "заказ-🧪-\u0000-" + "x" * 500
    await d.start("W", name)
    await d.close_event(name)
    assert [row.workflow_id for row in await d.frontend.list_workflows(ask.ListWorkflows("default"))] == [name]


async def test_a_run_keeps_the_digest_of_the_definition_it_started_on(driver):
    d = driver()
    d.handle.register_worker(ScriptedWorker({"W": until_signal()}))
    started = await d.start("W")
    await d.settle()
    assert d.handle.store.find_run("default", "w", started.run_id).definition == "digest of W"


@pytest.mark.parametrize("closed", [False, True])
async def test_a_reset_goes_on_from_the_chosen_task_and_starts_its_pending_activity_anew(driver, closed):
    d = driver()
    worker = ScriptedWorker({"W": sequence(2)}, auto=False)
    d.handle.register_worker(worker)
    first = await d.start("W")
    await until(lambda: worker.started)
    worker.started.pop()[1](ActivityOutcome(result=text("one")))
    await until(lambda: worker.started)
    if closed:
        worker.started.pop()[1](ActivityOutcome(result=text("two")))
        await d.close_event(run_id=first.run_id)
    worker.started.clear()
    finished = [
        e.event_id for e in await d.events(run_id=first.run_id) if e.event_type.title == "WorkflowTaskCompleted"
    ]
    run_id = await d.reset(ask.ResetWorkflow(d.target(run_id=first.run_id), finished[1], "again"))
    assert run_id != first.run_id
    last = (await d.event_names(run_id=first.run_id))[-1]
    assert last == ("WorkflowExecutionCompleted" if closed else "WorkflowExecutionTerminated")
    while (await d.frontend.describe_workflow(d.target(run_id=run_id))).status is WorkflowExecutionStatus.RUNNING:
        await d.settle()
        if worker.started:
            worker.started.pop()[1](ActivityOutcome(result=text("new")))
    names = await d.event_names(run_id=run_id)
    assert names.count("WorkflowTaskFailed") == 1
    assert names[-1] == "WorkflowExecutionCompleted"
