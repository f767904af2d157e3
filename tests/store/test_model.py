"""Any sequence of operations gives the same answers in memory and on SQLite."""

from __future__ import annotations

import shutil
import tempfile
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from durable_nb.model.records import RunFilter, RunRow, RunWrite, Unit
from durable_nb.store import open_store
from durable_nb.store.protocol import Store
from tests.store.samples import (
    RUNNING,
    activity_row,
    attempt_row,
    event_row,
    run_row,
    started,
    task_row,
    transfer_row,
    unit,
    update,
)

KEYS = st.integers(1, 5)
OWNERS = st.integers(0, 4)
STATUSES = st.sampled_from([RUNNING, RUNNING, 2, 6])
TIMES = st.sampled_from([0, 10, 20, 30])
IDS = st.integers(1, 3)


@st.composite
def writes(draw: st.DrawFn) -> dict[str, Any]:
    """What a transition changes, without the run and its version."""
    return {
        "listed_changed": draw(st.booleans()),
        "put_activities": [
            activity_row(number, owner=draw(OWNERS), visible_at=draw(TIMES), state=draw(st.binary(max_size=3)))
            for number in draw(st.lists(IDS, max_size=2, unique=True))
        ],
        "delete_activities": draw(st.lists(IDS, max_size=2)),
        "attempts": [attempt_row(number) for number in draw(st.lists(IDS, max_size=1))],
        "workflow_task": draw(st.none() | st.builds(task_row, owner=OWNERS, visible_at=TIMES)),
        "had_workflow_task": True,
        "put_transfers": [
            transfer_row(number, draw(OWNERS)) for number in draw(st.lists(IDS, max_size=2, unique=True))
        ],
        "delete_transfers": draw(st.lists(IDS, max_size=2)),
    }


def closes_for(one: Unit, earlier: list[Unit]) -> bool:
    """Whether a unit closes a run whose workflow ID an earlier unit starts: a store may let that start in or not."""
    started = {write.run.workflow_id for each in earlier for write in each.writes if write.expected_version == 0}
    return any(w.expected_version and w.run.status != RUNNING and w.run.workflow_id in started for w in one.writes)


class StoresAgree(RuleBasedStateMachine):
    """Each rule asks both stores and compares; the invariant compares everything that can be read."""

    @initialize()
    def open_stores(self) -> None:
        self.folder = tempfile.mkdtemp()
        self.stores: list[Store] = [
            open_store("memory://"),
            open_store(f"sqlite:///{self.folder}/durable.db", blob_limit=50),
        ]
        self.stores[1]._database.writer.execute("PRAGMA synchronous = OFF")  # type: ignore[attr-defined]
        self.serial = 0

    def teardown(self) -> None:
        if hasattr(self, "stores"):
            for store in self.stores:
                store.close()
            shutil.rmtree(self.folder)

    def both(self, method: str, *arguments: Any) -> Any:
        memory, sqlite = (getattr(store, method)(*arguments) for store in self.stores)
        assert memory == sqlite, (method, arguments)
        return memory

    def latest(self, workflow_id: str) -> RunRow | None:
        return self.stores[0].find_run("default", workflow_id)

    def make_write(self, data: st.DataObject) -> RunWrite:
        key = data.draw(KEYS)
        stored = self.stores[0].load_run(key)
        fields = data.draw(writes())
        next_event = len(stored.events) + 1 if stored else 1
        first = data.draw(st.sampled_from([next_event] * 5 + [1]))
        size = data.draw(st.sampled_from([1, 200]))
        fields["events"] = [event_row(first + n, started(b"z" * size)) for n in range(data.draw(st.integers(0, 3)))]
        changed = {"status": data.draw(STATUSES), "wake_at": data.draw(TIMES), "transient": b"t%d" % key}
        if stored is None or data.draw(st.sampled_from([False] * 5 + [True])):
            self.serial += 1
            run = run_row(key, data.draw(st.sampled_from("ab")), run_id=f"r{self.serial}", **changed)
            seen = data.draw(st.none() | st.sampled_from([0, getattr(self.latest(run.workflow_id), "run_key", 0)]))
            return RunWrite(run, 0, expected_latest=seen, imported=data.draw(st.booleans()), **fields)
        held: RunRow = stored.run
        held.version -= data.draw(st.sampled_from([0] * 5 + [1]))
        if not fields["listed_changed"]:
            changed = {"transient": changed["transient"]}
        elif held.status != RUNNING:
            del changed["status"]  # a closed run is never opened again
        return update(held, **changed, **fields)

    @rule(data=st.data(), sizes=st.lists(st.integers(1, 2), min_size=1, max_size=4))
    def commit(self, data: st.DataObject, sizes: list[int]) -> None:
        units = [unit(*(self.make_write(data) for _ in range(size))) for size in sizes]
        # expected_version 0 means "insert"; a stale view of version 1 would look like one.
        units = [one for one in units if all(w.expected_version or w.run.version == 1 for w in one.writes)]
        self.both("commit", [one for place, one in enumerate(units) if not closes_for(one, units[:place])])

    @rule(now=TIMES)
    def register(self, now: int) -> None:
        keys = [store.register_process("p", now).process_key for store in self.stores]
        assert keys[0] == keys[1]

    @rule(key=OWNERS, now=TIMES)
    def heartbeat(self, key: int, now: int) -> None:
        self.both("heartbeat", key, now)

    @rule(key=OWNERS)
    def unregister(self, key: int) -> None:
        self.both("unregister_process", key)

    @rule(now=TIMES)
    def find_dead(self, now: int) -> None:
        self.both("dead_owners", now, 15)

    @rule(key=KEYS)
    def delete(self, key: int) -> None:
        loaded = self.stores[0].load_run(key)
        if loaded is None or loaded.run.status != RUNNING:
            self.both("delete_run", key)

    @rule(key=KEYS, now=TIMES)
    def send(self, key: int, now: int) -> None:
        self.both("put_message", key, "query", 1, b"?", now)

    @rule(number=IDS)
    def reply(self, number: int) -> None:
        self.both("reply_message", number, b"!")

    @rule(count=st.integers(1, 9))
    def reserve(self, count: int) -> None:
        self.both("reserve_run_keys", count)

    @invariant()
    def everything_readable_is_equal(self) -> None:
        if not hasattr(self, "stores"):
            return
        for key in range(1, 6):
            self.both("load_run", key)
            self.both("read_attempts", key)
        for workflow_id in "ab":
            self.both("find_run", "default", workflow_id)
        self.both("list_runs", RunFilter("default", statuses=[RUNNING, 6], limit=3))
        self.both("list_runs", RunFilter("default", before_run_key=3))
        self.both("count_runs", "default")
        self.both("next_wake")
        self.both("due_runs", 20, 10)
        self.both("take_messages", 10)
        for method, arguments in (
            ("ready_workflow_tasks", (10, [2], 99)),
            ("ready_activities", (10, [1, 3], 99)),
            ("ready_transfers", ([4], 99)),
        ):
            memory, sqlite = (getattr(store, method)(*arguments) for store in self.stores)
            assert sorted(map(repr, memory)) == sorted(map(repr, sqlite))


StoresAgree.TestCase.settings = settings(
    max_examples=25, stateful_step_count=20, suppress_health_check=list(HealthCheck)
)
TestStoresAgree = pytest.mark.timeout(300)(StoresAgree.TestCase)  # a failure is made smaller before it is told
