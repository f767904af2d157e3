"""Whose code is whose: the author's, Python's, an installed package's, this package's."""

from __future__ import annotations

import asyncio
import json

import msgspec
import pytest

import durable_nb
from durable_nb.runtime.place import is_library_file


@pytest.mark.parametrize(
    "module", [json, asyncio.tasks, msgspec, pytest, durable_nb.workflow], ids=lambda m: m.__name__
)
def test_python_what_is_installed_and_this_package_are_libraries(module) -> None:
    assert is_library_file(module.__file__)


@pytest.mark.parametrize("file", [__file__, "/home/me/flows.py", "/tmp/ipykernel_7/123.py", "<ipython-input-1>"])
def test_files_and_cells_of_the_author_are_not(file: str) -> None:
    assert not is_library_file(file)
