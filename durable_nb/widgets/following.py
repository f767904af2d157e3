"""Keeps a timeline up to date and answers what its viewers ask, on the engine's loop.

The loop is that of the engine, not of the kernel: a busy cell stops nothing. The widget is written to from there,
which sends to the browser at once. Reading costs a bounded share of the loop's time, and little while nothing happens.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Coroutine, Mapping
from typing import Any

from durable_nb.model.text import CellNamer, safe_text
from durable_nb.service import RPCError, RPCStatusCode
from durable_nb.widgets.details import Decode, Item, item_text
from durable_nb.widgets.reading import TimelineReader

logger = logging.getLogger("durable_nb.widgets")

QUICKEST, SLOWEST = 0.25, 2.0
"""Seconds between two looks at the run, while things happen and after a while in which nothing did."""

SHARE = 10
"""One look in this many times its own duration: a large run is looked at less often."""

UNSEEN = 30.0
"""Seconds between looks while no browser shows the timeline."""


class Following:
    """One widget and the run that it shows.

    Parameters
    ----------
    loop
        The engine's.
    decode
        The payload codec's way back, where there is one.
    changed
        Called on a thread beside the loop after something new was sent, with whether it was the last.
    """

    def __init__(
        self,
        reader: TimelineReader,
        loop: asyncio.AbstractEventLoop,
        *,
        decode: Decode | None = None,
        cell_of: CellNamer | None = None,
        changed: Callable[[bool], None] | None = None,
    ) -> None:
        self.reader = reader
        self._loop = loop
        self._decode = decode
        self._cell_of = cell_of
        self._changed = changed
        self._widget: Any = None
        self._views = 0
        self._was_seen = False
        self._task: asyncio.Task[None] | None = None
        self._wake: asyncio.Event | None = None

    def begin(self, widget: Any) -> None:
        """Follow from now on; may be called on any thread."""
        self._widget = widget
        self._call(self._start)

    def attend(self, widget: Any) -> None:
        """Only answer what its viewers ask, and read again when they unfold a child."""
        self._widget = widget

    def hear(self, message: Mapping[str, Any]) -> None:
        """A message of the browser; may come on any thread."""
        kind = message.get("kind")
        if kind == "details":
            self._call(self._spawn, self._answer(message))
        elif kind == "expand":
            self._call(self._unfold, message.get("child"))
        elif kind == "view":
            self._call(self._seen, message.get("open") is True)

    def _call(self, function: Callable[..., object], *args: Any) -> None:
        try:
            self._loop.call_soon_threadsafe(function, *args)
        except RuntimeError:  # the engine has stopped: its loop is closed
            for arg in args:
                if asyncio.iscoroutine(arg):
                    arg.close()
            if self._widget is not None:
                self._widget.message = "the engine was stopped: this is the last known state"

    def _spawn(self, doing: Coroutine[Any, Any, None]) -> None:
        task = self._loop.create_task(doing)
        # The loop keeps only weak references to its tasks.
        _running.add(task)
        task.add_done_callback(_running.discard)

    def _start(self) -> None:
        if self._task is None or self._task.done():
            self._wake = asyncio.Event()
            self._task = self._loop.create_task(self._follow())
            _running.add(self._task)
            self._task.add_done_callback(_running.discard)
        elif self._wake is not None:
            self._wake.set()

    def _seen(self, is_open: bool) -> None:
        self._views = max(0, self._views + (1 if is_open else -1))
        self._was_seen = self._was_seen or is_open
        if is_open and self._wake is not None:
            self._wake.set()

    def _unfold(self, child: object) -> None:
        given: Mapping[str, Any] = child if isinstance(child, Mapping) else {}
        self.reader.unfold(str(given.get("workflow", "")), str(given.get("run", "")))
        self._start()

    async def _follow(self) -> None:
        pause = QUICKEST
        while self._widget.is_open:
            begun = time.monotonic()
            try:
                packed = await self.reader.packed()
            except RPCError as error:
                gone = error.status is RPCStatusCode.NOT_FOUND
                self._widget.message = (
                    "the run was deleted: this is the last known state" if gone else safe_text(str(error))
                )
                return
            except Exception as error:
                logger.warning("a timeline is not kept up to date any more", exc_info=True)
                self._widget.message = safe_text(f"not up to date any more: {type(error).__name__}: {error}", 400)
                return
            if packed is not None:
                self._widget.packed = packed
                pause = QUICKEST
                if self._changed is not None:
                    await self._loop.run_in_executor(None, self._changed, self.reader.is_closed)
            if self.reader.is_closed:
                return
            spent = time.monotonic() - begun
            pause = min(pause * 1.3, SLOWEST)
            await self._rest(max(pause, spent * SHARE))

    async def _rest(self, seconds: float) -> None:
        assert self._wake is not None  # noqa: S101 - made with the task
        if self._was_seen and not self._views:
            seconds = UNSEEN
        try:
            async with asyncio.timeout(seconds):
                await self._wake.wait()
        except TimeoutError:
            return
        self._wake.clear()

    async def _answer(self, message: Mapping[str, Any]) -> None:
        answer: dict[str, Any] = {"kind": "details", "id": message.get("id")}
        try:
            item = Item.of(message.get("request"))
            picture = self.reader.picture(item.run)
            if picture is None:
                await self.reader.root.read()
                picture = self.reader.root.picture
            assert picture is not None  # noqa: S101 - read raises where there is none
            answer["fields"] = await item_text(picture, item, decode=self._decode, cell_of=self._cell_of)
        except Exception as error:  # the person who clicked must hear of it
            answer["error"] = safe_text(f"{type(error).__name__}: {error}", 400)
        self._widget.send(answer)


_running: set[asyncio.Task[None]] = set()
