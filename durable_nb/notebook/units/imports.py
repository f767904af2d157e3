"""Import statements that bind a name to what it is bound to here, and marks of local modules that may change.

A module that is not installed but lies beside the notebook is imported like any other; its digest stands behind the
import as a comment, so that the unit is another version when the file is another, and is refused where the file has
changed since (``loading``).
"""

from __future__ import annotations

import ast
import hashlib
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

from durable_nb.runtime.place import is_library_file

MARK = "  # source sha256 "


def import_line(name: str, value: Any, node: ast.stmt | None, package: str) -> str:
    """An import statement that binds ``name`` to ``value``; "" where there is none.

    Parameters
    ----------
    node
        The statement that bound it, where one is known.
    package
        Package of the module that the statement stands in, for relative imports.
    """
    if isinstance(node, ast.Import | ast.ImportFrom):
        line = _as_written(name, value, node, package)
        if line:
            return line
    if isinstance(value, ModuleType):
        path = value.__name__
        if sys.modules.get(path) is not value:
            return ""
        parent, _, last = path.rpartition(".")
        if parent and last == name and getattr(sys.modules.get(parent), last, None) is value:
            line = f"from {parent} import {last}"
        else:
            line = f"import {path}" if path == name else f"import {path} as {name}"
        return line + _mark(value)
    home = getattr(value, "__module__", None)
    own = getattr(value, "__qualname__", None)
    if not isinstance(home, str) or not isinstance(own, str) or home == "__main__":
        return ""
    return _from(home, own, name, value)


def submodule_lines(name: str, value: ModuleType, attributes: frozenset[str]) -> list[str]:
    """Imports of the submodules that code reaches through a package: ``concurrent.futures`` for ``concurrent``."""
    lines = []
    for dotted in sorted(attributes):
        parts = dotted.split(".")
        if parts[0] != name:
            continue
        path = value.__name__
        for part in parts[1:]:
            path = f"{path}.{part}"
            if not isinstance(sys.modules.get(path), ModuleType):
                break
            lines.append(f"import {path}")
    return lines


def _as_written(name: str, value: Any, node: ast.Import | ast.ImportFrom, package: str) -> str:
    for alias in node.names:
        if name not in (alias.asname, alias.name, alias.name.split(".", 1)[0]):
            continue
        if isinstance(node, ast.Import):
            if isinstance(value, ModuleType) and sys.modules.get(alias.name if alias.asname else name) is value:
                as_name = f" as {alias.asname}" if alias.asname else ""
                return f"import {alias.name}{as_name}" + _mark(sys.modules[alias.name])
            continue
        path = node.module or ""
        if node.level:
            parts = package.split(".")
            base = ".".join(parts[: len(parts) - node.level + 1])
            path = f"{base}.{path}" if path else base
        line = _from(path, alias.name, name, value)
        if line:
            return line
    return ""


def _from(path: str, own: str, name: str, value: Any) -> str:
    module = sys.modules.get(path)
    if module is None or "." in own or "<" in own:
        return ""
    found = getattr(module, own, sys.modules.get(f"{path}.{own}"))
    if found is not value:
        return ""
    return f"from {path} import {own}" + (f" as {name}" if own != name else "") + _mark(module)


def _mark(module: ModuleType) -> str:
    digest = local_digest(module)
    return f"{MARK}{digest}" if digest else ""


def local_digest(module: ModuleType) -> str:
    """Digest of the files of a module and of the local modules that it imports; "" for an installed one."""
    files = sorted(_local_files(module, {}).items())
    if not files:
        return ""
    return hashlib.sha256(repr(files).encode()).hexdigest()[:16]


def _local_files(module: ModuleType, found: dict[str, str]) -> dict[str, str]:
    """Digest of each file by name of its module."""
    file = getattr(module, "__file__", None) or ""
    if module.__name__ in found or not file.endswith(".py") or is_library_file(file):
        return found
    try:
        found[module.__name__] = hashlib.sha256(Path(file).read_bytes()).hexdigest()
    except OSError:
        return found
    for value in list(vars(module).values()):
        inner = value if isinstance(value, ModuleType) else sys.modules.get(getattr(value, "__module__", None) or "")
        if isinstance(inner, ModuleType):
            _local_files(inner, found)
    return found
