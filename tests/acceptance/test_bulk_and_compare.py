"""Many runs at once, tried before they are done; and two runs side by side."""

from __future__ import annotations

import re

import pandas as pd
import pytest

from durable_nb.client import Client, WorkflowExecutionStatus
from durable_nb.service import RPCError
from tests.acceptance.baskets import (
    BROKEN,
    TALLY,
    Basket,
    Patient,
    event_of,
    flaky,
    has_prices,
    paid_basket,
    price,
)
from tests.acceptance.world import backs_off, serving, start
from tests.waiting import until

pytestmark = pytest.mark.usefixtures("whole_baskets")


async def waiting_basket(client: Client, *items: str):
    handle = await start(client, Basket.run, list(items))
    await has_prices(handle, len(items))
    return handle


# -- bulk --------------------------------------------------------------------------------------------------------------


async def test_a_plan_says_what_would_happen_and_why_not_and_writes_nothing(client: Client) -> None:
    async with serving(client, Basket, Patient, activities=[price, flaky]):
        BROKEN["slow"] = True
        stuck = await start(client, Patient.run)
        await until(lambda: backs_off(stuck))
        open_run = await waiting_basket(client, "ab")
        closed = await paid_basket(client)
        frame = pd.DataFrame({"workflow_id": [stuck.id, open_run.id, closed.id, "nobody", stuck.id]})
        plan = await client.bulk("retry", frame)
        assert [row.workflow_id for row in plan.rows] == [stuck.id, open_run.id, closed.id, "nobody"]
        assert [(row.workflow_id, row.would) for row in plan.ready] == [(stuck.id, "tried now: flaky (1)")]
        problems = {row.workflow_id: row.problem for row in plan.refused}
        assert "waits for a retry" in problems[open_run.id]
        assert "there is nothing to retry" in problems[closed.id]
        assert "not found" in problems["nobody"]
        assert TALLY.count("slow") == 1
        BROKEN.clear()
        counted: list[tuple[int, int, int]] = []
        await plan.run(lambda *numbers: counted.append(numbers))
        assert await stuck.result() == "SLOW"
        assert counted == [(1, 0, 1)]
        assert list(plan.frame()["done"]) == [True, False, False, False]
        await plan.run()
        assert len(counted) == 1


async def test_forks_of_many_with_an_option_of_each_row(client: Client) -> None:
    async with serving(client, Basket, activities=[price]):
        handles = [await paid_basket(client) for _ in range(3)]
        rows = pd.DataFrame({"workflow_id": [each.id for each in handles], "price": [100, 200, 300]})
        plan = await client.bulk("fork", rows, activity_id="2", result=lambda row: row["price"])
        assert all("the result of activity 2 (price) changed" in row.would for row in plan.rows)
        await plan.run()
        copies = [client.get_workflow_handle(row.new_workflow_id) for row in plan.done]
        assert [await copy.result() for copy in copies] == ["too dear: 102", "too dear: 202", "too dear: 302"]


async def test_copies_of_several_runs_of_one_workflow_get_ids_of_their_own(client: Client) -> None:
    async with serving(client, Basket, activities=[price]):
        first = await paid_basket(client)
        second = await first.reset(first_task=True)  # another run of the same workflow
        await second.result()
        runs = [(first.id, first.result_run_id), (second.id, second.run_id)]
        plan = await client.bulk("fork", runs, activity_id="2", result=200)
        await plan.run()
        assert len({row.new_workflow_id for row in plan.done}) == 2


@pytest.mark.parametrize(
    ("verb", "options", "said"),
    [
        ("fork", {"activity": "1"}, "fork has no option 'activity': did you mean 'activity_id'?"),
        ("retry", {"x": 1}, "retry has no option 'x'; it has activity_id, reason"),
        ("signal", {"signal": "pay", "reson": ""}, "signal has no option 'reson'"),
    ],
)
async def test_an_option_that_a_verb_has_not_is_refused_at_once(client: Client, verb, options, said: str) -> None:
    with pytest.raises(TypeError, match=re.escape(said)):
        await client.bulk(verb, ["a", "b"], **options)


