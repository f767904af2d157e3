"""Running a unit in a module of its own. Whoever calls this has decided that the source may run (``trust``).

The module is known to ``sys.modules``, where annotations are looked up, and its text to ``linecache``, so that
tracebacks, the lint and messages show its lines. ``LoadedUnit.drop`` takes both back.
"""

from __future__ import annotations

import linecache
import re
import sys
from collections.abc import Callable, Iterable, Mapping
from types import ModuleType
from typing import Any, NamedTuple

from durable_nb.errors import RestoreError
from durable_nb.notebook.units.imports import MARK, local_digest

_MARKED = re.compile(rf"^(?:import|from) ([\w.]+).*{re.escape(MARK)}([0-9a-f]+)$", re.MULTILINE)
_PREFIX = "durable_nb_version_"

Definitions = Callable[[Any], Iterable[tuple[str, str, Any]]]
"""Kind, name and definition of everything that a value defines."""


class LoadedUnit(NamedTuple):
    """A definition that runs in a module of its own."""

    definition: Any
    module: ModuleType
    filename: str

    def drop(self) -> None:
        """Forget the module; runs that still use the code keep it alive."""
        if sys.modules.get(self.module.__name__) is self.module:  # it may have been loaded once more
            del sys.modules[self.module.__name__]
            linecache.cache.pop(self.filename, None)


def title_of(name: str) -> str:
    """The name of a definition as it is shown; a dynamic one has none."""
    return name or "(dynamic)"


def unit_filename(name: str, digest: str) -> str:
    """File name of a unit's code, as messages show it."""
    return f"<{title_of(name)} version {digest[:8]}>"


def load_unit(
    text: str, kind: str, name: str, digest: str, find: Definitions, live: Mapping[str, Any] | None = None
) -> LoadedUnit:
    """Run a unit and give its definition.

    Parameters
    ----------
    kind, name
        ``workflow`` or ``activity``, and the type name; in messages also.
    find
        ``definitions_in`` of ``capture``: what an object defines.
    live
        Values for names that the source cannot make, where this process has them.

    Raises
    ------
    RestoreError
        DNB111: the code failed, a module beside the notebook has changed, or the definition is not in it.
    """
    for path, mark in _MARKED.findall(text):
        _check_module(path, mark, name)
    filename = unit_filename(name, digest)
    module = ModuleType(_PREFIX + digest)
    loaded = LoadedUnit(None, module, filename)
    linecache.cache[filename] = (len(text), None, text.splitlines(keepends=True), filename)
    sys.modules[module.__name__] = module
    vars(module).update(live or {})
    try:
        exec(compile(text, filename, "exec", dont_inherit=True), vars(module))  # noqa: S102 - see the module
        values = reversed(vars(module).values())
        found = next((each for value in values for *what, each in find(value) if what == [kind, name]), None)
    except BaseException as error:
        loaded.drop()
        if not isinstance(error, Exception | SystemExit):
            raise  # an interrupt
        raise RestoreError(
            f"the stored source of {kind} {title_of(name)} cannot run: {type(error).__name__}: {error}",
            where=filename,
            fix="run the cell that defines it",
        ) from error
    if found is None:
        loaded.drop()
        raise RestoreError(
            f"the stored source does not define {kind} {title_of(name)}", fix="run the cell that defines it"
        )
    return loaded._replace(definition=found)


def _check_module(path: str, mark: str, name: str) -> None:
    try:
        module = __import__(path, fromlist=["_"])
    except Exception as error:
        raise RestoreError(
            f"{name} imports {path}, which cannot be imported: {type(error).__name__}: {error}",
            fix="put the module back, or run the cell that defines the workflow",
        ) from error
    if local_digest(module) != mark:
        raise RestoreError(
            f"{name} imports {path}, whose file has changed since",
            fix="run the cell that defines it; runs that agree with the new code go on on it",
        )
