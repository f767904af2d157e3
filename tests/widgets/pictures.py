"""Runs for tests of timelines: drawn at random by Hypothesis, and large ones."""

from __future__ import annotations

import random

from hypothesis import strategies as st

from durable_nb.model import attributes as a
from durable_nb.model.enums import WorkflowExecutionStatus
from durable_nb.model.events import Event
from durable_nb.model.failure import WorkflowExecution
from durable_nb.model.requests import AttemptDescription, PendingActivity
from durable_nb.widgets.layout import RunPicture
from tests.notebook.values import SECOND, T0, activity_failure, failure, run

OUTCOMES = ("completed", "failed", "timed_out", "canceled")


class Histories:
    """Writes events and attempts of a run, at seconds after ``T0``."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.attempts: list[AttemptDescription] = []
        self.activities = 0

    def event(self, at: float, body: a.Attributes) -> int:
        self.events.append(Event(len(self.events) + 1, T0 + int(at * SECOND), body))
        return len(self.events)

    def activity(self, type_name: str, scheduled: float, *attempts: tuple[float, float, str]) -> int:
        """Each attempt is (start, end, outcome); a retry waits until 0.05 s before it starts."""
        self.activities += 1
        ident = str(self.activities)
        event_id = self.event(scheduled, a.ActivityTaskScheduled(activity_id=ident, activity_type=type_name))
        for index, (start, end, outcome) in enumerate(attempts):
            following = attempts[index + 1][0] if index + 1 < len(attempts) else 0
            self.attempts.append(
                AttemptDescription(
                    scheduled_event_id=event_id,
                    activity_id=ident,
                    activity_type=type_name,
                    attempt=index + 1,
                    scheduled_at=T0 + int(scheduled * SECOND),
                    started_at=T0 + int(start * SECOND),
                    ended_at=T0 + int(end * SECOND),
                    outcome=outcome,
                    failure=None if outcome == "completed" else failure(f"try {index + 1} of {ident}", "Refused"),
                    next_attempt_at=T0 + int((following - 0.05) * SECOND) if following else 0,
                )
            )
        return event_id

    def task(self, at: float) -> None:
        event_id = self.event(at, a.WorkflowTaskScheduled())
        self.event(at + 0.01, a.WorkflowTaskCompleted(scheduled_event_id=event_id))


def order(timer: float = 3.0) -> RunPicture:
    """An open run: retries, a signal, an update, a timer, a child, and activities that run and wait."""
    made = Histories()
    made.event(0, a.WorkflowExecutionStarted(workflow_type="OrderWorkflow"))
    made.task(0)
    made.activity("reserve", 0.02, (0.1, 0.9, "completed"))
    made.activity("charge", 0.92, (1.0, 1.5, "failed"), (2.5, 3.6, "timed_out"), (5.6, 6.4, "completed"))
    made.event(2, a.WorkflowExecutionSignaled(signal_name="set_address"))
    named = a.UpdateRequestAttributes(input=a.UpdateInput(name="change_quantity"))
    accepted = made.event(6.6, a.WorkflowExecutionUpdateAccepted(accepted_request=named))
    made.event(6.9, a.WorkflowExecutionUpdateCompleted(accepted_event_id=accepted, outcome=a.UpdateOutcome()))
    begun = made.event(7, a.TimerStarted(timer_id="1"))
    end = 7 + timer
    made.event(end, a.TimerFired(timer_id="1", started_event_id=begun))
    made.task(end)
    child = a.StartChildWorkflowExecutionInitiated(workflow_id="order-1-shipping", workflow_type="Shipping")
    initiated = made.event(end + 0.1, child)
    execution = WorkflowExecution("order-1-shipping", "child-run")
    made.event(end + 0.2, a.ChildWorkflowExecutionStarted(initiated_event_id=initiated, workflow_execution=execution))
    for number in range(3):
        made.activity("pack", end + 0.2, (end + 0.3, end + 1 + number, "completed"))
    at = T0 + int(end * SECOND)
    refused = activity_failure(failure("courier API 503", "HTTPError"))
    pending = [
        PendingActivity("90", "print", "started", 1, 3, at, last_started_at=at + SECOND),
        PendingActivity("91", "courier", "scheduled", 3, 5, at, next_attempt_at=at + 9 * SECOND, last_failure=refused),
    ]
    made.events.sort(key=lambda event: event.event_time)
    return RunPicture(run(pending_activities=pending), made.attempts, made.events)


def shipping(begins: float) -> RunPicture:
    """The run of the child of ``order``."""
    made = Histories()
    made.event(begins, a.WorkflowExecutionStarted(workflow_type="Shipping"))
    made.task(begins)
    made.activity(
        "weigh", begins + 0.1, (begins + 0.2, begins + 0.7, "failed"), (begins + 1, begins + 1.5, "completed")
    )
    described = run(
        workflow_type="Shipping",
        workflow_id="order-1-shipping",
        run_id="child-run",
        start_time=T0 + int(begins * SECOND),
    )
    return RunPicture(described, made.attempts, made.events)


def large(activities: int, seed: int = 1) -> RunPicture:
    """A closed run of many activities of eight types, a tenth of their attempts failed."""
    draw, made, at = random.Random(seed), Histories(), 0.0
    made.event(0, a.WorkflowExecutionStarted(workflow_type="Large"))
    for number in range(activities):
        at += draw.random() * 0.1
        attempts = [(at + 0.01, at + 0.01 + draw.random() * 2, "completed")]
        while draw.random() < 0.1:
            start, end, _ = attempts.pop()
            attempts += [(start, end, "failed"), (end + 0.2, end + 0.2 + draw.random(), "completed")]
        event_id = made.activity(f"activity_{number % 8}", at, *attempts)
        made.event(attempts[-1][0], a.ActivityTaskStarted(scheduled_event_id=event_id))
        made.event(attempts[-1][1], a.ActivityTaskCompleted(scheduled_event_id=event_id))
        made.task(attempts[-1][1])
    end = max(attempt.ended_at for attempt in made.attempts)
    made.events.sort(key=lambda event: event.event_time)
    return RunPicture(run(status=WorkflowExecutionStatus.COMPLETED, close_time=end), made.attempts, made.events)


@st.composite
def pictures(draw: st.DrawFn) -> RunPicture:
    """Runs of a few activities with any times, also such as clocks that went backwards would give."""
    made = Histories()
    made.event(0, a.WorkflowExecutionStarted(workflow_type="Any"))
    instants = st.floats(0, 1e6, allow_nan=False)
    for _ in range(draw(st.integers(0, 6))):
        scheduled = draw(instants)
        attempts = draw(st.lists(st.tuples(instants, st.floats(0, 1e4), st.sampled_from(OUTCOMES)), max_size=4))
        made.activity(
            draw(st.sampled_from(["charge", "ship"])),
            scheduled,
            *((start, start + length, outcome) for start, length, outcome in attempts),
        )
    for _ in range(draw(st.integers(0, 3))):
        at = draw(instants)
        begun = made.event(at, a.TimerStarted(timer_id=str(at)))
        if draw(st.booleans()):
            made.event(at + draw(st.floats(0, 1e5)), a.TimerFired(timer_id=str(at), started_event_id=begun))
    for at in draw(st.lists(instants, max_size=3)):
        made.event(at, a.WorkflowExecutionSignaled(signal_name="go"))
    closed = draw(st.booleans())
    status = WorkflowExecutionStatus.COMPLETED if closed else WorkflowExecutionStatus.RUNNING
    close_time = T0 + int(draw(instants) * SECOND) if closed else 0
    return RunPicture(run(status=status, close_time=close_time), made.attempts, made.events)
