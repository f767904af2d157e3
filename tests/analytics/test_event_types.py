"""Sets of event types, finite or all but a few: checked against sets of numbers."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from durable_nb.analytics.event_types import ALL_TYPES, NO_TYPES, EventTypes

KNOWN = range(8)

sets = st.builds(EventTypes, st.frozensets(st.sampled_from(KNOWN)), st.booleans())


def members(types: EventTypes) -> set[int]:
    """Of more numbers than the sets name: the others stand for types of a newer version."""
    return {number for number in range(12) if number in types}


@given(sets, sets)
def test_union_and_difference_are_those_of_sets(one: EventTypes, other: EventTypes) -> None:
    assert members(one | other) == members(one) | members(other)
    assert members(one - other) == members(one) - members(other)
    assert bool(one) == bool(members(one))


@given(sets)
def test_all_holds_every_set_and_nothing_holds_none(types: EventTypes) -> None:
    assert types | ALL_TYPES == ALL_TYPES
    assert types - ALL_TYPES == NO_TYPES
    assert types - NO_TYPES == types | NO_TYPES == types


def test_a_condition_names_the_numbers_or_what_is_left_out() -> None:
    assert EventTypes.of([12, 3]).condition("t") == "t IN (3, 12)"
    assert (ALL_TYPES - EventTypes.of([12, 3])).condition("t") == "t NOT IN (3, 12)"
    assert ALL_TYPES.condition("t") == ""
