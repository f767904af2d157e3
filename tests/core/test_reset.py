"""Reset: the new history, what is done again, what is kept, and when it is refused."""

from __future__ import annotations

import pytest

from durable_nb.core import activities, closing, others, requests
from durable_nb.core.points import PointError
from durable_nb.core.start import start_child
from durable_nb.core.state import CLOSE_CHILD, JOIN_CHILD
from durable_nb.core.transition import Transition
from durable_nb.model.attributes import (
    ActivityTaskCancelRequested,
    SignalExternalWorkflowExecutionInitiated,
    StartChildWorkflowExecutionInitiated,
    TimerStarted,
    UpdateInput,
    UpdateMeta,
    UpdateOutcome,
    UpdateRequestAttributes,
    UpsertWorkflowSearchAttributes,
    WorkflowExecutionCompleted,
    WorkflowExecutionSignaled,
    WorkflowExecutionStarted,
    WorkflowExecutionUpdateAccepted,
    WorkflowExecutionUpdateCompleted,
    WorkflowPropertiesModified,
    WorkflowTaskFailed,
)
from durable_nb.model.commands import WorkflowTaskFailure
from durable_nb.model.enums import WorkflowTaskFailedCause
from durable_nb.model.events import Event
from durable_nb.model.failure import Failure, WorkflowExecution
from durable_nb.model.requests import ResetTo, ResetWorkflow, SignalInput, Target
from durable_nb.model.tasks import UpdateRequest
from tests.core.world import NOON, SECOND, World, activity, reset, text


def signal(world: World, name: str, request_id: str = "") -> None:
    world.do(lambda tx: requests.signal(tx, SignalInput(name, request_id=request_id), "me"))


def reset_of(world: World, event_id: int, **options) -> Transition:
    request = ResetWorkflow(Target("default", "wf"), event_id, reason="bad luck", identity="me", **options)
    run_id = "new-run" if len(world.runs) == 1 else "newer-run"
    return reset(world, request, 99 + len(world.runs), run_id)


def after_reset(world: World, event_id: int, **options) -> World:
    tx = reset_of(world, event_id, **options)
    if world.state.is_open:
        world.do(lambda old: closing.terminate(old, "reset", None, "me"))
    world.commit(tx)
    return world


def two_steps() -> World:
    """Activity "1" (5-7), task (8-10), activity "2" (11-13), task (14-16), end (17)."""
    world = World().start(input=text("in"))
    world.task(activity("1"))
    world.complete_activity("1")
    world.task(activity("2"))
    world.complete_activity("2")
    world.task(WorkflowExecutionCompleted())
    return world


@pytest.mark.parametrize("event_id", [9, 10])
def test_the_new_history_is_the_prefix_a_failed_task_and_a_new_one(event_id):
    world = two_steps()
    old = list(world.events)
    world.now += 3600 * SECOND
    after_reset(world, event_id)
    assert world.events[1:9] == old[1:9]
    assert world.titles(10) == ["WorkflowTaskFailed", "WorkflowTaskScheduled"]
    assert world.events[9].attributes == WorkflowTaskFailed(
        scheduled_event_id=8,
        started_event_id=9,
        cause=WorkflowTaskFailedCause.RESET_WORKFLOW,
        failure=Failure(message="bad luck", source="Server"),
        identity="me",
        base_run_id="run-1",
        new_run_id="new-run",
    )
    assert world.events[9].event_time == world.now
    assert world.state.is_open
    world.task(activity("2"))
    assert world.attempt("2").is_started


def test_the_seed_and_the_chain_stay():
    world = after_reset(two_steps(), 4)
    started = world.last(WorkflowExecutionStarted)
    assert (started.original_execution_run_id, started.first_execution_run_id) == ("run-1", "run-1")
    assert (world.state.run_id, world.state.first_execution_run_id, world.rows.run.run_id) == (
        "new-run",
        "run-1",
        "new-run",
    )
    assert started.input == text("in")


def test_a_second_reset_keeps_the_seed_of_the_first_run():
    world = after_reset(after_reset(two_steps(), 10), 4)
    assert world.last(WorkflowExecutionStarted).original_execution_run_id == "run-1"
    assert world.last(WorkflowTaskFailed).base_run_id == "new-run"


def test_the_old_run_is_not_touched():
    world = two_steps()
    old = world.runs[1]
    before, version = list(old.events), world.state.version
    reset_of(world, 10)
    assert (old.events, world.state.version) == (before, version)
    assert old.events[0].attributes.workflow_execution_expiration_time == 0


