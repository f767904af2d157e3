"""The way from the main thread to the engine's loop, and the ticker that keeps awaiting cells interruptible."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from durable_nb.errors import NotebookError
from durable_nb.notebook import bridge, ticker
from durable_nb.notebook.bridge import run_on
from durable_nb.notebook.ticker import Ticker


@pytest.fixture
def loop() -> Iterator[asyncio.AbstractEventLoop]:
    made = asyncio.new_event_loop()
    thread = threading.Thread(target=made.run_forever)
    thread.start()
    asyncio.run_coroutine_threadsafe(give("it runs"), made).result()
    yield made
    made.call_soon_threadsafe(made.stop)
    thread.join()
    made.close()


async def give(value: object) -> object:
    if isinstance(value, BaseException):
        raise value
    return value


def test_the_answer_or_the_error_of_the_request_comes_back(loop: asyncio.AbstractEventLoop) -> None:
    assert run_on(loop, give(3)) == 3
    with pytest.raises(KeyError):
        run_on(loop, give(KeyError("x")), 600)


def test_a_timeout_error_of_the_request_is_its_answer(loop: asyncio.AbstractEventLoop) -> None:
    with pytest.raises(TimeoutError, match="mine"):
        run_on(loop, give(TimeoutError("mine")))


async def wait_for_ever(cancelled: threading.Event, begun: threading.Event | None = None) -> None:
    try:
        if begun is not None:
            begun.set()
        await asyncio.Event().wait()
    finally:
        cancelled.set()


def test_after_the_timeout_the_request_is_cancelled(
    loop: asyncio.AbstractEventLoop, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, cancelled, wait = threading.Event(), threading.Event(), bridge._wait

    def wait_for_what_has_begun(*args: Any) -> Any:
        begun.wait()
        return wait(*args)

    monkeypatch.setattr(bridge, "_wait", wait_for_what_has_begun)
    with pytest.raises(TimeoutError, match=r"did not answer within 0\.01 s"):
        run_on(loop, wait_for_ever(cancelled, begun), 0.01)
    cancelled.wait()


def test_an_interrupt_ends_the_waiting_and_cancels_the_request(
    loop: asyncio.AbstractEventLoop, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(future: object, timeout: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(bridge, "_wait", interrupted)
    cancelled = threading.Event()
    with pytest.raises(KeyboardInterrupt):
        run_on(loop, wait_for_ever(cancelled))
    # The request may be cancelled before its first step; then there is nothing to clean up.
    assert run_on_without_patch(loop) == "alive"


def run_on_without_patch(loop: asyncio.AbstractEventLoop) -> object:
    return asyncio.run_coroutine_threadsafe(give("alive"), loop).result()


def test_waiting_for_oneself_is_refused() -> None:
    async def main() -> None:
        with pytest.raises(NotebookError, match="own thread"):
            run_on(asyncio.get_running_loop(), give(1))

    asyncio.run(main())


def test_a_stopped_engine_says_how_to_go_on() -> None:
    closed = asyncio.new_event_loop()
    closed.close()
    with pytest.raises(NotebookError, match="reload_ext"):
        run_on(closed, give(1))


def test_the_ticker_wakes_its_loop_until_it_is_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ticker, "INTERVAL", 0.001)

    async def main() -> int:
        ticks: list[int] = []
        enough = asyncio.Event()

        def tick() -> None:
            ticks.append(1)
            if len(ticks) == 3:
                enough.set()

        clock = Ticker(tick)
        clock.start()
        await enough.wait()
        timer, count = clock._timer, len(ticks)
        clock.stop()
        assert timer is not None
        assert timer.cancelled(), "no tick is still to come"
        return count

    assert asyncio.run(main()) == 3


def test_without_a_loop_the_ticker_does_nothing() -> None:
    clock = Ticker()
    clock.start()
    clock.stop()
