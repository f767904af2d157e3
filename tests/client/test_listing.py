"""Listing and counting, and the small filter language behind them."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from durable_nb.client import Client, RPCError, RPCStatusCode, WorkflowExecutionStatus
from durable_nb.client._filter import STATUS_NAMES, Filter, parse_filter
from durable_nb.model.requests import HistoryPage, RunDescription
from tests.client.fake_frontend import NEVER, FakeFrontend

RUNNING, COMPLETED, FAILED = (
    WorkflowExecutionStatus.RUNNING,
    WorkflowExecutionStatus.COMPLETED,
    WorkflowExecutionStatus.FAILED,
)


def run(workflow_id: str, status=RUNNING) -> RunDescription:
    return RunDescription("default", workflow_id, f"run-{workflow_id}", "W", "q", status, 5, 5, 0, 3, 100, "r", {}, {})


async def test_everything_is_listed_without_a_filter(client: Client, frontend: FakeFrontend):
    frontend.answer("list_workflows", [run("b"), run("a", COMPLETED)])
    found = [each async for each in client.list_workflows()]
    assert [(each.id, each.run_id, each.status) for each in found] == [
        ("b", "run-b", RUNNING),
        ("a", "run-a", COMPLETED),
    ]
    request = frontend.only("list_workflows")
    assert (request.workflow_id, request.workflow_type, request.statuses) == ("", "", [])
    assert request.limit >= 1_000_000_000


async def test_a_filter_and_a_limit_reach_the_engine(client: Client, frontend: FakeFrontend):
    frontend.answer("list_workflows", [])
    query = "WorkflowType = 'Order' AND ExecutionStatus='Running' and WorkflowId = \"it's\""
    assert [each async for each in client.list_workflows(query, limit=5)] == []
    request = frontend.only("list_workflows")
    assert (request.workflow_type, request.workflow_id, request.statuses) == ("Order", "it's", [1])
    assert request.limit == 5


async def test_conditions_that_exclude_each_other_select_nothing(client: Client, frontend: FakeFrontend):
    query = "WorkflowType = 'A' AND WorkflowType = 'B'"
    assert [each async for each in client.list_workflows(query)] == []
    assert (await client.count_workflows(query)).count == 0
    assert [each async for each in client.list_workflows(limit=0)] == []
    assert frontend.requests == []


async def test_a_list_is_one_page(client: Client, frontend: FakeFrontend):
    frontend.answer("list_workflows", [run("a")])
    runs = client.list_workflows()
    assert runs.current_page is None
    await runs.fetch_next_page()
    assert [each.id for each in runs.current_page] == ["a"]
    assert (runs.current_page_index, runs.next_page_token) == (0, None)
    await runs.fetch_next_page()
    assert list(runs.current_page) == []


async def test_a_page_token_is_refused_because_none_is_given_out(client: Client):
    with pytest.raises(RPCError, match="next_page_token"):
        client.list_workflows(next_page_token=b"x")


async def test_listing_gives_up_after_rpc_timeout(client: Client, frontend: FakeFrontend):
    frontend.answer("list_workflows", NEVER)
    frontend.answer("count_workflows", NEVER)
    with pytest.raises(RPCError, match="list_workflows"):
        await anext(client.list_workflows(rpc_timeout=timedelta(microseconds=1)))
    with pytest.raises(RPCError, match="count_workflows"):
        await client.count_workflows(rpc_timeout=timedelta(microseconds=1))


async def test_histories_of_listed_runs_are_those_of_the_very_runs(client: Client, frontend: FakeFrontend):
    frontend.answer("list_workflows", [run("a"), run("b")])
    frontend.answer("read_history", *[HistoryPage("r", [], True)] * 2)
    histories = [each async for each in client.list_workflows().map_histories()]
    assert [history.workflow_id for history in histories] == ["a", "b"]
    asked = [(request.target.workflow_id, request.target.run_id) for (request,) in frontend.all("read_history")]
    assert asked == [("a", "run-a"), ("b", "run-b")]


async def test_counts_come_without_reading_runs_where_only_the_status_is_asked_for(client: Client, frontend):
    frontend.answer("count_workflows", *[{1: 4, 2: 10, 3: 1}] * 3)
    assert (await client.count_workflows()).count == 15
    assert (await client.count_workflows("ExecutionStatus = 'Completed'")).count == 10
    grouped = await client.count_workflows("GROUP BY ExecutionStatus")
    assert (grouped.count, [(group.group_values, group.count) for group in grouped.groups]) == (
        15,
        [(["Running"], 4), (["Completed"], 10), (["Failed"], 1)],
    )


async def test_counts_of_a_type_are_counted_from_the_list(client: Client, frontend: FakeFrontend):
    frontend.answer("list_workflows", [run("a"), run("b", FAILED), run("c")])
    found = await client.count_workflows("WorkflowType = 'W' GROUP BY ExecutionStatus")
    assert found.count == 3
    assert [(group.group_values, group.count) for group in found.groups] == [(["Running"], 2), (["Failed"], 1)]


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("ExecutionTime > '2026-01-01'", "unknown field 'ExecutionTime'"),
        ("workflowtype = 'x'", "did you mean 'WorkflowType'"),
        ("ExecutionStatus = 'Cancelled'", "did you mean 'Canceled'"),
        ("ExecutionStatus = 'x'", "one of Running, Completed"),
        ("WorkflowType != 'x'", "expected = after WorkflowType"),
        ("WorkflowType = x", "expected a quoted text"),
        ("WorkflowType = ''", "empty text"),
        ("WorkflowType = 'x", "has no end"),
        ("WorkflowType = 'x' OR WorkflowId = 'y'", "expected AND"),
        ("WorkflowType = 'x' AND", "expected a field name"),
        ("WorkflowType = 'x' AND GROUP BY ExecutionStatus", "unknown field 'GROUP'"),
        ("(WorkflowType = 'x')", "expected a field name"),
        ("ORDER BY StartTime", "unknown field 'ORDER'"),
        ("WorkflowType = 'x' GROUP BY ExecutionStatus", "GROUP BY is for counting"),
    ],
)
def test_what_is_not_understood_is_refused_with_place_and_reason(query, words):
    with pytest.raises(RPCError, match=words) as caught:
        parse_filter(query)
    assert caught.value.status is RPCStatusCode.INVALID_ARGUMENT
    assert "supported is" in caught.value.message
    assert "at character" in caught.value.message


@pytest.mark.parametrize("query", ["GROUP BY WorkflowType", "GROUP", "GROUP BY ExecutionStatus AND"])
def test_counting_groups_by_status_only(query):
    with pytest.raises(RPCError, match="only GROUP BY ExecutionStatus"):
        parse_filter(query, grouping=True)


@pytest.mark.parametrize("query", [None, "", "   "])
def test_no_filter_filters_nothing(query):
    assert parse_filter(query) == Filter()


def test_every_status_has_the_name_that_temporal_gives_it():
    assert list(STATUS_NAMES) == [
        "Running",
        "Completed",
        "Failed",
        "Canceled",
        "Terminated",
        "ContinuedAsNew",
        "TimedOut",
    ]


@given(st.text(min_size=1), st.sampled_from("'\""))
def test_any_text_survives_quoting(text, quote):
    quoted = quote + text.replace("\\", "\\\\").replace(quote, quote * 2) + quote
    assert parse_filter(f"WorkflowId = {quoted}").workflow_id == text


@given(st.text())
def test_any_filter_is_either_understood_or_refused(text):
    try:
        found = parse_filter(text)
    except RPCError as refused:
        status = refused.status
    else:
        status = None if isinstance(found, Filter) else found
    assert status in (None, RPCStatusCode.INVALID_ARGUMENT)


async def test_times_and_lists_of_statuses_reach_the_engine(client: Client, frontend: FakeFrontend):
    frontend.answer("list_workflows", [])
    query = (
        "StartTime >= '2026-11-25' and StartTime < '2026-11-26T00:00:00Z' AND CloseTime > '2026-11-25T01:00:00+01:00' "
        "AND ExecutionStatus IN ('Failed', 'TimedOut')"
    )
    assert [each async for each in client.list_workflows(query)] == []
    request = frontend.only("list_workflows")
    day = 1_795_564_800_000_000
    assert (request.started_from, request.started_before) == (day, day + 86_400_000_000)
    assert (request.closed_from, request.closed_before) == (day + 1, 0)
    assert request.statuses == [3, 7]


@pytest.mark.parametrize(
    ("query", "period"),
    [
        ("StartTime = '1970-01-01T00:00:01Z'", (1_000_000, 1_000_001)),
        ("StartTime <= '1970-01-01T00:00:01Z'", (0, 1_000_001)),
        ("StartTime BETWEEN '1970-01-01T00:00:01Z' AND '1970-01-01T00:00:02Z'", (1_000_000, 2_000_001)),
        ("StartTime > '1970-01-01T00:00:01Z' AND StartTime >= '1970-01-01'", (1_000_001, 0)),
        ("StartTime < '1970-01-01T00:00:02Z' AND StartTime < '1970-01-01T00:00:03Z'", (0, 2_000_000)),
    ],
)
def test_periods_are_read_to_the_microsecond_and_meet(query: str, period: tuple[int, int]):
    assert parse_filter(query).started == period


@pytest.mark.parametrize(
    "query",
    [
        "StartTime > '2026-11-26' AND StartTime < '2026-11-25'",
        "ExecutionStatus IN ('Failed') AND ExecutionStatus = 'Running'",
    ],
)
def test_periods_and_lists_that_do_not_meet_select_nothing(query: str):
    assert parse_filter(query).impossible


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("StartTime > 'yesterday'", "is no date and time such as"),
        ("StartTime != '2026-11-25'", "expected =, <, <=, >, >= or BETWEEN"),
        ("StartTime BETWEEN '2026-11-25'", "expected AND in BETWEEN"),
        ("ExecutionStatus IN 'Failed'", "expected ( after IN"),
        ("ExecutionStatus IN ('Fail')", "did you mean 'Failed'"),
        ("ExecutionStatus IN ('Failed'", "expected ) after the list"),
    ],
)
def test_a_mistake_in_a_period_or_list_is_named(query: str, said: str):
    with pytest.raises(RPCError) as caught:
        parse_filter(query)
    assert said in str(caught.value)


async def test_counting_by_time_looks_at_the_runs(client: Client, frontend: FakeFrontend):
    frontend.answer("list_workflows", [run("a"), run("b", FAILED)])
    assert (await client.count_workflows("StartTime > '2026-11-25'")).count == 2