def test_timeouts_of_the_run_and_the_chain_count_from_the_reset():
    world = World().start(run_timeout=50 * SECOND, execution_timeout=80 * SECOND)
    world.task(TimerStarted("t", SECOND))
    world.pass_time(50)
    assert not world.state.is_open
    world.now += 1000 * SECOND
    after_reset(world, 4)
    row = world.rows.run
    assert (row.start_time, row.execution_time) == (NOON + 1050 * SECOND, NOON + 1050 * SECOND)
    assert world.state.started.workflow_execution_expiration_time == NOON + 1130 * SECOND
    world.reload().pass_time(49)
    assert world.state.is_open
    world.pass_time(1)
    assert not world.state.is_open


def test_later_signals_are_applied_again_in_order_and_once():
    world = World().start()
    world.task(TimerStarted("t", 10 * SECOND))
    signal(world, "a", "ra")
    world.task()
    signal(world, "b")
    open_task = world.hold()
    signal(world, "c")
    assert world.state.buffered
    after_reset(world, 4)
    names = [e.attributes.signal_name for e in world.events if isinstance(e.attributes, WorkflowExecutionSignaled)]
    assert names == ["a", "b", "c"]
    assert world.titles(4) == [
        "WorkflowTaskFailed",
        "WorkflowExecutionSignaled",
        "WorkflowExecutionSignaled",
        "WorkflowExecutionSignaled",
        "WorkflowTaskScheduled",
    ]
    assert not world.do(lambda tx: requests.signal(tx, SignalInput("a", request_id="ra"), "me"))
    assert open_task.events == []


def test_signals_of_the_prefix_are_not_applied_twice_and_later_ones_can_be_left_out():
    world = World().start(signal=SignalInput("early"))
    world.task(TimerStarted("t", 10 * SECOND))
    signal(world, "late")
    after_reset(world, 4, reapply_signals=False)
    names = [e.attributes.signal_name for e in world.events if isinstance(e.attributes, WorkflowExecutionSignaled)]
    assert names == ["early"]


def test_timers_of_the_prefix_keep_their_instant_and_overdue_ones_fire_at_once():
    world = World().start()
    world.task(TimerStarted("short", 10 * SECOND), TimerStarted("long", 100 * SECOND))
    signal(world, "x")
    world.task()
    world.now += 50 * SECOND
    after_reset(world, len(world.events))
    assert world.rows.run.wake_at == NOON + 10 * SECOND
    world.pass_time(0)
    assert world.titles()[-2:] == ["WorkflowTaskScheduled", "TimerFired"]
    assert list(world.state.timers) == ["long"]
    world.pass_time(50)
    assert world.titles()[-1] == "TimerFired"


def test_activities_of_the_prefix_begin_anew_with_all_their_time():
    world = World().start()
    world.task(activity("1", schedule_to_close_timeout=20 * SECOND, heartbeat_timeout=9 * SECOND))
    found = world.attempt("1")
    world.do(lambda tx: activities.fail(tx, found, Failure(message="down"), "me@here"))
    signal(world, "x")
    world.task()
    world.now += 3600 * SECOND
    after_reset(world, len(world.events))
    anew = world.attempt("1")
    assert (anew.attempt, anew.is_started, anew.last_failure) == (1, True, None)
    assert world.transitions[-1].started_activities == [anew]
    world.reload().pass_time(8)
    assert world.attempt("1").is_started
    found = world.attempt("1")
    world.do(lambda tx: activities.complete(tx, found, text("r"), "me@here"))
    assert world.titles()[-2:] == ["ActivityTaskStarted", "ActivityTaskCompleted"]


def test_schedule_to_close_of_an_activity_that_begins_anew_counts_from_the_reset():
    world = World().start()
    world.task(activity("1", schedule_to_close_timeout=20 * SECOND, start_to_close_timeout=0))
    signal(world, "x")
    world.task()
    world.now += 3600 * SECOND
    after_reset(world, len(world.events))
    world.reload().pass_time(19)
    assert world.state.activities
    world.pass_time(1)
    assert not world.state.activities


def test_an_activity_whose_cancellation_the_prefix_requested_is_canceled():
    world = World().start()
    world.task(activity("1"))
    signal(world, "x")
    world.task(ActivityTaskCancelRequested(5))
    signal(world, "y")
    world.task()
    after_reset(world, len(world.events))
    assert "ActivityTaskCanceled" in world.titles()
    assert not world.state.activities


