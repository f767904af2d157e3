"""Waiting for an answer from outside: the base of activities, children and external requests.

Invariant: from answer to waiting code it takes two turns of the loop, and cancellation is turned into a request, as in
Temporal's runtime; code that wakes in another order would emit its commands in another order.
"""

from __future__ import annotations

import asyncio
from asyncio import Future, current_task
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from durable_nb.runtime.loop import release

if TYPE_CHECKING:
    from durable_nb.runtime.instance import WorkflowInstance

RAISE_ON_CANCELLING_COMPLETED_ACTIVITY = 1
"""Language flag: a cancellation that meets an already completed activity is raised, not turned into a request."""

PROCESS_JOBS_AS_SINGLE_BATCH = 2
"""Language flag: all jobs of an activation are applied before the loop runs (off by default, honoured in replay)."""


class Operation:
    """An answer that comes once, and the code that waits for it."""

    __slots__ = ("error", "run", "settled", "value", "waiter")

    def __init__(self, run: WorkflowInstance) -> None:
        self.run = run
        self.settled = False
        self.value: Any = None
        self.error: BaseException | None = None
        self.waiter: Future[None] | None = None

    def settle(self, value: Any = None, error: BaseException | None = None) -> None:
        """The answer is here."""
        if self.settled:
            raise asyncio.InvalidStateError("the operation is settled already")
        self.settled = True
        self.value = value
        self.error = error
        if self.waiter is not None:
            self.run.loop.soon(release, self.waiter)

    async def wait(
        self,
        cancel: Callable[[asyncio.CancelledError], None],
        *,
        flag: int = 0,
        reraise_on_workflow_cancel: bool = False,
    ) -> Any:
        """The answer. When the waiting task is cancelled, ``cancel`` is called and the wait goes on.

        Parameters
        ----------
        flag
            Language flag under which a cancellation is raised if the answer is here already; 0 for none.
        reraise_on_workflow_cancel
            Raise the cancellation, after ``cancel``, when it is the whole workflow that is being cancelled.
        """
        run = self.run
        while True:
            waiter = self.waiter = Future(loop=run.loop)
            if self.settled:
                run.loop.soon(release, waiter)
            try:
                await waiter
            except asyncio.CancelledError as error:
                if self.settled and run.raises_cancel_of_settled(flag):
                    raise
                cancel(error)
                # Otherwise the next await of the task would raise again.
                task = current_task(run.loop)
                if task is not None:
                    task.uncancel()
                if reraise_on_workflow_cancel and (run.cancel_reason is not None or run.evicted):
                    raise
                continue
            self.waiter = None
            if self.error is None:
                return self.value
            # Let go of the error, or it would hold this frame and this frame the error.
            problem, self.error = self.error, None
            try:
                raise problem
            finally:
                del problem
