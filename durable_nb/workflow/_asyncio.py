"""``asyncio.wait`` and ``asyncio.as_completed`` with an order: the stock ones keep their futures in sets.

Source: temporal-semantics 2.6.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Iterable, Iterator
from typing import Any, TypeVar, overload

from durable_nb.runtime.loop import release
from durable_nb.workflow._typing import AnyType

_FT = TypeVar("_FT", bound=asyncio.Future[Any])


def as_completed(fs: Iterable[Awaitable[AnyType]], *, timeout: float | None = None) -> Iterator[Awaitable[AnyType]]:
    """Awaitables that give the results of ``fs`` as they come, in the order in which they come.

    Raises
    ------
    TypeError
        One future instead of several.
    asyncio.TimeoutError
        From the awaitables that were not there after ``timeout`` seconds.
    """
    if asyncio.isfuture(fs) or asyncio.iscoroutine(fs):
        raise TypeError(f"expect an iterable of futures, not {type(fs).__name__}")
    loop = asyncio.get_running_loop()
    waiting: list[asyncio.Future[Any]] = [asyncio.ensure_future(each, loop=loop) for each in fs]
    arrived: asyncio.Queue[asyncio.Future[Any] | None] = asyncio.Queue()
    timer: asyncio.TimerHandle | None = None

    def on_timeout() -> None:
        for future in waiting:
            future.remove_done_callback(on_done)
            arrived.put_nowait(None)
        waiting.clear()

    def on_done(future: asyncio.Future[Any]) -> None:
        if not waiting:
            return
        waiting.remove(future)
        arrived.put_nowait(future)
        if not waiting and timer is not None:
            timer.cancel()

    async def next_arrival() -> Any:
        future = await arrived.get()
        if future is None:
            raise TimeoutError
        return future.result()

    for future in waiting:
        future.add_done_callback(on_done)
    if waiting and timeout is not None:
        timer = loop.call_later(timeout, on_timeout)
    for _ in range(len(waiting)):
        yield next_arrival()


@overload
async def wait(
    fs: Iterable[_FT], *, timeout: float | None = None, return_when: str = asyncio.ALL_COMPLETED
) -> tuple[list[_FT], list[_FT]]: ...


@overload
async def wait(
    fs: Iterable[asyncio.Task[AnyType]], *, timeout: float | None = None, return_when: str = asyncio.ALL_COMPLETED
) -> tuple[list[asyncio.Task[AnyType]], list[asyncio.Task[AnyType]]]: ...


async def wait(
    fs: Iterable[Any], *, timeout: float | None = None, return_when: str = asyncio.ALL_COMPLETED
) -> tuple[list[Any], list[Any]]:
    """Wait for futures or tasks: lists of those that are done and those that are not, in the order given.

    Raises
    ------
    TypeError
        One future instead of several, or coroutines, which must be made tasks first.
    ValueError
        Nothing to wait for, or an unknown ``return_when``.
    """
    if asyncio.isfuture(fs) or asyncio.iscoroutine(fs):
        raise TypeError(f"Expect an iterable of Tasks/Futures, not {type(fs).__name__}")
    futures = list(fs)
    if not futures:
        raise ValueError("Sequence of Tasks/Futures must not be empty.")
    if return_when not in (asyncio.FIRST_COMPLETED, asyncio.FIRST_EXCEPTION, asyncio.ALL_COMPLETED):
        raise ValueError(f"Invalid return_when value: {return_when}")
    if any(asyncio.iscoroutine(each) for each in futures):
        raise TypeError("Passing coroutines is forbidden, use tasks explicitly.")
    loop = asyncio.get_running_loop()
    waiter: asyncio.Future[None] = asyncio.Future(loop=loop)
    timer = None if timeout is None else loop.call_later(timeout, release, waiter)
    missing = len(futures)

    def on_done(future: asyncio.Future[Any]) -> None:
        nonlocal missing
        missing -= 1
        failed = not future.cancelled() and future.exception() is not None
        if (
            missing <= 0
            or return_when == asyncio.FIRST_COMPLETED
            or (return_when == asyncio.FIRST_EXCEPTION and failed)
        ):
            if timer is not None:
                timer.cancel()
            release(waiter)

    for each in futures:
        each.add_done_callback(on_done)
    try:
        await waiter
    finally:
        if timer is not None:
            timer.cancel()
        for each in futures:
            each.remove_done_callback(on_done)
    return [each for each in futures if each.done()], [each for each in futures if not each.done()]
