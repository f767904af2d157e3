"""Histories as callers see them: fetched page by page, or whole and exportable."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from types import ModuleType
from typing import TYPE_CHECKING, Any, cast

from durable_nb.client._calls import within
from durable_nb.client._enums import WorkflowHistoryEventFilterType
from durable_nb.client._inputs import FetchWorkflowHistoryEventsInput
from durable_nb.model.attributes import WorkflowExecutionStarted
from durable_nb.model.events import Event
from durable_nb.model.requests import ReadHistory, Target

if TYPE_CHECKING:
    from durable_nb.client._client import Client
    from durable_nb.model.requests import HistoryPage


@dataclass(frozen=True)
class WorkflowHistory:
    """The history of one run."""

    workflow_id: str
    events: Sequence[Event]

    @property
    def run_id(self) -> str:
        """Run ID that the history begins with.

        Raises
        ------
        RuntimeError
            The history has no event, or does not begin with WorkflowExecutionStarted.
        """
        if not self.events:
            raise RuntimeError("No events")
        first = self.events[0].attributes
        if not isinstance(first, WorkflowExecutionStarted):
            raise RuntimeError("First event is not workflow start")
        return first.original_execution_run_id

    @staticmethod
    def from_json(workflow_id: str, history: str | dict[str, Any]) -> WorkflowHistory:
        """History from Temporal's history JSON, as exported here, by Temporal's tools or its web page.

        Raises
        ------
        ValueError
            Not a history; the message names the event and the field.
        """
        return WorkflowHistory(workflow_id, _history_json().history_from_json(history))

    def to_json(self) -> str:
        """Temporal's history JSON, readable by its Replayer."""
        return cast("str", _history_json().history_to_json(self.workflow_id, self.events))

    def to_json_dict(self) -> dict[str, Any]:
        """``to_json`` as a dict."""
        return cast("dict[str, Any]", _history_json().history_to_dict(self.workflow_id, self.events))


def _history_json() -> ModuleType:
    # Its tables are only needed by those who export or import, and are as much to load as half of this package.
    from durable_nb.converter import history_json  # noqa: PLC0415

    return history_json


class WorkflowHistoryEventAsyncIterator:
    """Events of a run, by ``async for`` or page by page."""

    def __init__(self, client: Client, input: FetchWorkflowHistoryEventsInput) -> None:
        self._client = client
        self._input = input
        self._run_id, self._first_event_id = _read_token(input.next_page_token, input.run_id or "")
        self._ended = False
        self._current_page: Sequence[Event] | None = None
        self._current_page_index = 0

    @property
    def current_page_index(self) -> int:
        """Index, within the current page, of the next event."""
        return self._current_page_index

    @property
    def current_page(self) -> Sequence[Event] | None:
        """The page last fetched; None before the first."""
        return self._current_page

    @property
    def next_page_token(self) -> bytes | None:
        """Where the next page begins; None before the first page and after the last."""
        if self._ended or self._current_page is None:
            return None
        return f"{self._run_id}:{self._first_event_id}".encode()

    async def fetch_next_page(self, *, page_size: int | None = None) -> None:
        """Fetch the next page; with ``wait_new_event``, wait until there is an event in it or the run is closed."""
        page = await self._read()
        # Later pages belong to the same run, even when the workflow ID has gone on to another one.
        self._run_id = page.run_id
        events = page.events
        size = page_size or self._input.page_size
        more = size is not None and 0 < size < len(events)
        if more:
            events = events[:size]
        waits = self._input.wait_new_event and not page.closed
        if events:
            self._first_event_id = events[-1].event_id + 1
        elif waits:
            # An engine may answer without an event when its own patience ends; never spin on that.
            await asyncio.sleep(0)
        self._ended = not more and not waits
        self._current_page, self._current_page_index = events, 0

    async def _read(self) -> HistoryPage:
        asked = self._input
        request = ReadHistory(
            Target(self._client.namespace, asked.id, self._run_id),
            self._first_event_id,
            asked.wait_new_event,
            asked.event_filter_type is WorkflowHistoryEventFilterType.CLOSE_EVENT,
        )
        call = self._client.frontend.read_history(request)
        return await (call if asked.rpc_timeout is None else within(call, asked.rpc_timeout, "fetch_history"))

    def __aiter__(self) -> WorkflowHistoryEventAsyncIterator:
        return self

    async def __anext__(self) -> Event:
        while True:
            page = self._current_page
            if page is None:
                await self.fetch_next_page()
            elif self._current_page_index < len(page):
                self._current_page_index += 1
                return page[self._current_page_index - 1]
            elif self._ended:
                raise StopAsyncIteration
            else:
                await self.fetch_next_page()


def _read_token(token: bytes | None, run_id: str) -> tuple[str, int]:
    """Run ID and first event ID that a page token stands for.

    Raises
    ------
    ValueError
        Not a token of ours.
    """
    if token is None:
        return run_id, 1
    run, colon, event_id = token.decode("utf-8", "replace").rpartition(":")
    if not colon or not event_id.isdecimal():
        raise ValueError("next_page_token was not made by a history iterator of this client")
    return run, int(event_id)
