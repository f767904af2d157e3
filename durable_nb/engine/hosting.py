"""Opening an engine: on the running loop, or on a thread and loop of its own.

In a kernel the engine has its own thread, so that a busy or blocking cell never stops it; in a program it shares the
program's loop, which saves two thread hops for each request. One engine serves all callers of a (process, store, loop).
"""

from __future__ import annotations

import asyncio
import atexit
import logging
import os
import socket
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from durable_nb.engine.clock import Clock, ManualClock, SkippingClock, SystemClock
from durable_nb.engine.engine import SUGGEST_CONTINUE_AS_NEW, Engine
from durable_nb.engine.frontend import Bridge, Frontend
from durable_nb.engine.mailbox import Mailbox
from durable_nb.engine.notices import Listener
from durable_nb.engine.ports import WorkerPort
from durable_nb.engine.upkeep import Upkeep
from durable_nb.engine.writer import WriterStats
from durable_nb.errors import EngineStoppedError, StoreError
from durable_nb.store import open_store
from durable_nb.store.protocol import Store

logger = logging.getLogger("durable_nb.engine")

SHUT_SECONDS = 10
SUGGEST_VARIABLE = "DURABLE_NB_SUGGEST_CONTINUE_AS_NEW"
SUGGEST_SETTING = "suggest_continue_as_new"
_handles: dict[tuple[str, int], EngineHandle] = {}
_lock = threading.Lock()


class EngineHandle:
    """A running engine, for its callers (``frontend``) and for workers (``register_worker``).

    Methods may be called from any thread. ``close`` is idempotent; a process that dies without it loses nothing.
    """

    def __init__(
        self, store: Store, loop: asyncio.AbstractEventLoop, clock: Clock, thread: threading.Thread | None
    ) -> None:
        self.store = store
        self.url = store.url
        self.loop = loop
        self.clock = clock
        self.identity = f"{os.getpid()}@{socket.gethostname()}"
        self._thread = thread
        self._closed = False
        self.on_settle: list[Callable[[], None]] = []
        """Called by ``settle`` on any thread; whoever writes to the store behind callers waits there for the end."""
        self._key: tuple[str, int] | None = None
        process = store.register_process(self.identity, clock.now())
        self.process_key = process.process_key
        self.engine: Engine
        self.upkeep: Upkeep
        self.frontend: Any

    def start(self) -> None:
        """Begin to work; called on the loop, once."""
        self.engine = Engine(
            self.store,
            self.loop,
            self.clock,
            process_key=self.process_key,
            identity=self.identity,
            suggest_continue_as_new_at=_suggestion(self.store),
        )
        frontend = Frontend(self.engine)
        self.upkeep = Upkeep(self.engine, Mailbox(self.engine, frontend))
        self.frontend = Bridge(frontend, self.loop)
        self.upkeep.start()
        if isinstance(self.clock, ManualClock | SkippingClock):
            self.clock.on_change.append(lambda: self.call_soon(self.upkeep.turn))

    @property
    def is_closed(self) -> bool:
        return self._closed

    @property
    def commit_stats(self) -> WriterStats:
        """Commits and batch sizes since the engine started."""
        return self.engine.writer.stats

    def call_soon(self, callback: Callable[..., None], *args: Any) -> None:
        """Call on the engine's loop."""
        if self.engine.is_on_loop():
            callback(*args)
        else:
            self.engine.call_soon(callback, *args)

    def run_blocking(self, function: Callable[..., Any], *args: Any) -> Any:
        """Run a store function in the calling thread; for short questions from cells."""
        if self._closed:
            raise EngineStoppedError("the engine is stopped", fix="connect again")
        return function(*args)

    def settle(self) -> None:
        """Wait until the store has what is written to it beside the histories: the sources of a notebook's cells.

        For who reads that from the store. Blocks; what activities printed is not part of it (``Engine.outputs``).
        """
        for wait in list(self.on_settle):
            wait()

    def suggest_continue_as_new_at(self, events: int) -> None:
        """Suggest continue-as-new from so many events on, unless the environment says otherwise."""
        if not os.environ.get(SUGGEST_VARIABLE):
            self.call_soon(self.engine.suggest_continue_as_new_from, events)

    def keep_suggestion(self, events: int | None) -> None:
        """The same as a setting of the store, for every engine that opens it from now on; None: the default again."""
        self.run_blocking(self.store.set_setting, SUGGEST_SETTING, str(events or ""))
        self.suggest_continue_as_new_at(events or SUGGEST_CONTINUE_AS_NEW)

    # -- workers ---------------------------------------------------------------------------------------------------

    def register_worker(self, port: WorkerPort) -> None:
        """From now on work for the port's task queue comes to it, what waits in the store first."""
        self.call_soon(self._register, port)

    def _register(self, port: WorkerPort) -> None:
        self.engine.workers.add(port)
        self.upkeep.look()

    def definitions_changed(self, port: WorkerPort) -> None:
        """The port has new or other definitions: look for work that waited for them."""
        self.call_soon(self._definitions_changed, port)

    def _definitions_changed(self, port: WorkerPort) -> None:
        for slot in list(self.engine.slots.values()):
            state = slot.state
            if state is None or not state.is_open:
                continue
            started = state.started
            if started.task_queue == port.task_queue and port.serves_workflow(started.workflow_type, state.definition):
                self.engine.retry_workflow_task(slot.run_key)
        self.upkeep.look()

    def unregister_worker(self, port: WorkerPort) -> None:
        """No more work for this port; attempts that waited for its slots go to others."""
        self.call_soon(self._unregister, port)

    def _unregister(self, port: WorkerPort) -> None:
        entry = self.engine.workers.remove(port)
        if entry is not None:
            self.engine.release_worker(entry)

    def on_notice(self, listener: Listener) -> None:
        """Have ``listener`` called, on the engine's thread, with what a person should know."""
        self.engine.notices.listen(listener)

    def off_notice(self, listener: Listener) -> None:
        """Stop calling ``listener``."""
        self.engine.notices.unlisten(listener)

    # -- the end ---------------------------------------------------------------------------------------------------

    def close(self) -> None:
        """Write what was decided, release the leases, close the store."""
        if self._closed:
            return
        self._closed = True
        with _lock:
            if self._key is not None:
                _handles.pop(self._key, None)
        if self.engine.is_on_loop() or self.loop.is_closed() or not self.loop.is_running():
            self._shut()
            return
        done = asyncio.run_coroutine_threadsafe(self._shut_and_settle(), self.loop)
        try:
            done.result(timeout=SHUT_SECONDS)
        except TimeoutError:
            logger.warning("the engine did not stop within %s s; what it acknowledged is durable", SHUT_SECONDS)
        if self._thread is not None:
            self.loop.call_soon_threadsafe(self.loop.stop)
            self._thread.join(timeout=SHUT_SECONDS)

    async def _shut_and_settle(self) -> None:
        """Shut, and let what was cancelled come to its end: a task that is dropped half way complains."""
        tasks = self.engine.tasks
        self._shut()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _shut(self) -> None:
        self.engine.stop()
        try:
            with suppress(StoreError):  # Others will find out that this process has gone.
                self.store.unregister_process(self.process_key)
        finally:
            self.store.close()


