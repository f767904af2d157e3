"""Every arrow of every transition table is taken, and every pair that is not in a table is rejected."""

from __future__ import annotations

from operator import attrgetter
from types import ModuleType
from typing import Any

import pytest

from durable_nb.core import fold
from durable_nb.core.machines import activity, child, execution, external, timer, update, workflow_task
from durable_nb.core.machines.machine import IllegalTransitionError
from durable_nb.core.state import ExecutionState
from durable_nb.model import attributes as of
from durable_nb.model.attributes import Attributes
from durable_nb.model.events import ATTRIBUTES, Event
from durable_nb.model.failure import WorkflowExecution

NAME = attrgetter("__name__")
FIELDS: dict[str, Any] = {
    "activity_id": "1",
    "timer_id": "1",
    "attempt": 1,
    "workflow_execution": WorkflowExecution("child", "run"),
    "accepted_request": of.UpdateRequestAttributes(of.UpdateMeta("u")),
    "meta": of.UpdateMeta("u"),
    "outcome": of.UpdateOutcome(success=[]),
}

# For each machine and state: the events that lead there, after Started.
PATHS: dict[ModuleType, dict[str, list[type[Attributes]]]] = {
    execution: {"running": [], "closed": [of.WorkflowExecutionCompleted]},
    workflow_task: {
        "none": [],
        "scheduled": [of.WorkflowTaskScheduled],
        "started": [of.WorkflowTaskScheduled, of.WorkflowTaskStarted],
    },
    activity: {
        "none": [],
        "scheduled": [of.ActivityTaskScheduled],
        "started": [of.ActivityTaskScheduled, of.ActivityTaskStarted],
    },
    timer: {"none": [], "pending": [of.TimerStarted]},
    child: {
        "none": [],
        "initiated": [of.StartChildWorkflowExecutionInitiated],
        "started": [of.StartChildWorkflowExecutionInitiated, of.ChildWorkflowExecutionStarted],
    },
    external: {
        "none": [],
        "signal pending": [of.SignalExternalWorkflowExecutionInitiated],
        "cancel pending": [of.RequestCancelExternalWorkflowExecutionInitiated],
    },
    update: {
        "none": [],
        "accepted": [of.WorkflowExecutionUpdateAccepted],
        "completed": [of.WorkflowExecutionUpdateAccepted, of.WorkflowExecutionUpdateCompleted],
    },
}
SUBJECTS: dict[ModuleType, tuple[Any, ...]] = {
    execution: (),
    workflow_task: (),
    activity: (2,),
    timer: ("1",),
    child: (2,),
    external: (2,),
    update: ("u",),
}
# These name their subject by their own event id: in any state they begin another one.
ALWAYS_NEW = {
    of.StartChildWorkflowExecutionInitiated,
    of.SignalExternalWorkflowExecutionInitiated,
    of.RequestCancelExternalWorkflowExecutionInitiated,
}


def make(kind: type[Attributes]) -> Attributes:
    """Attributes that refer to the subject, whose first event has id 2."""
    fields = {name: FIELDS[name] for name in kind.__struct_fields__ if name in FIELDS}
    fields |= {name: 2 for name in kind.__struct_fields__ if name in {"scheduled_event_id", "initiated_event_id"}}
    return kind(**fields)


def folded(path: list[type[Attributes]]) -> ExecutionState:
    state = ExecutionState(1, "default", "wf", "run")
    for kind in [of.WorkflowExecutionStarted, *path]:
        feed(state, kind)
    return state


def feed(state: ExecutionState, kind: type[Attributes]) -> None:
    fold.apply(state, Event(state.next_event_id, state.last_event_time + 1, make(kind)))


def cases(*, allowed: bool) -> list[Any]:
    return [
        pytest.param(machine, before, kind, id=f"{machine.TABLE.name}: {before} + {kind.__name__}")
        for machine, paths in PATHS.items()
        for before in paths
        for kind in machine.TABLE.events
        if ((before, kind) in machine.TABLE.arrows) is allowed and not (kind in ALWAYS_NEW and before != "none")
    ]


