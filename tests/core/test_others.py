"""News from other runs: children, signals and cancel requests, each delivered at least once."""

from __future__ import annotations

import pytest

from durable_nb.core import others, requests
from durable_nb.core.commands import CANCEL_EXTERNAL, SIGNAL_EXTERNAL, START_CHILD
from durable_nb.model.attributes import (
    Attributes,
    ChildWorkflowExecutionCanceled,
    ChildWorkflowExecutionCompleted,
    ChildWorkflowExecutionFailed,
    ChildWorkflowExecutionStarted,
    ChildWorkflowExecutionTerminated,
    ChildWorkflowExecutionTimedOut,
    ExternalWorkflowExecutionCancelRequested,
    ExternalWorkflowExecutionSignaled,
    RequestCancelExternalWorkflowExecutionFailed,
    RequestCancelExternalWorkflowExecutionInitiated,
    SignalExternalWorkflowExecutionFailed,
    SignalExternalWorkflowExecutionInitiated,
    StartChildWorkflowExecutionFailed,
    StartChildWorkflowExecutionInitiated,
    WorkflowExecutionCanceled,
    WorkflowExecutionCompleted,
    WorkflowExecutionContinuedAsNew,
    WorkflowExecutionFailed,
    WorkflowExecutionTerminated,
    WorkflowExecutionTimedOut,
)
from durable_nb.model.enums import (
    ParentClosePolicy,
    RetryState,
    SignalExternalWorkflowExecutionFailedCause,
    StartChildWorkflowExecutionFailedCause,
    WorkflowIDReusePolicy,
)
from durable_nb.model.failure import Failure, WorkflowExecution
from durable_nb.model.requests import SignalInput
from tests.core.world import World, text

CHILD = WorkflowExecution("c", "child-run")
NO = Failure(message="no")
AT = 5
"""Id of the event that every world here begins with after its first task."""


def with_child() -> World:
    world = World().start()
    world.task(StartChildWorkflowExecutionInitiated(workflow_id="c", workflow_type="C"))
    return world


def started(world: World) -> World:
    world.do(lambda tx: others.child_started(tx, AT, CHILD))
    return world


def closed(world: World, event: Attributes | None = None) -> World:
    event = event or WorkflowExecutionCompleted(text("r"))
    world.do(lambda tx: others.child_closed(tx, AT, CHILD, event))
    return world


def holding(world: World) -> World:
    """The same world with a held workflow task, so that news is buffered."""
    if world.state.workflow_task is None:
        world.do(lambda tx: requests.signal(tx, SignalInput("go"), "me"))
    world.hold()
    return world


def test_a_child_is_asked_for_by_an_event_and_a_transfer_with_every_default_filled_in():
    world = with_child()
    asked = world.last(StartChildWorkflowExecutionInitiated)
    assert (asked.namespace, asked.task_queue) == ("default", "q")
    assert asked.parent_close_policy is ParentClosePolicy.TERMINATE
    assert asked.workflow_id_reuse_policy is WorkflowIDReusePolicy.ALLOW_DUPLICATE
    assert world.rows.transfers[AT].kind == START_CHILD


def test_the_start_of_a_child_is_recorded_once_and_wakes_the_parent():
    world = started(started(with_child()))
    assert world.titles(AT + 1) == ["ChildWorkflowExecutionStarted", "WorkflowTaskScheduled"]
    assert world.last(ChildWorkflowExecutionStarted).workflow_execution == CHILD
    assert world.rows.transfers == {}


def test_an_id_in_use_fails_the_start_once():
    world = with_child()
    for _ in range(2):
        world.do(lambda tx: others.child_not_started(tx, AT))
    failed = world.last(StartChildWorkflowExecutionFailed)
    assert failed.cause is StartChildWorkflowExecutionFailedCause.WORKFLOW_ALREADY_EXISTS
    assert (failed.initiated_event_id, failed.workflow_id) == (AT, "c")
    assert world.titles(AT + 1) == ["StartChildWorkflowExecutionFailed", "WorkflowTaskScheduled"]
    assert world.rows.transfers == {}


@pytest.mark.parametrize(
    ("end", "told"),
    [
        (WorkflowExecutionCompleted(text("r")), ChildWorkflowExecutionCompleted),
        (WorkflowExecutionFailed(NO, RetryState.MAXIMUM_ATTEMPTS_REACHED), ChildWorkflowExecutionFailed),
        (WorkflowExecutionCanceled(details=text("d")), ChildWorkflowExecutionCanceled),
        (WorkflowExecutionTimedOut(RetryState.TIMEOUT), ChildWorkflowExecutionTimedOut),
        (WorkflowExecutionTerminated("r"), ChildWorkflowExecutionTerminated),
    ],
)
def test_each_end_of_a_child_is_told_in_its_own_event(end, told):
    world = closed(started(with_child()), end)
    event = world.last(told)
    assert (event.initiated_event_id, event.started_event_id) == (AT, AT + 1)
    assert (event.workflow_execution, event.workflow_type) == (CHILD, "C")
    for name in ("result", "failure", "retry_state", "details"):
        assert getattr(event, name, None) == getattr(end, name, None) or told is ChildWorkflowExecutionTerminated


