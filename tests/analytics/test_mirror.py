"""The copy follows the store: what is new, what moved without an event, what was deleted; in one consistent state."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from durable_nb.analytics import open_explorer
from durable_nb.analytics.feeds import Portion, open_feed
from durable_nb.analytics.feeds.sqlite import SqliteFeed, SqliteSnapshot
from durable_nb.analytics.mirror import Mirror
from durable_nb.analytics.tables import EVENTS
from durable_nb.errors import StoreClosedError
from durable_nb.model.records import DefinitionRow
from durable_nb.store import open_store
from durable_nb.store.protocol import Store
from tests.analytics.stores import put, started
from tests.store import samples as s

Ask = Callable[..., list[Any]]


def test_what_is_committed_is_in_the_next_answer(store: Store, ask: Ask) -> None:
    assert ask("SELECT * FROM runs") == []
    run = started(store, 1)
    assert ask("SELECT workflow_id, status, history_length FROM runs") == [("w1", "Running", 1)]
    put(store, s.update(run, status=s.COMPLETED, close_time=9000, next_event_id=3, events=[s.event_row(2)]))
    assert ask("SELECT status, duration_us FROM runs") == [("Completed", 9000 - 1001)]
    assert ask("SELECT event_id, event_type FROM events ORDER BY seq") == [
        (1, "WorkflowExecutionStarted"),
        (2, "TimerStarted"),
    ]


def test_a_transition_without_an_event_shows(store: Store, ask: Ask) -> None:
    run = started(store, 1)
    ask("SELECT 1")
    put(store, s.update(run, listed_changed=True, definition="digest-2", put_activities=[s.activity_row(5)]))
    assert ask("SELECT definition_digest FROM runs") == [("digest-2",)]
    assert ask("SELECT activity_type, status, attempt FROM attempts") == [("charge", "Scheduled", 1)]


def test_pending_activities_tell_what_they_are_doing(store: Store, ask: Ask) -> None:
    states = {5: b"{}", 6: b'{"startedTime":70,"identity":"me","heartbeatTime":80}', 7: b'{"backsOff":true}'}
    rows = [s.activity_row(key, state=state, visible_at=60) for key, state in states.items()]
    put(store, s.insert(s.run_row(1), put_activities=rows))
    assert ask("SELECT scheduled_event_id, status, queue_us, worker_identity FROM attempts ORDER BY 1") == [
        (5, "Scheduled", None, None),
        (6, "Started", 10, "me"),
        (7, "BackingOff", None, None),
    ]


def test_an_activity_that_is_over_is_pending_no_more(store: Store, ask: Ask) -> None:
    run = s.run_row(1)
    put(store, s.insert(run, put_activities=[s.activity_row(5)]))
    assert ask("SELECT count(*) FROM attempts WHERE is_pending") == [(1,)]
    put(store, s.update(run, delete_activities=[5], attempts=[s.attempt_row(5)]))
    assert ask("SELECT is_pending, queue_us, run_us FROM attempts") == [(False, 1, 1)]


def test_a_deleted_run_disappears_with_all_that_belongs_to_it(store: Store, ask: Ask) -> None:
    for key in (1, 2):
        run = s.run_row(key, status=s.COMPLETED, close_time=9000, next_event_id=2)
        put(store, s.insert(run, events=[s.event_row(1)], attempts=[s.attempt_row(1)]))
    assert ask("SELECT count(*) FROM events") == [(2,)]
    store.delete_run(1)
    for view in ("runs", "events", "attempts", "timers"):
        assert ask(f"SELECT DISTINCT run_key FROM {view}") == [(2,)], view
    assert ask("SELECT count(*) FROM mirror.main.events") == [(1,)]


def test_a_deletion_and_a_start_between_two_questions_are_both_seen(store: Store, ask: Ask) -> None:
    put(store, s.insert(s.run_row(1, status=s.COMPLETED, next_event_id=2), events=[s.event_row(1)]))
    assert ask("SELECT run_key FROM runs") == [(1,)]
    store.delete_run(1)
    started(store, 2)
    assert ask("SELECT run_key FROM runs") == [(2,)]


def test_processes_and_definitions_follow(store: Store, ask: Ask) -> None:
    assert ask("SELECT * FROM workers") == []
    row = store.register_process("me", 50)
    store.put_definitions([DefinitionRow("d1", "Order", "workflow", "source 1", "cell 1", 5)])
    store.put_definitions([DefinitionRow("d2", "Order", "workflow", "source 2", "cell 1", 6)])
    started(store, 1, definition="d1")
    assert ask("SELECT identity, is_open, attempts FROM workers") == [("me", True, 0)]
    assert ask("SELECT digest, edition, is_latest, runs, open_runs FROM definitions ORDER BY edition") == [
        ("d1", 1, False, 1, 1),
        ("d2", 2, True, 0, 0),
    ]
    store.renew_definitions([DefinitionRow("d2", "Order", "workflow", "source 2", "cell 1", 6, "mine")])
    store.unregister_process(row.process_key)
    assert ask("SELECT digest FROM definitions WHERE is_signed") == [("d2",)]
    assert ask("SELECT * FROM workers") == []


def test_a_refresh_without_news_reads_nothing(sqlite: Any, mirrored: Callable[..., Mirror]) -> None:
    class Counting(SqliteFeed):
        snapshots = 0

        @contextmanager
        def snapshot(self) -> Iterator[SqliteSnapshot]:
            Counting.snapshots += 1
            with super().snapshot() as snapshot:
                yield snapshot

    mirror = mirrored(Counting(sqlite.url))
    mirror.refresh()
    seen = Counting.snapshots
    mirror.refresh()
    assert Counting.snapshots == seen
    started(sqlite, 1)
    mirror.refresh()
    assert Counting.snapshots > seen


def test_all_tables_of_a_refresh_come_from_one_state_of_the_store(
    sqlite: Any, mirrored: Callable[..., Mirror], monkeypatch: pytest.MonkeyPatch
) -> None:
    """While a refresh is half done another run starts: it is not half seen."""
    started(sqlite, 1)
    original = SqliteSnapshot.open_versions

    def late(self: SqliteSnapshot) -> dict[int, int]:
        if sqlite.load_run(2) is None:
            started(sqlite, 2)
        return original(self)

    monkeypatch.setattr(SqliteSnapshot, "open_versions", late)
    mirror = mirrored(open_feed(sqlite))
    mirror.refresh()
    read = mirror.cursor()
    assert read.execute("SELECT run_key FROM mirror.main.runs").fetchall() == [(1,)]
    assert read.execute("SELECT run_key FROM mirror.main.events").fetchall() == [(1,)]
    mirror.refresh()
    assert read.execute("SELECT count(*) FROM runs").fetchall() == [(2,)]


def test_a_refresh_that_fails_leaves_the_copy_as_it_was_and_is_made_up_for(
    sqlite: Any, mirrored: Callable[..., Mirror], monkeypatch: pytest.MonkeyPatch
) -> None:
    mirror = mirrored(open_feed(sqlite))
    started(sqlite, 1)
    mirror.refresh()
    started(sqlite, 2)
    with monkeypatch.context() as patched:

        def broken(self: SqliteSnapshot) -> int:
            raise sqlite3.OperationalError("disk I/O error")

        patched.setattr(SqliteSnapshot, "count_runs", broken)
        with pytest.raises(Exception, match="DNB5"):
            mirror.refresh()
    assert mirror.cursor().execute("SELECT count(*) FROM events").fetchall() == [(1,)]
    mirror.refresh()
    assert mirror.cursor().execute("SELECT count(*) FROM events").fetchall() == [(2,)]


class _LateCommits:
    """A feed whose numbers are not in commit order, as in PostgreSQL: some rows come to light later."""

    overlap = 10
    url = "late://"

    def __init__(self, feed: SqliteFeed) -> None:
        self._feed = feed
        self.hidden: set[int] = set()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._feed, name)

    def has_changed(self) -> bool:
        return True

    @contextmanager
    def snapshot(self) -> Iterator[Any]:
        with self._feed.snapshot() as inner:
            stored, hidden = inner.rows, self.hidden

            def visible(portion: Portion) -> Iterator[Any]:
                for rows in stored(portion):
                    yield [row for row in rows if portion.table is not EVENTS or row[0] not in hidden]

            inner.rows = visible
            yield inner


def test_rows_that_were_committed_late_under_an_early_number_are_found_and_none_is_doubled(
    sqlite: Any, mirrored: Callable[..., Mirror]
) -> None:
    feed = _LateCommits(SqliteFeed(sqlite.url))
    mirror = mirrored(feed)
    run = started(sqlite, 1)
    put(sqlite, s.update(run, next_event_id=4, events=[s.event_row(2), s.event_row(3)]))
    feed.hidden = {2}
    mirror.refresh()
    read = mirror.cursor()
    assert read.execute("SELECT event_id FROM events ORDER BY 1").fetchall() == [(1,), (3,)]
    feed.hidden = set()
    mirror.refresh()
    mirror.refresh()
    assert read.execute("SELECT event_id FROM events ORDER BY 1").fetchall() == [(1,), (2,), (3,)]


def test_one_explorer_serves_a_store_until_another_file_takes_its_place(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/one.db"
    store = open_store(url)
    started(store, 1)
    first = open_explorer(url)
    assert open_explorer(store) is first
    assert len(first.frame("SELECT * FROM runs")) == 1
    store.close()
    for file in tmp_path.glob("one.db*"):
        if file.is_file():
            file.unlink()
    open_store(url).close()
    second = open_explorer(url)
    assert second is not first
    assert len(second.frame("SELECT * FROM runs")) == 0
    second.close()
    with pytest.raises(StoreClosedError):
        second.frame("SELECT 1")


WRITER = """
import sys
from durable_nb.store import open_store
from tests.analytics.stores import put, started
from tests.store import samples as s
url, first = sys.argv[1], int(sys.argv[2])
store = open_store(url)
for key in range(first, first + 150):
    run = s.run_row(key, next_event_id=2)
    store.commit([s.unit(s.insert(run, events=[s.event_row(1)], put_activities=[s.activity_row(1)]))])
    done = s.update(run, status=s.COMPLETED, close_time=9, next_event_id=3, events=[s.event_row(2)],
                    delete_activities=[1], attempts=[s.attempt_row(1)])
    store.commit([s.unit(done)])
