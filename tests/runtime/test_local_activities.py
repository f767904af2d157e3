from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import pytest

from durable_nb import workflow
from durable_nb.exceptions import ActivityError, is_cancelled_exception
from durable_nb.model import attributes as a
from durable_nb.model.commands import WorkflowTaskCompletion, WorkflowTaskPending
from durable_nb.model.tasks import ActivityOutcome
from tests.runtime import stories
from tests.runtime.driver import KEY, SECOND, Driver, LocalEnd, failure, payloads

SHORT = timedelta(seconds=10)


@workflow.defn
class Runs:
    def __init__(self) -> None:
        self.signals = 0

    @workflow.run
    async def run(self, name: str) -> Any:
        return await CASES[name](self)

    @workflow.signal
    def sig(self) -> None:
        self.signals += 1


async def one(self: Runs) -> list[Any]:
    before = workflow.time()
    result = await workflow.execute_local_activity("la", 5, start_to_close_timeout=SHORT)
    return [result, workflow.time() - before]


async def with_timer(self: Runs) -> Any:
    timer = asyncio.create_task(workflow.sleep(5))
    result = await workflow.execute_local_activity("la", start_to_close_timeout=SHORT)
    await timer
    return [result, self.signals]


async def failing(self: Runs) -> list[Any]:
    try:
        await workflow.execute_local_activity("la", start_to_close_timeout=SHORT)
    except ActivityError as error:
        return [error.activity_id, str(error.cause)]
    return []


async def cancelled(self: Runs) -> list[Any]:
    handle = workflow.start_local_activity("la", start_to_close_timeout=SHORT)
    await workflow.wait_condition(lambda: self.signals > 0)
    handle.cancel()
    try:
        await handle
    except ActivityError as error:
        return [is_cancelled_exception(error)]
    return []


async def cancelled_and_awaited(self: Runs) -> Any:
    handle = workflow.start_local_activity(
        "la",
        start_to_close_timeout=SHORT,
        cancellation_type=workflow.ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
    )
    await workflow.wait_condition(lambda: self.signals > 0)
    handle.cancel()
    return await handle


async def several(self: Runs) -> list[Any]:
    order: list[Any] = []

    async def run(n: int) -> None:
        order.append(await workflow.execute_local_activity("la", n, start_to_close_timeout=SHORT))
        await workflow.sleep(n)

    await asyncio.gather(run(1), run(2), run(3))
    return order


async def racing(self: Runs) -> Any:
    """Which of two come first, and which come together, changes what is done next."""
    left = {n: workflow.start_local_activity("la", n, start_to_close_timeout=SHORT) for n in (1, 2)}
    rounds = []
    while left:
        await workflow.wait_condition(lambda: any(each.done() for each in left.values()))
        rounds.append([n for n, each in left.items() if each.done()])
        for n in rounds[-1]:
            await left.pop(n)
        await workflow.sleep(len(rounds[-1]))
    return [*rounds, self.signals]


CASES: dict[str, Callable[[Runs], Awaitable[Any]]] = {
    fn.__name__: fn for fn in (one, with_timer, failing, cancelled, cancelled_and_awaited, several, racing)
}


def begin(name: str) -> tuple[Driver, Any]:
    """A run whose first task waits for a local activity."""
    d = Driver(Runs, name)
    return d, d.host.handle(KEY, d.start_task())


def end(d: Driver, *result: Any, **more: Any) -> LocalEnd:
    return LocalEnd(ActivityOutcome(result=payloads(*result)), complete_time=d.now + 4 * SECOND, **more)


