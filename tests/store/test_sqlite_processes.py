"""Other processes on the same file, and how they end: killed, stopped, forked, tidied away."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from durable_nb.errors import StoreClosedError, StoreReadOnlyError
from durable_nb.store.sqlite import SqliteStore
from tests.store.samples import activity_row, insert, run_row, unit, update

ROOT = Path(__file__).resolve().parents[2]
Opener = Callable[..., SqliteStore]

# Registers, takes the activity of a new run, then obeys one command a line.
WORKER = """
import os, sys
from durable_nb.store import open_store
from tests.store.samples import activity_row, insert, run_row, unit, update

store = open_store(sys.argv[1])
key = store.register_process("child", 1000).process_key
run = run_row(1)
store.commit([unit(insert(run, put_activities=[activity_row(1, owner=key)]))])
print(key, flush=True)
for line in sys.stdin:
    if line == "complete\\n":
        answer = store.commit([unit(update(run, delete_activities=[1]))])[0]
        print(answer.kind if answer else "written", store.heartbeat(key, 9000), flush=True)
    elif line == "fork\\n":
        if os.fork() == 0:
            print("forked", flush=True)
            sys.stdin.read()
            os._exit(0)
    elif line == "fork and use\\n":
        if os.fork() == 0:
            try:
                store.load_run(1)
            except Exception as error:
                print(type(error).__name__, flush=True)
            os._exit(0)
"""


class Worker:
    """A process that runs ``WORKER``."""

    def __init__(self, path: Path) -> None:
        command = [sys.executable, "-c", WORKER, f"sqlite:///{path}"]
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT, bufsize=1
        )
        self.key = int(self.process.stdout.readline())

    def say(self, line: str) -> str:
        self.process.stdin.write(line + "\n")
        return self.process.stdout.readline().strip()

    def send(self, number: signal.Signals) -> None:
        self.process.send_signal(number)


@pytest.fixture
def worker(path: Path) -> Iterator[Worker]:
    started = Worker(path)
    yield started
    started.send(signal.SIGKILL)
    with started.process:
        started.process.stdin.close()


def lock_file(path: Path, process_key: int) -> Path:
    return path.parent / f".{path.name}-locks" / f"{process_key}.lock"


def test_a_killed_process_is_found_dead_at_once(path: Path, worker: Worker, open_sqlite: Opener) -> None:
    store = open_sqlite()
    assert store.dead_owners(1000, 10**9) == []
    assert lock_file(path, worker.key).exists()
    worker.send(signal.SIGKILL)
    worker.process.wait()
    assert store.dead_owners(1000, 10**9) == [worker.key]
    assert store.list_processes() == []
    assert not lock_file(path, worker.key).parent.exists()
    assert [task.run_key for task in store.ready_activities(0, [worker.key], 10)] == [1]


def test_a_stopped_process_lives_until_its_lease_ends_and_cannot_write_afterwards(
    worker: Worker, open_sqlite: Opener
) -> None:
    store = open_sqlite()
    heir = store.register_process("heir", 5000).process_key
    worker.send(signal.SIGSTOP)
    assert store.dead_owners(5000, 4000) == []
    assert store.dead_owners(5001, 4000) == [worker.key]
    taken = update(run_row(1), put_activities=[activity_row(1, owner=heir, token=2)])
    assert store.commit([unit(taken)]) == [None]
    worker.send(signal.SIGCONT)
    assert worker.say("complete") == "version False"
    assert store.load_run(1).activities[0].owner == heir


def test_a_forked_child_does_not_keep_its_dead_parent_alive(worker: Worker, open_sqlite: Opener) -> None:
    store = open_sqlite()
    assert worker.say("fork") == "forked"
    assert store.dead_owners(1000, 10**9) == [], "the child's end of the lock must not free the parent's"
    worker.send(signal.SIGKILL)
    worker.process.wait()
    assert store.dead_owners(1000, 10**9) == [worker.key]


def test_a_forked_child_must_open_the_store_itself(worker: Worker, open_sqlite: Opener) -> None:
    assert worker.say("fork and use") == StoreClosedError.__name__
    assert worker.say("complete") == "written True"
    assert open_sqlite().load_run(1).run.version == 2


def test_two_engines_of_one_process_see_each_other_alive_and_dead(open_sqlite: Opener) -> None:
    first, second = open_sqlite(), open_sqlite()
    key = first.register_process("first", 1).process_key
    second.register_process("second", 1)
    assert second.dead_owners(1, 100) == []
    first.close()
    assert second.dead_owners(1, 100) == [key]


def test_a_lock_file_that_somebody_removed_proves_nothing(path: Path, open_sqlite: Opener) -> None:
    first, second = open_sqlite(), open_sqlite()
    key = first.register_process("first", 1).process_key
    lock_file(path, key).unlink()
    assert second.dead_owners(1, 100) == []
    assert second.dead_owners(102, 100) == [key]


def test_of_a_process_on_another_machine_only_the_heartbeat_counts(open_sqlite: Opener) -> None:
    store = open_sqlite()
    key = store.register_process("here", 1).process_key
    with store._database.writing() as cursor:
        cursor.execute("UPDATE processes SET hostname = 'elsewhere'")
    store._locks.release_all()
    assert store.dead_owners(1, 100) == []
    assert store.dead_owners(102, 100) == [key]


def test_a_process_that_leaves_takes_its_lock_file_along(path: Path, open_sqlite: Opener) -> None:
    store = open_sqlite()
    row = store.register_process("me", 1)
    assert (row.pid, row.hostname) == (os.getpid(), os.uname().nodename)
    store.unregister_process(row.process_key)
    assert store.list_processes() == []
    assert not lock_file(path, row.process_key).parent.exists()
    assert store.register_process("me", 2).process_key == row.process_key + 1


def test_a_lock_that_cannot_be_taken_registers_nobody(path: Path, open_sqlite: Opener) -> None:
    store = open_sqlite()
    (path.parent / f".{path.name}-locks").write_text("in the way")
    with pytest.raises(StoreReadOnlyError, match="liveness lock"):
        store.register_process("me", 1)
    assert store.list_processes() == []


def test_the_change_token_moves_with_commits_of_others_only(open_sqlite: Opener) -> None:
    mine, other = open_sqlite(), open_sqlite()
    before = mine.change_token()
    mine.commit([unit(insert(run_row(1)))])
    mine.register_process("me", 1)
    assert mine.change_token() == before
    other.commit([unit(insert(run_row(2)))])
    after = mine.change_token()
    assert after != before
    mine.commit([unit(update(run_row(1)))])
    assert mine.change_token() == after


def test_the_change_token_does_not_wait_for_a_commit_under_way(open_sqlite: Opener) -> None:
    mine, other = open_sqlite(), open_sqlite()
    before = mine.change_token()
    with mine._database.lock:
        assert mine.change_token() == before
    other.set_setting("a", "b")
    assert mine.change_token() != before
