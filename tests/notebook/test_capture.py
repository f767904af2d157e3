"""Which definitions of cells and modules are registered, with which source, and when."""

from __future__ import annotations

import hashlib
import sys
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from durable_nb import activity, workflow
from durable_nb.activity._definition import must_have_definition
from durable_nb.errors import AuthoringError
from durable_nb.model.records import DefinitionRow
from durable_nb.notebook.capture import Capture, activities_of, kind_of
from durable_nb.notebook.cell_reports import cell_report, unfinished_lines
from durable_nb.notebook.marks import MarkDefinitions
from durable_nb.notebook.session import NotebookSession
from durable_nb.notebook.transformer import install

FLOW = """\
@workflow.defn
class OrderWorkflow:
    @workflow.run
    async def run(self, n: int) -> int:
        return n + 1
"""
PAY = """\
@activity.defn
async def pay(n: int) -> int:
    return n
"""


class Registrar:
    """Remembers what it is given."""

    def __init__(self) -> None:
        self.workflows: dict[str, tuple[Any, str]] = {}
        self.activities: dict[str, Any] = {}
        self.rows: list[DefinitionRow] = []

    def unit_of(self, definition: Any, located: Any, kind: str) -> None:
        """Sources alone are the versions here."""

    def unit_of_bound(self, activity: Any, bound_as: str) -> None:
        """None is stored here."""

    def add_workflow(self, definition: Any, name: str, digest: str, unit: Any) -> None:
        self.workflows[definition.__name__] = (definition, digest)

    def add_activity(self, definition: Any) -> None:
        self.activities[must_have_definition(definition).name or ""] = definition

    def store(self, rows: list[DefinitionRow]) -> None:
        self.rows += rows


class Session:
    """As much of a session as transformed cells and marks need."""

    def __init__(self, shell: Any) -> None:
        self.registrar = Registrar()
        self.capture = Capture(
            self.registrar,
            shell.user_ns,
            cell_of=NotebookSession.cell_namer(shell),
            document=lambda: "orders.ipynb",
            now=lambda: 17,
        )

    settings = SimpleNamespace(strict=False, on_edit="continue")
    definitions = SimpleNamespace(mode="", at_line=lambda line: None)
    mark = NotebookSession.mark
    begin_cell = NotebookSession.begin_cell


@pytest.fixture
def session(shell: Any) -> Session:
    install(shell.input_transformer_manager)
    shell.ast_transformers.append(MarkDefinitions())
    shell.durable_nb = made = Session(shell)
    shell.user_ns.update(workflow=workflow, activity=activity)

    def begin(info: Any) -> None:
        made.capture.lints = made.capture.strict = False

    shell.events.register("pre_run_cell", begin)
    return made


def test_a_definition_is_registered_when_its_statement_has_run(shell: Any, session: Session) -> None:
    shell.user_ns["registrar"] = session.registrar
    shell.run_cell(
        f"%%workflow\n{PAY}\n{FLOW}\nseen = list(registrar.workflows), list(registrar.activities)\n"
    ).raise_error()
    assert shell.user_ns["seen"] == (["OrderWorkflow"], ["pay"])


def test_source_digest_and_origin_are_those_of_the_definition(shell: Any, session: Session) -> None:
    shell.run_cell(
        f"%%workflow\n\nif True:\n{''.join('    ' + line for line in FLOW.splitlines(True))}", store_history=True
    ).raise_error()
    [row] = session.registrar.rows
    digest = hashlib.sha256(FLOW.rstrip().encode()).hexdigest()
    assert row == DefinitionRow(digest, "OrderWorkflow", "workflow", FLOW, "orders.ipynb cell [1]", 17)
    assert session.registrar.workflows["OrderWorkflow"] == (shell.user_ns["OrderWorkflow"], digest)


def test_ordinary_cells_register_too_but_are_not_linted(shell: Any, session: Session) -> None:
    shell.run_cell("import time\n@workflow.defn\nasync def flow():\n    time.time()\n").raise_error()
    assert list(session.registrar.workflows) == ["flow"]
    assert session.capture.take_fresh()[1] == []


