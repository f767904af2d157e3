"""The default converter writes what Temporal's default converter writes, byte for byte."""

from __future__ import annotations

import collections
import dataclasses
import enum
import json
import uuid
from datetime import UTC, datetime, timedelta, timezone
from typing import Any, NamedTuple

import pytest
from google.protobuf.duration_pb2 import Duration
from google.protobuf.struct_pb2 import Struct
from hypothesis import given, settings
from hypothesis import strategies as st
from temporalio.converter import DataConverter as TemporalDataConverter

from durable_nb.converter import (
    AdvancedJSONEncoder,
    DataConverter,
    DefaultPayloadConverter,
    JSONPlainPayloadConverter,
    json_encoding,
)
from durable_nb.model.payload import Payload, as_payload

OURS = DataConverter.default.payload_converter
THEIRS = TemporalDataConverter.default.payload_converter


class Level(enum.IntEnum):
    LOW = 1


class Colour(enum.StrEnum):
    RED = "réd"


class OldColour(str, enum.Enum):  # noqa: UP042 - the older way to write it
    RED = "red"


class Point(NamedTuple):
    x: int
    y: float


@dataclasses.dataclass
class Line:
    sku: str
    at: datetime
    id: uuid.UUID
    tags: set[int] = dataclasses.field(default_factory=set)


@dataclasses.dataclass
class Order:
    zeta: int
    alpha: list[Line]
    by_name: dict[str, Line] = dataclasses.field(default_factory=dict)
    nested: tuple[Any, ...] = ()
    hidden: int = dataclasses.field(default=7, init=False)


@dataclasses.dataclass(frozen=True, slots=True)
class Slotted:
    b: Any
    a: Any = None


class WithDict:
    def dict(self) -> dict[str, Any]:
        return {"z": 1, "a": Slotted(1)}


@dataclasses.dataclass
class ListOfItsOwn(list):  # type: ignore[type-arg]
    name: str = "x"


LINE = Line("é", datetime(2025, 1, 2, 3, 4, 5, 6, UTC), uuid.UUID(int=5), {3})

SPECIAL: list[Any] = [
    None,
    b"",
    b"\x00\xff",
    "",
    "plain",
    'quote " backslash \\ slash / tab \t newline \n nul \x00 del \x7f',
    "é ü 漢字 🎉 \u2028 \ud800",
    0,
    -1,
    2**63,
    -(2**70),
    True,
    False,
    0.0,
    -0.0,
    1e16,
    1e-7,
    1.5,
    123456789.123456789,
    float("nan"),
    float("inf"),
    float("-inf"),
    [],
    {},
    (),
    [None, [True, [1.0]]],
    (1, "a"),
    {"b": 1, "a": {"d": 1, "c": 2}},
    {2: "b", 1: "a", 10: "c"},
    {1.5: 1, 0.5: 2},
    {True: 1, False: 2},
    {None: 1},
    {Colour.RED: 1},
    {Level.LOW: 1},
    set(),
    {5},
    frozenset({"x"}),
    range(3),
    collections.deque([1, 2]),
    collections.OrderedDict(b=1, a=2),
    collections.defaultdict(int, a=1),
    collections.Counter("aab"),
    bytearray(b"ab"),
    [b"ab"],
    pytest.param(memoryview(b"ab"), id="memoryview"),
    uuid.UUID(int=1),
    [uuid.UUID(int=1)],
    datetime(2025, 1, 1),
    datetime(2025, 1, 1, 1, 2, 3, 4, timezone(timedelta(hours=-3, minutes=-30))),
    Level.LOW,
    Colour.RED,
    OldColour.RED,
    Point(1, 2.5),
    LINE,
    Order(1, [LINE, LINE], {"b": LINE, "a": LINE}, (1, (LINE, [LINE]))),
    {"order": Order(1, [])},
    Slotted(Slotted(1, {"k": Slotted(2)}), [Slotted(3)]),
    Slotted({Slotted}, None).a,
    WithDict(),
    [WithDict()],
    Slotted(WithDict()),
    ListOfItsOwn("n"),
    Slotted(ListOfItsOwn("n"), [ListOfItsOwn("m")]),
    {"generator": "x"}.keys(),
    Duration(seconds=3, nanos=5),
    {f"k{n}": n for n in range(40)},
]


@pytest.mark.parametrize("value", SPECIAL, ids=lambda value: repr(value)[:40])
def test_bytes_are_those_of_temporal(value: Any) -> None:
    assert OURS.to_payloads([value]) == [as_payload(each) for each in THEIRS.to_payloads([value])]


