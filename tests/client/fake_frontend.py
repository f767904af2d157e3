"""An engine that answers from a script: every request is recorded, every answer is set by the test.

It knows no rules of workflows. A verb without an answer raises, so that a test names all that it relies on.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Any

from durable_nb.model.attributes import Attributes
from durable_nb.model.events import Event
from durable_nb.model.requests import HistoryPage, StartedWorkflow


class Never:
    """An answer that does not come."""


NEVER = Never()


class FakeFrontend:
    """Records requests in ``requests`` as (verb, arguments); answers in the order that ``answer`` was called."""

    def __init__(self) -> None:
        self.requests: list[tuple[str, tuple[Any, ...]]] = []
        self._answers: dict[str, deque[Any]] = {}

    def answer(self, verb: str, *answers: Any) -> None:
        """Add answers of a verb: a value, an exception to raise, NEVER, or a function of the arguments."""
        self._answers.setdefault(verb, deque()).extend(answers)

    def only(self, verb: str) -> Any:
        """The one request of a verb, which has one argument."""
        [arguments] = self.all(verb)
        [request] = arguments
        return request

    def all(self, verb: str) -> list[tuple[Any, ...]]:
        """Arguments of the requests of a verb."""
        return [arguments for name, arguments in self.requests if name == verb]

    def __getattr__(self, verb: str) -> Callable[..., Any]:
        async def call(*arguments: Any) -> Any:
            self.requests.append((verb, arguments))
            answers = self._answers.get(verb)
            if not answers:
                raise AssertionError(f"no answer is set for {verb}{arguments}")
            answer = answers.popleft()
            if answer is NEVER:
                await asyncio.Event().wait()
            if isinstance(answer, BaseException):
                raise answer
            return answer(*arguments) if callable(answer) else answer

        return call


class FakeEngine:
    """What ``Client`` takes: an object with a frontend."""

    url = "sqlite:///fake.db"

    def __init__(self) -> None:
        self.frontend = FakeFrontend()


def started(run_id: str = "run-1", first: str = "", *, new: bool = True) -> StartedWorkflow:
    """Answer to a start."""
    return StartedWorkflow(run_id, first or run_id, new)


def closing(attributes: Attributes, run_id: str = "run-1", event_id: int = 9) -> HistoryPage:
    """Answer to the question how a run ended."""
    return HistoryPage(run_id, [Event(event_id, 0, attributes)], True)
