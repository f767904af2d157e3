"""The unit of a definition: what belongs to it, in which order, and that it runs in an empty namespace."""

from __future__ import annotations

import linecache
import sys
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from durable_nb import activity, workflow
from durable_nb.errors import RestoreError
from durable_nb.notebook.capture import definitions_in
from durable_nb.notebook.sources import locate
from durable_nb.notebook.units import CellStatements, Unit, build_unit, load_unit
from durable_nb.notebook.units.rebuilding import literal
from durable_nb.notebook.units.references import references

FLOW = """\
@workflow.defn
class Order:
    @workflow.run
    async def run(self, n: int) -> int:
        return {}
"""


class Cells:
    """A namespace in which cells run, as IPython runs them."""

    def __init__(self) -> None:
        self.namespace: dict[str, Any] = {"__name__": "__main__"}
        self.statements = CellStatements()
        self.files: list[str] = []
        self.flags = 0

    def run(self, *texts: str) -> Cells:
        for text in texts:
            filename = f"<cell {id(self)} {len(self.files)}>"
            self.files.append(filename)
            linecache.cache[filename] = (len(text), None, text.splitlines(keepends=True), filename)
            self.statements.add(text)
            exec(compile(text, filename, "exec", flags=self.flags, dont_inherit=True), self.namespace)
        return self

    def forget(self) -> None:
        for filename in self.files:
            linecache.cache.pop(filename, None)

    def unit(self, name: str = "Order", **options: Any) -> Unit:
        value = self.namespace[name]
        return build_unit(locate(value), value, self.namespace, self.statements, **options)


@pytest.fixture
def cells() -> Iterator[Cells]:
    made = Cells()
    made.run("from durable_nb import activity, workflow\n")
    yield made
    made.forget()


def load(unit: Unit, kind: str = "workflow", name: str = "Order", **live: Any) -> Any:
    loaded = load_unit(unit.text, kind, name, unit.digest, definitions_in, live)
    loaded.drop()
    return loaded.definition


# -- what belongs to it --------------------------------------------------------------------------------------------


def test_a_unit_holds_imports_helpers_classes_and_constants_transitively_and_nothing_else(cells: Cells) -> None:
    cells.run(
        "import math\nfrom dataclasses import dataclass\nfrom datetime import timedelta as td\nimport json\n",
        "RATE = 3\nUNUSED = 4\nWAIT = td(seconds=RATE)\n",
        "@dataclass\nclass Line:\n    count: int\n\ndef unused(): ...\n",
        "def price(line: Line) -> float:\n    return math.sqrt(line.count * RATE)\n",
        FLOW.format("price(Line(n)) if WAIT else None"),
    )
    unit = cells.unit()
    assert unit.text.splitlines()[:4] == [
        "from dataclasses import dataclass",
        "from datetime import timedelta as td",
        "from durable_nb import workflow",
        "import math",
    ]
    for part in ("RATE = 3", "WAIT = td(seconds=RATE)", "class Line", "def price", "class Order"):
        assert part in unit.text
    for part in ("UNUSED", "unused", "json"):
        assert part not in unit.text
    assert unit.lost == {}
    assert unit.absent == ()
    assert load(unit).__name__ == "Order"


def test_the_unit_does_not_depend_on_cells_or_their_order_but_on_every_source_in_it(cells: Cells) -> None:
    parts = ["def b(n):\n    return n\n", "def a(n):\n    return b(n)\n", FLOW.format("a(n)")]
    first = cells.run(*parts).unit().digest
    assert cells.run(*reversed(parts[:2]), parts[2]).unit().digest == first
    assert cells.run("\n".join([*parts, "x = 1\n"])).unit().digest == first
    assert cells.run(parts[0].replace("return n", "return n + 1")).unit().digest != first
    assert cells.run(parts[0]).unit().digest == first


def test_bodies_of_activities_and_children_are_left_out_and_their_faces_are_not(cells: Cells) -> None:
    activity_text = (
        "@activity.defn(name='pay')\nasync def charge(n: int, who: str = WHO) -> Receipt:\n"
        "    '''Charge.'''\n    return Receipt(n)\n"
    )
    child = FLOW.format("n + secret").replace("Order", "Child")
    cells.run(
        "from dataclasses import dataclass\nWHO = 'me'\n",
        "@dataclass\nclass Receipt:\n    n: int\n",
        activity_text,
        child,
        FLOW.format("await charge(n) and await workflow.execute_child_workflow(Child.run, n)"),
    )
    unit = cells.unit()
    assert "async def charge(n: int, who: str = WHO) -> Receipt:\n    ...\n" in unit.text
    assert "class Child:\n    @workflow.run\n    async def run(self, n: int) -> int:\n        ...\n" in unit.text
    assert "secret" not in unit.text
    assert "secret" not in unit.absent
    assert unit.activities == ("pay",)
    cells.run(activity_text.replace("Receipt(n)", "Receipt(n + 1)"), child.replace("n + secret", "0"))
    assert cells.unit().digest == unit.digest
    cells.run(activity_text.replace("n: int,", "n: float,"))
    assert cells.unit().digest != unit.digest
    assert load(unit)


