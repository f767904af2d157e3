"""Retry policies, search attributes, priorities and the rest of ``durable_nb.common`` against Temporal's."""

from __future__ import annotations

import dataclasses
import inspect
import pickle
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import temporalio.api.common.v1 as proto
import temporalio.common as theirs
from hypothesis import given
from hypothesis import strategies as st

import durable_nb.common as ours
from durable_nb.api.common.v1 import Payload
from durable_nb.model.attributes import PriorityAttributes

SECONDS = st.integers(-5, 500).map(lambda n: timedelta(milliseconds=n * 100))


def test_every_exported_name_exists_in_temporal() -> None:
    assert set(ours.__all__) <= set(dir(theirs))


@given(
    st.fixed_dictionaries(
        {
            "initial_interval": SECONDS,
            "backoff_coefficient": st.floats(0, 5),
            "maximum_interval": st.none() | SECONDS,
            "maximum_attempts": st.integers(-1, 5),
            "non_retryable_error_types": st.none() | st.lists(st.text(max_size=3), max_size=2),
        }
    )
)
def test_retry_policies_are_checked_and_recorded_as_in_temporal(options: dict[str, Any]) -> None:
    recorded = proto.RetryPolicy()
    try:
        theirs.RetryPolicy(**options).apply_to_proto(recorded)
    except ValueError as error:
        with pytest.raises(ValueError, match=str(error)):
            ours.RetryPolicy(**options).to_attributes()
        return
    attributes = ours.RetryPolicy(**options).to_attributes()
    assert attributes.initial_interval == recorded.initial_interval.ToMicroseconds()
    assert attributes.maximum_interval == recorded.maximum_interval.ToMicroseconds()
    assert attributes.backoff_coefficient == recorded.backoff_coefficient
    assert attributes.maximum_attempts == recorded.maximum_attempts
    assert attributes.non_retryable_error_types == list(recorded.non_retryable_error_types)


def test_a_recorded_retry_policy_reads_back() -> None:
    policy = ours.RetryPolicy(
        initial_interval=timedelta(milliseconds=250),
        backoff_coefficient=1.5,
        maximum_interval=timedelta(seconds=9),
        maximum_attempts=4,
        non_retryable_error_types=["A"],
    )
    assert ours.RetryPolicy.from_attributes(policy.to_attributes()) == policy
    assert dataclasses.replace(policy, maximum_attempts=1).maximum_attempts == 1


def test_the_default_retry_policy_is_temporals() -> None:
    assert dataclasses.asdict(ours.RetryPolicy()) == dataclasses.asdict(theirs.RetryPolicy())
    assert list(inspect.signature(ours.RetryPolicy).parameters) == list(
        inspect.signature(theirs.RetryPolicy).parameters
    )


@pytest.mark.parametrize(
    "name",
    [
        "WorkflowIDReusePolicy",
        "WorkflowIDConflictPolicy",
        "QueryRejectCondition",
        "SearchAttributeIndexedValueType",
        "HeaderCodecBehavior",
        "VersioningBehavior",
    ],
)
def test_enumerations_have_temporals_members(name: str) -> None:
    mine, other = getattr(ours, name), getattr(theirs, name)
    assert {each.name: int(each) for each in mine} == {each.name: int(each) for each in other}


KINDS = ["text", "keyword", "int", "float", "bool", "datetime", "keyword_list"]


@pytest.mark.parametrize("kind", KINDS)
def test_search_attribute_keys_have_temporals_types(kind: str) -> None:
    mine = getattr(ours.SearchAttributeKey, f"for_{kind}")("k")
    other = getattr(theirs.SearchAttributeKey, f"for_{kind}")("k")
    assert (mine.name, mine.value_type, mine.origin_value_type) == ("k", other.value_type, other.origin_value_type)
    assert int(mine.indexed_value_type) == int(other.indexed_value_type)
    assert mine.indexed_value_type.metadata_name == other._metadata_type
    for spelling in (other._metadata_type, f"INDEXED_VALUE_TYPE_{mine.indexed_value_type.name}"):
        assert ours.SearchAttributeKey.from_metadata_type("k", spelling) == mine
    update, removal = mine.value_set("v"), mine.value_unset()
    assert (update.key, update.value, removal.key, removal.value) == (mine, "v", mine, None)


