"""What comes into the copy for the first time: in parts, on demand, by every way, and whatever happens meanwhile."""

from __future__ import annotations

import io
import sqlite3
import threading
from collections.abc import Callable
from typing import Any

import pytest

from durable_nb.analytics import copying
from durable_nb.analytics import mirror as mirror_module
from durable_nb.analytics.feeds import open_feed
from durable_nb.analytics.feeds.arrow_process import ArrowProcess
from durable_nb.analytics.mirror import Mirror
from durable_nb.analytics.wanted import wanted
from tests.analytics.stores import copied, fill, put, stored
from tests.store import samples as s


@pytest.fixture
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Makes a store of a few dozen rows a big one."""
    monkeypatch.setattr(mirror_module, "_SMALL_LOAD", 10)
    monkeypatch.setattr(mirror_module, "_PART", 7)
    monkeypatch.setattr(mirror_module, "_PACKED", 3)


@pytest.mark.parametrize("stream", [True, False], ids=["adbc", "packed"])
def test_a_big_store_is_loaded_in_parts_completely(
    sqlite: Any, mirrored: Callable[..., Mirror], small_parts: None, stream: bool
) -> None:
    if stream:
        pytest.importorskip("adbc_driver_sqlite")
    fill(sqlite, 20)
    told: list[tuple[int, int]] = []
    mirror = mirrored(open_feed(sqlite, stream=stream))
    mirror.refresh(lambda done, total: told.append((done, total)))
    assert copied(mirror) == stored(sqlite.path)
    assert [done for done, _ in told] == sorted(done for done, _ in told)
    assert told[-1] == (100, 100)
    read = mirror.cursor()
    assert read.execute("SELECT count(*), count(memo) FROM runs WHERE status = 'Running'").fetchall() == [(10, 3)]
    assert read.execute("SELECT count(*) FROM mirror.main.events WHERE user_metadata IS NOT NULL").fetchall() == [(4,)]
    fill_more = s.run_row(21, next_event_id=2)
    put(sqlite, s.insert(fill_more, events=[s.event_row(1)]))
    mirror.refresh()
    assert copied(mirror) == stored(sqlite.path)


@pytest.mark.parametrize("stream", [True, False], ids=["adbc", "packed"])
def test_an_interrupted_first_load_goes_on_where_it_was(
    sqlite: Any, mirrored: Callable[..., Mirror], small_parts: None, stream: bool
) -> None:
    fill(sqlite, 20)
    mirror = mirrored(open_feed(sqlite, stream=stream))
    stop = threading.Event()
    for stopped_at in (21, 93):
        stop.clear()

        def progress(done: int, total: int, at: int = stopped_at) -> None:
            if done >= at - (100 - total):
                stop.set()

        with pytest.raises(InterruptedError):
            mirror.refresh(progress, stop)
        closing = s.run_row(2, next_event_id=4)
        if stopped_at == 93:
            put(
                sqlite, s.update(closing, status=s.COMPLETED, close_time=9000, next_event_id=5, events=[s.event_row(4)])
            )
    mirror.refresh()
    assert copied(mirror) == stored(sqlite.path)
    assert mirror.cursor().execute("SELECT status FROM runs WHERE run_key = 2").fetchall() == [("Completed",)]


@pytest.mark.parametrize("dies", ["before it answers", "while rows come in"])
def test_a_load_is_completed_by_the_plain_driver_when_the_reading_process_dies(
    sqlite: Any, mirrored: Callable[..., Mirror], small_parts: None, monkeypatch: pytest.MonkeyPatch, dies: str
) -> None:
    pytest.importorskip("adbc_driver_sqlite")
    fill(sqlite, 20)
    ask, asked = ArrowProcess._ask, []

    def ask_and_kill(self: ArrowProcess, sql: str) -> Any:
        asked.append(sql)
        if len(asked) == 2 and dies == "before it answers":
            self._process.kill()
        source = ask(self, sql)
        if len(asked) == 2 and dies == "while rows come in":
            return io.BytesIO(source.read(700))  # no more comes from a process that is gone
        return source

    monkeypatch.setattr(ArrowProcess, "_ask", ask_and_kill)
    mirror = mirrored(open_feed(sqlite))
    mirror.refresh()
    assert len(asked) > 2
    assert copied(mirror) == stored(sqlite.path)


ACTIVITIES = wanted("FROM activities")
TIMERS = wanted("FROM timers")


@pytest.mark.parametrize("stream", [True, False], ids=["adbc", "packed"])
def test_what_a_later_question_needs_comes_in_up_to_the_watermark_and_grows_with_the_rest(
    sqlite: Any, mirrored: Callable[..., Mirror], small_parts: None, stream: bool
) -> None:
    if stream:
        pytest.importorskip("adbc_driver_sqlite")
    fill(sqlite, 20)
    mirror = mirrored(open_feed(sqlite, stream=stream))
    mirror.refresh(wanted=ACTIVITIES)
    assert copied(mirror) == ((0, None), *stored(sqlite.path)[1:])
    put(sqlite, s.insert(s.run_row(21, next_event_id=2), events=[s.event_row(1)]))
    mirror.refresh(wanted=ACTIVITIES)
    mirror.refresh(wanted=TIMERS)
    (timers,) = mirror.cursor().execute("SELECT count(*) FROM timers").fetchall()
    assert timers == (41,)
    put(sqlite, s.insert(s.run_row(22, next_event_id=2), events=[s.event_row(1)], attempts=[s.attempt_row(1)]))
    mirror.refresh(wanted=ACTIVITIES)
    mirror.refresh()
    assert copied(mirror) == stored(sqlite.path)


@pytest.mark.parametrize("stream", [True, False], ids=["adbc", "packed"])
def test_a_later_load_that_is_interrupted_goes_on_and_misses_no_deletion(
    sqlite: Any, mirrored: Callable[..., Mirror], small_parts: None, stream: bool
) -> None:
    fill(sqlite, 20)
    mirror = mirrored(open_feed(sqlite, stream=stream))
    mirror.refresh(wanted=ACTIVITIES)
    stop = threading.Event()
    told: list[int] = []

    def progress(done: int, total: int) -> None:
        told.append(done)
        stop.set()

    with pytest.raises(InterruptedError):
        mirror.refresh(progress, stop, TIMERS)
    sqlite.delete_run(1)
    put(sqlite, s.insert(s.run_row(21, next_event_id=2), events=[s.event_row(1)]))
    stop.clear()
    with pytest.raises(InterruptedError):
        mirror.refresh(progress, stop)
    mirror.refresh()
    assert len(told) == 2
    assert copied(mirror) == stored(sqlite.path)


def test_a_run_that_is_deleted_during_a_first_load_leaves_nothing(
    sqlite: Any, mirrored: Callable[..., Mirror], small_parts: None
) -> None:
    fill(sqlite, 20)
    mirror = mirrored(open_feed(sqlite, stream=False))

    def progress(done: int, total: int) -> None:
        if done > total // 2 and sqlite.load_run(1) is not None:
            sqlite.delete_run(1)

    mirror.refresh(progress)
    assert sqlite.load_run(1) is None
    assert copied(mirror) == stored(sqlite.path)


@pytest.mark.parametrize("way", ["adbc", "packed", "rows"])
def test_attributes_that_are_no_json_are_put_aside_however_they_come(
    sqlite: Any, mirrored: Callable[..., Mirror], monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    if way == "adbc":
        pytest.importorskip("adbc_driver_sqlite")
    if way != "rows":
        monkeypatch.setattr(mirror_module, "_SMALL_LOAD", 10 if way == "adbc" else 10_000)
        monkeypatch.setattr(mirror_module, "_PACKED", 3)
    fill(sqlite, 10)
    with sqlite3.connect(sqlite.path) as connection:
        connection.execute("UPDATE events SET attributes = '{\"a\":' WHERE seq = 4")
    connection.close()
    mirror = mirrored(open_feed(sqlite, stream=way == "adbc"))
    mirror.refresh()
    assert copied(mirror) == stored(sqlite.path)
    found = mirror.cursor().execute("SELECT seq, attributes, error FROM events WHERE error IS NOT NULL").fetchall()
    assert found == [(4, "{}", 'not JSON: {"a":')]


def test_many_rows_are_compressed_beside_a_transaction_of_a_user(
    sqlite: Any, mirrored: Callable[..., Mirror], monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(sqlite, 40)
    mirror = mirrored(open_feed(sqlite))
    user = mirror.cursor()

    def kinds() -> set[str]:
        found = mirror.cursor().execute("SELECT compression FROM pragma_storage_info('mirror.main.events')").fetchall()
        return {kind for (kind,) in found}

    mirror.refresh()
    assert "BitPacking" not in kinds()
    monkeypatch.setattr(copying, "_LOOK", 10)
    monkeypatch.setattr(copying, "_UNCOMPRESSED", 0)
    user.execute("BEGIN; CREATE TABLE mine (n INTEGER)")
    assert user.execute("SELECT count(*) FROM events").fetchall() == [(120,)]
    put(sqlite, *(s.insert(s.run_row(50 + n, next_event_id=2), events=[s.event_row(1)]) for n in range(10)))
    mirror.refresh()
    assert "BitPacking" in kinds()
    assert copied(mirror) == stored(sqlite.path)
    assert user.execute("SELECT count(*) FROM events").fetchall() == [(120,)]


def test_a_name_that_holds_a_separator_is_read_all_the_same(
    sqlite: Any, mirrored: Callable[..., Mirror], small_parts: None
) -> None:
    fill(sqlite, 4)
    wicked = s.run_row(9, workflow_id="a\x1fb\x1ec", next_event_id=2)
    put(sqlite, s.insert(wicked, events=[s.event_row(1)], attempts=[s.attempt_row(1, worker_identity="\x1e")]))
    mirror = mirrored(open_feed(sqlite, stream=False))
    mirror.refresh()
    assert copied(mirror) == stored(sqlite.path)
    read = mirror.cursor()
    assert read.execute("SELECT workflow_id FROM runs WHERE run_key = 9").fetchall() == [("a\x1fb\x1ec",)]
    later = [s.insert(s.run_row(n, f"\x1f{n}", next_event_id=2), events=[s.event_row(1)]) for n in range(20, 30)]
    put(sqlite, *later)
    mirror.refresh()
    assert copied(mirror) == stored(sqlite.path)
