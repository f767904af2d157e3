"""Updates and the tasks that they get."""

from __future__ import annotations

import pytest

from durable_nb.core import requests, workflow_tasks
from durable_nb.model.attributes import (
    TimerStarted,
    UpdateMeta,
    UpdateOutcome,
    WorkflowExecutionUpdateAccepted,
    WorkflowExecutionUpdateCompleted,
)
from durable_nb.model.failure import Failure
from tests.core.messages import BUG, DONE, accept, idle, signal
from tests.core.world import SECOND, World, text


def test_an_update_of_an_idle_run_gets_a_task_of_its_own():
    world = idle()
    world.task(accept("u"), TimerStarted("1", SECOND))
    assert world.titles(5) == [
        "WorkflowTaskScheduled",
        "WorkflowTaskStarted",
        "WorkflowTaskCompleted",
        "WorkflowExecutionUpdateAccepted",
        "TimerStarted",
    ]
    accepted = world.last(WorkflowExecutionUpdateAccepted)
    assert accepted.accepted_request_sequencing_event_id == 5
    assert (accepted.protocol_instance_id, accepted.accepted_request_message_id) == ("u", "u/request")


def test_a_rejected_update_leaves_nothing():
    world = idle()
    length, version = len(world.events), world.state.version
    tx = world.task(rejected_updates={"u": Failure(message="no")})
    assert tx.is_empty
    assert (len(world.events), world.state.version, world.state.workflow_task) == (length, version, None)


def test_a_held_task_whose_updates_are_all_rejected_stays_in_history():
    world = idle()
    open_task = world.hold(speculative=True)
    world.end(open_task, rejected_updates={"u": Failure()})
    assert world.titles(5) == ["WorkflowTaskScheduled", "WorkflowTaskStarted", "WorkflowTaskCompleted"]


def test_a_task_for_updates_that_fails_is_tried_again():
    world = idle()
    with world.step() as tx:
        workflow_tasks.fail(tx, workflow_tasks.begin(tx, speculative=True), BUG)
    assert world.titles(5) == ["WorkflowTaskScheduled", "WorkflowTaskStarted", "WorkflowTaskFailed"]
    assert world.state.workflow_task.attempt == 2


def test_a_completed_update_refers_to_its_acceptance():
    world = idle()
    outcome = UpdateOutcome(success=text("7"))
    world.task(accept("u"), WorkflowExecutionUpdateCompleted(UpdateMeta("u"), outcome=outcome))
    completed = world.last(WorkflowExecutionUpdateCompleted)
    assert completed.accepted_event_id == len(world.events) - 1
    assert requests.update_outcome(world.state, "u") == outcome


def test_an_accepted_update_that_the_end_of_the_run_overtook_has_failed():
    world = idle()
    world.task(accept("u"))
    assert requests.update_outcome(world.state, "u") is None
    signal(world)
    world.task(DONE())
    outcome = requests.update_outcome(world.reload().state, "u")
    assert outcome.failure.application_failure_info.type == "AcceptedUpdateCompletedWorkflow"
    with pytest.raises(KeyError):
        requests.update_outcome(world.state, "never accepted")


def test_an_update_can_be_accepted_in_the_task_that_closes_the_run():
    world = idle()
    world.task(accept("u"), DONE())
    assert world.titles(8) == ["WorkflowExecutionUpdateAccepted", "WorkflowExecutionCompleted"]
    assert requests.update_outcome(world.state, "u").failure is not None


def test_updates_wait_for_the_end_of_a_start_delay():
    world = World().start(start_delay=10 * SECOND)
    assert not workflow_tasks.can_begin_speculative(world.state)
    world.pass_time(10)
    assert not workflow_tasks.can_begin_speculative(world.state)
    world.task()
    assert workflow_tasks.can_begin_speculative(world.state)
