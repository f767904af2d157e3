"""The errors of this package: the tree in the docstring is the whole of it, and no two have one code."""

from __future__ import annotations

import importlib
import pkgutil
import re
from collections.abc import Iterator

import pytest

import durable_nb
from durable_nb import errors, workflow
from durable_nb.worker import workflow_sandbox


def below(error: type[errors.DurableError]) -> Iterator[type[errors.DurableError]]:
    for child in error.__subclasses__():
        yield child
        yield from below(child)


def test_every_error_is_drawn_where_it_belongs_with_its_code() -> None:
    for module in pkgutil.walk_packages(durable_nb.__path__, "durable_nb."):
        importlib.import_module(module.name)
    drawn: dict[str, tuple[str, str]] = {}
    path: list[str] = []
    for line in (errors.__doc__ or "").splitlines():
        found = re.match(r"    ([│├└─ ]*)(\w+Error)(?: +(DNB\d(?:\d\d|xx)))?", line)
        if found:
            depth = len(found[1]) // 4
            path[depth:] = [found[2]]
            drawn[found[2]] = (path[depth - 1] if depth else "", (found[3] or "").replace("xx", "00"))
    existing = {
        each.__name__: (each.__base__.__name__, each.code)
        for each in below(errors.DurableError)
        if each.__module__.startswith("durable_nb")
    }
    assert drawn.pop("DurableError") == ("", "")
    assert drawn == existing
    assert len({code for _, code in existing.values()}) == len(existing)


def test_a_restricted_access_is_one_error_under_both_of_its_names() -> None:
    assert workflow_sandbox.RestrictedWorkflowAccessError is workflow.RestrictedWorkflowAccessError
    error = workflow_sandbox.RestrictedWorkflowAccessError("time.time")
    assert error.qualified_name == "time.time"
    assert "time.time" in str(error)
    with pytest.raises(errors.DurableError, match="my words"):
        raise workflow_sandbox.RestrictedWorkflowAccessError("time.time", override_message="my words")
