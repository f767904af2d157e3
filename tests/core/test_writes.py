"""What a transition writes: no more than changed, and enough for everybody who looks for work."""

from __future__ import annotations

from durable_nb.core import activities, deadlines, requests, workflow_tasks
from durable_nb.core.transition import NOT_LEASED, Transition
from durable_nb.model.attributes import (
    TimerCanceled,
    TimerStarted,
    WorkflowExecutionCompleted,
    WorkflowPropertiesModified,
)
from durable_nb.model.requests import SignalInput
from tests.core.world import NOON, SECOND, World, activity, completion, text


def signal(world: World) -> None:
    world.do(lambda tx: requests.signal(tx, SignalInput("go"), "me"))


def test_a_step_that_changes_nothing_that_lists_show_leaves_the_indexes_of_the_row_alone():
    world = World().start(run_timeout=100 * SECOND)
    signal(world)
    assert not world.writes[-1].listed_changed
    world.task(TimerStarted("t", 200 * SECOND))
    assert not world.writes[-1].listed_changed
    signal(world)
    world.task(WorkflowPropertiesModified(upserted_memo={"m": text("1")[0]}))
    assert world.writes[-1].listed_changed
    signal(world)
    assert not world.writes[-1].listed_changed


def test_while_activities_run_a_bound_that_is_merely_too_early_is_left_alone():
    world = World().start()
    world.task(activity("1", start_to_close_timeout=10 * SECOND))
    assert world.rows.run.wake_at == NOON + 10 * SECOND
    world.now += SECOND
    with world.step() as tx:
        activities.complete(tx, world.attempt("1"), text("r"), "me@here")
        asked = completion(activity("2", start_to_close_timeout=10 * SECOND))
        workflow_tasks.complete(tx, workflow_tasks.begin(tx), asked)
    assert (world.rows.run.wake_at, world.writes[-1].listed_changed) == (NOON + 10 * SECOND, False)
    world.now += 9 * SECOND
    signal(world)
    assert world.rows.run.wake_at == NOON + 11 * SECOND


def test_a_run_at_rest_is_looked_at_exactly_when_something_is_due():
    world = World().start()
    world.task(TimerStarted("near", 10 * SECOND), TimerStarted("far", 100 * SECOND))
    assert world.rows.run.wake_at == NOON + 10 * SECOND
    signal(world)
    world.task(TimerCanceled("near"))
    assert world.rows.run.wake_at == NOON + 100 * SECOND
    signal(world)
    world.task(TimerCanceled("far"))
    assert world.rows.run.wake_at == 0


def test_an_open_task_that_nobody_here_serves_is_a_row_for_others_until_it_is_done():
    world = World().start()
    row = world.rows.workflow_task
    assert (row.task_queue, row.workflow_type, row.attempt, row.owner, row.visible_at) == ("q", "W", 1, 0, NOON)
    world.task()
    assert world.rows.workflow_task is None
    with world.step() as tx:
        requests.signal(tx, SignalInput("go"), "me")
        workflow_tasks.complete(tx, workflow_tasks.begin(tx), completion())
    assert (world.writes[-1].workflow_task, world.writes[-1].had_workflow_task) == (None, False)


def test_an_activity_that_begins_and_ends_between_two_commits_leaves_no_row():
    world = World(lease=NOT_LEASED).start()
    with world.step() as tx:
        open_task = workflow_tasks.begin(tx)
        asked = [activity("1"), WorkflowExecutionCompleted()]
        workflow_tasks.complete(tx, open_task, completion(*asked))
    assert (world.writes[-1].put_activities, world.writes[-1].delete_activities) == ([], [])


def test_a_transition_without_a_decision_is_empty():
    world = World().start()
    world.task(activity())
    tx = Transition(world.state, world.now, world.context)
    deadlines.fire(tx)
    assert tx.is_empty


def test_a_run_at_rest_stores_nothing_beside_its_history():
    world = World().start()
    assert world.rows.run.transient is None
    world.task(TimerStarted("t", SECOND))
    assert world.rows.run.transient is None
    signal(world)
    open_task = world.hold()
    assert world.rows.run.transient is not None
    world.end(open_task)
    assert world.rows.run.transient is None


def test_the_size_of_the_history_is_the_size_of_what_is_stored():
    world = World().start()
    world.task(activity(), TimerStarted("t", SECOND))
    assert world.rows.run.history_size == sum(len(row.attributes) for write in world.writes for row in write.events)
