"""Temporal's own Replayer judges our histories: whole ones it accepts, tampered ones it rejects, and so do we."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest

from durable_nb.model import attributes as a
from durable_nb.model.events import Event
from tests.runtime.driver import Driver
from tests.runtime.oracle import Oracle
from tests.runtime.stories import STORIES

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("name", STORIES)
def test_the_judge_and_we_accept_the_history(name: str, oracle: Oracle) -> None:
    d = STORIES[name]()
    assert d.replay().failure is None
    assert oracle.failure("flows", str(d.definition.name), d.events) is None


def _change(kind: type[Any], **change: Any) -> Callable[[list[Event]], None]:
    def tamper(events: list[Event]) -> None:
        event = next(e for e in events if isinstance(e.attributes, kind))
        for name, wrong in change.items():
            setattr(event.attributes, name, wrong)

    return tamper


def _swap(one: type[Any], other: type[Any]) -> Callable[[list[Event]], None]:
    def tamper(events: list[Event]) -> None:
        first = next(e for e in events if isinstance(e.attributes, one))
        second = next(e for e in events if isinstance(e.attributes, other))
        first.attributes, second.attributes = second.attributes, first.attributes

    return tamper


def _drop_last(events: list[Event]) -> None:
    """Another end."""
    events[-1].attributes = a.WorkflowExecutionFailed()


def _extra(events: list[Event]) -> None:
    """A command event too many in the first task."""
    at = next(i for i, e in enumerate(events) if isinstance(e.attributes, a.WorkflowTaskCompleted)) + 1
    events.insert(at, Event(0, events[at].event_time, a.TimerStarted(timer_id="99", start_to_fire_timeout=1)))
    for event in events[at + 1 :]:
        for name in ("scheduled_event_id", "started_event_id", "initiated_event_id"):
            old = getattr(event.attributes, name, 0)
            if old > at:
                setattr(event.attributes, name, old + 1)
    for number, event in enumerate(events, 1):
        event.event_id = number


TAMPERED: list[tuple[str, Callable[[list[Event]], None]]] = [
    ("activities_one_after_the_other", _change(a.ActivityTaskScheduled, activity_type="other")),
    ("activities_one_after_the_other", _change(a.ActivityTaskScheduled, activity_id="7")),
    ("activities_one_after_the_other", _drop_last),
    ("activities_one_after_the_other", _extra),
    ("timers", _change(a.TimerFired, timer_id="77")),
    ("timers", _swap(a.TimerStarted, a.TimerCanceled)),
    ("children", _change(a.StartChildWorkflowExecutionInitiated, workflow_id="other")),
    ("children", _change(a.StartChildWorkflowExecutionInitiated, workflow_type="Other")),
    ("random_ids", _change(a.WorkflowExecutionStarted, original_execution_run_id="another-run")),
    ("patched", _swap(a.MarkerRecorded, a.UpsertWorkflowSearchAttributes)),
    ("cancel_tried", _swap(a.ActivityTaskCancelRequested, a.ActivityTaskScheduled)),
    ("signal_with_start", _swap(a.ActivityTaskScheduled, a.WorkflowExecutionCompleted)),
    ("continue_as_new", _drop_last),
]


@pytest.mark.parametrize(("name", "tamper"), TAMPERED)
def test_the_judge_and_we_reject_a_tampered_history(
    name: str, tamper: Callable[[list[Event]], None], oracle: Oracle
) -> None:
    d: Driver = STORIES[name]()
    d.events = copy.deepcopy(d.events)
    tamper(d.events)
    assert d.replay().failure is not None
    assert oracle.failure("flows", str(d.definition.name), d.events) is not None
