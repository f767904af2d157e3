"""Workflow tasks that wait for local activities, and the heartbeat that keeps such a task alive.

A task that waits longer than 80 % of its timeout is completed with what there is and asks for another one at once
(``force_new_task``); the local activities go on meanwhile, and their ends wait for the next task
(temporal-semantics 3.3). Everything here happens on the engine's loop.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING

from durable_nb.model.attributes import WorkflowExecutionStarted, WorkflowTaskScheduled
from durable_nb.model.commands import (
    WorkflowTaskCompletion,
    WorkflowTaskFailure,
    WorkflowTaskOutcome,
    WorkflowTaskPending,
)
from durable_nb.model.enums import WorkflowTaskFailedCause
from durable_nb.model.failure import Failure
from durable_nb.model.tasks import WorkflowTask
from durable_nb.worker._local import LocalActivityEnd, LocalActivityRun

if TYPE_CHECKING:
    from durable_nb.runtime.host import WorkflowHost
    from durable_nb.worker._activity import ActivityExecutor
    from durable_nb.worker._heartbeat import Timer

_DEFAULT_TASK_TIMEOUT = 10_000_000
_HEARTBEAT_AFTER = 0.8
_EVICTED = WorkflowTaskFailure(
    cause=WorkflowTaskFailedCause.RESET_STICKY_TASK_QUEUE,
    failure=Failure(message="the run was evicted while its local activities ran"),
)


class _RunLocals:
    """Local activities of one run that its code still waits for, or may still wait for."""

    __slots__ = ("ended", "news", "running")

    def __init__(self) -> None:
        self.running: dict[int, LocalActivityRun] = {}
        self.ended: deque[tuple[int, LocalActivityEnd]] = deque()
        self.news = asyncio.Event()


class LocalActivities:
    """The local activities of a worker, by run.

    Parameters
    ----------
    max_concurrent
        Local activities at the same time.
    now
        Microseconds since the epoch, by the engine's clock: it becomes workflow time.
    call_later
        The loop's, unless a test gives another clock.
    """

    def __init__(
        self,
        host: WorkflowHost,
        executor: ActivityExecutor,
        max_concurrent: int,
        *,
        now: Callable[[], int],
        call_later: Callable[..., Timer] | None = None,
    ) -> None:
        self._host = host
        self._executor = executor
        self._slots = asyncio.Semaphore(max_concurrent)
        self._now = now
        self._call_later = call_later
        self._runs: dict[int, _RunLocals] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    async def finish(
        self, run_key: int, task: WorkflowTask, pending: WorkflowTaskPending
    ) -> WorkflowTaskCompletion | WorkflowTaskFailure:
        """Run local activities until the workflow task can be completed or must send its heartbeat."""
        run = self._runs.setdefault(run_key, _RunLocals())
        late = asyncio.Event()

        def time_is_up() -> None:
            late.set()
            run.news.set()

        call_later = self._call_later or asyncio.get_running_loop().call_later
        timer = call_later(_HEARTBEAT_AFTER * task_timeout(task) / 1e6, time_is_up)
        try:
            outcome: WorkflowTaskOutcome | None = pending
            while isinstance(outcome, WorkflowTaskPending):
                self._take(run, task, outcome)
                while not run.ended and not late.is_set():
                    run.news.clear()
                    await run.news.wait()
                if self._runs.get(run_key) is not run:
                    return _EVICTED
                if not run.ended:
                    return self._host.heartbeat(run_key)
                outcome = self._host.resolve_local_activity(run_key, *run.ended.popleft())
        finally:
            timer.cancel()
        if isinstance(outcome, WorkflowTaskCompletion):
            self._runs.pop(run_key, None)  # what still runs was given up by the code
            return outcome
        self.drop(run_key)
        return outcome or _EVICTED

    def drop(self, run_key: int) -> None:
        """The run's instance is gone: stop what runs for it, nobody will take the results."""
        run = self._runs.pop(run_key, None)
        if run is not None:
            for local in run.running.values():
                local.cancel()
            run.ended.clear()
            run.news.set()

    def drop_all(self) -> None:
        """Drop every run."""
        for run_key in tuple(self._runs):
            self.drop(run_key)

    def _take(self, run: _RunLocals, task: WorkflowTask, pending: WorkflowTaskPending) -> None:
        for request in pending.start:
            local = LocalActivityRun(
                self._executor, request, task, slots=self._slots, now=self._now, call_later=self._call_later
            )
            run.running[request.seq] = local
            waiting = asyncio.get_running_loop().create_task(self._run(run, request.seq, local))
            self._tasks.add(waiting)
            waiting.add_done_callback(self._tasks.discard)
        for cancel in pending.cancel:
            if (running := run.running.get(cancel.seq)) is not None:
                running.cancel()

    async def _run(self, run: _RunLocals, seq: int, local: LocalActivityRun) -> None:
        end = await local.run()
        del run.running[seq]
        run.ended.append((seq, end))
        run.news.set()


def task_timeout(task: WorkflowTask) -> int:
    """Microseconds that the task may take, as far as its events tell."""
    for event in reversed(task.events):
        attributes = event.attributes
        if type(attributes) is WorkflowTaskScheduled and attributes.start_to_close_timeout:
            return attributes.start_to_close_timeout
        if type(attributes) is WorkflowExecutionStarted and attributes.workflow_task_timeout:
            return attributes.workflow_task_timeout
    return _DEFAULT_TASK_TIMEOUT
