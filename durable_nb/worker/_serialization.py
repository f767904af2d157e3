"""Telling a data converter whose values it converts, for converters that want to know."""

from __future__ import annotations

from typing import TYPE_CHECKING

from durable_nb.converter.context import ActivitySerializationContext
from durable_nb.model.tasks import ActivityTask

if TYPE_CHECKING:
    from durable_nb.converter import DataConverter

_PROBE = ActivitySerializationContext(
    namespace="",
    activity_id="",
    activity_type="",
    activity_task_queue="",
    workflow_id="",
    workflow_type="",
    is_local=False,
)


def wants_context(converter: DataConverter) -> bool:
    """Whether any part of the converter changes with the context; most do not, and then nothing is paid for it."""
    return converter.with_context(_PROBE) is not converter


def with_context(converter: DataConverter, task: ActivityTask) -> DataConverter:
    """The converter for the values of one activity."""
    return converter.with_context(
        ActivitySerializationContext(
            namespace=task.namespace,
            activity_id=task.activity_id,
            activity_type=task.activity_type,
            activity_task_queue=task.task_queue,
            workflow_id=task.workflow_id,
            workflow_type=task.workflow_type,
            is_local=task.is_local,
        )
    )
