"""Looking at a moment of a run, live or past; by the public names only."""

from __future__ import annotations

import gc
import pdb  # noqa: T100
import weakref
from typing import Any

import pytest

from durable_nb import workflow
from durable_nb.client import Client
from durable_nb.errors import DefinitionMissingError
from tests.acceptance.baskets import TALLY, Basket, event_of, has_prices, paid_basket, price
from tests.acceptance.world import MINUTE, serving, start
from tests.waiting import recorded

pytestmark = pytest.mark.usefixtures("whole_baskets")


async def test_a_moment_has_the_locals_the_object_and_the_line_where_the_code_stood(client: Client) -> None:
    async with serving(client, Basket, activities=[price]):
        handle = await paid_basket(client)
        first = await event_of(handle, "ActivityTaskScheduled")
        moment = await handle.at(first)
    assert moment.locals == {"items": ["ab", "cde"], "position": 0, "item": "ab"}
    assert isinstance(moment.workflow, Basket)
    assert moment.attributes == {"total": 0, "paid": False, "notes": []}
    assert moment.where is not None
    current = next(line.text.strip() for line in moment.where.source if line.current)
    assert current.startswith("cost = await workflow.execute_activity(price")
    assert [(each.activity_id, each.activity_type) for each in moment.activities] == [("1", "price")]
    assert moment.event_id == first
    assert moment.note == f"the end of the workflow task that took in event {first}, completed by event 4"


async def test_an_event_in_the_middle_of_a_task_shows_the_end_of_that_task(client: Client) -> None:
    async with serving(client, Basket, activities=[price]):
        handle = await paid_basket(client)
        completed = await event_of(handle, "ActivityTaskCompleted")
        states = [(await handle.at(n)).attributes["total"] for n in (1, 3, 5, completed - 1, completed, completed + 2)]
    assert states == [0, 0, 0, 2, 2, 2]


async def test_handlers_that_wait_are_shown_with_their_own_locals(client: Client) -> None:
    async with serving(client, Basket, activities=[price]):
        handle = await paid_basket(client)
        moment = await handle.at(await event_of(handle, "WorkflowExecutionSignaled"))
    names = [task.name for task in moment.tasks]
    assert names == ["run", "signal: pay"]
    assert moment.tasks[1].frames[0].variables["receipt"] == "receipt card"
    assert moment.handlers == ["signal: pay"]
    assert len(moment.conditions) == 1
    assert [line.text.strip() for line in moment.conditions[0].source if line.current] == [
        "await workflow.wait_condition(lambda: self.paid)"
    ]
    assert len(moment.timers) == 1


async def test_the_last_event_shows_the_locals_with_which_the_code_returned(client: Client) -> None:
    async with serving(client, Basket, activities=[price]):
        handle = await paid_basket(client)
        moment = await handle.at(-1)
    assert moment.is_closed
    assert moment.locals["limit"] == 100
    assert moment.attributes["notes"] == ["0:2", "1:3", "receipt card"]


async def test_looking_back_changes_nothing_and_runs_no_activity(client: Client) -> None:
    async with serving(client, Basket, activities=[price]):
        handle = await start(client, Basket.run, ["ab"])
        await has_prices(handle, 1)
        before = (await handle.fetch_history()).events
        for n in range(1, len(before) + 1):
            (await handle.at(n)).attributes["notes"].append("vandal")
        assert (await handle.fetch_history()).events == before
        assert TALLY == ["ab"]
        await handle.signal(Basket.pay, "cash")
        assert await handle.result() == "paid 2"
        assert (await handle.at(-1)).attributes["notes"] == ["0:2", "receipt cash"]


async def test_an_event_that_does_not_exist_is_refused(client: Client) -> None:
    async with serving(client, Basket, activities=[price]):
        handle = await paid_basket(client)
        with pytest.raises(ValueError, match=r"no event 999: the history has events 1 to \d+"):
            await handle.at(999)


async def test_without_a_worker_the_definition_is_passed(client: Client) -> None:
    async with serving(client, Basket, activities=[price]):
        handle = await paid_basket(client)
    with pytest.raises(DefinitionMissingError, match="no worker of this process has workflow 'Basket'"):
        await handle.at(5)
    assert (await handle.at(5, workflows=[Basket])).locals["item"] == "ab"


async def test_a_failing_task_shows_where_it_raises_and_with_what(client: Client) -> None:
    async with serving(client, Stumbles, activities=[price]):
        handle = await start(client, Stumbles.run, "ab")
        await recorded(handle, "WorkflowTaskFailed")
        moment = await handle.at(-1)
        assert isinstance(moment.error, KeyError)
        assert moment.locals == {"item": "ab", "cost": 2, "rates": {"cd": 1}}
        assert [line.text.strip() for line in moment.where.source if line.current] == ["return cost * rates[item]"]
        assert "fails" in moment.note
        await handle.terminate()


@workflow.defn
class Stumbles:
    @workflow.run
    async def run(self, item: str) -> int:
        cost = await workflow.execute_activity(price, item, start_to_close_timeout=MINUTE)
        rates = {"cd": 1}
        return cost * rates[item]


async def test_a_moment_lets_go_of_its_run(client: Client) -> None:
    async with serving(client, Basket, activities=[price]):
        handle = await paid_basket(client)
        moment = await handle.at(5)
        workflow_object = weakref.ref(moment.workflow)
        del moment
        gc.collect()
    assert workflow_object() is None


async def test_a_breakpoint_stops_in_a_replay(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    stops: list[dict[str, Any]] = []

    class Recorder(pdb.Pdb):
        def interaction(self, frame: Any, traceback: Any) -> None:
            stops.append(dict(frame.f_locals))
            self.set_continue()

    monkeypatch.setattr("sys.breakpointhook", lambda: Recorder(nosigint=True).set_trace(frame_of_caller()))
    async with serving(client, Stops, activities=[price]):
        handle = await start(client, Stops.run, 3)
        await handle.result()
        stops.clear()
        await handle.at(-1, debug=True)
    assert [each["n"] for each in stops] == [0, 1, 2]


def frame_of_caller() -> Any:
    import sys

    return sys._getframe(2)


@workflow.defn
class Stops:
    @workflow.run
    async def run(self, count: int) -> int:
        for n in range(count):  # noqa: B007 - the debugger looks at it
            await workflow.sleep(0.001)
            if workflow.unsafe.is_replaying():
                breakpoint()  # noqa: T100 - what is tested
        return count
