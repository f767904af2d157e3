"""The names of ``durable_nb.workflow`` are those of Temporal's module, with its signatures and defaults."""

from __future__ import annotations

import dataclasses
import enum
import inspect
import subprocess
import sys
from typing import Any

import pytest
import temporalio.types
import temporalio.worker
import temporalio.workflow

import durable_nb.runtime.interceptor
import durable_nb.workflow
from durable_nb.worker import _replayer

CLUSTER_ONLY = {
    "EventGroup",
    "NexusClient",
    "NexusOperationCancellationType",
    "NexusOperationHandle",
    "create_event_group",
    "create_nexus_client",
    "signal_with_start_workflow",
}
TYPING_ONLY = set(vars(temporalio.types))
NAMES = [
    name
    for name in temporalio.workflow.__all__
    if not name.startswith("_") and name not in CLUSTER_ONLY and name not in TYPING_ONLY
]


def shape(fn: Any) -> list[tuple[str, str, str]]:
    """Name, kind and default of each parameter, comparable across packages."""
    found = []
    for parameter in inspect.signature(fn).parameters.values():
        default = parameter.default
        if isinstance(default, enum.Enum):
            default = (default.name, default.value)
        elif type(default).__name__ in ("object", "ArgUnset"):
            default = "unset"
        elif type(default).__name__ == "Priority":
            default = "priority"
        found.append((parameter.name, parameter.kind.name, str(default)))
    return found


def fields(cls: Any) -> list[str]:
    return [field.name for field in dataclasses.fields(cls)]


@pytest.mark.parametrize("name", NAMES)
def test_every_name_is_here_with_the_same_shape(name: str) -> None:
    theirs, ours = getattr(temporalio.workflow, name), getattr(durable_nb.workflow, name)
    if inspect.isfunction(theirs):
        assert shape(ours) == shape(theirs)
        assert inspect.iscoroutinefunction(ours) == inspect.iscoroutinefunction(theirs)
    elif inspect.isclass(theirs) and issubclass(theirs, enum.Enum):
        assert {each.name: each.value for each in ours} == {each.name: each.value for each in theirs}


def test_all_is_complete() -> None:
    module = durable_nb.workflow
    public = {name for name in vars(module) if not name.startswith("_") and not inspect.ismodule(vars(module)[name])}
    assert public <= set(module.__all__)
    assert all(hasattr(module, name) for name in module.__all__)


def test_what_unsafe_offers_is_the_same() -> None:
    theirs = {name for name in vars(temporalio.workflow.unsafe) if not name.startswith("_")}
    assert theirs == {name for name in vars(durable_nb.workflow.unsafe) if not name.startswith("_")}


@pytest.mark.parametrize(
    "name",
    [name for name in vars(durable_nb.runtime.interceptor) if name.endswith("Input")],
)
def test_inputs_of_interceptors_have_the_same_fields(name: str) -> None:
    theirs, ours = getattr(temporalio.worker, name), getattr(durable_nb.runtime.interceptor, name)
    assert set(fields(ours)) == set(fields(theirs))
    assert ours.__match_args__ == theirs.__match_args__


def test_the_info_of_a_run_has_the_same_fields() -> None:
    assert fields(durable_nb.workflow.Info) == fields(temporalio.workflow.Info)


def test_the_replayer_takes_the_same_parameters() -> None:
    assert [each[:2] for each in shape(_replayer.Replayer)] == [each[:2] for each in shape(temporalio.worker.Replayer)]
    for method in ("replay_workflow", "replay_workflows", "workflow_replay_iterator", "config"):
        assert shape(getattr(_replayer.Replayer, method)) == shape(getattr(temporalio.worker.Replayer, method))


def test_importing_it_pulls_in_nothing_heavy() -> None:
    heavy = ("pandas", "plotly", "duckdb", "sqlalchemy", "IPython", "temporalio", "pydantic", "numpy", "pyarrow")
    code = f"import sys, durable_nb.workflow; print([n for n in {heavy!r} if n in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_outside_a_workflow_every_call_says_so() -> None:
    assert durable_nb.workflow.in_workflow() is False
    assert durable_nb.workflow.current_update_info() is None
    for call in (durable_nb.workflow.info, durable_nb.workflow.now, durable_nb.workflow.uuid4):
        with pytest.raises(durable_nb.workflow.NotInWorkflowEventLoopError, match="Not in workflow event loop"):
            call()