def test_continue_as_new_is_no_end_of_a_child():
    with pytest.raises(AssertionError, match="does not end a chain"):
        closed(started(with_child()), WorkflowExecutionContinuedAsNew())


def test_the_end_of_a_child_counts_once():
    world = closed(closed(started(with_child())))
    assert world.titles().count("ChildWorkflowExecutionCompleted") == 1


def test_an_end_that_overtakes_the_news_of_the_start_brings_both():
    world = started(closed(with_child()))
    assert world.titles(AT + 1) == [
        "ChildWorkflowExecutionStarted",
        "WorkflowTaskScheduled",
        "ChildWorkflowExecutionCompleted",
    ]
    assert world.last(ChildWorkflowExecutionCompleted).started_event_id == AT + 1


def test_start_and_end_that_arrive_during_a_task_are_linked_when_they_are_written():
    world = holding(with_child())
    closed(closed(started(started(world)).reload()).reload())
    world.pass_time(10)
    assert world.titles()[-3:] == [
        "WorkflowTaskTimedOut",
        "ChildWorkflowExecutionStarted",
        "ChildWorkflowExecutionCompleted",
    ]
    assert world.last(ChildWorkflowExecutionCompleted).started_event_id == len(world.events) - 1


def test_a_refused_start_that_arrives_during_a_task_counts_once():
    world = holding(with_child())
    world.do(lambda tx: others.child_not_started(tx, AT))
    world.reload().do(lambda tx: others.child_not_started(tx, AT))
    assert world.state.children[AT].ended
    world.pass_time(10)
    assert world.titles()[-1] == "StartChildWorkflowExecutionFailed"


def test_news_about_children_nobody_knows_is_ignored():
    world = World().start()
    world.task()
    assert not others.may_start_child(world.state, 99)
    with world.step() as tx:
        others.child_started(tx, 99, CHILD)
        others.child_not_started(tx, 99)
        others.child_closed(tx, 99, CHILD, WorkflowExecutionCompleted())
        others.signal_delivered(tx, 99, found=True)
        others.cancel_delivered(tx, 99, found=False)
    assert tx.is_empty


SIGNAL = SignalExternalWorkflowExecutionInitiated(workflow_execution=WorkflowExecution("x"), signal_name="s")
CANCEL = RequestCancelExternalWorkflowExecutionInitiated(workflow_execution=WorkflowExecution("x"))
EXTERNAL = [
    (SIGNAL, SIGNAL_EXTERNAL, others.signal_delivered, True, ExternalWorkflowExecutionSignaled),
    (SIGNAL, SIGNAL_EXTERNAL, others.signal_delivered, False, SignalExternalWorkflowExecutionFailed),
    (CANCEL, CANCEL_EXTERNAL, others.cancel_delivered, True, ExternalWorkflowExecutionCancelRequested),
    (CANCEL, CANCEL_EXTERNAL, others.cancel_delivered, False, RequestCancelExternalWorkflowExecutionFailed),
]


@pytest.mark.parametrize("buffered", [False, True], ids=["at once", "during a task"])
@pytest.mark.parametrize(("asked", "kind", "deliver", "found", "told"), EXTERNAL)
def test_a_request_to_another_workflow_is_answered_once(asked, kind, deliver, found, told, buffered):
    world = World().start()
    world.task(type(asked)(**{name: getattr(asked, name) for name in asked.__struct_fields__}))
    assert world.rows.transfers[AT].kind == kind
    if buffered:
        holding(world)
    for _ in range(2):
        world.do(lambda tx: deliver(tx, AT, found))
        world.reload()
    if buffered:
        world.pass_time(10)
    assert world.titles().count(told.__name__) == 1
    answer = world.last(told)
    assert (answer.initiated_event_id, answer.namespace) == (AT, "default")
    assert answer.workflow_execution == WorkflowExecution("x")
    assert world.rows.transfers == {}


def test_a_request_that_found_nobody_says_so():
    world = World().start()
    world.task(SignalExternalWorkflowExecutionInitiated(workflow_execution=WorkflowExecution("x"), signal_name="s"))
    world.do(lambda tx: others.signal_delivered(tx, AT, found=False))
    cause = SignalExternalWorkflowExecutionFailedCause.EXTERNAL_WORKFLOW_EXECUTION_NOT_FOUND
    assert world.last(SignalExternalWorkflowExecutionFailed).cause is cause


def test_an_answer_after_the_end_of_the_run_only_removes_the_transfer():
    world = World().start()
    world.task(
        SignalExternalWorkflowExecutionInitiated(workflow_execution=WorkflowExecution("x"), signal_name="s"),
        WorkflowExecutionCompleted(),
    )
    length = len(world.events)
    world.do(lambda tx: others.signal_delivered(tx, AT, found=True))
    assert (len(world.events), world.rows.transfers) == (length, {})
