"""Structs that pass for dataclasses: what a program may do with them."""

from __future__ import annotations

import dataclasses
import pickle
import weakref

import pytest

from durable_nb.model.dataclass_like import DataclassLike, FrozenDataclassLike


class Point(DataclassLike):
    x: int
    y: int = 2
    tags: list[str] = []


class Fixed(FrozenDataclassLike, frozen=True):
    x: int


class Wider(Point, kw_only=True):
    z: int | None = None


class Plain(DataclassLike):
    x: int


class Derived(Plain):
    extra: str = "e"


def test_fields_carry_names_types_and_defaults() -> None:
    x, y, tags = dataclasses.fields(Point)
    assert [x.name, y.name, tags.name] == ["x", "y", "tags"]
    assert (x.type, x.default, y.default, tags.default_factory) == ("int", dataclasses.MISSING, 2, list)
    assert dataclasses.is_dataclass(Point)
    assert dataclasses.is_dataclass(Point(1))


def test_replace_and_asdict_take_an_instance() -> None:
    assert dataclasses.replace(Point(1, tags=["a"]), y=5) == Point(1, 5, ["a"])
    assert dataclasses.asdict(Point(1)) == {"x": 1, "y": 2, "tags": []}
    assert dataclasses.replace(Fixed(1), x=3) == Fixed(3)


def test_keyword_only_fields_are_known_as_such() -> None:
    assert {each.name: each.kw_only for each in dataclasses.fields(Wider)} == {
        "x": False,
        "y": False,
        "tags": False,
        "z": True,
    }
    assert dataclasses.replace(Wider(1, z=3), x=2) == Wider(2, z=3)


def test_a_derived_class_needs_no_decorator() -> None:
    made = Derived(1, extra="f")
    assert (made.x, made.extra, Derived(1).extra) == (1, "f", "e")
    assert dataclasses.replace(made, x=4) == Derived(4, "f")
    assert [each.name for each in dataclasses.fields(Derived)] == ["x", "extra"]


def test_frozen_ones_refuse_changes_and_have_a_hash() -> None:
    with pytest.raises(AttributeError):
        Fixed(1).x = 2  # type: ignore[misc]
    assert hash(Fixed(1)) == hash(Fixed(1))


def test_others_take_attributes_of_ones_own_and_weak_references() -> None:
    point = Point(1)
    point.note = "mine"  # type: ignore[attr-defined]
    assert point.note == "mine"  # type: ignore[attr-defined]
    assert weakref.ref(point)() is point


def test_instances_travel_by_pickle() -> None:
    assert pickle.loads(pickle.dumps(Wider(1, z=3))) == Wider(1, z=3)


def test_vars_tells_fields_and_attributes_of_ones_own() -> None:
    point = Point(1)
    point.note = "mine"  # type: ignore[attr-defined]
    assert vars(point) == {"x": 1, "y": 2, "tags": [], "note": "mine"}
    assert vars(Fixed(3)) == {"x": 3}