def test_workflow_cells_are_linted_with_the_lines_of_the_cell(shell: Any, session: Session) -> None:
    shell.run_cell("import time\n\ndef clock():\n    return time.time()\n", store_history=True).raise_error()
    body = "    @workflow.run\n    async def run(self):\n        clock()\n        time.sleep(1)\n"
    cell = f"%%workflow\n\n@workflow.defn\nclass A:\n{body}"
    shell.run_cell(cell, store_history=True).raise_error()
    fresh, findings = session.capture.take_fresh()
    assert [(f.code, f.where, f.line) for f in findings] == [("DNB125", "", 8), ("DNB120", "cell [1]", 4)]
    assert [c.name for c in fresh] == ["A"]


def test_strict_refuses_and_keeps_the_definition_of_before(shell: Any, session: Session, capsys: Any) -> None:
    shell.run_cell(f"%%workflow --strict\n{FLOW}").raise_error()
    before = shell.user_ns["OrderWorkflow"]
    bad = FLOW.replace("return n + 1", "import time; return time.time()")
    result = shell.run_cell(f"%%workflow --strict\n{bad}")
    assert isinstance(result.error_in_exec, AuthoringError)
    assert "DNB120 line 6" in str(result.error_in_exec)
    assert session.registrar.workflows["OrderWorkflow"][0] is before
    assert shell.user_ns["OrderWorkflow"] is before
    assert len(session.registrar.rows) == 1
    capsys.readouterr()


def test_a_cell_with_a_syntax_error_changes_nothing(shell: Any, session: Session, capsys: Any) -> None:
    shell.run_cell(f"%%workflow\n{FLOW}").raise_error()
    rows = list(session.registrar.rows)
    shell.run_cell(f"%%workflow\n{FLOW.replace('n + 1', 'n + ')}")
    assert session.registrar.rows == rows
    assert session.capture.strict is False
    capsys.readouterr()


def test_an_edited_definition_takes_the_place_of_the_old_one(shell: Any, session: Session) -> None:
    shell.run_cell(FLOW).raise_error()
    session.capture.scan()
    shell.run_cell(FLOW.replace("n + 1", "n + 2")).raise_error()
    session.capture.scan()
    assert len({row.digest for row in session.registrar.rows}) == 2
    assert session.registrar.workflows["OrderWorkflow"][0] is shell.user_ns["OrderWorkflow"]
    assert len(session.capture.fresh) == 2


def test_definitions_in_conditions_are_found_and_those_in_functions_are_not(shell: Any, session: Session) -> None:
    shell.run_cell(
        "try:\n    @activity.defn\n    def a(): ...\nexcept Exception: pass\n"
        "def make():\n    @activity.defn\n    def b(): ...\n    return b\nmade = make()\n"
    ).raise_error()
    assert list(session.registrar.activities) == ["a"]
    session.capture.scan()
    assert list(session.registrar.activities) == ["a", "b"]


def test_decorating_does_not_move_lines_or_change_what_getsource_finds(shell: Any, session: Session) -> None:
    import inspect

    shell.run_cell(f"x = 1\n\n{PAY}").raise_error()
    function = inspect.unwrap(shell.user_ns["pay"])
    assert function.__code__.co_firstlineno == 3
    assert inspect.getsource(function) == PAY


def test_definitions_of_before_and_of_imported_modules_are_found_by_the_scan(
    shell: Any, session: Session, tmp_path: Any, monkeypatch: Any
) -> None:
    (tmp_path / "dnb_test_flows.py").write_text(f"from durable_nb import activity, workflow\n\n{FLOW}\n{PAY}")
    monkeypatch.syspath_prepend(str(tmp_path))
    try:
        shell.run_cell("import dnb_test_flows").raise_error()
        session.capture.scan()
        assert list(session.registrar.workflows) == ["OrderWorkflow"]
        assert list(session.registrar.activities) == ["pay"]
        flow, pay = session.registrar.rows
        assert (flow.source, pay.source) == (FLOW, PAY)
        assert flow.origin.endswith("dnb_test_flows.py, line 3")
        session.capture.scan()
        assert len(session.registrar.rows) == 2
        # A cell's own definition of the same name wins and stays.
        shell.run_cell(FLOW.replace("n + 1", "n + 2")).raise_error()
        session.capture.scan()
        assert session.registrar.workflows["OrderWorkflow"][0] is shell.user_ns["OrderWorkflow"]
    finally:
        sys.modules.pop("dnb_test_flows", None)


