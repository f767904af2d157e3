"""Listing and counting runs by the filters of ``_filter``."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from durable_nb.client._calls import within
from durable_nb.client._enums import WorkflowHistoryEventFilterType
from durable_nb.client._execution import (
    WorkflowExecution,
    WorkflowExecutionCount,
    WorkflowExecutionCountAggregationGroup,
)
from durable_nb.client._filter import STATUS_NAMES, Filter, parse_filter
from durable_nb.client._history import WorkflowHistory
from durable_nb.client._inputs import ListWorkflowsInput
from durable_nb.model.requests import ListWorkflows
from durable_nb.service import RPCError, RPCStatusCode

if TYPE_CHECKING:
    from durable_nb.client._client import Client
    from durable_nb.model.requests import RunDescription

_EVERYTHING = 2**31 - 1
"""A limit that no store reaches, small enough for every database."""


class WorkflowExecutionAsyncIterator:
    """Runs that a filter selects, newest start first; by ``async for``, or as one page.

    The request takes no position to go on from, so there is one page; it is fetched when it is first needed.
    """

    def __init__(self, client: Client, input: ListWorkflowsInput) -> None:
        if input.next_page_token:
            raise RPCError("next_page_token: a list has one page, so no token was given out", _INVALID)
        self._client = client
        self._input = input
        self._filter = parse_filter(input.query)
        self._current_page: Sequence[WorkflowExecution] | None = None
        self._current_page_index = 0

    @property
    def current_page_index(self) -> int:
        """Index, within the current page, of the next run."""
        return self._current_page_index

    @property
    def current_page(self) -> Sequence[WorkflowExecution] | None:
        """The page last fetched; None before the first."""
        return self._current_page

    @property
    def next_page_token(self) -> bytes | None:
        """Always None: there is one page."""
        return None

    async def fetch_next_page(self, *, page_size: int | None = None) -> None:
        """Fetch the page; later calls give an empty one."""
        del page_size
        if self._current_page is not None:
            self._current_page, self._current_page_index = (), 0
            return
        limit, timeout = self._input.limit, self._input.rpc_timeout
        if self._filter.impossible or limit == 0:
            self._current_page = ()
            return
        request = _request(self._client.namespace, self._filter, _EVERYTHING if limit is None else limit)
        call = self._client.frontend.list_workflows(request)
        found = await (call if timeout is None else within(call, timeout, "list_workflows"))
        converter_for = self._client.converter_for
        self._current_page = [WorkflowExecution._from_raw(raw, converter_for(raw.workflow_id)) for raw in found]

    def __aiter__(self) -> WorkflowExecutionAsyncIterator:
        return self

    async def __anext__(self) -> WorkflowExecution:
        if self._current_page is None:
            await self.fetch_next_page()
        page = self._current_page or ()
        if self._current_page_index >= len(page):
            raise StopAsyncIteration
        self._current_page_index += 1
        return page[self._current_page_index - 1]

    async def map_histories(
        self,
        *,
        event_filter_type: WorkflowHistoryEventFilterType = WorkflowHistoryEventFilterType.ALL_EVENT,
        skip_archival: bool = False,
        rpc_metadata: Mapping[str, str | bytes] = {},
        rpc_timeout: timedelta | None = None,
    ) -> AsyncIterator[WorkflowHistory]:
        """The history of each run, as a ``Replayer`` takes them."""
        async for run in self:
            yield await self._client.get_workflow_handle(run.id, run_id=run.run_id).fetch_history(
                event_filter_type=event_filter_type,
                skip_archival=skip_archival,
                rpc_metadata=rpc_metadata,
                rpc_timeout=rpc_timeout,
            )


_INVALID = RPCStatusCode.INVALID_ARGUMENT


def _request(namespace: str, found: Filter, limit: int) -> ListWorkflows:
    return ListWorkflows(
        namespace,
        found.workflow_id,
        found.workflow_type,
        found.statuses(),
        limit,
        *found.started,
        *found.closed,
    )


async def count_runs(frontend: Any, namespace: str, query: str | None) -> WorkflowExecutionCount:
    """Number of runs that a filter selects, by status where the filter groups them.

    Raises
    ------
    RPCError
        INVALID_ARGUMENT: the filter is not understood.
    """
    found = parse_filter(query, grouping=True)
    by_status: Mapping[int, int]
    if found.impossible:
        by_status = {}
    elif found.looks_at_runs():
        runs: list[RunDescription] = await frontend.list_workflows(_request(namespace, found, _EVERYTHING))
        by_status = Counter(int(run.status) for run in runs)
    else:
        wanted = found.statuses()
        counts: dict[int, int] = await frontend.count_workflows(namespace)
        by_status = {status: count for status, count in counts.items() if not wanted or status in wanted}
    groups = [
        WorkflowExecutionCountAggregationGroup(by_status[status], [name])
        for name, status in STATUS_NAMES.items()
        if found.grouped and by_status.get(status)
    ]
    return WorkflowExecutionCount(sum(by_status.values()), groups)