def test_generators_become_arrays() -> None:
    assert OURS.to_payload(number for number in (1, 2)).data == b"[1,2]"


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters()),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.text(max_size=4), inner, max_size=4)
        | st.dictionaries(st.integers(), inner, max_size=3)
        | st.dictionaries(st.floats(allow_nan=False), inner, max_size=3)
        | st.tuples(inner, inner)
        | st.builds(Slotted, inner, inner)
    ),
    max_leaves=12,
)
leaves = st.datetimes(timezones=st.none() | st.timezones()) | st.uuids() | st.sampled_from([*Level, *Colour, LINE])


@pytest.mark.slow
@settings(max_examples=150)
@given(json_values | leaves | st.lists(leaves, max_size=3))
def test_any_value_has_the_bytes_of_temporal(value: Any) -> None:
    assert OURS.to_payloads([value]) == [as_payload(each) for each in THEIRS.to_payloads([value])]


@pytest.mark.slow
@settings(max_examples=150)
@given(json_values)
def test_any_stored_value_is_read_as_by_temporal(value: Any) -> None:
    (payload,) = THEIRS.to_payloads([value])
    (mine,), (other,) = OURS.from_payloads([as_payload(payload)]), THEIRS.from_payloads([payload])
    assert repr(mine) == repr(other)


@pytest.mark.parametrize(
    "text",
    [
        '"\\ud800"',
        "NaN",
        "[Infinity,-Infinity]",
        "1e400",
        "-0",
        "-0.0",
        "18446744073709551616",
        '{"a":1,"a":2}',
        " [1 ] ",
    ],
)
def test_json_that_only_python_accepts_is_read_as_python_reads_it(text: str) -> None:
    value = OURS.from_payload(Payload({"encoding": b"json/plain"}, text.encode()))
    assert repr(value) == repr(json.loads(text))


def test_the_public_path_gives_the_same_bytes_where_the_fast_encoder_is_missing(monkeypatch: Any) -> None:
    assert json_encoding._prepared is not None
    values = [value for value in SPECIAL if not isinstance(value, (bytes, Duration, type(None)))]
    fast = [json_encoding.dump(value) for value in values]
    monkeypatch.setattr(json_encoding, "_prepared", None)
    assert [json_encoding.dump(value) for value in values] == fast


def test_protobuf_messages_travel_as_temporal_writes_them() -> None:
    message = Struct()
    message.update({"b": [1, None, "x"], "a": {"c": True}})
    payload = OURS.to_payload(message)
    assert payload == as_payload(THEIRS.to_payload(message))
    assert payload.metadata == {"encoding": b"json/protobuf", "messageType": b"google.protobuf.Struct"}
    assert OURS.from_payload(payload) == message
    wire = Payload(
        {"encoding": b"binary/protobuf", "messageType": b"google.protobuf.Struct"}, message.SerializeToString()
    )
    assert OURS.from_payload(wire) == message


def test_an_encoder_class_of_the_users_is_used() -> None:
    class Encoder(AdvancedJSONEncoder):
        def default(self, o: Any) -> Any:
            return o.total_seconds() if isinstance(o, timedelta) else super().default(o)

    converter = JSONPlainPayloadConverter(encoder=Encoder, encoding="json/mine")
    payload = converter.to_payload({"b": timedelta(seconds=2), "a": uuid.UUID(int=1)})
    assert payload == Payload({"encoding": b"json/mine"}, b'{"a":"00000000-0000-0000-0000-000000000001","b":2.0}')
    assert JSONPlainPayloadConverter(encoder=None).to_payload([1, {"a": "é"}]).data == b'[1,{"a":"\\u00e9"}]'


def test_a_decoder_class_of_the_users_is_used() -> None:
    class Decoder(json.JSONDecoder):
        def decode(self, s: str, *args: Any) -> Any:
            return ["decoded", super().decode(s, *args)]

    converter = JSONPlainPayloadConverter(decoder=Decoder)
    assert converter.from_payload(converter.to_payload(1)) == ["decoded", 1]


def test_the_standard_encodings_stand_in_temporals_order_with_arrow_before_json() -> None:
    encodings = [each.encoding for each in DefaultPayloadConverter.default_encoding_payload_converters]
    assert encodings == [
        "binary/null",
        "binary/plain",
        "json/protobuf",
        "binary/protobuf",
        "binary/arrow",
        "json/plain",
    ]


@pytest.mark.slow
def test_json_ships_numpy_numbers_and_arrays_inside_other_values() -> None:
    import numpy as np

    value = {
        "mean": np.float32(0.5),
        "n": np.int64(3),
        "ok": np.bool_(True),
        "v": np.array([[1, 2]]),
        "f": np.float64(2),
    }
    assert OURS.to_payload(value).data == b'{"f":2.0,"mean":0.5,"n":3,"ok":true,"v":[[1,2]]}'
    assert OURS.to_payload(np.int64(3)).data == b"3"
