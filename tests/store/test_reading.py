"""Conformance of every store: finding, listing, counting and removing runs; definitions, messages, settings."""

from __future__ import annotations

import threading

import pytest

from durable_nb.errors import StoreClosedError, StoreError
from durable_nb.model.attributes import WorkflowExecutionStarted, WorkflowTaskFailed
from durable_nb.model.enums import WorkflowTaskFailedCause
from durable_nb.model.records import DefinitionRow, EventRow, MessageRow, RunFilter
from durable_nb.store.protocol import Store
from tests.store.samples import (
    COMPLETED,
    activity_row,
    attempt_row,
    event_row,
    insert,
    run_row,
    started,
    task_row,
    transfer_row,
    unit,
    update,
)


def keys(store: Store, **fields: object) -> list[int]:
    return [run.run_key for run in store.list_runs(RunFilter("default", **fields))]  # type: ignore[arg-type]


def test_a_missing_run_is_none_or_empty_everywhere(store: Store) -> None:
    assert store.load_run(1) is None
    assert store.find_run("default", "w") is None
    assert store.find_run("default", "w", "r") is None
    assert store.read_events(1) == []
    assert store.read_attempts(1) == []
    assert store.list_runs(RunFilter("default")) == []
    assert store.count_runs("default") == {}
    store.delete_run(1)


def test_find_run_prefers_the_open_run_then_the_latest_start(store: Store) -> None:
    # Keys do not follow time: another process reserved the smaller one earlier.
    old = run_row(9, "order", start_time=10, status=COMPLETED)
    new = run_row(3, "order", start_time=20, status=COMPLETED)
    store.commit([unit(insert(old)), unit(insert(new))])
    assert store.find_run("default", "order") == new
    opened = run_row(4, "order", start_time=5)
    store.commit([unit(insert(opened))])
    assert store.find_run("default", "order") == opened
    assert store.find_run("default", "order", "run-9") == old
    assert store.find_run("default", "another", "run-9") is None
    assert store.find_run("other", "order") is None


def made_from(*steps: tuple[str, str]) -> list[EventRow]:
    """The first events of a run whose history began with those of others: pairs of (base run, new run)."""
    first = event_row(1, WorkflowExecutionStarted(workflow_type="Order", original_execution_run_id="run-1"))
    failed = WorkflowTaskFailedCause.RESET_WORKFLOW
    return [
        first,
        event_row(2),
        *(
            event_row(number, WorkflowTaskFailed(cause=failed, base_run_id=base, new_run_id=new))
            for number, (base, new) in enumerate(steps, 3)
        ),
    ]


def test_runs_made_from_others_name_the_last_of_them(store: Store) -> None:
    once, twice = [("run-1", "run-2")], [("run-1", "run-2"), ("run-2", "run-3")]
    for key, steps in ((1, []), (2, once), (3, twice)):
        store.commit([unit(insert(run_row(key, f"w{key}", run_id=f"run-{key}"), events=made_from(*steps)))])
    assert store.read_origins([1, 2, 3, 99]) == {2: ("run-1", 3), 3: ("run-2", 4)}
    assert store.read_origins([]) == {}
    assert store.read_origins([2] * 1200) == {2: ("run-1", 3)}


def test_read_events_starts_where_asked(store: Store) -> None:
    store.commit([unit(insert(run_row(1), events=[event_row(number) for number in range(1, 6)]))])
    assert [event.event_id for event in store.read_events(1, 4)] == [4, 5]
    assert store.read_events(1, 6) == []


def test_attempts_are_told_in_the_order_in_which_they_ended(store: Store) -> None:
    run = run_row(1)
    store.commit([unit(insert(run, attempts=[attempt_row(9, 1, outcome="failed"), attempt_row(5, 1)]))])
    store.commit([unit(update(run, attempts=[attempt_row(9, 2, outcome="timed_out")]))])
    told = [(row.scheduled_event_id, row.attempt, row.outcome) for row in store.read_attempts(1)]
    assert told == [(9, 1, "failed"), (5, 1, "completed"), (9, 2, "timed_out")]


