"""Conformance of every store: deadlines, tasks to be taken, processes that come and go."""

from __future__ import annotations

from durable_nb.model.records import ReadyTask
from durable_nb.store.protocol import Store
from tests.store.samples import COMPLETED, activity_row, insert, run_row, task_row, transfer_row, unit, update


def test_due_runs_are_open_and_told_earliest_first(store: Store) -> None:
    wakes = {1: 50, 2: 0, 3: 20, 4: 60, 5: 50}
    store.commit([unit(insert(run_row(key, wake_at=wake))) for key, wake in wakes.items()])
    store.commit([unit(insert(run_row(6, wake_at=10, status=COMPLETED)))])
    assert store.due_runs(50, 10) == [3, 1, 5]
    assert store.due_runs(50, 2) == [3, 1]
    assert store.due_runs(19, 10) == []
    assert store.next_wake() == 20


def test_a_closed_run_never_wakes(store: Store) -> None:
    run = run_row(1, wake_at=5)
    assert store.next_wake() == 0
    store.commit([unit(insert(run))])
    store.commit([unit(update(run, status=COMPLETED))])
    assert (store.next_wake(), store.due_runs(100, 10)) == (0, [])


def test_workflow_tasks_are_ready_when_visible_and_free_or_of_the_dead(store: Store) -> None:
    tasks = {1: task_row(), 2: task_row(owner=7), 3: task_row(visible_at=11), 4: task_row(owner=8, task_queue="x")}
    store.commit([unit(insert(run_row(key), workflow_task=task)) for key, task in tasks.items()])
    assert store.ready_workflow_tasks(10, [], 10) == [ReadyTask(1, "q", "Order")]
    assert {task.run_key for task in store.ready_workflow_tasks(10, [7, 99], 10)} == {1, 2}
    assert {task.run_key for task in store.ready_workflow_tasks(11, [7, 8], 10)} == {1, 2, 3, 4}
    assert len(store.ready_workflow_tasks(11, [7, 8], 2)) == 2
    assert ReadyTask(4, "x", "Order") in store.ready_workflow_tasks(11, [8], 10)


def test_ready_activities_name_each_run_once_per_activity_type(store: Store) -> None:
    activities = [
        activity_row(1),
        activity_row(2),
        activity_row(3, activity_type="ship"),
        activity_row(4, owner=7, activity_type="pack"),
        activity_row(5, visible_at=99, activity_type="bill"),
    ]
    store.commit([unit(insert(run_row(1), put_activities=activities))])
    store.commit([unit(insert(run_row(2), put_activities=[activity_row(1)]))])

    def ready(now: int, dead: list[int], limit: int = 99) -> list[tuple[int, str]]:
        return sorted((task.run_key, task.type_name) for task in store.ready_activities(now, dead, limit))

    assert ready(0, []) == [(1, "charge"), (1, "ship"), (2, "charge")]
    assert ready(0, [7]) == [(1, "charge"), (1, "pack"), (1, "ship"), (2, "charge")]
    assert (1, "bill") in ready(99, [])
    assert len(ready(0, [7], 2)) == 2


def test_ready_transfers_name_each_run_once(store: Store) -> None:
    store.commit([unit(insert(run_row(1), put_transfers=[transfer_row(1), transfer_row(2)]))])
    store.commit([unit(insert(run_row(2), put_transfers=[transfer_row(1, owner=5)]))])
    assert store.ready_transfers([], 10) == [1]
    assert sorted(store.ready_transfers([5], 10)) == [1, 2]
    assert len(store.ready_transfers([5], 1)) == 1


def test_processes_get_growing_keys_that_are_never_used_again(store: Store) -> None:
    first, second = store.register_process("a", 100), store.register_process("b", 101)
    assert 0 < first.process_key < second.process_key
    assert (first.identity, first.started_at, first.heartbeat_at) == ("a", 100, 100)
    assert store.list_processes() == [first, second]
    store.unregister_process(second.process_key)
    third = store.register_process("c", 102)
    assert third.process_key > second.process_key
    assert [row.identity for row in store.list_processes()] == ["a", "c"]


def test_a_process_is_dead_when_its_heartbeat_is_older_than_the_lease(store: Store) -> None:
    early, late = store.register_process("early", 100), store.register_process("late", 100)
    assert store.heartbeat(late.process_key, 200)
    assert store.dead_owners(200, 100) == []
    assert store.dead_owners(201, 100) == [early.process_key]
    assert [row.identity for row in store.list_processes()] == ["late"]
    assert not store.heartbeat(early.process_key, 202)
    assert store.heartbeat(late.process_key, 202)
    # It owns nothing, so nobody need hear of it again.
    assert store.dead_owners(203, 100) == []


def test_owners_without_a_process_are_dead_until_their_work_is_taken_over(store: Store) -> None:
    alive = store.register_process("alive", 100).process_key
    gone = [store.register_process("gone", 100).process_key for _ in range(3)]
    runs = [run_row(key) for key in (1, 2, 3, 4)]
    store.commit(
        [
            unit(insert(runs[0], put_activities=[activity_row(1, owner=gone[0]), activity_row(2, owner=alive)])),
            unit(insert(runs[1], workflow_task=task_row(owner=gone[1]))),
            unit(insert(runs[2], put_transfers=[transfer_row(1, owner=gone[2]), transfer_row(2, owner=0)])),
            unit(insert(runs[3], put_activities=[activity_row(1, owner=gone[0])])),
        ]
    )
    for key in gone:
        store.unregister_process(key)
    assert store.dead_owners(100, 1000) == gone
    assert store.dead_owners(100, 1000) == gone
    store.commit([unit(update(runs[1], workflow_task=task_row(owner=alive), had_workflow_task=True))])
    assert store.dead_owners(100, 1000) == [gone[0], gone[2]]


def test_a_process_that_wakes_after_its_work_was_taken_over_loses(store: Store) -> None:
    sleeper, heir = store.register_process("sleeper", 100), store.register_process("heir", 100)
    run = run_row(1)
    store.commit([unit(insert(run, put_activities=[activity_row(1, owner=sleeper.process_key)]))])
    store.heartbeat(heir.process_key, 1000)
    assert store.dead_owners(1000, 500) == [sleeper.process_key]
    taken = update(run, listed_changed=False, put_activities=[activity_row(1, owner=heir.process_key, token=2)])
    assert store.commit([unit(taken)]) == [None]
    late = update(run, listed_changed=False, delete_activities=[1])
    assert store.commit([unit(late)])[0].kind == "version"
    assert not store.heartbeat(sleeper.process_key, 1001)
    assert store.load_run(1).activities[0].owner == heir.process_key
