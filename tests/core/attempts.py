"""Activities that run, fail or are asked to stop, for the tests of activities."""

from __future__ import annotations

from durable_nb.core import activities
from durable_nb.model.attributes import (
    ActivityTaskCancelRequested,
    RetryPolicyAttributes,
)
from durable_nb.model.failure import ApplicationFailureInfo, Failure
from tests.core.world import World, activity

DOWN = Failure(message="down", application_failure_info=ApplicationFailureInfo(type="ConnectionError"))

ONCE = RetryPolicyAttributes(maximum_attempts=1)

FIRST = 5
"""Event id of the first activity that a run schedules."""


def running(**options) -> World:
    world = World().start()
    world.task(activity(**options))
    return world


def fail(world: World, failure: Failure = DOWN) -> None:
    found = world.attempt()
    world.do(lambda tx: activities.fail(tx, found, failure, "me@here"))


def request_cancel(world: World) -> None:
    """Have the workflow ask for the activity's cancellation: a signal wakes it."""
    world.do(lambda tx: tx.schedule_workflow_task())
    world.task(ActivityTaskCancelRequested(FIRST))