def test_keys_are_equal_when_name_and_type_are() -> None:
    keys = {getattr(ours.SearchAttributeKey, f"for_{kind}")("k") for kind in KINDS * 2}
    assert len(keys) == len(KINDS)
    assert ours.SearchAttributeKey.from_metadata_type("k", "Nonsense") is None


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        (["a"], "keyword"),
        (["a", "b"], "keyword_list"),
        ([1], "int"),
        ([1.5], "float"),
        ([True], "bool"),
        ([datetime(2025, 1, 1, tzinfo=UTC)], "datetime"),
    ],
)
def test_the_type_of_untyped_values_is_guessed(values: list[Any], kind: str) -> None:
    expected = getattr(ours.SearchAttributeKey, f"for_{kind}")("k")
    assert ours.SearchAttributeKey.guess_from_values("k", values) == expected


def test_several_numbers_and_nothing_have_no_type() -> None:
    assert ours.SearchAttributeKey.guess_from_values("k", [1, 2]) is None
    assert ours.SearchAttributeKey.guess_from_values("k", []) is None


def test_typed_search_attributes_are_a_sorted_collection() -> None:
    b, a = ours.SearchAttributeKey.for_int("b"), ours.SearchAttributeKey.for_keyword("a")
    attributes = ours.TypedSearchAttributes([ours.SearchAttributePair(b, 1), ours.SearchAttributePair(a, "x")])
    assert [pair.key.name for pair in attributes] == ["a", "b"]
    assert (attributes[a], attributes.get(b), len(attributes), a in attributes) == ("x", 1, 2, True)
    other = ours.SearchAttributeKey.for_int("a")
    assert other not in attributes
    assert attributes.get(other) is None
    assert attributes.get(other, 7) == 7
    with pytest.raises(KeyError):
        attributes[other]
    changed = attributes.updated(ours.SearchAttributePair(other, 3))
    assert [pair.key for pair in changed] == [other, b]
    assert len(ours.TypedSearchAttributes.empty) == 0
    with pytest.raises(ValueError, match="Duplicate search attribute entries found for key a"):
        ours.TypedSearchAttributes([ours.SearchAttributePair(a, "x"), ours.SearchAttributePair(other, 1)])


def test_priorities_are_checked_and_recorded() -> None:
    with pytest.raises(ValueError, match="positive"):
        ours.Priority(priority_key=0)
    with pytest.raises(TypeError, match="integer"):
        ours.Priority(priority_key="1")  # type: ignore[arg-type]
    priority = ours.Priority(priority_key=2, fairness_key="t", fairness_weight=1.5)
    assert priority.to_attributes() == PriorityAttributes(2, "t", 1.5)
    assert ours.Priority.from_attributes(priority.to_attributes()) == priority
    assert ours.Priority.default.to_attributes() is None
    assert ours.Priority.from_attributes(None) is ours.Priority.default


def test_raw_values_pass_between_processes() -> None:
    value = ours.RawValue(Payload({"encoding": b"x"}, b"\x00"))
    assert pickle.loads(pickle.dumps(value)) == value
    with pytest.raises(AttributeError):
        value.payload = Payload()  # type: ignore[misc]


def test_deployment_versions_read_and_write_their_text() -> None:
    version = ours.WorkerDeploymentVersion("app", "1.0")
    assert ours.WorkerDeploymentVersion.from_canonical_string(version.to_canonical_string()) == version
    with pytest.raises(ValueError, match="must be in format"):
        ours.WorkerDeploymentVersion.from_canonical_string("app")


def test_the_silent_meter_has_every_instrument_of_temporals() -> None:
    for method in (
        "create_counter",
        "create_histogram",
        "create_histogram_float",
        "create_gauge",
        "create_gauge_float",
    ):
        instrument = getattr(ours.MetricMeter.noop, method)("n", "d", "u")
        assert (instrument.name, instrument.description, instrument.unit) == ("n", "d", "u")
        verbs = [verb for verb in ("add", "record", "set") if hasattr(instrument, verb)]
        assert len(verbs) == 1
        assert getattr(instrument.with_additional_attributes({"a": 1}), verbs[0])(1, {"b": "x"}) is None
    ours.MetricMeter.noop.create_histogram_timedelta("n").record(timedelta(seconds=1))
    assert ours.MetricMeter.noop.with_additional_attributes({"a": 1}) is ours.MetricMeter.noop
    for name in [each for each in ours.__all__ if each.startswith("Metric") and each != "MetricAttributes"]:
        mine, other = getattr(ours, name), getattr(theirs, name)
        assert mine.__abstractmethods__ == other.__abstractmethods__


def test_the_typing_aliases_are_usable() -> None:
    assert ours.SearchAttributeValue == str | int | float | bool | datetime | Sequence[str]
