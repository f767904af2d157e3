"""The top of the package: names for later and the version."""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest

import durable_nb


@pytest.mark.parametrize("name", sorted(durable_nb.__all__))
def test_every_listed_name_exists(name):
    assert getattr(durable_nb, name) is not None


def test_all_public_modules_of_the_package_are_reachable_without_an_import_statement():
    folder = Path(durable_nb.__file__).parent
    portable = {"workflow", "activity", "client", "worker", "common", "exceptions", "testing", "converter", "envconfig"}
    assert portable <= set(durable_nb.__all__)
    for name in portable:
        assert (folder / f"{name}.py").exists() or (folder / name / "__init__.py").exists()
        assert isinstance(getattr(durable_nb, name), ModuleType)


def test_all_listed_names_are_offered_for_completion():
    assert set(durable_nb.__all__) <= set(dir(durable_nb))


def test_an_unknown_name_gets_a_suggestion():
    with pytest.raises(AttributeError, match=r"no attribute 'conect': did you mean 'connect'\?"):
        durable_nb.conect  # noqa: B018


def test_the_version_is_that_of_the_installed_distribution_or_says_that_there_is_none(monkeypatch):
    from importlib import metadata

    monkeypatch.setattr(metadata, "version", lambda name: f"1.2.3 of {name}")
    assert durable_nb._version() == "1.2.3 of durable_nb"

    def missing(name):
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(metadata, "version", missing)
    assert durable_nb._version() == "0+unknown"


def test_the_extension_is_loaded_by_the_notebook_package(monkeypatch):
    calls: list[tuple[str, object]] = []
    notebook = SimpleNamespace(
        load_ipython_extension=lambda shell: calls.append(("load", shell)),
        unload_ipython_extension=lambda shell: calls.append(("unload", shell)),
    )
    monkeypatch.setitem(sys.modules, "durable_nb.notebook", notebook)
    durable_nb.load_ipython_extension("shell")
    durable_nb.unload_ipython_extension("shell")
    assert calls == [("load", "shell"), ("unload", "shell")]
