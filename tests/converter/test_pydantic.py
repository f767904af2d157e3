from __future__ import annotations

import dataclasses
import pickle
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Annotated, Any
from uuid import UUID

import pydantic
import pytest
import temporalio.contrib.pydantic as theirs

from durable_nb.contrib.pydantic import (
    PydanticJSONPlainPayloadConverter,
    PydanticPayloadConverter,
    ToJsonOptions,
    pydantic_data_converter,
)
from durable_nb.converter import DataConverter
from durable_nb.errors import PayloadDecodeError, PayloadEncodeError
from durable_nb.model.payload import Payload, as_payload

OURS = pydantic_data_converter.payload_converter
THEIRS = theirs.pydantic_data_converter.payload_converter


class Line(pydantic.BaseModel):
    sku: str
    price: Decimal = Decimal("1.10")


class Order(pydantic.BaseModel):
    id: UUID
    lines: list[Line]
    due: date
    wait: timedelta = timedelta(seconds=90)
    note: str | None = None


@dataclasses.dataclass
class Plain:
    b: int
    a: Line


ORDER = Order(id=UUID(int=1), lines=[Line(sku="é")], due=date(2025, 1, 2))


@pytest.mark.parametrize(
    "value",
    [
        None,
        b"\x00",
        1,
        "é",
        1.5,
        float("nan"),
        True,
        {"b": 1, "a": [ORDER]},
        ORDER,
        [Line(sku="a")],
        Plain(1, Line(sku="x")),
        datetime(2025, 1, 1, tzinfo=UTC),
        Decimal("1.10"),
        {UUID(int=2)},
    ],
)
def test_bytes_are_those_of_temporals_converter(value: Any) -> None:
    assert OURS.to_payloads([value]) == [as_payload(each) for each in THEIRS.to_payloads([value])]


@pytest.mark.parametrize(
    ("hint", "value"),
    [
        (Order, ORDER),
        (list[Line], [Line(sku="a")]),
        (Line | None, Line(sku="b")),
        (Decimal, Decimal("1.10")),
        (timedelta, timedelta(seconds=3)),
        (Plain, Plain(1, Line(sku="x"))),
        (dict[UUID, int], {UUID(int=1): 2}),
        (Annotated[int, pydantic.Field(gt=0), []], 5),
    ],
    ids=str,
)
def test_models_and_types_are_restored_by_their_hint(hint: Any, value: Any) -> None:
    payloads = OURS.to_payloads([value])
    assert OURS.from_payloads(payloads, [hint]) == [value]
    assert OURS.from_payloads(payloads) == THEIRS.from_payloads(THEIRS.to_payloads([value]))


def test_a_value_that_does_not_validate_is_refused_with_pydantics_reason() -> None:
    payload = OURS.to_payload({"sku": 5})
    with pytest.raises(PayloadDecodeError, match="does not validate as Line") as caught:
        OURS.from_payload(payload, Line)
    assert "sku" in str(caught.value)
    assert isinstance(caught.value.__cause__, pydantic.ValidationError)
    with pytest.raises(PayloadDecodeError):
        OURS.from_payload(Payload({"encoding": b"json/plain"}, b"{"), int)


def test_a_value_that_pydantic_does_not_know_is_refused() -> None:
    with pytest.raises(PayloadEncodeError, match=r"\$: pydantic cannot write this object"):
        OURS.to_payload(object())


def test_unset_fields_are_left_out_on_request() -> None:
    class Sparse(PydanticPayloadConverter):
        def __init__(self) -> None:
            super().__init__(ToJsonOptions(exclude_unset=True))

    converter = DataConverter(payload_converter_class=Sparse).payload_converter
    assert converter.to_payload(Line(sku="a")).data == b'{"sku":"a"}'
    assert converter.to_payload({"n": 1}).data == b'{"n":1}'


def test_converters_pass_between_processes_and_refuse_negative_caches() -> None:
    converter = pickle.loads(pickle.dumps(PydanticJSONPlainPayloadConverter(max_cached_type_adapters=3)))
    assert converter.from_payload(converter.to_payload(1), int) == 1
    assert converter._type_adapter.cache_info().maxsize == 3
    with pytest.raises(ValueError, match="max_cached_type_adapters cannot be negative"):
        PydanticPayloadConverter(max_cached_type_adapters=-1)


def test_a_hint_that_pydantic_has_no_schema_for_is_said_to_be() -> None:
    with pytest.raises(PayloadDecodeError, match="Unable to generate pydantic-core schema"):
        OURS.from_payload(OURS.to_payload(1), pytest.Item)
