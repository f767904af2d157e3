"""Names that come when they are asked for, and what a start leaves out because of them."""

from __future__ import annotations

import importlib
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from durable_nb._first_use import on_first_use
from durable_nb.service import RPCStatusCode

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("analytics", "client", "notebook", "worker", "workflow")

OTHER_VERBS = (
    "durable_nb.analytics",
    "durable_nb.client._branching",
    "durable_nb.client._bulk",
    "durable_nb.client._comparison",
    "durable_nb.client._exporting",
    "durable_nb.client._filter",
    "durable_nb.client._history",
    "durable_nb.client._listing",
    "durable_nb.client._moment",
    "durable_nb.client._output",
    "durable_nb.client._selection",
    "durable_nb.client._travel",
    "durable_nb.core.alignment",
    "durable_nb.core.branch",
    "durable_nb.core.describe",
    "durable_nb.core.importing",
    "durable_nb.core.points",
    "durable_nb.core.beginnings",
    "durable_nb.engine.branching",
    "durable_nb.engine.deletion",
    "durable_nb.engine.imports",
    "durable_nb.model.text",
    "durable_nb.worker._replayer",
)
"""Looking back, branching, comparing, listing, exporting: nothing of it is needed to start or resume a run."""

RARE = (
    "difflib",
    "durable_nb.converter.arrow_arrays",
    "durable_nb.converter.arrow_tables",
    "durable_nb.converter.unencodable",
    "durable_nb.worker._process",
    "durable_nb.worker._shared_state",
    "pickle",
    "sysconfig",
)
"""What words an error message, stores tables, and calls activities in other processes."""

HEAVY = tuple("sqlalchemy pandas numpy IPython duckdb plotly pyarrow pydantic ipywidgets temporalio".split())
"""Other packages: some are only for the notebook, some for tests, and SQLAlchemy builds queries of a variable shape."""


def python(*arguments: str) -> set[str]:
    """Words that a fresh interpreter prints."""
    done = subprocess.run([sys.executable, *arguments], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return set(done.stdout.split())


@pytest.mark.parametrize("package", PACKAGES)
def test_names_for_later_are_listed_and_come_when_they_are_asked_for(package: str) -> None:
    module = importlib.import_module(f"durable_nb.{package}")
    assert set(module.__all__) <= set(dir(module))
    for name in module.__all__:
        assert getattr(module, name) is getattr(module, name)


@pytest.mark.parametrize("package", PACKAGES)
def test_a_name_that_a_package_has_not_is_an_attribute_error(package: str) -> None:
    module = importlib.import_module(f"durable_nb.{package}")
    with pytest.raises(AttributeError, match=rf"module 'durable_nb.{package}' has no attribute 'Nothing'"):
        module.Nothing  # noqa: B018


def test_a_name_is_looked_up_once_and_then_stands_in_the_package() -> None:
    namespace = {"__name__": "durable_nb"}
    get, names = on_first_use(namespace, {"service": ("RPCStatusCode",)})
    assert names() == ["RPCStatusCode", "__name__"]
    assert get("RPCStatusCode") is RPCStatusCode
    assert namespace["RPCStatusCode"] is RPCStatusCode


@pytest.mark.parametrize("name", [name for name in (*OTHER_VERBS, *RARE) if name.startswith("durable_nb.")])
def test_what_a_start_leaves_out_has_that_name_still(name: str) -> None:
    assert find_spec(name) is not None


@pytest.mark.slow
def test_a_file_that_defines_workflows_imports_nothing_that_runs_them() -> None:
    modules = python("-c", "import sys, durable_nb.workflow, durable_nb.activity; print(*sys.modules)")
    assert "durable_nb.workflow._definition" in modules
    assert modules.isdisjoint({*(f"durable_nb.{name}" for name in ("runtime.instance", "client", "worker", "engine"))})
    assert modules.isdisjoint({*RARE, *HEAVY, "sqlite3"})


@pytest.mark.slow
def test_importing_the_client_and_the_worker_leaves_out_what_only_other_verbs_need() -> None:
    modules = python("-c", "import sys, durable_nb.client, durable_nb.worker, durable_nb.workflow; print(*sys.modules)")
    assert "durable_nb.client._client" in modules
    assert modules.isdisjoint({*OTHER_VERBS, *RARE, *HEAVY, "sqlite3", "durable_nb.engine", "durable_nb.store"})


@pytest.mark.slow
def test_a_program_that_goes_on_with_a_run_leaves_it_out_too(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'store.db'}"
    python("-m", "tests.resuming", "begin", url)
    modules = python("-m", "tests.resuming", "resume", url)
    assert "durable_nb.store.sqlite" in modules
    assert modules.isdisjoint({*OTHER_VERBS, *RARE, *HEAVY})
