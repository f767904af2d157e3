"""The source of a definition with everything that it uses: enough to run it in an empty namespace.

A *unit* is the text of a module: imports, the helpers, classes and constants that the definition refers to, directly
or through each other, then the definition itself. Its digest is the version of the definition. ``references`` finds
names, ``statements`` the top-level statements that bind them, ``rebuilding`` judges which values can be made again
from source, ``stubs`` cuts bodies off that are versions of their own, ``closure`` puts a unit together, ``loading``
runs one. Nothing of the user's is called while a unit is made.
"""

from durable_nb.notebook.units.closure import FORMER_CLASS, Unit, build_bound_unit, build_unit
from durable_nb.notebook.units.loading import Definitions, LoadedUnit, load_unit, title_of
from durable_nb.notebook.units.statements import CellStatements, FileStatements, Statements

__all__ = [
    "FORMER_CLASS",
    "CellStatements",
    "Definitions",
    "FileStatements",
    "LoadedUnit",
    "Statements",
    "Unit",
    "build_bound_unit",
    "build_unit",
    "load_unit",
    "title_of",
]
