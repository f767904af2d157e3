"""Durable workflows for Jupyter: kill the kernel, keep the work.

Nothing is imported before it is asked for, so ``from durable_nb import workflow`` costs what workflow authors need
and no more. ``durable_nb.connect()`` opens a store; ``%load_ext durable_nb`` does it in a notebook.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from durable_nb import (
        activity,
        api,
        client,
        common,
        contrib,
        converter,
        envconfig,
        exceptions,
        service,
        testing,
        worker,
        workflow,
    )
    from durable_nb.activity._progress import progress
    from durable_nb.analytics import exports
    from durable_nb.client._connect import connect
    from durable_nb.client._frames import explore, sql, stats

    __version__: str

__all__ = [
    "__version__",
    "activity",
    "api",
    "client",
    "common",
    "connect",
    "contrib",
    "converter",
    "envconfig",
    "exceptions",
    "explore",
    "exports",
    "load_ipython_extension",
    "progress",
    "service",
    "sql",
    "stats",
    "testing",
    "unload_ipython_extension",
    "worker",
    "workflow",
]

_MODULES = frozenset(
    {
        "activity",
        "analytics",
        "api",
        "client",
        "common",
        "contrib",
        "converter",
        "envconfig",
        "errors",
        "exceptions",
        "notebook",
        "service",
        "testing",
        "worker",
        "workflow",
    }
)


def __getattr__(name: str) -> Any:
    """Import a part of the package when it is first asked for (PEP 562)."""
    if name in _MODULES:
        return importlib.import_module(f"durable_nb.{name}")
    if name == "connect":
        value: Any = importlib.import_module("durable_nb.client._connect").connect
    elif name == "progress":
        value = importlib.import_module("durable_nb.activity._progress").progress
    elif name in {"sql", "explore", "stats"}:
        value = getattr(importlib.import_module("durable_nb.client._frames"), name)
    elif name == "exports":
        value = importlib.import_module("durable_nb.analytics.exports")
    elif name == "__version__":
        value = _version()
    else:
        raise AttributeError(f"module 'durable_nb' has no attribute {name!r}{_suggestion(name)}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(set(globals()) | set(__all__) | _MODULES)


def load_ipython_extension(ipython: Any) -> None:
    """``%load_ext durable_nb``: opens the store, starts the engine, offers ``client`` and the magics."""
    importlib.import_module("durable_nb.notebook").load_ipython_extension(ipython)


def unload_ipython_extension(ipython: Any) -> None:
    """``%unload_ext durable_nb``: takes the cells' definitions from the engine; handles go on working."""
    importlib.import_module("durable_nb.notebook").unload_ipython_extension(ipython)


def _version() -> str:
    """Version of the installed distribution, the only place where it is written; a checkout may have none."""
    metadata = importlib.import_module("importlib.metadata")
    try:
        version: str = metadata.version("durable_nb")
    except metadata.PackageNotFoundError:
        return "0+unknown"
    return version


def _suggestion(name: str) -> str:
    difflib = importlib.import_module("difflib")
    close = difflib.get_close_matches(name, [*__all__, *_MODULES], 1)
    return f": did you mean {close[0]!r}?" if close else ""
