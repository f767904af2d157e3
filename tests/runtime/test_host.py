"""Cached instances: kept, dropped, rebuilt; and steps that take too long."""

from __future__ import annotations

import asyncio
import bdb
import contextlib
import gc
import sys
import threading
import time
import weakref
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from types import FrameType
from typing import Any

import pytest

from durable_nb import workflow
from durable_nb.model.commands import WorkflowTaskFailure
from durable_nb.model.enums import WorkflowTaskFailedCause
from durable_nb.model.tasks import QueryAnswer, QueryRequest
from durable_nb.runtime import watchdog
from durable_nb.runtime.errors import DeadlockInterrupt
from durable_nb.runtime.watchdog import Watch
from tests.runtime.driver import KEY, Driver

SHORT = timedelta(seconds=10)
log: list[str] = []
stop = threading.Event()


@workflow.defn
class Steps:
    @workflow.run
    async def run(self) -> str:
        await workflow.sleep(1)
        await workflow.sleep(1)
        return "done"

    @workflow.query
    def peek(self) -> str:
        return "seen"


@workflow.defn
class Cleans:
    """Does in ``finally`` everything that must not show when the run leaves the cache."""

    @workflow.run
    async def run(self) -> None:
        child = asyncio.create_task(self.child())
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self.grouped())
                async with asyncio.timeout(100):
                    await workflow.sleep(50)
        finally:
            log.append("finally")
            workflow.logger.error("must be silent")
            await workflow.execute_activity("clean", start_to_close_timeout=SHORT)
            log.append("not reached")
            await child

    async def child(self) -> None:
        try:
            await asyncio.Future()
        finally:
            await asyncio.sleep(1)

    async def grouped(self) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.Event().wait()  # awaits while it is being closed


@workflow.defn
class Hangs:
    swallow = False

    @workflow.run
    async def run(self, seconds: float) -> None:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            try:
                pass  # the loop that never yields
            except BaseException:
                if not self.swallow:
                    raise
                return

    @workflow.query
    def slow(self) -> None:
        end = time.monotonic() + 20
        while time.monotonic() < end:
            pass


@workflow.defn
class Generates:
    @workflow.run
    async def run(self) -> int:
        total = 0
        async for n in self.numbers():
            total += n
            if n == 2:
                break
        await workflow.sleep(1)
        return total

    async def numbers(self) -> AsyncIterator[int]:
        for n in range(5):
            await workflow.sleep(0)
            yield n


def test_an_instance_is_kept_until_its_run_is_closed() -> None:
    d = Driver(Steps)
    d.task()
    assert d.host.holds(KEY)
    d.fire("1")
    d.task()
    d.fire("2")
    d.task()
    assert d.result == "done"
    assert not d.host.holds(KEY)


def test_the_cache_is_bounded_and_drops_the_least_recently_used() -> None:
    d = Driver(Steps, max_cached_workflows=2)
    task = d.start_task()
    for key in (1, 2):
        d.host.handle(key, task)
    d.host._runs.move_to_end(1)
    d.host.handle(3, task)
    assert [key for key in (1, 2, 3) if d.host.holds(key)] == [1, 3]
    assert len(d.host) == 2


def test_a_cache_of_none_keeps_no_instance_at_rest_and_every_task_replays() -> None:
    d = Driver(Steps, max_cached_workflows=0)
    d.task()
    assert not d.host.holds(KEY)
    d.fire("1")
    d.task()
    assert len(d.host) == 0
    d.fire("2")
    d.task()
    assert d.result == "done"


def test_events_that_do_not_continue_the_instance_ask_for_the_whole_history() -> None:
    d = Driver(Steps)
    d.task()
    d.fire()
    task = d.start_task()
    task.events = task.events[2:]
    outcome = d.host.handle(KEY, task)
    assert isinstance(outcome, WorkflowTaskFailure)
    assert outcome.cause is WorkflowTaskFailedCause.RESET_STICKY_TASK_QUEUE
    assert not d.host.holds(KEY)


def test_a_whole_history_replaces_a_cached_instance() -> None:
    d = Driver(Steps)
    d.task()
    d.fire("1")
    task = d.start_task()
    task.events = list(d.events)
    d.finish(d.host.handle(KEY, task))
    assert d.commands() == ["TimerStarted"]


def test_an_unknown_type_fails_the_task_with_a_suggestion() -> None:
    d = Driver(Steps)
    task = d.start_task()
    task.workflow_type = "Stepps"
    outcome = d.host.handle(KEY, task)
    assert isinstance(outcome, WorkflowTaskFailure)
    assert "Workflow class Stepps is not registered on this worker. Did you mean 'Steps'?" in outcome.failure.message


def test_registering_a_name_again_drops_its_instances() -> None:
    d = Driver(Steps)
    d.task()
    d.host.register(d.definition)
    assert not d.host.holds(KEY)
    assert d.host.workflow_types == ["Steps"]
    assert d.host.serves("Steps")
    d.host.unregister("Steps")
    assert not d.host.serves("Steps")


