"""Reading by ADBC: in a process of its own, never beside Python's own SQLite, and never the end of a load."""

from __future__ import annotations

import re
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import durable_nb
from durable_nb.analytics.feeds.arrow_process import ArrowProcess, has_driver

pytest.importorskip("adbc_driver_sqlite")

ROWS = 25_000


@pytest.fixture
def path(tmp_path: Path) -> str:
    """A file with ``t(n, text)``, held open in WAL by a writer as an engine does."""
    path = str(tmp_path / "some.db")
    with sqlite3.connect(path) as writer:
        writer.execute("PRAGMA journal_mode = WAL")
        writer.execute("CREATE TABLE t (n INTEGER PRIMARY KEY, text TEXT)")
        writer.executemany("INSERT INTO t VALUES (?, ?)", ((n, f"row {n} ü") for n in range(ROWS)))
    writer.close()
    return path


@pytest.fixture
def process(path: str) -> Iterator[ArrowProcess]:
    made = ArrowProcess(path)
    yield made
    made.close()


def read(process: ArrowProcess, sql: str) -> list[tuple[object, ...]] | None:
    with process.rows(sql) as reader:
        return None if reader is None else [tuple(row.values()) for row in reader.read_all().to_pylist()]


def test_one_query_after_the_other_is_answered_whole(process: ArrowProcess) -> None:
    assert has_driver()
    assert read(process, "SELECT n, text FROM t") == [(n, f"row {n} ü") for n in range(ROWS)]
    assert read(process, "SELECT n FROM t WHERE n < 0") == []
    assert read(process, "SELECT max(n) AS last FROM t") == [(ROWS - 1,)]


def test_a_query_that_fails_gives_none_and_the_next_is_answered(process: ArrowProcess) -> None:
    assert read(process, "SELECT nothing FROM nowhere") is None
    assert read(process, "SELECT 1 AS one") == [(1,)]


def test_it_cannot_write(process: ArrowProcess, path: str) -> None:
    assert read(process, "DELETE FROM t") is None
    connection = sqlite3.connect(path)
    assert connection.execute("SELECT count(*) FROM t").fetchone() == (ROWS,)
    connection.close()


def test_who_leaves_before_the_end_gets_nothing_wrong_afterwards(process: ArrowProcess) -> None:
    with process.rows("SELECT n, text FROM t") as reader:
        assert reader.read_next_batch().num_rows > 0
    assert read(process, "SELECT 1 AS one") is None


def test_a_process_that_dies_gives_none(process: ArrowProcess) -> None:
    process._process.kill()
    process._process.wait()
    assert read(process, "SELECT 1 AS one") is None


LOAD = """
import sqlite3, sys
from durable_nb.analytics.feeds import arrow_process
from durable_nb.analytics.feeds import Portion
from durable_nb.analytics.feeds.sqlite import SqliteFeed
from durable_nb.analytics.tables import EVENTS
from durable_nb.store import open_store

store = open_store(sys.argv[1])
feed = SqliteFeed(sys.argv[1])
with feed.stream(Portion(EVENTS, 0, 10)) as rows:
    assert rows.read_all().num_rows == 0
print(sorted(name for name in sys.modules if name.startswith("adbc")))
print("adbc" in open("/proc/self/maps").read() if sys.platform == "linux" else False)
"""


def test_two_copies_of_sqlite_never_meet_in_one_process(tmp_path: Path) -> None:
    """ADBC's would cut the WAL index of the engine's short and drop its locks (sqlite.org/howtocorrupt.html, 2.2.1)."""
    command = [sys.executable, "-c", LOAD, f"sqlite:///{tmp_path}/some.db"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.stdout == "[]\nFalse\n", done.stderr


def test_only_the_reading_process_imports_the_driver() -> None:
    root = Path(durable_nb.__file__).parent
    imports = re.compile(r"^\s*(import|from) adbc", re.MULTILINE)
    found = [path.name for path in root.rglob("*.py") if imports.search(path.read_text())]
    assert found == ["arrow_child.py"]
