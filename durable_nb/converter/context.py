"""What a converter may be told about the value it converts: whose argument or result it is.

Converters that want it implement ``WithSerializationContext``.
"""

from __future__ import annotations

from abc import ABC
from typing import Any

import msgspec


class SerializationContext(msgspec.Struct, frozen=True):
    """Base of the contexts."""


class WorkflowSerializationContext(SerializationContext, frozen=True):
    """The value belongs to a workflow: its input, result, signal, query or update."""

    namespace: str
    workflow_id: str


class ActivitySerializationContext(SerializationContext, frozen=True):
    """The value belongs to an activity."""

    namespace: str
    activity_id: str | None
    activity_type: str | None
    activity_task_queue: str | None
    workflow_id: str | None
    workflow_type: str | None
    is_local: bool


class WithSerializationContext(ABC):  # noqa: B024 - implemented by converters and codecs that want a context
    """A converter or codec that wants to know the context."""

    def with_context(self, context: SerializationContext) -> Any:
        """A copy that uses the context."""
        raise NotImplementedError
