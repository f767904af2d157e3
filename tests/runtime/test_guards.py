"""Calls that a replay cannot repeat are refused while workflow code runs, and nowhere else."""

from __future__ import annotations

import logging
import os
import pickle
import random
import secrets
import socket
import subprocess
import threading
import time
import uuid
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import pytest

from durable_nb import workflow
from durable_nb.runtime import guards
from tests.runtime.driver import Driver


@pytest.fixture(autouse=True)
def installed() -> Iterator[None]:
    guards.install()
    yield
    guards.uninstall()


REFUSED: dict[str, Callable[[], Any]] = {
    "time.time": lambda: time.time(),  # noqa: PLW0108 - the guard is put in place after this line
    "time.time_ns": lambda: time.time_ns(),  # noqa: PLW0108
    "time.sleep": lambda: time.sleep(0),
    "random.random": lambda: random.random(),  # noqa: PLW0108
    "random.choice": lambda: random.choice([1]),
    "uuid.uuid4": lambda: uuid.uuid4(),  # noqa: PLW0108
    "secrets.token_hex": lambda: secrets.token_hex(),  # noqa: PLW0108
    "os.urandom": lambda: os.urandom(1),
    "os.system": lambda: os.system("true"),
    "open": lambda: open(__file__),  # noqa: SIM115
    "input": lambda: input(),  # noqa: PLW0108
    "threading.Thread.start": lambda: threading.Thread(target=print).start(),
    "subprocess.Popen.__init__": lambda: subprocess.run(["true"], check=True),
    "socket.socket.connect": lambda: connect(),  # noqa: PLW0108
}


def connect() -> None:
    with socket.socket() as made:
        made.connect(("127.0.0.1", 9))


@workflow.defn
class Calls:
    @workflow.run
    async def run(self, name: str) -> str:
        REFUSED[name]()
        return "allowed"


@workflow.defn(sandboxed=False)
class Unguarded:
    @workflow.run
    async def run(self) -> float:
        return time.time()


async def unrestricted() -> Any:
    with workflow.unsafe.sandbox_unrestricted():
        assert workflow.unsafe.is_sandbox_unrestricted()
        time.time()
    with workflow.unsafe.imports_passed_through():
        import colorsys  # noqa: F401
    return "allowed"


async def own_random() -> Any:
    return random.Random(1).random() + workflow.random().random() > 0


async def logs() -> Any:
    workflow.logger.warning("the record reads the clock")
    logging.getLogger("mine").warning("so does this")
    return "allowed"


@workflow.defn
class Allowed:
    @workflow.run
    async def run(self, name: str) -> Any:
        return await ALLOWED[name]()


ALLOWED: dict[str, Callable[[], Awaitable[Any]]] = {f.__name__: f for f in (unrestricted, own_random, logs)}


@pytest.mark.parametrize("name", REFUSED)
def test_it_is_refused_with_name_line_and_remedy(name: str) -> None:
    outcome = Driver(Calls, name, guards=True).task()
    info = outcome.failure.application_failure_info
    assert info.type == "RestrictedWorkflowAccessError"
    message = outcome.failure.message
    assert message.startswith(f"DNB120 workflow code called {name}, which a replay cannot repeat")
    assert f"{__file__}, line " in message
    assert "fix    use " in message


@pytest.mark.parametrize("name", ALLOWED)
def test_it_is_allowed(name: str) -> None:
    d = Driver(Allowed, name, guards=True)
    d.task()
    assert d.closed


def test_a_workflow_that_is_not_sandboxed_is_not_guarded() -> None:
    d = Driver(Unguarded, guards=True)
    d.task()
    assert d.closed


def test_guards_can_be_switched_off_for_a_worker() -> None:
    d = Driver(Calls, "time.time", guards=False)
    d.task()
    assert d.result == "allowed"


def test_outside_workflow_code_everything_works_as_before() -> None:
    assert time.time() > 0
    assert 0 <= random.random() < 1
    thread = threading.Thread(target=lambda: None)
    thread.start()
    thread.join()
    with open(__file__, encoding="utf-8") as file:
        assert file.readline()


def test_a_guarded_function_pickles_by_name_and_is_no_method_as_a_class_attribute() -> None:
    class Holder:
        clock = time.time

    assert Holder().clock() > 0
    assert pickle.loads(pickle.dumps(time.time)) is time.time
    assert pickle.loads(pickle.dumps(random.choice)) is random.choice


def test_they_come_off_again() -> None:
    guards.uninstall()
    assert type(time.time).__name__ == "builtin_function_or_method"
    assert not hasattr(threading.Thread.start, "__durable_nb_guard__")
