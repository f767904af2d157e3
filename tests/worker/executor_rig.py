"""An activity executor with a pretended engine around it, and timers that a test advances by hand."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from itertools import count
from typing import Any

from durable_nb.converter import DataConverter
from durable_nb.model.payload import Payload
from durable_nb.model.tasks import ActivityOutcome, ActivityTask, HeartbeatReply
from durable_nb.worker._activity import ActivityExecutor
from durable_nb.worker._heartbeat import HeartbeatTiming

CONVERTER = DataConverter.default
_numbers = count(1)


class ManualTimers:
    """``call_later`` of a clock that stands still until ``advance``."""

    def __init__(self) -> None:
        self.now = 0.0
        self._due: list[tuple[float, int, Callable[..., None], tuple[Any, ...]]] = []
        self._order = count()

    def call_later(self, delay: float, callback: Callable[..., None], *args: Any) -> ManualTimer:
        entry = (self.now + delay, next(self._order), callback, args)
        self._due.append(entry)
        return ManualTimer(self._due, entry)

    async def advance(self, seconds: float) -> None:
        until = self.now + seconds
        while due := [entry for entry in sorted(self._due, key=lambda e: e[:2]) if entry[0] <= until]:
            self._due.remove(due[0])
            self.now = due[0][0]
            due[0][2](*due[0][3])
            await settle()
        self.now = until

    @property
    def pending(self) -> list[float]:
        """Instants of the timers that are set."""
        return sorted(entry[0] for entry in self._due)


class ManualTimer:
    def __init__(self, due: list[Any], entry: Any) -> None:
        self._due, self._entry = due, entry

    def cancel(self) -> None:
        if self._entry in self._due:
            self._due.remove(self._entry)


async def settle() -> None:
    """Let everything on the loop that is ready run, and what that makes ready too."""
    for _ in range(20):
        await asyncio.sleep(0)


def payloads(*values: Any) -> list[Payload]:
    return CONVERTER.to_payloads(values)


def activity_task(activity_type: str, *args: Any, **fields: Any) -> ActivityTask:
    base: dict[str, Any] = {
        "task_token": b"token-%d" % next(_numbers),
        "namespace": "default",
        "workflow_id": "order-1",
        "run_id": "run-1",
        "workflow_type": "OrderWorkflow",
        "task_queue": "q",
        "activity_id": "1",
        "activity_type": activity_type,
        "input": payloads(*args),
        "header": {},
        "attempt": 1,
        "scheduled_time": 1_000_000,
        "current_attempt_scheduled_time": 2_000_000,
        "started_time": 3_000_000,
    }
    return ActivityTask(**{**base, **fields})


class Rig:
    """Starts attempts and gives their outcomes; hears heartbeats and answers them. Make it inside a running loop."""

    def __init__(self, *activities: Any, loop: asyncio.AbstractEventLoop | None = None, **options: Any) -> None:
        self.timers = ManualTimers()
        self.heartbeats: list[list[Any]] = []
        self.reply = HeartbeatReply()
        self.answer: Callable[[], HeartbeatReply] = lambda: self.reply
        self.reports: list[ActivityOutcome] = []
        self.converter: DataConverter = options.setdefault("data_converter", CONVERTER)
        options.setdefault("timing", HeartbeatTiming(call_later=self.timers.call_later))
        self.executor = ActivityExecutor(task_queue="q", send_heartbeat=self._heartbeat, **options)
        for activity in activities:
            self.executor.register(activity)
        self.executor.bind(loop or asyncio.get_running_loop())

    async def _heartbeat(self, token: bytes, details: list[Payload]) -> HeartbeatReply:
        self.heartbeats.append(self.converter.from_payloads(await self.converter.decode_payloads(details)))
        return self.answer()

    def start(self, task: ActivityTask) -> asyncio.Future[ActivityOutcome]:
        """Start an attempt; the future holds its outcome."""
        loop = asyncio.get_running_loop()
        ended: asyncio.Future[ActivityOutcome] = loop.create_future()

        def report(outcome: ActivityOutcome) -> None:
            self.reports.append(outcome)
            loop.call_soon_threadsafe(ended.set_result, outcome)

        self.executor.start(task, report)
        return ended

    def cancel(self, task: ActivityTask, reply: HeartbeatReply) -> None:
        """Answer a heartbeat of a running attempt."""
        self.executor.running[task.task_token].cancel_by_reply(reply)

    async def run(self, activity_type: str, *args: Any, **fields: Any) -> ActivityOutcome:
        return await self.start(activity_task(activity_type, *args, **fields))

    async def result(self, activity_type: str, *args: Any, **fields: Any) -> Any:
        outcome = await self.run(activity_type, *args, **fields)
        assert outcome.failure is None, outcome.failure
        return value_of(outcome)


def value_of(outcome: ActivityOutcome, converter: DataConverter = CONVERTER) -> Any:
    assert outcome.result is not None, outcome
    (value,) = converter.from_payloads(outcome.result)
    return value


def failure_type(outcome: ActivityOutcome) -> str:
    assert outcome.failure is not None, outcome
    assert outcome.failure.application_failure_info is not None, outcome.failure
    return outcome.failure.application_failure_info.type


def details_of(payloads: Sequence[Payload] | None) -> Any:
    return None if payloads is None else CONVERTER.from_payloads(payloads)
