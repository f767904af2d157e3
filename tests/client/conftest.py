"""A client of a scripted engine."""

from __future__ import annotations

import pytest

from durable_nb.client import Client, WorkflowHandle
from tests.client.fake_frontend import FakeEngine, FakeFrontend
from tests.client.orders import OrderWorkflow


@pytest.fixture
def engine() -> FakeEngine:
    return FakeEngine()


@pytest.fixture
def frontend(engine: FakeEngine) -> FakeFrontend:
    return engine.frontend


@pytest.fixture
def client(engine: FakeEngine) -> Client:
    return Client(engine, identity="tester")


@pytest.fixture
def handle(client: Client) -> WorkflowHandle:
    return client.get_workflow_handle_for(OrderWorkflow.run, "o")
