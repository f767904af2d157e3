"""Keyword options of activities and children as typed dicts, to be kept and passed on with ``**``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any, TypedDict

from durable_nb.model.enums import ParentClosePolicy, WorkflowIDReusePolicy
from durable_nb.policies import Priority, RetryPolicy
from durable_nb.runtime.handles import (
    ActivityCancellationType,
    ChildWorkflowCancellationType,
    ContinueAsNewVersioningBehavior,
    VersioningIntent,
)
from durable_nb.search_attributes import SearchAttributes, TypedSearchAttributes


class ActivityConfig(TypedDict, total=False):
    """Options of ``start_activity`` and ``execute_activity``."""

    task_queue: str | None
    schedule_to_close_timeout: timedelta | None
    schedule_to_start_timeout: timedelta | None
    start_to_close_timeout: timedelta | None
    heartbeat_timeout: timedelta | None
    retry_policy: RetryPolicy | None
    cancellation_type: ActivityCancellationType
    activity_id: str | None
    versioning_intent: VersioningIntent | None
    summary: str | None
    event_groups: Sequence[Any] | None
    priority: Priority


class LocalActivityConfig(TypedDict, total=False):
    """Options of ``start_local_activity`` and ``execute_local_activity``."""

    schedule_to_close_timeout: timedelta | None
    schedule_to_start_timeout: timedelta | None
    start_to_close_timeout: timedelta | None
    retry_policy: RetryPolicy | None
    local_retry_threshold: timedelta | None
    cancellation_type: ActivityCancellationType
    activity_id: str | None
    summary: str | None
    event_groups: Sequence[Any] | None


class ChildWorkflowConfig(TypedDict, total=False):
    """Options of ``start_child_workflow`` and ``execute_child_workflow``."""

    id: str | None
    task_queue: str | None
    cancellation_type: ChildWorkflowCancellationType
    parent_close_policy: ParentClosePolicy
    execution_timeout: timedelta | None
    run_timeout: timedelta | None
    task_timeout: timedelta | None
    id_reuse_policy: WorkflowIDReusePolicy
    retry_policy: RetryPolicy | None
    cron_schedule: str
    memo: Mapping[str, Any] | None
    search_attributes: SearchAttributes | TypedSearchAttributes | None
    versioning_intent: VersioningIntent | None
    versioning_override: Any | None
    static_summary: str | None
    static_details: str | None
    event_groups: Sequence[Any] | None
    priority: Priority


class ContinueAsNewConfig(TypedDict, total=False):
    """Options of ``continue_as_new``; used by its overloads."""

    task_queue: str | None
    run_timeout: timedelta | None
    task_timeout: timedelta | None
    backoff_start_interval: timedelta | None
    retry_policy: RetryPolicy | None
    memo: Mapping[str, Any] | None
    search_attributes: SearchAttributes | TypedSearchAttributes | None
    versioning_intent: VersioningIntent | None
    initial_versioning_behavior: ContinueAsNewVersioningBehavior | None
    event_groups: Sequence[Any] | None
