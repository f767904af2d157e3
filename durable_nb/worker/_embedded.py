"""The worker that lives in a notebook: its definitions come and go as cells are run.

It is registered once, with no definitions, and claims only what it has: a run whose definition is missing waits for
its cell. Everything runs on the engine's loop, sync activities in a thread pool that the user may replace.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
from collections.abc import Callable
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from durable_nb.runtime.definition import WorkflowDefinition
from durable_nb.worker._assembly import UNLIMITED, build_port
from durable_nb.worker._worker import unregister

if TYPE_CHECKING:
    from durable_nb.activity._definition import ActivityDefinition
    from durable_nb.client import Client
    from durable_nb.worker._config import WorkerConfig
    from durable_nb.worker._shared_state import SharedStateManager

DEFAULT_THREADS = 32


class EmbeddedWorker:
    """Serves the definitions of a notebook on one task queue.

    ``register_workflow``, ``register_activity`` and ``replace_executor`` may be called from any thread, at any time.

    Parameters
    ----------
    max_concurrent_activities
        None for as many as there are.
    guards
        Refuse clock, randomness and I/O in workflow code.
    """

    def __init__(
        self,
        client: Client,
        *,
        task_queue: str,
        max_concurrent_activities: int | None = None,
        max_cached_workflows: int = 1000,
        guards: bool = True,
    ) -> None:
        self.client = client
        self._own_executor: concurrent.futures.ThreadPoolExecutor | None = None
        config: WorkerConfig = {
            "client": client,
            "task_queue": task_queue,
            "max_concurrent_activities": max_concurrent_activities,
            "max_cached_workflows": max_cached_workflows,
        }
        self.port = build_port(config, guards=guards, takes_anything=False, default_slots=UNLIMITED)

    # -- life ------------------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Register with the client's engine; from now on work comes."""
        engine = self.client.engine
        self.port.executor.bind(engine.loop)
        engine.register_worker(self.port)

    async def shutdown(self, graceful: timedelta = timedelta()) -> None:
        """No more work; running activities get ``graceful``, then they are cancelled. May be awaited on any loop."""
        engine = self.client.engine
        await unregister(engine, self.port)
        ending = self.port.executor.shutdown(graceful.total_seconds())
        if asyncio.get_running_loop() is engine.loop:
            await ending
        else:
            await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(ending, engine.loop))
        if self._own_executor is not None:
            self._own_executor.shutdown(wait=False, cancel_futures=True)

    # -- definitions -----------------------------------------------------------------------------------------------

    def register_workflow(self, workflow: Any, digest: str = "", *, current: bool = True) -> WorkflowDefinition:
        """Serve a decorated class or function, beside versions of the same name that have another digest.

        Runs that start from now on are pinned to it (``current``); open runs stay on the version that they are
        pinned to. One with the same digest, or without digests on both sides, takes the place of the older one, and
        its runs go on by replay.

        Raises
        ------
        ValueError
            Not decorated with ``@workflow.defn``.
        """
        definition = WorkflowDefinition.must_from_class(workflow)
        self.client.engine.call_soon(self._take_workflow, definition, digest, current)
        return definition

    def drop_version(self, workflow_type: str | None, digest: str) -> None:
        """Serve a version no more that no open run is pinned to; None for the dynamic definition."""
        self.client.engine.call_soon(self.port.host.unregister, workflow_type, digest)

    def register_activity(self, activity: Callable[..., Any]) -> ActivityDefinition:
        """Serve an activity, in place of an older one of the same name; attempts that run already go on as they are.

        Raises
        ------
        TypeError
            Not decorated with ``@activity.defn``.
        NameError
            Its annotations name something unknown.
        """
        definition = self.port.executor.register(activity)
        if not definition.is_async and self.port.executor.calls.executor is None:
            self._own_executor = concurrent.futures.ThreadPoolExecutor(DEFAULT_THREADS, thread_name_prefix="activity")
            self.port.executor.calls.replace_executor(self._own_executor, None)
        self.client.engine.definitions_changed(self.port)
        return definition

    def replace_executor(
        self, executor: concurrent.futures.Executor, shared_state_manager: SharedStateManager | None = None
    ) -> None:
        """Run sync activities elsewhere from now on; those that run already stay where they are.

        Without this they get a pool of 32 threads, made when the first one is registered. Any other executor will do;
        without a ``shared_state_manager`` its activities can neither heartbeat nor be cancelled.
        """
        self.port.executor.calls.replace_executor(executor, shared_state_manager)

    def _take_workflow(self, definition: WorkflowDefinition, digest: str, current: bool) -> None:
        """On the engine's loop, where no workflow task can be half way."""
        self.port.host.register(definition, digest, current=current)
        self.client.engine.definitions_changed(self.port)
