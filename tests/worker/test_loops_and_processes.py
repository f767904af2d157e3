"""Where activities run: the worker's own loop, another process, an executor of another kind."""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import threading
from collections.abc import Iterator
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import pytest

from durable_nb import activity
from durable_nb.exceptions import ApplicationError
from durable_nb.model.tasks import ActivityOutcome, HeartbeatReply
from durable_nb.worker._process import ProcessCall, run_in_process, unpack_end
from durable_nb.worker._shared_state import SharedStateManager
from tests.worker.executor_rig import CONVERTER, Rig, activity_task, failure_type, settle, value_of


@dataclass
class Order:
    item: str


@activity.defn
def process_order(order: Order) -> list[Any]:
    converter = activity.payload_converter()
    return [os.getpid(), order.item, activity.info().activity_id, type(converter) is type(CONVERTER.payload_converter)]


@activity.defn
def beat_until_cancelled() -> str:
    activity.heartbeat("alive", 1)
    activity.wait_for_cancelled_sync(60)
    return f"cancelled {activity.is_cancelled()}"


@activity.defn
def until_shutdown() -> str:
    activity.wait_for_worker_shutdown_sync(60)
    return f"shutdown {activity.is_worker_shutdown()}"


class TwoArguments(Exception):
    """Cannot be unpickled: its constructor wants more than ``args`` holds."""

    def __init__(self, first: str, second: str) -> None:
        super().__init__(first)
        self.second = second


@activity.defn
def fail_in_process(kind: str) -> None:
    if kind == "unpicklable":
        raise TwoArguments("a", "b")
    raise ApplicationError("no", 7, type="Refused", non_retryable=True)


@activity.defn
def meter() -> None:
    activity.metric_meter()


@pytest.fixture(scope="module")
def pool() -> Iterator[ProcessPoolExecutor]:
    with ProcessPoolExecutor(2, mp_context=multiprocessing.get_context("spawn")) as executor:
        yield executor


@pytest.fixture(scope="module")
def manager() -> Iterator[SharedStateManager]:
    with multiprocessing.get_context("spawn").Manager() as mgr:
        yield SharedStateManager.create_from_multiprocessing(mgr)


@pytest.mark.slow
async def test_a_sync_activity_runs_in_another_process(pool: Executor, manager: SharedStateManager) -> None:
    rig = Rig(process_order, executor=pool, shared_state=manager)
    pid, *rest = await rig.result("process_order", {"item": "x"})
    assert pid != os.getpid()
    assert rest == ["x", "1", True]


@pytest.mark.slow
async def test_heartbeats_and_cancellation_cross_the_process_border(
    pool: Executor, manager: SharedStateManager
) -> None:
    rig = Rig(beat_until_cancelled, executor=pool, shared_state=manager)
    rig.reply = HeartbeatReply(cancel_requested=True)
    assert await rig.result("beat_until_cancelled") == "cancelled True"
    assert rig.heartbeats == [["alive", 1]]


@pytest.mark.slow
async def test_a_shutdown_crosses_the_process_border(pool: Executor, manager: SharedStateManager) -> None:
    rig = Rig(until_shutdown, executor=pool, shared_state=manager)
    end = rig.start(activity_task("until_shutdown"))
    while rig.executor.calls.foreign_shutdown is None:  # noqa: ASYNC110 - a moment, until the process call is made
        await asyncio.sleep(0)
    await rig.executor.shutdown(60)
    assert value_of(await end) == "shutdown True"


@pytest.mark.slow
async def test_errors_of_another_process_keep_their_fields_and_their_traceback(
    pool: Executor, manager: SharedStateManager
) -> None:
    rig = Rig(fail_in_process, executor=pool, shared_state=manager)
    failure = (await rig.run("fail_in_process", "plain")).failure
    assert failure is not None
    info = failure.application_failure_info
    assert (info.type, info.non_retryable, CONVERTER.from_payloads(info.details)) == ("Refused", True, [7])
    assert "in fail_in_process" in failure.cause.message


@pytest.mark.slow
async def test_an_exception_that_cannot_be_unpickled_does_not_break_the_pool(
    pool: Executor, manager: SharedStateManager
) -> None:
    rig = Rig(fail_in_process, process_order, executor=pool, shared_state=manager)
    assert failure_type(await rig.run("fail_in_process", "unpicklable")) == "TwoArguments"
    assert (await rig.result("process_order", {"item": "y"}))[1] == "y"


class Inline(Executor):
    """Any executor will do, a cluster's too; this one runs the call where it is submitted."""

    def submit(self, fn: Any, /, *args: Any, **kwargs: Any) -> Future[Any]:
        future: Future[Any] = Future()
        future.set_result(fn(*args, **kwargs))
        return future