METHODS = """\
class Payments:
    def __init__(self, rate):
        self.rate = rate

    @activity.defn
    async def charge(self, n: int) -> int:
        return n * self.rate
"""


def test_activities_that_are_methods_are_registered_with_their_instance(shell: Any, session: Session) -> None:
    shell.run_cell(METHODS).raise_error()
    session.capture.scan()
    assert session.registrar.activities == {}
    shell.run_cell("payments = Payments(3)").raise_error()
    session.capture.scan()
    assert session.registrar.activities["charge"].__self__ is shell.user_ns["payments"]
    session.capture.scan()
    assert len(session.capture.fresh) == 1
    shell.run_cell("payments = Payments(4)").raise_error()
    session.capture.scan()
    assert session.registrar.activities["charge"].__self__.rate == 4


def test_what_cannot_be_registered_is_told_and_stops_nothing(shell: Any, session: Session) -> None:
    def refuse(definition: Any) -> None:
        raise TypeError("bad hints")

    session.registrar.add_activity = refuse  # type: ignore[method-assign]
    module = ModuleType("flows")
    exec(PAY, {"activity": activity, "__name__": "flows"}, vars(module))
    shell.user_ns["flows"] = module
    vars(module)["pay"].__module__ = "flows"
    session.capture.scan()
    [(name, problem)] = session.capture.take_problems()
    assert (name, str(problem)) == ("flows.pay", "bad hints")
    session.capture.scan()
    assert session.capture.take_problems() == []


def test_definitions_without_source_are_registered_without_a_stored_one(shell: Any, session: Session) -> None:
    exec(FLOW, shell.user_ns)
    session.capture.scan()
    assert session.registrar.workflows["OrderWorkflow"][1] == ""
    assert session.registrar.rows == []


@pytest.mark.parametrize("value", [None, 3, "x", int, print, SimpleNamespace(name="x"), lambda: 0, [1], workflow])
def test_other_values_are_no_definitions(value: Any) -> None:
    assert kind_of(value) is None
    assert activities_of(value) == []


def test_an_unknown_option_of_the_header_is_refused(shell: Any, session: Session, capsys: Any) -> None:
    result = shell.run_cell("%%workflow --stict\nx = 1\n")
    assert "did you mean '--strict'" in str(result.error_in_exec)
    assert "x" not in shell.user_ns
    capsys.readouterr()


# -- what is said --------------------------------------------------------------------------------------------------


def test_the_report_names_what_was_registered_and_warns_of_an_empty_cell(shell: Any, session: Session) -> None:
    shell.run_cell(f"%%workflow\n{PAY}{PAY.replace('pay', 'ship')}{FLOW}").raise_error()
    fresh, findings = session.capture.take_fresh()
    assert cell_report(fresh, findings)[0].text == "registered workflow OrderWorkflow; activities pay, ship"
    assert "registered nothing" in cell_report([], [])[0].text
    assert cell_report([], [], failed=True) == []


def test_unfinished_runs_are_told_by_what_they_wait_for() -> None:
    lines = unfinished_lines(3, {"OrderWorkflow": 1}, lambda name: "run orders.ipynb cell [3]")
    assert lines == [
        "3 runs are unfinished: 2 go on, 1 waits for its definition",
        "  OrderWorkflow (1 run): run orders.ipynb cell [3]",
    ]
    assert unfinished_lines(1, {"Order": 1}, lambda _: "x")[0] == "1 run is unfinished: 1 waits for its definition"
    assert unfinished_lines(2, {}, lambda _: "x") == ["2 runs are unfinished: 2 go on"]
