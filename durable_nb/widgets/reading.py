"""Reads a run, and the runs of children that were unfolded, for their timeline: only what is new since the last time.

Works on the engine's loop; laying out and packing happen on a thread beside it, so that a large picture never delays
a workflow. Asking for the run's description costs a comparison; attempts and events are read when that has changed.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from typing import Any

from durable_nb.model.events import Event
from durable_nb.model.requests import AttemptDescription, ReadHistory, RunDescription, Target
from durable_nb.widgets.layout import RunPicture, timeline_layout
from durable_nb.widgets.packing import pack


class RunReader:
    """One run. ``picture`` is what was read last."""

    def __init__(self, frontend: Any, target: Target) -> None:
        self._frontend = frontend
        self.target = target
        self._attempts: list[AttemptDescription] = []
        self._events: list[Event] = []
        self._seen: object = None
        self.picture: RunPicture | None = None

    @property
    def is_closed(self) -> bool:
        """Whether the run was closed when it was last read: then nothing will change any more."""
        return self.picture is not None and self.picture.run.close_time != 0

    async def read(self) -> bool:
        """Read what is new; whether there was anything.

        Raises
        ------
        RPCError
            NOT_FOUND: there is no such run, or not any more.
        """
        if self.is_closed:
            return False
        run: RunDescription = await self._frontend.describe_workflow(self.target)
        # From here on this very run, also when the workflow ID gets a newer one.
        self.target = Target(self.target.namespace, run.workflow_id, run.run_id)
        seen = _signature(run)
        if seen == self._seen:
            return False
        self._attempts = await self._frontend.read_attempts(self.target)
        first = self._events[-1].event_id + 1 if self._events else 1
        if run.history_length >= first:
            page = await self._frontend.read_history(ReadHistory(self.target, first))
            # A list of its own: the picture before may still be laid out on another thread.
            self._events = [*self._events, *page.events]
        self._seen = seen
        self.picture = RunPicture(run, self._attempts, self._events)
        return True


def _signature(run: RunDescription) -> object:
    """What differs as soon as something is to be drawn anew, but for time going on."""
    pending = [
        (p.activity_id, p.state, p.attempt, p.next_attempt_at, p.last_started_at) for p in run.pending_activities
    ]
    task = run.pending_workflow_task
    return run.status, run.history_length, pending, task is not None and (task.attempt, task.next_attempt_at)


class TimelineReader:
    """A run and its unfolded children, as packed bytes."""

    def __init__(self, frontend: Any, target: Target) -> None:
        self._frontend = frontend
        self.root = RunReader(frontend, target)
        self._children: dict[str, RunReader] = {}
        self._drawn: tuple[object, ...] = ()

    @property
    def is_closed(self) -> bool:
        """Whether nothing that is shown will change any more."""
        return self.root.is_closed and all(child.is_closed for child in self._children.values())

    def unfold(self, workflow_id: str, run_id: str) -> None:
        """Show the run of a child from the next reading on."""
        if run_id and run_id not in self._children:
            target = Target(self.root.target.namespace, workflow_id, run_id)
            self._children[run_id] = RunReader(self._frontend, target)

    def picture(self, run_id: str) -> RunPicture | None:
        """What was read of one of the runs that are shown; the run itself for an unknown ID."""
        child = self._children.get(run_id)
        return child.picture if child is not None else self.root.picture

    async def packed(self) -> bytes | None:
        """The timeline as it is now; None where nothing has changed since the last call.

        Raises
        ------
        RPCError
            NOT_FOUND: there is no such run, or not any more.
        """
        await self.root.read()
        for run_id, child in list(self._children.items()):
            try:
                await child.read()
            except Exception:
                # A child that was deleted folds up again; the run itself can still be shown.
                if child.picture is None:
                    del self._children[run_id]
        root = self.root.picture
        if root is None:
            return None
        children = {run_id: child.picture for run_id, child in self._children.items() if child.picture is not None}
        drawn = (root, *children.values())
        if len(drawn) == len(self._drawn) and all(x is y for x, y in zip(drawn, self._drawn, strict=True)):
            return None
        self._drawn = drawn
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(None, pack_picture, root, children, time.time_ns() // 1000)


def pack_picture(root: RunPicture, children: Mapping[str, RunPicture], now: int) -> bytes:
    """Lay out and pack."""
    return pack(timeline_layout(root, children, now=now))
