"""Drives ``chaos.Chaos`` through a world that answers in random order and in random batches."""

from __future__ import annotations

from random import Random
from typing import Any

from durable_nb.model import attributes as a
from durable_nb.model.enums import WorkflowTaskFailedCause
from durable_nb.model.tasks import ActivityOutcome
from tests.runtime.chaos import Chaos
from tests.runtime.driver import SECOND, Driver, LocalEnd, failure, payloads

_CLOSINGS = (
    a.ChildWorkflowExecutionCompleted,
    a.ChildWorkflowExecutionFailed,
    a.ChildWorkflowExecutionCanceled,
    a.ChildWorkflowExecutionTimedOut,
    a.ChildWorkflowExecutionTerminated,
)


class World:
    """What is outstanding in a history, and ways to answer it."""

    def __init__(self, driver: Driver, dice: Random) -> None:
        self.d = driver
        self.dice = dice

    def answers(self) -> list[tuple[str, Any]]:
        """Everything that could be answered now."""
        found: dict[int, tuple[str, Any]] = {}
        for event in self.d.events:
            self._track(event, found)
        return list(found.values())

    def _track(self, event: Any, found: dict[int, tuple[str, Any]]) -> None:
        at: Any = event.attributes
        match at:
            case a.ActivityTaskScheduled():
                found[event.event_id] = ("activity", event)
            case a.ActivityTaskCancelRequested():
                if at.scheduled_event_id in found:
                    found[at.scheduled_event_id] = ("canceled activity", found[at.scheduled_event_id][1])
            case a.ActivityTaskCompleted() | a.ActivityTaskFailed() | a.ActivityTaskCanceled():
                found.pop(at.scheduled_event_id, None)
            case a.TimerStarted():
                found[event.event_id] = ("timer", event)
            case a.TimerFired() | a.TimerCanceled():
                found.pop(at.started_event_id, None)
            case a.StartChildWorkflowExecutionInitiated():
                found[event.event_id] = ("child start", event)
            case a.ChildWorkflowExecutionStarted():
                found[at.initiated_event_id] = ("child", self.d.events[at.initiated_event_id - 1])
            case a.SignalExternalWorkflowExecutionInitiated():
                found[event.event_id] = ("signal", event)
            case a.RequestCancelExternalWorkflowExecutionInitiated():
                found[event.event_id] = ("cancel", event)
            case _ if isinstance(at, _CLOSINGS):
                found.pop(at.initiated_event_id, None)
            case a.ExternalWorkflowExecutionSignaled() | a.ExternalWorkflowExecutionCancelRequested():
                found.pop(at.initiated_event_id, None)

    def answer(self, kind: str, event: Any) -> None:
        """Write the event that answers."""
        d, event_id, at = self.d, event.event_id, event.attributes
        if kind in ("activity", "canceled activity"):
            if kind == "canceled activity" and self.dice.random() < 0.5:
                d.add(a.ActivityTaskCanceled(scheduled_event_id=event_id))
                return
            started = d.add(a.ActivityTaskStarted(scheduled_event_id=event_id, attempt=1)).event_id
            if self.dice.random() < 0.2:
                d.add(a.ActivityTaskFailed(failure=failure(), scheduled_event_id=event_id, started_event_id=started))
            else:
                d.add(
                    a.ActivityTaskCompleted(result=payloads(1), scheduled_event_id=event_id, started_event_id=started)
                )
        elif kind == "timer":
            d.add(a.TimerFired(timer_id=at.timer_id, started_event_id=event_id))
        elif kind == "child start":
            d.child_started(at.workflow_id)
        elif kind == "child":
            closing = self.dice.choice(_CLOSINGS)
            extra = {"result": payloads("r")} if closing is a.ChildWorkflowExecutionCompleted else {}
            d.child_closed(at.workflow_id, closing, **extra)
        elif kind == "signal":
            d.add(a.ExternalWorkflowExecutionSignaled(initiated_event_id=event_id))
        else:
            d.add(a.ExternalWorkflowExecutionCancelRequested(initiated_event_id=event_id))


def live(branches: list[list[list[Any]]], later: list[list[list[Any]]], seed: int, tasks: int = 30) -> Driver:
    """A whole run of a program; ``later`` holds what signals and updates bring."""
    dice = Random(seed)
    d = Driver(Chaos, branches)
    world = World(d, dice)

    def local(request: Any) -> LocalEnd:
        outcome = ActivityOutcome(failure=failure()) if dice.random() < 0.2 else ActivityOutcome(result=payloads(1))
        return LocalEnd(outcome, complete_time=d.now + SECOND)

    d.local = local
    later = list(later)
    if later and dice.random() < 0.3:
        d.signal("steps", later.pop())
    for number in range(tasks):
        outcome = d.task()
        assert hasattr(outcome, "commands"), outcome
        if d.closed:
            return d
        possible = world.answers()
        if not possible and not later:
            return d
        dice.shuffle(possible)
        for kind, event in possible[: dice.randint(1, 3)]:
            world.answer(kind, event)
        _bring(d, dice, later)
        if dice.random() < 0.15:
            d.fail_task(WorkflowTaskFailedCause.UNHANDLED_COMMAND)
        elif dice.random() < 0.2:
            d.forget()
        if number == tasks // 2 and dice.random() < 0.3:
            d.cancel("enough")
    return d


def _bring(d: Driver, dice: Random, later: list[list[list[Any]]]) -> None:
    choice = dice.random()
    if later and choice < 0.3:
        d.signal("steps", later.pop())
    elif later and choice < 0.5:
        d.update(f"u-{len(d.events)}", "change", later.pop())
    elif choice < 0.7:
        d.signal("bump")
