"""Hints that are type aliases: the ``type`` statement of Python 3.12, and ``TypeAliasType`` of typing_extensions."""

from __future__ import annotations

from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any, TypeVar

import pytest
from typing_extensions import TypeAliasType

from durable_nb.converter import value_to_type
from durable_nb.errors import PayloadDecodeError

A = TypeVar("A")
B = TypeVar("B")


@dataclass
class Point:
    x: int


Swapped = TypeAliasType("Swapped", tuple[B, A], type_params=(A, B))
Same = TypeAliasType("Same", A, type_params=(A,))
Maybe = TypeAliasType("Maybe", A | None, type_params=(A,))
Points = TypeAliasType("Points", list[Point])


@pytest.mark.parametrize(
    ("hint", "value", "expected"),
    [
        (Points, [{"x": 1}], [Point(1)]),
        (dict[str, Points], {"a": [{"x": 1}]}, {"a": [Point(1)]}),
        (Swapped[int, Point], [{"x": 1}, 2], (Point(1), 2)),
        (Same[Point], {"x": 1}, Point(1)),
        (Maybe[Point], {"x": 1}, Point(1)),
        (Maybe[Point], None, None),
        (Same, {"x": 1}, {"x": 1}),
        (Swapped, [{"x": 1}, 2], ({"x": 1}, 2)),
    ],
)
def test_an_alias_is_what_it_stands_for(hint: Any, value: Any, expected: Any) -> None:
    assert value_to_type(hint, value) == expected


def test_a_mismatch_names_the_alias_and_the_place() -> None:
    with pytest.raises(PayloadDecodeError, match=r"to Points: \$\[0\]\.x: expected int, got str 'q'"):
        value_to_type(Points, [{"x": "q"}])


@pytest.fixture(scope="module")
def written() -> SimpleNamespace:
    names: dict[str, Any] = {"Point": Point}
    text = """if True:
        type Json = dict[str, Json] | list[Json] | str | int | float | bool | None
        type Tree = list[Tree]
        type Nested[T] = T | list[Nested[T]]
        type Many[*Ts] = tuple[*Ts]
        type Missing = list[Nowhere]
    """
    exec(text, names)
    return SimpleNamespace(**names)


@pytest.mark.since_python(3, 12)
def test_an_alias_may_name_itself(written: SimpleNamespace) -> None:
    value = {"a": [1, {"b": None}, "text", 1.5, True]}
    assert repr(value_to_type(written.Json, value)) == repr(value)
    assert value_to_type(written.Tree, [[], [[]]]) == [[], [[]]]
    assert value_to_type(written.Nested[Point], [{"x": 1}, [{"x": 2}]]) == [Point(1), [Point(2)]]
    with pytest.raises(PayloadDecodeError, match=r"\$\[0\]\[0\]"):
        value_to_type(written.Tree, [[1]])


@pytest.mark.since_python(3, 12)
def test_an_alias_of_any_number_of_types(written: SimpleNamespace) -> None:
    assert value_to_type(written.Many[int, Point], [1, {"x": 1}]) == (1, Point(1))


@pytest.mark.since_python(3, 12)
def test_an_alias_of_something_unknown_says_so(written: SimpleNamespace) -> None:
    with pytest.raises(PayloadDecodeError, match="type alias Missing cannot be resolved: name 'Nowhere'"):
        value_to_type(written.Missing, [1])