async def test_without_shared_state_activities_run_but_cannot_heartbeat() -> None:
    rig = Rig(process_order, beat_until_cancelled, meter, executor=Inline())
    assert (await rig.result("process_order", {"item": "z"}))[1] == "z"
    outcome = await rig.run("beat_until_cancelled")
    assert outcome.failure is not None
    assert "shared_state_manager=SharedStateManager.create_from_multiprocessing" in outcome.failure.message
    assert failure_type(await rig.run("meter")) == "RuntimeError"


def test_definitions_of_a_notebook_travel_by_value() -> None:
    space: dict[str, Any] = {"__name__": "__main__"}
    exec(
        "from dataclasses import dataclass\n"
        "from durable_nb import activity\n"
        "@dataclass\nclass Item:\n    name: str\n"
        "@activity.defn\ndef twice(item: Item) -> Item:\n    return Item(item.name * 2)\n",
        space,
    )
    item = space["Item"]("ab")
    call = ProcessCall(
        info=None,  # type: ignore[arg-type]
        sender=None,
        cancelled=None,
        worker_shutdown=None,
        payload_converter_class=type(CONVERTER.payload_converter),
        fn=space["twice"],
        args=[item],
    )
    packed, from_notebook = call.packed()
    assert from_notebook
    end = unpack_end(run_in_process(packed, from_notebook)).get()
    assert type(end) is space["Item"]
    assert end.name == "abab"


def test_what_cannot_travel_is_refused_with_its_name() -> None:
    task = activity_task("process_order")
    rig_info = activity.Info(
        **{**dict.fromkeys(activity.Info.__dataclass_fields__), "activity_type": task.activity_type}
    )
    call = ProcessCall(rig_info, None, None, None, type(CONVERTER.payload_converter), process_order, [threading.Lock()])
    with pytest.raises(TypeError, match="activity process_order or one of its arguments cannot travel"):
        call.packed()


@activity.defn
async def which_loop() -> int:
    await asyncio.sleep(0)
    return id(asyncio.get_running_loop())


def test_a_worker_on_another_loop_is_reached_from_the_engines_thread() -> None:
    outcomes: list[ActivityOutcome] = []
    everything = threading.Event()

    def report(outcome: ActivityOutcome) -> None:
        outcomes.append(outcome)
        if len(outcomes) == 50:
            everything.set()

    async def worker() -> None:
        rig = Rig(which_loop)
        thread = threading.Thread(
            target=lambda: [rig.executor.start(activity_task("which_loop"), report) for _ in range(50)]
        )
        thread.start()
        await asyncio.get_running_loop().run_in_executor(None, everything.wait, 30)
        thread.join()
        assert {value_of(outcome) for outcome in outcomes} == {id(asyncio.get_running_loop())}

    asyncio.run(worker())


async def test_a_task_for_a_loop_that_is_closed_fails_at_once() -> None:
    closed = asyncio.new_event_loop()
    closed.close()
    outcome = await Rig(which_loop, loop=closed).run("which_loop")
    assert failure_type(outcome) == "WorkerShutdown"


async def test_blocking_in_a_thread_does_not_block_the_loop() -> None:
    from concurrent.futures import ThreadPoolExecutor

    gate = threading.Event()

    @activity.defn
    def block() -> bool:
        return gate.wait(60)

    with ThreadPoolExecutor(1) as pool:
        rig = Rig(block, executor=pool)
        end = rig.start(activity_task("block"))
        await settle()
        gate.set()
        assert value_of(await end) is True, "the loop went on, and opened the gate"


class OfItsLoop(ThreadPoolExecutor):
    """As that of trio-asyncio: only its loop's ``run_in_executor`` can give it a call."""

    async def submit(self, fn: Any, /, *args: Any) -> Any:  # type: ignore[override]
        raise AssertionError("not by run_in_executor")


@activity.defn
def in_which_thread() -> list[Any]:
    return [threading.current_thread().name, activity.info().activity_type]


async def test_an_executor_that_only_its_loop_can_use_is_given_calls_by_the_loop(monkeypatch: Any) -> None:
    loop = asyncio.get_running_loop()
    run_in_executor = loop.run_in_executor
    with ThreadPoolExecutor(1, thread_name_prefix="loop's") as threads, OfItsLoop(1) as executor:

        def run(pool: Any, fn: Any, *args: Any) -> Any:
            return run_in_executor(threads if pool is executor else pool, fn, *args)

        monkeypatch.setattr(loop, "run_in_executor", run)
        outcome = await Rig(in_which_thread, executor=executor).run("in_which_thread")
    assert value_of(outcome) == ["loop's_0", "in_which_thread"]
