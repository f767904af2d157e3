"""Type hints: what Temporal's converter makes of a value, ours makes too."""

from __future__ import annotations

import collections
import collections.abc
import dataclasses
import enum
import typing
import uuid
from datetime import UTC, datetime
from typing import Annotated, Any, Final, Generic, Literal, NamedTuple, NewType, Optional, TypedDict, TypeVar, Union

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from temporalio.converter import value_to_type as temporal_value_to_type

from durable_nb.converter import JSONTypeConverter, value_to_type
from durable_nb.converter.type_hints import MAXIMUM_PLANS, TypePlans
from durable_nb.errors import DurableError, PayloadDecodeError

T = TypeVar("T")


class Level(enum.IntEnum):
    LOW = 1
    HIGH = 2


class Colour(enum.StrEnum):
    RED = "red"


class OldColour(str, enum.Enum):  # noqa: UP042 - the older way to write it
    RED = "red"


class Plain(enum.Enum):
    A = 1


UserId = NewType("UserId", int)
Names = NewType("Names", list[str])


@dataclasses.dataclass
class Line:
    sku: str
    count: int = 1


@dataclasses.dataclass
class Order:
    id: str
    lines: list[Line]
    note: str | None = None
    at: datetime | None = None
    by_level: dict[Level, Line] = dataclasses.field(default_factory=dict)
    computed: int = dataclasses.field(default=0, init=False)


@dataclasses.dataclass
class Node:
    name: str
    children: list["Node"] = dataclasses.field(default_factory=list)  # noqa: UP037 - a string on purpose


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Frozen:
    a: int
    b: int = dataclasses.field(default=2, init=False)


@dataclasses.dataclass
class Box(Generic[T]):
    item: T
    items: list[T] = dataclasses.field(default_factory=list)


class Movie(TypedDict, total=False):
    title: str
    year: int
    lines: list[Line]


class Point(NamedTuple):
    x: float
    y: float = 0.0


class Identifier(str):
    __slots__ = ()


VALUES: list[Any] = [
    None,
    True,
    0,
    1,
    2,
    -3,
    1.5,
    float("nan"),
    "",
    "red",
    "1",
    "true",
    "abc",
    "2025-01-02T03:04:05.000006+00:00",
    "2025-01-02",
    "00000000-0000-0000-0000-000000000005",
    [],
    [1, 2],
    [1, "a"],
    ["a", "b"],
    [[1], [2]],
    [300],
    [1.5, None],
    {},
    {"a": 1},
    {"1": "x", "2": "y"},
    {"true": 1},
    {"null": 1},
    {"1.5": 1},
    {"sku": "s"},
    {"sku": "s", "count": 2, "extra": 1},
    {"sku": 1},
    {"count": 2},
    {"id": "o", "lines": [{"sku": "s"}, {"sku": "t", "count": 3}], "note": "n", "computed": 9},
    {"id": "o", "lines": [], "at": "2025-01-01T00:00:00Z", "by_level": {"2": {"sku": "s"}}},
    {"id": "o", "lines": "nope"},
    {"name": "n", "children": [{"name": "m", "children": []}]},
    {"a": 1, "b": 7},
    {"title": "t", "year": 1999, "other": [1]},
    {"title": "t", "lines": [{"sku": "s"}]},
]