store.close()
"""


@pytest.mark.slow
def test_two_processes_write_while_a_third_asks(sqlite: Any) -> None:
    writers = [
        subprocess.Popen([sys.executable, "-c", WRITER, sqlite.url, str(first)], cwd=Path(__file__).parents[2])
        for first in (1000, 2000)
    ]
    explorer = open_explorer(sqlite)
    seen = 0
    try:
        while any(writer.poll() is None for writer in writers):
            found = explorer.frame(
                "SELECT count(*) AS runs, count(*) FILTER (status = 'Completed') AS closed, "
                "(SELECT count(*) FROM events) AS events, (SELECT count(*) FROM attempts WHERE is_pending) AS pending, "
                "(SELECT count(*) FROM attempts WHERE NOT is_pending) AS finished FROM runs"
            ).iloc[0]
            # True of every committed state, and of no mixture of two.
            assert found.events == found.runs + found.closed
            assert found.pending == found.runs - found.closed
            assert found.finished == found.closed
            assert found.runs >= seen
            seen = found.runs
        assert [writer.returncode for writer in writers] == [0, 0]
        assert explorer.frame("SELECT count(*) AS n FROM runs WHERE status = 'Completed'").n.tolist() == [300]
    finally:
        for writer in writers:
            writer.kill()
            writer.wait()
        explorer.close()
