"""Tables and arrays travel as Arrow and come back as they were."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import date
from typing import Any, Optional

import numpy as np
import pandas as pd
import polars as pl
import polars.testing
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from durable_nb.contrib.pydantic import pydantic_data_converter
from durable_nb.converter import PayloadConverter
from durable_nb.errors import PayloadDecodeError, PayloadEncodeError
from durable_nb.model.payload import Payload

DEFAULT = PayloadConverter.default


def there_and_back(value: Any, hint: Any = None) -> Any:
    payload = DEFAULT.to_payload(value)
    assert payload.metadata["encoding"] == b"binary/arrow"
    return DEFAULT.from_payload(payload, hint)


def preview(value: Any) -> dict[str, Any]:
    text = DEFAULT.to_payload(value).metadata["preview"]
    assert len(text) <= 1024
    return json.loads(text)


# -- NumPy ---------------------------------------------------------------------------------------------------------

ARRAYS = [
    np.arange(6, dtype="int16").reshape(2, 3),
    np.array([[1.5, np.nan], [np.inf, -0.0]], dtype="float32"),
    np.array([1.5], dtype="float16"),
    np.array([True, False]),
    np.array([2**64 - 1], dtype="uint64"),
    np.array([1 + 2j, 3j], dtype="complex128"),
    np.array([[1j]], dtype="complex64"),
    np.array(["2025-01-01", "NaT"], dtype="datetime64[D]"),
    np.array([5], dtype="timedelta64[ms]"),
    np.array(["2025-01-01T00:00:00.000000001"], dtype="datetime64[ns]"),
    np.array(["é", "abc"]),
    np.array([b"ab", b"c"]),
    np.array(["é", "abc"], dtype=np.dtypes.StringDType()),
    np.array([(1, 2.5, "x"), (2, 3.5, "é")], dtype=[("a", "i4"), ("b", "f8"), ("c", "U2")]),
    np.array([((1, 2), [3, 4])], dtype=[("p", [("x", "i2"), ("y", "i2")]), ("v", "f4", (2,))]),
    np.array([None, "a", 5][1:2], dtype=object),
    np.array([1, 2, None], dtype=object),
    np.array([], dtype="int64"),
    np.zeros((0, 3)),
    np.array(5.0),
    np.arange(12).reshape(3, 4).T,
    np.arange(10)[::3],
    np.array([1, 256], dtype=">i4"),
]


@pytest.mark.parametrize("array", ARRAYS, ids=lambda array: f"{array.dtype}{array.shape}")
def test_arrays_come_back_with_dtype_shape_and_values(array: Any) -> None:
    back = there_and_back(array)
    assert type(back) is np.ndarray
    assert back.shape == array.shape
    assert back.dtype == (array.dtype if array.dtype.isnative else array.dtype.newbyteorder("="))
    np.testing.assert_array_equal(back, array)
    assert back.flags.writeable


@settings(max_examples=40)
@given(st.lists(st.floats(), max_size=5), st.sampled_from(["float64", "float32", "int64", "bool"]))
def test_any_numbers_come_back(values: list[float], dtype: str) -> None:
    with np.errstate(all="ignore"):
        array = np.nan_to_num(np.array(values)).astype(dtype) if dtype != "float64" else np.array(values)
    np.testing.assert_array_equal(there_and_back(array), array)


@pytest.mark.parametrize("scalar", [np.datetime64("2025-01-01T01", "s"), np.timedelta64(5, "D"), np.complex64(1j)])
def test_scalars_that_json_has_no_number_for_come_back(scalar: Any) -> None:
    back = there_and_back(scalar)
    assert (back, type(back), back.dtype) == (scalar, type(scalar), scalar.dtype)


@pytest.mark.parametrize("scalar", [np.int64(3), np.float32(0.5), np.float64(0.5), np.bool_(True), np.str_("é")])
def test_ordinary_scalars_are_json_for_every_worker_to_read(scalar: Any) -> None:
    payload = DEFAULT.to_payload(scalar)
    assert payload.metadata == {"encoding": b"json/plain"}
    assert DEFAULT.from_payload(payload) == scalar


def test_an_array_becomes_a_list_where_a_list_is_hinted() -> None:
    assert there_and_back(np.array([[1, 2]]), list[list[int]]) == [[1, 2]]


def test_masked_arrays_and_dtypes_without_an_arrow_form_are_refused() -> None:
    with pytest.raises(PayloadEncodeError, match="would lose its mask"):
        DEFAULT.to_payload(np.ma.masked_array([1], [True]))
    with pytest.raises(PayloadEncodeError, match="an array of dtype object cannot be stored"):
        DEFAULT.to_payload(np.array([1, "a", object()], dtype=object))


def test_the_preview_of_an_array_tells_shape_and_first_values() -> None:
    assert preview(np.arange(100.0).reshape(10, 10)) == {
        "shape": [10, 10],
        "dtype": "float64",
        "head": ["0.0", "1.0", "2.0", "3.0", "4.0", "5.0"],
    }


# -- pandas --------------------------------------------------------------------------------------------------------

FRAME = pd.DataFrame(
    {
        "n": [1, 2, 3],
        "x": [1.5, None, 2.5],
        "s": ["é", None, "c"],
        "t": pd.to_datetime(["2025-01-01", "2025-01-02", None], utc=True),
        "c": pd.Categorical(["a", "b", "a"]),
        "d": pd.to_timedelta([1, 2, 3], unit="s"),
    },
    index=pd.Index(["r1", "r2", "r3"], name="key"),
)


@pytest.mark.parametrize(
    "frame",
    [
        FRAME,
        FRAME.reset_index(),
        FRAME.set_index("n", append=True),
        FRAME.iloc[:0],
        pd.DataFrame(),
        pd.DataFrame({0: [1], 1: [2]}),
        pd.DataFrame([[1, 2]], columns=pd.MultiIndex.from_tuples([("a", "x"), ("a", "y")])),
        pd.DataFrame({"l": [[1, 2], [3]], "d": [date(2025, 1, 1), None]}),
        pd.DataFrame({"i": pd.array([1, None], dtype="Int64")}),
    ],
)
def test_frames_come_back_with_index_labels_and_dtypes(frame: Any) -> None:
    back = there_and_back(frame)
    if "l" in frame:  # lists in cells come back as arrays
        back["l"] = back["l"].map(list)
    pd.testing.assert_frame_equal(back, frame)


@pytest.mark.parametrize("name", ["a", None, 5])
def test_series_come_back_with_their_name(name: Any) -> None:
    series = pd.Series([1.5, 2.5], index=[3, 4], name=name)
    pd.testing.assert_series_equal(there_and_back(series), series)


@pytest.mark.parametrize(
    "index",
    [
        pd.Index([3, 1], name="k"),
        pd.Index(["a", "b"]),
        pd.date_range("2025-01-01", periods=2, tz="UTC"),
        pd.MultiIndex.from_tuples([("a", 1), ("b", 2)], names=["p", None]),
    ],
)
def test_indexes_come_back(index: Any) -> None:
    pd.testing.assert_index_equal(there_and_back(index), index, exact="equiv", check_freq=False)


def test_the_column_that_cannot_be_stored_is_named() -> None:
    frame = pd.DataFrame({"good": [1, 2], "bad one": [1, {"a": object()}]})
    with pytest.raises(PayloadEncodeError) as caught:
        DEFAULT.to_payload(frame)
    assert caught.value.message.startswith('$["bad one"]: the column cannot be stored')
    assert "astype" in caught.value.fix


def test_timestamps_are_datetimes_as_in_temporal() -> None:
    payload = DEFAULT.to_payload(pd.Timestamp("2025-01-01", tz="UTC"))
    assert payload.data == b'"2025-01-01T00:00:00+00:00"'


def test_a_class_derived_from_a_frame_is_stored_as_one() -> None:
    class Measurements(pd.DataFrame):
        pass

    back = there_and_back(Measurements({"a": [1]}))
    assert type(back) is pd.DataFrame


def test_the_preview_of_a_table_is_small_whatever_the_table() -> None:
    assert preview(FRAME[["n", "s"]]) == {
        "rows": 3,
        "columns": {"n": "int64", "s": "str"},
        "head": [["1", "é"], ["2", "nan"], ["3", "c"]],
    }
    wide = preview(pd.DataFrame({f"column {n}" * 20: ["x" * 9000] for n in range(500)}))
    assert wide["rows"] == 1


# -- polars and pyarrow --------------------------------------------------------------------------------------------

POLARS = pl.DataFrame({"n": [1, None], "s": ["é", "b"], "l": [[1], []], "t": [{"a": 1}, {"a": 2}]})


def test_polars_frames_and_series_come_back() -> None:
    polars.testing.assert_frame_equal(there_and_back(POLARS), POLARS)
    polars.testing.assert_series_equal(there_and_back(POLARS["n"]), POLARS["n"])
    assert preview(POLARS)["columns"]["n"] == "Int64"


def test_a_lazy_frame_is_refused_with_the_remedy() -> None:
    with pytest.raises(PayloadEncodeError, match="holds no data") as caught:
        DEFAULT.to_payload(POLARS.lazy())
    assert "collect" in caught.value.fix


TABLE = pa.table({"n": [1, None, 3], "s": ["a", "b", "c"]}, schema=pa.schema({"n": pa.int32(), "s": pa.string()}))


def test_arrow_objects_come_back() -> None:
    tables = [TABLE, TABLE.slice(0, 0), pa.table({}), pa.concat_tables([TABLE, TABLE])]
    for table in tables:
        assert there_and_back(table) == table
    batch = TABLE.to_batches()[0]
    assert there_and_back(batch) == batch
    assert there_and_back(batch.slice(0, 0)).num_rows == 0
    assert there_and_back(TABLE["n"]) == TABLE["n"]
    assert there_and_back(pa.array([1, None])) == pa.array([1, None])


def test_damaged_data_is_refused() -> None:
    payload = DEFAULT.to_payload(TABLE)
    for data in (b"", b"garbage", payload.data[:40]):
        with pytest.raises(PayloadDecodeError, match="the stored pyarrow Table cannot be read"):
            DEFAULT.from_payload(Payload(payload.metadata, data))
    with pytest.raises(PayloadDecodeError, match="unknown kind of Arrow value: 'r'"):
        DEFAULT.from_payload(Payload({**payload.metadata, "kind": b"r"}, payload.data))


@pytest.mark.parametrize("value", [FRAME[["n", "x"]].reset_index(drop=True), POLARS[["n"]], TABLE])
@pytest.mark.parametrize("hint", [pd.DataFrame, pl.DataFrame, pa.Table, Optional[pl.DataFrame]], ids=str)  # noqa: UP045
def test_a_hint_may_ask_for_another_kind_of_table(value: Any, hint: Any) -> None:
    wanted = getattr(hint, "__args__", (hint,))[0]
    back = there_and_back(value, hint)
    assert isinstance(back, wanted)
    assert len(back) == len(value)


@pytest.mark.parametrize("hint", [Any, object, None, pd.DataFrame, pd.DataFrame | None])
def test_other_hints_leave_the_table_as_it_was(hint: Any) -> None:
    assert isinstance(there_and_back(FRAME, hint), pd.DataFrame)


# -- around --------------------------------------------------------------------------------------------------------


def test_pydantics_converter_has_the_encoding_too() -> None:
    payload = pydantic_data_converter.payload_converter.to_payload(TABLE)
    assert payload.metadata["encoding"] == b"binary/arrow"


def test_no_pickle_is_ever_written() -> None:
    payload = DEFAULT.to_payload(pd.DataFrame({"o": pd.Series(["a", "b"], dtype=object)}))
    assert b"pickle" not in payload.data
    assert b"\x80\x04\x95" not in payload.data


def in_a_new_process(program: str) -> str:
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    return done.stdout.strip()


@pytest.mark.slow
def test_nothing_heavy_is_imported_for_other_values() -> None:
    program = (
        "import sys\n"
        "from durable_nb.converter import DataConverter\n"
        "c = DataConverter.default.payload_converter\n"
        "class Own:\n    def dict(self): return {}\n"
        "c.from_payloads(c.to_payloads([1, 'a', None, b'x', [1], {1}, Own()]))\n"
        "print([m for m in ('numpy', 'pandas', 'polars', 'pyarrow', 'google', 'pydantic') if m in sys.modules])"
    )
    assert in_a_new_process(program) == "[]"


@pytest.mark.slow
def test_without_pyarrow_the_message_says_what_to_install() -> None:
    program = (
        "import sys\n"
        "sys.modules['pyarrow'] = None\n"
        "import numpy\n"
        "from durable_nb.converter import DataConverter\n"
        "try:\n    DataConverter.default.payload_converter.to_payload(numpy.arange(3))\n"
        "except TypeError as error:\n    print(error)"
    )
    text = in_a_new_process(program)
    assert "a ndarray travels as Arrow, and pyarrow is not installed" in text
    assert "pip install 'durable_nb[arrow]'" in text
