"""What is known about runs without reading their histories."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, overload

from durable_nb.client._naming import arg_unset
from durable_nb.client._payloads import decode_one
from durable_nb.common import SearchAttributes, SearchAttributeValue, TypedSearchAttributes
from durable_nb.converter import DataConverter, decode_search_attributes, decode_typed_search_attributes
from durable_nb.model.attributes import UserMetadata
from durable_nb.model.dataclass_like import DataclassLike
from durable_nb.model.enums import WorkflowExecutionStatus
from durable_nb.model.events import Event
from durable_nb.model.requests import (
    PendingActivity,
    PendingChild,
    PendingTimer,
    PendingWorkflowTask,
    RunDescription,
)

if TYPE_CHECKING:
    from typing import Self

    from durable_nb.client._typing import AnyType, ParamType
    from durable_nb.model.payload import Payload

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def instant(microseconds: int) -> datetime | None:
    """Aware UTC datetime of an instant; None for 0."""
    return _EPOCH + timedelta(microseconds=microseconds) if microseconds else None


class WorkflowExecution(DataclassLike):
    """One run, as listed. Instants are aware UTC datetimes."""

    close_time: datetime | None
    execution_time: datetime | None
    """When the run begins to work: the start time plus a start delay or backoff."""
    history_length: int
    id: str
    namespace: str
    parent_id: str | None
    parent_run_id: str | None
    root_id: str | None
    """Workflow ID of the top of the tree of children; a run without a parent is its own root."""
    root_run_id: str | None
    raw_info: RunDescription
    run_id: str
    search_attributes: SearchAttributes
    start_time: datetime
    status: WorkflowExecutionStatus | None
    task_queue: str
    typed_search_attributes: TypedSearchAttributes
    workflow_type: str
    data_converter: DataConverter

    def __repr__(self) -> str:
        """All fields but the raw description and the converter, which are long and of no use to a reader."""
        names = (name for name in self.__struct_fields__ if name not in ("raw_info", "data_converter", "_read_start"))
        return f"{type(self).__qualname__}({', '.join(f'{name}={getattr(self, name)!r}' for name in names)})"

    @classmethod
    def _from_raw(cls, raw: RunDescription, converter: DataConverter) -> Self:
        own_root = not raw.parent_workflow_id and not raw.root_workflow_id
        return cls(
            close_time=instant(raw.close_time),
            execution_time=instant(raw.execution_time),
            history_length=raw.history_length,
            id=raw.workflow_id,
            namespace=raw.namespace,
            parent_id=raw.parent_workflow_id or None,
            parent_run_id=raw.parent_run_id or None,
            root_id=raw.workflow_id if own_root else raw.root_workflow_id or None,
            root_run_id=raw.run_id if own_root else raw.root_run_id or None,
            raw_info=raw,
            run_id=raw.run_id,
            search_attributes=decode_search_attributes(raw.search_attributes),
            start_time=_EPOCH + timedelta(microseconds=raw.start_time),
            status=raw.status,
            task_queue=raw.task_queue,
            typed_search_attributes=decode_typed_search_attributes(raw.search_attributes),
            workflow_type=raw.workflow_type,
            data_converter=converter,
        )

    @property
    def reset_from_run_id(self) -> str | None:
        """Run that this one was made from by reset, retry or fork; see ``WorkflowHandle.lineage`` for all of them."""
        return self.raw_info.reset_from_run_id or None

    @property
    def reset_event_id(self) -> int | None:
        """Event of this run at which it left that run."""
        return self.raw_info.reset_event_id or None

    async def memo(self) -> Mapping[str, Any]:
        """Memo values by key, decoded without type hints."""
        return {key: await self._decoded(payload, None) for key, payload in self.raw_info.memo.items()}

    @overload
    async def memo_value(self, key: str, default: Any = ...) -> Any: ...

    @overload
    async def memo_value(self, key: str, *, type_hint: type[ParamType]) -> ParamType: ...

    @overload
    async def memo_value(self, key: str, default: AnyType, *, type_hint: type[ParamType]) -> AnyType | ParamType: ...

    async def memo_value(self, key: str, default: Any = arg_unset, *, type_hint: type | None = None) -> Any:
        """One memo value, decoded by ``type_hint``; ``default`` where there is no such key.

        Raises
        ------
        KeyError
            No such key and no default.
        """
        payload = self.raw_info.memo.get(key)
        if payload is not None:
            return await self._decoded(payload, type_hint)
        if default is arg_unset:
            raise KeyError(f"Memo does not have a value for key {key}")
        return default

    async def _decoded(self, payload: Payload, hint: type | None) -> Any:
        return await decode_one(self.data_converter, [payload], hint, "memo value")


class WorkflowExecutionDescription(WorkflowExecution):
    """One run with everything that is pending in it (``WorkflowHandle.describe``)."""

    _read_start: Callable[[], Awaitable[Event]] | None = None
    """Reads the first event. What a closed run was given to say about itself stands only there."""

    @property
    def raw_description(self) -> RunDescription:
        """The description as the engine gave it; payloads are encoded, instants are microseconds."""
        return self.raw_info

    @property
    def pending_activities(self) -> Sequence[PendingActivity]:
        """Activities that are not closed, with attempt, last failure and next retry."""
        return self.raw_info.pending_activities

    @property
    def pending_timers(self) -> Sequence[PendingTimer]:
        """Timers that have not fired."""
        return self.raw_info.pending_timers

    @property
    def pending_children(self) -> Sequence[PendingChild]:
        """Children that are not closed."""
        return self.raw_info.pending_children

    @property
    def pending_workflow_task(self) -> PendingWorkflowTask | None:
        """The open workflow task, with why its last attempt failed."""
        return self.raw_info.pending_workflow_task

    async def static_summary(self) -> str | None:
        """Summary given at the start, None for none."""
        metadata = await self._user_metadata()
        return await self._text(None if metadata is None else metadata.summary)

    async def static_details(self) -> str | None:
        """Details given at the start, None for none."""
        metadata = await self._user_metadata()
        return await self._text(None if metadata is None else metadata.details)

    async def _user_metadata(self) -> UserMetadata | None:
        if self.raw_info.user_metadata is None and self._read_start is not None:
            self.raw_info.user_metadata = (await self._read_start()).user_metadata
            self._read_start = None
        return self.raw_info.user_metadata

    async def _text(self, payload: Payload | None) -> str | None:
        return None if payload is None else await self._decoded(payload, str)


class WorkflowExecutionCountAggregationGroup(DataclassLike):
    """Runs that share the values they are grouped by."""

    count: int
    group_values: Sequence[SearchAttributeValue]


class WorkflowExecutionCount(DataclassLike):
    """Answer to ``Client.count_workflows``; ``groups`` is empty without GROUP BY."""

    count: int
    groups: Sequence[WorkflowExecutionCountAggregationGroup]
