"""Conformance of every store: compare and set, all or nothing, one open run per workflow ID, compare and start."""

from __future__ import annotations

import threading

import pytest

from durable_nb.model.records import Conflict
from durable_nb.store.protocol import Store
from tests.store.samples import (
    COMPLETED,
    CONTINUED,
    activity_row,
    attempt_row,
    event_row,
    insert,
    run_row,
    task_row,
    transfer_row,
    unit,
    update,
)


def test_a_committed_run_is_loaded_as_it_was_written(store: Store) -> None:
    run = run_row(
        7, "заказ 7", memo=b'{"a":1}', search_attributes=b'{"b":2}', transient=b"\x00\xff", wake_at=9, definition="abc"
    )
    write = insert(
        run,
        events=[event_row(1), event_row(2, user_metadata=b'{"summary":{"data":"eA=="}}')],
        put_activities=[activity_row(5, owner=3, state=b'{"x":1}'), activity_row(4)],
        attempts=[attempt_row(5, failure=b'{"message":"no"}', heartbeat_details=b"[]", next_attempt_at=77)],
        workflow_task=task_row(owner=2, visible_at=8),
        put_transfers=[transfer_row(2, owner=3), transfer_row(1, body=b"\x00")],
    )
    assert store.commit([unit(write)]) == [None]
    loaded = store.load_run(7)
    assert loaded is not None
    assert loaded.run == run
    assert [event.event_id for event in loaded.events] == [1, 2]
    assert loaded.events[1].event_time == 5002
    assert loaded.events[1].user_metadata is not None
    assert loaded.events[1].user_metadata.summary.data == b"x"
    assert loaded.activities == [activity_row(4), activity_row(5, owner=3, state=b'{"x":1}')]
    assert loaded.workflow_task == task_row(owner=2, visible_at=8)
    assert loaded.transfers == [transfer_row(1, body=b"\x00"), transfer_row(2, owner=3)]
    assert store.read_attempts(7) == write.attempts


def test_nothing_is_written_for_no_units(store: Store) -> None:
    assert store.commit([]) == []


def test_an_update_replaces_the_row_and_its_work(store: Store) -> None:
    run = run_row(1)
    store.commit(
        [
            unit(
                insert(
                    run,
                    events=[event_row(1)],
                    put_activities=[activity_row(1), activity_row(2)],
                    workflow_task=task_row(),
                    put_transfers=[transfer_row(1), transfer_row(2)],
                )
            )
        ]
    )
    changed = update(
        run,
        status=COMPLETED,
        close_time=99,
        next_event_id=3,
        memo=b"{}",
        task_queue="other",
        events=[event_row(2)],
        put_activities=[activity_row(2, token=9), activity_row(3)],
        delete_activities=[1],
        had_workflow_task=True,
        delete_transfers=[1],
        put_transfers=[transfer_row(3)],
    )
    assert store.commit([unit(changed)]) == [None]
    loaded = store.load_run(1)
    assert loaded is not None
    assert loaded.run == changed.run
    assert [event.event_id for event in loaded.events] == [1, 2]
    assert loaded.activities == [activity_row(2, token=9), activity_row(3)]
    assert loaded.workflow_task is None
    assert [row.transfer_id for row in loaded.transfers] == [2, 3]


def test_a_narrow_update_changes_only_what_it_promises(store: Store) -> None:
    run = run_row(1, wake_at=50)
    store.commit([unit(insert(run))])
    narrow = update(run, listed_changed=False, next_event_id=9, history_size=5, transient=b"t", memo=b"lost", wake_at=1)
    assert store.commit([unit(narrow)]) == [None]
    loaded = store.load_run(1)
    assert loaded is not None
    expected = run_row(1, wake_at=50, version=2, next_event_id=9, history_size=5, transient=b"t")
    assert loaded.run == expected


