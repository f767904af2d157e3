"""Reading a history, at once or as soon as there is more of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from durable_nb.engine.finding import find_row, not_found
from durable_nb.model.enums import WorkflowExecutionStatus
from durable_nb.model.events import Event
from durable_nb.model.records import RunRow
from durable_nb.model.requests import HistoryPage, ReadHistory, Target

if TYPE_CHECKING:
    from durable_nb.engine.engine import Engine


async def read_history(engine: Engine, key: int, request: ReadHistory) -> HistoryPage:
    """The events of the run with that key."""
    if not request.wait_new_event:
        return await _page(engine, await _row_by(engine, request.target, key), request)
    while True:
        page = await _page_or_news(engine, key, request)
        if isinstance(page, HistoryPage):
            return page
        key = page


async def _page_or_news(engine: Engine, key: int, request: ReadHistory) -> HistoryPage | int:
    """What is waited for; or, once there is news, the run key to look at again."""
    # Watched before it is read: what is committed while a read is on its way is not missed.
    news = engine.watchers.watch(key, 0 if request.close_event_only else request.first_event_id)
    try:
        engine.notice_changes()
        slot = engine.slots.get(key)
        # What is cached tells nothing of a run that another process may have closed: that is no news any more.
        state = slot.state if slot is not None and slot.epoch == engine.epoch else None
        if request.close_event_only and state is not None and state.is_open:
            # The common wait for a result: nothing is read from the store, unless another process closes the run.
            closing_event = await news
            if closing_event is not None:
                return HistoryPage(state.run_id, [closing_event], True)
        row = await _row_by(engine, request.target, key)
        grew = not request.close_event_only and row.next_event_id > request.first_event_id
        if grew or row.status != WorkflowExecutionStatus.RUNNING:
            return await _page(engine, row, request)
        if row.run_key == key:
            await news
        return row.run_key
    finally:
        engine.watchers.unwatch(key, news)


async def _row_by(engine: Engine, target: Target, run_key: int) -> RunRow:
    row = await find_row(engine, target)
    if row.run_key == run_key:
        return row
    # The workflow ID has a newer run by now; the caller began with this one and is to see its end.
    loaded = await engine.read(engine.store.load_run, run_key)
    if loaded is not None:
        found: RunRow = loaded.run
        return found
    if target.run_id:
        raise not_found(target)
    return row  # The run that the caller began with lost its ID to this one before it was stored.


async def _page(engine: Engine, row: RunRow, request: ReadHistory) -> HistoryPage:
    is_closed = row.status != WorkflowExecutionStatus.RUNNING
    first = row.next_event_id - 1 if request.close_event_only else request.first_event_id
    events: list[Event] = await engine.read(engine.store.read_events, row.run_key, first)
    if request.close_event_only and not is_closed:
        events = []
    return HistoryPage(row.run_id, events, is_closed)
