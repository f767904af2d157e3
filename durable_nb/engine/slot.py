"""Everything the engine holds about one cached run, and the inputs that wait for it.

A slot serialises its run: one transition at a time is decided and in flight; what arrives meanwhile waits in
``inputs`` and goes into the next one together. A slot is a cache: dropping it loses nothing that was acknowledged.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING, Any

from durable_nb.core.state import ExecutionState
from durable_nb.core.transition import Transition
from durable_nb.core.workflow_tasks import OpenTask
from durable_nb.engine.ports import WorkerPort
from durable_nb.model.events import Event
from durable_nb.model.tasks import UpdateRequest

if TYPE_CHECKING:
    from durable_nb.engine.inputs import Input

SHORT_HISTORY = 100
"""Events; a history of this length is replayed in a few milliseconds."""

IDLE, LOADING, COMMITTING = "idle", "loading", "committing"


class PendingUpdate:
    """An update that callers wait for; ``request`` is None where only its outcome is polled."""

    __slots__ = ("accepted", "completed", "request")

    def __init__(self, request: UpdateRequest | None) -> None:
        self.request = request
        self.accepted: list[asyncio.Future[Any]] = []
        self.completed: list[asyncio.Future[Any]] = []


class RunSlot:
    """A cached run.

    ``unsent`` holds the events that the run's instance has not seen; the whole history while there is no instance.
    ``open_task`` is a held workflow task (the port answered with an awaitable).
    """

    __slots__ = (
        "careful",
        "epoch",
        "inputs",
        "open_task",
        "opening",
        "phase",
        "port",
        "queued",
        "refusal",
        "rejections",
        "reload",
        "run_key",
        "state",
        "unsent",
        "updates",
    )

    def __init__(self, run_key: int) -> None:
        self.run_key = run_key
        self.phase = IDLE
        self.queued = False
        self.state: ExecutionState | None = None
        self.inputs: deque[Input] = deque()
        self.unsent: list[Event] = []
        self.port: WorkerPort | None = None
        self.open_task: OpenTask | None = None
        self.updates: dict[str, PendingUpdate] = {}
        self.rejections: list[tuple[PendingUpdate, Any]] = []
        self.epoch = 0
        """The engine's epoch in which the cached state was last known to be the stored one."""
        self.reload = False
        """The cached instance can no longer be trusted: load and replay before the next step."""
        self.careful = False
        """A step could not be written: take in one input at a time until the one is found that is the reason."""
        self.refusal: Exception | None = None
        """Why a step that ran workflow code could not be written: the next workflow task fails with it instead."""
        self.opening: Transition | None = None
        """First transition of a run that is not stored yet."""

    @property
    def is_busy(self) -> bool:
        """Whether dropping the slot would forget something that somebody waits for."""
        return bool(self.inputs or self.updates or self.open_task or self.queued or self.phase != IDLE)

    @property
    def is_at_rest(self) -> bool:
        """Whether nothing of the run goes on and its history is short: it is cheaper to replay than to keep."""
        state = self.state
        return state is not None and not state.activities and state.next_event_id <= SHORT_HISTORY

    def offered_updates(self) -> list[UpdateRequest]:
        """Admitted updates that are not accepted yet: they go to workflow code with its next task."""
        state = self.state
        accepted = state.updates if state else {}
        offered = [p.request for i, p in self.updates.items() if p.request is not None and i not in accepted]
        return [*state.admitted.values(), *offered] if state and state.admitted else offered

    def forget(self) -> None:
        """Drop what is cached of the run; the next step loads it again."""
        if self.port is not None:
            self.port.evict_run(self.run_key)
            self.port = None
        self.state = None
        self.reload = False
        self.open_task = None
        self.unsent = []