def test_identity_fields_of_a_run_never_change(store: Store) -> None:
    run = run_row(1)
    store.commit([unit(insert(run))])
    store.commit([unit(update(run, workflow_id="stolen", run_id="other", start_time=1, workflow_type="X"))])
    loaded = store.load_run(1)
    assert loaded is not None
    assert loaded.run == run_row(1, version=2)


def test_a_workflow_task_row_stays_when_the_write_neither_sets_nor_had_one(store: Store) -> None:
    run = run_row(1)
    store.commit([unit(insert(run, workflow_task=task_row()))])
    store.commit([unit(update(run, listed_changed=False))])
    loaded = store.load_run(1)
    assert loaded is not None
    assert loaded.workflow_task == task_row()


@pytest.mark.parametrize("listed", [True, False])
def test_a_stale_version_loses(store: Store, listed: bool) -> None:
    run = run_row(1)
    store.commit([unit(insert(run))])
    store.commit([unit(update(run))])
    stale = update(run, listed_changed=listed, events=[event_row(1)], put_activities=[activity_row(1)])
    assert store.commit([unit(stale)]) == [Conflict("version", 1)]
    loaded = store.load_run(1)
    assert loaded is not None
    assert (loaded.run.version, loaded.events, loaded.activities) == (2, [], [])


def test_a_run_that_is_gone_loses(store: Store) -> None:
    assert store.commit([unit(update(run_row(5)))]) == [Conflict("version", 5)]
    assert store.load_run(5) is None


def test_losing_units_leave_the_others_of_the_commit_alone(store: Store) -> None:
    runs = [run_row(key) for key in range(1, 41)]
    assert store.commit([unit(insert(run)) for run in runs]) == [None] * 40
    store.commit([unit(update(runs[3])), unit(update(runs[20]))])
    answers = store.commit([unit(update(run, events=[event_row(1)])) for run in runs])
    losers = {4, 21}
    assert answers == [Conflict("version", run.run_key) if run.run_key in losers else None for run in runs]
    for run in runs:
        loaded = store.load_run(run.run_key)
        assert loaded is not None
        assert loaded.run.version == 2
        assert len(loaded.events) == (0 if run.run_key in losers else 1)


def test_a_unit_is_written_as_a_whole_or_not_at_all(store: Store) -> None:
    first, second = run_row(1), run_row(2)
    store.commit([unit(insert(first)), unit(insert(second))])
    store.commit([unit(update(second))])
    answers = store.commit([unit(update(first, events=[event_row(1)]), update(second, events=[event_row(1)]))])
    assert answers == [Conflict("version", 2)]
    assert store.read_events(1) == []
    assert store.load_run(1).run.version == 1


def test_two_units_of_one_commit_cannot_write_the_same_run(store: Store) -> None:
    run = run_row(1)
    store.commit([unit(insert(run))])
    again = update(update(run).run, delete_activities=[4])
    answers = store.commit([unit(update(run, listed_changed=False, put_activities=[activity_row(4)])), unit(again)])
    assert answers == [None, Conflict("version", 1)]
    loaded = store.load_run(1)
    assert loaded is not None
    assert (loaded.run.version, len(loaded.activities)) == (2, 1)


def test_an_open_workflow_id_refuses_a_second_run(store: Store) -> None:
    store.commit([unit(insert(run_row(1, "order")))])
    assert store.commit([unit(insert(run_row(2, "order")))]) == [Conflict("workflow_id", 1)]
    assert store.load_run(2) is None
    assert store.commit([unit(insert(run_row(3, "order", namespace="other")))]) == [None]


def test_of_two_new_runs_with_one_workflow_id_in_a_commit_the_first_wins(store: Store) -> None:
    answers = store.commit([unit(insert(run_row(1, "order"))), unit(insert(run_row(2, "order")))])
    assert answers == [None, Conflict("workflow_id", 1)]


def test_a_workflow_id_is_free_once_its_run_closed_even_within_one_commit(store: Store) -> None:
    first = run_row(1, "order")
    store.commit([unit(insert(first))])
    answers = store.commit([unit(update(first, status=COMPLETED)), unit(insert(run_row(2, "order")))])
    assert answers == [None, None]
    assert store.find_run("default", "order").run_key == 2


