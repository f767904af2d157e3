"""The commands of ``%workflow``, one module each with a constant ``COMMAND``; a new module is found by itself.

A module is named like its command, with ``_`` at the end where Python has the word for itself. It is imported when a
``%workflow`` line is first read or completed, not by ``%load_ext``; a package that only its ``run`` needs (DuckDB,
plotly) is imported there.

To add one::

    COMMAND = Subcommand("stats", "how long runs take, and how often they fail", configure, run, examples=(...))

``configure(parser)`` adds arguments (``arguments.add_target``, ``add_input``, ``completed_by``), ``run(session,
options)`` returns what is shown (``asking.ask``, ``handle``, ``target`` talk to the engine).
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Mapping
from functools import cache

from durable_nb.notebook.subcommands.subcommand import Completer, Subcommand

__all__ = ["Completer", "Subcommand", "subcommands"]

_ORDER = (
    "list show history timeline at compare stats start result signal query update cancel terminate reset fork retry "
    "delete definitions restore export import connect"
).split()
"""How help lists them: looking, doing, the rest; what is not named here comes last."""


@cache
def subcommands() -> Mapping[str, Subcommand]:
    """All commands by name."""
    modules = (importlib.import_module(f"{__name__}.{found.name}") for found in pkgutil.iter_modules(__path__))
    found = [module.COMMAND for module in modules if hasattr(module, "COMMAND")]
    places = {name: place for place, name in enumerate(_ORDER)}
    found.sort(key=lambda command: (places.get(command.name, len(places)), command.name))
    return {command.name: command for command in found}
