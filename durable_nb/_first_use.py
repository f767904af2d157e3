"""Public names whose modules are imported when somebody first asks for them (PEP 562).

A package names all that it offers, and a program pays for what it uses: a worker that goes on with runs after a crash
never lists, compares or exports any. Type checkers and editors run none of this; they read ordinary imports, which
stand under ``TYPE_CHECKING`` beside the call.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any


def on_first_use(
    namespace: dict[str, Any], names: Mapping[str, Sequence[str]]
) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """``__getattr__`` and ``__dir__`` of a package that has such names.

    Parameters
    ----------
    namespace
        The package's ``globals()``.
    names
        Module within the package, and what comes from it.

    Examples
    --------
    >>> __getattr__, __dir__ = on_first_use(globals(), {"_replayer": ("Replayer",)})  # doctest: +SKIP
    """
    package = namespace["__name__"]
    module_of = {name: module for module, held in names.items() for name in held}

    def get(name: str) -> Any:
        module = module_of.get(name)
        if module is None:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        value = namespace[name] = getattr(importlib.import_module(f"{package}.{module}"), name)
        return value

    def names_of_package() -> list[str]:
        return sorted({*namespace, *module_of})

    return get, names_of_package
