"""``%%workflow`` keeps everything that an ordinary cell has."""

from __future__ import annotations

import inspect
from typing import Any

import pytest

from durable_nb.notebook.transformer import header_options, install, uninstall, workflow_cell


class FakeSession:
    """Records what the header line calls."""

    def __init__(self) -> None:
        self.begun: list[str] = []

    def begin_cell(self, options: str) -> None:
        self.begun.append(options)


@pytest.fixture
def session(shell: Any) -> FakeSession:
    install(shell.input_transformer_manager)
    shell.durable_nb = FakeSession()
    return shell.durable_nb


def lines_of(cell: str) -> list[str]:
    return cell.splitlines(keepends=True)


def test_only_the_header_line_changes() -> None:
    cell = lines_of("%%workflow --strict\n\nx = 1\n  # end\n")
    out = workflow_cell(cell)
    assert out[0] == "get_ipython().durable_nb.begin_cell('--strict')\n"
    assert out[1:] == cell[1:]


@pytest.mark.parametrize(
    "cell", ["x = 1\n", "%%workflow_sql\nselect 1\n", "%%workflow?\n", "%workflow list\n", "# %%workflow\n"]
)
def test_other_cells_are_left_alone(cell: str) -> None:
    assert workflow_cell(lines_of(cell)) == lines_of(cell)


def test_an_empty_input_is_left_alone() -> None:
    assert workflow_cell([]) == []


@pytest.mark.parametrize(
    ("cell", "changed", "expected"),
    [
        ("%%workflow\nfrom __future__ import annotations\nx = 1\n", 1, "from __future__ import annotations; C\n"),
        (
            "%%workflow\n'doc'\nfrom __future__ import (\n  annotations,\n)  # why\nx = 1\n",
            4,
            ");C  # why\n".replace(";C", "; C"),
        ),
        (
            "%%workflow\nfrom __future__ import annotations  # why\n!ls\n",
            1,
            "from __future__ import annotations; C  # why\n",
        ),
    ],
)
def test_a_future_import_stays_the_first_statement(cell: str, changed: int, expected: str) -> None:
    before, after = lines_of(cell), workflow_cell(lines_of(cell))
    assert len(after) == len(before)
    call = "get_ipython().durable_nb.begin_cell('')"
    assert after[changed] == expected.replace("C", call, 1)
    assert after[0] == "\n"
    assert [a for i, a in enumerate(after) if i not in (0, changed)] == [
        b for i, b in enumerate(before) if i not in (0, changed)
    ]


def test_future_import_in_a_string_does_not_move_the_call() -> None:
    out = workflow_cell(lines_of('%%workflow\ntext = """\nfrom __future__ import annotations\n"""\n'))
    assert out[0].startswith("get_ipython().durable_nb.begin_cell")


@pytest.mark.parametrize(
    ("cell", "options"),
    [
        ("%%workflow\n", ""),
        ("\n\n%%workflow --strict\nx", "--strict"),
        ("x = 1", None),
        ("", None),
        ("%%workflows\n", None),
    ],
)
def test_options_are_read_from_the_raw_cell(cell: str, options: str | None) -> None:
    assert header_options(cell) == options


def test_the_cell_runs_once_in_the_namespace_and_shows_its_last_value(shell: Any, session: FakeSession) -> None:
    result = shell.run_cell("%%workflow --strict\nx = 20\nx + 1\n")
    assert result.success
    assert result.result == 21
    assert session.begun == ["--strict"]


def test_future_annotations_work_in_a_workflow_cell(shell: Any, session: FakeSession) -> None:
    result = shell.run_cell(
        "%%workflow\nfrom __future__ import annotations\ndef f(x: Missing): ...\nf.__annotations__\n"
    )
    assert result.result == {"x": "Missing"}
    assert session.begun == [""]


def test_tracebacks_name_the_line_of_the_cell(shell: Any, session: FakeSession) -> None:
    result = shell.run_cell("%%workflow\n\n\ndef f():\n    return 1 / 0\n\nf()\n", silent=True)
    traceback = result.error_in_exec.__traceback__
    while traceback.tb_next is not None:
        traceback = traceback.tb_next
    assert traceback.tb_lineno == 5


def test_syntax_errors_name_the_line_and_run_nothing(shell: Any, session: FakeSession, capsys: Any) -> None:
    result = shell.run_cell("%%workflow\nx = 1\ny = = 2\n")
    assert isinstance(result.error_before_exec, SyntaxError)
    assert result.error_before_exec.lineno == 3
    assert session.begun == []
    assert "x" not in shell.user_ns
    capsys.readouterr()


def test_getsource_finds_functions_of_the_cell(shell: Any, session: FakeSession) -> None:
    shell.run_cell("%%workflow\nimport functools\n\ndef f(x):\n    return x  # here\n")
    assert inspect.getsource(shell.user_ns["f"]) == "def f(x):\n    return x  # here\n"


def test_top_level_await_works(shell: Any, session: FakeSession) -> None:
    result = shell.run_cell("%%workflow\nimport asyncio\nawait asyncio.sleep(0)\nz = 3\nz\n")
    assert result.success
    assert result.result == 3
    assert shell.should_run_async(
        "%%workflow\nawait f()\n", transformed_cell=shell.transform_cell("%%workflow\nawait f()\n")
    )


def test_magics_in_the_body_still_work(shell: Any, session: FakeSession) -> None:
    result = shell.run_cell("%%workflow\nx = %env HOME\n%time y = 2\n")
    assert result.success
    assert shell.user_ns["y"] == 2


def test_a_complete_class_is_complete_code(shell: Any, session: FakeSession) -> None:
    check = shell.input_transformer_manager.check_complete
    assert check("%%workflow\nclass A:\n    x = 1\n\n")[0] == "complete"
    assert check("%%workflow\nclass A:\n")[0] == "incomplete"


def test_installing_twice_leaves_one_and_uninstalling_leaves_none(shell: Any) -> None:
    manager = shell.input_transformer_manager
    before = list(manager.cleanup_transforms)
    install(manager)
    install(manager)
    assert manager.cleanup_transforms.count(workflow_cell) == 1
    uninstall(manager)
    assert manager.cleanup_transforms == before