async def test_a_failure_of_one_row_does_not_stop_the_others(client: Client) -> None:
    async with serving(client, Basket, activities=[price]):
        handles = [await waiting_basket(client, "ab") for _ in range(3)]
        plan = await client.bulk("terminate", handles, reason="tidy up")
        assert len(plan.ready) == 3
        await handles[1].terminate()
        await plan.run()
        assert [row.done for row in plan.rows] == [True, False, True]
        assert "already completed" in plan.rows[1].problem


async def test_signals_and_cancels_go_to_open_runs_only(client: Client) -> None:
    async with serving(client, Basket, activities=[price]):
        one, other = await waiting_basket(client, "ab"), await paid_basket(client)
        plan = await client.bulk("signal", [one.id, other.id], signal="pay", args=["cash"])
        assert [row.would for row in plan.ready] == ["gets the signal pay"]
        assert [row.problem for row in plan.refused] == ["it is completed: only an open run can hear of that"]
        await plan.run()
        assert await one.result() == "paid 2"
        last = await waiting_basket(client, "ab")
        await (await client.bulk("cancel", [last])).run()
        await until(lambda: is_status(last, WorkflowExecutionStatus.CANCELED))


async def is_status(handle, status) -> bool:
    return (await handle.describe()).status is status


async def test_reset_of_listed_runs(client: Client) -> None:
    async with serving(client, Basket, activities=[price]):
        handle = await paid_basket(client)
        listed = [each async for each in client.list_workflows(f"WorkflowId = '{handle.id}'")]
        plan = await client.bulk("reset", listed, last_task=True)
        assert len(plan.ready) == 1
        await plan.run()
        assert plan.rows[0].new_run_id not in ("", handle.result_run_id)


@pytest.mark.parametrize(
    ("verb", "runs", "words"),
    [
        ("dance", [], "no bulk verb 'dance': fork, retry"),
        ("retry", pd.DataFrame({"id": ["x"]}), "no column workflow_id"),
        ("retry", [object()], "names no run"),
    ],
)
async def test_what_names_no_run_is_refused(client: Client, verb: str, runs: object, words: str) -> None:
    with pytest.raises((ValueError, TypeError), match=words):
        await client.bulk(verb, runs)


# -- compare -----------------------------------------------------------------------------------------------------------


async def test_a_fork_and_its_original_part_where_the_result_was_edited(client: Client) -> None:
    async with serving(client, Basket, activities=[price]):
        handle = await paid_basket(client)
        copy = await handle.fork(activity_id="2", result=200)
        await copy.result()
        found = await client.compare(handle, copy)
        assert not found.same
        assert (found.parting.step.kind, found.parting.step.name, found.parting.differs) == (
            "activity", "price", ("result",),
        )  # fmt: skip
        assert found.parting.left.ident == "2"
        frame = found.frame()
        assert list(frame["kind"]) == ["workflow", "activity", "activity", "signal", "timer"]
        assert list(frame["differs"]) == ["result", "", "result", "only left", "only left"]
        assert (frame["left_attempts"][1], frame["right_seconds"][1] > 0) == (1, True)


async def test_two_runs_of_the_same_input_are_the_same(client: Client) -> None:
    async with serving(client, Basket, activities=[price]):
        one, other = await paid_basket(client), await paid_basket(client)
        found = await client.compare(one.id, (other.id, other.result_run_id))
        assert found.same
        assert "the same" in repr(found)


async def test_a_run_that_is_not_there_cannot_be_compared(client: Client) -> None:
    with pytest.raises(RPCError, match="not found"):
        await client.compare("nobody", "nobody else")


async def test_events_of_a_comparison_are_those_of_the_histories(client: Client) -> None:
    async with serving(client, Basket, activities=[price]):
        handle = await paid_basket(client)
        found = await client.compare(handle, handle)
        first = await event_of(handle, "ActivityTaskScheduled")
        assert next(pair.left.event_id for pair in found.pairs if pair.step.kind == "activity") == first
