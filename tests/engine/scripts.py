"""A worker for tests of the engine: a workflow is a function from its history to all commands it has asked for so far.

No runtime is involved, so these tests say what the engine does whatever hosts the code.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from durable_nb.model.attributes import (
    ActivityTaskCompleted,
    ActivityTaskScheduled,
    Attributes,
    TimerStarted,
    UpdateInput,
    UpdateMeta,
    UpdateOutcome,
    UpdateRequestAttributes,
    WorkflowExecutionCompleted,
    WorkflowExecutionUpdateAccepted,
    WorkflowExecutionUpdateCompleted,
)
from durable_nb.model.commands import Command, WorkflowTaskCompletion, WorkflowTaskFailure
from durable_nb.model.enums import WorkflowTaskFailedCause
from durable_nb.model.events import Event
from durable_nb.model.failure import ApplicationFailureInfo, Failure
from durable_nb.model.payload import Payload
from durable_nb.model.tasks import (
    ActivityOutcome,
    ActivityTask,
    QueryAnswer,
    QueryRequest,
    WorkflowTask,
)

Script = Callable[["History"], list[Attributes]]
SECOND = 1_000_000


def text(value: str) -> list[Payload]:
    """One payload."""
    return [Payload({"encoding": b"json/plain"}, f'"{value}"'.encode())]


class History(list[Event]):
    """The events of a run, with what scripts ask of them."""

    def count(self, kind: type[Attributes]) -> int:  # type: ignore[override]
        return sum(1 for event in self if type(event.attributes) is kind)

    def first(self, kind: type[Attributes]) -> Any:
        return next((event for event in self if type(event.attributes) is kind), None)


def activity(number: int, *, timeout: int = 10 * SECOND, **options: Any) -> ActivityTaskScheduled:
    return ActivityTaskScheduled(
        str(number), "act", "q", input=text(str(number)), start_to_close_timeout=timeout, **options
    )


def sequence(steps: int) -> Script:
    """So many activities one after the other, then the end."""

    def script(history: History) -> list[Attributes]:
        done = history.count(ActivityTaskCompleted)
        asked: list[Attributes] = [activity(n + 1) for n in range(min(done + 1, steps))]
        return asked if done < steps else [*asked, WorkflowExecutionCompleted(text("done"))]

    return script


def sleeper(duration: int) -> Script:
    """One timer, then the end."""

    def script(history: History) -> list[Attributes]:
        asked: list[Attributes] = [TimerStarted("1", duration)]
        fired = any(event.event_type.name == "TIMER_FIRED" for event in history)
        return [*asked, WorkflowExecutionCompleted(text("woke"))] if fired else asked

    return script


def until_signal(name: str = "stop") -> Script:
    """Waits for a signal, then ends."""

    def script(history: History) -> list[Attributes]:
        heard = any(getattr(event.attributes, "signal_name", None) == name for event in history)
        return [WorkflowExecutionCompleted(text("stopped"))] if heard else []

    return script


class ScriptedWorker:
    """A worker port whose workflows are scripts. Activities wait in ``started`` unless ``auto`` completes them."""

    namespace = "default"
    identity = "scripted"

    def __init__(
        self, scripts: dict[str, Script], *, auto: bool = True, slots: int = 1000, task_queue: str = "q"
    ) -> None:
        self.scripts = scripts
        self.auto = auto
        self.slots = slots
        self.task_queue = task_queue
        self.histories: dict[int, History] = {}
        self.started: list[tuple[ActivityTask, Callable[[ActivityOutcome], None]]] = []
        self.executions: list[tuple[str, str, int]] = []
        self.fail_next: Exception | None = None

    def serves_workflow(self, workflow_type: str, digest: str = "") -> bool:
        return workflow_type in self.scripts

    def serves_activity(self, activity_type: str) -> bool:
        return True

    has_workflow = serves_workflow
    has_activity = serves_activity

    async def recall_workflow(self, workflow_type: str, digest: str) -> str:
        return "scripts are not kept"

    def definition_digest(self, workflow_type: str) -> str:
        return f"digest of {workflow_type}"

    def version_left(self, workflow_type: str, digest: str) -> None:
        """Keeps everything."""

    def holds_run(self, run_key: int) -> bool:
        return run_key in self.histories

    def run_workflow_task(self, run_key: int, task: WorkflowTask) -> WorkflowTaskCompletion | WorkflowTaskFailure:
        if self.fail_next is not None:
            reason, self.fail_next = self.fail_next, None
            failure = Failure(str(reason), "scripted", application_failure_info=ApplicationFailureInfo("Bug"))
            return WorkflowTaskFailure(WorkflowTaskFailedCause.WORKFLOW_WORKER_UNHANDLED_FAILURE, failure)
        history = self.histories.setdefault(run_key, History())
        if not history:
            assert task.events[0].event_id == 1, "an instance that is not held needs the whole history"
        # The start of a task whose updates were all rejected was never recorded: its ids are used again.
        del history[task.events[0].event_id - 1 :]
        history += task.events
        asked = self.scripts[task.workflow_type](history)
        recorded = sum(
            1
            for event in history
            if getattr(event.attributes, "workflow_task_completed_event_id", 0)
            and not hasattr(event.attributes, "initiated_event_id")
        )
        commands = [Command(attributes) for attributes in asked[recorded:]]
        rejected = {}
        for update in task.updates:
            if update.name == "bad":
                rejected[update.update_id] = Failure("rejected", "scripted")
            else:
                commands = [*_accept(update), *commands]
        return WorkflowTaskCompletion(commands, rejected)

    def answer_query(self, run_key: int, query: QueryRequest, task: WorkflowTask | None) -> QueryAnswer:
        history = self.histories.get(run_key) or (task.events if task else [])
        return QueryAnswer(result=text(f"{query.name}:{len(history)}"))

    def evict_run(self, run_key: int) -> None:
        self.histories.pop(run_key, None)

    def free_activity_slots(self) -> int:
        return self.slots

    def start_activity(self, task: ActivityTask, report: Callable[[ActivityOutcome], None]) -> None:
        self.executions.append((task.workflow_id, task.activity_id, task.attempt))
        if self.auto:
            report(ActivityOutcome(result=task.input))
        else:
            self.started.append((task, report))


def _accept(update: Any) -> list[Command]:
    meta = UpdateMeta(update.update_id, update.identity)
    request = UpdateRequestAttributes(meta, UpdateInput(None, update.name, update.args))
    accepted = WorkflowExecutionUpdateAccepted(update.update_id, f"{update.update_id}/request", 0, request)
    completed = WorkflowExecutionUpdateCompleted(meta, 0, UpdateOutcome(success=update.args))
    return [Command(accepted), Command(completed)]
