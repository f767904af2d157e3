"""``@activity.defn``: what it accepts and refuses, and what the decorated object still is."""

from __future__ import annotations

import asyncio
import functools
import inspect
import pickle
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest

from durable_nb import activity
from durable_nb.activity._definition import ATTRIBUTE, ActivityDefinition, definition_of, must_have_definition
from durable_nb.common import RawValue, RetryPolicy


@dataclass
class Order:
    item: str


@activity.defn
async def charge(order: Order, note: str = "none") -> str:
    """Take the money."""
    return f"{order.item}/{note}"


@activity.defn(name="ship-it", no_thread_cancel_exception=True)
def ship(order: Order) -> str:
    return order.item


class Shop:
    def __init__(self, name: str) -> None:
        self.name = name

    @activity.defn
    async def open_door(self, key: int) -> str:
        return f"{self.name} {key}"

    @activity.defn
    def close_door(self, key: int) -> str:
        return f"{self.name} {key}"


@activity.defn
class Refund:
    def __init__(self, rate: float) -> None:
        self.rate = rate

    async def __call__(self, amount: float) -> float:
        return amount * self.rate


def definition(fn: Any) -> ActivityDefinition:
    return must_have_definition(fn)


def test_an_async_activity_stays_an_async_function() -> None:
    assert inspect.iscoroutinefunction(charge)
    assert asyncio.run(charge(Order("book"))) == "book/none"


def test_a_sync_activity_stays_a_plain_function_outside_workflows() -> None:
    assert not inspect.iscoroutinefunction(ship)
    assert ship(Order("book")) == "book"
    assert ship(order=Order("pen")) == "pen"


def test_source_name_doc_and_signature_are_those_of_the_function() -> None:
    assert "Take the money." in inspect.getsource(charge)
    assert (charge.__name__, charge.__doc__) == ("charge", "Take the money.")
    assert list(inspect.signature(charge).parameters) == ["order", "note"]
    assert charge.__wrapped__ is not charge


def test_a_decorated_function_pickles_by_name() -> None:
    assert pickle.loads(pickle.dumps(charge)) is charge


def test_the_definition_holds_name_hints_and_kind() -> None:
    assert (definition(charge).name, definition(charge).arg_types, definition(charge).ret_type) == (
        "charge",
        [Order, str],
        str,
    )
    assert definition(charge).is_async
    assert not definition(ship).is_async
    assert definition(ship).name == "ship-it"
    assert definition(ship).no_thread_cancel_exception
    assert getattr(charge, ATTRIBUTE).name == "charge"


def test_a_bound_method_runs_with_its_own_instance() -> None:
    found = definition(Shop("north").open_door)
    assert (found.name, found.arg_types, found.arity) == ("open_door", [int], (1, 1))
    assert asyncio.run(found.run(5)) == "north 5"


def test_an_instance_of_a_decorated_class_is_an_activity() -> None:
    found = definition(Refund(0.5))
    assert (found.name, found.is_async, found.arg_types, found.arity) == ("Refund", True, [float], (1, 1))
    assert asyncio.run(found.run(10.0)) == 5.0
    assert asyncio.run(Refund(0.5)(10.0)) == 5.0


def test_a_wrapper_put_on_top_by_the_user_is_what_runs() -> None:
    def doubled(fn: Any) -> Any:
        @functools.wraps(fn)
        def call(*args: Any) -> Any:
            return fn(*args) * 2

        return call

    @doubled
    @activity.defn
    def one(text: str) -> str:
        return text

    assert definition(one).name == "one"
    assert definition(one).run("ab") == "abab"


def test_hints_are_read_late_so_that_a_later_cell_may_define_the_class() -> None:
    space: dict[str, Any] = {"activity": activity}
    exec("from __future__ import annotations\n@activity.defn\nasync def later(x: Later) -> None: ...", space)
    with pytest.raises(NameError, match=r"type hints of activity later cannot be read: .*'Later'"):
        _ = definition(space["later"]).arg_types
    space["Later"] = Order
    assert definition(space["later"]).arg_types == [Order]


