"""A worker as the engine sees it: workflow definitions in the runtime's host, activities in the executor.

Workflow tasks are run at once and in place wherever nothing has to be awaited. Two things make a task wait: local
activities, which run here while the task is open, and a payload codec. Each such task is one coroutine on the
engine's loop. Methods are those of ``engine.ports.WorkerPort``.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, TypeVar

from durable_nb.converter.context import WorkflowSerializationContext
from durable_nb.model.commands import WorkflowTaskCompletion, WorkflowTaskFailure, WorkflowTaskPending
from durable_nb.model.enums import WorkflowTaskFailedCause
from durable_nb.model.failure import Failure
from durable_nb.model.tasks import (
    ActivityOutcome,
    ActivityTask,
    QueryAnswer,
    QueryRequest,
    WorkflowTask,
)
from durable_nb.runtime.payload_visitor import visit_payloads
from durable_nb.worker._local_tasks import LocalActivities

if TYPE_CHECKING:
    from durable_nb.converter import DataConverter
    from durable_nb.runtime.definition import WorkflowDefinition
    from durable_nb.runtime.host import WorkflowHost
    from durable_nb.worker._activity import ActivityExecutor
    from durable_nb.worker._past import PastCode

T = TypeVar("T")
TaskResult = WorkflowTaskCompletion | WorkflowTaskFailure


class HostPort:
    """Definitions and activities of one worker, on one task queue.

    Parameters
    ----------
    now
        Microseconds since the epoch, by the engine's clock.
    any_workflow, any_activity
        Take tasks of types that are not registered, and fail them: what a worker of a cluster does. A notebook waits
        for the definition instead.
    serve_activities
        False: only local activities run here.
    max_local_activities
        Local activities at the same time.
    """

    def __init__(
        self,
        *,
        namespace: str,
        task_queue: str,
        identity: str,
        host: WorkflowHost,
        executor: ActivityExecutor,
        data_converter: DataConverter,
        now: Callable[[], int],
        any_workflow: bool = False,
        any_activity: bool = False,
        max_local_activities: int = 100,
        serve_activities: bool = True,
        decode_headers: bool = False,
    ) -> None:
        self.namespace = namespace
        self.task_queue = task_queue
        self.identity = identity
        self.host = host
        self.executor = executor
        self._any_workflow = any_workflow
        self._any_activity = any_activity
        self._serve_activities = serve_activities
        self._locals = LocalActivities(host, executor, max_local_activities, now=now)
        self._converter = data_converter
        self._has_codec = data_converter.payload_codec is not None
        self._decode_headers = decode_headers
        self.on_version_left: Callable[[str, str], None] | None = None
        """Told of each closed run on a version that is not the current one."""
        self.past: PastCode | None = None
        """Where code that is not served comes from, to look back at closed runs."""

    # -- what is served --------------------------------------------------------------------------------------------

    def serves_workflow(self, workflow_type: str, digest: str = "") -> bool:
        return self._any_workflow or self.host.serves(workflow_type, digest)

    def serves_activity(self, activity_type: str) -> bool:
        return self._serve_activities and (self._any_activity or self.executor.serves(activity_type))

    def has_workflow(self, workflow_type: str, digest: str = "") -> bool:
        return self.host.versions.holds(workflow_type, digest)

    def definition_digest(self, workflow_type: str) -> str:
        return self.host.versions.current_digest(workflow_type)

    def version_left(self, workflow_type: str, digest: str) -> None:
        listener = self.on_version_left
        if listener is not None and digest != self.host.versions.current_digest(workflow_type):
            listener(workflow_type, digest)

    async def recall_workflow(self, workflow_type: str, digest: str) -> str:
        return "it has no stored source" if self.past is None else await self.past.recall(workflow_type, digest)

    def past_definition(self, workflow_type: str, digest: str) -> WorkflowDefinition | None:
        """A version that is not served and was recalled."""
        if self.past is None or self.host.serves(workflow_type, digest):
            return None
        return self.past.get(workflow_type, digest)

    def has_activity(self, activity_type: str) -> bool:
        return self.executor.serves(activity_type)

    def free_activity_slots(self) -> int:
        return self.executor.free_slots()

    # -- workflows -------------------------------------------------------------------------------------------------

    def holds_run(self, run_key: int) -> bool:
        return self.host.holds(run_key)

    def run_workflow_task(self, run_key: int, task: WorkflowTask) -> TaskResult | Awaitable[TaskResult]:
        if self._has_codec:
            return self._run_with_codec(run_key, task)
        outcome = self.host.handle(run_key, task)
        if isinstance(outcome, WorkflowTaskPending):
            return self._locals.finish(run_key, task, outcome)
        return outcome

    def answer_query(
        self, run_key: int, query: QueryRequest, task: WorkflowTask | None
    ) -> QueryAnswer | Awaitable[QueryAnswer]:
        if self._has_codec:
            return self._answer_with_codec(run_key, query, task)
        return self.host.query(run_key, query, task, self._past_code(task))

    def _past_code(self, task: WorkflowTask | None) -> WorkflowDefinition | None:
        return None if task is None else self.past_definition(task.workflow_type, task.definition)

    def evict_run(self, run_key: int) -> None:
        self._locals.drop(run_key)
        self.host.evict(run_key)

    def evict_all(self) -> None:
        """Forget all instances; on the engine's loop, after the port was taken from the engine."""
        self._locals.drop_all()
        self.host.evict_all()

    # -- codec -----------------------------------------------------------------------------------------------------

    async def _run_with_codec(self, run_key: int, task: WorkflowTask) -> TaskResult:
        codec = self._codec_of(task.workflow_id)
        try:
            decoded = await self._decoded(codec, task)
        except Exception as error:
            failure = Failure(message=f"Failed decoding the workflow task: {error}")
            return WorkflowTaskFailure(WorkflowTaskFailedCause.WORKFLOW_WORKER_UNHANDLED_FAILURE, failure)
        outcome = self.host.handle(run_key, decoded)
        if isinstance(outcome, WorkflowTaskPending):
            outcome = await self._locals.finish(run_key, decoded, outcome)
        try:
            encoded: TaskResult = await visit_payloads(outcome, codec.encode_payloads, headers=self._decode_headers)
        except Exception as error:
            self.evict_run(run_key)  # it stands beyond a task that will never have been completed
            failure = Failure(message=f"Failed encoding the outcome of the workflow task: {error}")
            return WorkflowTaskFailure(WorkflowTaskFailedCause.WORKFLOW_WORKER_UNHANDLED_FAILURE, failure)
        return encoded

    async def _answer_with_codec(self, run_key: int, query: QueryRequest, task: WorkflowTask | None) -> QueryAnswer:
        codec = self._codec_of("" if task is None else task.workflow_id)
        try:
            if task is not None:
                task = await self._decoded(codec, task)
            answer = self.host.query(run_key, await self._decoded(codec, query), task, self._past_code(task))
            encoded: QueryAnswer = await visit_payloads(answer, codec.encode_payloads, headers=self._decode_headers)
        except Exception as error:
            return QueryAnswer(failure=Failure(message=f"the payload codec failed on query {query.name}: {error}"))
        return encoded

    async def _decoded(self, codec: DataConverter, value: T) -> T:
        decoded: T = await visit_payloads(value, codec.decode_payloads, headers=self._decode_headers)
        return decoded

    def _codec_of(self, workflow_id: str) -> DataConverter:
        return self._converter.with_context(WorkflowSerializationContext(self.namespace, workflow_id))

    # -- activities ------------------------------------------------------------------------------------------------

    def start_activity(self, task: ActivityTask, report: Callable[[ActivityOutcome], None]) -> None:
        self.executor.start(task, report)
