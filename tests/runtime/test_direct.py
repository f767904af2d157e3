"""Notebook sugar: function workflows, and activities that are called directly."""

from __future__ import annotations

import asyncio
import inspect
from datetime import timedelta
from typing import Any

from durable_nb import activity, workflow
from durable_nb.model import attributes as a
from durable_nb.runtime import direct
from tests.runtime.driver import SECOND, Driver


@activity.defn
async def charge(amount: int, currency: str = "EUR") -> str:
    return f"charged {amount} {currency}"


@activity.defn(start_to_close_timeout=timedelta(seconds=30))
def sync(amount: int) -> int:
    return amount


@workflow.defn
async def shop(amounts: list[int]) -> list[Any]:
    first = await charge(amounts[0], currency="USD")
    rest = await asyncio.gather(*[charge(each) for each in amounts[1:]])
    return [first, *rest, await sync(1)]  # type: ignore[misc]


def test_a_direct_call_schedules_the_activity_with_the_options_of_its_decorator() -> None:
    d = Driver(shop, [1, 2, 3])
    d.task()
    at: Any = d.of(a.ActivityTaskScheduled).attributes
    assert at.activity_type == "charge"
    assert at.start_to_close_timeout == direct.DEFAULT_START_TO_CLOSE / timedelta(microseconds=1)
    assert [each.data for each in at.input] == [b"1", b'"USD"']
    d.complete("1", "one")
    d.task()
    assert d.commands() == ["ActivityTaskScheduled"] * 2
    d.complete("2", "two")
    d.complete("3", "three")
    d.task()
    at = d.of(a.ActivityTaskScheduled).attributes
    assert (at.activity_type, at.start_to_close_timeout) == ("sync", 30 * SECOND)
    d.complete("sync", 1)
    d.task()
    assert d.result == ["one", "two", "three", 1]
    assert d.replay().failure is None


def test_outside_workflow_code_it_stays_a_plain_function() -> None:
    assert asyncio.run(charge(5)) == "charged 5 EUR"
    assert sync(4) == 4
    assert inspect.iscoroutinefunction(charge)
    assert not inspect.iscoroutinefunction(sync)
    assert "charged" in inspect.getsource(charge)
    assert not direct.in_workflow()


def test_a_function_workflow_is_a_plain_coroutine_function_elsewhere() -> None:
    assert inspect.iscoroutinefunction(shop)
    assert asyncio.run(shop_of_nothing()) == 0


async def shop_of_nothing() -> int:
    return len([])