HINTS: list[Any] = [
    Any,
    int,
    float,
    bool,
    str,
    bytes,
    type(None),
    datetime,
    uuid.UUID,
    UserId,
    Names,
    Literal[1, "a", "red"],
    Literal["x"],
    Optional[int],  # noqa: UP045 - typing's spelling is what is tested, here and below
    int | None,
    Union[int, str],  # noqa: UP007
    Union[str, int],  # noqa: UP007
    int | float,
    float | int,
    Line | Order,
    Order | Line | None,
    list,
    list,
    list[int],
    list[str],
    list[list[int]],
    list[Any],
    list[T],
    list[int],
    collections.abc.Sequence[int],
    collections.abc.Iterable[str],
    typing.Sequence[float],
    collections.abc.Set[int],
    set,
    set[int],
    frozenset[int],
    collections.deque,
    collections.deque[int],
    tuple,
    tuple[int, ...],
    tuple[int, str],
    tuple[int, int, int],
    tuple[Any, ...],
    dict,
    dict,
    dict[str, int],
    dict[str, Any],
    dict[Any, int],
    dict[int, str],
    dict[float, int],
    dict[bool, int],
    dict[None, int],
    dict[type(None), int],
    dict[Level, Any],
    dict[Colour, int],
    dict[UserId, str],
    dict[int | str, Any],
    dict[str, T],
    collections.abc.Mapping[str, int],
    typing.Mapping[str, Line],
    collections.OrderedDict[str, int],
    Level,
    Colour,
    OldColour,
    Plain,
    Line,
    Order,
    Node,
    Frozen,
    Movie,
    list[Line],
    list[Line | None],
    typing.Callable,
]


def outcome(convert: Any, hint: Any, value: Any) -> Any:
    try:
        return convert(hint, value)
    except Exception as error:
        return error


@pytest.mark.parametrize("hint", HINTS, ids=str)
def test_conversions_are_those_of_temporal(hint: Any) -> None:
    for value in VALUES:
        theirs = outcome(temporal_value_to_type, hint, value)
        mine = outcome(value_to_type, hint, value)
        if isinstance(theirs, Exception):
            if hint == dict[None, int] or (hint is typing.Callable and callable(value)):
                continue
            assert isinstance(mine, PayloadDecodeError), (hint, value, mine)
        else:
            assert type(mine) is type(theirs), (hint, value, mine)
            assert repr(mine) == repr(theirs), (hint, value)


scalars = st.none() | st.booleans() | st.integers(-5, 5) | st.floats(-2, 2) | st.sampled_from(["red", "1", "a", "b"])
nested = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["sku", "count", "id", "lines", "name", "children", "1"]), inner, max_size=4)
    ),
    max_leaves=8,
)


@pytest.mark.slow
@settings(max_examples=200)
@given(nested, st.sampled_from(HINTS))
def test_any_conversion_is_temporals(value: Any, hint: Any) -> None:
    theirs = outcome(temporal_value_to_type, hint, value)
    mine = outcome(value_to_type, hint, value)
    if isinstance(theirs, Exception):
        assert isinstance(mine, PayloadDecodeError) or hint == dict[None, int]
    else:
        assert repr(mine) == repr(theirs)


def test_unions_that_compare_equal_convert_in_their_own_order() -> None:
    assert (int | float) == (float | int)
    assert type(value_to_type(int | float, 1)) is int
    assert type(value_to_type(float | int, 1)) is float


@pytest.mark.parametrize(
    ("hint", "value", "expected"),
    [
        (object, {"a": 1}, {"a": 1}),
        (T, [1], [1]),
        (Annotated[int, "positive"], 3, 3),
        (Final[int], 3, 3),
        (Point, [1, 2.5], Point(1.0, 2.5)),
        (Point, [1], Point(1.0)),
        (list[Point], [[1, 2]], [Point(1.0, 2.0)]),
        (Box[int], {"item": 1, "items": [2]}, Box(1, [2])),
        (Box[Line], {"item": {"sku": "s"}, "items": [{"sku": "t"}]}, Box(Line("s"), [Line("t")])),
        (Box, {"item": {"sku": "s"}}, Box({"sku": "s"})),
        (Identifier, "abc", Identifier("abc")),
        (dict[str, int] | None, None, None),
    ],
    ids=str,
)
def test_hints_beyond_temporals_are_converted_sensibly(hint: Any, value: Any, expected: Any) -> None:
    result = value_to_type(hint, value)
    assert result == expected
    assert type(result) is type(expected)


def test_numpy_scalar_hints_are_restored() -> None:
    import numpy as np

    result = value_to_type(np.int32, 3)
    assert (result, result.dtype) == (3, np.int32)


def test_recursive_classes_are_converted() -> None:
    tree = value_to_type(Node, {"name": "a", "children": [{"name": "b", "children": [{"name": "c"}]}]})
    assert tree == Node("a", [Node("b", [Node("c")])])


