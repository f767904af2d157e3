"""A mini engine for tests: turns the commands of a run into events, and lets a test say what happens next.

No clock, no store, no rules beyond the order of events (temporal-semantics 8.3). A test tells a story:
``d = Driver(OrderWorkflow, order)``, ``d.task()``, ``d.complete("charge", receipt)``, ``d.task()`` …
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from durable_nb.converter import DataConverter
from durable_nb.model import attributes as a
from durable_nb.model.commands import WorkflowTaskCompletion, WorkflowTaskFailure, WorkflowTaskPending
from durable_nb.model.enums import RetryState, WorkflowTaskFailedCause
from durable_nb.model.events import Event
from durable_nb.model.failure import ApplicationFailureInfo, Failure, TimeoutFailureInfo, WorkflowExecution
from durable_nb.model.payload import Payload
from durable_nb.model.tasks import ActivityOutcome, QueryRequest, UpdateRequest, WorkflowTask
from durable_nb.runtime.definition import WorkflowDefinition
from durable_nb.runtime.host import WorkflowHost
from durable_nb.runtime.options import RuntimeOptions
from durable_nb.runtime.replay import ReplayOutcome, replay_history

START = 1_735_689_600_000_000
"""2025-01-01T00:00:00Z in microseconds."""
SECOND = 1_000_000
KEY = 1
convert = DataConverter.default.payload_converter


class LocalEnd(NamedTuple):
    """How a local activity ended."""

    outcome: ActivityOutcome
    attempt: int = 1
    original_schedule_time: int = 0
    complete_time: int = 0
    backoff: int = 0
    retry_state: RetryState | None = None


def payloads(*values: Any) -> list[Payload]:
    return convert.to_payloads(values)


def value(found: list[Payload] | None) -> Any:
    return convert.from_payloads(found)[0] if found else None


def options(**changes: Any) -> RuntimeOptions:
    """Default options, without watchdog and guards unless a test wants them."""
    converter = DataConverter.default
    return RuntimeOptions(
        **{
            "payload_converter": converter.payload_converter,
            "failure_converter": converter.failure_converter,
            "guards": False,
            "deadlock_timeout": None,
            **changes,
        }
    )


def failure(message: str = "boom", type: str = "Error") -> Failure:
    return Failure(message=message, application_failure_info=ApplicationFailureInfo(type=type))


class Driver:
    """One run: its events so far and the host that runs its code."""

    def __init__(self, workflow: Any, *args: Any, run_id: str = "run-1", started: Any = None, **changes: Any) -> None:
        self.definition = WorkflowDefinition.must_from_class(workflow)
        self.options = options(**changes)
        self.host = WorkflowHost(self.options)
        self.host.register(self.definition)
        self.run_id = run_id
        self.events: list[Event] = []
        self.now = START
        self.previous_started = 0
        self.updates: list[UpdateRequest] = []
        self.outcomes: list[Any] = []
        self.rejected: dict[str, Failure] = {}
        self.details = ""
        self.local: Callable[[Any], Any] = lambda request: None
        self.add(
            a.WorkflowExecutionStarted(
                workflow_type=self.definition.name or "Unnamed",
                task_queue="queue",
                input=payloads(*args) if args else None,
                original_execution_run_id=run_id,
                first_execution_run_id=run_id,
                workflow_id="workflow-1",
                **(started or {}),
            )
        )

    # -- history ---------------------------------------------------------------------------------------------------

    def add(self, attributes: a.Attributes, metadata: Any = None) -> Event:
        self.now += SECOND
        event = Event(len(self.events) + 1, self.now, attributes, metadata)
        self.events.append(event)
        return event

    def kinds(self, first: int = 1) -> list[str]:
        """Names of the event types from an event id on."""
        return [type(event.attributes).__name__ for event in self.events[first - 1 :]]

    def commands(self) -> list[str]:
        """Names of the commands of the last task."""
        return [type(command.attributes).__name__ for command in self.outcomes[-1].commands]

    def of(self, kind: type[Any], **wanted: Any) -> Event:
        """The last event of a kind whose attributes have these values."""
        for event in reversed(self.events):
            if type(event.attributes) is kind and all(
                getattr(event.attributes, name) == expected for name, expected in wanted.items()
            ):
                return event
        raise AssertionError(f"no {kind.__name__} with {wanted} in {self.kinds()}")

    # -- workflow tasks --------------------------------------------------------------------------------------------

    def schedule(self) -> None:
        """Schedule a workflow task unless one is pending."""
        if not self.pending_task:
            self.add(a.WorkflowTaskScheduled(task_queue="queue", attempt=1))

    @property
    def pending_task(self) -> bool:
        for event in reversed(self.events):
            if isinstance(event.attributes, a.WorkflowTaskScheduled):
                return True
            if isinstance(event.attributes, (a.WorkflowTaskCompleted, a.WorkflowTaskFailed, a.WorkflowTaskTimedOut)):
                return False
        return False

    def start_task(self) -> WorkflowTask:
        """Start the pending workflow task and give what the host gets."""
        self.schedule()
        scheduled = self.of(a.WorkflowTaskScheduled)
        started = self.add(a.WorkflowTaskStarted(scheduled_event_id=scheduled.event_id, history_size_bytes=1000))
        first = self.previous_started if self.host.holds(KEY) else 0
        updates, self.updates = self.updates, []
        return WorkflowTask(
            namespace="default",
            workflow_id="workflow-1",
            run_id=self.run_id,
            workflow_type=self.definition.name or "Unnamed",
            task_queue="queue",
            attempt=1,
            events=self.events[first:],
            previous_started_event_id=first,
            started_event_id=started.event_id,
            history_length=started.event_id,
            history_size=1000,
            updates=updates,
        )

    def task(self) -> Any:
        """One workflow task from schedule to end; the outcome."""
        task = self.start_task()
        outcome = self.host.handle(KEY, task)
        while isinstance(outcome, WorkflowTaskPending):
            outcome = self.run_locals(outcome)
        return self.finish(outcome)

    def run_locals(self, pending: WorkflowTaskPending) -> Any:
        """Run the local activities that a pending task starts, one after the other."""
        outcome: Any = pending
        queue = list(pending.start)
        while queue:
            request = queue.pop(0)
            end = self.local(request)
            if not isinstance(end, LocalEnd):
                end = LocalEnd(ActivityOutcome(result=payloads(end)), complete_time=self.now + SECOND)
            outcome = self.host.resolve_local_activity(KEY, request.seq, end)
            if not isinstance(outcome, WorkflowTaskPending):
                return outcome
            queue += outcome.start
        return outcome

    def finish(self, outcome: Any) -> Any:
        """Write the events of a task's end."""
        self.outcomes.append(outcome)
        scheduled, started = self.of(a.WorkflowTaskScheduled), self.of(a.WorkflowTaskStarted)
        ids = {"scheduled_event_id": scheduled.event_id, "started_event_id": started.event_id}
        if isinstance(outcome, WorkflowTaskFailure):
            self.add(a.WorkflowTaskFailed(cause=outcome.cause, failure=outcome.failure, **ids))
            return outcome
        assert isinstance(outcome, WorkflowTaskCompletion)
        completed = self.add(a.WorkflowTaskCompleted(sdk_metadata=outcome.sdk_metadata, **ids))
        self.previous_started = started.event_id
        self.rejected.update(outcome.rejected_updates)
        self.details = outcome.current_details
        for command in outcome.commands:
            if hasattr(command.attributes, "workflow_task_completed_event_id"):
                command.attributes.workflow_task_completed_event_id = completed.event_id
            self.add(command.attributes, command.user_metadata)
        return outcome

    def fail_task(self, cause: WorkflowTaskFailedCause = WorkflowTaskFailedCause.UNHANDLED_COMMAND) -> None:
        """Start the pending task, let the engine refuse it, and forget the instance."""
        self.schedule()
        scheduled = self.of(a.WorkflowTaskScheduled)
        started = self.add(a.WorkflowTaskStarted(scheduled_event_id=scheduled.event_id))
        self.add(
            a.WorkflowTaskFailed(scheduled_event_id=scheduled.event_id, started_event_id=started.event_id, cause=cause)
        )
        self.forget()

    def forget(self) -> None:
        """Drop the cached instance: the next task replays."""
        self.host.evict(KEY)

    # -- what happens outside --------------------------------------------------------------------------------------

    def signal(self, name: str, *args: Any) -> None:
        self.add(a.WorkflowExecutionSignaled(signal_name=name, input=payloads(*args) if args else None))

    def cancel(self, reason: str = "") -> None:
        self.add(a.WorkflowExecutionCancelRequested(cause=reason))

    def update(self, id: str, name: str, *args: Any) -> None:
        """Admit an update; the next task delivers it."""
        self.updates.append(UpdateRequest(update_id=id, name=name, args=payloads(*args)))

    def query(self, name: str, *args: Any) -> Any:
        """Answer of a query; raises the failure's message as an AssertionError."""
        task = None
        if not self.host.holds(KEY):
            task = self.start_task()
            self.events.pop()
            if not self.pending_task or self.events[-1] is not self.of(a.WorkflowTaskScheduled):
                pass
            task.events = list(self.events)
        answer = self.host.query(KEY, QueryRequest(name=name, args=payloads(*args)), task)
        if answer.failure is not None:
            raise AssertionError(answer.failure.message)
        return value(answer.result)

    def fire(self, timer_id: str = "1") -> None:
        started = self.of(a.TimerStarted, timer_id=timer_id)
        self.add(a.TimerFired(timer_id=timer_id, started_event_id=started.event_id))

    def begin(self, activity: str) -> tuple[int, int]:
        """Write the started event of an activity given by type or id."""
        scheduled = self._scheduled(activity)
        started = self.add(a.ActivityTaskStarted(scheduled_event_id=scheduled, attempt=1, identity="worker"))
        return scheduled, started.event_id

    def complete(self, activity: str, *result: Any) -> None:
        scheduled, started = self.begin(activity)
        found = payloads(*result) if result else None
        self.add(a.ActivityTaskCompleted(result=found, scheduled_event_id=scheduled, started_event_id=started))

    def fail(self, activity: str, message: str = "boom", type: str = "Error") -> None:
        scheduled, started = self.begin(activity)
        self.add(
            a.ActivityTaskFailed(
                failure=failure(message, type),
                scheduled_event_id=scheduled,
                started_event_id=started,
                retry_state=RetryState.MAXIMUM_ATTEMPTS_REACHED,
            )
        )

    def time_out(self, activity: str) -> None:
        scheduled, started = self.begin(activity)
        cause = Failure(message="activity StartToClose timeout", timeout_failure_info=TimeoutFailureInfo())
        self.add(
            a.ActivityTaskTimedOut(
                failure=cause,
                scheduled_event_id=scheduled,
                started_event_id=started,
                retry_state=RetryState.TIMEOUT,
            )
        )

    def canceled(self, activity: str, *details: Any) -> None:
        scheduled = self._scheduled(activity)
        requested = self.of(a.ActivityTaskCancelRequested, scheduled_event_id=scheduled)
        self.add(
            a.ActivityTaskCanceled(
                details=payloads(*details) if details else None,
                scheduled_event_id=scheduled,
                latest_cancel_requested_event_id=requested.event_id,
            )
        )

    def _scheduled(self, activity: str) -> int:
        closed = {
            event.attributes.scheduled_event_id  # type: ignore[attr-defined]
            for event in self.events
            if isinstance(
                event.attributes,
                (a.ActivityTaskCompleted, a.ActivityTaskFailed, a.ActivityTaskTimedOut, a.ActivityTaskCanceled),
            )
        }
        for event in self.events:
            found = event.attributes
            if (
                isinstance(found, a.ActivityTaskScheduled)
                and event.event_id not in closed
                and activity in (found.activity_type, found.activity_id)
            ):
                return event.event_id
        raise AssertionError(f"no open activity {activity!r}")

    # -- children and other workflows ------------------------------------------------------------------------------

    def child(self, id: str) -> Event:
        return self.of(a.StartChildWorkflowExecutionInitiated, workflow_id=id)

    def child_started(self, id: str) -> None:
        initiated = self.child(id)
        self.add(
            a.ChildWorkflowExecutionStarted(
                initiated_event_id=initiated.event_id,
                workflow_execution=WorkflowExecution(workflow_id=id, run_id=f"run-of-{id}"),
                workflow_type=initiated.attributes.workflow_type,  # type: ignore[attr-defined]
            )
        )

    def child_closed(self, id: str, kind: type[Any], **attributes: Any) -> None:
        initiated = self.child(id)
        started = self.of(a.ChildWorkflowExecutionStarted, initiated_event_id=initiated.event_id)
        self.add(
            kind(
                initiated_event_id=initiated.event_id,
                started_event_id=started.event_id,
                workflow_execution=WorkflowExecution(workflow_id=id, run_id=f"run-of-{id}"),
                workflow_type=initiated.attributes.workflow_type,  # type: ignore[attr-defined]
                **attributes,
            )
        )

    def answer(self, request: type[Any], answer: type[Any], **attributes: Any) -> None:
        """Answer the last request of a kind to another workflow."""
        self.add(answer(initiated_event_id=self.of(request).event_id, **attributes))

    # -- checks ----------------------------------------------------------------------------------------------------

    def replay(self, workflow: Any = None, **changes: Any) -> ReplayOutcome:
        """Replay the history so far, on other code if given."""
        definition = self.definition if workflow is None else WorkflowDefinition.must_from_class(workflow)
        return replay_history(definition, options(**changes), "workflow-1", self.events)

    @property
    def result(self) -> Any:
        """The run's result."""
        return value(self.of(a.WorkflowExecutionCompleted).attributes.result)  # type: ignore[attr-defined]

    @property
    def closed(self) -> bool:
        """Whether the last task closed the run."""
        return self.kinds()[-1] in (
            "WorkflowExecutionCompleted",
            "WorkflowExecutionFailed",
            "WorkflowExecutionCanceled",
            "WorkflowExecutionContinuedAsNew",
        )
