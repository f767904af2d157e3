"""The stores under test."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from durable_nb.store import open_store
from durable_nb.store.protocol import Store
from durable_nb.store.sqlite import SqliteStore


@pytest.fixture(params=["memory", "sqlite"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    """One of each kind; what is tested with it holds for all."""
    opened = open_store("memory://" if request.param == "memory" else f"sqlite:///{tmp_path}/durable.db")
    yield opened
    opened.close()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "durable.db"


@pytest.fixture
def open_sqlite(path: Path) -> Iterator[Callable[..., SqliteStore]]:
    """Opens the same file as often as wanted, as several processes would; all are closed at the end."""
    opened: list[SqliteStore] = []

    def opener(**options: Any) -> SqliteStore:
        opened.append(SqliteStore(f"sqlite:///{path}", **options))
        return opened[-1]

    yield opener
    for each in opened:
        each.close()