@workflow.defn
class Stubborn:
    """Catches everything, without end."""

    @workflow.run
    async def run(self, wait: str) -> None:
        while not stop.is_set():
            with contextlib.suppress(BaseException):
                await WAITS[wait]()


async def within_a_timeout() -> None:
    async with asyncio.timeout(5):
        await asyncio.Future()


WAITS: dict[str, Callable[[], Awaitable[Any]]] = {
    "condition": lambda: workflow.wait_condition(lambda: False),
    "condition with timeout": lambda: workflow.wait_condition(lambda: False, timeout=5),
    "timer": lambda: asyncio.sleep(5),
    "activity": lambda: workflow.execute_activity("slow", start_to_close_timeout=SHORT),
    "child": lambda: workflow.execute_child_workflow("slow"),
    "future": asyncio.Future,
    "future with timeout": within_a_timeout,
}


@pytest.mark.parametrize("wait", WAITS)
def test_code_that_catches_everything_does_not_hold_up_the_eviction(
    wait: str, caplog: pytest.LogCaptureFixture
) -> None:
    stop.clear()
    lifeline = threading.Timer(10, stop.set)
    lifeline.start()
    d = Driver(Stubborn, wait)
    d.task()
    d.forget()
    lifeline.cancel()
    assert not stop.is_set()
    assert "run (workflow: Stubborn" in caplog.text
    assert "Catch Exception, not BaseException" in caplog.text
    d.signal("any")
    d.task()
    assert d.commands() == []
    stop.set()
    d.forget()