def test_a_local_activity_is_asked_of_the_host_and_recorded_as_one_marker() -> None:
    d, pending = begin("one")
    assert isinstance(pending, WorkflowTaskPending)
    request = pending.start[0]
    assert (request.seq, request.activity_id, request.activity_type) == (1, "1", "la")
    assert request.start_to_close_timeout == 10 * SECOND
    d.finish(d.host.resolve_local_activity(KEY, 1, end(d, "done")))
    assert d.result == ["done", 4]
    marker: Any = d.of(a.MarkerRecorded).attributes
    assert marker.marker_name == "core_local_activity"
    data = json.loads(marker.details["data"][0].data)
    assert list(data) == [
        "seq", "attempt", "activity_id", "activity_type", "complete_time", "backoff", "original_schedule_time",
        "activation_index",
    ]  # fmt: skip
    assert set(data["complete_time"]) == {"seconds", "nanos"}
    assert data["backoff"] is None
    assert d.replay().failure is None


def test_what_was_issued_before_goes_out_with_a_heartbeat_and_the_activity_goes_on() -> None:
    d, _ = begin("with_timer")
    beat = d.host.heartbeat(KEY)
    assert beat.force_new_task
    d.finish(beat)
    assert d.commands() == ["TimerStarted"]
    d.signal("sig")
    pending = d.host.handle(KEY, d.start_task())
    assert pending == WorkflowTaskPending()
    d.finish(d.host.resolve_local_activity(KEY, 1, end(d, "x")))
    assert d.commands() == ["MarkerRecorded"]
    d.fire()
    d.task()
    assert d.result == ["x", 1]
    assert d.replay().failure is None


def test_an_outcome_that_comes_between_two_tasks_waits_for_the_next() -> None:
    d, _ = begin("one")
    d.finish(d.host.heartbeat(KEY))
    assert d.host.resolve_local_activity(KEY, 1, end(d, "x")) is None
    d.task()
    assert d.result[0] == "x"
    assert d.replay().failure is None


def test_time_does_not_pass_for_the_code_during_heartbeats() -> None:
    d, _ = begin("one")
    for _ in range(3):
        d.finish(d.host.heartbeat(KEY))
        d.host.handle(KEY, d.start_task())
    outcome = d.host.resolve_local_activity(KEY, 1, end(d, "x"))
    d.finish(outcome)
    live = d.result
    d.forget()
    assert d.replay().failure is None
    assert live[1] > 4


def test_a_failed_local_activity_raises_activity_error() -> None:
    d, _ = begin("failing")
    d.finish(d.host.resolve_local_activity(KEY, 1, LocalEnd(ActivityOutcome(failure=failure("no", "Bad")))))
    assert d.result == ["1", "Bad: no"]
    assert d.replay().failure is None


def test_a_long_backoff_becomes_a_durable_timer_and_a_new_number() -> None:
    d, _ = begin("one")
    d.finish(d.host.resolve_local_activity(KEY, 1, LocalEnd(ActivityOutcome(failure=failure()), 3, 7, 0, 90 * SECOND)))
    assert d.commands() == ["MarkerRecorded", "TimerStarted"]
    assert d.of(a.TimerStarted).attributes.start_to_fire_timeout == 90 * SECOND  # type: ignore[attr-defined]
    d.fire()
    pending = d.host.handle(KEY, d.start_task())
    request = pending.start[0]  # type: ignore[union-attr]
    assert (request.seq, request.attempt, request.original_schedule_time) == (2, 4, 7)
    d.finish(d.host.resolve_local_activity(KEY, 2, end(d, "at last")))
    assert d.result[0] == "at last"
    assert d.replay().failure is None


def test_a_retry_after_a_durable_backoff_is_asked_for_once_where_the_run_was_replayed() -> None:
    d, _ = begin("one")
    d.finish(d.host.resolve_local_activity(KEY, 1, LocalEnd(ActivityOutcome(failure=failure()), 3, 7, 0, 90 * SECOND)))
    d.fire()
    d.forget()
    pending = d.host.handle(KEY, d.start_task())
    assert [each.seq for each in pending.start] == [2]  # type: ignore[union-attr]
    d.finish(d.host.resolve_local_activity(KEY, 2, end(d, "at last")))
    assert d.result[0] == "at last"


def test_cancelling_tells_the_host_and_raises_at_once() -> None:
    d, _ = begin("cancelled")
    d.finish(d.host.heartbeat(KEY))
    d.signal("sig")
    d.finish(d.host.handle(KEY, d.start_task()))
    assert d.result == [True]
    assert d.replay().failure is None


