"""What the tests of workflow tasks say to a run, and the runs that they say it to."""

from __future__ import annotations

from durable_nb.core import requests
from durable_nb.model.attributes import (
    UpdateInput,
    UpdateMeta,
    UpdateRequestAttributes,
    WorkflowExecutionCompleted,
    WorkflowExecutionUpdateAccepted,
)
from durable_nb.model.commands import WorkflowTaskFailure
from durable_nb.model.enums import WorkflowTaskFailedCause
from durable_nb.model.failure import Failure
from durable_nb.model.requests import SignalInput
from tests.core.world import World

BUG = WorkflowTaskFailure(WorkflowTaskFailedCause.WORKFLOW_WORKER_UNHANDLED_FAILURE, Failure(message="KeyError"))

DONE = WorkflowExecutionCompleted

OPENING = ["WorkflowExecutionStarted", "WorkflowTaskScheduled"]


def signal(world: World, name: str = "go", request_id: str = "") -> bool:
    return world.do(lambda tx: requests.signal(tx, SignalInput(name, request_id=request_id), "me"))


def idle() -> World:
    """A run that waits for something, without an open workflow task."""
    world = World().start()
    world.task()
    return world


def accept(update_id: str) -> WorkflowExecutionUpdateAccepted:
    return WorkflowExecutionUpdateAccepted(
        accepted_request=UpdateRequestAttributes(UpdateMeta(update_id), UpdateInput(name="add"))
    )