def test_the_unit_of_an_activity_keeps_bodies(cells: Cells) -> None:
    cells.run(
        "@activity.defn\ndef one() -> int:\n    return 1\n",
        "@activity.defn\ndef two() -> int:\n    return one() + 1\n",
    )
    unit = cells.unit("two", stubs=False)
    assert load(unit, "activity", "two")() == 2


def test_a_workflow_that_inherits_from_another_gets_all_of_it(cells: Cells) -> None:
    cells.run(
        "class Steps:\n    def step(self, n):\n        return n + 1\n",
        "@workflow.defn\nclass Base:\n    def step(self, n):\n        return n + 5\n"
        "    @workflow.run\n    async def run(self, n: int) -> int:\n        return 0\n",
        FLOW.format("self.step(n) + super().step(n)").replace("class Order", "class Order(Base, Steps)"),
    )
    unit = cells.unit()
    assert "return n + 5" in unit.text
    assert load(unit)().step(1) == 6


def test_a_name_that_is_not_bound_yet_is_absent_and_joins_when_it_comes(cells: Cells) -> None:
    cells.run(FLOW.format("later(n)"))
    before = cells.unit()
    assert before.absent == ("later",)
    cells.run("def later(n):\n    return n\n")
    after = cells.unit()
    assert after.absent == ()
    assert after.digest != before.digest


def test_a_builtin_that_the_shell_replaced_is_the_builtin_and_one_that_a_cell_replaced_is_not(cells: Cells) -> None:
    cells.namespace["open"] = lambda name: name
    cells.run("def len(n):\n    return 7\n", FLOW.format("open, len"))
    unit = cells.unit()
    assert "open" not in unit.uses
    assert unit.lost == {}
    assert "def len" in unit.text


# -- order ---------------------------------------------------------------------------------------------------------


def test_functions_that_call_each_other_and_what_is_needed_at_once_come_in_an_order_that_runs(cells: Cells) -> None:
    cells.run(
        "def even(n):\n    return n == 0 or odd(n - 1)\n\ndef odd(n):\n    return n != 0 and even(n - 1)\n",
        "class Base:\n    @staticmethod\n    def make():\n        return Derived()\n",
        "class Derived(Base):\n    answer = even(4)\n",
        FLOW.format("Base.make().answer"),
    )
    assert load(cells.unit())


def test_annotations_of_the_future_need_nothing_at_once(cells: Cells) -> None:
    cells.flags = 0x1000000
    cells.run(
        "from __future__ import annotations\nfrom dataclasses import dataclass\n"
        "@dataclass\nclass A:\n    b: B | None = None\n\n@dataclass\nclass B:\n    a: A | None = None\n"
        + FLOW.format("A()").replace("n: int", "n: B"),
    )
    unit = cells.unit()
    assert unit.text.startswith("from __future__ import annotations\n")
    assert load(unit)


def test_annotations_in_quotes_are_followed(cells: Cells) -> None:
    cells.run(
        "class A:\n    def f(self):\n        return 1\n",
        FLOW.format("0").replace("n: int", 'n: "A | None"'),
    )
    assert "class A" in cells.unit().text


# -- constants -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("cell", "part"),
    [
        ("X = 1\n", "X = 1\n"),
        ("X: dict[str, int] = {'a': 1}\n", "X: dict[str, int] = {'a': 1}\n"),
        ("import re\nX = re.compile('a+')\n", "X = re.compile('a+')\n"),
        ("X = 0\nfor i in range(5):\n    X += i\n", "X = 10\n"),
        ("X = [n * n for n in range(3)]\n", "X = [n * n for n in range(3)]\n"),
        ("def count():\n    return {'b', 'a'}\nX = count()\n", "X = {'a', 'b'}\n"),
        ("X, y = 1, 2\n", "X = 1\n"),
        ("from math import pi as X\n", "from math import pi as X\n"),
        ("X = int | None\n", "X = int | None\n"),
        ("X = lambda n: n + 1\n", "X = lambda n: n + 1\n"),
        ("from enum import Enum\nclass X(Enum):\n    A = 1\n", "class X(Enum):\n    A = 1\n"),
        ("def make(k):\n    return lambda n: n + k\nX = make(3)\n", "X = make(3)\n"),
        ("class P:\n    def __init__(self, r):\n        self.r = r\nX = P(3)\n", "X = P(3)\n"),
        ("import concurrent.futures as X\n", "import concurrent.futures as X\n"),
        ("if True:\n    X = 'text'\n", "X = 'text'\n"),
        ("a = 1; X = a + 1; b = 2\n", "X = a + 1\n"),
    ],
)
def test_constants_come_with_what_makes_them_again(cells: Cells, cell: str, part: str) -> None:
    cells.run(cell, FLOW.format("X"))
    unit = cells.unit()
    assert part in unit.text
    assert unit.lost == {}
    assert load(unit)