def test_cancelling_may_wait_for_the_outcome() -> None:
    d, _ = begin("cancelled_and_awaited")
    d.finish(d.host.heartbeat(KEY))
    d.signal("sig")
    pending = d.host.handle(KEY, d.start_task())
    assert [each.seq for each in pending.cancel] == [1]  # type: ignore[union-attr]
    d.finish(d.host.resolve_local_activity(KEY, 1, end(d, "finished all the same")))
    assert d.result == "finished all the same"
    assert d.replay().failure is None


def test_replay_gives_results_in_the_order_of_the_markers() -> None:
    d, _ = begin("several")
    for seq in (3, 1, 2):
        outcome = d.host.resolve_local_activity(KEY, seq, end(d, f"r{seq}"))
    assert isinstance(outcome, WorkflowTaskCompletion)
    d.finish(outcome)
    d.forget()
    for timer in ("1", "2", "3"):
        d.fire(timer)
    d.task()
    assert d.result == ["r3", "r1", "r2"]


def race() -> Driver:
    """Two local activities that ended one after the other within one task."""
    d, _ = begin("racing")
    for seq in (2, 1):
        outcome = d.host.resolve_local_activity(KEY, seq, end(d))
    d.finish(outcome)
    return d


def markers(d: Driver) -> list[Any]:
    """Data payload of each marker of a local activity."""
    return [each.attributes.details["data"][0] for each in d.events if isinstance(each.attributes, a.MarkerRecorded)]


def test_replay_gives_results_in_the_activations_in_which_they_came() -> None:
    d = race()
    assert d.commands() == ["MarkerRecorded", "TimerStarted", "MarkerRecorded"]
    assert [json.loads(data.data)["activation_index"] for data in markers(d)] == [1, 2]
    d.forget()
    d.fire("1")
    d.task()
    d.fire("2")
    d.task()
    assert d.result == [[2], [1], 0]
    assert d.replay().failure is None


def test_results_of_markers_that_name_no_activation_come_together_as_in_temporal() -> None:
    d = race()
    for data in markers(d):
        data.data = data.data.replace(b',"activation_index":1', b"").replace(b',"activation_index":2', b"")
    d.forget()
    d.fire("1")
    d.task()
    assert d.result == [[1, 2], 0]


def test_a_result_kept_for_an_activation_that_does_not_come_is_given_all_the_same() -> None:
    d = race()
    for data in markers(d):
        data.data = data.data.replace(b'"activation_index":2', b'"activation_index":7')
    d.forget()
    d.fire("1")
    d.task()
    d.fire("2")
    d.task()
    assert d.result == [[2], [1], 0]


def test_a_local_activity_that_this_worker_does_not_serve_is_refused_where_it_is_called() -> None:
    def check(name: str) -> None:
        raise ValueError(f"{name} is not served")

    d = Driver(Runs, "one", check_local_activity=check)
    assert "la is not served" in d.task().failure.message


def test_a_marker_of_another_type_is_a_divergence() -> None:
    d = stories.local_activities()
    marker: Any = next(e for e in d.events if isinstance(e.attributes, a.MarkerRecorded)).attributes
    payload = marker.details["data"][0]
    payload.data = payload.data.replace(b'"one"', b'"uno"')
    problem = d.replay().failure
    assert isinstance(problem, workflow.NondeterminismError)
    assert "local activity uno" in problem.recorded


@pytest.mark.parametrize("missing", ["seq", "backoff", "complete_time"])
def test_a_marker_that_lacks_a_key_cannot_be_read(missing: str) -> None:
    d = stories.local_activities()
    marker: Any = next(e for e in d.events if isinstance(e.attributes, a.MarkerRecorded)).attributes
    data = json.loads(marker.details["data"][0].data)
    del data[missing]
    marker.details["data"][0].data = json.dumps(data).encode()
    assert isinstance(d.replay().failure, workflow.NondeterminismError)
