"""Opening a file: URLs and paths, the first two at once, migrations, and files that are no stores."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from durable_nb.errors import (
    StoreCorruptedError,
    StoreReadOnlyError,
    StoreUrlError,
    StoreVersionError,
)
from durable_nb.model.records import RunFilter
from durable_nb.store import migrations, open_store
from durable_nb.store.sqlite import SqliteStore
from tests.permissions import ordinary_user
from tests.store.samples import insert, run_row, unit

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize(
    ("url", "hint"),
    [
        ("sqlite://", "memory://"),
        ("sqlite:///", "memory://"),
        ("sqlite:///:memory:", "memory://"),
        ("sqlite://durable.db", "sqlite:///durable.db"),
        ("sqlite:///a.db?busy_timout=1", "did you mean busy_timeout"),
        ("sqlite:///a.db?busy_timeout=soon", "not a number"),
        ("sqlit:///a.db", "did you mean sqlite"),
        ("oracle://x", "memory://"),
        ("durable.db", "sqlite:///durable.db"),
        ("", "sqlite:///durable.db"),
        ("memory://name", "memory://"),
        ("postgresql://u@h/db", "not supported yet"),
        ("mysql+pymysql://u@h/db", "not supported yet"),
    ],
)
def test_a_url_that_is_none_is_refused_with_the_right_one(url: str, hint: str) -> None:
    with pytest.raises(StoreUrlError) as caught:
        open_store(url)
    assert hint in str(caught.value)


def test_a_refused_url_does_not_show_its_password() -> None:
    with pytest.raises(StoreUrlError) as caught:
        open_store("postgresql://ann:secret@host/db")
    assert "secret" not in str(caught.value)
    assert "ann:***@host/db" in str(caught.value)


def test_the_url_of_a_store_is_absolute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    store = open_store("sqlite:///rel.db")
    store.close()
    assert store.url == f"sqlite:///{tmp_path}/rel.db"
    again = open_store(store.url)
    again.close()


def test_options_in_the_url_override_those_of_the_call(path: Path) -> None:
    store = SqliteStore(f"sqlite:///{path}?blob_limit=10&busy_timeout=0.5", blob_limit=99)
    assert store._blob_limit == 10
    store.close()


@pytest.mark.parametrize("name", ["päth mit leer %20.db", "лог.db", "日本 語.db", "a'b\"c;--.db"])
def test_file_names_may_hold_any_letters(tmp_path: Path, name: str) -> None:
    store = open_store(f"sqlite:///{tmp_path}/{name}")
    store.commit([unit(insert(run_row(1)))])
    store.register_process("p", 1)
    store.close()
    assert (tmp_path / name).exists()


def test_a_missing_directory_is_named(tmp_path: Path) -> None:
    with pytest.raises(StoreUrlError, match="does not exist"):
        open_store(f"sqlite:///{tmp_path}/no/where.db")
    (tmp_path / "file").touch()
    with pytest.raises(StoreUrlError, match="is not a directory"):
        open_store(f"sqlite:///{tmp_path}/file/where.db")


def test_a_directory_is_no_store(tmp_path: Path) -> None:
    with pytest.raises(StoreUrlError, match="is a directory"):
        open_store(f"sqlite:///{tmp_path}")


def test_a_file_without_write_permission_is_told() -> None:
    with ordinary_user() as folder:
        path = folder / "durable.db"
        open_store(f"sqlite:///{path}").close()
        path.chmod(0o444)
        with pytest.raises(StoreReadOnlyError, match="permissions"):
            open_store(f"sqlite:///{path}")


def test_a_directory_without_write_permission_is_told() -> None:
    with ordinary_user() as folder:
        path = folder / "durable.db"
        open_store(f"sqlite:///{path}").close()
        folder.chmod(0o555)
        with pytest.raises(StoreReadOnlyError, match="directory"):
            open_store(f"sqlite:///{path}")
        with pytest.raises(StoreReadOnlyError, match="directory"):
            open_store(f"sqlite:///{folder}/new.db")
        folder.chmod(0o755)


def test_a_file_that_is_no_database_is_refused(path: Path) -> None:
    path.write_text("these are my notes, not a database\n" * 100)
    with pytest.raises(StoreCorruptedError, match="no durable_nb store"):
        SqliteStore(f"sqlite:///{path}")
    assert path.read_text().startswith("these are my notes")


def test_a_database_of_another_program_is_refused_and_left_alone(path: Path) -> None:
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE schema_version (version INTEGER)")
    connection.commit()
    connection.close()
    before = path.read_bytes()
    with pytest.raises(StoreCorruptedError, match="another program"):
        SqliteStore(f"sqlite:///{path}")
    assert path.read_bytes() == before


def test_a_store_of_a_newer_version_is_refused(path: Path, open_sqlite: Callable[..., SqliteStore]) -> None:
    open_sqlite().close()
    connection = sqlite3.connect(path)
    connection.execute("INSERT INTO schema_version VALUES (99, 0)")
    connection.commit()
    connection.close()
    with pytest.raises(StoreVersionError, match=r"(?s)schema 99.*upgrade"):
        open_sqlite()


def test_a_store_keeps_its_runs_when_it_is_opened_again(open_sqlite: Callable[..., SqliteStore]) -> None:
    first = open_sqlite()
    keys = first.reserve_run_keys(1)
    first.commit([unit(insert(run_row(keys[0])))])
    first.close()
    second = open_sqlite()
    assert second.load_run(keys[0]).run == run_row(keys[0])
    assert second.reserve_run_keys(1)[0] > keys[0]


def test_every_commit_is_forced_to_the_disk(open_sqlite: Callable[..., SqliteStore]) -> None:
    writer = open_sqlite()._database.writer
    assert writer.execute("PRAGMA synchronous").fetchone() == (2,)
    assert writer.execute("PRAGMA journal_mode").fetchone() == ("wal",)


def test_opening_a_store_and_working_with_it_does_not_import_sqlalchemy(path: Path) -> None:
    program = """
