"""What tools see of the public names: every signature can be read, and of the type hints all but a known few.

IPython's ``?``, Sphinx and interceptors' own tools ask for them at run time, where ``TYPE_CHECKING`` is false.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from importlib import import_module
from typing import Any, get_type_hints

import pytest

MODULES = ("client", "worker", "workflow", "activity", "common", "converter", "exceptions", "testing")

LAZY = {
    "Client", "ClientConfig", "EngineHandle", "OutboundInterceptor", "SlotMarkUsedContext", "SlotReleaseContext",
    "SlotReserveContext", "SyncManager", "Worker", "WorkerConfig", "WorkflowExecutionAsyncIterator",
    "WorkflowExecutionCount", "WorkflowExecutionDescription", "WorkflowHandle", "WorkflowHistory",
    "WorkflowHistoryEventAsyncIterator", "WorkflowUpdateHandle",
}  # fmt: skip
"""Classes that cannot be looked up where they are named: their module would be a ring, or is imported on first use."""


def public(module: str) -> Iterator[tuple[str, Callable[..., Any]]]:
    """Callables of a module, and methods of its classes."""
    namespace = import_module(f"durable_nb.{module}")
    for name in namespace.__all__:
        value = getattr(namespace, name)
        if not inspect.isclass(value):
            if inspect.isroutine(value):
                yield name, value
            continue
        yield name, value
        for key, member in vars(value).items():
            function = member.fget if isinstance(member, property) else getattr(member, "__func__", member)
            if inspect.isfunction(function) and (key == "__init__" or not key.startswith("_")):
                yield f"{name}.{key}", function


@pytest.mark.parametrize("module", MODULES)
def test_signatures_and_type_hints_can_be_read(module: str) -> None:
    unknown: dict[str, str] = {}
    for name, value in public(module):
        try:
            inspect.signature(value)
        except NameError as error:
            unknown[f"signature of {name}"] = error.name
        except ValueError:
            pass  # of a class that is made by calling something in C, such as an exception
        try:
            get_type_hints(value)
        except NameError as error:
            if error.name not in LAZY:
                unknown[f"hints of {name}"] = error.name
    assert unknown == {}
