"""Workflow code that is left by something else than an ``Exception``: its task fails, and nothing else is touched."""

from __future__ import annotations

import asyncio
import functools
import signal
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from durable_nb import workflow
from durable_nb.model.commands import WorkflowTaskFailure
from durable_nb.model.enums import WorkflowTaskFailedCause
from tests.runtime.driver import KEY, Driver


class OddError(BaseException):
    """Neither an ``Exception`` nor one of Python's own."""


EXITS = (GeneratorExit, KeyboardInterrupt, SystemExit, OddError)
PLACES = ("init", "run", "child", "signal", "update", "validator", "condition", "callback", "text")
LEAVINGS = [(kind, place) for kind in EXITS for place in PLACES if place != "callback" or kind in EXITS[1:3]]
"""asyncio logs what leaves an exception handler, save those two."""

state: dict[str, Any] = {}
"""Where the code leaves, and by what; empty for mended code."""


def leave(place: str) -> None:
    if state.get("place") == place:
        raise state["kind"]("odd")


class Unprintable(BaseException):
    def __str__(self) -> str:
        raise state["kind"]("odd")


@workflow.defn
class Leaves:
    def __init__(self) -> None:
        leave("init")

    @workflow.run
    async def run(self) -> str:
        leave("run")
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda *_: leave("callback"))
        loop.call_soon(lambda: 1 // 0)
        if state.get("place") == "text":
            raise Unprintable
        await asyncio.create_task(self.child())
        await workflow.wait_condition(lambda: leave("condition") or self.is_told())
        return "done"

    async def child(self) -> None:
        await asyncio.sleep(0)
        leave("child")

    def is_told(self) -> bool:
        return workflow.info().get_current_history_length() > 3

    @workflow.signal
    async def tell(self) -> None:
        leave("signal")

    @workflow.update
    async def change(self) -> str:
        leave("update")
        return "changed"

    @change.validator
    def check(self) -> None:
        leave("validator")

    @workflow.query
    def ask(self) -> str:
        leave("query")
        return "answer"


@pytest.fixture(autouse=True)
def handler() -> Iterator[None]:
    """Python's own way with Ctrl-C, and code that does what it should."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    state.clear()
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.parametrize(("kind", "place"), LEAVINGS)
def test_whatever_is_raised_fails_the_task_and_mended_code_goes_on(kind: type[BaseException], place: str) -> None:
    state.update(kind=kind, place=place)
    d = Driver(Leaves)
    d.signal("tell")
    d.update("u", "change")
    outcome = d.task()
    assert isinstance(outcome, WorkflowTaskFailure)
    assert outcome.cause is WorkflowTaskFailedCause.WORKFLOW_WORKER_UNHANDLED_FAILURE
    assert not d.host.holds(KEY)
    if place != "text":
        assert outcome.failure.application_failure_info.type == kind.__name__
    state.clear()
    d.task()
    assert d.kinds()[-1] == "WorkflowExecutionCompleted"


@pytest.mark.parametrize("is_cached", [True, False])
@pytest.mark.parametrize("kind", EXITS)
def test_a_query_is_answered_whatever_is_raised(kind: type[BaseException], is_cached: bool) -> None:
    d = Driver(Leaves)
    d.task()
    if not is_cached:
        d.forget()
    state.update(kind=kind, place="query")
    with pytest.raises(AssertionError, match="odd"):
        d.query("ask")
    state.clear()
    assert d.query("ask") == "answer"
    if not is_cached:
        state.update(kind=kind, place="child")
        with pytest.raises(AssertionError, match="odd"):
            d.query("ask")


def test_a_replay_tells_of_it() -> None:
    d = Driver(Leaves)
    d.task()
    state.update(kind=KeyboardInterrupt, place="child")
    assert "KeyboardInterrupt left workflow code: odd" in str(d.replay().failure)


# -- Ctrl-C --------------------------------------------------------------------------------------------------------


def press(*_: Any) -> KeyboardInterrupt:
    signal.raise_signal(signal.SIGINT)
    return KeyboardInterrupt()


def in_python(which: str, *_: Any) -> None:
    raise KeyboardInterrupt(which)


def interrupted(work: Callable[[], Any]) -> list[Any]:
    """Does the work on a loop, which Ctrl-C then ends; what the work gave."""
    seen: list[Any] = []

    async def program() -> None:
        seen.append(work())
        await asyncio.Event().wait()

    loop = asyncio.new_event_loop()
    main = loop.create_task(program())
    with pytest.raises(KeyboardInterrupt):
        loop.run_until_complete(main)
    main.cancel()
    with pytest.raises(asyncio.CancelledError):
        loop.run_until_complete(main)
    loop.close()
    return seen


@pytest.mark.parametrize("handler_in_place", [signal.default_int_handler, in_python, functools.partial(in_python, "x")])
@pytest.mark.parametrize("place", ["run", "child", "init"])
def test_ctrl_c_fails_the_task_and_then_ends_the_program(place: str, handler_in_place: Callable[..., Any]) -> None:
    signal.signal(signal.SIGINT, handler_in_place)
    state.update(kind=press, place=place)
    d = Driver(Leaves)
    (outcome,) = interrupted(d.task)
    assert isinstance(outcome, WorkflowTaskFailure)
    state.clear()
    assert not isinstance(d.task(), WorkflowTaskFailure)


@pytest.mark.parametrize("is_cached", [True, False])
def test_ctrl_c_in_a_query_is_an_answer_and_then_ends_the_program(is_cached: bool) -> None:
    d = Driver(Leaves)
    d.task()
    if not is_cached:
        d.forget()
    state.update(kind=press, place="query")

    def ask() -> str:
        with pytest.raises(AssertionError) as answer:
            d.query("ask")
        return str(answer.value)

    assert len(interrupted(ask)) == 1


def test_ctrl_c_ends_what_runs_workflow_code_without_a_loop() -> None:
    d = Driver(Leaves)
    d.task()
    state.update(kind=press, place="child")
    with pytest.raises(KeyboardInterrupt):
        d.replay()
    d.forget()
    with pytest.raises(KeyboardInterrupt):
        d.query("ask")