import sys
from durable_nb.store import open_store
assert "sqlite3" not in sys.modules
store = open_store(sys.argv[1])
store.register_process("p", 1)
store.find_run("default", "w")
store.close()
assert "sqlalchemy" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", program, f"sqlite:///{path}"], check=True, cwd=ROOT)


OPENER = """
import sys
from durable_nb.store import open_store
print("ready", flush=True)
sys.stdin.readline()
store = open_store(sys.argv[1])
print(store.register_process("p", 1).process_key, flush=True)
store.close()
"""


def test_processes_that_make_the_same_store_at_once_all_succeed(path: Path) -> None:
    command = [sys.executable, "-c", OPENER, f"sqlite:///{path}"]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True, "cwd": ROOT}
    processes = [subprocess.Popen(command, **pipes) for _ in range(4)]
    assert [process.stdout.readline() for process in processes] == ["ready\n"] * 4
    for process in processes:
        process.stdin.write("go\n")
        process.stdin.flush()
    assert sorted(process.communicate()[0] for process in processes) == ["1\n", "2\n", "3\n", "4\n"]


# -- migrations --------------------------------------------------------------------------------------------------------


def schema_of(connection: sqlite3.Connection) -> dict[str, object]:
    """What a database is made of, apart from how its statements were written."""
    found: dict[str, object] = {}
    rows = connection.execute("SELECT type, name, sql FROM sqlite_master WHERE sql IS NOT NULL").fetchall()
    for kind, name, sql in rows:
        words = sql.lower()
        detail: object = connection.execute(f"PRAGMA table_xinfo({name})").fetchall()
        if kind == "index":
            detail = (connection.execute(f"PRAGMA index_info({name})").fetchall(), words.partition(" where ")[2])
        found[name] = (kind, detail, *(flag in words for flag in ("without rowid", "autoincrement", "unique index")))
    return found


def test_all_migrations_together_make_exactly_the_described_schema() -> None:
    from durable_nb.store.schema import VERSION, render_ddl

    migrated, described = sqlite3.connect(":memory:"), sqlite3.connect(":memory:", isolation_level=None)
    migrated.isolation_level = None
    migrations.migrate_sqlite(migrated, where="x")
    for statement in render_ddl():
        described.execute(statement)
    assert schema_of(migrated) == schema_of(described)
    assert [migration.number for migration in migrations.MIGRATIONS] == list(range(1, VERSION + 1))
    migrated.close()
    described.close()


def test_every_table_and_column_is_explained() -> None:
    from durable_nb.store.schema import metadata

    for table in metadata.tables.values():
        assert table.comment, table.name
        assert all(column.comment for column in table.columns), table.name


NEXT = migrations.Migration(
    migrations.MIGRATIONS[-1].number + 1,
    "note",
    ("ALTER TABLE runs ADD COLUMN note TEXT", "CREATE INDEX n ON runs (note)"),
)


def test_an_older_store_is_upgraded_and_keeps_its_runs(path: Path, open_sqlite: Callable[..., SqliteStore]) -> None:
    store = open_sqlite()
    store.commit([unit(insert(run_row(1)))])
    store.close()
    connection = sqlite3.connect(path, isolation_level=None)
    both = (*migrations.MIGRATIONS, NEXT)
    number = NEXT.number
    assert migrations.migrate_sqlite(connection, where="x", migrations=both) == number - 1
    assert migrations.migrate_sqlite(connection, where="x", migrations=both) == number
    assert connection.execute("SELECT run_key, note FROM runs").fetchall() == [(1, None)]
    assert connection.execute("SELECT version FROM schema_version ORDER BY version").fetchall() == [
        (n,) for n in range(1, number + 1)
    ]
    connection.close()
    with pytest.raises(StoreVersionError):
        open_sqlite()


def test_a_migration_that_fails_leaves_the_store_as_it_was(path: Path, open_sqlite: Callable[..., SqliteStore]) -> None:
    open_sqlite().close()
    broken = migrations.Migration(NEXT.number, "broken", (NEXT.sqlite[0], "CREATE NONSENSE"))
    connection = sqlite3.connect(path, isolation_level=None)
    with pytest.raises(sqlite3.OperationalError):
        migrations.migrate_sqlite(connection, where="x", migrations=(*migrations.MIGRATIONS, broken))
    connection.close()
    assert open_sqlite().list_runs(RunFilter("default")) == []
