"""The workflow half of a worker: definitions by type, and the instances that are cached between tasks.

An instance is a cache: it can always be rebuilt by replay, so it is dropped whenever something is wrong with it and
when its run is closed. Invariants: an instance in the cache stands exactly at the end of the last task that it
completed, or has a task open; with ``max_cached_workflows`` of 0 none is at rest in it.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from typing import Any

from durable_nb.model.commands import WorkflowTaskCompletion, WorkflowTaskFailure, WorkflowTaskOutcome
from durable_nb.model.enums import WorkflowTaskFailedCause
from durable_nb.model.failure import Failure
from durable_nb.model.spelling import nearest
from durable_nb.model.tasks import QueryAnswer, QueryRequest, WorkflowTask
from durable_nb.runtime import guards
from durable_nb.runtime.definition import WorkflowDefinition
from durable_nb.runtime.errors import DeadlockError, DeadlockInterrupt, StaleInstanceError
from durable_nb.runtime.instance import WorkflowInstance
from durable_nb.runtime.interrupts import pass_on
from durable_nb.runtime.local_activities import LocalEnd
from durable_nb.runtime.options import RuntimeOptions
from durable_nb.runtime.tasks import replay
from durable_nb.runtime.versions import Versions
from durable_nb.runtime.watchdog import Watch


class WorkflowHost:
    """Runs workflow tasks of registered definitions. Used from one thread at a time."""

    def __init__(self, options: RuntimeOptions) -> None:
        self.options = options
        self.versions = Versions()
        self._runs: OrderedDict[int, WorkflowInstance] = OrderedDict()
        self._watch = None if options.deadlock_timeout is None else Watch(options.deadlock_timeout)

    # -- definitions -----------------------------------------------------------------------------------------------

    def register(self, definition: WorkflowDefinition, digest: str = "", *, current: bool = True) -> None:
        """Serve a version of a definition (``versions.add``); runs of one that it replaces are replayed on it."""
        for replaced in self.versions.add(definition, digest, current=current):
            self._drop_instances(replaced)

    def unregister(self, workflow_type: str | None, digest: str | None = None) -> None:
        """Serve a version of a definition no more, or, without a digest, none; cached instances are dropped."""
        for definition in self.versions.remove(workflow_type, digest):
            self._drop_instances(definition)

    def definition(self, workflow_type: str, digest: str = "") -> WorkflowDefinition | None:
        """The code that a run of a type is replayed on: that of the digest where it is present, else the current one.

        A type without a definition of its own has the dynamic one. Ask ``serves`` whether a run may go on here.
        """
        return self.versions.find(workflow_type, digest)

    def serves(self, workflow_type: str, digest: str = "") -> bool:
        """Whether a run of a type that is pinned to ``digest`` (to none: "") can go on here."""
        return self.versions.serves(workflow_type, digest)

    @property
    def workflow_types(self) -> list[str]:
        """Names of the definitions, sorted; the dynamic one has none."""
        return self.versions.names

    def _drop_instances(self, definition: WorkflowDefinition) -> None:
        for run_key in [key for key, run in self._runs.items() if run.definition is definition]:
            self.evict(run_key)

    # -- runs ------------------------------------------------------------------------------------------------------

    def holds(self, run_key: int) -> bool:
        """Whether an instance of the run is cached."""
        return run_key in self._runs

    def handle(self, run_key: int, task: WorkflowTask) -> WorkflowTaskOutcome:
        """Run a workflow task. ``WorkflowTaskPending`` means that local activities must be run first."""
        run = self._runs.get(run_key)
        whole = bool(task.events) and task.events[0].event_id == 1
        if run is None or whole:
            if run is not None:
                self.evict(run_key)
            definition = self.definition(task.workflow_type, task.definition)
            if definition is None:
                return self._unknown_type(task.workflow_type)
            if self.options.guards:
                guards.install()
            run = self._runs[run_key] = WorkflowInstance.for_task(definition, self.options, task)
            if len(self._runs) > self.options.max_cached_workflows:
                self._evict_oldest(run_key)
        else:
            self._runs.move_to_end(run_key)
        try:
            outcome: WorkflowTaskOutcome = self._watched(run, run.activate, task)
        except StaleInstanceError as error:
            self.evict(run_key)
            return WorkflowTaskFailure(
                cause=WorkflowTaskFailedCause.RESET_STICKY_TASK_QUEUE, failure=Failure(message=str(error))
            )
        except BaseException:  # an interrupt that struck the runtime itself
            self.evict(run_key)
            raise
        self._settle(run_key, run, outcome)
        return outcome

    def resolve_local_activity(self, run_key: int, seq: int, end: LocalEnd) -> WorkflowTaskOutcome | None:
        """A local activity of an open task is over; what becomes of the task. None when no task is open."""
        run = self._runs.get(run_key)
        if run is None:
            return None
        outcome: WorkflowTaskOutcome | None = self._watched(run, run.resolve_local_activity, seq, end)
        if outcome is not None:
            self._settle(run_key, run, outcome)
        return outcome

    def heartbeat(self, run_key: int) -> WorkflowTaskCompletion:
        """Complete an open task early, asking for another one.

        Raises
        ------
        KeyError
            There is no such instance.
        """
        return self._runs[run_key].heartbeat()

    def query(
        self,
        run_key: int,
        request: QueryRequest,
        task: WorkflowTask | None,
        definition: WorkflowDefinition | None = None,
    ) -> QueryAnswer:
        """Answer from the cached instance, or from one that is rebuilt from ``task`` and dropped again.

        ``definition`` is the code to rebuild it on where that is none of the versions served here.
        """
        run = self._runs.get(run_key)
        if run is not None:
            try:
                answer = self._watched(run, run.query, request)
            except BaseException as error:
                self.evict(run_key)
                return _unanswered(run, error)
            if not isinstance(answer, QueryAnswer):
                self.evict(run_key)
                return QueryAnswer(failure=answer.failure)
            return answer
        if task is None:
            return QueryAnswer(failure=Failure(message="the run is not cached, and no history came with the query"))
        definition = definition or self.definition(task.workflow_type, task.definition)
        if definition is None:
            return QueryAnswer(failure=self._unknown_type(task.workflow_type).failure)
        run = WorkflowInstance.for_task(definition, self.options, task)
        try:
            answer = self._watched(run, _replay_and_query, run, task, request)
        except BaseException as error:
            answer = _unanswered(run, error)
        finally:
            run.evict()
        return answer if isinstance(answer, QueryAnswer) else QueryAnswer(failure=answer.failure)

    def evict(self, run_key: int) -> None:
        """Drop a run's instance."""
        run = self._runs.pop(run_key, None)
        if run is not None:
            run.evict()

    def evict_all(self) -> None:
        """Drop all instances."""
        while self._runs:
            self._runs.popitem()[1].evict()

    def __len__(self) -> int:
        """Number of cached instances."""
        return len(self._runs)

    def _settle(self, run_key: int, run: WorkflowInstance, outcome: WorkflowTaskOutcome) -> None:
        pass_on(run.task_error)
        failed = isinstance(outcome, WorkflowTaskFailure)
        if failed or run.task_error is not None or (run.terminal and not run.task_open):
            self.evict(run_key)
        elif len(self._runs) > self.options.max_cached_workflows:
            self._evict_oldest()

    def _evict_oldest(self, spare: int | None = None) -> None:
        """Drop the instance at rest that was used least recently."""
        for run_key, run in self._runs.items():
            if run_key != spare and not run.task_open and not (run.locals and run.locals.open):
                self.evict(run_key)
                return

    def _watched(self, run: WorkflowInstance, work: Callable[..., Any], *args: Any) -> Any:
        """Call ``work``; if it takes too long it is interrupted and the workflow task fails."""
        watch = self._watch
        if watch is None:
            return work(*args)
        watch.arm(run)
        try:
            outcome = work(*args)
            deadlock = watch.disarm()
        except DeadlockInterrupt:
            deadlock, outcome = watch.disarm(), None
        except BaseException:
            watch.disarm()
            raise
        if not deadlock:
            return outcome
        run.fail_task(DeadlockError(deadlock))
        failure = run.to_failure(DeadlockError(deadlock))
        return WorkflowTaskFailure(cause=WorkflowTaskFailedCause.WORKFLOW_WORKER_UNHANDLED_FAILURE, failure=failure)

    def _unknown_type(self, workflow_type: str) -> WorkflowTaskFailure:
        known = self.workflow_types
        close = nearest(workflow_type, known)
        hint = f". Did you mean {close!r}?" if close else f", available workflows: {', '.join(known) or 'none'}"
        return WorkflowTaskFailure(
            cause=WorkflowTaskFailedCause.WORKFLOW_WORKER_UNHANDLED_FAILURE,
            failure=Failure(message=f"Workflow class {workflow_type} is not registered on this worker{hint}"),
        )


def _unanswered(run: WorkflowInstance, error: BaseException) -> QueryAnswer:
    pass_on(error)
    return QueryAnswer(failure=run.to_failure(error))


def _replay_and_query(run: WorkflowInstance, task: WorkflowTask, request: QueryRequest) -> QueryAnswer:
    replay(run, task.events)
    return run.query(request)
