"""Failures and messages for the tests of closing."""

from __future__ import annotations

from durable_nb.core import closing, requests
from durable_nb.model.failure import ApplicationFailureInfo, Failure
from durable_nb.model.payload import Payload
from durable_nb.model.requests import SignalInput
from tests.core.world import World, text

NO = Failure(message="no", application_failure_info=ApplicationFailureInfo(type="ValueError"))

NULL = Payload({"encoding": b"binary/null"})


def terminate(world: World) -> None:
    world.do(lambda tx: closing.terminate(tx, "stop it", text("why"), "me"))


def signal(world: World) -> None:
    world.do(lambda tx: requests.signal(tx, SignalInput("go"), "me"))