def test_runs_are_listed_newest_first_and_filtered(store: Store) -> None:
    rows = [
        run_row(1, "a", start_time=30),
        run_row(2, "b", start_time=10, workflow_type="Refund", status=COMPLETED),
        run_row(3, "c", start_time=20, workflow_type="Refund"),
        run_row(4, "a", start_time=5, status=7),
        run_row(5, "a", namespace="other"),
    ]
    store.commit([unit(insert(row, imported=True)) for row in rows])
    assert keys(store) == [1, 3, 2, 4]
    assert keys(store, limit=2) == [1, 3]
    assert keys(store, workflow_id="a") == [1, 4]
    assert keys(store, workflow_type="Refund") == [3, 2]
    assert keys(store, statuses=[2, 7]) == [2, 4]
    assert keys(store, statuses=[1], workflow_type="Refund") == [3]
    assert store.list_runs(RunFilter("default", workflow_id="c")) == [rows[2]]


def test_pages_follow_each_other_without_gap_or_repetition(store: Store) -> None:
    # Pairs start in the same microsecond.
    store.commit([unit(insert(run_row(key, start_time=key // 2))) for key in range(1, 12)])
    pages, last = [], 0
    while page := keys(store, limit=3, before_run_key=last):
        pages.append(page)
        last = page[-1]
    assert pages == [[11, 10, 9], [8, 7, 6], [5, 4, 3], [2, 1]]


def test_paging_goes_on_when_the_last_run_of_a_page_is_deleted(store: Store) -> None:
    store.commit([unit(insert(run_row(key, status=COMPLETED))) for key in range(1, 5)])
    store.delete_run(3)
    assert keys(store, before_run_key=3) == [2, 1]


def test_runs_are_counted_by_status(store: Store) -> None:
    store.commit([unit(insert(run_row(key, status=status))) for key, status in enumerate([1, 2, 2, 7, 1, 2], 1)])
    store.commit([unit(insert(run_row(10, namespace="other")))])
    assert store.count_runs("default") == {1: 2, 2: 3, 7: 1}


def test_open_runs_are_counted_by_the_version_of_their_code(store: Store) -> None:
    rows = [("Order", "a", 1), ("Order", "a", 1), ("Order", "b", 1), ("Refund", "", 1), ("Order", "b", 2)]
    store.commit(
        [
            unit(insert(run_row(key, workflow_type=name, definition=digest, status=status)))
            for key, (name, digest, status) in enumerate(rows, 1)
        ]
    )
    store.commit([unit(insert(run_row(10, namespace="other", definition="c")))])
    assert store.count_versions("default") == {("Order", "a"): 2, ("Order", "b"): 1, ("Refund", ""): 1}
    assert store.count_versions("default", "Refund") == {("Refund", ""): 1}


def test_a_deleted_run_leaves_nothing_behind(store: Store) -> None:
    full = {
        "events": [event_row(1)],
        "put_activities": [activity_row(1)],
        "attempts": [attempt_row(1)],
        "workflow_task": task_row(),
        "put_transfers": [transfer_row(1)],
    }
    store.commit([unit(insert(run_row(key, status=COMPLETED), **full)) for key in (1, 2)])
    store.put_message(1, "query", 1, b"{}", 0)
    kept = store.put_message(2, "query", 1, b"{}", 0)
    store.delete_run(1)
    assert store.load_run(1) is None
    assert (store.read_events(1), store.read_attempts(1)) == ([], [])
    assert [task.run_key for task in store.ready_workflow_tasks(0, [], 9)] == [2]
    assert [task.run_key for task in store.ready_activities(0, [], 9)] == [2]
    assert store.ready_transfers([], 9) == [2]
    assert [row.message_id for row in store.take_messages(9)] == [kept]
    assert len(store.read_events(2)) == 1
    # Its key and run ID may be used again, as by an import.
    assert store.commit([unit(insert(run_row(1)))]) == [None]


def test_an_open_run_is_not_deleted(store: Store) -> None:
    store.commit([unit(insert(run_row(1, "order")))])
    with pytest.raises(StoreError, match=r"order.*open"):
        store.delete_run(1)
    assert store.load_run(1) is not None


def test_a_payload_of_ten_megabytes_comes_back_as_it_was(store: Store) -> None:
    data = bytes(range(256)) * 40_000
    store.commit([unit(insert(run_row(1), events=[event_row(1, started(data))]))])
    loaded = store.load_run(1)
    assert loaded is not None
    assert loaded.events[0].attributes == started(data)
    assert store.read_events(1)[0].attributes.input[0].metadata == {"encoding": b"binary/plain"}


def test_run_keys_are_never_handed_out_twice(store: Store) -> None:
    taken: list[range] = []

    def take() -> None:
        taken.extend(store.reserve_run_keys(7) for _ in range(5))

    threads = [threading.Thread(target=take) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    numbers = [key for block in taken for key in block]
    assert len(set(numbers)) == len(numbers) == 140
    assert min(numbers) == 1


def test_definitions_are_kept_by_digest_and_found_by_name(store: Store) -> None:
    first = DefinitionRow("d1", "Order", "workflow", "class Order: ...", "cell [3]", 10)
    second = DefinitionRow("d2", "Order", "workflow", "class Order: # 2", "cell [4]", 10, "signed")
    store.put_definitions([first, second])
    store.put_definitions([DefinitionRow("d1", "Order", "workflow", "changed", "x", 99)])
    assert store.get_definition("d1") == first
    assert store.latest_definition("workflow", "Order") == second
    assert store.latest_definition("activity", "Order") is None
    assert store.get_definition("d3") is None


def test_a_definition_that_is_made_again_takes_the_place_of_its_row(store: Store) -> None:
    first = DefinitionRow("d1", "Order", "workflow", "tampered", "cell [3]", 10)
    second = DefinitionRow("d2", "Order", "workflow", "class Order: # 2", "cell [4]", 11)
    store.put_definitions([first, second])
    again = DefinitionRow("d1", "Order", "workflow", "class Order: ...", "cell [9]", 12, "signed")
    store.renew_definitions([again, DefinitionRow("d3", "Order", "activity", "x", "y", 1)])
    assert store.get_definition("d1") == again
    assert store.latest_definition("workflow", "Order") == again
    assert store.get_definition("d3") is not None


def test_a_message_waits_until_somebody_replies(store: Store) -> None:
    first = store.put_message(1, "query", 4, b"\x00q", 100)
    second = store.put_message(2, "update", 4, b"u", 101)
    assert store.take_messages(10) == [
        MessageRow(first, 1, "query", 4, b"\x00q", None, 100),
        MessageRow(second, 2, "update", 4, b"u", None, 101),
    ]
    assert [row.message_id for row in store.take_messages(1)] == [first]
    assert store.read_reply(first) is None
    assert store.reply_message(first, b"yes")
    assert not store.reply_message(first, b"no")
    assert store.read_reply(first) == b"yes"
    assert [row.message_id for row in store.take_messages(10)] == [second]
    store.delete_message(second)
    assert not store.reply_message(second, b"late")
    assert store.read_reply(second) is None
    assert store.put_message(1, "query", 4, b"", 102) > second


def test_settings_are_kept_and_replaced(store: Store) -> None:
    assert store.get_setting("limit") is None
    store.set_setting("limit", "5")
    store.set_setting("limit", "6")
    assert store.get_setting("limit") == "6"


def test_a_closed_store_says_so(store: Store) -> None:
    store.close()
    store.close()
    with pytest.raises(StoreClosedError, match="open"):
        store.commit([unit(insert(run_row(1)))])
    with pytest.raises(StoreClosedError):
        store.load_run(1)
    with pytest.raises(StoreClosedError):
        store.change_token()
    with pytest.raises(StoreClosedError):
        store.set_setting("a", "b")


def test_runs_are_listed_by_when_they_started_and_closed(store: Store) -> None:
    rows = [run_row(key, start_time=10 * key, status=COMPLETED, close_time=10 * key + 5) for key in range(1, 5)]
    store.commit([unit(insert(row)) for row in [*rows, run_row(9, "open", start_time=35)]])
    assert keys(store, started_from=20, started_before=40) == [9, 3, 2]
    assert keys(store, started_before=20) == [1]
    assert keys(store, started_from=40) == [4]
    assert keys(store, closed_from=25) == [4, 3, 2], "the open run is closed at no time"
    assert keys(store, closed_before=26) == [2, 1]
    assert keys(store, closed_from=25, started_before=30, statuses=[COMPLETED]) == [2]
