"""Big runs: the work for one step does not grow with what is pending (counted, not timed)."""

from __future__ import annotations

import pytest

from durable_nb.core import activities, deadlines, requests
from durable_nb.core.start import start
from durable_nb.core.state import ExecutionState
from durable_nb.core.transition import Transition
from durable_nb.core.workflow_tasks import begin, complete
from durable_nb.model.attributes import TimerCanceled, TimerStarted
from durable_nb.model.requests import SignalInput, StartWorkflow
from tests.core.world import SECOND, World, activity, completion, text

MANY = 10_000


@pytest.fixture
def looks(monkeypatch):
    """How often a deadline was looked at so far."""
    counted = [0]
    look = ExecutionState._deadline_of

    def counting(state: ExecutionState, kind: str, ref: int | str) -> int:
        counted[0] += 1
        return look(state, kind, ref)

    monkeypatch.setattr(ExecutionState, "_deadline_of", counting)
    return counted


class Bare:
    """A run without the world's checks after every step, which look at everything."""

    def __init__(self) -> None:
        world = World()
        self.context, self.now = world.context, world.now
        first = start(self.context, StartWorkflow("default", "wf", "W", "q"), 1, "run", self.now)
        first.finish()
        self.state = first.state

    def step(self, decide) -> Transition:
        tx = Transition(self.state, self.now, self.context)
        decide(tx)
        tx.finish()
        return tx

    def task(self, *asked) -> Transition:
        def decide(tx: Transition) -> None:
            if self.state.workflow_task is None:
                requests.signal(tx, SignalInput("go"), "me")
            complete(tx, begin(tx), completion(*asked))

        return self.step(decide)


def test_ten_thousand_timers_cost_a_few_looks_for_each(looks):
    run = Bare()
    run.task(*[TimerStarted(str(i), (1 + i * 7919 % MANY) * SECOND) for i in range(MANY)])
    looks[0] = 0
    for _ in range(100):
        run.step(lambda tx: requests.signal(tx, SignalInput("s"), "me"))
    assert looks[0] < 500
    looks[0] = 0
    run.now += MANY // 2 * SECOND
    run.step(deadlines.fire)
    assert len(run.state.timers) == MANY // 2
    assert looks[0] < 5 * MANY


def test_cancelled_timers_leave_nothing_behind(looks):
    run = Bare()
    run.task(TimerStarted("first of all", 3600 * SECOND))
    for number in range(2_000):
        run.task(TimerStarted(str(number), 86_400 * SECOND))
        run.task(TimerCanceled(str(number)))
    assert len(run.state._deadlines) < 100
    assert looks[0] < 20 * 2_000


def test_two_thousand_pending_activities_end_one_by_one(looks):
    run = Bare()
    run.task(*[activity(str(i), heartbeat_timeout=30 * SECOND) for i in range(2_000)])
    looks[0] = 0
    for scheduled in list(run.state.activities):
        found = run.state.activities[scheduled]
        run.now += 1
        tx = run.step(lambda tx, found=found: activities.complete(tx, found, text("r"), "me"))
        assert (len(tx.events), tx.delete_activities) == (2 + (scheduled == 5), [scheduled])
    assert run.state.activities == {}
    assert looks[0] < 20 * 2_000


def test_a_flood_of_signals_during_a_task_is_encoded_once_each(monkeypatch):
    from durable_nb.core import transient, workflow_tasks

    encoded = [0]
    encode = transient.encode_attributes

    def counting(attributes):
        encoded[0] += 1
        return encode(attributes)

    monkeypatch.setattr(transient, "encode_attributes", counting)
    run = Bare()
    run.step(lambda tx: workflow_tasks.hold(tx, begin(tx)))
    for number in range(300):
        run.step(lambda tx, number=number: requests.signal(tx, SignalInput(f"s{number}"), "me"))
    assert encoded[0] == 300
