"""What the engine expects of those who host definitions.

The in-process worker implements ``WorkerPort``; a gateway for workers of another kind would implement it too. Nothing
in the engine knows how workflow code is run.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Protocol

from durable_nb.model.commands import WorkflowTaskCompletion, WorkflowTaskFailure
from durable_nb.model.tasks import (
    ActivityOutcome,
    ActivityTask,
    QueryAnswer,
    QueryRequest,
    WorkflowTask,
)

TaskResult = WorkflowTaskCompletion | WorkflowTaskFailure


class WorkerPort(Protocol):
    """A host of workflow and activity definitions for one task queue.

    All methods are called on the engine's loop and must not block.
    """

    namespace: str
    task_queue: str
    identity: str

    def serves_workflow(self, workflow_type: str, digest: str = "") -> bool:
        """Whether a run pinned to the version ``digest`` of a definition may go on here; "" for one not pinned yet."""

    def serves_activity(self, activity_type: str) -> bool: ...

    def has_workflow(self, workflow_type: str, digest: str = "") -> bool:
        """Whether the very version is registered; of several ports on a queue such a one is preferred."""

    def definition_digest(self, workflow_type: str) -> str:
        """Digest of the version that new runs are pinned to; "" when its source is not known."""

    async def recall_workflow(self, workflow_type: str, digest: str) -> str:
        """Get ready to look back at closed runs of a version that is not served; why that cannot be, "" if it can."""

    def has_activity(self, activity_type: str) -> bool: ...

    def holds_run(self, run_key: int) -> bool:
        """Whether an instance of the run is cached, so that only new events are needed."""

    def run_workflow_task(self, run_key: int, task: WorkflowTask) -> TaskResult | Awaitable[TaskResult]:
        """Run workflow code; an awaitable only where local activities or a payload codec make waiting necessary."""

    def answer_query(
        self, run_key: int, query: QueryRequest, task: WorkflowTask | None
    ) -> QueryAnswer | Awaitable[QueryAnswer]:
        """Answer from the cached instance, or by a read-only replay of ``task`` (whole history) where none is held."""

    def evict_run(self, run_key: int) -> None:
        """Forget the run's instance."""

    def version_left(self, workflow_type: str, digest: str) -> None:
        """A run that was pinned to this version is closed: it may have been the last one."""

    def free_activity_slots(self) -> int: ...

    def start_activity(self, task: ActivityTask, report: Callable[[ActivityOutcome], None]) -> None:
        """Run one attempt; ``report`` is called once, from any thread."""
