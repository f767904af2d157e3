"""Values that cannot be stored: the message names the path inside the value and the remedy."""

from __future__ import annotations

import dataclasses
import enum
import socket
import sys
import threading
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from durable_nb.converter import DataConverter, JSONPlainPayloadConverter, PayloadConverter
from durable_nb.errors import DurableError, PayloadEncodeError
from durable_nb.model.payload import Payload

CONVERTER = DataConverter.default.payload_converter


@dataclasses.dataclass
class Customer:
    name: str
    sock: Any


class Plain(enum.Enum):
    A = 1


class Hostile:
    def dict(self) -> dict[str, Any]:
        raise RuntimeError("no")


def cyclic() -> list[Any]:
    value: list[Any] = [1]
    value.append({"again": value})
    return value


def refused(value: Any) -> PayloadEncodeError:
    with pytest.raises(PayloadEncodeError) as caught:
        CONVERTER.to_payloads([value])
    return caught.value


def test_the_path_leads_to_the_value() -> None:
    with socket.socket() as sock:
        error = refused({"customer": Customer("ann", sock)})
    assert str(error).startswith("DNB401 $.customer.sock: socket is not JSON serializable\n  fix    pass plain data")


@pytest.mark.parametrize(
    ("value", "message", "remedy"),
    [
        (threading.Lock(), "$: lock is not JSON serializable", "data_converter"),
        ([1, {"a b": [Decimal(1)]}], '$[1]["a b"][0]: Decimal is not', "str(value)"),
        ({"wait": timedelta(1)}, "$.wait: timedelta is not", "total_seconds"),
        ([date(2025, 1, 1)], "$[0]: date is not", "isoformat"),
        ({"p": Path("x")}, "$.p: PosixPath is not", "str(path)"),
        ({"e": Plain.A}, "$.e: Plain is not", "enum.StrEnum or enum.IntEnum"),
        ({"c": Customer}, "$.c: type is not", "pass its name"),
        ({"f": refused}, "$.f: function is not", "pass its name"),
        ([1j], "$[0]: complex is not", "value.real"),
        ({(1, 2): 3}, "$: key tuple (1, 2) is not JSON serializable", "list of pairs"),
        ({"a": {1: 1, "b": 2}}, "$.a: keys of types int, str cannot be sorted", "one type"),
        (cyclic(), "$[1].again: the value contains itself", "cycle"),
        ({"n": 10**5000}, "$.n: the integer is too long", "hex"),
        ([Hostile()], "$[0]: Hostile could not be encoded: RuntimeError: no", "plain data"),
        ({"s": {1, (2, Plain.A)}}, "Plain is not", "enum"),
    ],
)
def test_the_message_names_path_problem_and_remedy(value: Any, message: str, remedy: str) -> None:
    error = refused(value)
    assert message in error.message
    assert remedy in error.fix


def test_a_value_nested_too_deeply_is_said_to_be() -> None:
    value: Any = 1
    for _ in range(sys.getrecursionlimit() * 50):
        value = [value]
    assert "nested too deeply" in refused(value).message


def test_temporals_exception_types_and_ours_both_catch_it() -> None:
    error = refused(threading.Lock())
    assert isinstance(error, TypeError)
    assert isinstance(error, ValueError)
    assert isinstance(error, RuntimeError)
    assert isinstance(error, DurableError)
    assert isinstance(error.__cause__, TypeError)


def test_which_of_several_values_is_said() -> None:
    with pytest.raises(PayloadEncodeError) as caught:
        CONVERTER.to_payloads([1, Decimal(1), 2])
    assert caught.value.where == "value 2 of 3"


def test_a_coroutine_that_was_not_awaited_is_recognised() -> None:
    async def work() -> None: ...

    coroutine = work()
    assert "await" in refused([coroutine]).fix
    coroutine.close()


def test_without_an_encoder_class_the_path_is_named_too() -> None:
    with pytest.raises(PayloadEncodeError, match=r"\$.a: set is not"):
        JSONPlainPayloadConverter(encoder=None).to_payload({"a": {1}})


@pytest.mark.slow
def test_a_table_inside_another_value_is_refused_instead_of_losing_its_rows() -> None:
    import pandas as pd
    import polars as pl
    import pyarrow as pa

    for table in (pd.DataFrame({"a": [1]}), pl.DataFrame({"a": [1]}), pa.table({"a": [1]}), pl.LazyFrame({"a": [1]})):
        error = refused({"report": table})
        assert f"$.report: {type(table).__name__} is not JSON serializable" in error.message
        assert "as an argument of its own" in error.fix


def test_a_pydantic_model_without_its_data_converter_warns_and_is_stored() -> None:
    class Model:
        @classmethod
        def parse_obj(cls, value: Any) -> Any:
            return value

        def dict(self) -> dict[str, Any]:
            return {"a": 1}

    with pytest.warns(UserWarning, match="pydantic_data_converter"):
        (payload,) = CONVERTER.to_payloads([Model()])
    assert payload == Payload({"encoding": b"json/plain"}, b'{"a":1}')


def test_the_default_converter_is_the_one_of_the_class_attributes() -> None:
    assert PayloadConverter.default is CONVERTER