def test_a_start_before_the_closing_of_its_namesake_is_refused(store: Store) -> None:
    first = run_row(1, "order")
    store.commit([unit(insert(first))])
    # A third unit that must lose makes the store look at every unit.
    lost = unit(update(run_row(9)))
    answers = store.commit([lost, unit(update(first, status=COMPLETED)), unit(insert(run_row(2, "order")))])
    assert answers == [Conflict("version", 9), None, None]
    answers = store.commit([lost, unit(insert(run_row(3, "order"))), unit(update(run_row(2, "order"), status=2))])
    assert answers == [Conflict("version", 9), Conflict("workflow_id", 2), None]


@pytest.mark.parametrize("successor_first", [True, False])
def test_a_run_closes_and_its_successor_opens_in_one_unit(store: Store, successor_first: bool) -> None:
    first = run_row(1, "loop")
    store.commit([unit(insert(first))])
    writes = [update(first, status=CONTINUED), insert(run_row(2, "loop"))]
    assert store.commit([unit(*(reversed(writes) if successor_first else writes))]) == [None]
    assert store.find_run("default", "loop").run_key == 2
    assert store.find_run("default", "loop", "run-1").status == CONTINUED


def test_a_successor_is_refused_when_its_predecessor_lost(store: Store) -> None:
    first = run_row(1, "loop")
    store.commit([unit(insert(first))])
    store.commit([unit(update(first))])
    answers = store.commit([unit(update(first, status=CONTINUED), insert(run_row(2, "loop")))])
    assert answers == [Conflict("version", 1)]
    assert store.load_run(2) is None


def test_a_run_that_closed_within_its_first_write_needs_a_free_workflow_id_too(store: Store) -> None:
    store.commit([unit(insert(run_row(1, "order")))])
    closed = run_row(2, "order", status=COMPLETED)
    assert store.commit([unit(insert(closed))]) == [Conflict("workflow_id", 1)]
    assert store.commit([unit(insert(closed, imported=True))]) == [None]
    ended = unit(update(run_row(1, "order"), status=COMPLETED))
    assert store.commit([ended, unit(insert(run_row(3, "order", status=COMPLETED)))]) == [None, None]


@pytest.mark.parametrize("successor_first", [True, False])
def test_a_new_run_may_close_and_its_successor_open_in_one_unit(store: Store, successor_first: bool) -> None:
    writes = [insert(run_row(1, "loop", status=CONTINUED), expected_latest=0), insert(run_row(2, "loop"))]
    assert store.commit([unit(*(reversed(writes) if successor_first else writes))]) == [None]
    assert store.find_run("default", "loop").run_key == 2


def test_a_start_is_refused_unless_the_latest_run_is_the_expected_one(store: Store) -> None:
    def start(run_key: int, expected: int, **fields: int) -> list[Conflict | None]:
        run = run_row(run_key, "order", status=COMPLETED, **fields)
        return store.commit([unit(insert(run, expected_latest=expected))])

    assert start(1, 5) == [Conflict("workflow_id", 0)]
    assert start(2, 0) == [None]
    assert start(3, 0) == [Conflict("workflow_id", 2)]
    assert start(3, 2, start_time=5) == [None]
    assert start(4, 3) == [Conflict("workflow_id", 2)], "run 3 is the older one, as it began before run 2"
    assert store.commit([unit(insert(run_row(5, "order", namespace="other"), expected_latest=0))]) == [None]
    assert store.commit([unit(insert(run_row(6, "order"), expected_latest=2))]) == [None]
    assert start(7, 6) == [Conflict("workflow_id", 6)], "it is open"
    assert store.commit([unit(insert(run_row(8, "fresh"), expected_latest=1))]) == [Conflict("workflow_id", 0)]