@pytest.mark.parametrize("machine", PATHS, ids=lambda machine: machine.TABLE.name)
def test_a_table_and_the_functions_of_its_machine_name_the_same_events_and_states(machine):
    assert set(machine.TABLE.events) == set(machine.APPLY)
    assert set(machine.TABLE.states) - {"new"} == set(PATHS[machine])


def test_every_event_type_belongs_to_exactly_one_machine():
    owned = [kind for machine in fold.MACHINES for kind in machine.TABLE.events]
    assert sorted(owned, key=lambda kind: kind.event_type) == [ATTRIBUTES[t] for t in sorted(ATTRIBUTES)]


@pytest.mark.parametrize(("machine", "before", "kind"), cases(allowed=True))
def test_an_arrow_leads_where_its_table_says(machine, before, kind):
    state = folded(PATHS[machine][before])
    assert machine.state_of(state, *SUBJECTS[machine]) == before
    feed(state, kind)
    assert machine.state_of(state, *SUBJECTS[machine]) == machine.TABLE.next_state(before, kind)


@pytest.mark.parametrize(("machine", "before", "kind"), cases(allowed=False))
def test_an_event_without_an_arrow_is_rejected(machine, before, kind):
    state = folded(PATHS[machine][before])
    with pytest.raises(IllegalTransitionError):
        machine.TABLE.next_state(before, kind)
    with pytest.raises(IllegalTransitionError, match=kind.__name__):
        feed(state, kind)


@pytest.mark.parametrize("kind", sorted(ALWAYS_NEW, key=NAME), ids=NAME)
def test_another_request_leaves_the_first_one_alone(kind):
    machine = child if kind is of.StartChildWorkflowExecutionInitiated else external
    state = folded([kind])
    before = machine.state_of(state, 2)
    feed(state, kind)
    assert (machine.state_of(state, 2), machine.state_of(state, 3)) == (before, before)


@pytest.mark.parametrize("kind", ATTRIBUTES.values(), ids=NAME)
def test_a_closed_run_accepts_no_event(kind):
    state = folded([of.WorkflowExecutionCompleted])
    with pytest.raises(IllegalTransitionError, match="state 'closed'"):
        feed(state, kind)


@pytest.mark.parametrize("kind", [k for k in ATTRIBUTES.values() if k is not of.WorkflowExecutionStarted], ids=NAME)
def test_a_history_begins_with_started_and_nothing_else(kind):
    with pytest.raises(IllegalTransitionError, match="state 'new'"):
        feed(ExecutionState(1, "default", "wf", "run"), kind)


@pytest.mark.parametrize("kind", [k for k in ATTRIBUTES.values() if k not in fold.ENDS_TASK], ids=NAME)
def test_nothing_stands_between_the_start_and_the_end_of_a_workflow_task(kind):
    state = folded([of.WorkflowTaskScheduled, of.WorkflowTaskStarted])
    with pytest.raises(IllegalTransitionError):
        feed(state, kind)


@pytest.mark.parametrize("event_id", [1, 2, 4])
def test_a_hole_or_a_repetition_in_the_event_ids_is_rejected(event_id):
    state = folded([of.WorkflowTaskScheduled])
    with pytest.raises(IllegalTransitionError, match="waiting for event 3"):
        fold.apply(state, Event(event_id, 0, of.WorkflowExecutionSignaled()))


def test_a_rejection_names_machine_state_event_and_event_id():
    with pytest.raises(IllegalTransitionError) as caught:
        feed(folded([]), of.TimerFired)
    assert str(caught.value) == "timer in state 'none' does not accept TimerFired (event 2)"


def test_a_table_draws_itself():
    assert timer.TABLE.diagram().splitlines() == [
        "stateDiagram-v2",
        "    none --> pending: TimerStarted",
        "    pending --> none: TimerFired",
        "    pending --> none: TimerCanceled",
    ]
