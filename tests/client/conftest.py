"""A client of a scripted engine."""

from __future__ import annotations

import pytest

from durable_nb.client import Client
from tests.client.fake_frontend import FakeEngine, FakeFrontend


@pytest.fixture
def engine() -> FakeEngine:
    return FakeEngine()


@pytest.fixture
def frontend(engine: FakeEngine) -> FakeFrontend:
    return engine.frontend


@pytest.fixture
def client(engine: FakeEngine) -> Client:
    return Client(engine, identity="tester")
