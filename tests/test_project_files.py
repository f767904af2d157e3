"""Files around the package agree with each other: one version, one set of pins, targets that exist."""

from __future__ import annotations

import os
import re
import subprocess
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
SCRIPTS = [".ci/run", ".ci/apt", ".ci/readme", "binder/postBuild", "binder/start"]


def read(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


@pytest.mark.parametrize("name", SCRIPTS)
def test_scripts_may_be_executed(name: str) -> None:
    assert os.access(ROOT / name, os.X_OK)


def test_the_version_is_stated_once_and_has_a_changelog_entry() -> None:
    version = PROJECT["version"]
    assert re.search(rf"^## {re.escape(version)}\b", read("CHANGELOG.md"), re.MULTILINE)
    stated = [
        path for path in (ROOT / "durable_nb").rglob("*.py") if f'"{version}"' in path.read_text(encoding="utf-8")
    ]
    assert stated == []


def test_binder_installs_the_package_itself_with_extras_that_exist() -> None:
    (extras,) = re.findall(r"--editable '\.\[([\w,-]+)\]'", read("binder/postBuild"))
    assert set(extras.split(",")) <= set(PROJECT["optional-dependencies"])
    assert "--no-cache-dir" in read("binder/postBuild")


def test_binder_has_a_python_that_the_package_allows() -> None:
    (python,) = re.findall(r"^  - python=(\d+)\.(\d+)$", read("binder/environment.yml"), re.MULTILINE)
    (floor,) = re.findall(r">=(\d+)\.(\d+)", PROJECT["requires-python"])
    assert tuple(map(int, python)) >= tuple(map(int, floor))


def test_binder_start_hands_over_to_the_server() -> None:
    assert read("binder/start").rstrip().endswith('exec "$@"')


def test_a_bare_make_lists_every_target() -> None:
    done = subprocess.run(["make", "-s"], cwd=ROOT, capture_output=True, text=True, check=True)
    (phony,) = re.findall(r"^\.PHONY: (.*)$", read("Makefile"), re.MULTILINE)
    listed = {line.split()[1] for line in done.stdout.splitlines()}
    assert listed == set(phony.split())


def test_ci_gives_only_make_targets_that_exist() -> None:
    (phony,) = re.findall(r"^\.PHONY: (.*)$", read("Makefile"), re.MULTILINE)
    called = re.findall(r"^make --no-print-directory ([\w-]+)", read(".ci/run"), re.MULTILINE)
    assert called
    assert set(called) <= set(phony.split())