def test_eviction_ends_coroutines_silently_and_without_effect(
    caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    log.clear()
    d = Driver(Cleans)
    d.task()
    run = d.host._runs[KEY]
    issued_before = len(run.unmatched)
    d.forget()
    gc.collect()
    assert log == ["finally"]
    assert run.issued == []
    assert issued_before == 2
    assert caplog.records == []
    assert capsys.readouterr().err == ""


def test_an_evicted_instance_is_freed_without_the_garbage_collector() -> None:
    d = Driver(Steps)
    d.task()
    run = d.host._runs[KEY]
    tasks = [weakref.ref(task) for task in run.loop.tasks]
    loop = weakref.ref(run.loop)
    gc.collect()
    gc.disable()
    try:
        d.forget()
        del run
        assert loop() is None
        assert [each() for each in tasks] == [None]
    finally:
        gc.enable()


def test_a_run_goes_on_after_eviction_as_if_nothing_had_been() -> None:
    d = Driver(Steps)
    d.task()
    d.forget()
    d.fire("1")
    d.task()
    d.forget()
    d.fire("2")
    d.task()
    assert d.result == "done"


def test_workflow_code_runs_inside_a_running_loop_without_touching_it() -> None:
    d = Driver(Generates)

    async def main() -> None:
        loop = asyncio.get_running_loop()
        task = asyncio.current_task()
        for timer in ("1", "2", "3"):
            d.task()
            d.fire(timer)
        d.task()
        assert asyncio.get_running_loop() is loop
        assert asyncio.current_task() is task
        assert not loop._asyncgens  # type: ignore[attr-defined]
        d.forget()

    asyncio.run(main())
    assert d.kinds()[-1] == "TimerStarted"


def test_a_step_that_does_not_yield_fails_the_task_and_the_message_says_where() -> None:
    Hangs.swallow = False
    d = Driver(Hangs, 20.0, deadlock_timeout=0.1)
    outcome = d.task()
    assert outcome.cause is WorkflowTaskFailedCause.WORKFLOW_WORKER_UNHANDLED_FAILURE
    message = outcome.failure.message
    assert message.startswith("[TMPRL1101] Potential deadlock detected: workflow didn't yield within 0.1 second(s)")
    assert f"{__file__}, line " in message
    assert "in Hangs.run" in message
    assert not d.host.holds(KEY)


def test_a_step_that_swallows_the_interrupt_still_fails_the_task() -> None:
    Hangs.swallow = True
    outcome = Driver(Hangs, 20.0, deadlock_timeout=0.1).task()
    assert "[TMPRL1101]" in outcome.failure.message


def test_a_query_that_does_not_yield_is_answered_with_the_deadlock() -> None:
    Hangs.swallow = False
    d = Driver(Hangs, 0.0, deadlock_timeout=0.1)
    task = d.start_task()
    task.events = task.events[:1]
    answer = d.host.query(KEY, QueryRequest(name="slow"), task)
    assert isinstance(answer, QueryAnswer)
    assert answer.failure is not None
    assert "[TMPRL1101]" in answer.failure.message


class Reached:
    """A run, as the watchdog sees it."""

    started_event_id = 3


@contextmanager
def elsewhere(
    watch: Watch, wait: Callable[[], object], free: threading.Event, inside: threading.Event | None = None
) -> Iterator[list[int]]:
    """A step that hangs in ``wait`` on a thread of its own; gives the threads that the watchdog interrupted."""
    struck: list[int] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(watchdog, "raise_in_thread", lambda thread, kind: struck.append(thread))
        thread = threading.Thread(target=wait)
        thread.start()
        watch.thread_id = thread.ident or 0
        if inside is not None:
            assert inside.wait(10)
        yield struck
        free.set()
        thread.join()


def test_a_long_replay_is_no_deadlock_as_long_as_it_comes_from_task_to_task() -> None:
    watch, run, free, inside = Watch(2.0), Reached(), threading.Event(), threading.Event()

    def author() -> None:
        inside.set()
        free.wait()

    watch.arm(run)
    begun = watch.started
    with elsewhere(watch, author, free, inside) as struck:
        for step in range(1, 8):
            run.started_event_id += 6
            watch.check(begun + step * 1.5)
        assert struck == []
        watch.check(begun + 12.4)
        assert struck == []
        watch.check(begun + 12.6)
        assert struck == [watch.thread_id]
    assert "in test_a_long_replay_is_no_deadlock" in watch.disarm()


def test_a_step_that_cannot_be_interrupted_is_told_of_once(caplog: pytest.LogCaptureFixture) -> None:
    watch, free, inside = Watch(2.0), threading.Event(), threading.Event()

    def author() -> None:
        inside.set()
        free.wait()

    for step in (1, 2):
        watch.arm(Reached())
        begun = watch.started
        inside.clear()
        free.clear()
        with elsewhere(watch, author, free, inside):
            watch.check(begun + 2.5)
            assert len(caplog.records) == step - 1
            watch.check(begun + 4.5)
            watch.check(begun + 5)
            assert len(caplog.records) == step
        watch.disarm()
    assert "for 4.5 seconds so far" in caplog.text
    assert "in test_a_step_that_cannot_be_interrupted" in caplog.text


def test_our_own_work_is_no_deadlock_however_long_it_takes() -> None:
    watch, free = Watch(2.0), threading.Event()
    watch.arm(Reached())
    with elsewhere(watch, free.wait, free) as struck:  # no frame of an author
        watch.check(watch.started + 100)
        assert struck == []
    assert watch.disarm() == ""


def test_the_program_around_an_engine_is_not_taken_for_the_workflow() -> None:
    watch, free = Watch(2.0), threading.Event()
    inside = threading.Event()
    step = compile(
        "def step(inside, wait): inside.set(); wait()", watchdog.__file__.replace("watchdog", "host"), "exec"
    )
    scope: dict[str, Any] = {}
    exec(step, scope)

    def program() -> None:
        scope["step"](inside, free.wait)

    watch.arm(Reached())
    with elsewhere(watch, program, free, inside) as struck:
        watch.check(watch.started + 100)
        assert struck == []
    watch.disarm()


def test_only_a_step_that_runs_now_can_be_interrupted() -> None:
    watch = Watch(2.0)
    watch.arm(Reached())
    watch.check(watch.started + 1.9)
    assert watch.disarm() == ""
    watch.check(time.monotonic() + 1000)
    assert watch.disarm() == ""


def test_an_interrupt_that_was_injected_but_not_raised_is_taken_back() -> None:
    watch = Watch(2.0)
    caught = False
    message = ""
    try:
        watch.arm(Reached())
        watch.check(watch.started + 2.1)
        message = watch.disarm()
    except DeadlockInterrupt:
        caught = True
        message = watch.disarm() or message
    for _ in range(1000):
        pass  # an exception that was still on its way would strike here
    assert caught or message.startswith("[TMPRL1101]")
    assert watch.disarm() == ""


def test_a_step_that_begins_while_the_watchdog_falls_asleep_is_watched() -> None:
    dog = watchdog._Watchdog()
    watch = Watch(2.0)
    dog.watch(watch)

    class Awake(threading.Event):
        def clear(self) -> None:
            super().clear()
            watch.started = 1.0  # a step that began now, and saw the watchdog awake: it wakes nobody

    dog._awake = Awake()
    sleeper = threading.Thread(target=dog._sleep, daemon=True)
    sleeper.start()
    sleeper.join(10)
    watch.disarm()
    assert not sleeper.is_alive()
    assert not dog.asleep


def test_code_that_somebody_steps_through_is_no_deadlock() -> None:
    watch = Watch(2.0)

    class Reads(bdb.Bdb):
        """Somebody who looks at a line for a long time."""

        def user_line(self, frame: FrameType) -> None:
            watch.check(watch.started + 100)
            self.set_continue()

    def step() -> None:
        debugger.set_trace()
        stopped.append(True)

    debugger, stopped, outer = Reads(), [], sys.gettrace()
    watch.arm(Reached())
    try:
        step()
    finally:
        sys.settrace(outer)
    assert stopped
    assert watch.disarm() == ""
