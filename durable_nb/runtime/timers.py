"""Durable timers: what ``call_later`` of the loop makes (temporal-semantics 2.1 and 3.4)."""

from __future__ import annotations

import contextvars
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from durable_nb.model.attributes import TimerCanceled, TimerFired, TimerStarted, UserMetadata
from durable_nb.model.scalars import LONGEST_DURATION
from durable_nb.runtime.issued import Issued
from durable_nb.runtime.loop import ReadyHandle

if TYPE_CHECKING:
    from durable_nb.model.events import Event
    from durable_nb.runtime.instance import WorkflowInstance

timer_metadata: contextvars.ContextVar[UserMetadata | None] = contextvars.ContextVar(
    "durable_nb_timer_metadata", default=None
)
"""Summary for the timers that ``asyncio`` starts on behalf of the caller."""


class WorkflowTimer(ReadyHandle):
    """Handle of a timer; goes into the ready queue itself when the timer has fired."""

    __slots__ = ("_when", "event_id", "fired", "issued", "run", "seq")

    def __init__(
        self,
        run: WorkflowInstance,
        seq: int,
        when: float,
        callback: Callable[..., Any],
        args: tuple[Any, ...],
        context: contextvars.Context | None,
    ) -> None:
        self.callback = callback
        self.args = args
        self.context = contextvars.copy_context() if context is None else context
        self.run = run
        self.seq = seq
        self._when = when
        self.issued: Issued | None = None
        self.event_id = 0
        self.fired = False

    def when(self) -> float:
        """Workflow time at which it fires, seconds since the epoch."""
        return self._when

    def cancel(self) -> None:
        """Stop the timer: no event when it was started in this very task, else TimerCanceled."""
        if self.callback is None:
            return
        run = self.run
        if not self.fired and not run.evicted:
            run.assert_writable("add command")
            if self.issued is not None:
                self.issued.dropped = True
                self.issued = None
            else:
                run.emit(TimerCanceled(timer_id=str(self.seq), started_event_id=self.event_id))
                run.by_event.pop(self.event_id, None)
        super().cancel()

    def recorded(self, event: Event) -> None:
        """Its TimerStarted event is in the history."""
        self.issued = None
        self.event_id = event.event_id
        self.run.by_event[event.event_id] = self


def start_timer(
    run: WorkflowInstance,
    delay: float,
    callback: Callable[..., Any],
    args: tuple[Any, ...],
    context: contextvars.Context | None,
    metadata: UserMetadata | None,
) -> WorkflowTimer:
    """Start a timer of ``delay`` seconds now.

    Raises
    ------
    RuntimeError
        The delay is negative.
    """
    run.assert_writable("schedule timer")
    if delay < 0:
        raise RuntimeError("Attempting to schedule timer with negative delay")
    seq = run.timer_seq = run.timer_seq + 1
    timer = WorkflowTimer(run, seq, run.time_us / 1e6 + delay, callback, args, context)
    timer.issued = run.emit(
        TimerStarted(timer_id=str(seq), start_to_fire_timeout=min(round(delay * 1e6), LONGEST_DURATION)),
        timer,
        metadata or timer_metadata.get(),
    )
    return timer


def on_fired(run: WorkflowInstance, event: Event) -> None:
    """A TimerFired event."""
    attributes: TimerFired = event.attributes  # type: ignore[assignment]
    timer = run.by_event.pop(attributes.started_event_id, None)
    if not isinstance(timer, WorkflowTimer) or str(timer.seq) != attributes.timer_id:
        raise run.diverged(event, "", f"no timer {attributes.timer_id} started by event {attributes.started_event_id}")
    # From here on a cancel comes too late, even if a signal of the same task runs before the callback.
    timer.fired = True
    run.others.append((_make_ready, (run, timer)))


def _make_ready(run: WorkflowInstance, timer: WorkflowTimer) -> None:
    run.loop.ready.append(timer)
