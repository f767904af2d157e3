"""Stores of both kinds, and mirrors of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from durable_nb.analytics import Explorer, open_explorer
from durable_nb.analytics.mirror import Mirror
from durable_nb.store import open_store
from durable_nb.store.protocol import Store


@pytest.fixture(params=["memory", "sqlite"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    opened = open_store("memory://" if request.param == "memory" else f"sqlite:///{tmp_path}/durable.db")
    yield opened
    opened.close()


@pytest.fixture
def sqlite(tmp_path: Path) -> Iterator[Any]:
    opened = open_store(f"sqlite:///{tmp_path}/durable.db")
    yield opened
    opened.close()


@pytest.fixture
def explorer(store: Store) -> Iterator[Explorer]:
    made = open_explorer(store)
    yield made
    made.close()


@pytest.fixture
def ask(explorer: Explorer) -> Callable[..., list[Any]]:
    """Rows of a query after a refresh."""

    def rows(query: str, params: Any = None) -> list[Any]:
        return explorer.cursor().execute(query, params).fetchall()

    return rows


@pytest.fixture
def mirrored() -> Iterator[Callable[..., Mirror]]:
    """Makes mirrors of feeds; all are closed at the end."""
    made: list[Mirror] = []

    def make(feed: Any) -> Mirror:
        made.append(Mirror(feed))
        return made[-1]

    yield make
    for mirror in made:
        mirror.close()
