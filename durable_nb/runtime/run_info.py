"""``workflow.info()`` from the started event."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from durable_nb.converter import decode_search_attributes, decode_typed_search_attributes
from durable_nb.policies import Priority, RetryPolicy
from durable_nb.runtime.info import Info, ParentInfo, RootInfo

if TYPE_CHECKING:
    from durable_nb.runtime.instance import WorkflowInstance

_DEFAULT_TASK_TIMEOUT = timedelta(seconds=10)


def instant(microseconds: int) -> datetime:
    """Aware UTC datetime, exact to the microsecond."""
    return _EPOCH + timedelta(microseconds=microseconds)


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def _duration(microseconds: int) -> timedelta | None:
    return timedelta(microseconds=microseconds) if microseconds else None


def build_info(run: WorkflowInstance) -> Info:
    """All that ``workflow.info()`` tells about ``run``."""
    started = run.started
    parent, root = started.parent_workflow_execution, started.root_workflow_execution
    fields = run.search_attribute_payloads()
    return Info(
        attempt=started.attempt,
        continued_run_id=started.continued_execution_run_id or None,
        cron_schedule=started.cron_schedule or None,
        execution_timeout=_duration(started.workflow_execution_timeout),
        first_execution_run_id=started.first_execution_run_id or run.run_id,
        headers=dict(started.header or {}),
        namespace=run.namespace,
        original_execution_run_id=started.original_execution_run_id or run.run_id,
        parent=None
        if parent is None
        else ParentInfo(
            namespace=started.parent_workflow_namespace or run.namespace,
            run_id=parent.run_id,
            workflow_id=parent.workflow_id,
        ),
        root=None if root is None else RootInfo(run_id=root.run_id, workflow_id=root.workflow_id),
        priority=Priority.from_attributes(started.priority),
        raw_memo=dict(started.memo or {}),
        retry_policy=None if started.retry_policy is None else RetryPolicy.from_attributes(started.retry_policy),
        run_id=run.run_id,
        run_timeout=_duration(started.workflow_run_timeout),
        search_attributes=dict(decode_search_attributes(fields)),
        start_time=instant(run.first_task_time),
        task_queue=run.task_queue,
        task_timeout=_duration(started.workflow_task_timeout) or _DEFAULT_TASK_TIMEOUT,
        typed_search_attributes=decode_typed_search_attributes(fields),
        workflow_id=run.workflow_id,
        workflow_start_time=instant(run.started_time),
        workflow_type=run.workflow_type,
    )
