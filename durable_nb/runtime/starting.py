"""From the arguments of ``workflow.start_…`` calls to inputs of the outbound chain.

``durable_nb.workflow`` has the public signatures; these functions take the run and do the work.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any, NoReturn

from durable_nb.policies import Priority
from durable_nb.runtime.activities import resolve_activity
from durable_nb.runtime.definition import WorkflowDefinition
from durable_nb.runtime.handles import ActivityCancellationType, VersioningIntent
from durable_nb.runtime.interceptor import (
    ContinueAsNewInput,
    StartActivityInput,
    StartChildWorkflowInput,
    StartLocalActivityInput,
)

if TYPE_CHECKING:
    from durable_nb.policies import RetryPolicy
    from durable_nb.runtime.handles import ActivityHandle, ChildWorkflowHandle
    from durable_nb.runtime.instance import WorkflowInstance

_DEFAULT_PRIORITY = Priority.default


def start_activity(
    run: WorkflowInstance,
    activity: Any,
    args: Sequence[Any],
    *,
    task_queue: str | None = None,
    result_type: Any = None,
    schedule_to_close_timeout: timedelta | None = None,
    schedule_to_start_timeout: timedelta | None = None,
    start_to_close_timeout: timedelta | None = None,
    heartbeat_timeout: timedelta | None = None,
    retry_policy: RetryPolicy | None = None,
    cancellation_type: ActivityCancellationType = ActivityCancellationType.TRY_CANCEL,
    activity_id: str | None = None,
    versioning_intent: VersioningIntent | None = None,
    summary: str | None = None,
    event_groups: Any = None,
    priority: Priority = _DEFAULT_PRIORITY,
) -> ActivityHandle[Any]:
    """Schedule an activity given by name, decorated callable or definition."""
    run.assert_writable("start activity")
    refuse_groups(event_groups)
    name, arg_types, ret_type = resolve_activity(activity, result_type)
    return run.outbound.start_activity(
        StartActivityInput(
            activity=name,
            args=args,
            activity_id=activity_id,
            task_queue=task_queue,
            schedule_to_close_timeout=schedule_to_close_timeout,
            schedule_to_start_timeout=schedule_to_start_timeout,
            start_to_close_timeout=start_to_close_timeout,
            heartbeat_timeout=heartbeat_timeout,
            retry_policy=retry_policy,
            cancellation_type=cancellation_type,
            headers={},
            disable_eager_execution=False,
            versioning_intent=versioning_intent,
            summary=summary,
            priority=priority,
            arg_types=arg_types,
            ret_type=ret_type,
        )
    )


def start_local_activity(
    run: WorkflowInstance,
    activity: Any,
    args: Sequence[Any],
    *,
    result_type: Any,
    schedule_to_close_timeout: timedelta | None,
    schedule_to_start_timeout: timedelta | None,
    start_to_close_timeout: timedelta | None,
    retry_policy: RetryPolicy | None,
    local_retry_threshold: timedelta | None,
    cancellation_type: ActivityCancellationType,
    activity_id: str | None,
    summary: str | None,
    event_groups: Any,
) -> ActivityHandle[Any]:
    """Run a local activity; it must be registered on the same worker."""
    run.assert_writable("start activity")
    refuse_groups(event_groups)
    name, arg_types, ret_type = resolve_activity(activity, result_type)
    # In replay the outcome comes from the marker: what this worker serves does not matter.
    if run.options.check_local_activity is not None and not run.replaying:
        run.options.check_local_activity(name)
    return run.outbound.start_local_activity(
        StartLocalActivityInput(
            activity=name,
            args=args,
            activity_id=activity_id,
            schedule_to_close_timeout=schedule_to_close_timeout,
            schedule_to_start_timeout=schedule_to_start_timeout,
            start_to_close_timeout=start_to_close_timeout,
            retry_policy=retry_policy,
            local_retry_threshold=local_retry_threshold,
            cancellation_type=cancellation_type,
            headers={},
            summary=summary,
            arg_types=arg_types,
            ret_type=ret_type,
        )
    )


async def start_child_workflow(
    run: WorkflowInstance, workflow: Any, args: Sequence[Any], *, result_type: Any, event_groups: Any, **options: Any
) -> ChildWorkflowHandle[Any, Any]:
    """Start a child given by name, run method or function."""
    refuse_groups(event_groups)
    name, arg_types, ret_type = _resolve_workflow(workflow, result_type)
    return await run.outbound.start_child_workflow(
        StartChildWorkflowInput(workflow=name, args=args, headers={}, arg_types=arg_types, ret_type=ret_type, **options)
    )


def continue_as_new(
    run: WorkflowInstance, workflow: Any, args: Sequence[Any], *, event_groups: Any, **options: Any
) -> NoReturn:
    """Leave the run; always raises."""
    run.assert_writable("continue as new")
    refuse_groups(event_groups)
    name, arg_types = None, None
    if isinstance(workflow, str):
        name = workflow
    elif workflow is not None:
        if not callable(workflow):
            raise TypeError("Workflow must be None, a string, or callable")
        definition = WorkflowDefinition.from_run(workflow)
        name, arg_types = definition.name, definition.arg_types
    run.outbound.continue_as_new(
        ContinueAsNewInput(workflow=name, args=args, headers={}, arg_types=arg_types, **options)
    )


def _resolve_workflow(workflow: Any, result_type: Any) -> tuple[str, list[Any] | None, Any]:
    if isinstance(workflow, str):
        return workflow, None, result_type
    if not callable(workflow):
        raise TypeError("Workflow must be a string or callable")
    definition = WorkflowDefinition.from_run(workflow)
    if not definition.name:
        raise TypeError("Cannot invoke dynamic workflow explicitly")
    return definition.name, definition.arg_types, definition.ret_type


def refuse_groups(event_groups: Any) -> None:
    """Say that there are no event groups here; leaving them out silently would be a lie."""
    if event_groups:
        raise NotImplementedError("event groups are an experimental feature of clusters: leave out event_groups=")
