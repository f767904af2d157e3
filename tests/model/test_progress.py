"""The forms in which activities report how far they have come."""

from __future__ import annotations

from typing import Any

import pytest

from durable_nb.converter import DataConverter
from durable_nb.model.progress import Progress, decode, encode, is_report, of_payloads, of_values, to_payload


@pytest.mark.parametrize(
    ("values", "fraction", "label"),
    [
        ([3, 10], 0.3, ""),
        ([[3, 10]], 0.3, ""),
        ([3, 10, "files"], 0.3, "files"),
        ([0.25], 0.25, ""),
        ([{"done": 1, "total": 4}], 0.25, ""),
        ([{"i": 1, "n": 4, "label": "rows"}], 0.25, "rows"),
        ([{"completed": 4, "total": 4}], 1.0, ""),
    ],
)
def test_the_usual_forms_of_heartbeat_details_are_understood(values: list[Any], fraction: float, label: str) -> None:
    found = of_values(values)
    assert found is not None
    assert (found.fraction, found.label) == (fraction, label)


@pytest.mark.parametrize(
    "values",
    [
        [], ["cursor-17"], [17], [11, 10], [-1, 10], [1, 0], [float("nan"), 1], [1, float("inf")], [True, 2],
        [{"offset": 3}], [{"done": "3", "total": "4"}], [1, 2, 3], [[1]], [None, None],
    ],
)  # fmt: skip
def test_other_details_are_no_progress(values: list[Any]) -> None:
    assert of_values(values) is None


def test_a_report_travels_behind_the_activitys_own_details() -> None:
    own = DataConverter.default.payload_converter.to_payloads(["cursor-17"])
    report = to_payload(Progress(2, 5, "rows"))
    assert [is_report(payload) for payload in [*own, report]] == [False, True]
    assert of_payloads([*own, report]) == Progress(2, 5, "rows")
    assert of_payloads(own) is None


def test_what_does_not_decode_is_no_progress() -> None:
    assert decode(b"{") is None
    assert decode(encode(Progress(1, 2))) == Progress(1, 2)
    broken = to_payload(Progress(1, 2))
    broken.data = b"\xff"
    assert of_payloads([broken]) is None