def open_engine(
    url: str, *, own_thread: bool | None = None, clock: Clock | None = None, **store_options: Any
) -> EngineHandle:
    """A running engine on the store at ``url``; an engine that already runs there is shared.

    Parameters
    ----------
    own_thread
        Give the engine a thread and loop of its own. None: inside a Jupyter kernel, or when no loop is running.
    clock
        Source of time; an engine with a clock of its own is never shared.

    Raises
    ------
    StoreError
        The store cannot be opened; the message says why and what to do.
    """
    try:
        running = asyncio.get_running_loop()
    except RuntimeError:
        running = None
    if own_thread is None:
        own_thread = running is None or _in_kernel()
    if not own_thread and running is None:
        raise RuntimeError("no event loop is running: pass own_thread=True, or call from a coroutine")
    key = (url, 0 if own_thread else id(running))
    shared = clock is None and not store_options and not url.startswith("memory")
    with _lock:
        known = _handles.get(key) if shared else None
    if known is not None and not known.is_closed and not known.loop.is_closed():
        if not known.store.is_gone():
            return known
        known.close()
    store = open_store(url, **store_options)
    make = _on_thread if own_thread else _on_loop
    try:
        handle = make(store, clock or SystemClock())
    except BaseException:
        store.close()
        raise
    if shared:
        handle._key = key
        with _lock:
            _handles[key] = handle
    return handle


def _on_loop(store: Store, clock: Clock) -> EngineHandle:
    handle = EngineHandle(store, asyncio.get_running_loop(), clock, None)
    handle.start()
    handle.engine.spawn(_close_with_loop(handle))
    return handle


async def _close_with_loop(handle: EngineHandle) -> None:
    """``asyncio.run`` cancels all tasks at its end: the sign for an engine on a program's loop to shut."""
    try:
        await asyncio.get_running_loop().create_future()
    finally:
        handle.close()


def _on_thread(store: Store, clock: Clock) -> EngineHandle:
    loop = asyncio.new_event_loop()
    started = threading.Event()
    thread = threading.Thread(target=_run_loop, args=(loop, started), name="durable-engine", daemon=True)
    try:
        handle = EngineHandle(store, loop, clock, thread)
    except BaseException:
        loop.close()
        raise
    loop.call_soon(handle.start)
    loop.call_soon(started.set)
    thread.start()
    started.wait()
    atexit.register(handle.close)
    return handle


def _run_loop(loop: asyncio.AbstractEventLoop, started: threading.Event) -> None:
    asyncio.set_event_loop(loop)
    try:
        _run_until_stopped(loop)
    finally:
        started.set()
        _end_tasks(loop)
        loop.close()


def _run_until_stopped(loop: asyncio.AbstractEventLoop) -> None:
    while True:
        try:
            loop.run_forever()
        except (SystemExit, KeyboardInterrupt):
            # asyncio ends a loop by these two, whatever task they come from. No program hangs on this one, but other
            # people's work does: whoever awaits the task gets the error, and what else was ready is still there.
            logger.exception("a task on the engine's loop asked for the end of the process; the engine goes on")
        else:
            return


def _end_tasks(loop: asyncio.AbstractEventLoop) -> None:
    """Let what was cancelled end, as ``asyncio.run`` does; what refuses to is left behind."""
    tasks = asyncio.all_tasks(loop)
    for task in tasks:
        task.cancel()
    if tasks:
        loop.run_until_complete(asyncio.wait(tasks, timeout=1.0))


def _in_kernel() -> bool:
    """Whether this process is a Jupyter kernel, found out without importing IPython."""
    module = sys.modules.get("ipykernel.kernelapp")
    application = getattr(module, "IPKernelApp", None)
    return application is not None and application.initialized()


def _suggestion(store: Store) -> int:
    """History length at which continue-as-new is suggested: the environment, the store's setting, the default."""
    text = os.environ.get(SUGGEST_VARIABLE) or store.get_setting(SUGGEST_SETTING)
    return int(text) if text and text.isdigit() else SUGGEST_CONTINUE_AS_NEW
