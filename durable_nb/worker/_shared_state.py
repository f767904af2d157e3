"""What activities in other processes share with their worker: cancellation events and heartbeats.

Abstract, so that an executor of another kind (a cluster's) can bring its own; ``create_from_multiprocessing`` gives
the usual one over a ``multiprocessing.Manager``. Names are those of the Temporal Python SDK.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import logging
import queue
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    # Whoever has a manager has imported it; it costs as much as all the rest of a worker.
    from multiprocessing.managers import SyncManager

logger = logging.getLogger("durable_nb.worker._activity")

_QUEUE_SIZE = 1000
_PUT_SECONDS = 30
_POLL_SECONDS = 0.5


class SharedHeartbeatSender(ABC):
    """Travels to the other process by pickle and sends heartbeats from there."""

    @abstractmethod
    def send_heartbeat(self, task_token: bytes, *details: Any) -> None:
        """Hand over the details of one heartbeat."""
        raise NotImplementedError


class SharedStateManager(ABC):
    """Primitives that work across processes. One manager may serve several workers."""

    @staticmethod
    def create_from_multiprocessing(
        mgr: SyncManager, queue_poller_executor: concurrent.futures.Executor | None = None
    ) -> SharedStateManager:
        """A manager over ``multiprocessing.Manager()``.

        Parameters
        ----------
        mgr
            Its events and its queue are used.
        queue_poller_executor
            Where heartbeats are received: a ``ThreadPoolExecutor``; one with a single thread by default.
        """
        return _MultiprocessingState(mgr, queue_poller_executor or concurrent.futures.ThreadPoolExecutor(1))

    @abstractmethod
    def new_event(self) -> threading.Event:
        """An event that can be pickled and used across processes."""
        raise NotImplementedError

    @abstractmethod
    async def register_heartbeater(self, task_token: bytes, heartbeat: Callable[..., None]) -> SharedHeartbeatSender:
        """A sender whose heartbeats end in ``heartbeat``, called with the details in any thread."""
        raise NotImplementedError

    @abstractmethod
    async def unregister_heartbeater(self, task_token: bytes) -> None:
        """Forget the heartbeater, after everything that its sender has sent is delivered."""
        raise NotImplementedError


class _QueueSender(SharedHeartbeatSender):
    def __init__(self, heartbeats: queue.Queue[tuple[bytes, tuple[Any, ...] | None]]) -> None:
        self._heartbeats = heartbeats

    def send_heartbeat(self, task_token: bytes, *details: Any) -> None:
        self._heartbeats.put((task_token, details), True, _PUT_SECONDS)


class _MultiprocessingState(SharedStateManager):
    """One queue for all heartbeats; a thread reads it as long as anybody is registered.

    A None in place of details is the mark that everything sent before it was delivered.
    """

    def __init__(self, mgr: SyncManager, poller: concurrent.futures.Executor) -> None:
        self._mgr = mgr
        self._poller = poller
        self._heartbeats: queue.Queue[tuple[bytes, tuple[Any, ...] | None]] = mgr.Queue(_QUEUE_SIZE)
        self._registered: dict[bytes, Callable[..., None]] = {}
        self._flushed: dict[bytes, Callable[[], object]] = {}
        self._lock = threading.Lock()
        self._polling = False

    def new_event(self) -> threading.Event:
        return self._mgr.Event()

    async def register_heartbeater(self, task_token: bytes, heartbeat: Callable[..., None]) -> SharedHeartbeatSender:
        with self._lock:
            self._registered[task_token] = heartbeat
            start, self._polling = not self._polling, True
        if start:
            self._poller.submit(self._poll)
        return _QueueSender(self._heartbeats)

    async def unregister_heartbeater(self, task_token: bytes) -> None:
        loop = asyncio.get_running_loop()
        flushed = asyncio.Event()
        self._flushed[task_token] = lambda: loop.call_soon_threadsafe(flushed.set)
        try:
            await loop.run_in_executor(None, self._heartbeats.put, (task_token, None), True, _PUT_SECONDS)
            await flushed.wait()
        finally:
            self._flushed.pop(task_token, None)
            self._registered.pop(task_token, None)

    def _poll(self) -> None:
        while self._goes_on():
            try:
                token, details = self._heartbeats.get(True, _POLL_SECONDS)
            except queue.Empty:
                continue
            except Exception:
                # The manager is gone: nobody can send any more. Waiters must not wait for it.
                logger.exception("Failed during multiprocess queue poll for heartbeat")
                self._give_up()
                return
            if details is None:
                self._registered.pop(token, None)
                flushed: Callable[[], object] = self._flushed.get(token, _nothing)
                flushed()
                continue
            try:
                beat: Callable[..., None] = self._registered.get(token, _nothing)
                beat(*details)
            except Exception:
                logger.exception("Heartbeat from another process was not recorded")

    def _goes_on(self) -> bool:
        with self._lock:
            if not self._registered:
                self._polling = False
            return self._polling

    def _give_up(self) -> None:
        with self._lock:
            self._polling = False
            self._registered.clear()
        for flushed in list(self._flushed.values()):
            flushed()


def _nothing(*details: Any) -> None:
    return None