def test_memo_and_search_attributes_are_those_of_the_prefix():
    world = World().start(memo={"m": text("0")[0]}, search_attributes={"s": text("0")[0]})
    world.task(WorkflowPropertiesModified(upserted_memo={"m": text("1")[0]}), TimerStarted("t", SECOND))
    world.pass_time(1)
    world.task(UpsertWorkflowSearchAttributes(search_attributes={"s": text("2")[0]}))
    after_reset(world, 10)
    assert (world.state.memo, world.state.search_attributes) == ({"m": text("1")[0]}, {"s": text("0")[0]})
    assert world.rows.run.memo is not None


def test_a_failed_task_is_a_point_to_reset_to():
    world = World().start()
    world.fail_task(WorkflowTaskFailure(WorkflowTaskFailedCause.NON_DETERMINISTIC_ERROR, Failure()))
    after_reset(world, 4)
    assert world.titles() == [
        "WorkflowExecutionStarted",
        "WorkflowTaskScheduled",
        "WorkflowTaskStarted",
        "WorkflowTaskFailed",
        "WorkflowTaskScheduled",
    ]


def test_a_clock_that_went_back_does_not_make_event_times_go_back():
    world = two_steps()
    world.now -= 3600 * SECOND
    after_reset(world, 10)
    assert world.events[-1].event_time == NOON


@pytest.mark.parametrize("event_id", [0, -3, 18, 1000])
def test_an_event_that_does_not_exist_is_refused_with_the_range(event_id):
    with pytest.raises(PointError, match=f"no event {event_id} .* has events 1 to 17"):
        reset_of(two_steps(), event_id)


@pytest.mark.parametrize(
    ("event_id", "name", "near"),
    [(1, "WorkflowExecutionStarted", "4, 10, 16"), (8, "WorkflowTaskScheduled", "4, 10, 16"), (12, "Activity", "10")],
)
def test_an_event_outside_a_workflow_task_is_refused_with_the_nearest_choice(event_id, name, near):
    with pytest.raises(PointError, match=f"event {event_id} .*{name}.*near it: .*{near}"):
        reset_of(two_steps(), event_id)


def test_a_run_without_a_finished_task_says_so():
    with pytest.raises(PointError, match="no workflow task has ended"):
        reset_of(World().start(), 2)


CHILD = WorkflowExecution("the-child", "r")
ENDED = WorkflowExecutionCompleted()


def with_child() -> World:
    """Child (5), its start (6), a task (7-9) with a timer (10)."""
    world = World().start()
    world.task(StartChildWorkflowExecutionInitiated(workflow_id="the-child", workflow_type="C"))
    world.do(lambda tx: others.child_started(tx, 5, CHILD))
    world.task(TimerStarted("t", SECOND))
    return world


def test_a_child_that_ended_later_gives_the_new_run_the_same_end():
    world = with_child()
    world.do(lambda tx: others.child_closed(tx, 5, CHILD, WorkflowExecutionCompleted(text("grown"))))
    world.task(WorkflowExecutionCompleted())
    after_reset(world, 9)
    assert world.titles(9) == ["WorkflowTaskFailed", "ChildWorkflowExecutionCompleted", "WorkflowTaskScheduled"]
    end = world.events[9].attributes
    assert (end.result, end.initiated_event_id, end.started_event_id) == (text("grown"), 5, 6)
    assert world.state.transfers == {}
    assert world.state.children == {}


def test_a_child_whose_start_was_recorded_later_is_started_in_the_new_run_too():
    world = with_child()
    after_reset(world, 4)
    assert world.titles(4) == ["WorkflowTaskFailed", "WorkflowTaskScheduled"]
    world = World().start()
    world.task(StartChildWorkflowExecutionInitiated(workflow_id="the-child", workflow_type="C"))
    signal(world, "x")
    world.task()
    world.do(lambda tx: others.child_started(tx, 5, CHILD))
    after_reset(world, 8)
    assert world.titles(9) == ["WorkflowTaskFailed", "ChildWorkflowExecutionStarted", "WorkflowTaskScheduled"]


def test_a_child_that_still_runs_is_asked_after_and_reports_to_the_new_run():
    world = with_child()
    tx = reset_of(world, 9)
    assert tx.transfers == {5: JOIN_CHILD}
    world.do(lambda old: closing.terminate(old, "reset", None, "me", [5]))
    assert CLOSE_CHILD not in world.state.transfers.values()
    world.commit(tx)
    world.reload()
    world.do(lambda new: others.child_closed(new, 5, WorkflowExecution("the-child", "another"), ENDED))
    assert "ChildWorkflowExecutionCompleted" not in world.titles()
    world.do(lambda new: others.child_closed(new, 5, CHILD, ENDED))
    assert "ChildWorkflowExecutionCompleted" in world.titles()


