"""What happens to attempts of activities: their outcome, heartbeats, and who holds them. See ``inputs``."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from durable_nb.core import activities, workflow_tasks
from durable_nb.core.transition import OWNER_EXTERNAL, Transition
from durable_nb.engine.inputs import Input
from durable_nb.engine.slot import RunSlot
from durable_nb.model.failure import ApplicationFailureInfo, Failure
from durable_nb.model.tasks import ActivityOutcome, HeartbeatReply
from durable_nb.service import RPCError, RPCStatusCode


class ActivityEnded(Input):
    """An attempt reported its outcome; ignored when the attempt is no longer the current one."""

    __slots__ = ("identity", "outcome", "scheduled_event_id", "token")

    def __init__(
        self,
        scheduled_event_id: int,
        token: int,
        outcome: ActivityOutcome,
        identity: str,
        future: asyncio.Future[Any] | None = None,
    ) -> None:
        super().__init__(future)
        self.scheduled_event_id = scheduled_event_id
        self.token = token
        self.outcome = outcome
        self.identity = identity

    def apply(self, tx: Transition, slot: RunSlot) -> None:
        outcome = self.outcome
        if outcome.pending:
            activities.hand_over(tx, self.scheduled_event_id, self.token, outcome.last_heartbeat_details)
            return
        activity = activities.find_attempt(tx.state, self.scheduled_event_id, self.token)
        if activity is None or not tx.state.is_open:
            if self.future is not None:
                raise RPCError(
                    "no such activity is pending: it is over or was given to another", RPCStatusCode.NOT_FOUND
                )
            return
        if outcome.last_heartbeat_details is not None:
            activity.heartbeat_details = outcome.last_heartbeat_details
        if outcome.failure is not None:
            activities.fail(tx, activity, outcome.failure, self.identity)
        elif outcome.canceled:
            activities.cancel(tx, activity, outcome.canceled_details, self.identity)
        else:
            activities.complete(tx, activity, outcome.result, self.identity)

    def refused(self, error: RPCError) -> Input | None:
        """An outcome that cannot be written is a failure of the attempt: nobody else would ever end it."""
        if self.future is not None or self.outcome.failure is not None:
            return super().refused(error)
        failure = Failure(
            message=f"the outcome of this attempt cannot be stored: {error.message}",
            source="durable_nb",
            application_failure_info=ApplicationFailureInfo(type="OutcomeNotStored"),
        )
        return ActivityEnded(self.scheduled_event_id, self.token, ActivityOutcome(failure=failure), self.identity)


class Heartbeat(Input):
    __slots__ = ("details", "scheduled_event_id", "token")

    def __init__(
        self, scheduled_event_id: int, token: int, details: Any, future: asyncio.Future[HeartbeatReply]
    ) -> None:
        super().__init__(future)
        self.scheduled_event_id = scheduled_event_id
        self.token = token
        self.details = details

    def apply(self, tx: Transition, slot: RunSlot) -> None:
        if not tx.state.is_open:
            self.result = HeartbeatReply(not_found=True)
            return
        self.result = activities.heartbeat(tx, self.scheduled_event_id, self.token, self.details)


class StartQueued(Input):
    """A slot came free for a waiting attempt; ``give_back`` returns the slot when the attempt is over."""

    __slots__ = ("give_back", "scheduled_event_id")

    def __init__(self, scheduled_event_id: int, give_back: Callable[[], None]) -> None:
        super().__init__(None)
        self.scheduled_event_id = scheduled_event_id
        self.give_back = give_back

    def apply(self, tx: Transition, slot: RunSlot) -> None:
        if not tx.state.is_open or not activities.start_queued(tx, self.scheduled_event_id):
            self.give_back()


class Adopt(Input):
    """Take over what nobody holds: attempts without an owner, and all that dead processes held."""

    __slots__ = ("dead",)

    def __init__(self, dead: frozenset[int]) -> None:
        super().__init__(None)
        self.dead = dead

    def apply(self, tx: Transition, slot: RunSlot) -> None:
        state = tx.state
        if not state.is_open:
            return
        for activity in list(state.activities.values()):
            if activity.owner == OWNER_EXTERNAL or activity.token == activities.CLOSED_TOKEN:
                continue
            if activity.owner in self.dead:
                activities.lose(tx, activity)
            elif activity.owner == 0 and activity.visible_at <= tx.now:
                activities.lease(tx, activity)
        task = state.workflow_task
        if task is not None and task.is_started and task.owner in self.dead:
            workflow_tasks.time_out(tx)


class Release(Input):
    """A worker left: let others have the attempts that waited for its slots."""

    __slots__ = ("scheduled_event_id",)

    def __init__(self, scheduled_event_id: int) -> None:
        super().__init__(None)
        self.scheduled_event_id = scheduled_event_id

    def apply(self, tx: Transition, slot: RunSlot) -> None:
        activity = tx.state.activities.get(self.scheduled_event_id)
        if activity is not None and not activity.is_started:
            activities.lease(tx, activity)
