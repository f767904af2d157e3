"""Scripts and looks for the tests of reset, fork and retry."""

from __future__ import annotations

from durable_nb.model import requests as ask
from durable_nb.model.attributes import (
    ActivityTaskCompleted,
    ActivityTaskFailed,
    StartChildWorkflowExecutionInitiated,
    TimerStarted,
    WorkflowExecutionCompleted,
    WorkflowExecutionFailed,
    WorkflowTaskCompleted,
)
from durable_nb.model.failure import ActivityFailureInfo, ApplicationFailureInfo, Failure
from tests.engine.scripts import SECOND, activity, text

FATAL = Failure("down", application_failure_info=ApplicationFailureInfo("Down", non_retryable=True))

AGAIN = Failure("busy", application_failure_info=ApplicationFailureInfo("Busy"))


def parent(history):
    """Starts a child, sleeps an hour beside it, ends with how the child ended."""
    asked = [StartChildWorkflowExecutionInitiated(workflow_id="child", workflow_type="C"), TimerStarted("t", SECOND)]
    ends = [e for e in history if e.event_type.title.startswith("ChildWorkflowExecution")]
    over = [e.event_type.title for e in ends if e.event_type.title != "ChildWorkflowExecutionStarted"]
    return [*asked, WorkflowExecutionCompleted(text(over[0]))] if over else asked


def gather(history):
    """Two activities side by side; fails with the first that fails."""
    asked = [activity(1), activity(2)]
    for event in history:
        attributes = event.attributes
        if isinstance(attributes, ActivityTaskFailed):
            info = ActivityFailureInfo(scheduled_event_id=attributes.scheduled_event_id)
            return [*asked, WorkflowExecutionFailed(Failure("x", cause=attributes.failure, activity_failure_info=info))]
    done = history.count(ActivityTaskCompleted)
    return [*asked, WorkflowExecutionCompleted(text("both"))] if done == 2 else asked


async def finished_tasks(d, workflow_id="w", run_id=""):
    return [e.event_id for e in await d.events(workflow_id, run_id) if isinstance(e.attributes, WorkflowTaskCompleted)]


def fork(d, **options):
    return d.frontend.branch_workflow(ask.ForkWorkflow(d.target(), **options))


async def child_runs(d):
    """Until the child has started and its parent knows."""
    while "ChildWorkflowExecutionStarted" not in await d.event_names():
        await d.settle()


async def status(d, workflow_id="w", run_id=""):
    return (await d.frontend.describe_workflow(d.target(workflow_id, run_id))).status