def test_a_parameter_without_annotation_counts_and_has_no_hint() -> None:
    @activity.defn
    def mixed(a: int, b) -> None:
        """Nothing."""

    @activity.defn
    def any_number(*values: int) -> None:
        """Nothing."""

    assert definition(mixed).arg_types == [int, None]
    assert definition(any_number).arg_types is None
    assert definition(any_number).arity == (0, None)


def test_options_are_kept_for_direct_calls() -> None:
    policy = RetryPolicy(maximum_attempts=3)

    @activity.defn(start_to_close_timeout=timedelta(seconds=5), retry_policy=policy, summary="pay")
    async def pay() -> None: ...

    assert definition(pay).options == {
        "start_to_close_timeout": timedelta(seconds=5),
        "retry_policy": policy,
        "summary": "pay",
    }


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"start_to_close_timeout": 30}, r"start_to_close_timeout must be a timedelta, got 30"),
        ({"start_to_close": timedelta(1)}, r"unexpected keyword argument 'start_to_close'; did you mean 'start_to_cl"),
        ({"colour": 1}, r"unexpected keyword argument 'colour'$"),
    ],
)
def test_wrong_options_are_refused_with_the_remedy(options: dict[str, Any], message: str) -> None:
    with pytest.raises(TypeError, match=message):
        activity.defn(**options)(lambda: None)


def test_decorating_twice_is_refused() -> None:
    with pytest.raises(ValueError, match="already contains activity definition"):
        activity.defn(charge)


def test_what_cannot_be_an_activity_is_refused() -> None:
    with pytest.raises(TypeError, match="keyword-only"):
        activity.defn(lambda *, a: a)
    with pytest.raises(TypeError, match="not callable"):
        activity.defn(5)  # type: ignore[call-overload]
    with pytest.raises(TypeError, match="write @staticmethod on the line above"):
        activity.defn(staticmethod(lambda: None))
    with pytest.raises(ValueError, match="dynamic activity cannot have a name"):
        activity.defn(name="x", dynamic=True)(lambda: None)  # type: ignore[call-overload]
    with pytest.raises(TypeError, match=r"Activity test_what_cannot_be_an_activity_is_refused missing attributes"):
        must_have_definition(test_what_cannot_be_an_activity_is_refused)
    assert definition_of(len) is None


def test_a_dynamic_activity_takes_one_sequence_of_raw_values() -> None:
    @activity.defn(dynamic=True)
    async def anything(args: Sequence[RawValue]) -> None: ...

    assert definition(anything).name is None
    with pytest.raises(TypeError, match="must accept a single Sequence"):

        @activity.defn(dynamic=True)
        async def wrong(args: list[int]) -> None: ...


@pytest.mark.parametrize(
    ("fn", "count", "message"),
    [
        (charge, 0, r"activity charge takes 1 to 2 arguments but was called with 0: it is defined as \(order: "),
        (charge, 3, r"takes 1 to 2 arguments but was called with 3"),
        (ship, 2, r"activity ship-it takes 1 argument but was called with 2"),
    ],
)
def test_a_wrong_number_of_arguments_is_explained(fn: Any, count: int, message: str) -> None:
    error = definition(fn).argument_error(count)
    assert error is not None
    with pytest.raises(TypeError, match=message):
        raise error


def test_a_fitting_number_of_arguments_is_no_error() -> None:
    assert definition(charge).argument_error(1) is None
    assert definition(charge).argument_error(2) is None


def test_keywords_of_a_direct_call_become_positions() -> None:
    assert definition(charge).positional((), {"order": Order("a")}) == (Order("a"), "none")
    assert definition(charge).positional((Order("a"),), {}) == (Order("a"),)
    shop = Shop("s")
    assert getattr(Shop.open_door, ATTRIBUTE).positional((shop, 5), {}) == (5,)
    assert getattr(Shop.open_door, ATTRIBUTE).positional((shop,), {"key": 5}) == (5,)
    with pytest.raises(TypeError, match="takes 1 to 2 arguments"):
        definition(charge).positional((), {})
