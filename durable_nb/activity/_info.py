"""What an activity can ask about its own attempt: ``Info`` and the reasons of a cancellation.

Plain values. Who builds them, and when, is decided in ``worker`` and ``testing``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from durable_nb.model.dataclass_like import FrozenDataclassLike
from durable_nb.policies import Priority, RetryPolicy


class Info(FrozenDataclassLike, frozen=True):
    """The running attempt of an activity, as ``activity.info()`` returns it.

    Instants are aware UTC datetimes; timeouts are None where none was set. To make one for a test, change
    ``ActivityEnvironment.default_info()`` by ``dataclasses.replace``.
    """

    activity_id: str
    activity_type: str
    attempt: int
    """1 for the first attempt."""
    current_attempt_scheduled_time: datetime
    heartbeat_details: Sequence[Any]
    """What the last attempt put into its last heartbeat; empty in the first attempt."""
    heartbeat_timeout: timedelta | None
    is_local: bool
    namespace: str
    schedule_to_close_timeout: timedelta | None
    scheduled_time: datetime
    """When the first attempt was scheduled."""
    start_to_close_timeout: timedelta | None
    started_time: datetime
    task_queue: str
    task_token: bytes
    """Names this attempt to ``Client.get_async_activity_handle(task_token=...)``."""
    workflow_id: str | None
    workflow_namespace: str | None
    workflow_run_id: str | None
    workflow_type: str | None
    priority: Priority
    retry_policy: RetryPolicy | None
    activity_run_id: str | None = None
    """Always None: activities belong to workflows here."""

    @property
    def in_workflow(self) -> bool:
        """Whether a workflow scheduled this activity."""
        return self.workflow_id is not None

    def _logger_details(self) -> Mapping[str, Any]:
        return {
            "activity_id": self.activity_id,
            "activity_type": self.activity_type,
            "attempt": self.attempt,
            "namespace": self.namespace,
            "task_queue": self.task_queue,
            "workflow_id": self.workflow_id,
            "workflow_run_id": self.workflow_run_id,
            "workflow_type": self.workflow_type,
        }


class ActivityCancellationDetails(FrozenDataclassLike, frozen=True):
    """Why an activity was told to stop; the first reason stays (temporal-semantics 7)."""

    not_found: bool = False
    """The attempt is over or somebody else's: nobody waits for its outcome."""
    cancel_requested: bool = False
    """The workflow asked for it; the only reason that may be reported as canceled."""
    paused: bool = False
    reset: bool = False
    timed_out: bool = False
    worker_shutdown: bool = False