def test_children_started_after_the_point_fall_with_the_old_run():
    world = with_child()
    reset_of(world, 4)
    world.do(lambda old: closing.terminate(old, "reset", None, "me", []))
    assert list(world.state.transfers.values()) == [CLOSE_CHILD]


def test_a_child_that_is_just_being_started_asks_for_patience():
    world = World().start()
    world.task(StartChildWorkflowExecutionInitiated(workflow_id="the-child", workflow_type="C"))
    signal(world, "x")
    world.task()
    with pytest.raises(PointError, match="'the-child' is just being started: try again"):
        reset_of(world, 8)


def update(update_id: str, name: str = "change") -> UpdateRequestAttributes:
    return UpdateRequestAttributes(UpdateMeta(update_id, "you"), UpdateInput(None, name, text("v")))


def accepted(update_id: str) -> WorkflowExecutionUpdateAccepted:
    return WorkflowExecutionUpdateAccepted(update_id, f"{update_id}/request", 2, update(update_id))


def test_updates_accepted_after_the_point_are_asked_again_and_those_before_are_not():
    world = World().start()
    world.task(accepted("early"))
    signal(world, "x")
    world.task(accepted("late"))
    signal(world, "y")
    world.task(accepted("later"), WorkflowExecutionUpdateCompleted(UpdateMeta("later"), 0, UpdateOutcome(text("ok"))))
    after_reset(world, 9)
    assert list(world.state.updates) == ["early"]
    assert dict(world.state.admitted) == {
        name: UpdateRequest(name, "change", text("v"), {}, "you") for name in ("late", "later")
    }
    world.reload()
    assert list(world.state.admitted) == ["late", "later"]
    world.task(accepted("late"))
    world.reload()
    assert list(world.state.admitted) == ["later"]
    assert list(world.state.updates) == ["early", "late"]


def test_updates_can_be_left_out():
    world = World().start()
    world.task(accepted("late"))
    assert not after_reset(world, 4, reapply_updates=False).state.admitted


def test_what_was_said_to_the_run_that_continued_it_is_said_again():
    world = two_steps()
    later = [Event(2, NOON, WorkflowExecutionSignaled("s")), Event(3, NOON, accepted("u"))]
    request = ResetWorkflow(Target("default", "wf"), 10)
    tx = reset(world, request, 99, "new-run", later)
    assert [event.event_type.title for event in tx.events[10:]] == [
        "WorkflowExecutionSignaled",
        "WorkflowTaskScheduled",
    ]
    assert list(tx.state.admitted) == ["u"]


@pytest.mark.parametrize(
    ("options", "kept"),
    [({"to": ResetTo.FIRST_TASK}, 3), ({"to": ResetTo.LAST_TASK}, 15), ({"activity_id": "2"}, 9)],
)
def test_a_point_can_be_named_by_task_or_activity(options, kept):
    world = after_reset(two_steps(), 0, **options)
    assert world.titles(kept + 1)[0] == "WorkflowTaskFailed"


def test_an_unknown_activity_is_refused_with_those_that_there_are():
    with pytest.raises(PointError, match=r"no activity with id '7'; its activities are 1 \(act\), 2 \(act\)"):
        reset_of(two_steps(), 0, activity_id="7")


def test_a_signal_under_way_forbids_the_reset():
    world = World().start()
    target = WorkflowExecution("x")
    world.task(SignalExternalWorkflowExecutionInitiated(workflow_execution=target, signal_name="s"))
    signal(world, "go")
    world.task()
    with pytest.raises(PointError, match="signal or cancel request"):
        reset_of(world, len(world.events))


def test_a_reset_child_is_still_its_parents_child():
    parent = World().start()
    parent.task(StartChildWorkflowExecutionInitiated(workflow_id="c", workflow_type="C"))
    child = World()
    child.commit(start_child(child.context, parent.state, parent.state.children[5], 50, "child-run", child.now))
    child.task(WorkflowExecutionCompleted())
    after_reset(child, 4)
    row = child.rows.run
    assert (row.parent_run_id, row.parent_initiated_event_id) == (parent.state.run_id, 5)
