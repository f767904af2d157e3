"""Fetching histories: pages, tokens, waiting, filters, export."""

from __future__ import annotations

import json

import pytest

from durable_nb.client import Client, WorkflowHistory, WorkflowHistoryEventFilterType
from durable_nb.model import attributes as a
from durable_nb.model.events import Event
from durable_nb.model.requests import HistoryPage
from tests.client.fake_frontend import FakeFrontend

EVENTS = [
    Event(1, 1_000_000, a.WorkflowExecutionStarted(workflow_type="W", original_execution_run_id="r1")),
    Event(2, 1_000_000, a.WorkflowTaskScheduled(task_queue="q")),
    Event(3, 2_000_000, a.WorkflowTaskStarted(scheduled_event_id=2)),
]


@pytest.fixture
def handle(client: Client):
    return client.get_workflow_handle("w")


def ids(events) -> list[int]:
    return [event.event_id for event in events]


async def test_a_history_is_whole_and_knows_its_run(handle, frontend: FakeFrontend):
    frontend.answer("read_history", HistoryPage("r1", EVENTS, False))
    history = await handle.fetch_history()
    assert (history.workflow_id, history.run_id, ids(history.events)) == ("w", "r1", [1, 2, 3])
    request = frontend.only("read_history")
    assert (request.first_event_id, request.wait_new_event, request.close_event_only) == (1, False, False)


async def test_only_the_closing_event_may_be_asked_for(handle, frontend: FakeFrontend):
    frontend.answer("read_history", HistoryPage("r1", [], False))
    history = await handle.fetch_history(event_filter_type=WorkflowHistoryEventFilterType.CLOSE_EVENT)
    assert history.events == []
    assert frontend.only("read_history").close_event_only


async def test_new_events_are_waited_for_until_the_run_is_closed(handle, frontend: FakeFrontend):
    frontend.answer(
        "read_history",
        HistoryPage("r1", EVENTS[:2], False),
        HistoryPage("r1", [], False),
        HistoryPage("r1", EVENTS[2:], True),
    )
    assert ids([event async for event in handle.fetch_history_events(wait_new_event=True)]) == [1, 2, 3]
    asked = [(request.target.run_id, request.first_event_id) for (request,) in frontend.all("read_history")]
    assert asked == [("", 1), ("r1", 3), ("r1", 3)]


async def test_pages_have_tokens_that_another_iterator_goes_on_from(handle, frontend: FakeFrontend):
    def rest(request):
        return HistoryPage("r1", [event for event in EVENTS if event.event_id >= request.first_event_id], True)

    frontend.answer("read_history", rest, rest)
    first = handle.fetch_history_events(page_size=2)
    assert first.next_page_token is None
    await first.fetch_next_page()
    assert ids(first.current_page) == [1, 2]
    second = handle.fetch_history_events(next_page_token=first.next_page_token)
    assert ids([event async for event in second]) == [3]
    assert second.next_page_token is None
    assert frontend.all("read_history")[1][0].target.run_id == "r1"


async def test_the_index_of_the_current_page_moves_with_the_iteration(handle, frontend: FakeFrontend):
    frontend.answer("read_history", HistoryPage("r1", EVENTS, True))
    events = handle.fetch_history_events()
    assert (events.current_page, events.current_page_index) == (None, 0)
    await anext(events)
    assert events.current_page_index == 1


@pytest.mark.parametrize("token", [b"nonsense", b"run:x", b""])
async def test_a_foreign_page_token_is_refused(handle, token):
    with pytest.raises(ValueError, match="next_page_token"):
        handle.fetch_history_events(next_page_token=token)


def test_a_history_without_a_start_has_no_run_id():
    with pytest.raises(RuntimeError, match="No events"):
        WorkflowHistory("w", []).run_id  # noqa: B018
    with pytest.raises(RuntimeError, match="not workflow start"):
        WorkflowHistory("w", EVENTS[1:]).run_id  # noqa: B018


def test_a_history_goes_to_json_and_back():
    history = WorkflowHistory("w", EVENTS)
    written = history.to_json()
    assert json.loads(written) == history.to_json_dict()
    assert [event["eventType"] for event in history.to_json_dict()["events"]] == [
        "EVENT_TYPE_WORKFLOW_EXECUTION_STARTED",
        "EVENT_TYPE_WORKFLOW_TASK_SCHEDULED",
        "EVENT_TYPE_WORKFLOW_TASK_STARTED",
    ]
    for source in (written, history.to_json_dict()):
        read = WorkflowHistory.from_json("w", source)
        assert read.run_id == "r1"
        assert read.to_json_dict() == history.to_json_dict()
