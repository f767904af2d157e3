"""The simulated store, asked in two ways."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from durable_nb.analytics import Explorer, open_explorer
from tests.analytics_stats.raw import Raw
from tests.simulated import BIG, cached


@dataclass
class Shop:
    """A store, its explorer, and its rows."""

    explorer: Explorer
    raw: Raw


@pytest.fixture(scope="session")
def shop() -> Iterator[Shop]:
    """The ten thousand runs."""
    path = cached(BIG)
    explorer = open_explorer(f"sqlite:///{path}")
    yield Shop(explorer, Raw(str(path)))
    explorer.close()