def test_a_start_that_expects_a_latest_run_is_judged_after_the_units_before_it(store: Store) -> None:
    first = unit(insert(run_row(1, "order", status=COMPLETED)))
    guarded = unit(insert(run_row(2, "order", status=COMPLETED), expected_latest=0))
    last = unit(insert(run_row(3, "order", status=COMPLETED)))
    assert store.commit([first, guarded, last]) == [None, Conflict("workflow_id", 1), None]
    guarded = unit(insert(run_row(4, "order"), expected_latest=3))
    late = unit(insert(run_row(5, "order", status=COMPLETED), imported=True))
    assert store.commit([guarded, late]) == [None, None]


def test_a_run_key_or_run_id_in_use_is_refused(store: Store) -> None:
    store.commit([unit(insert(run_row(1)))])
    assert store.commit([unit(insert(run_row(1, "other", run_id="x")))]) == [Conflict("version", 1)]
    assert store.commit([unit(insert(run_row(2, run_id="run-1")))]) == [Conflict("version", 2)]
    same = [unit(insert(run_row(3, run_id="x"))), unit(insert(run_row(4, run_id="x")))]
    assert store.commit(same) == [None, Conflict("version", 4)]


def test_an_event_id_used_twice_is_refused_without_harm_to_others(store: Store) -> None:
    first, second = run_row(1), run_row(2)
    store.commit([unit(insert(first, events=[event_row(1)])), unit(insert(second))])
    answers = store.commit([unit(update(first, events=[event_row(1)])), unit(update(second, events=[event_row(1)]))])
    assert answers == [Conflict("version", 1), None]
    twice = [event_row(2), event_row(2)]
    assert store.commit([unit(update(first, events=twice))]) == [Conflict("version", 1)]
    assert [event.event_id for event in store.read_events(1)] == [1]


@pytest.mark.parametrize("count", [1, 15, 16, 17, 33, 256, 257, 300])
def test_batches_of_every_size_are_written_completely(store: Store, count: int) -> None:
    runs = [run_row(key) for key in range(1, count + 1)]
    inserted = [
        unit(insert(run, events=[event_row(1)], put_activities=[activity_row(1)], put_transfers=[transfer_row(1)]))
        for run in runs
    ]
    assert store.commit(inserted) == [None] * count
    updated = [
        unit(
            update(
                run,
                listed_changed=run.run_key % 2 == 0,
                events=[event_row(2), event_row(3)],
                delete_activities=[1],
                attempts=[attempt_row(1)],
                workflow_task=task_row(),
                delete_transfers=[1],
            )
        )
        for run in runs
    ]
    assert store.commit(updated) == [None] * count
    for run in (runs[0], runs[count // 2], runs[-1]):
        loaded = store.load_run(run.run_key)
        assert loaded is not None
        assert (loaded.run.version, len(loaded.events), loaded.activities, loaded.transfers) == (2, 3, [], [])
        assert len(store.read_attempts(run.run_key)) == 1
    assert len(store.ready_workflow_tasks(0, [], 1000)) == count


def test_of_many_threads_that_write_one_version_exactly_one_wins(store: Store) -> None:
    run = run_row(1)
    store.commit([unit(insert(run))])
    barrier = threading.Barrier(8)
    answers: list[Conflict | None] = []

    def compete(number: int) -> None:
        barrier.wait()
        answers.extend(store.commit([unit(update(run, transient=b"%d" % number, events=[event_row(1)]))]))

    threads = [threading.Thread(target=compete, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers.count(None) == 1
    assert answers.count(Conflict("version", 1)) == 7
    assert store.load_run(1).run.version == 2


def test_what_is_stored_does_not_change_with_the_callers_objects(store: Store) -> None:
    run = run_row(1)
    activity = activity_row(1)
    store.commit([unit(insert(run, put_activities=[activity]))])
    run.status, activity.owner = COMPLETED, 99
    store.load_run(1).run.memo = b"changed"
    loaded = store.load_run(1)
    assert loaded is not None
    assert loaded.run == run_row(1)
    assert loaded.activities == [activity_row(1)]