@pytest.mark.parametrize(
    ("hint", "value", "message"),
    [
        (int, "abc", r"to int: \$: expected int, got str 'abc'"),
        (
            Order,
            {"id": "o", "lines": [{"sku": "s"}, {"sku": 5}]},
            r"to Order: \$.lines\[1\].sku: expected str, got int 5",
        ),
        (Order, {"lines": []}, r"\$: Order needs 'id', which the stored object has not"),
        (dict[str, list[int]], {"a b": [1, "x"]}, r'\$\["a b"\]\[1\]: expected int'),
        (dict[int, str], {"x": "y"}, r"\$: key 'x' is no int"),
        (Level, 7, r"\$: expected one of 1, 2 for Level, got int 7"),
        (list[Level], ["x"], r"\$\[0\]: expected int for Level"),
        (Line, [1], r"\$: expected a JSON object for Line, got list \[1\]"),
        (datetime, "x", "a datetime in ISO 8601"),
        (int | None, "x", r"fits no member of int \| None"),
        (Literal["a"], "b", "expected one of 'a'"),
        (tuple[int, int], [1, 2, 3], "expected 2 values"),
        (Point, [1, 2, 3], "at most 2 items for Point"),
        (uuid.UUID, "x", "UUID refused it: ValueError"),
        (set[list[int]], [[1]], "set refused it: TypeError: unhashable"),
        (Plain, 1, "values of type Plain cannot be made from JSON"),
        (int, float("inf"), "expected int"),
        (Movie, {"lines": [{}]}, r"\$.lines\[0\]: Line needs 'sku'"),
    ],
    ids=str,
)
def test_errors_name_the_type_the_path_and_what_was_found(hint: Any, value: Any, message: str) -> None:
    with pytest.raises(PayloadDecodeError, match=message) as caught:
        value_to_type(hint, value)
    assert isinstance(caught.value, TypeError)
    assert isinstance(caught.value, DurableError)
    assert caught.value.fix


def test_long_values_are_quoted_in_part() -> None:
    with pytest.raises(PayloadDecodeError) as caught:
        value_to_type(int, "x" * 5000)
    assert len(str(caught.value)) < 400


def test_an_exception_of_the_class_itself_is_the_cause() -> None:
    @dataclasses.dataclass
    class Positive:
        n: int

        def __post_init__(self) -> None:
            if self.n < 0:
                raise ValueError("n must be positive")

    # the name must be found by get_type_hints, hence no nested hint
    with pytest.raises(ValueError, match="Positive refused it: ValueError: n must be positive") as caught:
        value_to_type(Positive, {"n": -1})
    assert isinstance(caught.value.__cause__, ValueError)


def test_a_hint_that_cannot_be_resolved_is_named() -> None:
    @dataclasses.dataclass
    class Broken:
        x: "NoSuchClass"  # type: ignore[name-defined] # noqa: F821, UP037

    with pytest.raises(PayloadDecodeError, match=r"Broken.* cannot be resolved: name 'NoSuchClass'"):
        value_to_type(Broken, {"x": 1})


class SecondsConverter(JSONTypeConverter):
    def to_typed_value(self, hint: type, value: Any) -> Any:
        return datetime.fromtimestamp(value, UTC) if hint is datetime else JSONTypeConverter.Unhandled


def test_custom_converters_are_asked_first_at_every_level() -> None:
    converters = [SecondsConverter()]
    expected = datetime(1970, 1, 1, 0, 0, 1, tzinfo=UTC)
    assert value_to_type(datetime, 1, converters) == expected
    assert value_to_type(dict[str, list[datetime]], {"a": [1]}, converters) == {"a": [expected]}
    assert value_to_type(datetime | None, 1, converters) == expected
    assert value_to_type(int, 1, converters) == 1


def test_hints_made_anew_at_each_call_do_not_pile_up() -> None:
    plans = TypePlans()
    for _ in range(MAXIMUM_PLANS + 10):
        assert plans.convert(list[int], [1]) == [1]
    assert len(plans._plans) <= MAXIMUM_PLANS
