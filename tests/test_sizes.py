"""The size budget: files stay under 700 lines, functions under 60, and no module is a drawer for odds and ends."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
FOLDERS = ("durable_nb", "benchmarks", "notebooks", "tests")
MAX_FILE_LINES = 700
MAX_FUNCTION_LINES = 60
DRAWERS = {"utils", "util", "common", "base", "misc", "helpers"}
NAMED_BY_TEMPORAL = {"durable_nb/common", "durable_nb/common.py", "durable_nb/api/common"}


def sources() -> list[Path]:
    return sorted(path for folder in FOLDERS for path in (ROOT / folder).rglob("*.py"))


def shown(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def functions(tree: ast.AST) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    return (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))


def code_lines(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Lines from ``def`` to the end, without the docstring."""
    total = function.end_lineno - function.lineno + 1
    docstring = function.body[0]
    if isinstance(docstring, ast.Expr) and isinstance(docstring.value, ast.Constant):
        total -= docstring.end_lineno - docstring.lineno + 1
    return total


def test_there_are_sources_to_look_at() -> None:
    assert len(sources()) > 50


def test_no_file_is_longer_than_700_lines() -> None:
    lengths = {shown(path): len(path.read_text(encoding="utf-8").splitlines()) for path in sources()}
    assert {name: lines for name, lines in lengths.items() if lines > MAX_FILE_LINES} == {}


def test_no_function_is_longer_than_60_lines() -> None:
    lengths = {
        f"{shown(path)}:{function.lineno} {function.name}": code_lines(function)
        for path in sources()
        for function in functions(ast.parse(path.read_text(encoding="utf-8")))
    }
    too_long = {name: lines for name, lines in lengths.items() if lines > MAX_FUNCTION_LINES}
    assert too_long == {}


def test_the_docstring_of_a_function_does_not_count() -> None:
    tree = ast.parse('def f():\n    """One.\n\n    Two.\n    """\n    return 1\n')
    assert [code_lines(function) for function in functions(tree)] == [2]


def test_no_module_is_a_drawer_for_odds_and_ends() -> None:
    named = {shown(path) for path in sources() if path.stem.strip("_") in DRAWERS}
    named |= {shown(path.parent) for path in sources() if path.parent.name in DRAWERS}
    assert {name for name in named if not name.startswith(tuple(NAMED_BY_TEMPORAL))} == set()