@pytest.mark.parametrize(
    ("cell", "why"),
    [
        ("import threading\nX = threading.Lock()\n", "calls threading.Lock"),
        ("import sqlite3\nX = sqlite3.connect(':memory:')\n", "sqlite3.connect"),
        ("import uuid\nX = uuid.uuid4()\n", "calls uuid.uuid4"),
        ("import threading\ndef f():\n    return threading.Lock()\nX = f()\n", "calls f"),
        (
            "import threading\nclass P:\n    def __init__(self):\n        self.l = threading.Lock()\nX = P()\n",
            "P holds",
        ),
        ("X = object()\nX = [X]\n", "builds on its former value"),
        ("X = [*range(100_000)]\nX.append(0)\nX = X + [1]\n", "builds on its former value"),
    ],
)
def test_live_state_is_named_with_the_reason_and_comes_from_the_kernel_while_that_lives(
    cells: Cells, cell: str, why: str
) -> None:
    cells.run(cell, FLOW.format("X"))
    unit = cells.unit()
    assert why in unit.lost["X"]
    assert "# X:" in unit.text
    assert load(unit, X=cells.namespace["X"])
    cells.namespace["X"].close() if hasattr(cells.namespace["X"], "close") else None


def test_plain_data_is_written_in_one_way_only() -> None:
    assert literal({3, 1, 2}) == "{1, 2, 3}"
    assert literal((1,)) == "(1,)"
    assert literal({"b": [1.5, None], "a": frozenset()}) == "{'b': [1.5, None], 'a': frozenset()}"
    assert literal(float("nan")) is None
    assert literal(object()) is None
    assert literal("x" * 30_000) is None
    ring: list[Any] = []
    ring.append(ring)
    assert literal(ring) is None


# -- names ---------------------------------------------------------------------------------------------------------


def test_references_tell_what_is_needed_at_once_from_what_is_needed_later() -> None:
    found = references(
        "@outer(limit=LIMIT)\nclass A(Base):\n    x = [f(i) for i in START]\n"
        "    def go(self, n: Hint = default) -> 'Quoted':\n        local = helper(n)\n        global COUNT\n"
        "        COUNT = local\n        return local, inner.part\n"
    )
    assert {*found.at_once} == {"outer", "LIMIT", "Base", "f", "START", "Hint", "default"}
    assert {*found.later} == {"Quoted", "helper", "COUNT", "inner"}
    assert "inner.part" in found.attributes
    later = references("def go(n: Hint) -> Other: ...", annotations_later=True)
    assert later.at_once == ()
    assert {*later.later} == {"Hint", "Other"}


# -- modules -------------------------------------------------------------------------------------------------------


@pytest.fixture
def helpers(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    file = tmp_path / "dnb_test_helpers.py"
    file.write_text("def price(n):\n    return n\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    yield file
    sys.modules.pop("dnb_test_helpers", None)


def test_a_module_beside_the_notebook_is_part_of_the_version_and_refused_when_it_changed(
    cells: Cells, helpers: Any
) -> None:
    cells.run("import dnb_test_helpers\nfrom dnb_test_helpers import price\n", FLOW.format("price(n)"))
    unit = cells.unit()
    assert "from dnb_test_helpers import price  # source sha256 " in unit.text
    assert load(unit)
    helpers.write_text("def price(n):\n    return n + 1\n")
    assert cells.unit().digest != unit.digest
    with pytest.raises(RestoreError, match="imports dnb_test_helpers, whose file has changed"):
        load(unit)


def test_code_that_fails_when_it_is_run_again_is_an_error_that_says_what_to_do() -> None:
    unit = SimpleNamespace(text="1 / 0\n", digest="d" * 64)
    with pytest.raises(RestoreError, match=r"ZeroDivisionError") as caught:
        load(unit)  # type: ignore[arg-type]
    assert "run the cell" in str(caught.value)
    assert "durable_nb_version_" + "d" * 64 not in sys.modules
    empty = SimpleNamespace(text="x = 1\n", digest="e" * 64)
    with pytest.raises(RestoreError, match="does not define workflow Order"):
        load(empty)  # type: ignore[arg-type]


def test_a_loaded_unit_shows_its_lines_and_is_forgotten_when_it_is_dropped(cells: Cells) -> None:
    unit = cells.run(FLOW.format("n")).unit()
    loaded = load_unit(unit.text, "workflow", "Order", unit.digest, definitions_in)
    assert locate(loaded.definition).text == FLOW.format("n")
    assert sys.modules[loaded.module.__name__] is loaded.module
    loaded.drop()
    assert loaded.module.__name__ not in sys.modules
    assert linecache.getlines(loaded.filename) == []
    assert [activity, workflow]
