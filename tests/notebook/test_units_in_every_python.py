"""A unit is the same text in every version of Python, and newer syntax belongs to it like any other."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from durable_nb.notebook.lint import lint_source
from durable_nb.notebook.units.references import references
from durable_nb.notebook.units.statements import bindings
from tests.notebook.test_units import FLOW, Cells, load

since_312 = pytest.mark.since_python(3, 12)


@pytest.fixture
def cells() -> Iterator[Cells]:
    made = Cells()
    made.run("from durable_nb import activity, workflow\n")
    yield made
    made.forget()


def names(text: str) -> tuple[set[str], set[str]]:
    found = references(text)
    return set(found.at_once), set(found.later)


# -- comprehensions, which Python 3.12 inlines -----------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        "rows = [x for x in items if x > limit]\n",
        "rows = {x for x in items if x > limit}\n",
        "rows = {x: y for x, y in items.items() if x > limit}\n",
        "rows = (x for x in items if x > limit)\n",
        "rows = make(a=[x for x in items], b=[*(x for x in limit)])\n",
        "def rows(a=[x for x in items if x > limit]): ...\n",
        "rows = [x for x in items async for y in limit(x) if await y]\n",
    ],
)
def test_variables_of_a_comprehension_are_not_globals(text: str) -> None:
    at_once, later = names(text)
    assert {"items", "limit"} <= at_once | later
    assert not {"x", "y"} & (at_once | later)


def test_a_global_that_has_the_name_of_such_a_variable_is_seen() -> None:
    assert names("rows = [x for x in items] + [x]\n") == ({"items", "x"}, set())


def test_a_comprehension_binds_none_of_its_variables_and_an_assignment_in_it_does(cells: Cells) -> None:
    found = bindings("rows = [(last := x) for x in items]\nf = lambda a: (b := a)\n")
    assert set(found) == {"rows", "last", "f"}
    cells.run("from datetime import timedelta\nx = timedelta(seconds=5)\n", "rows = [x for x in range(3)]\n")
    cells.run(FLOW.format("x"))
    unit = cells.unit()
    assert "x = timedelta(seconds=5)\n" in unit.text
    assert unit.lost == {}


def test_names_inside_functions_of_an_except_star_block_are_not_bound_at_the_top() -> None:
    assert set(bindings("try:\n    def f():\n        inner = 1\nexcept* OSError:\n    failed = 1\n")) == {"f", "failed"}


# -- statements that share a line ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "own"),
    [
        ('a = f"{x[1]} \\"{y}\\""; b = 1\n', 'a = f"{x[1]} \\"{y}\\""\n'),
        ('b = 1; a = "é" # why\n', 'a = "é"\n'),
        ("b = 1; a = [\n    1,\n    2,\n]; c = 3\n", "a = [\n    1,\n    2,\n]\n"),
        ("if b:\n    a = (1,\n         2); c = 3\n", "a = (1,\n     2)\n"),
        ("if b: a = 1; c = 2\n", "a = 1\n"),
    ],
)
def test_a_statement_that_shares_its_lines_is_cut_out_as_it_is_written(text: str, own: str) -> None:
    assert bindings(text)["a"].text == own


# -- type parameters and aliases -------------------------------------------------------------------------------------


@since_312
def test_type_parameters_are_not_globals_and_bounds_wait_until_they_are_asked_for() -> None:
    assert names("def f[T: Bound](x: T) -> list[T]:\n    return make[T](x)\n") == ({"list"}, {"Bound", "make"})
    assert names("class C[T: (A, B)](Base[T]):\n    a: T\n    b: Other\n") == ({"Base", "Other"}, {"A", "B"})
    assert names("type Pair[T] = tuple[T, Other]\n") == (set(), {"tuple", "Other"})


@since_312
def test_aliases_and_generic_helpers_belong_to_a_unit(cells: Cells) -> None:
    cells.run(
        "from dataclasses import dataclass\n",
        "type Tree = dict[str, Branch]\ntype Branch = Tree | Leaf[int]\n",
        "@dataclass\nclass Leaf[T]:\n    value: T\n",
        "def first[T](leaf: Leaf[T], *rest: Tree) -> T:\n    return leaf.value\n",
        FLOW.format("first(Leaf(n))"),
    )
    unit = cells.unit()
    assert unit.lost == {}
    for part in ("type Tree = dict[str, Branch]\n", "type Branch = ", "class Leaf[T]:", "def first[T]("):
        assert part in unit.text
    definition = load(unit)
    assert definition.__name__ == "Order"
    values: dict[str, Any] = definition.run.__globals__
    assert values["Tree"].__value__.__args__ == (str, values["Branch"])


@since_312
def test_the_lint_knows_type_parameters_and_looks_into_generic_helpers() -> None:
    found = lint_source(
        "import time\nfrom durable_nb import workflow\n\n"
        "def helper[T](x: T) -> T:\n    type Now = float\n    print(f'{time.time()!r:{'>'}{20}}')\n    return x\n\n"
        "@workflow.defn\nclass W:\n    @workflow.run\n    async def run[time](self, n: time) -> None:\n"
        "        helper(n)\n        time.time()\n"
    )
    assert [(finding.line, finding.code) for finding in found] == [(6, "DNB120")]
